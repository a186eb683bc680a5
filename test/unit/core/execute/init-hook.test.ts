import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fact } from '../../../../shared/core/execute/protocol.ts';
import type { Resumed } from '../../../../shared/core/execute/run-start.ts';
import { createRun } from '../../../../shared/core/execute/state.ts';
import { step } from '../../../../shared/core/execute/step.ts';
import type {
  ExecHook,
  Hook,
  HookId,
  InitContainerObservation,
  InitHook,
  Injection,
  PodObservation,
} from '../../../../shared/core/model/hook.ts';
import { podKey } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';

const KEY = podKey('shop', 'web-0');
const base = {
  namespace: 'shop',
  pod: 'web-0',
  source: 'spec',
  origin: 'velero',
  name: 'h',
  waitTimeoutMs: null,
  waitTimeoutFrom: 'default',
} as const;
const init = (injection: Injection, more: Partial<InitHook> = {}): InitHook => ({
  ...base,
  id: 'shop/web-0/load/h/0' as HookId,
  kind: 'init',
  container: 'load',
  index: 0,
  image: 'i',
  injection,
  ...(injection === 'create' ? {} : { podUID: 'old' }),
  ...more,
});
const exec = (more: Partial<ExecHook> = {}): ExecHook => ({
  ...base,
  id: 'shop/web-0/app/h/1' as HookId,
  kind: 'exec',
  container: 'app',
  index: 1,
  command: ['c'],
  onError: 'Continue',
  execTimeoutMs: 30_000,
  execTimeoutFrom: 'default',
  waitForReady: false,
  ...more,
});

const waiting: InitContainerObservation = { phase: 'waiting', isOver: false, isSidecar: false, restarts: 0 };
const running: InitContainerObservation = { ...waiting, phase: 'running', startedAt: instant(5) };
const ended = (exitCode: number): InitContainerObservation => ({
  ...waiting,
  phase: 'terminated',
  isOver: true,
  exitCode,
  startedAt: instant(5),
  finishedAt: instant(7),
});

const seen = (uid: string, load?: InitContainerObservation, up = false, phase = 'Pending', isGoing = false): Fact => ({
  type: 'podObserved',
  pod: {
    key: KEY,
    uid,
    phase: phase as PodObservation['phase'],
    ...(isGoing && { isGoing }),
    containers: { app: { running: up, ready: up } },
    initContainers: load === undefined ? {} : { load },
  },
});
const listed: Fact = { type: 'podsListed' };

const started = (...hooks: Hook[]) => resumed(undefined, ...hooks);

function resumed(ended: Resumed['ended'] | undefined, ...hooks: Hook[]) {
  const earlier = {
    ended: ended ?? new Map(),
    tries: new Map(),
    lost: new Map(),
    waitingSince: new Map(),
    wasTaken: true,
  };
  const run = createRun(hooks, { startedAt: instant(0), maxConcurrent: 1, resumed: ended && earlier });
  let now = 0;
  const at = (ms: number, ...facts: Fact[]): string[] => {
    now = ms;
    const { effects } = step(run, facts, instant(now));
    return effects.map(({ type }) => type).filter((type) => !/Timer|recordResult/.test(type));
  };
  return {
    run,
    /** The effects of these facts, except timers and results. */
    at,
    tell: (...facts: Fact[]): string[] => at(now + 1, ...facts),
    states: () =>
      run.pods[0]?.states.map((state) =>
        state.phase === 'Ended'
          ? [state.outcome.state, state.outcome.state === 'Succeeded' ? '' : state.outcome.reason].join(' ').trim()
          : state.phase,
      ),
  };
}
const logRead: Fact = { type: 'logRead', hook: 'shop/web-0/load/h/0' as HookId };

// R2.21
test('a container is watched to its end, its log read before that is said', () => {
  const { tell, states, run } = started(init('found'));
  tell(seen('old', waiting), listed);
  assert.deepEqual(states(), ['Waiting']);
  tell(seen('old', running));
  assert.deepEqual(states(), ['Running']);
  tell(seen('old', { ...waiting, restarts: 1, exitCode: 1, reason: 'CrashLoopBackOff' }));
  assert.deepEqual(states(), ['Waiting']);
  assert.deepEqual(tell(seen('old', ended(0))), ['readLog']);
  assert.equal(run.finishedAt, undefined);
  tell(logRead);
  assert.deepEqual(states(), ['Succeeded']);
  const state = run.pods[0]?.states[0];
  assert.ok(state?.phase === 'Ended');
  assert.deepEqual([state.startedAt, state.endedAt, state.podUID], [5, 7, 'old']);
  assert.notEqual(run.finishedAt, undefined);
});

// R2.27
test('what was not seen to end is Unknown once it had begun, and NotExecuted before', () => {
  const gone: Fact = { type: 'podDeleted', key: KEY, uid: 'old' };
  const cases: [InitContainerObservation, Fact, string][] = [
    [waiting, gone, 'NotExecuted pod-deleted'],
    [running, gone, 'Unknown pod-deleted'],
    [{ ...waiting, restarts: 2 }, gone, 'Unknown pod-deleted'],
    [waiting, seen('another', running), 'NotExecuted pod-replaced'],
    [running, seen('another', running), 'Unknown pod-replaced'],
    [waiting, seen('old', waiting, false, 'Failed'), 'NotExecuted pod-finished'],
    [running, seen('old', waiting, false, 'Failed'), 'Unknown pod-finished'],
    [waiting, { type: 'cancelRequested' }, 'Unknown canceled'],
    [running, { type: 'dropRequested' }, 'Unknown canceled'],
  ];
  for (const [before, fact, expected] of cases) {
    const { tell, states } = started(init('found'));
    tell(seen('old', before), listed);
    tell(fact);
    assert.deepEqual(states(), [expected], `${JSON.stringify(before)} ${fact.type}`);
  }
});

// R2.26
test('a run that stops watches what runs to its end', () => {
  const { tell, states, run } = started(init('found'));
  tell(seen('old', running), listed);
  tell({ type: 'cancelRequested' });
  assert.deepEqual([states(), run.finishedAt], [['Running'], undefined]);
  tell(seen('old', ended(1)));
  tell(logRead);
  assert.deepEqual(states(), ['Failed exit']);
});

// R2.24
test('the timeout counts from the first look at the pod until the container has ended', () => {
  for (const [load, expected] of [
    [waiting, 'TimedOut waiting'],
    [running, 'TimedOut executing'],
  ] as const) {
    const { at, states } = started(init('found', { waitTimeoutMs: 100 }));
    at(10, seen('old', load), listed);
    at(109, { type: 'timerFired', key: KEY });
    assert.notEqual(states()?.[0], expected);
    at(110, { type: 'timerFired', key: KEY });
    at(111, logRead);
    assert.deepEqual(states(), [expected]);
  }
});

// R2.19
test('a pod is created when it is not in the first listing, and its exec hooks wait for the new one', () => {
  const { tell, states, run } = started(init('create'), exec());
  assert.deepEqual(tell(listed), ['createPod']);
  assert.equal(run.active, 1);
  tell(seen('new', waiting));
  assert.deepEqual(states(), ['Waiting', 'Waiting']);
  tell({ type: 'podCreated', key: KEY, uid: 'new' });
  assert.equal(run.active, 0);
  tell(seen('new', ended(0)), logRead);
  tell(logRead);
  assert.deepEqual(tell(seen('new', ended(0), true)), ['recordIntent']);
  assert.deepEqual(states(), ['Succeeded', 'Recording']);
});

test('a pod that somebody else has created is watched if it has the containers, and else told', () => {
  const found = started(init('create'));
  assert.deepEqual(found.tell(seen('theirs', running), listed), []);
  assert.deepEqual(found.states(), ['Running']);
  const lacking = started(init('create'));
  lacking.tell(seen('theirs'), listed);
  assert.deepEqual(lacking.states(), ['NotExecuted not-injected']);
});

test('a pod to be created anew is asked for once, and what happens to the old one is no matter', () => {
  const { tell, states } = started(init('recreate'), exec({ podUID: 'old' }));
  assert.deepEqual(tell(seen('old', undefined, true), listed), ['createPod']);
  assert.deepEqual(tell({ type: 'podDeleted', key: KEY, uid: 'old' }), []);
  assert.deepEqual(tell(seen('new', running)), []);
  assert.deepEqual(tell({ type: 'podCreated', key: KEY, uid: 'new' }), []);
  assert.deepEqual(states(), ['Running', 'Waiting']);
});

test('a watch that is behind the creation of a pod still tells of the old one, and that is no matter', () => {
  const { tell, states } = started(init('recreate'), exec({ podUID: 'old' }));
  assert.deepEqual(tell(seen('old', undefined, true), listed), ['createPod']);
  tell({ type: 'podCreated', key: KEY, uid: 'new' });
  tell(seen('old'));
  tell({ type: 'podDeleted', key: KEY, uid: 'old' });
  assert.deepEqual(states(), ['Waiting', 'Waiting']);
  tell(seen('new', running));
  assert.deepEqual(states(), ['Running', 'Waiting']);
  tell(seen('theirs', running));
  assert.deepEqual(states(), ['Unknown pod-replaced', 'NotExecuted pod-replaced']);
});

test('a runner that takes over creates what its predecessor has deleted, and watches what it has created', () => {
  const deleted = started(init('recreate'));
  assert.deepEqual(deleted.tell(listed), ['createPod']);
  const created = started(init('recreate'));
  assert.deepEqual(created.tell(seen('new', running), listed), []);
  assert.deepEqual(created.states(), ['Running']);
  const another = started(init('recreate'));
  assert.deepEqual(another.tell(seen('theirs'), listed), []);
  assert.deepEqual(another.states(), ['NotExecuted pod-replaced']);
});

test('a runner that takes over goes on in the pod that its predecessor has created, and in no other', () => {
  const hooks = [init('recreate'), exec({ podUID: 'old' })];
  const loaded = { phase: 'Ended', outcome: { state: 'Succeeded' }, endedAt: instant(7), podUID: 'new' } as const;
  const goneOn = () => resumed(new Map([[init('recreate').id, loaded]]), ...hooks);
  const next = goneOn();
  assert.deepEqual(next.tell(seen('new', ended(0), true), listed), ['recordIntent']);
  assert.deepEqual(next.states(), ['Succeeded', 'Recording']);
  const another = goneOn();
  another.tell(seen('theirs', ended(0), true), listed);
  assert.deepEqual(another.states(), ['Succeeded', 'NotExecuted pod-replaced']);
  const gone = goneOn();
  gone.tell(listed);
  assert.deepEqual(gone.states(), ['Succeeded', 'NotExecuted pod-deleted']);
});

test('a runner that takes over a run which stops tells of pods that its predecessor may have created', () => {
  const stopped = () => {
    const next = resumed(new Map(), init('recreate'), exec({ podUID: 'old' }));
    next.tell({ type: 'cancelRequested' });
    assert.deepEqual(next.states(), ['Waiting', 'NotExecuted canceled'], 'what is there is not known yet');
    return next;
  };
  const created = stopped();
  created.tell(seen('new', ended(0)), listed);
  created.tell(logRead);
  assert.deepEqual(created.states(), ['Succeeded', 'NotExecuted canceled']);
  const standing = stopped();
  assert.deepEqual(standing.tell(seen('old', undefined, true), listed), []);
  assert.deepEqual(standing.states(), ['NotExecuted canceled', 'NotExecuted canceled']);
  const unlisted = stopped();
  unlisted.tell({ type: 'runFailed', failure: { code: 'forbidden', message: 'no' } });
  assert.deepEqual(unlisted.states(), ['Unknown canceled', 'NotExecuted canceled']);
  const dropped = stopped();
  dropped.tell({ type: 'dropRequested' });
  assert.deepEqual(dropped.states(), ['Unknown canceled', 'NotExecuted canceled']);
});

test('a pod that a predecessor has deleted is created although the run stops', () => {
  const hooks = [init('recreate'), exec({ podUID: 'old' })];
  const missing = resumed(new Map(), ...hooks);
  missing.tell({ type: 'cancelRequested' });
  assert.deepEqual(missing.tell(listed), ['createPod']);
  const going = resumed(new Map(), ...hooks);
  going.tell({ type: 'cancelRequested' });
  assert.deepEqual(going.tell(seen('old', undefined, true, 'Running', true), listed), ['createPod']);
  for (const { tell, states } of [missing, going]) {
    tell({ type: 'podCreated', key: KEY, uid: 'new' });
    tell(seen('new', waiting));
    assert.deepEqual(states(), ['Unknown canceled', 'NotExecuted canceled']);
  }
});

test('a pod that could not be created ends its hooks, unless the old one stands', () => {
  const failed = (left: 'as-before' | 'another' | 'missing'): Fact => ({
    type: 'podNotCreated',
    key: KEY,
    message: 'quota',
    left,
  });
  for (const [left, expected] of [
    ['another', 'NotExecuted pod-replaced'],
    ['missing', 'NotExecuted pod-deleted'],
  ] as const) {
    const { tell, states, run } = started(init('recreate'), exec({ podUID: 'old' }));
    tell(seen('old', undefined, true), listed);
    tell(failed(left));
    assert.deepEqual(states(), ['NotExecuted not-injected', expected]);
    assert.notEqual(run.finishedAt, undefined);
  }
  const { tell, states } = started(init('recreate'), exec({ podUID: 'old' }));
  tell(seen('old', undefined, true), listed);
  assert.deepEqual(tell(failed('as-before')), ['recordIntent']);
  assert.deepEqual(states(), ['NotExecuted not-injected', 'Recording']);
});

test('what was asked for is waited for when the run stops, what was not is not created', () => {
  const asked = started(init('create'));
  asked.tell(listed);
  asked.tell({ type: 'cancelRequested' });
  assert.deepEqual(asked.states(), ['Waiting']);
  asked.tell({ type: 'podCreated', key: KEY, uid: 'new' });
  asked.tell(seen('new', waiting));
  assert.deepEqual(asked.states(), ['Unknown canceled']);
  const unasked = started(init('create'));
  assert.deepEqual(unasked.tell({ type: 'cancelRequested' }, listed), []);
  assert.deepEqual(unasked.states(), ['NotExecuted canceled']);
});

// R2.20
test('creating takes a slot, as a hook does; watching takes none', () => {
  const other = podKey('shop', 'web-1');
  const second = { ...init('create'), id: 'shop/web-1/load/h/0' as HookId, pod: 'web-1' };
  const { tell, run } = started(init('create'), second);
  assert.deepEqual(tell(listed), ['createPod']);
  assert.deepEqual(tell({ type: 'podCreated', key: KEY, uid: 'new' }), ['createPod']);
  const { life } = run.pods.find(({ key }) => key === other) ?? assert.fail();
  assert.equal(life.is === 'creating' && life.phase, 'asked');
});
