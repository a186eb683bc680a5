import type { ExecOutcome, Hook, HookResult, PodKey, PodObservation } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import type { PodIndex } from '../model/position.ts';
import { VERSION } from '../version.ts';
import type { EndedHook } from './hook-state.ts';
import type { Effect, Elsewhere, Fact } from './protocol.ts';
import type { BegunCommand, RunStart } from './run-start.ts';

/*
 * A history is all that the executor was told, and what it made of it, a line each, so that a run can be played again.
 * In it are ids, outcomes and times: no command, no output, and none of the texts that are for people, which may quote (R6.31).
 */

export const HISTORY_VERSION = 1;
/** What tells a history's lines from others in a runner's log. */
export const HISTORY_MESSAGE = 'history';

export type HistoryLine =
  | HistoryHead
  | RecordedHook
  /** When the wait timeouts of a pod began, under an earlier runner. */
  | { readonly pod: PodIndex; readonly waitingSince: Instant }
  /** Until when a command of an earlier run may be running in a pod; null: for ever. */
  | { readonly quiet: PodKey; readonly until: Instant | null }
  /** So many facts come next, all in one step. */
  | { readonly step: number; readonly at: Instant; readonly facts: number }
  | { readonly fact: Fact }
  /** So many effects of the facts before come next. */
  | { readonly effects: number }
  | { readonly effect: Effect };

interface HistoryHead {
  readonly history: typeof HISTORY_VERSION;
  /** Of the program. */
  readonly version: string;
  readonly runID: string;
  readonly digest: string;
  readonly startedAt: Instant;
  readonly maxConcurrent: number;
  /** Another runner has had the run before. */
  readonly wasTaken: boolean;
  /** How the run's other shards stood. */
  readonly elsewhere?: Elsewhere | undefined;
  /** How many there are; they come next. */
  readonly hooks: number;
}

/** What of a hook decides anything. */
type DecidedBy<Each> = Each extends Hook ? Omit<Each, NotRecorded> : never;
type NotRecorded =
  | 'command'
  | 'image'
  | 'containerDigest'
  | 'source'
  | 'origin'
  | 'name'
  | 'index'
  | 'waitTimeoutFrom'
  | 'execTimeoutFrom';

/** A hook as it was planned, and what was known of it when the runner took the run. */
interface RecordedHook {
  readonly hook: DecidedBy<Hook>;
  /** Its result in an earlier run. */
  readonly kept?: EndedHook | undefined;
  /** Its result under an earlier runner of this run. */
  readonly ended?: EndedHook | undefined;
  readonly attempts?: number | undefined;
  /** How often it was started in this run. */
  readonly starts?: number | undefined;
  readonly lost?: Instant | undefined;
  /** Its detached command, which an earlier runner has started, or may have. */
  readonly begun?: BegunCommand | undefined;
  /** How its last start ended, which is followed by another. */
  readonly last?: EndedHook | undefined;
}

/** How a history begins: with what the run is made of. */
export function* historyHead(
  { runID, planDigest }: { readonly runID: string; readonly planDigest: string },
  hooks: readonly Hook[],
  { startedAt, maxConcurrent, ended, resumed, quiet, elsewhere }: RunStart,
): Generator<HistoryLine> {
  yield {
    history: HISTORY_VERSION,
    version: VERSION,
    runID,
    digest: planDigest,
    startedAt,
    maxConcurrent,
    wasTaken: resumed?.wasTaken ?? false,
    elsewhere: elsewhere && recordedElsewhere(elsewhere),
    hooks: hooks.length,
  };
  for (const hook of hooks) {
    const { id } = hook;
    yield {
      hook: recordedHook(hook),
      kept: recordedResult(ended?.get(id)),
      ended: recordedResult(resumed?.ended.get(id)),
      attempts: resumed?.tries.get(id),
      starts: resumed?.starts?.get(id),
      lost: resumed?.lost.get(id),
      begun: resumed?.begun?.get(id),
      last: recordedResult(resumed?.last?.get(id)),
    };
  }
  for (const [pod, waitingSince] of resumed?.waitingSince ?? []) yield { pod, waitingSince };
  for (const [key, until] of quiet ?? []) yield { quiet: key, until: Number.isFinite(until) ? until : null };
}

/** Written before the step is made: what it can't survive is the last that is recorded. */
export function* recordedFacts(step: number, at: Instant, facts: readonly Fact[]): Generator<HistoryLine> {
  yield { step, at, facts: facts.length };
  for (const fact of facts) yield { fact: recordedFact(fact) };
}

export function* recordedEffects(effects: readonly Effect[]): Generator<HistoryLine> {
  yield { effects: effects.length };
  for (const effect of effects) yield { effect: recordedEffect(effect) };
}

/** Texts are for people: nothing is decided by them. */
const LEFT_OUT = '';

function recordedHook(hook: Hook): RecordedHook['hook'] {
  const { id, namespace, pod, podUID, container, waitTimeoutMs, never } = hook;
  const planned = { id, namespace, pod, podUID, container, waitTimeoutMs, never };
  if (hook.kind === 'init') return { ...planned, kind: hook.kind, injection: hook.injection };
  const { kind, onError, execTimeoutMs, waitForReady, wave, retry, detach } = hook;
  const more = { ...(wave !== undefined && { wave }), ...(retry && { retry }), ...(detach && { detach }) };
  return { ...planned, kind, onError, execTimeoutMs, waitForReady, ...more };
}

function recordedFact(fact: Fact): Fact {
  switch (fact.type) {
    case 'podObserved':
      return { type: fact.type, pod: recordedPod(fact.pod) };
    case 'execEnded':
      return { type: fact.type, hook: fact.hook, outcome: recordedAnswer(fact.outcome) };
    case 'podNotCreated':
      return { type: fact.type, key: fact.key, left: fact.left, message: LEFT_OUT };
    case 'runFailed':
      return { type: fact.type, failure: { code: fact.failure.code, message: LEFT_OUT } };
    case 'shardsTold':
      return { type: fact.type, elsewhere: recordedElsewhere(fact.elsewhere) };
    default:
      return fact;
  }
}

const recordedElsewhere = ({ openWave, waveEnds, stop, failure }: Elsewhere): Elsewhere => ({
  ...(openWave !== undefined && { openWave }),
  waveEnds,
  ...(stop !== undefined && { stop: LEFT_OUT }),
  ...(failure && { failure: { code: failure.code, message: LEFT_OUT } }),
});

function recordedPod({ key, uid, phase, isGoing, containers, initContainers }: PodObservation): PodObservation {
  const withoutReason = <T extends { readonly reason?: string; readonly message?: string }>(
    all: Readonly<Record<string, T>>,
  ) => Object.fromEntries(Object.entries(all).map(([name, { reason: _, message: __, ...rest }]) => [name, rest]));
  return {
    key,
    uid,
    phase,
    ...(isGoing && { isGoing }),
    containers: withoutReason(containers) as PodObservation['containers'],
    ...(initContainers && {
      initContainers: withoutReason(initContainers) as NonNullable<PodObservation['initContainers']>,
    }),
  };
}

function recordedAnswer(outcome: ExecOutcome): ExecOutcome {
  switch (outcome.kind) {
    case 'notStarted':
      return { ...outcome, why: LEFT_OUT };
    case 'error':
    case 'forbidden':
    case 'noWebSocket':
      return { kind: outcome.kind, message: LEFT_OUT };
    case 'connectionLost':
      return { ...outcome, message: LEFT_OUT };
    default:
      return outcome;
  }
}

const recordedEffect = (effect: Effect): Effect =>
  effect.type === 'recordResult' || effect.type === 'recordTried'
    ? { ...effect, result: recordedResult(effect.result) }
    : effect;

function recordedResult(result: EndedHook): EndedHook;
function recordedResult(result: EndedHook | undefined): EndedHook | undefined;
function recordedResult(result: EndedHook | undefined): EndedHook | undefined {
  return result && { ...result, outcome: recordedOutcome(result.outcome) };
}

function recordedOutcome(outcome: HookResult): HookResult {
  if (outcome.state === 'Succeeded') return outcome;
  const { message: _, ...rest } = outcome;
  return rest;
}
