import type { Attributes, Context, Span, Tracer } from '@opentelemetry/api';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { EndedHook } from '../core/execute/hook-state.ts';
import type { Effect } from '../core/execute/protocol.ts';
import type { PodRun, RunState } from '../core/execute/state.ts';
import { waveOf } from '../core/execute/waves.ts';
import type { Hook, HookId } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import type { Shard } from '../core/model/shard.ts';
import { isFollower } from '../core/model/shard.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { waitsSince } from '../runtime/run-meter.ts';
import type { RunStep, StepObserver } from '../runtime/steps.ts';

export interface AboutRun {
  readonly namespace: string;
  readonly restore: string;
  readonly runID: string;
  /** Which of the run's runners this is, from 1. */
  readonly runner: number;
  /** Absent: the run has one runner at a time. */
  readonly shard?: Shard | undefined;
}

interface OpenHook {
  readonly span: Span;
  readonly context: Context;
  /** Of a start that is not over. */
  attempt?: Span | undefined;
}

/**
 * Makes spans of a run: the run, its waves, its hooks, and each start of a hook (R8.74). No attribute holds a command, what
 * it prints, or a message, which may quote one.
 */
export class RunSpans implements StepObserver {
  readonly #tracer: Tracer;
  readonly #hooks = new Map<HookId, OpenHook>();
  readonly #waves = new Map<number, { readonly span: Span; readonly context: Context }>();
  #root: { readonly span: Span; readonly context: Context };
  #at: Instant | undefined;
  readonly #isFollower: boolean;
  #run: RunState | undefined;

  constructor(tracer: Tracer, parent: Context, about: AboutRun) {
    this.#tracer = tracer;
    this.#root = this.#start('run', parent, undefined, {
      'restorehooks.restore.namespace': about.namespace,
      'restorehooks.restore.name': about.restore,
      'restorehooks.run.id': about.runID,
      'restorehooks.run.runner': about.runner,
      ...(about.shard && { 'restorehooks.shard.index': about.shard.index, 'restorehooks.shard.count': about.shard.of }),
    });
    this.#isFollower = isFollower(about.shard);
  }

  begun(run: RunState, _status: RunStatus, now: Instant): void {
    this.#run = run;
    this.#root.span.setAttribute('restorehooks.run.hooks', run.counts.planned);
    this.#followWaves(run, now);
  }

  stepped({ run, effects, at }: RunStep): void {
    this.#at = at;
    for (const effect of effects) this.#effect(run, effect, at);
    this.#followWaves(run, at);
  }

  ended({ phase }: RunStatus): void {
    // What is left here goes on under the next runner, or nobody knows what it did.
    for (const { span, attempt } of this.#hooks.values()) {
      attempt?.end(timeOf(this.#at));
      span.end(timeOf(this.#at));
    }
    for (const { span } of this.#waves.values()) span.end(timeOf(this.#at));
    const { span } = this.#root;
    // As the number of hooks, without those of other shards.
    span.setAttribute('restorehooks.run.succeeded', this.#run?.counts.succeeded ?? 0);
    // The first shard tells how the run went, and others only know how they did.
    if (!this.#isFollower) span.setAttribute('restorehooks.run.phase', phase);
    if (phase === 'Failed' || phase === 'PartiallyFailed') span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }

  #effect(run: RunState, effect: Effect, at: Instant): void {
    if (effect.type === 'startExec') {
      const open = this.#openHook(run, effect.hook);
      if (open !== undefined) open.attempt = this.#start('try', open.context, at, {}, SpanKind.CLIENT).span;
    } else if (effect.type === 'recordNotStarted') {
      this.#endAttempt(effect.hook, at, { 'restorehooks.hook.state': 'NotExecuted' });
    } else if (effect.type === 'recordTried') {
      this.#endAttempt(effect.hook, effect.result.endedAt, resultOf(effect.result), effect.result);
    } else if (effect.type === 'recordResult') {
      const { hook, result } = effect;
      const open = this.#openHook(run, hook);
      this.#endAttempt(hook, result.endedAt, resultOf(result), result);
      if (open !== undefined) endWith(open.span, result.endedAt, resultOf(result), result);
      this.#hooks.delete(hook);
    }
  }

  #openHook(run: RunState, id: HookId): OpenHook | undefined {
    const known = this.#hooks.get(id);
    const place = run.places.get(id);
    const pod = place && run.pods[place.pod];
    const hook = place && pod?.hooks[place.at];
    if (known !== undefined || pod === undefined || hook === undefined) return known;
    const wave = waveOf(hook);
    const parent = (wave === undefined ? undefined : this.#waves.get(wave)) ?? this.#root;
    const open = this.#start('hook', parent.context, waitsSince(run, pod, hook), aboutHook(pod, hook));
    this.#hooks.set(id, open);
    return open;
  }

  #endAttempt(hook: HookId, at: Instant, attributes: Attributes, result?: EndedHook): void {
    const open = this.#hooks.get(hook);
    if (open?.attempt === undefined) return;
    endWith(open.attempt, at, attributes, result);
    open.attempt = undefined;
  }

  /** The span of a wave ends when the next one opens. */
  #followWaves({ waves: { open, openedAt } }: RunState, now: Instant): void {
    if (open !== undefined && this.#waves.has(open.number)) return;
    for (const { span } of this.#waves.values()) if (span.isRecording()) span.end(timeOf(openedAt ?? now));
    if (open === undefined) return;
    const attributes = { 'restorehooks.wave.number': open.number, 'restorehooks.wave.hooks': open.left.size };
    this.#waves.set(open.number, this.#start('wave', this.#root.context, openedAt ?? now, attributes));
  }

  #start(name: string, parent: Context, at: Instant | undefined, attributes: Attributes, kind = SpanKind.INTERNAL) {
    const startTime = timeOf(at);
    const span = this.#tracer.startSpan(name, { kind, attributes, ...(startTime && { startTime }) }, parent);
    return { span, context: trace.setSpan(parent, span) };
  }
}

const timeOf = (at: Instant | undefined): Date | undefined => (at === undefined ? undefined : new Date(at));

/** With the names of OpenTelemetry's conventions where there are any. */
const aboutHook = ({ uid }: PodRun, { id, kind, namespace, pod, container }: Hook): Attributes => ({
  'k8s.namespace.name': namespace,
  'k8s.pod.name': pod,
  ...(uid !== undefined && { 'k8s.pod.uid': uid }),
  'k8s.container.name': container,
  'restorehooks.hook.id': id,
  'restorehooks.hook.kind': kind,
});

const resultOf = ({ outcome: { state, reason, exitCode } }: EndedHook): Attributes => ({
  'restorehooks.hook.state': state,
  ...(reason !== undefined && { 'restorehooks.hook.reason': reason, 'error.type': reason }),
  ...(exitCode !== undefined && { 'process.exit.code': exitCode }),
});

function endWith(span: Span, at: Instant, attributes: Attributes, result: EndedHook | undefined): void {
  span.setAttributes(attributes);
  if (result !== undefined && result.outcome.state !== 'Succeeded') span.setStatus({ code: SpanStatusCode.ERROR });
  span.end(timeOf(at));
}
