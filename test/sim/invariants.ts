import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { HookState } from '../../shared/core/execute/hook-state.ts';
import type { RunPhase } from '../../shared/core/execute/run-phase.ts';
import type { RunState } from '../../shared/core/execute/state.ts';
import type { ExecHook, ExecOutcome, HookId, PodKey } from '../../shared/core/model/hook.ts';
import type { PodEvent } from '../../shared/ports/ports.ts';
import type { Requests, ToldPod } from './told.ts';
import { countedAs, isAhead, keyOf, numberOf, takesSlot } from './what-stands.ts';
import type { Witness, World } from './world.ts';

/**
 * What always holds of a run, whatever happens, each with the rule of docs/contract.md that it checks. It is judged from
 * what the world was asked for and has told, kept here a second time and in other words than the core's.
 *
 * While the run goes on:
 * - E1  A command is asked for only after its intent is recorded, each time anew (R6.1).
 * - E2  Two hooks of one pod never overlap (R3.10), also if the connection to one was lost before its time was over (R4.5).
 * - E3  Hooks of one container run in plan order (R3.7), and within a wave all end before another container of the pod
 *       begins (R3.8, R3.42).
 * - E4  A start is recorded, and a result once; an ended hook never changes; a kept one is never run (R6.2).
 * - E5  At most `maxConcurrent` hooks are active (R3.11).
 * - E6  No stream outlives its hook, and no answer of an ended hook is asked for (R3.19).
 * - E7  Once the run is stopped (a `Fail` hook did not succeed by itself, cancel, the run failed) nothing starts and nothing
 *       waits any more (R3.22, R6.18); once running hooks are dropped nothing runs (R6.19).
 * - E8  A hook never starts at or after its wait deadline, and none waits beyond it (R3.17).
 * - E9  A command runs no longer than its exec timeout, and is not given up before (R3.19).
 * - E10 A hook starts only in the planned pod (R3.25), there, not finished (R3.24), its container up as far as was told
 *       (R3.14); none that can never run, and nothing beside one that has yet to be ended for that (R3.18).
 * - E11 The container that has been up longest begins, ties by plan order (R3.9); a refused one waits out its delay (R4.8).
 * - E12 While a slot is free, nothing that could start waits; where slots lack, plan order decides (R3.12).
 * - E13 Counts are what a recount gives, their sum is what was planned (R4.7), and the run has ended when all hooks have
 *       (R6.15).
 * - E14 Once the run has ended nothing of it changes (R5.12).
 * - E18 No hook starts before every hook of every lower wave has ended (R3.41). Its wait begins when that is so (R3.44).
 * - E19 What certainly failed is started again while it has attempts left, after its pause, and what its last start came to
 *       is recorded before (R3.51, R3.54); nothing else is (R3.52).
 * At rest, when nothing more can happen:
 * - E15 Every hook has ended, or may rightly wait for ever (R6.15).
 * - E16 Each outcome is what the answer to its request, or its pod, makes of it (R4.1).
 * - E17 The phase is the first that applies (R5.3), and the first failures are failures (R5.8).
 */
export class Invariants implements Witness {
  readonly #world: World;
  readonly #run: RunState;
  /** What the executor takes for the run's phase. */
  readonly #phase: () => RunPhase;
  readonly #kept: ReadonlySet<HookId>;
  readonly #hooks: ReadonlyMap<HookId, ExecHook>;
  readonly #pods: ReadonlyMap<PodKey, ToldPod>;
  readonly #requests: ReadonlyMap<HookId, Requests>;
  readonly #ended = new Map<HookId, HookState>();
  /** When each wave was first found open. */
  readonly #openSince = new Map<number, number>();
  #admitted: HookId[] = [];
  #stopAsked = false;
  #cancelAsked = false;
  #failTold = false;
  #dropAsked = false;
  #atEnd: unknown;

  constructor(
    world: World,
    run: RunState,
    phase: () => RunPhase,
    kept: ReadonlyMap<HookId, HookState & { phase: 'Ended' }>,
  ) {
    this.#world = world;
    this.#run = run;
    this.#phase = phase;
    this.#kept = new Set(kept.keys());
    this.#hooks = new Map(world.hooks.map((hook) => [hook.id, hook]));
    this.#pods = new Map(
      [...Map.groupBy(world.hooks, keyOf)].map(([key, hooks], index) => [
        key,
        { index, hooks, uid: hooks[0]?.podUID, upSince: new Map(), replaced: false, quietUntil: 0 },
      ]),
    );
    this.#requests = new Map(
      world.hooks.map(({ id }) => [
        id,
        {
          durable: false,
          asked: 0,
          open: false,
          begun: kept.get(id)?.startedAt !== undefined,
          startedAt: undefined,
          startRecorded: false,
          answer: undefined,
          answeredAt: 0,
          retryAt: 0,
          results: 0,
          dropped: false,
          replaced: false,
          tried: [],
          triedTold: 0,
        },
      ]),
    );
    this.#noteOpen(Number.NEGATIVE_INFINITY);
  }

  /** Waves are open when no hook is left of those below them; `at`: when that is found. */
  #noteOpen(at: number): void {
    const left = this.#world.hooks.filter(({ id }) => !this.#hasEnded(id)).map(numberOf);
    const open = Math.min(...left);
    for (const hook of this.#hooks.values()) {
      const number = numberOf(hook);
      if (number <= open && !this.#openSince.has(number)) this.#openSince.set(number, at);
    }
  }

  #isOpen(hook: ExecHook): boolean {
    this.#noteOpen(this.#now);
    return this.#openSince.has(numberOf(hook));
  }

  stopRequested(what: 'cancel' | 'failure'): void {
    if (this.#run.finishedAt !== undefined) return;
    this.#stopAsked = true;
    if (what === 'cancel') this.#cancelAsked = true;
    else this.#failTold = true;
  }

  dropRequested(): void {
    this.#dropAsked = true;
  }

  /* ---- what the world tells ---- */

  told(event: PodEvent): void {
    if (event.type === 'podsListed') {
      for (const pod of this.#pods.values()) {
        if (pod.phase !== undefined || pod.gone) continue;
        pod.listedAt = this.#now;
        if (pod.uid === undefined) pod.waitingSince = 0;
        else pod.gone = 'pod-deleted';
      }
    } else if (event.type === 'podDeleted') {
      const pod = this.#pods.get(event.key);
      if (pod !== undefined && pod.uid === event.uid) pod.gone ??= 'pod-deleted';
    } else if (event.type === 'podObserved') {
      const pod = this.#pods.get(event.pod.key);
      if (pod === undefined) return;
      const isAnother = pod.uid !== undefined && pod.uid !== event.pod.uid;
      if (isAnother) {
        pod.gone ??= 'pod-replaced';
        pod.replaced = true;
      }
      if (pod.gone !== undefined) return;
      const now = this.#now;
      pod.uid = event.pod.uid;
      pod.phase = event.pod.phase;
      pod.waitingSince ??= now;
      for (const [name, { running, ready }] of Object.entries(event.pod.containers)) {
        const since = pod.upSince.get(name);
        pod.upSince.set(name, {
          running: running ? (since?.running ?? now) : undefined,
          ready: ready ? (since?.ready ?? now) : undefined,
        });
      }
    }
  }

  intended(id: HookId): void {
    const hook = this.#hook(id);
    const request = this.#request(id);
    check('E4', !this.#kept.has(id), () => `${id} is kept, and started`);
    check('E7', !this.#isStopped(), () => `${id} is to be started though the run is stopped`);
    check('E11', this.#now >= request.retryAt, () => `${id} is tried again before ${request.retryAt}`);
    check(
      'E19',
      request.triedTold === request.tried.length,
      () => `${id} is tried again, and its last end is not told`,
    );
    const candidates = this.#candidates(this.#pod(hook), 0, id);
    const longest = Math.min(...candidates.map((candidate) => this.#upSince(candidate) ?? Number.POSITIVE_INFINITY));
    const first = candidates.find((candidate) => this.#upSince(candidate) === longest);
    check('E11', first?.id === id, () => `${id} is to be started where it is the turn of ${first?.id}`);
    request.durable = false;
    this.#admitted.push(id);
  }

  recorded(id: HookId): void {
    this.#request(id).durable = true;
  }

  startRecorded(id: HookId, at: number): void {
    const request = this.#request(id);
    check('E4', at === request.startedAt, () => `${id} started at ${request.startedAt}, and ${at} is recorded`);
    request.startRecorded = true;
  }

  tried(id: HookId): void {
    const request = this.#request(id);
    request.triedTold += 1;
    check('E19', request.triedTold <= request.tried.length, () => `${id} is told to be tried again, and may not be`);
  }

  result(id: HookId): void {
    this.#request(id).results += 1;
    check('E4', this.#request(id).results === 1 && !this.#kept.has(id), () => `${id} has a second result`);
  }

  asked(id: HookId): void {
    const hook = this.#hook(id);
    const pod = this.#pod(hook);
    const request = this.#request(id);
    check('E1', request.durable, () => `${id} is started without its intent recorded`);
    check('E7', !this.#isStopped(), () => `${id} starts though the run is stopped`);
    check('E2', this.#now >= pod.quietUntil, () => `${id} starts beside what may go on until ${pod.quietUntil}`);
    for (const other of pod.hooks) {
      check('E2', !this.#request(other.id).open, () => `${id} starts while ${other.id} is open`);
      if (this.#hasEnded(other.id) || other.id === id) continue;
      if (other.container === hook.container) {
        check('E3', isAhead(hook, other), () => `${id} starts before ${other.id}`);
      } else if (numberOf(other) === numberOf(hook)) {
        const begun = pod.hooks.find(
          (each) => isBeside(each, other) && numberOf(each) === numberOf(other) && this.#request(each.id).begun,
        );
        check('E3', begun === undefined, () => `${id} starts though ${begun?.container} has begun`);
      }
      check('E10', other.never === undefined, () => `${id} starts beside ${other.id}, which can never run`);
    }
    const mayBegin = request.answer === undefined || request.answer.kind === 'notStarted' || this.#isPaused(request);
    check('E19', mayBegin, () => `${id} is started again after ${JSON.stringify(request.answer)}`);
    for (const other of this.#hooks.values()) {
      const isBelow = numberOf(other) < numberOf(hook) && !this.#hasEnded(other.id);
      check(
        'E18',
        !isBelow,
        () => `${id} of wave ${hook.wave} starts before ${other.id} of wave ${other.wave} has ended`,
      );
    }
    const deadline = this.#waitDeadline(hook);
    check('E8', this.#now < deadline, () => `${id} starts after its wait deadline ${deadline}`);
    check('E10', this.#mayRunIn(pod), () => `${id} starts in a pod that is not there, or has finished`);
    check('E10', this.#upSince(hook) !== undefined, () => `${id} starts in a container that is not up`);
    check('E10', hook.never === undefined, () => `${id} can never run, and starts`);
    request.durable = false;
    request.open = true;
    request.asked += 1;
    if (this.#isPaused(request)) request.answer = undefined;
    request.startedAt = undefined;
    request.startRecorded = false;
    const open = [...this.#requests.values()].filter((each) => each.open).length;
    check('E5', open <= this.#world.maxConcurrent, () => `${open} commands at once`);
  }

  started(id: HookId): void {
    const request = this.#request(id);
    request.begun = true;
    request.startedAt = this.#now;
  }

  answered(id: HookId, answer: ExecOutcome): void {
    const request = this.#request(id);
    request.open = false;
    request.answer = answer;
    request.answeredAt = this.#now;
    const hook = this.#hook(id);
    const pod = this.#pod(hook);
    request.replaced = pod.replaced;
    if (answer.kind === 'connectionLost' || (answer.kind === 'notStarted' && request.startedAt !== undefined)) {
      const until = (request.startedAt ?? this.#now) + (hook.execTimeoutMs ?? Number.POSITIVE_INFINITY);
      pod.quietUntil = Math.max(pod.quietUntil, until);
      request.begun = true;
    }
    const hasFailed = answer.kind === 'error' || (answer.kind === 'exited' && answer.exitCode !== 0 && !pod.replaced);
    if (hasFailed && request.tried.length + 1 < (hook.retry?.attempts ?? 1)) {
      const { delayMs = 0, maxDelayMs = 0 } = hook.retry ?? {};
      request.retryAt = this.#now + Math.min(maxDelayMs, delayMs * 2 ** request.tried.length);
      request.tried.push({ answer, at: this.#now, startedAt: request.startedAt, retryAt: request.retryAt });
      request.asked = 0;
    }
    if (answer.kind !== 'notStarted') return;
    const backoff = Math.min(10_000, 100 * 2 ** (request.asked - 1));
    request.retryAt = this.#now + Math.max(answer.retryAfterMs ?? 0, backoff);
  }

  dropped(id: HookId): void {
    const request = this.#request(id);
    check('E6', request.open, () => `${id} is dropped though it has answered`);
    request.open = false;
    request.dropped = true;
  }

  /* ---- after every step ---- */

  stepped(): void {
    const run = this.#run;
    this.#noteOpen(this.#now);
    const now = this.#now;
    const late = this.#world.latestTimerMs;
    const recount: Record<string, number> = Object.fromEntries(Object.keys(run.counts).map((name) => [name, 0]));
    recount['planned'] = this.#hooks.size;
    let active = 0;
    for (const { key, hooks } of run.pods) {
      let activeHere = 0;
      for (const hook of hooks) {
        if (hook.kind !== 'exec') throw new Error('these worlds have no init hooks');
        const state = this.#state(hook.id);
        const { id } = hook;
        recount[countedAs(state)] = (recount[countedAs(state)] ?? 0) + 1;
        activeHere += Number(takesSlot(state));
        const before = this.#ended.get(id);
        check('E4', before === undefined || isDeepStrictEqual(before, state), () => `${id} has ended, and changes`);
        if (state.phase === 'Ended') {
          if (before === undefined) this.#ended.set(id, state);
          check('E6', !this.#request(id).open, () => `${id} has ended, its stream is open`);
          continue;
        }
        check('E7', !this.#dropAsked || !this.#request(id).open, () => `${id} goes on though all was dropped`);
        if (state.phase === 'Running') {
          check('E4', this.#request(id).startRecorded, () => `${id} runs, its start is not recorded`);
          const limit = state.startedAt + (hook.execTimeoutMs ?? Number.POSITIVE_INFINITY) + late;
          check('E9', now <= limit, () => `${id} runs after ${limit}`);
          continue;
        }
        if (state.phase === 'Starting') continue;
        const deadline = this.#waitDeadline(hook);
        check(
          'E8',
          now <= Math.max(deadline, this.#pod(hook).listedAt ?? 0) + late,
          () => `${id} waits after its deadline ${deadline}`,
        );
        check('E7', !this.#isStopped(), () => `${id} waits though the run is stopped`);
      }
      check('E2', activeHere <= 1, () => `${activeHere} hooks of ${key} are active`);
      active += activeHere;
    }
    check('E5', active <= this.#world.maxConcurrent, () => `${active} hooks are active`);
    check('E13', isDeepStrictEqual(recount, { ...run.counts }), () => JSON.stringify([recount, run.counts]));
    const { planned, ...parts } = run.counts;
    const sum = Object.values(parts).reduce((total, part) => total + part, 0);
    check('E13', sum === planned, () => `${planned} planned, ${sum} counted`);
    check('E13', run.active === active, () => `${active} active hooks, ${run.active} counted`);
    const allEnded = this.#ended.size === planned;
    check('E13', (run.finishedAt !== undefined) === allEnded, () => `${this.#ended.size} ended, ${run.finishedAt}`);
    this.#checkOrder(active);
    if (!allEnded) return;
    const end = [run.finishedAt, this.#phase(), run.failure, { ...run.counts }];
    check('E14', this.#atEnd === undefined || isDeepStrictEqual(end, this.#atEnd), () => JSON.stringify(end));
    this.#atEnd ??= end;
  }

  #checkOrder(active: number): void {
    const lastAdmitted = Math.max(-1, ...this.#admitted.map((id) => this.#pod(this.#hook(id)).index));
    this.#admitted = [];
    for (const pod of this.#pods.values()) {
      const waiting = this.#candidates(pod, this.#world.latestTimerMs + 0.1)[0];
      if (waiting === undefined) continue;
      check('E12', active >= this.#world.maxConcurrent, () => `${waiting.id} could start, and waits`);
      check('E12', pod.index > lastAdmitted, () => `${waiting.id} waits, and a later pod's hook starts`);
    }
  }

  /* ---- at rest ---- */

  atRest(): void {
    const run = this.#run;
    const active = [...this.#requests.values()].filter(({ open }) => open).length;
    for (const hook of this.#hooks.values()) {
      const { id } = hook;
      const state = this.#state(id);
      const request = this.#request(id);
      if (state.phase === 'Ended') {
        check('E4', request.results === (this.#kept.has(id) ? 0 : 1), () => `${id} has ${request.results} results`);
        if (!this.#kept.has(id)) this.#checkOutcome(hook, state, request);
        continue;
      }
      check('E15', !this.#isStopped() || state.phase === 'Running', () => `${id} is left ${state.phase} by a stop`);
      if (state.phase === 'Running') {
        check('E15', request.open && hook.execTimeoutMs === null, () => `${id} runs for ever`);
      } else {
        check('E15', state.phase === 'Waiting', () => `${id} is left ${state.phase}`);
        const deadline = this.#waitDeadline(hook);
        check('E15', deadline === Number.POSITIVE_INFINITY, () => `${id} waits for ever, not until ${deadline}`);
        check('E15', this.#mayWaitForEver(hook, active), () => `${id} waits for ever, and for nothing`);
      }
    }
    check('E17', this.#phase() === this.#expectedPhase(), () => `${this.#phase()}, not ${this.#expectedPhase()}`);
    const failed = new Set([...this.#ended].filter(([, state]) => isFailure(state)).map(([id]) => id));
    const said = run.firstFailures.map(({ id }) => id);
    check('E17', said.length === Math.min(5, failed.size), () => `${said.length} failures of ${failed.size}`);
    for (const id of said) check('E17', failed.has(id), () => `${id} is no failure`);
  }

  #mayWaitForEver(hook: ExecHook, active: number): boolean {
    const pod = this.#pod(hook);
    if (pod.gone !== undefined) return false;
    if (pod.phase === undefined) return hook.podUID === undefined;
    if (!this.#mayRunIn(pod) || hook.never !== undefined) return false;
    // What holds it is judged by itself.
    if (!this.#isOpen(hook)) return true;
    if (active >= this.#world.maxConcurrent) return true;
    if (pod.hooks.some(({ id }) => this.#request(id).open)) return true;
    return this.#candidates(pod, 0).length === 0;
  }

  #checkOutcome({ id, execTimeoutMs, ...hook }: ExecHook, state: HookState & { phase: 'Ended' }, request: Requests) {
    const { outcome, endedAt, startedAt } = state;
    const pod = this.#pod({ id, execTimeoutMs, ...hook });
    const late = this.#world.latestTimerMs;
    const { answer } = request;
    const say = () => `${id} is ${JSON.stringify(state)} after ${JSON.stringify(answer)}`;
    const last = request.tried.at(-1);
    if (last !== undefined && (answer === last.answer || isUnexecuted(request))) {
      const exitCode = last.answer.kind === 'exited' ? last.answer.exitCode : undefined;
      const deadline = this.#waitDeadline({ id, execTimeoutMs, ...hook });
      const isOver = endedAt >= deadline || this.#isStopped() || !this.#mayRunIn(pod);
      check('E19', isOver || (answer !== last.answer && answer?.kind !== 'notStarted'), say);
      check('E8', endedAt <= Math.max(deadline, request.answeredAt) + late, say);
      check('E16', outcome.state === 'Failed' && outcome.exitCode === exitCode, say);
      check('E16', endedAt >= last.at && startedAt === last.startedAt, say);
      return;
    }
    if (outcome.state === 'Failed') {
      check('E19', request.tried.length + 1 === (hook.retry?.attempts ?? 1), say);
    }
    if (startedAt !== undefined) {
      const limit = startedAt + (execTimeoutMs ?? Number.POSITIVE_INFINITY);
      check('E9', endedAt <= limit + late, say);
      check('E16', startedAt === request.startedAt, say);
      if (outcome.state === 'TimedOut') check('E9', outcome.reason === 'executing' && endedAt >= limit, say);
    }
    if (answer?.kind === 'exited' && !request.dropped && outcome.state !== 'Unknown') {
      check('E16', outcome.exitCode === answer.exitCode && endedAt === request.answeredAt, say);
      check('E16', outcome.state === (answer.exitCode === 0 ? 'Succeeded' : 'Failed'), say);
      check('E16', !request.replaced, say);
    }
    switch (outcome.state) {
      case 'Succeeded':
        check('E16', answer?.kind === 'exited' && answer.exitCode === 0, say);
        if (answer?.kind === 'exited') check('E16', outcome.unproven === answer.unproven, say);
        return;
      case 'Failed':
        check('E16', answer?.kind === (outcome.reason === 'exit' ? 'exited' : 'error'), say);
        return;
      case 'Unknown':
        if (outcome.reason === 'pod-replaced') check('E16', pod.replaced && answer?.kind === 'exited', say);
        else if (outcome.reason === 'canceled') check('E16', this.#cancelAsked && request.asked > 0, say);
        else check('E16', outcome.reason === 'connection-lost' && request.begun, say);
        return;
      case 'NotExecuted':
        check('E16', !request.begun, say);
        if (answer?.kind === 'notStarted') {
          check('E16', request.answeredAt < this.#waitDeadline({ id, execTimeoutMs, ...hook }), say);
        }
        if (outcome.reason === 'pod-deleted') {
          check('E16', pod.gone === 'pod-deleted' || answer?.kind === 'podDeleted', say);
        } else if (outcome.reason === 'pod-replaced') check('E16', pod.gone === 'pod-replaced', say);
        else if (outcome.reason === 'pod-finished') {
          check('E16', pod.phase === 'Succeeded' || pod.phase === 'Failed', say);
        } else if (outcome.reason === 'no-such-container' || outcome.reason === 'empty-command') {
          check('E16', hook.never === outcome.reason || answer?.kind === 'noSuchContainer', say);
        } else if (outcome.reason === 'canceled') check('E16', this.#cancelAsked, say);
        else check('E16', outcome.reason === 'aborted' && (this.#isStopped() || answer?.kind === 'forbidden'), say);
        return;
      case 'TimedOut': {
        if (outcome.reason === 'executing') return check('E16', startedAt !== undefined, say);
        const deadline = this.#waitDeadline({ id, execTimeoutMs, ...hook });
        const answeredAt = answer?.kind === 'notStarted' ? request.answeredAt : 0;
        const latest = Math.max(deadline + late, answeredAt, pod.listedAt ?? 0);
        check('E8', !request.begun && endedAt >= deadline && endedAt <= latest, say);
      }
    }
  }

  #expectedPhase(): string {
    if (this.#ended.size < this.#hooks.size) return 'InProgress';
    const forbidden = [...this.#ended.entries()].some(
      ([id, state]) =>
        this.#request(id).answer?.kind === 'forbidden' &&
        state.phase === 'Ended' &&
        (state.outcome.state === 'NotExecuted' || this.#request(id).tried.length > 0),
    );
    if (this.#failTold || forbidden) return 'Failed';
    if ([...this.#ended].some(([id, state]) => this.#hook(id).onError === 'Fail' && isFailure(state))) {
      return 'PartiallyFailed';
    }
    if (this.#cancelAsked) return 'Canceled';
    const isUnexecuted = ([id, state]: [HookId, HookState]): boolean =>
      this.#hook(id).onError === 'Fail' && state.phase === 'Ended' && state.outcome.state !== 'Succeeded';
    if ([...this.#ended].some(isUnexecuted)) return 'PartiallyFailed';
    const allSucceeded = [...this.#ended.values()].every(
      (state) => state.phase === 'Ended' && state.outcome.state === 'Succeeded',
    );
    return allSucceeded ? 'Completed' : 'CompletedWithFailures';
  }

  /* ---- what is read off what was told ---- */

  get #now(): number {
    return this.#world.clock.now();
  }

  #isStopped(): boolean {
    if (this.#stopAsked) return true;
    for (const hook of this.#hooks.values()) {
      if (this.#kept.has(hook.id)) continue;
      const state = this.#state(hook.id);
      if (state.phase !== 'Ended') continue;
      if (hook.onError === 'Fail' && isFailure(state)) return true;
      const { answer, tried } = this.#request(hook.id);
      if (answer?.kind === 'forbidden' && (state.outcome.state === 'NotExecuted' || tried.length > 0)) return true;
    }
    return false;
  }

  /** The hooks of a pod of which one may start now; a refused one only `slack` after its delay. */
  #candidates(pod: ToldPod, slack: number, besides?: HookId): ExecHook[] {
    const isBusy = (hook: ExecHook): boolean => hook.id !== besides && takesSlot(this.#state(hook.id));
    if (!this.#mayRunIn(pod) || this.#isStopped() || pod.hooks.some(isBusy)) return [];
    if (this.#now < pod.quietUntil + (pod.quietUntil > 0 ? slack : 0)) return [];
    const turns: ExecHook[] = [];
    const open = Math.min(...pod.hooks.filter((hook) => this.#isOpen(hook) && !this.#hasEnded(hook.id)).map(numberOf));
    const ofWave = pod.hooks.filter((hook) => numberOf(hook) === open);
    for (const hooks of Map.groupBy(ofWave, ({ container }) => container).values()) {
      const next = hooks.find(({ id }) => !this.#hasEnded(id));
      if (next === undefined) continue;
      // One that is tried again holds its pod, also if its command could not be started (R3.55).
      const hasTurn = ({ id }: ExecHook): boolean =>
        this.#request(id).tried.length > 0 || (this.#request(id).begun && this.#hasEnded(id));
      if (hooks.some(hasTurn)) {
        turns.splice(0, turns.length, next);
        break;
      }
      turns.push(next);
    }
    return turns.filter(
      (hook) =>
        this.#upSince(hook) !== undefined &&
        this.#now >= this.#request(hook.id).retryAt + (this.#request(hook.id).retryAt > 0 ? slack : 0) &&
        this.#now < this.#waitDeadline(hook),
    );
  }

  /** Its last start has ended, and is followed by another. */
  #isPaused({ tried, answer }: Requests): boolean {
    return tried.length > 0 && tried.at(-1)?.answer === answer;
  }

  #mayRunIn({ gone, phase }: ToldPod): boolean {
    return gone === undefined && phase !== undefined && phase !== 'Succeeded' && phase !== 'Failed';
  }

  #upSince({ container, waitForReady, ...hook }: ExecHook): number | undefined {
    const since = this.#pod({ container, waitForReady, ...hook }).upSince.get(container);
    return waitForReady ? since?.ready : since?.running;
  }

  #waitDeadline(hook: ExecHook): number {
    const { waitingSince } = this.#pod(hook);
    const last = this.#request(hook.id).tried.at(-1);
    if (last !== undefined && hook.waitTimeoutMs !== null) return last.retryAt + hook.waitTimeoutMs;
    if (waitingSince === undefined || hook.waitTimeoutMs === null || !this.#isOpen(hook))
      return Number.POSITIVE_INFINITY;
    return Math.max(waitingSince, this.#openSince.get(numberOf(hook)) ?? 0) + hook.waitTimeoutMs;
  }

  #hook(id: HookId): ExecHook {
    return this.#hooks.get(id) ?? assert.fail(`no hook ${id}`);
  }

  #pod(hook: ExecHook): ToldPod {
    return this.#pods.get(keyOf(hook)) ?? assert.fail(`no pod ${hook.pod}`);
  }

  #request(id: HookId): Requests {
    return this.#requests.get(id) ?? assert.fail(`no hook ${id}`);
  }

  #state(id: HookId): HookState {
    const place = this.#run.places.get(id) ?? assert.fail(`no hook ${id}`);
    return this.#run.pods[place.pod]?.states[place.at] ?? assert.fail(`${id} has no state`);
  }

  #hasEnded(id: HookId): boolean {
    return this.#state(id).phase === 'Ended';
  }
}

/** The last request has provably started nothing. */
const isUnexecuted = ({ answer, startedAt }: Requests): boolean =>
  ['podDeleted', 'podReplaced', 'noSuchContainer', 'forbidden'].includes(answer?.kind ?? '') ||
  (answer?.kind === 'notStarted' && startedAt === undefined);

/** A hook that did not succeed by itself: others kept `aborted` and `canceled` ones from it. */
function isFailure(state: HookState): boolean {
  if (state.phase !== 'Ended' || state.outcome.state === 'Succeeded') return false;
  return state.outcome.reason !== 'aborted' && state.outcome.reason !== 'canceled';
}

const isBeside = (one: ExecHook, other: ExecHook): boolean => one.container === other.container;

function check(invariant: string, holds: boolean, what: () => string): void {
  if (!holds) throw new Error(`${invariant} is broken: ${what()}`);
}
