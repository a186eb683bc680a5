import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { HISTORY_MESSAGE, HISTORY_VERSION, recordedEffects } from '../../shared/core/execute/history.ts';
import type { EndedHook } from '../../shared/core/execute/hook-state.ts';
import type { Effect, Fact } from '../../shared/core/execute/protocol.ts';
import type { RunPhase } from '../../shared/core/execute/run-phase.ts';
import { phaseOf } from '../../shared/core/execute/run-phase.ts';
import type { RunState } from '../../shared/core/execute/state.ts';
import { createRun } from '../../shared/core/execute/state.ts';
import { step } from '../../shared/core/execute/step.ts';
import type { Hook, HookId, PodKey } from '../../shared/core/model/hook.ts';
import type { Instant } from '../../shared/core/model/instant.ts';
import { FOREVER, instant } from '../../shared/core/model/instant.ts';
import type { PodIndex } from '../../shared/core/model/position.ts';

/* ---- as it is written ---- */

const id = z.string().transform((text) => text as HookId);
const key = z.string().transform((text) => text as PodKey);
const count = z.int().min(0);
const time = z.number().transform(instant);

const RunFailed = z.strictObject({ code: z.enum(['forbidden', 'restore-deleted', 'error']), message: z.string() });
const Elsewhere = z.strictObject({
  openWave: z.int().exactOptional(),
  waveEnds: z.array(z.tuple([z.int(), time])),
  stop: z.string().exactOptional(),
  failure: RunFailed.exactOptional(),
});

const Head = z.strictObject({
  history: z.literal(HISTORY_VERSION),
  version: z.string(),
  runID: z.string(),
  digest: z.string(),
  startedAt: time,
  maxConcurrent: z.int().min(1),
  wasTaken: z.boolean().default(false),
  elsewhere: Elsewhere.optional(),
  hooks: count,
});

const hook = {
  id,
  namespace: z.string(),
  pod: z.string(),
  podUID: z.string().optional(),
  container: z.string(),
  waitTimeoutMs: time.nullable(),
  never: z.enum(['no-such-container', 'empty-command', 'not-injected']).optional(),
};
/** Stands for fields that aren't recorded, because no decision depends on them. */
const notRecorded = {
  source: 'spec',
  origin: 'restorehooks',
  name: '',
  index: 0,
  command: [],
  waitTimeoutFrom: 'default',
} as const;
const HookLine = z.discriminatedUnion('kind', [
  z
    .strictObject({
      ...hook,
      kind: z.literal('exec'),
      onError: z.enum(['Continue', 'Fail']),
      execTimeoutMs: time.nullable(),
      waitForReady: z.boolean(),
      wave: z.int().exactOptional(),
      detach: z.literal(true).exactOptional(),
      retry: z.strictObject({ attempts: count, delayMs: time, maxDelayMs: time }).exactOptional(),
    })
    .transform((read): Hook => ({ ...notRecorded, execTimeoutFrom: 'default', ...read })),
  z
    .strictObject({
      ...hook,
      kind: z.literal('init'),
      injection: z.enum(['found', 'create', 'recreate']).optional(),
    })
    .transform((read): Hook => ({ ...notRecorded, image: '', ...read })),
]);

const Result = z.custom<EndedHook>(
  (value) =>
    z
      .strictObject({
        phase: z.literal('Ended'),
        outcome: z.strictObject({
          state: z.enum(['Succeeded', 'Failed', 'TimedOut', 'NotExecuted', 'Unknown']),
          reason: z.string().optional(),
          exitCode: z.int().optional(),
          unproven: z.literal(true).optional(),
        }),
        startedAt: time.optional(),
        endedAt: time,
        commandEndedAt: time.optional(),
        podUID: z.string().optional(),
        starts: count.optional(),
      })
      .safeParse(value).success,
  'expected how a hook ended',
);

const Pod = z.strictObject({
  key,
  uid: z.string(),
  phase: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown']),
  isGoing: z.literal(true).exactOptional(),
  containers: z.record(
    z.string(),
    z.strictObject({ id: z.string().exactOptional(), running: z.boolean(), ready: z.boolean() }),
  ),
  initContainers: z
    .record(
      z.string(),
      z.strictObject({
        phase: z.enum(['waiting', 'running', 'terminated']),
        isOver: z.boolean(),
        isSidecar: z.boolean(),
        startedAt: time.exactOptional(),
        finishedAt: time.exactOptional(),
        exitCode: z.int().exactOptional(),
        restarts: count,
      }),
    )
    .exactOptional(),
});

const Answer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('exited'),
    exitCode: z.int(),
    unproven: z.literal(true).exactOptional(),
    wasEnded: z.literal(true).exactOptional(),
  }),
  z.strictObject({ kind: z.literal('notStarted'), why: z.string(), retryAfterMs: time.exactOptional() }),
  z.strictObject({
    kind: z.enum(['podDeleted', 'podReplaced', 'podChanged', 'noSuchContainer', 'containerRestarted', 'podGone']),
  }),
  z.strictObject({ kind: z.enum(['error', 'forbidden', 'noWebSocket']), message: z.string() }),
  z.strictObject({
    kind: z.literal('connectionLost'),
    message: z.string(),
    isOver: z.literal(true).exactOptional(),
  }),
]);

const RecordedFact: z.ZodType<Fact> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('podObserved'), pod: Pod }),
  z.strictObject({ type: z.literal('podDeleted'), key, uid: z.string() }),
  z.strictObject({ type: z.literal('podsListed') }),
  z.strictObject({ type: z.enum(['intentRecorded', 'execStarted', 'commandEnded', 'logRead']), hook: id }),
  z.strictObject({ type: z.literal('execEnded'), hook: id, outcome: Answer }),
  z.strictObject({ type: z.literal('podCreated'), key, uid: z.string() }),
  z.strictObject({
    type: z.literal('podNotCreated'),
    key,
    message: z.string(),
    left: z.enum(['as-before', 'another', 'missing']),
  }),
  z.strictObject({ type: z.literal('timerFired'), key }),
  z.strictObject({ type: z.enum(['cancelRequested', 'suspendRequested', 'dropRequested']) }),
  z.strictObject({
    type: z.literal('runFailed'),
    failure: RunFailed,
  }),
  z.strictObject({ type: z.literal('shardsTold'), elsewhere: Elsewhere }),
]) as z.ZodType<Fact>;

const Line = z.union([
  Head,
  z.strictObject({
    hook: HookLine,
    kept: Result.optional(),
    ended: Result.optional(),
    attempts: count.optional(),
    starts: count.optional(),
    lost: time.optional(),
    begun: z
      .strictObject({
        tries: count,
        since: time,
        startedAt: time.optional(),
        podUID: z.string().optional(),
        containerID: z.string().optional(),
        key: z.string().optional(),
      })
      .optional(),
    last: Result.optional(),
  }),
  z.strictObject({ pod: count.transform((index) => index as PodIndex), waitingSince: time }),
  // null: for ever.
  z.strictObject({ quiet: key, until: z.nullable(time) }),
  z.strictObject({ step: count, at: time, facts: count }),
  z.strictObject({ fact: RecordedFact }),
  z.strictObject({ effects: count }),
  // Effects are only compared, and today's code may answer with other kinds of effects.
  z.strictObject({ effect: z.looseObject({ type: z.string() }) }),
]);
type Line = z.infer<typeof Line>;

/* ---- as it is played ---- */

export interface History {
  readonly head: z.infer<typeof Head>;
  readonly hooks: readonly Extract<Line, { hook: unknown }>[];
  readonly waitingSince: ReadonlyMap<PodIndex, Instant>;
  readonly quiet: ReadonlyMap<PodKey, Instant>;
  readonly steps: readonly Step[];
}

interface Step {
  readonly step: number;
  readonly at: Instant;
  readonly facts: readonly Fact[];
  /** undefined: the recording ends before them. */
  readonly effects: readonly object[] | undefined;
}

/** An error for a recording that can't be read: one line, with the place and the reason. */
export class HistoryError extends Error {
  override readonly name = 'HistoryError';
}

/**
 * The histories of a file, one for each runner of a run. The file may be a runner's log, with other lines in between. The
 * end of a history may be missing, but no other part.
 */
export function parseHistories(text: string): History[] {
  const lines = [...recordedLines(text)];
  const histories: History[] = [];
  for (let from = 0; from < lines.length; ) {
    const next = lines.findIndex(({ line }, at) => at > from && 'history' in line);
    const to = next < 0 ? lines.length : next;
    histories.push(parseHistory(lines.slice(from, to)));
    from = to;
  }
  if (histories.length === 0) throw new HistoryError('there is no history in it: was the run recorded (--record)?');
  return histories;
}

interface Numbered {
  readonly number: number;
  readonly line: Line;
}

function* recordedLines(text: string): Generator<Numbered> {
  const texts = text.split('\n');
  for (const [at, one] of texts.entries()) {
    const isLast = at === texts.length - 1;
    if (isLast && one === '') return;
    const wrong = (why: string) => new HistoryError(`line ${at + 1}: ${why}`);
    let value: Record<string, unknown>;
    try {
      value = JSON.parse(one);
    } catch {
      // A runner that died may have left half a line.
      if (isLast) return;
      throw wrong('expected JSON, as --record writes it');
    }
    if (value === null || typeof value !== 'object') throw wrong('expected an object, as --record writes it');
    const { level, time: _, msg, ...own } = value;
    if (level !== undefined && msg !== HISTORY_MESSAGE) continue;
    const { history } = own;
    if (history !== undefined && history !== HISTORY_VERSION) {
      throw wrong(`a history of version ${JSON.stringify(history)}; this reads version ${HISTORY_VERSION}`);
    }
    const parsed = Line.safeParse(own);
    if (!parsed.success) throw wrong(`it is none of version ${HISTORY_VERSION}: ${one.slice(0, 80)}`);
    yield { number: at + 1, line: parsed.data };
  }
}

function parseHistory(lines: readonly Numbered[]): History {
  let at = 0;
  const wrong = (expected: string): HistoryError => {
    const { number, line } = lines[at] ?? { number: 0, line: {} };
    return new HistoryError(`line ${number}: expected ${expected}, found ${Object.keys(line)[0]}`);
  };
  /** The next `count` lines of one kind; undefined where the recording ends among them. */
  function take<Name extends string>(count: number, name: Name): Extract<Line, Record<Name, unknown>>[] | undefined {
    const taken: Extract<Line, Record<Name, unknown>>[] = [];
    for (; taken.length < count; at += 1) {
      const line = lines[at]?.line;
      if (line === undefined) return undefined;
      if (!(name in line)) throw wrong(name);
      taken.push(line as Extract<Line, Record<Name, unknown>>);
    }
    return taken;
  }
  const head = lines[0]?.line;
  if (head === undefined || !('history' in head))
    throw wrong('the head of a history (its beginning may have been cut)');
  at = 1;
  const hooks = take(head.hooks, 'hook');
  if (hooks === undefined)
    throw new HistoryError(`line ${lines.at(-1)?.number}: it ends before its ${head.hooks} hooks`);
  const waitingSince = new Map<PodIndex, Instant>();
  for (let line = lines[at]?.line; line !== undefined && 'pod' in line; line = lines[at]?.line) {
    waitingSince.set(line.pod, line.waitingSince);
    at += 1;
  }
  const quiet = new Map<PodKey, Instant>();
  for (let line = lines[at]?.line; line !== undefined && 'quiet' in line; line = lines[at]?.line) {
    quiet.set(line.quiet, line.until ?? FOREVER);
    at += 1;
  }
  const steps: Step[] = [];
  for (;;) {
    const [first] = take(1, 'step') ?? [];
    if (first === undefined) break;
    if (first.step !== steps.length + 1) {
      at -= 1;
      throw wrong(`step ${steps.length + 1}`);
    }
    const facts = take(first.facts, 'fact');
    if (facts === undefined) break;
    const [announced] = take(1, 'effects') ?? [];
    const effects = announced && take(announced.effects, 'effect');
    steps.push({
      step: first.step,
      at: first.at,
      facts: facts.map(({ fact }) => fact),
      effects: effects?.map(({ effect }) => effect),
    });
  }
  return { head, hooks, waitingSince, quiet, steps };
}

export interface Replayed {
  readonly phase: RunPhase;
  readonly counts: RunState['counts'];
  readonly steps: number;
  /** The first step whose effects differ from the recorded ones. */
  readonly differs?: { readonly step: number; readonly then: readonly object[]; readonly now: readonly object[] };
}

/** Plays each step again, at its recorded time. */
export function replay({ head, hooks, waitingSince, quiet, steps }: History): Replayed {
  const known = <T>(of: (line: History['hooks'][number]) => T | undefined): Map<HookId, T> =>
    new Map(
      hooks.flatMap((line) => {
        const value = of(line);
        return value === undefined ? [] : [[line.hook.id, value]];
      }),
    );
  const run = createRun(
    hooks.map((line) => line.hook),
    {
      startedAt: head.startedAt,
      maxConcurrent: head.maxConcurrent,
      ended: known(({ kept }) => kept),
      resumed: {
        ended: known(({ ended }) => ended),
        tries: known(({ attempts }) => attempts),
        starts: known(({ starts }) => starts),
        lost: known(({ lost }) => lost),
        begun: known(({ begun }) => begun),
        last: known(({ last }) => last),
        waitingSince,
        wasTaken: head.wasTaken,
      },
      quiet,
      elsewhere: head.elsewhere,
    },
  );
  let made = 0;
  for (const { step: number, at, facts, effects: then } of steps) {
    const now = asRecorded(step(run, facts, at).effects);
    made += 1;
    if (then === undefined || isDeepStrictEqual(now, then)) continue;
    return { phase: phaseOf(run), counts: run.counts, steps: made, differs: { step: number, then, now } };
  }
  return { phase: phaseOf(run), counts: run.counts, steps: made };
}

const asRecorded = (effects: readonly Effect[]): object[] =>
  [...recordedEffects(effects)].flatMap((line) => ('effect' in line ? [JSON.parse(JSON.stringify(line.effect))] : []));
