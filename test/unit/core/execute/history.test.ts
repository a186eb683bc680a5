import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { historyHead, recordedEffects, recordedFacts } from '../../../../shared/core/execute/history.ts';
import type { EndedHook } from '../../../../shared/core/execute/hook-state.ts';
import type { Effect, Fact } from '../../../../shared/core/execute/protocol.ts';
import type {
  ExecOutcome,
  Hook,
  HookResult,
  InitContainerObservation,
  PodKey,
} from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import { execHook, initHook } from '../../runtime/hooks.ts';

/** Put in every field whose text people or a server may have written; it must not be in the history. */
const TEXT = 'a text of somebody';
const exec = execHook('p', { command: [TEXT, TEXT], name: TEXT });
const init: Hook = { ...initHook('p'), command: [TEXT], image: TEXT, containerDigest: TEXT, name: TEXT };
const hook = exec.id;
const key = 'ns/p' as PodKey;

/** One of each kind, with all its fields. A new kind must be added here, or this doesn't compile. */
type OfEach<Union, Tag extends keyof Union> = { readonly [Name in Union[Tag] & string]: Of<Union, Tag, Name> };
type Of<Union, Tag extends keyof Union, Name> = Union extends unknown
  ? Name extends Union[Tag]
    ? Required<Union>
    : never
  : never;

const ANSWERS: OfEach<ExecOutcome, 'kind'> = {
  exited: { kind: 'exited', exitCode: 0, unproven: true, wasEnded: true },
  error: { kind: 'error', message: TEXT },
  notStarted: { kind: 'notStarted', why: TEXT, retryAfterMs: 1 },
  podDeleted: { kind: 'podDeleted' },
  podReplaced: { kind: 'podReplaced' },
  podChanged: { kind: 'podChanged' },
  noSuchContainer: { kind: 'noSuchContainer' },
  containerRestarted: { kind: 'containerRestarted' },
  podGone: { kind: 'podGone' },
  forbidden: { kind: 'forbidden', message: TEXT },
  noWebSocket: { kind: 'noWebSocket', message: TEXT },
  connectionLost: { kind: 'connectionLost', message: TEXT, isOver: true },
};

const initContainer: Required<InitContainerObservation> = {
  phase: 'terminated',
  isOver: true,
  isSidecar: false,
  startedAt: instant(1),
  finishedAt: instant(2),
  exitCode: 3,
  reason: TEXT,
  restarts: 0,
};

const FACTS: OfEach<Fact, 'type'> = {
  podObserved: {
    type: 'podObserved',
    pod: {
      key,
      uid: 'u',
      phase: 'Running',
      isGoing: true,
      containers: { main: { running: false, ready: false, reason: TEXT } },
      initContainers: { load: initContainer },
    },
  },
  podDeleted: { type: 'podDeleted', key, uid: 'u' },
  podsListed: { type: 'podsListed' },
  intentRecorded: { type: 'intentRecorded', hook },
  execStarted: { type: 'execStarted', hook },
  commandEnded: { type: 'commandEnded', hook },
  execEnded: { type: 'execEnded', hook, outcome: ANSWERS.error },
  logRead: { type: 'logRead', hook },
  podCreated: { type: 'podCreated', key, uid: 'u' },
  podNotCreated: { type: 'podNotCreated', key, message: TEXT, left: 'missing' },
  timerFired: { type: 'timerFired', key },
  cancelRequested: { type: 'cancelRequested' },
  suspendRequested: { type: 'suspendRequested' },
  dropRequested: { type: 'dropRequested' },
  shardsTold: {
    type: 'shardsTold',
    elsewhere: { openWave: 1, waveEnds: [[0, instant(1)]], stop: TEXT, failure: { code: 'error', message: TEXT } },
  },
  runFailed: { type: 'runFailed', failure: { code: 'error', message: TEXT } },
};

/** All fields that a result of this state can have. */
type Filled<T> = Required<{ [Name in keyof T as [T[Name]] extends [undefined] ? never : Name]: T[Name] }>;
const OUTCOMES: { readonly [State in HookResult['state']]: Filled<Extract<HookResult, { readonly state: State }>> } = {
  Succeeded: { state: 'Succeeded', exitCode: 0, unproven: true },
  Failed: { state: 'Failed', reason: 'exit', exitCode: 1, message: TEXT },
  TimedOut: { state: 'TimedOut', reason: 'executing', exitCode: 1, message: TEXT },
  NotExecuted: { state: 'NotExecuted', reason: 'aborted', message: TEXT },
  Unknown: { state: 'Unknown', reason: 'canceled', message: TEXT },
};
const resultOf = (outcome: HookResult): Required<Omit<EndedHook, 'last'>> => ({
  phase: 'Ended',
  outcome,
  startedAt: instant(1),
  endedAt: instant(2),
  commandEndedAt: instant(1),
  podUID: 'u',
  starts: 1,
});

const EFFECTS: OfEach<Effect, 'type'> = {
  recordIntent: { type: 'recordIntent', hook, attempt: 1, containerID: 'c' },
  recordNotStarted: { type: 'recordNotStarted', hook },
  recordStarted: { type: 'recordStarted', hook, at: instant(1) },
  recordTried: { type: 'recordTried', hook, result: resultOf(OUTCOMES.Failed) },
  recordResult: { type: 'recordResult', hook, result: resultOf(OUTCOMES.Failed) },
  startExec: { type: 'startExec', hook },
  dropExec: { type: 'dropExec', hook },
  endExec: { type: 'endExec', hook },
  forgetExec: { type: 'forgetExec', hook },
  readLog: { type: 'readLog', hook },
  createPod: { type: 'createPod', key },
  setTimer: { type: 'setTimer', key, at: instant(1) },
  clearTimer: { type: 'clearTimer', key },
};

const checkTextless = (lines: Iterable<object>, of: string): void => {
  for (const line of lines) assert.ok(!JSON.stringify(line).includes(TEXT), `${of}: ${JSON.stringify(line)}`);
};

describe('a history holds no text that is for people', () => {
  it('of a hook that is planned, nor of its results from before', () => {
    for (const [state, outcome] of Object.entries(OUTCOMES)) {
      const ended = new Map([[hook, resultOf(outcome)]]);
      const resumed = { ended, tries: new Map(), lost: new Map(), waitingSince: new Map(), wasTaken: true };
      const run = { runID: 'r', planDigest: 'sha256:1' };
      const options = { startedAt: instant(0), maxConcurrent: 1, ended, resumed };
      checkTextless(historyHead(run, [exec, init], options), state);
    }
  });

  it('of anything that has happened', () => {
    for (const fact of Object.values(FACTS)) checkTextless(recordedFacts(1, instant(0), [fact]), fact.type);
    for (const outcome of Object.values(ANSWERS)) {
      checkTextless(recordedFacts(1, instant(0), [{ type: 'execEnded', hook, outcome }]), outcome.kind);
    }
  });

  it('of anything that was made of it', () => {
    for (const effect of Object.values(EFFECTS)) checkTextless(recordedEffects([effect]), effect.type);
    for (const outcome of Object.values(OUTCOMES)) {
      checkTextless(recordedEffects([{ type: 'recordResult', hook, result: resultOf(outcome) }]), outcome.state);
    }
  });

  it('and all else that was told of', () => {
    const lines = [...recordedFacts(7, instant(5), Object.values(FACTS)), ...recordedEffects(Object.values(EFFECTS))];
    const types = lines.flatMap((line) =>
      'fact' in line ? [line.fact.type] : 'effect' in line ? [line.effect.type] : [],
    );
    assert.deepEqual(types, [...Object.keys(FACTS), ...Object.keys(EFFECTS)]);
    assert.deepEqual(lines[0], { step: 7, at: 5, facts: types.length - Object.keys(EFFECTS).length });
  });
});
