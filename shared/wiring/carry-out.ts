import type { RunOptions } from '../core/manifests/job.ts';
import type { Restore } from '../core/model/restore.ts';
import { ANNOTATION } from '../core/names.ts';
import { plannedHook } from '../core/report/make-plan-document.ts';
import type { Payload, PodToCreate } from '../core/report/payload.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import type { KubeClient } from '../kubernetes/client.ts';
import { kubernetesHookExec } from '../kubernetes/exec.ts';
import { kubernetesLogReader } from '../kubernetes/log-reader.ts';
import { kubernetesPodCreator } from '../kubernetes/pod-creator.ts';
import { kubernetesPodSource } from '../kubernetes/pod-source.ts';
import { kubernetesRunStore } from '../kubernetes/run-store.ts';
import type { Clock, Journal } from '../ports/ports.ts';
import type { RunObserver, StartedRun } from '../runtime/run.ts';
import { startRun } from '../runtime/run.ts';

export interface ClaimedRun {
  /** As it stood when the run was claimed. */
  readonly restore: Restore;
  readonly status: RunStatus;
  readonly plan: Payload['plan'];
  readonly kept: Payload['kept'];
  readonly pods: readonly PodToCreate[];
  readonly options: RunOptions;
}

/** Without a store for intents each is as good as durable: a runner that dies takes what it knew with it. */
const forgetfulJournal: Journal = { intent: (_, recorded) => recorded(), result: () => undefined };

/** Join the runtime to the cluster: the same in a Job and in the plugin's own process. */
export function carryOut(client: KubeClient, clock: Clock, run: ClaimedRun, observer: RunObserver): StartedRun {
  const { labelSelector, namespaces } = run.plan.selector;
  return startRun(
    {
      hooks: run.plan.hooks.map(plannedHook),
      kept: run.kept,
      status: run.status,
      maxConcurrent: run.options.maxConcurrent,
      keepRestorePhase: run.options.keepRestorePhase,
      formerPhase: run.restore.metadata.annotations[ANNOTATION.formerPhase],
    },
    {
      clock,
      journal: forgetfulJournal,
      exec: kubernetesHookExec(
        { open: () => client.connection(), forget: () => client.forgetCredentials() },
        { capture: run.options.capture },
      ),
      logs: kubernetesLogReader(client, { capture: run.options.capture }),
      creator: kubernetesPodCreator(client, run.plan.restore, run.status.runID, run.pods),
      pods: kubernetesPodSource(client, { labelSelector, clock, ...(namespaces ? { namespaces } : {}) }),
      store: kubernetesRunStore(client, run.plan.restore, run.status),
    },
    observer,
  );
}
