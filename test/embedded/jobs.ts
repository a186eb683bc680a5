import type { Api } from './api.ts';
import type { KubeObject, ObjectMeta, Pod } from './objects.ts';
import { asPod, timestamp } from './objects.ts';
import { jobs, pods } from './resources.ts';
import { ApiError } from './status.ts';
import type { Store } from './store.ts';

interface FailureRule {
  readonly action: 'FailJob' | 'Ignore' | 'Count' | 'FailIndex';
  readonly onExitCodes?: {
    readonly containerName?: string;
    readonly operator: 'In' | 'NotIn';
    readonly values: number[];
  };
  readonly onPodConditions?: readonly { readonly type: string; readonly status?: string }[];
}

interface JobSpec {
  readonly backoffLimit: number;
  readonly backoffLimitPerIndex?: number;
  readonly maxFailedIndexes?: number;
  readonly parallelism: number;
  readonly completions: number;
  readonly completionMode: string;
  readonly suspend: boolean;
  readonly activeDeadlineSeconds?: number;
  readonly podFailurePolicy?: { readonly rules: readonly FailureRule[] };
  readonly template: { readonly metadata?: object; readonly spec: object };
}

interface JobStatus {
  readonly startTime?: string;
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

interface Job extends KubeObject {
  spec: JobSpec;
  status: JobStatus;
}

/** How each pod that a Job ever had has ended, also those that are gone. */
interface Tally {
  readonly seen: Map<string, string>;
  readonly succeeded: Map<string, string>;
  readonly failed: Set<string>;
  readonly ignored: Set<string>;
  failedBy: string | undefined;
  creationFailures: number;
  /** After a failed pod, or one that could not be made, the next is made later: while that is waited for. */
  backingOff: boolean;
  /** How many failed pods were waited for. */
  backedOffFor: number;
}

const indexKey = 'batch.kubernetes.io/job-completion-index';
const component = 'job-controller';

export interface JobController {
  close(): void;
}

/** The Job controller: creates a Job's pods, counts how they end, and writes the Job's status. */
export function createJobController(store: Store, api: Api, options: { podBackoff: number }): JobController {
  const tallies = new Map<string, Tally>();
  const timers = new Set<NodeJS.Timeout>();

  const later = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer.unref());
  };
  const reconcileLater = (uid: string, ms = 0): void => later(ms, () => reconcile(uid));

  const unsubscribe = store.subscribe(({ of, type, object }) => {
    if (of === jobs) {
      const uid = object.metadata.uid ?? '';
      if (type === 'DELETED') tallies.delete(uid);
      else if (type === 'ADDED') {
        tallies.set(uid, {
          seen: new Map(),
          succeeded: new Map(),
          failed: new Set(),
          ignored: new Set(),
          failedBy: undefined,
          creationFailures: 0,
          backingOff: false,
          backedOffFor: 0,
        });
        reconcileLater(uid);
      }
    } else if (of === pods) {
      const owner = object.metadata.ownerReferences?.find((each) => each.controller && each.kind === 'Job');
      if (owner !== undefined) reconcileLater(owner.uid);
    }
  });

  function reconcile(uid: string): void {
    const job = store.list(jobs).find((each) => each.metadata.uid === uid) as Job | undefined;
    const tally = tallies.get(uid);
    if (job === undefined || tally === undefined) return;
    const finished = job.status.conditions?.some((each) => ['Complete', 'Failed'].includes(each.type));
    if (finished || job.metadata.deletionTimestamp !== undefined || job.spec.suspend) return;
    const startTime = job.status.startTime ?? timestamp();
    const owned = podsOf(job);
    count(job, owned, tally);
    const active = owned.filter((pod) => !hasEnded(pod));
    const failure = failureOf(job, tally, startTime);
    const complete = tally.succeeded.size >= job.spec.completions;
    const conditions = failure !== undefined ? failedConditions(failure) : complete ? completeConditions() : undefined;
    api.setStatus(jobs, job, {
      ...(active.length === 0 || failure !== undefined ? {} : { active: active.length }),
      ...(tally.succeeded.size === 0 ? {} : { succeeded: tally.succeeded.size }),
      ...(tally.failed.size === 0 ? {} : { failed: tally.failed.size }),
      ready: active.filter((pod) =>
        pod.status.conditions?.some((each) => each.type === 'Ready' && each.status === 'True'),
      ).length,
      terminating: active.filter((pod) => pod.metadata.deletionTimestamp !== undefined).length,
      startTime,
      uncountedTerminatedPods: {},
      ...(conditions === undefined ? {} : { conditions }),
      ...(complete && failure === undefined ? { completionTime: timestamp() } : {}),
    });
    if (failure !== undefined) {
      api.event(job, 'Warning', failure.reason, failure.message, component);
      for (const pod of active) api.delete(pods, pod.metadata.namespace, pod.metadata.name);
    } else if (complete) api.event(job, 'Normal', 'Completed', 'Job completed', component);
    else fill(job, active, tally);
    if (job.spec.activeDeadlineSeconds !== undefined && conditions === undefined) {
      reconcileLater(uid, Date.parse(startTime) + job.spec.activeDeadlineSeconds * 1000 - Date.now() + 50);
    }
  }

  const podsOf = (job: Job): Pod[] =>
    store
      .list(pods, job.metadata.namespace)
      .filter((pod) => pod.metadata.ownerReferences?.some((each) => each.uid === job.metadata.uid))
      .map(asPod);

  const fill = (job: Job, active: readonly Pod[], tally: Tally): void => {
    const open = job.spec.completions - tally.succeeded.size;
    const wanted = Math.min(job.spec.parallelism, open) - active.length;
    const taken = new Set([...active.map(indexOf), ...tally.succeeded.values()]);
    if (wanted <= 0 || tally.backingOff) return;
    if (tally.failed.size > tally.backedOffFor) {
      backOff(job, tally, options.podBackoff, () => {
        tally.backedOffFor = tally.failed.size;
      });
      return;
    }
    for (let made = 0; made < wanted && !tally.backingOff; made += 1) {
      let index = 0;
      while (taken.has(String(index))) index += 1;
      taken.add(String(index));
      createPod(job, String(index), tally);
    }
  };

  const backOff = (job: Job, tally: Tally, ms: number, over = (): void => undefined): void => {
    tally.backingOff = true;
    later(ms, () => {
      tally.backingOff = false;
      over();
      reconcile(job.metadata.uid ?? '');
    });
  };

  const createPod = (job: Job, index: string, tally: Tally): void => {
    const { name, namespace = '', uid = '' } = job.metadata;
    const indexed = job.spec.completionMode === 'Indexed';
    const template = structuredClone(job.spec.template) as { metadata?: Partial<ObjectMeta>; spec: Pod['spec'] };
    const { spec } = template;
    const metadata: Partial<ObjectMeta> = {
      ...template.metadata,
      generateName: indexed ? `${name}-${index}-` : `${name}-`,
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true, blockOwnerDeletion: true }],
    };
    if (indexed) {
      metadata.annotations = { ...metadata.annotations, [indexKey]: index };
      metadata.labels = { ...metadata.labels, [indexKey]: index };
      for (const container of spec.containers) {
        container.env = [...(container.env ?? []), { name: 'JOB_COMPLETION_INDEX', value: index }];
      }
    }
    try {
      const pod = api.create(pods, namespace, { metadata, spec });
      tally.creationFailures = 0;
      api.event(job, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`, component);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      api.event(job, 'Warning', 'FailedCreate', `Error creating: ${error.message}`, component);
      tally.creationFailures += 1;
      backOff(job, tally, Math.min(500 * 2 ** tally.creationFailures, 10_000));
    }
  };

  return {
    close: () => {
      unsubscribe();
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

const indexOf = (pod: Pod): string => pod.metadata.annotations?.[indexKey] ?? pod.metadata.uid ?? '';
const hasEnded = (pod: Pod): boolean => ['Succeeded', 'Failed'].includes(pod.status.phase);

/** Take note of pods that have ended since the last time; one that vanished while active has failed. */
function count(job: Job, owned: readonly Pod[], tally: Tally): void {
  for (const pod of owned) {
    const { uid = '' } = pod.metadata;
    tally.seen.set(uid, indexOf(pod));
    if (!hasEnded(pod) || tally.succeeded.has(uid) || tally.failed.has(uid) || tally.ignored.has(uid)) continue;
    if (pod.status.phase === 'Succeeded') {
      tally.succeeded.set(uid, indexOf(pod));
      continue;
    }
    const rules = job.spec.podFailurePolicy?.rules ?? [];
    const at = rules.findIndex((rule) => applies(rule, pod));
    const rule = rules[at];
    if (rule?.action === 'Ignore') tally.ignored.add(uid);
    else tally.failed.add(uid);
    if (rule?.action === 'FailJob') tally.failedBy = ruleText(pod, at);
  }
  const here = new Set(owned.map((pod) => pod.metadata.uid ?? ''));
  for (const uid of tally.seen.keys()) {
    if (!here.has(uid) && !tally.succeeded.has(uid) && !tally.ignored.has(uid)) tally.failed.add(uid);
  }
}

const terminatedOf = (pod: Pod) =>
  [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])].flatMap(({ name, state }) =>
    state.terminated === undefined || state.terminated.exitCode === 0
      ? []
      : [{ name, code: state.terminated.exitCode }],
  );

function applies(rule: FailureRule, pod: Pod): boolean {
  const { onExitCodes, onPodConditions } = rule;
  if (onExitCodes !== undefined) {
    return terminatedOf(pod)
      .filter(({ name }) => (onExitCodes.containerName ?? name) === name)
      .some(({ code }) => onExitCodes.values.includes(code) === (onExitCodes.operator === 'In'));
  }
  return (onPodConditions ?? []).some((wanted) =>
    pod.status.conditions?.some((each) => each.type === wanted.type && each.status === (wanted.status ?? 'True')),
  );
}

function ruleText(pod: Pod, index: number): string {
  const [first] = terminatedOf(pod);
  const { namespace, name } = pod.metadata;
  return `Container ${first?.name} for pod ${namespace}/${name} failed with exit code ${first?.code} matching FailJob rule at index ${index}`;
}

/** How many indexes of an Indexed Job have failed too often. */
function failedIndexes({ spec: { backoffLimitPerIndex } }: Job, tally: Tally): number {
  if (backoffLimitPerIndex === undefined) return 0;
  const failures = Map.groupBy(tally.failed, (uid) => tally.seen.get(uid));
  return [...failures.values()].filter((ofIndex) => ofIndex.length > backoffLimitPerIndex).length;
}

function failureOf(job: Job, tally: Tally, startTime: string): { reason: string; message: string } | undefined {
  const { activeDeadlineSeconds, backoffLimit } = job.spec;
  if (tally.failedBy !== undefined) return { reason: 'PodFailurePolicy', message: tally.failedBy };
  if (failedIndexes(job, tally) > (job.spec.maxFailedIndexes ?? Number.POSITIVE_INFINITY)) {
    return {
      reason: 'MaxFailedIndexesExceeded',
      message: 'Job has exceeded the specified maximal number of failed indexes',
    };
  }
  if (tally.failed.size > backoffLimit) {
    return { reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  }
  if (activeDeadlineSeconds !== undefined && Date.now() >= Date.parse(startTime) + activeDeadlineSeconds * 1000) {
    return { reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  }
  return undefined;
}

const condition = (type: string, why: { reason: string; message: string }) => ({
  type,
  status: 'True',
  lastProbeTime: timestamp(),
  lastTransitionTime: timestamp(),
  ...why,
});
const failedConditions = (why: { reason: string; message: string }) => [
  condition('FailureTarget', why),
  condition('Failed', why),
];
const completeConditions = () => {
  const why = { reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
  return [condition('SuccessCriteriaMet', why), condition('Complete', why)];
};
