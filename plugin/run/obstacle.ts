import { RestoreHooksError } from '../../shared/core/errors.ts';
import { COMPLETION_INDEX } from '../../shared/core/names.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { Session } from '../command-line/session.ts';

/** The kubelet's reasons for which a pod won't start without somebody's help. */
const FATAL = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

/** What keeps the runner of a run from starting. */
export interface Obstacle {
  readonly reason: string;
  readonly message: string;
  /** Won't go away by itself. */
  readonly fatal: boolean;
  /** Every start may go through this for a moment: tell it only if it lasts. */
  readonly passing?: true;
  /** When the Job was created; undefined if the user may not see that. */
  readonly jobMadeAt?: number;
}

export const obstacleLine = ({ reason, message }: Obstacle): string =>
  `the runner doesn't start: ${reason}${message === '' ? '' : `: ${message}`}`;

/** Whether the run is in a Job and no runner has claimed it yet. */
export const isUnclaimed = ({ phase, runner }: RunStatus): boolean =>
  phase === 'Pending' && runner.kind === 'job' && runner.claimedBy === undefined;

/** What keeps a Job from working, as far as the user may see it; undefined if nothing does (R7.18, R7.19). */
export async function obstacleOf(session: Session, status: RunStatus): Promise<Obstacle | undefined> {
  const { runner } = status;
  const { client, namespace } = placeOfRunner(session, status);
  const [job, pods] = await Promise.all([
    asFarAsAllowed(() => client.get(paths.jobs(namespace, runner.name))),
    asFarAsAllowed(() =>
      client.listAll(paths.pods(namespace), { labelSelector: `batch.kubernetes.io/job-name=${runner.name}` }),
    ),
  ]);
  const { metadata, spec, status: ofJob } = (job ?? {}) as RunnerJob;
  if (spec?.suspend) {
    const message = `Job ${runner.name} is suspended (a queue such as Kueue does that); it is waited for until it is resumed`;
    return { reason: 'Suspended', message, fatal: false }; // R7.19
  }
  const all = ((pods?.items ?? []) as unknown as readonly RunnerPod[]).filter(isOfFirstShard);
  const pod = all.filter(({ status: { phase } = {} }) => phase !== 'Succeeded' && phase !== 'Failed').at(-1);
  const madeAt = Date.parse(metadata?.creationTimestamp ?? '');
  const withAge = (obstacle: Obstacle | undefined) =>
    obstacle && { ...obstacle, ...(Number.isNaN(madeAt) ? {} : { jobMadeAt: madeAt }) };
  if (pod !== undefined) return withAge(await podObstacle({ client, namespace }, pod));
  // The Job's controller has started the Job, but there is no pod.
  if (pods === undefined || all.length > 0 || ofJob?.startTime === undefined || isOver(ofJob)) return undefined;
  return withAge(await noPod({ client, namespace }, runner.name));
}

/** Whether the runner's container is running, so that it will claim the run soon; undefined if the user may not see that. */
export async function isUp(session: Session, status: RunStatus): Promise<boolean | undefined> {
  const { client, namespace } = placeOfRunner(session, status);
  const labelSelector = `batch.kubernetes.io/job-name=${status.runner.name}`;
  const pods = await asFarAsAllowed(() => client.listAll(paths.pods(namespace), { labelSelector }));
  const isRunning = ({ name, state }: ContainerStatus): boolean => name === 'runner' && state?.running !== undefined;
  const found = pods?.items as unknown as readonly RunnerPod[] | undefined;
  return found?.filter(isOfFirstShard).some(({ status }) => status?.containerStatuses?.some(isRunning));
}

/** The first shard claims the run; until then the others only wait for it (R8.43). */
const isOfFirstShard = ({ metadata: { annotations = {} } }: RunnerPod): boolean =>
  (annotations[COMPLETION_INDEX] ?? '0') === '0';

interface RunnerJob {
  readonly metadata?: { readonly creationTimestamp?: string };
  readonly spec?: { readonly suspend?: boolean };
  readonly status?: {
    readonly startTime?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: object;
  };
}

interface RunnerPod {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly status?: {
    readonly phase?: string;
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly conditions?: readonly { type: string; status: string; reason?: string; message?: string }[];
  };
}

const isOver = ({ conditions = [] }: NonNullable<RunnerJob['status']>): boolean =>
  conditions.some(({ type, status }) => (type === 'Failed' || type === 'Complete') && status === 'True');

/** Where a run's Job and its pod are. */
type Place = Pick<Session, 'client' | 'namespace'>;

const placeOfRunner = ({ client, namespace }: Session, { runNamespace = namespace }: RunStatus): Place => ({
  client,
  namespace: runNamespace,
});

async function podObstacle(
  place: Place,
  { metadata: { name }, status = {} }: RunnerPod,
): Promise<Obstacle | undefined> {
  const { initContainerStatuses = [], containerStatuses = [], conditions = [] } = status;
  // Webhooks may have added containers to the pod, and the runner has to wait for these.
  for (const container of [...initContainerStatuses, ...containerStatuses]) {
    const { reason = '', message = '' } = container.state?.waiting ?? {};
    const own = container.name === 'runner' ? '' : `container ${container.name} of its pod: `;
    if (FATAL.has(reason)) return { reason, message: `${own}${message}`, fatal: true };
    if (reason === 'CrashLoopBackOff') return { reason, message: `${own}${message}`, fatal: false };
  }
  const scheduled = conditions.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') {
    return { reason: scheduled.reason ?? 'Unschedulable', message: scheduled.message ?? '', fatal: false };
  }
  if (containerStatuses.some(({ state }) => state?.running !== undefined)) return undefined;
  const event = await newestEvent(place, 'Pod', name);
  if (event === 'forbidden') {
    const message = `${seeEvents(place, 'pod', name)}`;
    return { reason: waitingFor(status), message, fatal: false, passing: true };
  }
  if (event === undefined) return undefined;
  const { type, reason = '', message = '' } = event;
  if (type === 'Warning') return { reason, message, fatal: false };
  return { reason: waitingFor(status), message, fatal: false, passing: true };
}

/** The reason why a container waits (`ContainerCreating`, `PodInitializing`), else the pod's phase. */
const waitingFor = ({ phase = 'Pending', containerStatuses = [] }: NonNullable<RunnerPod['status']>): string =>
  containerStatuses.flatMap(({ state }) => state?.waiting?.reason ?? [])[0] ?? phase;

/** Why a Job has no pod (quota, admission, no ServiceAccount). Only events tell, and not everybody may read these. */
async function noPod(place: Place, job: string): Promise<Obstacle | undefined> {
  const event = await newestEvent(place, 'Job', job);
  if (event !== undefined && event !== 'forbidden' && event.reason === 'FailedCreate') {
    return { reason: 'FailedCreate', message: event.message ?? '', fatal: true };
  }
  const message = event === 'forbidden' ? `; ${seeEvents(place, 'job', job)}` : '';
  return { reason: 'NoPod', message: `Job ${job} has no pod${message}`, fatal: true, passing: true };
}

const seeEvents = ({ namespace }: Place, kind: string, name: string): string =>
  `its Events say why, and you may not list them: kubectl describe ${kind} ${name} -n ${namespace}`;

interface Event {
  readonly metadata: { readonly creationTimestamp?: string };
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
  readonly series?: { readonly lastObservedTime?: string } | null;
}

/** The newest event about an object. */
async function newestEvent(place: Place, kind: string, name: string): Promise<Event | 'forbidden' | undefined> {
  const fieldSelector = `involvedObject.kind=${kind},involvedObject.name=${name}`;
  const events = await asFarAsAllowed(() => place.client.listAll(paths.events(place.namespace), { fieldSelector }));
  if (events === undefined) return 'forbidden';
  return (events.items as unknown as readonly Event[]).reduce<Event | undefined>(
    (last, each) => (last === undefined || timeOf(each) >= timeOf(last) ? each : last),
    undefined,
  );
}

const timeOf = ({ metadata, lastTimestamp, eventTime, series }: Event): number =>
  Date.parse(series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '') || 0;

/** The answer; undefined if the user may not see the object or it doesn't exist. */
async function asFarAsAllowed<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (kubeApiError(error)?.status === 403) return undefined;
    if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
