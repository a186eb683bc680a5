import * as z from 'zod/mini';
import { canonicalJson, sha256Hex } from '../digest.ts';
import { RestoreHooksError } from '../errors.ts';
import type { Instant } from '../model/instant.ts';
import { instant } from '../model/instant.ts';
import type { JournalEntry, JournalHead } from './entry.ts';
import { entryOf, entryTuple, JOURNAL_VERSION } from './entry.ts';

/**
 * Where a journal ends: how many batches it has, and the digest of the last. Each batch holds that of the one before
 * it, so that a journal that was cut, reordered or put together of two is told from a right one.
 */
export interface JournalEnd {
  readonly batches: number;
  readonly digest: string;
}

const Head = z.strictObject({
  version: z.literal(JOURNAL_VERSION),
  run: z.string(),
  plan: z.string(),
  hooks: z.int().check(z.nonnegative()),
  shard: z.optional(z.strictObject({ index: z.int().check(z.nonnegative()), of: z.int().check(z.positive()) })),
  empty: z.optional(z.array(z.int().check(z.positive()))),
  /** Which of the journal's objects this is, from 0. */
  part: z.int().check(z.nonnegative()),
});
const End = z.strictObject({ n: z.int().check(z.nonnegative()), p: z.string() });
const Batch = z.strictObject({
  v: z.literal(JOURNAL_VERSION),
  /** Its number in the whole journal, from 0. */
  n: z.int().check(z.nonnegative()),
  p: z.string(),
  /** Who has written it: two runners never write the same text. */
  w: z.string(),
  t: z.int(),
  e: z.array(z.unknown()),
});

const DIGEST_LENGTH = 16;
const digestOf = (text: string): string => sha256Hex(text).slice(0, DIGEST_LENGTH);

/** The end of a journal that holds nothing yet. */
export const emptyEnd = ({ withoutPods: _, ...head }: JournalHead): JournalEnd => ({
  batches: 0,
  digest: digestOf(canonicalJson(head)),
});

export const headText = ({ runID, planDigest, hooks, shard, withoutPods }: JournalHead, part: number): string =>
  JSON.stringify({ version: JOURNAL_VERSION, run: runID, plan: planDigest, hooks, shard, empty: withoutPods, part });

export const endText = ({ batches, digest }: JournalEnd): string => JSON.stringify({ n: batches, p: digest });

export function encodeBatch(
  end: JournalEnd,
  writer: string,
  entries: readonly JournalEntry[],
  at: Instant,
): { readonly text: string; readonly end: JournalEnd } {
  const t = instant(Math.round(at));
  const batch = { v: JOURNAL_VERSION, n: end.batches, p: end.digest, w: writer, t };
  const text = JSON.stringify({ ...batch, e: entries.map((entry) => entryTuple(entry, t)) });
  return { text, end: { batches: end.batches + 1, digest: digestOf(text) } };
}

/** The entries of the batch that comes after `end`. Throws what `unreadableJournal` makes of anything else. */
export function decodeBatch(text: string, end: JournalEnd): { entries: JournalEntry[]; end: JournalEnd } {
  const { batches } = end;
  const what = `its batch ${batches}`;
  const batch = parse(Batch, text, what);
  if (batch.n !== batches || batch.p !== end.digest)
    throw unreadableJournal(`${what} doesn't follow the one before it`); // R6.8
  const entries = batch.e.map((value, index) => {
    const entry = entryOf(value, instant(batch.t));
    if (entry === undefined) throw unreadableJournal(`entry ${index} of ${what} is unknown to this version`);
    return entry;
  });
  return { entries, end: { batches: batches + 1, digest: digestOf(text) } };
}

/** Which run's journal it is, as its first part says. */
export function parseHead(text: string | undefined): JournalHead {
  const { run, plan, hooks, shard, empty } = parse(Head, text ?? '', 'the head of its part 0');
  return { runID: run, planDigest: plan, hooks, ...(shard && { shard }), ...(empty && { withoutPods: empty }) };
}

/** Refuse the journal of another run, plan, shard or version. */
export function checkHead(text: string | undefined, expected: JournalHead, part: number): void {
  const { run, plan, hooks, shard, part: found } = parse(Head, text ?? '', `the head of its part ${part}`);
  if (run !== expected.runID || plan !== expected.planDigest || hooks !== expected.hooks) {
    throw unreadableJournal(`its part ${part} belongs to another plan or run (${run})`);
  }
  if (shard?.index !== expected.shard?.index || shard?.of !== expected.shard?.of) {
    throw unreadableJournal(`its part ${part} belongs to another shard of the run`); // R8.42
  }
  if (found !== part) throw unreadableJournal(`its part ${part} says that it is part ${found}`);
}

export function parseEnd(text: string | undefined, part: number): JournalEnd {
  const { n, p } = parse(End, text ?? '', `the end of its part ${part}`);
  return { batches: n, digest: p };
}

function parse<T extends z.ZodMiniType>(schema: T, text: string, what: string): z.infer<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unreadableJournal(`${what} is damaged: it isn't JSON`);
  }
  const { v, version = v } = (value ?? {}) as { v?: unknown; version?: unknown };
  if (typeof version === 'number' && version !== JOURNAL_VERSION) {
    throw unreadableJournal(
      `${what} is of version ${version}; this is version ${JOURNAL_VERSION}`,
      'use the version that wrote it',
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw unreadableJournal(`${what} is damaged`);
}

/** Nothing is guessed from a journal that isn't whole: what it doesn't say may have been run (R6.8). */
export const unreadableJournal = (why: string, hint?: string): RestoreHooksError =>
  new RestoreHooksError('RUN_FAILED', `the run's journal can't be read: ${why}`, {
    hint:
      hint ?? 'see what each hook did (kubectl restorehooks status), and start over with apply --again if that is safe',
  });
