import type { Effect } from '../core/execute/protocol.ts';
import { isFinalPhase } from '../core/execute/run-phase.ts';
import type { PodRun, RunState } from '../core/execute/state.ts';
import { stateOf } from '../core/execute/state.ts';
import type { Hook, HookId, HookResult, PodObservation } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import { latest, parseInstant } from '../core/model/instant.ts';
import { hookPositions } from '../core/model/position.ts';
import { Phase } from '../core/report/run-document.ts';
import type { Meter } from '../core/report/run-metrics.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import type { RunStep, StepObserver } from './steps.ts';

type Over = Extract<Effect, { readonly type: 'recordTried' | 'recordResult' }>;

/** Counts and measures a run by what happens in it (R8.71). */
export class RunMeter implements StepObserver {
  readonly #meter: Meter;
  readonly #ended = new Map<string, { readonly result: HookResult; count: number }>();
  /** By pod and container: when the runner saw it run; undefined: a command has been started in it. */
  readonly #upSince = new Map<string, Instant | undefined>();
  /** Whose start has been counted, and whose end has not come yet. */
  readonly #started = new Set<HookId>();
  #begunAt = 0;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  begun(run: RunState, status: RunStatus, now: Instant): void {
    const meter = this.#meter;
    this.#begunAt = now;
    meter.set('restorehooks_hooks_planned', run.counts.planned);
    meter.set('restorehooks_run_started_timestamp_seconds', run.startedAt / 1000);
    meter.set('restorehooks_run_progress_timestamp_seconds', now / 1000);
    const deadline = parseInstant(status.deadline ?? '');
    if (deadline !== undefined) meter.set('restorehooks_run_deadline_timestamp_seconds', deadline / 1000);
    this.#setPhase('InProgress');
    for (const pod of run.pods) {
      for (const at of hookPositions(pod.hooks)) {
        const state = stateOf(pod, at);
        if (state.phase === 'Ended') this.#countEnd(state.outcome);
      }
    }
    this.#setOpen(run);
  }

  stepped({ run, facts, effects, at }: RunStep): void {
    const meter = this.#meter;
    for (const fact of facts) if (fact.type === 'podObserved') this.#observed(run, fact.pod, at);
    let hasProgress = false;
    for (const effect of effects) {
      if (effect.type === 'recordStarted') this.#countStart(run, effect.hook, effect.at);
      else if (effect.type === 'recordTried' || effect.type === 'recordResult') this.#over(run, effect);
      else continue;
      hasProgress = true;
    }
    if (hasProgress) meter.set('restorehooks_run_progress_timestamp_seconds', at / 1000);
    this.#setOpen(run);
  }

  /** A start of a hook is over, or the hook has ended without one. */
  #over(run: RunState, { type, hook, result: { outcome, startedAt, endedAt, commandEndedAt = endedAt } }: Over): void {
    // A command that ends at once is told to have started and to have ended in one step.
    if (startedAt !== undefined && startedAt >= this.#begunAt && !this.#started.has(hook)) {
      this.#countStart(run, hook, startedAt);
    }
    this.#started.delete(hook);
    if (type === 'recordTried') {
      this.#meter.count('restorehooks_hook_retries_total');
      return;
    }
    this.#countEnd(outcome);
    if (startedAt === undefined) return;
    const seconds = Math.max(0, commandEndedAt - startedAt) / 1000;
    this.#meter.observe('restorehooks_hook_duration_seconds', seconds, { state: outcome.state });
  }

  ended({ phase }: RunStatus): void {
    if (isFinalPhase(phase)) this.#setPhase(phase);
  }

  #observed(run: RunState, { key, containers }: PodObservation, at: Instant): void {
    const index = run.podIndex.get(key);
    const pod = index === undefined ? undefined : run.pods[index];
    if (pod === undefined) return;
    for (const name of pod.containers) {
      const container = `${index}/${name}`;
      if (containers[name]?.running && !this.#upSince.has(container)) this.#upSince.set(container, at);
    }
  }

  #countStart(run: RunState, id: HookId, at: Instant): void {
    const place = run.places.get(id);
    const pod = run.pods[place?.pod ?? -1];
    const hook = pod?.hooks[place?.at ?? -1];
    if (place === undefined || pod === undefined || hook?.kind !== 'exec') return;
    this.#started.add(id);
    const meter = this.#meter;
    meter.count('restorehooks_hook_starts_total');
    const container = `${pod.index}/${hook.container}`;
    const since = this.#upSince.get(container);
    if (since !== undefined) {
      meter.observe('restorehooks_container_to_command_seconds', Math.max(0, at - since) / 1000);
      this.#upSince.set(container, undefined);
    }
    if ((stateOf(pod, place.at).starts ?? 0) > 0) return;
    meter.observe('restorehooks_hook_wait_seconds', Math.max(0, at - waitsSince(run, pod, hook)) / 1000);
  }

  #countEnd(result: HookResult): void {
    const key = `${result.state} ${result.reason ?? ''}`;
    const known = this.#ended.get(key) ?? { result, count: 0 };
    known.count += 1;
    this.#ended.set(key, known);
  }

  #setOpen({ counts, waves }: RunState): void {
    const meter = this.#meter;
    for (const { result, count } of this.#ended.values()) {
      meter.set('restorehooks_hooks', count, { state: result.state, reason: result.reason ?? '' });
    }
    meter.set('restorehooks_hooks', counts.waiting, { state: 'Waiting', reason: '' });
    meter.set('restorehooks_hooks', counts.running, { state: 'Running', reason: '' });
    if (waves.open !== undefined) meter.set('restorehooks_open_wave', waves.open.number);
    meter.set('restorehooks_open_wave_hooks_left', waves.open?.left.size ?? 0);
  }

  #setPhase(now: RunStatus['phase']): void {
    for (const phase of Phase.options) this.#meter.set('restorehooks_run_phase', phase === now ? 1 : 0, { phase });
  }
}

/** Since when a hook could have started but for its pod: its pod was seen up, and its wave was open. */
export function waitsSince(run: RunState, pod: PodRun, hook: Hook): Instant {
  const opened = hook.kind === 'exec' ? pod.waves.openedAt : undefined;
  return latest(opened ?? run.startedAt, pod.waitingSince ?? run.startedAt);
}
