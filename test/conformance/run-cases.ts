import { isDeepStrictEqual } from 'node:util';
import type { HookState } from '../../shared/core/execute/hook-state.ts';
import { phaseOf } from '../../shared/core/execute/run-phase.ts';
import type { RunState } from '../../shared/core/execute/state.ts';
import { createRun, stateOf } from '../../shared/core/execute/state.ts';
import type { ExecOutcome, Hook, PodKey, PodObservation } from '../../shared/core/model/hook.ts';
import { podKey } from '../../shared/core/model/hook.ts';
import { instant } from '../../shared/core/model/instant.ts';
import { Pod } from '../../shared/core/model/pod.ts';
import { parseRestore } from '../../shared/core/model/restore.ts';
import { planRestoreHooks } from '../../shared/core/plan/plan-restore-hooks.ts';
import {
  deniedByPolicy,
  isUpgradeRefused,
  outcomeOfRefusal,
  outcomeOfStatus,
} from '../../shared/kubernetes/exec/exec-outcome.ts';
import type { ExecRequest, HookExec } from '../../shared/ports/ports.ts';
import { startEngine } from '../../shared/runtime/engine.ts';
import { execOnly } from '../sim/exec-only.ts';
import { forgetfulJournal } from '../sim/forgetful-journal.ts';
import { VirtualClock } from '../sim/virtual-clock.ts';
import type { Failure } from './main.ts';

const DEFAULT_MAX_CONCURRENT = 64;

/** Plays one scripted cluster to its horizon under a virtual clock, with the real engine. */
// biome-ignore lint/suspicious/noExplicitAny: the vectors' shape is their README's
export function checkRunCase({ given, expect }: any): Failure | undefined {
  const clock = new VirtualClock();
  const restore = parseRestore(given.restore);
  if (!restore.ok) throw new Error(`the case's Restore is refused: ${JSON.stringify(restore.problems)}`);
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const pods = given.pods.map(({ pod }: any) => Pod.parse(pod));
  const { hooks } = planRestoreHooks({ restore: restore.value, pods });
  const run = createRun(hooks, { startedAt: instant(0), maxConcurrent: given.maxConcurrent ?? DEFAULT_MAX_CONCURRENT });
  const { tell } = startEngine(
    run,
    { clock, exec: scriptedExec(clock, given.exec), journal: forgetfulJournal, ...execOnly },
    {},
  );
  for (const { pod, createdAtMs, timeline } of given.pods) {
    for (const { atMs, ...entry } of observations(createdAtMs, timeline)) {
      const { namespace, name } = pod.metadata;
      const key = podKey(namespace, name);
      const uid = `${key}#${entry.incarnation}`;
      clock.setTimer(atMs, () =>
        tell(
          entry.deleted
            ? { type: 'podDeleted', key, uid }
            : { type: 'podObserved', pod: observation(key, uid, entry.status) },
        ),
      );
    }
  }
  clock.runUntil(given.horizonMs);
  const actual = {
    phase: phaseOf(run),
    finishedAtMs: run.finishedAt ?? null,
    hooks: hooks.map((hook) => asVector(run, hook)),
  };
  return isDeepStrictEqual(actual, normalized(expect)) ? undefined : { expected: normalized(expect), actual };
}

interface Entry {
  readonly atMs: number;
  readonly deleted: boolean;
  readonly incarnation: number;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly status: any;
}

/** What the run sees of a pod's timeline: the state at the first observation, then each change. */
// biome-ignore lint/suspicious/noExplicitAny: as above
function observations(createdAtMs: number, timeline: any[]): Entry[] {
  const first: Entry = {
    atMs: createdAtMs,
    deleted: false,
    incarnation: 0,
    status: { phase: 'Pending', containers: {} },
  };
  const entries = [first];
  let incarnation = 0;
  let wasDeleted = false;
  for (const { tMs, deleted, ...status } of timeline) {
    if (wasDeleted) incarnation += 1;
    wasDeleted = deleted === true;
    const entry = { atMs: Math.max(tMs, createdAtMs), deleted: wasDeleted, incarnation, status };
    if (tMs <= createdAtMs) entries[0] = entry;
    else entries.push(entry);
  }
  return entries;
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function observation(key: PodKey, uid: string, { phase, containers }: any): PodObservation {
  const states = Object.entries<{ state: string; ready: boolean }>(containers);
  return {
    key,
    uid,
    phase,
    containers: Object.fromEntries(
      states.map(([name, { state, ready }]) => [name, { running: state === 'running', ready }]),
    ),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function scriptedExec(clock: VirtualClock, scripts: any[]): HookExec {
  const left = [...scripts];
  return {
    start(request, { started, ended }) {
      const { namespace, pod, container, command } = request;
      const key = podKey(namespace, pod);
      const at = left.findIndex(
        (script) => script.pod === key && script.container === container && isDeepStrictEqual(script.command, command),
      );
      const [script] = at < 0 ? [{ durationMs: 0, exitCode: 0 }] : left.splice(at, 1);
      const told = script.status === undefined ? scriptedEnd(script) : scriptedAnswer(script, request);
      if (script.status === undefined || script.status === 101) started();
      return clock.setTimer(script.durationMs ?? 0, () => ended(told, {}));
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: as above
const scriptedEnd = ({ error, exitCode }: any): ExecOutcome =>
  error ? { kind: 'error', message: error } : { kind: 'exited', exitCode };

/**
 * What the API server answers to an exec request, by `status` and `body` (a text, or an object): 0 is no connection, 101
 * a stream that ends with that Status, or without one. `allowed`: the runner has the right although it is denied.
 */
// biome-ignore lint/suspicious/noExplicitAny: as above
function scriptedAnswer({ status, body, allowed }: any, request: ExecRequest): ExecOutcome {
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? '');
  if (status === 0) return { kind: 'notStarted', why: 'connection refused' };
  if (status === 101) {
    const lost = { kind: 'connectionLost', message: 'the connection was closed' } as const;
    return body === undefined ? lost : outcomeOfStatus(Buffer.from(text), 'v4', request.command);
  }
  const refusal = { status, body: text };
  if (isUpgradeRefused(refusal, { hasUpgraded: true, path: '' }))
    return { kind: 'noWebSocket', message: 'no WebSocket' };
  return status === 403 && allowed === true ? deniedByPolicy(refusal, request) : outcomeOfRefusal(refusal, request);
}

function asVector(run: RunState, hook: Hook) {
  const place = run.places.get(hook.id);
  const pod = run.pods[place?.pod ?? -1];
  if (place === undefined || pod === undefined) throw new Error(`${hook.id} is not in the run`);
  return {
    pod: podKey(hook.namespace, hook.pod),
    container: hook.container,
    hookName: hook.name,
    hookIndex: hook.index,
    command: hook.command,
    ...ending(stateOf(pod, place.at)),
  };
}

function ending(state: HookState) {
  if (state.phase === 'Running') return { outcome: 'Running', startMs: state.startedAt, endMs: null };
  if (state.phase !== 'Ended') return { outcome: 'Waiting', startMs: null, endMs: null };
  const { outcome, startedAt, endedAt } = state;
  return {
    outcome: outcome.state,
    ...(outcome.state === 'Succeeded' ? {} : { reason: outcome.reason }),
    ...(outcome.exitCode === undefined ? {} : { exitCode: outcome.exitCode }),
    startMs: startedAt ?? null,
    endMs: endedAt,
  };
}

/** The vectors leave out what is null. */
// biome-ignore lint/suspicious/noExplicitAny: as above
function normalized({ phase, finishedAtMs, hooks }: any) {
  return {
    phase,
    finishedAtMs,
    // biome-ignore lint/suspicious/noExplicitAny: as above
    hooks: hooks.map(({ startMs, endMs, ...hook }: any) => ({
      ...hook,
      startMs: startMs ?? null,
      endMs: endMs ?? null,
    })),
  };
}
