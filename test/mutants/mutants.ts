import { AROUND_THE_EXECUTOR } from './around-the-executor.ts';
import type { Mutant } from './mutant.ts';
import { mutantsOf } from './mutant.ts';
import { OF_WAVES } from './of-waves.ts';
import { TRIES } from './tries.ts';

const step = mutantsOf('shared/core/execute/step.ts');
const change = mutantsOf('shared/core/execute/change.ts');
const podFacts = mutantsOf('shared/core/execute/pod-facts.ts');
const state = mutantsOf('shared/core/execute/state.ts');
const ready = mutantsOf('shared/core/execute/ready-pods.ts');
const turns = mutantsOf('shared/core/execute/turns.ts');
const open = mutantsOf('shared/core/execute/open-hooks.ts');
const deadlines = mutantsOf('shared/core/execute/deadlines.ts');
const effects = mutantsOf('shared/core/execute/effects.ts');
const answers = mutantsOf('shared/core/execute/hook-outcome.ts');
const phases = mutantsOf('shared/core/execute/run-phase.ts');
const init = mutantsOf('shared/core/execute/init-hook.ts');
const quiet = mutantsOf('shared/core/execute/lost-commands.ts');
const resume = mutantsOf('shared/core/journal/resume.ts');
const replay = mutantsOf('shared/core/journal/replay.ts');
const batch = mutantsOf('shared/core/journal/batch.ts');
const entry = mutantsOf('shared/core/journal/entry.ts');
const initPlan = mutantsOf('shared/core/plan/plan-init-hooks.ts');
const plan = mutantsOf('shared/core/plan/plan-restore-hooks.ts');

export const MUTANTS: readonly Mutant[] = [
  ...OF_WAVES,
  /* ---- order, and what starts when ---- */
  turns(
    'R3.10',
    'two hooks of a pod run at once',
    `if (pod.open.active.size > 0 || now < (pod.quietUntil ?? now)) return undefined;
  let best: { at: HookPosition; since: Instant } | undefined;
  for (const at of pod.open.turns(pod.waves.openNumber)) {`,
    `if (now < (pod.quietUntil ?? now)) return undefined;
  let best: { at: HookPosition; since: Instant } | undefined;
  for (const at of pod.open.turns(pod.waves.openNumber)) {
    if (pod.open.active.has(at)) continue;`,
  ),
  turns('R3.9', 'containers begin in plan order, not in that of being up', ' || since < best.since)', ')'),
  turns(
    'R3.9',
    'containers begin by name',
    ' || since < best.since)',
    ' || hookAt(pod, at).container < hookAt(pod, best.at).container)',
  ),
  open('R3.8', 'another container begins before the first has ended', 'if (begun) return [first];', 'void begun;'),
  open(
    'R3.7',
    'what is run again begins behind a hook that had succeeded before',
    'stretch.begun ||= state.startedAt !== undefined || isLost(state.outcome);',
    '[stretch.begun, stretch.first] = [true, Math.max(stretch.first, at + 1)];',
  ),
  turns(
    'R3.14',
    'waitForReady holds for the first hook alone',
    'hook.waitForReady ?',
    'hook.waitForReady && at === 0 ?',
  ),
  podFacts(
    'R3.9',
    'a container that restarts has been up all along',
    'running: now?.running ? (before?.running ?? change.at) : undefined',
    'running: before?.running ?? (now?.running ? change.at : undefined)',
  ),
  podFacts(
    'R3.9',
    'each sight of a container is its first',
    'running: now?.running ? (before?.running ?? change.at)',
    'running: now?.running ? (change.at)',
  ),
  step(
    'R3.11',
    'one hook more than the limit runs',
    'run.active < run.maxConcurrent',
    'run.active <= run.maxConcurrent',
  ),
  change('R3.12', 'a slot is never given back', ' - Number(isActive(hook, previous))', ''),
  ready('R3.12', 'where slots lack, the order of arrival decides, not the plan', '(a, b) => a - b', '() => 0'),
  step(
    'R3.14',
    'a hook starts although its container went down while its intent was recorded',
    'const isUp = upSince(change.pod(index), at) !== undefined;',
    'const isUp = true;',
  ),
  step(
    'R3.18',
    'a hook that can never run ends at its turn, not at the first sight of its pod',
    "if (life.is === 'live' && hook.never !== undefined)",
    "if (life.is === 'live' && hook.never !== undefined && pod.states.slice(0, at).every((s) => s.phase === 'Ended'))",
  ),
  /* ---- timeouts ---- */
  step(
    'R3.16',
    'the wait timeout counts from the last try',
    "change.setHook(index, at, { phase: 'Waiting', tries, retryAt, why: outcome.why });",
    "change.setHook(index, at, { phase: 'Waiting', tries, retryAt, why: outcome.why }); change.set(index, { waitingSince: change.at });",
  ),
  podFacts(
    'R3.16',
    'the wait timeout counts from the last sight of the pod',
    'const waitingSince = pod.waitingSince ?? change.at;',
    'const waitingSince = change.at;',
  ),
  step(
    'R3.17',
    'the wait timeout is not looked at when a hook is launched',
    'if (!isLate(pod, at, now)) return undefined;',
    "if (state.phase === 'Recording' || !isLate(pod, at, now)) return undefined;",
  ),
  answers(
    'R3.17',
    'a refused hook is tried again after its wait timeout',
    'if (!late) return undefined;',
    'if (hook !== undefined) return undefined;',
  ),
  step(
    'R3.19',
    'the exec timeout counts from the first sight of the pod, not from the start',
    'runningSince(state, change.at)',
    'runningSince(state, change.pod(index).waitingSince ?? change.at)',
  ),
  deadlines(
    'R4.8',
    'nothing wakes the run for a second try',
    'next = earliest(next, state.retryAt);',
    'next = earliest(next, FOREVER);',
  ),
  effects(
    'R3.19',
    'the stream of a hook that timed out stays open',
    "(was.phase === 'Starting' || was.phase === 'Running')",
    "was.phase === 'Starting'",
  ),
  step(
    'R4.8',
    'a refused hook is tried again at once',
    'const retryAt = later(change.at, retryDelayMs(tries, outcome.retryAfterMs));',
    'const retryAt = change.at;',
  ),
  step('R4.8', 'Retry-After is ignored', 'retryDelayMs(tries, outcome.retryAfterMs)', 'retryDelayMs(tries)'),
  /* ---- onError: Fail, cancel ---- */
  step('R3.22', 'Fail stops its own pod alone', 'for (const { index } of run.pods) settlePod(change, index);', ''),
  change('R3.22', 'Fail stops nothing', 'run.stop ??= stoppedBy(hook);', ''),
  change(
    'R3.23',
    'a Fail hook that failed by not running stops nothing',
    'if (noteOutcome(run, hook, next.outcome) && isFail(hook))',
    "if (noteOutcome(run, hook, next.outcome) && isFail(hook) && next.outcome.state !== 'NotExecuted')",
  ),
  change(
    'R3.21',
    'Continue stops the run',
    'if (noteOutcome(run, hook, next.outcome) && isFail(hook))',
    'if (noteOutcome(run, hook, next.outcome))',
  ),
  state(
    'R5.3',
    'a Fail hook that was canceled has failed',
    "if (outcome.reason === 'aborted' || outcome.reason === 'canceled') {",
    "if (outcome.reason === 'aborted') {",
  ),
  step(
    'R6.18',
    'cancel stops nothing',
    "run.stop ??= { reason: 'canceled', message: 'canceled before it was started' };",
    '',
  ),
  step(
    'R6.19',
    'what runs after the grace of cancel is forgotten while it is being started',
    "else if (state.phase === 'Running' || state.phase === 'Starting' || isAskedFor)",
    "else if (state.phase === 'Running' || isAskedFor)",
  ),
  step(
    'R6.19',
    'what runs after the grace of cancel is said never to have run',
    "{ state: 'Unknown', reason: 'canceled', message: what }",
    "{ state: 'NotExecuted', reason: 'canceled', message: what }",
  ),
  phases(
    'R5.3',
    'cancel hides that a Fail hook failed',
    "if (run.failHookFailed) return 'PartiallyFailed';\n",
    "if (run.failHookFailed && !run.canceled) return 'PartiallyFailed';\n",
  ),
  /* ---- pods that go ---- */
  podFacts(
    'R3.25',
    'hooks run in whatever pod has the name',
    'const isAnother = pod.uid !== undefined && pod.uid !== observed.uid;',
    'const isAnother = false;',
  ),
  podFacts(
    'R3.25',
    "another pod's deletion is believed",
    "life.is !== 'gone' && (uid === undefined || uid === fact.uid)",
    "life.is !== 'gone'",
  ),
  step(
    'R3.24',
    'a pod that goes ends its running hook',
    "if (state.phase === 'Running') {\n    if (now",
    "if (pod.life.is === 'gone' && state.phase === 'Running') return { state: 'Unknown', reason: pod.life.why };\n  if (state.phase === 'Running') {\n    if (now",
  ),
  step(
    'R3.24',
    'a pod that is gone is waited for',
    "if (life.is === 'gone') return { state: 'NotExecuted', reason: life.why };",
    '',
  ),
  step(
    'R3.24',
    'a pod that has finished is waited for',
    "if (life.is === 'live' && hasFinished(life)) return { state: 'NotExecuted', reason: 'pod-finished' };",
    '',
  ),
  podFacts(
    'R3.26',
    'a planned pod that is not listed is waited for',
    "uid === undefined ? { waitingSince } : { life: goneFrom(life, 'pod-deleted') }",
    '{ waitingSince }',
  ),
  podFacts(
    'R3.26',
    'the wait for a pod that is not listed counts from the listing',
    'waitingSince = run.startedAt }',
    'waitingSince = change.at }',
  ),
  answers(
    'R3.28',
    'a success in a pod that was replaced meanwhile is believed',
    'if (replaced) return',
    'if (replaced && !replaced) return',
  ),
  ...TRIES,

  /* ---- how a hook ends ---- */
  answers(
    'R4.4',
    'a lost stream is Failed',
    "return { state: 'Unknown', reason: 'connection-lost', message: outcome.message };",
    "return { state: 'Failed', reason: 'error', message: outcome.message };",
  ),
  answers(
    'R4.4',
    'a lost stream is a success',
    "return { state: 'Unknown', reason: 'connection-lost', message: outcome.message };",
    "return { state: 'Succeeded', exitCode: 0 };",
  ),
  answers(
    'R4.3',
    'a lost stream is tried again',
    "return { state: 'Unknown', reason: 'connection-lost', message: outcome.message };",
    'return undefined;',
  ),
  step(
    'R4.5',
    'a hook starts beside a command whose connection was lost',
    "if (hook.kind !== 'exec' || !isLost(ended) || !runsOn) return;",
    'return;',
  ),
  quiet(
    'R6.4',
    'the next runner starts hooks beside a command whose connection was lost',
    " || reason === 'connection-lost'",
    '',
  ),
  answers('R4.6', 'any exit is a success', 'if (outcome.exitCode !== 0) return', 'if (outcome.exitCode < 0) return'),
  answers(
    'R4.2',
    'a success that a dead kubelet may have told of is a proven one',
    ', ...(outcome.unproven && { unproven: true })',
    '',
  ),
  answers('R4.4', 'a refusal after the start ends nothing', 'if (running) return', 'if (running && late) return'),
  step(
    'R4.12',
    'a run without the right to exec goes on',
    "if (outcome.kind === 'forbidden') failRun(change.run, { code: 'forbidden', message: outcome.message });",
    '',
  ),
  state(
    'R4.7',
    'a hook whose intent is being recorded is counted as running',
    "return state.phase === 'Waiting' || state.phase === 'Recording' ? 'waiting' : 'running';",
    "return state.phase === 'Waiting' ? 'waiting' : 'running';",
  ),
  state('R4.3', 'an Unknown is counted as a success', "Unknown: 'unknown',", "Unknown: 'succeeded',"),
  phases(
    'R5.3',
    'a run with failures is Completed',
    "run.counts.succeeded === run.counts.planned ? 'Completed'",
    "run.counts.succeeded > 0 ? 'Completed'",
  ),
  phases(
    'R5.3',
    'a run is done although a Fail hook was never executed',
    "if (run.failHookUnexecuted) return 'PartiallyFailed';",
    '',
  ),
  /* ---- init hooks ---- */
  init('R2.21', 'an init hook succeeds with any exit code', 'if (exitCode === 0) return', 'if (exitCode >= 0) return'),
  init(
    'R2.26',
    'an init hook that its pod runs on without the run is NotExecuted',
    "return ended({ state: 'Unknown', reason: stop.reason, message });",
    "return ended({ state: 'NotExecuted', reason: stop.reason, message });",
  ),
  init(
    'R2.27',
    'an init hook that had begun in a pod that went is NotExecuted',
    'return ended(hasBegun ? unseen(life.why) :',
    'return ended(hasBegun && now < 0 ? unseen(life.why) :',
  ),
  plan(
    'R2.9',
    'an init hook has its id by the name that its container was given in the pod',
    'const base = [hook.namespace, hook.pod, name, hook.name,',
    'const base = [hook.namespace, hook.pod, hook.container, hook.name,',
  ),
  initPlan(
    'R2.9',
    'an init hook that Velero has injected has another id',
    "hook: initHook(pod, planned, found, 'found'),\n      name: planned.container.name,",
    "hook: initHook(pod, planned, found, 'found'),\n      name: found,",
  ),
  initPlan(
    'R2.9',
    'an init hook has another id once it is in its pod',
    'return { hook, name: planned.container.name,',
    'return { hook, name: hook.container,',
  ),
  initPlan(
    'R2.2',
    'the made up name of an init container goes with the UID of its pod',
    'sha256Hex(`',
    'sha256Hex(metadata.uid + `',
  ),
  podFacts('R2.19', 'the UID of a pod that was created is not taken', '{ uid, former: ', '{ former: '),
  step(
    'R2.20',
    'a pod is created although the run was stopped',
    'return stop === undefined || life.owed === true;',
    'return true;',
  ),
  step(
    'R2.17',
    'a pod that an earlier runner deleted is not created anew once the run was stopped',
    'return stop === undefined || life.owed === true;',
    'return stop === undefined;',
  ),
  init(
    'R2.26',
    'what an earlier runner created is given up unseen',
    "(life.phase === 'planned' && wasTaken && !listed)",
    'false',
  ),
  podFacts(
    'R2.17',
    'a pod that is on its way out stands',
    'life.owed || (change.run.wasTaken && observed.isGoing === true)',
    'life.owed',
  ),
  podFacts(
    'R2.19',
    'what a watch tells late of the old pod is a replacement',
    'if (observed.uid === pod.former) return;',
    '',
  ),
  state(
    'R2.18',
    'the pod that an earlier runner created is a replacement',
    'return [...seen, ...planned, hooks[0]?.podUID]',
    'void seen;\n  return [...planned, hooks[0]?.podUID]',
  ),
  podFacts(
    'R2.19',
    'a pod without the init hook is taken for the created one',
    "if (life.is === 'creating' && !isInjected(pod, observed)) {",
    "if (life.is === 'creating' && !isInjected(pod, observed) && change.at < 0) {",
  ),
  /* ---- durable progress ---- */
  step(
    'R6.1',
    'a hook starts before its intent is durable',
    "change.setHook(index, at, { phase: 'Recording', tries, ...detachedIn(pod, hookAt(pod, at)) });",
    "change.setHook(index, at, { phase: 'Starting', tries, ...detachedIn(pod, hookAt(pod, at)) });",
  ),
  effects(
    'R6.1',
    'a timeout is not recorded',
    "effects.push({ type: 'recordResult', hook, result: is });",
    "if (is.outcome.state !== 'TimedOut') effects.push({ type: 'recordResult', hook, result: is });",
  ),
  effects(
    'R6.1',
    'the intent of a hook that was not started is not taken back',
    "effects.push({ type: 'recordNotStarted', hook });",
    '',
  ),
  effects(
    'R6.4',
    'the start of a command is not recorded',
    "effects.push({ type: 'recordStarted', hook, at: is.startedAt });",
    '',
  ),
  step('R6.16', 'a suspended run starts more', 'if (run.suspended) return;', ''),
  step(
    'R6.16',
    'a suspended run starts what it had chosen',
    "if (state.phase === 'Recording') change.setHook(pod.index, at, { phase: 'Waiting', tries: state.tries - 1 });",
    '',
  ),
  step(
    'R6.16',
    'suspending is canceling',
    'change.run.suspended = true;',
    "change.run.suspended = true;\n  change.run.stop ??= { reason: 'canceled', message: '' };",
  ),
  state(
    'R6.2',
    'the next runner runs ended hooks again',
    'const result = ended?.get(id) ?? resumed?.ended.get(id);',
    'const result = ended?.get(id);',
  ),
  resume(
    'R6.3',
    'a hook that was running when its runner died runs again under --on-unknown=fail',
    "record.phase === 'begun' && onUnknown === 'fail'",
    "record.phase === 'begun' && onUnknown !== 'fail'",
  ),
  resume(
    'R6.3',
    'a hook that was running when its runner died stays Unknown under --on-unknown=rerun',
    " && onUnknown === 'fail'",
    '',
  ),
  resume(
    'R6.3',
    'that a hook was lost is not written down',
    "entries.push({ kind: 'result', hook, outcome: RUNNER_DIED, ...known, endedAt: now });",
    '',
  ),
  resume(
    'R6.4',
    'the next runner does not know what may still be running',
    'lost.set(id, latest(record.startedAt ?? now, since ?? instant(0)));',
    '',
  ),
  state(
    'R6.4',
    'the next runner starts hooks beside a lost command',
    'quietUntil: quietUntil(key, own, options),',
    'quietUntil: undefined,',
  ),
  quiet(
    'R4.5',
    'a lost command without a limit is not waited for',
    'execTimeoutMs === null ? FOREVER :',
    'execTimeoutMs === null ? since :',
  ),
  change(
    'R4.6',
    'a hook that a dead runner may have started is NotExecuted',
    'const isLostNow = isUnexecuted && this.run.lost.has',
    'const isLostNow = isUnexecuted && !this.run.lost.has(hookAt(this.pod(index), at).id) && this.run.lost.has',
  ),
  replay('R6.4', "a journal's word that a hook was lost is ignored", 'this.lost.set(hook, entry.since);', ''),
  resume(
    'R6.4',
    'what a journal calls lost is not handed on to the next runner',
    'if (since !== undefined) lost.set(id, since);',
    '',
  ),
  replay(
    'R6.4',
    'a hook that a second runner begins was not lost by the first',
    'this.lost.set(hook, before.startedAt ?? entry.at);',
    '',
  ),
  replay(
    'R6.4',
    'a lost command is dated by its intent, not by the latest time at which it can have started',
    'before.startedAt ?? entry.at',
    'before.startedAt ?? before.at',
  ),
  resume(
    'R6.4',
    'a lost command is dated by its intent where it is run again',
    'record.startedAt ?? now, since',
    'record.startedAt ?? record.at, since',
  ),
  resume(
    'R6.4',
    'of two lost commands of a hook the first is waited for',
    'latest(record.startedAt ?? now, since ?? instant(0))',
    'record.startedAt ?? now',
  ),
  quiet(
    'R6.4',
    'a lost command whose start nobody saw began when time did',
    '(state.startedAt ?? state.endedAt)',
    '(state.startedAt ?? 0)',
  ),
  state(
    'R6.6',
    'the next runner goes on after a Fail',
    'if (hasFailed && isFail(hook) && options.resumed?.ended.has(hook.id)) run.stop ??= stoppedBy(hook);',
    'void hasFailed;',
  ),
  state(
    'R6.25',
    'a Fail hook that an earlier run left failed stops the retry of others',
    ' && options.resumed?.ended.has(hook.id)) run.stop',
    ') run.stop',
  ),
  state(
    'R6.5',
    "the next runner's wait timeouts begin anew",
    'waitingSince: options.resumed?.waitingSince.get(index),',
    'waitingSince: undefined,',
  ),
  replay(
    'R6.8',
    'a journal may say that an ended hook goes on',
    "if (before?.phase === 'ended') throw",
    "if (before?.phase === 'ended' && hook < 0) throw",
  ),
  replay(
    'R6.8',
    'a journal may say that one runner began a hook twice',
    "before?.phase === 'begun' && this.#begunUnder.get(hook) === this.claims",
    "before?.phase === 'begun' && this.#begunUnder.get(hook) !== this.claims",
  ),
  replay(
    'R6.13',
    'a journal may go on after another run took over',
    "if (this.closedBy !== undefined) throw unreadableJournal('it has entries after the one that closed it');",
    '',
  ),
  replay(
    'R6.1',
    'a hook that was taken back is still begun',
    "this.hooks.set(hook, { phase: 'not-started', tries: before.tries, ...(before.last && { last: before.last }) });",
    '',
  ),
  batch(
    'R6.8',
    'a journal that was cut or reordered is read',
    'if (batch.n !== batches || batch.p !== end.digest)',
    'if (batch.n < 0)',
  ),
  batch(
    'R6.8',
    'a journal put together of two is read',
    'batch.n !== batches || batch.p !== end.digest',
    'batch.n !== batches',
  ),
  batch(
    'R6.8',
    "another run's journal is read",
    'run !== expected.runID || plan !== expected.planDigest || hooks !== expected.hooks',
    'plan !== expected.planDigest || hooks !== expected.hooks',
  ),
  batch(
    'R6.8',
    "another plan's journal is read",
    'run !== expected.runID || plan !== expected.planDigest || hooks !== expected.hooks',
    'run !== expected.runID || hooks !== expected.hooks',
  ),
  batch('R6.8', 'the parts of a journal may be exchanged', 'if (found !== part) throw', 'if (found < 0) throw'),
  entry(
    'R6.2',
    'a result is read with another end than was written',
    'endedAt: later(base, endedAt),',
    'endedAt: base,',
  ),
  entry(
    'R4.2',
    'an unproven success is written as a proven one',
    "outcome.unproven ? 'S?' :",
    "outcome.unproven ? 'S' :",
  ),
  ...AROUND_THE_EXECUTOR,
];
