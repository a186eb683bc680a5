import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import type { JournalEnd } from '../../core/journal/batch.ts';
import {
  checkHead,
  decodeBatch,
  emptyEnd,
  endText,
  parseEnd,
  parseHead,
  unreadableJournal,
} from '../../core/journal/batch.ts';
import type { JournalHead } from '../../core/journal/entry.ts';
import { Replay } from '../../core/journal/replay.ts';
import { objectsNamespace } from '../../core/manifests/run-objects.ts';
import { journalName, runName, shardName } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';

/** The size of a part, which each write sends to etcd as a whole. The write that fills a part also seals it. */
export const PART_BYTES = 64 * 1024;
/** About how many bytes a key takes besides its text. */
export const KEY_BYTES = 32;
const READ_AT_ONCE = 8;

const Part = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  immutable: z.boolean().nullish(),
  data: z.record(z.string(), z.string()).nullish(),
});
export type Part = z.infer<typeof Part>;

export const batchKey = (batch: number): string => `b${String(batch).padStart(8, '0')}`;

export interface JournalPlace {
  readonly restore: RestoreReference;
  readonly head: JournalHead;
}

/** A journal that was read. */
export interface ReadJournal {
  readonly replay: Replay;
  readonly end: JournalEnd;
  /** The number of the part that is written to, the last one. */
  readonly part: number;
  readonly resourceVersion: string;
  readonly bytes: number;
  /** Which shards of the run have no journal; told by that of the first one. */
  readonly withoutPods: readonly number[];
}

export const journalPath = ({ restore, head }: JournalPlace, part: number): string =>
  paths.configMaps(objectsNamespace(restore), journalPart({ restore, head }, part));

/** The name of the ConfigMap. */
export const journalPart = ({ restore, head }: JournalPlace, part: number): string =>
  journalName(shardName(runName(restore.name, head.runID), head.shard), part);

/** The places of the journals of a run's shards. */
export const journalsOf = (
  restore: RestoreReference,
  { shard: _, withoutPods: __, ...head }: JournalHead,
  shards: number,
): readonly JournalPlace[] =>
  shards === 1
    ? [{ restore, head }]
    : Array.from({ length: shards }, (_, index) => ({ restore, head: { ...head, shard: { index, of: shards } } }));

type Client = Pick<KubeClient, 'get'>;

/** Read a run's whole journal; undefined if there is none. Throws if it is damaged or incomplete (R6.8). */
export async function readJournal(client: Client, place: JournalPlace): Promise<ReadJournal | undefined> {
  const read = new Reading(place);
  for (let from = 0, count = 1; ; from += count, count = READ_AT_ONCE) {
    const asked = await Promise.all(Array.from({ length: count }, (_, at) => getPart(client, place, from + at)));
    for (const [at, early] of asked.entries()) {
      const part = from + at;
      if (early === undefined && part === 0) return undefined;
      // The part before is sealed, so this one exists: it may have been made after the first GET.
      const answer = early ?? (await getPart(client, place, part));
      if (answer === undefined) throw unreadableJournal(`its part ${part} is missing`);
      read.fold(answer, part);
      if (answer.immutable) continue;
      const bytes = sizeOf(answer);
      if (bytes >= PART_BYTES) throw unreadableJournal(`its part ${part} is full and not sealed`);
      const next = asked[at + 1] ?? (await getPart(client, place, part + 1));
      if (next === undefined || read.isUnused(next, part + 1)) {
        const { replay, end, withoutPods } = read;
        return { replay, end, part, resourceVersion: answer.metadata.resourceVersion, bytes, withoutPods };
      }
      const isSealed = (await getPart(client, place, part))?.immutable;
      if (!isSealed) throw unreadableJournal(`its part ${part} isn't sealed, although part ${part + 1} goes on`);
      // A runner is writing to the journal meanwhile: read it again.
      return readJournal(client, place);
    }
  }
}

export async function getPart(client: Client, place: JournalPlace, part: number): Promise<Part | undefined> {
  try {
    const parsed = Part.safeParse(await client.get(journalPath(place, part)));
    if (parsed.success) return parsed.data;
    throw unreadableJournal(`its part ${part} is no ConfigMap of ours`);
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Reads a journal part by part. */
class Reading {
  readonly #head: JournalHead;
  readonly replay: Replay;
  end: JournalEnd;
  withoutPods: readonly number[] = [];
  /** The ends of all batches that were read. */
  readonly #passed: Set<string>;

  constructor({ head }: JournalPlace) {
    this.#head = head;
    this.replay = new Replay(head);
    this.end = emptyEnd(head);
    this.#passed = new Set([endText(this.end)]);
  }

  fold(given: Part, part: number): void {
    const said = this.#check(given, part);
    if (part === 0) this.withoutPods = parseHead(given.data?.['head']).withoutPods ?? [];
    for (const [key, text] of batchesOf(given)) {
      if (key !== batchKey(this.end.batches)) {
        throw unreadableJournal(`its part ${part} contains ${key} where batch ${this.end.batches} is expected`);
      }
      const decoded = decodeBatch(text, this.end);
      this.replay.fold(decoded.entries);
      this.end = decoded.end;
      this.#passed.add(endText(this.end));
    }
    if (said === endText(this.end) || (part > 0 && this.isUnused(given, part))) return;
    throw unreadableJournal(`its part ${part} ends at batch ${this.end.batches}, and its own end names another one`);
  }

  /** Whether a part is still empty. It was made before the previous part was full, and says where that ended then. */
  isUnused(given: Part, part: number): boolean {
    const said = this.#check(given, part);
    return batchesOf(given).length === 0 && !given.immutable && this.#passed.has(said);
  }

  #check({ data }: Part, part: number): string {
    checkHead(data?.['head'], this.#head, part);
    return endText(parseEnd(data?.['end'], part));
  }
}

const batchesOf = ({ data }: Part): [string, string][] =>
  Object.entries(data ?? {})
    .filter(([key]) => key !== 'head' && key !== 'end')
    .sort(([one], [other]) => (one < other ? -1 : 1));

const sizeOf = (part: Part): number => batchesOf(part).reduce((sum, [, text]) => sum + text.length + KEY_BYTES, 0);
