import * as z from 'zod/mini';
import type { HookResult } from '../model/hook.ts';
import { hookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { later } from '../model/instant.ts';
import type { PlanPosition, PodIndex } from '../model/position.ts';
import type { Shard } from '../model/shard.ts';

/**
 * What a journal says, one thing at a time (R6.9): ids, outcomes and times, no command and no output. A hook, and a pod, is
 * its position in the plan; the journal's head holds the plan's digest.
 */
export type JournalEntry =
  /** A runner has taken the journal: what it finds begun is nobody's any more. */
  | { readonly kind: 'claim'; readonly at: Instant }
  /** Another run has taken over from this one, which is never continued. */
  | { readonly kind: 'closed'; readonly by: string }
  /** A pod with a wait timeout was first seen. */
  | { readonly kind: 'seen'; readonly pod: PodIndex; readonly at: Instant }
  /** The hook is about to be started. */
  | ({
      readonly kind: 'intent';
      readonly hook: PlanPosition;
      readonly tries: number;
      readonly at: Instant;
    } & InContainer)
  /** An earlier run may have started the hook, by then at the latest; it is pending all the same. */
  | { readonly kind: 'lost'; readonly hook: PlanPosition; readonly since: Instant }
  /** The intent is taken back: provably not started. */
  | { readonly kind: 'not-started'; readonly hook: PlanPosition }
  /** The command may be running since. */
  | { readonly kind: 'started'; readonly hook: PlanPosition; readonly at: Instant }
  /** A start has ended, and is followed by another (R3.54). */
  | ({ readonly kind: 'tried'; readonly hook: PlanPosition } & JournaledResult)
  | ({ readonly kind: 'result'; readonly hook: PlanPosition } & JournaledResult);

/** Which pod it was, where the plan didn't know. */
interface InPod {
  readonly podUID?: string;
}

/** Of a detached command: in which start of its container, and its key where an earlier run has started it. */
interface InContainer extends InPod {
  readonly containerID?: string;
  readonly key?: string;
}

export interface JournaledResult extends InPod {
  /** Without its message, which may quote. */
  readonly outcome: HookResult;
  readonly startedAt?: Instant;
  readonly endedAt: Instant;
}

export const JOURNAL_VERSION = 1;

/** Which run's journal it is; every object of the journal begins with it. */
export interface JournalHead {
  readonly runID: string;
  readonly planDigest: string;
  /** How many hooks the plan has. */
  readonly hooks: number;
  /** Whose journal it is, in a run with several shards. */
  readonly shard?: Shard | undefined;
  /** In the first shard's journal: which shards have no pod, so no journal. */
  readonly withoutPods?: readonly number[] | undefined;
}

const position = z.int().check(z.nonnegative());
const instant = z.int();

/** Of a start that has ended: which hook, how, when, since when, in which pod. */
const result = [position, z.string(), instant, z.optional(z.nullable(instant)), z.optional(z.string())] as const;

/** As entries are written: short, since a journal holds 100,000 hooks. Times are relative to the batch. */
const TUPLES = {
  c: z.tuple([z.literal('c'), instant]),
  x: z.tuple([z.literal('x'), z.string()]),
  p: z.tuple([z.literal('p'), position, instant]),
  i: z.tuple([
    z.literal('i'),
    position,
    z.int().check(z.positive()),
    instant,
    z.optional(z.nullable(z.string())),
    z.optional(z.nullable(z.string())),
    z.optional(z.string()),
  ]),
  l: z.tuple([z.literal('l'), position, instant]),
  n: z.tuple([z.literal('n'), position]),
  s: z.tuple([z.literal('s'), position, instant]),
  t: z.tuple([z.literal('t'), ...result]),
  r: z.tuple([z.literal('r'), ...result]),
} as const;

type Tuple = z.infer<(typeof TUPLES)[keyof typeof TUPLES]>;

export function entryTuple(entry: JournalEntry, base: Instant): Tuple {
  const since = (at: Instant): number => Math.round(at - base);
  switch (entry.kind) {
    case 'claim':
      return ['c', since(entry.at)];
    case 'closed':
      return ['x', entry.by];
    case 'seen':
      return ['p', entry.pod, since(entry.at)];
    case 'intent':
      return ['i', entry.hook, entry.tries, since(entry.at), ...inContainer(entry)];
    case 'lost':
      return ['l', entry.hook, since(entry.since)];
    case 'not-started':
      return ['n', entry.hook];
    case 'started':
      return ['s', entry.hook, since(entry.at)];
    case 'tried':
    case 'result': {
      const { kind, hook, outcome, startedAt, endedAt, podUID } = entry;
      const common = [kind === 'tried' ? 't' : 'r', hook, outcomeCode(outcome), since(endedAt)] as const;
      if (startedAt === undefined && podUID === undefined) return [...common];
      return [...common, startedAt === undefined ? null : since(startedAt), ...uid(entry)];
    }
  }
}

/** Without what is absent at the end. */
const inContainer = ({ podUID, containerID, key }: InContainer): [(string | null)?, (string | null)?, string?] => {
  if (key !== undefined) return [podUID ?? null, containerID ?? null, key];
  if (containerID !== undefined) return [podUID ?? null, containerID];
  return podUID === undefined ? [] : [podUID];
};

const uid = ({ podUID }: InPod): [] | [string] => (podUID === undefined ? [] : [podUID]);

/** undefined: not an entry of this version. */
export function entryOf(value: unknown, base: Instant): JournalEntry | undefined {
  const kind = Array.isArray(value) ? String(value[0]) : '';
  if (!Object.hasOwn(TUPLES, kind)) return undefined;
  const parsed = TUPLES[kind as keyof typeof TUPLES].safeParse(value);
  return parsed.success ? entryOfTuple(parsed.data, base) : undefined;
}

function entryOfTuple(tuple: Tuple, base: Instant): JournalEntry | undefined {
  switch (tuple[0]) {
    case 'c':
      return { kind: 'claim', at: later(base, tuple[1]) };
    case 'x':
      return { kind: 'closed', by: tuple[1] };
    case 'p':
      return { kind: 'seen', pod: tuple[1] as PodIndex, at: later(base, tuple[2]) };
    case 'i':
      return {
        kind: 'intent',
        hook: tuple[1] as PlanPosition,
        tries: tuple[2],
        at: later(base, tuple[3]),
        ...inPod(tuple[4] ?? undefined),
        ...(typeof tuple[5] === 'string' && { containerID: tuple[5] }),
        ...(tuple[6] !== undefined && { key: tuple[6] }),
      };
    case 'l':
      return { kind: 'lost', hook: tuple[1] as PlanPosition, since: later(base, tuple[2]) };
    case 'n':
      return { kind: 'not-started', hook: tuple[1] as PlanPosition };
    case 's':
      return { kind: 'started', hook: tuple[1] as PlanPosition, at: later(base, tuple[2]) };
    case 't':
    case 'r': {
      const [letter, position, code, endedAt, startedAt, podUID] = tuple;
      const outcome = outcomeOf(code);
      if (outcome === undefined) return undefined;
      const started = startedAt === undefined || startedAt === null ? {} : { startedAt: later(base, startedAt) };
      return {
        kind: letter === 't' ? 'tried' : 'result',
        hook: position as PlanPosition,
        outcome,
        ...started,
        endedAt: later(base, endedAt),
        ...inPod(podUID),
      };
    }
  }
}

const inPod = (podUID: string | undefined): InPod => (podUID === undefined ? {} : { podUID });

const STATES: Readonly<Record<string, string>> = { F: 'Failed', T: 'TimedOut', N: 'NotExecuted', U: 'Unknown' };

/** `S`, `S?` (unproven), `S-` (without an exit code), `F/exit/3`, `U/connection-lost`. */
function outcomeCode(outcome: HookResult): string {
  if (outcome.state === 'Succeeded') return outcome.unproven ? 'S?' : outcome.exitCode === undefined ? 'S-' : 'S';
  const { state, reason, exitCode } = outcome;
  const exit = exitCode === undefined ? '' : `/${exitCode}`;
  return `${state.slice(0, 1)}/${reason}${exit}`;
}

function outcomeOf(code: string): HookResult | undefined {
  if (code === 'S') return { state: 'Succeeded', exitCode: 0 };
  if (code === 'S-') return { state: 'Succeeded' };
  if (code === 'S?') return { state: 'Succeeded', exitCode: 0, unproven: true };
  const [, state = '', reason = '', exitCode] = /^([FTNU])\/([a-z-]+)(?:\/(-?\d+))?$/.exec(code) ?? [];
  return hookResult({
    state: STATES[state] ?? '',
    reason,
    ...(exitCode === undefined ? {} : { exitCode: Number(exitCode) }),
  });
}
