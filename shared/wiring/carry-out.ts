import type { RunOptions } from '../core/manifests/job.ts';
import { execRights } from '../core/manifests/rbac.ts';
import { capturedBytes } from '../core/model/capture.ts';
import type { HookId, PodKey } from '../core/model/hook.ts';
import { podKey } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import { FOREVER, parseInstant } from '../core/model/instant.ts';
import { shareOf } from '../core/model/shard.ts';
import { ANNOTATION } from '../core/names.ts';
import type { ReportHead } from '../core/report/run-document.ts';
import type { RunInput } from '../core/report/run-input.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { missingRights } from '../kubernetes/api/access.ts';
import type { KubeClient } from '../kubernetes/api/client.ts';
import { detachingHookExec } from '../kubernetes/exec/detached-exec.ts';
import type { HookExecOptions } from '../kubernetes/exec/exec.ts';
import { kubernetesHookExec } from '../kubernetes/exec/exec.ts';
import { kubernetesLogReader } from '../kubernetes/exec/log-reader.ts';
import { containerState } from '../kubernetes/pods/container-state.ts';
import { kubernetesPodCreator } from '../kubernetes/pods/pod-creator.ts';
import { podIdentity } from '../kubernetes/pods/pod-identity.ts';
import { kubernetesPodSource } from '../kubernetes/pods/pod-source.ts';
import { kubernetesEventWriter } from '../kubernetes/run/events.ts';
import type { KubernetesJournal } from '../kubernetes/run/journal.ts';
import type { HeldLease } from '../kubernetes/run/lease.ts';
import { newLiveKey } from '../kubernetes/run/live-output.ts';
import { LiveWriter } from '../kubernetes/run/live-writer.ts';
import { kubernetesRunStore } from '../kubernetes/run/run-store.ts';
import type { Clock, Hold, HookExec, Journal } from '../ports/ports.ts';
import type { RunObserver, StartedRun } from '../runtime/run.ts';
import { startRun } from '../runtime/run.ts';
import type { TakenRun } from './take-run.ts';
import type { Telemetry } from './telemetry.ts';

/** Where a runner shows what running hooks print: in the log of its pod. */
export interface LiveLog {
  readonly pod: string;
  write(line: string): void;
}

/**
 * Join the runtime to the cluster: the same in a Job and in the plugin's own process. The Lease is given back at the end.
 */
export function carryOut(
  client: KubeClient,
  clock: Clock,
  taken: TakenRun,
  options: RunOptions,
  observer: RunObserver,
  telemetry: Telemetry,
  liveLog?: LiveLog,
): StartedRun {
  const { restore, status, input, lease, journal, runner, resumed, shard } = taken;
  const { plan, hooks, kept } = input;
  const { labelSelector, namespaces } = plan.selector;
  const captured = { capturedBytes: capturedBytes(options.capture) ?? 0 };
  const isLive = liveLog !== undefined && captured.capturedBytes > 0;
  const liveKey = isLive ? newLiveKey(liveLog.pod) : undefined;
  const { metrics, steps, execOver } = telemetry.of(taken);
  const live = liveKey && liveLog && new LiveWriter(clock, liveKey, { runID: status.runID, runner }, liveLog.write);
  const started = startRun(
    {
      hooks,
      kept,
      resumed,
      status,
      maxConcurrent: shard === undefined ? options.maxConcurrent : shareOf(options.maxConcurrent, shard.shard),
      quiet: quietOf(input),
      startsBefore: new Map(Object.entries(input.starts ?? {}) as [HookId, number][]),
      keepRestorePhase: options.keepRestorePhase,
      metrics,
      formerPhase: input.leavesFailHooks ? undefined : restore.metadata.annotations[ANNOTATION.formerPhase],
    },
    {
      clock,
      ...held(journal, lease),
      exec: hookExec(client, lease, { ...captured, onOver: execOver }),
      logs: kubernetesLogReader(client, captured),
      creator: kubernetesPodCreator({ client, clock }, plan.restore, status.runID, input.pods),
      pods: kubernetesPodSource(client, {
        labelSelector,
        clock,
        planned: podUIDs(input),
        ...(namespaces ? { namespaces } : {}),
      }),
      store: kubernetesRunStore(client, plan.restore, status, runner, reportHead(status, input), liveKey, shard),
      shard,
      events: kubernetesEventWriter(client, clock, plan.restore, status.runID),
    },
    {
      ...observer,
      steps,
      warn(...told) {
        telemetry.warned();
        observer.warn?.(...told);
      },
      ...(live && { printing: (hook, piece, attempt) => live.printed(hook, { ...piece, attempt }) }),
    },
  );
  const done = started.done.finally(() => {
    live?.flush();
    return lease.release();
  });
  return { ...started, done };
}

function hookExec(
  client: KubeClient,
  lease: HeldLease,
  options: Required<Pick<HookExecOptions, 'capturedBytes' | 'onOver'>>,
): HookExec {
  const plain = kubernetesHookExec(
    { open: () => client.connection(), forget: () => client.forgetCredentials() },
    {
      ...options,
      mayStart: () => lease.mayStart,
      identity: podIdentity(client),
      isAllowed: async ({ namespace }) => (await missingRights(client, execRights(namespace))).length === 0,
    },
  );
  return detachingHookExec(plain, { capturedBytes: options.capturedBytes, containerState: containerState(client) });
}

export const quietOf = ({ quiet = [] }: RunInput): ReadonlyMap<PodKey, Instant> =>
  new Map(
    quiet.map(({ namespace, pod, until }) => [
      podKey(namespace, pod),
      (until === undefined ? undefined : parseInstant(until)) ?? FOREVER,
    ]),
  );

/** What the report says of the run itself: all that a reader needs who finds no annotation. */
export function reportHead(
  { attempt, planDigest, runner: { kind, name }, createdAt, failOn, counts: { planned } }: RunStatus,
  { plan, narrowed, startedOver, leavesFailHooks }: RunInput,
): ReportHead {
  return {
    selector: plan.selector,
    run: {
      attempt,
      planDigest,
      planned,
      runner: { kind, name },
      createdAt,
      failOn,
      ...(narrowed && { narrowed }),
      ...(startedOver && { startedOver }),
      ...(leavesFailHooks && { leavesFailHooks }),
    },
  };
}

/** Of the pods in which something is to be done. */
function podUIDs({ hooks, kept }: RunInput): ReadonlyMap<PodKey, string> {
  const isKept = new Set(kept.map(({ hook }) => hook.id));
  return new Map(
    hooks.flatMap(({ id, namespace, pod, podUID }): [PodKey, string][] =>
      podUID === undefined || isKept.has(id) ? [] : [[podKey(namespace, pod), podUID]],
    ),
  );
}

/** What is durable may be started while the Lease is held; what is lost by one of the two is lost by both (R6.14). */
export function held(journal: KubernetesJournal, lease: HeldLease): { readonly journal: Journal; readonly hold: Hold } {
  lease.onLost((error) => journal.abandon(error));
  return {
    journal: {
      intent: (hook, intent, recorded) => journal.intent(hook, intent, () => lease.whenHeld(recorded)),
      notStarted: (hook) => journal.notStarted(hook),
      started: (hook, at) => journal.started(hook, at),
      tried: (hook, result) => journal.tried(hook, result),
      result: (hook, result) => journal.result(hook, result),
      seen: (pod, at) => journal.seen(pod, at),
    },
    hold: {
      onLost: (lost) => journal.onLost(lost),
      whenDurable: (durable) => journal.whenDurable(durable),
    },
  };
}
