import { ExitCode } from '../errors.ts';
import type { OnUnknown } from '../journal/resume.ts';
import type { Capture } from '../model/capture.ts';
import { formatDuration } from '../model/duration.ts';
import { PLAN_DIRECTORY, planSecretName, runName, SERVICE_ACCOUNT } from '../names.ts';
import type { RestoreReference } from '../plan/plan-document.ts';
import type { JobPatch } from './job-patch.ts';
import { patchedJob } from './job-patch.ts';
import { runMetadata } from './run-objects.ts';

/** How a run is carried out: `apply`'s options, and the arguments of the runner. */
export interface RunOptions {
  readonly maxConcurrent: number;
  readonly capture: Capture;
  readonly failOn: 'fail' | 'any';
  readonly keepRestorePhase: boolean;
  /** What becomes of hooks that were running when a runner died. */
  readonly onUnknown: OnUnknown;
  /** Write the run's history into the runner's log. */
  readonly record: boolean;
  /** How long the run may take over all its runners; absent: as long as it takes. */
  readonly deadlineMs?: number | undefined;
  /** Where the runner serves metrics; absent: nowhere. */
  readonly metricsPort?: number | undefined;
  /** How many pods work on the run at the same time, a shard each; absent: one. */
  readonly parallelism?: number | undefined;
}

/** The span that a run belongs to, as its starter's environment names it (W3C Trace Context). */
export interface TraceContext {
  readonly TRACEPARENT: string;
  readonly TRACESTATE?: string;
}

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
/** The W3C wants at least 512 characters of it to be passed on. */
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

/** Undefined: there is none that can be read, so it isn't passed on. */
export function traceContext(env: Readonly<Record<string, string | undefined>>): TraceContext | undefined {
  const { TRACEPARENT: parent = '', TRACESTATE: state = '' } = env;
  if (!TRACEPARENT.test(parent)) return undefined;
  return { TRACEPARENT: parent, ...(TRACESTATE.test(state) && { TRACESTATE: state }) };
}

export interface RunnerJob {
  readonly restore: RestoreReference;
  readonly runID: string;
  readonly image: string;
  readonly imagePullSecrets: readonly string[];
  readonly serviceAccount: string;
  readonly options: RunOptions;
  /** The run that the plan takes into account: a Job that begins without `apply` refuses to follow any other. */
  readonly after?: string | undefined;
  /** How many plan Secrets there are. */
  readonly planParts: number;
  readonly trace?: TraceContext | undefined;
  /** What the user changes of the Job, one after the other. */
  readonly patches?: readonly JobPatch[] | undefined;
}

const planPartKey = (part: number): string => `plan-${String(part).padStart(3, '0')}`;

/** How often a runner may die before its Job gives up; disruptions (evictions, drained nodes) don't count (R8.4). */
const BACKOFF_LIMIT = 6;
/** How long running hooks may take to end when the runner's pod has to go. */
const TERMINATION_GRACE_SECONDS = 60;
/** What a runtime says of an image that is no runner: no such command, or none that can be run. */
const NO_RUNNER_EXIT_CODES = [126, 127, 128];
/** With these another pod would come to the same: all but a bug, an API server out of reach, and signals. In order (R8.4). */
const FINAL_EXIT_CODES = [
  ...Object.values(ExitCode).filter(
    (code) => code !== ExitCode.Ok && code !== ExitCode.Bug && code !== ExitCode.Unreachable,
  ),
  ...NO_RUNNER_EXIT_CODES,
].sort((a, b) => a - b);

const ONE_DAY_SECONDS = 86_400;
/** The image's user. */
const NONROOT = 65_532;

/** The run's Job (R8.1): nothing secret in it, and admitted under PodSecurity `restricted`. */
export function runnerJob({
  restore,
  runID,
  image,
  imagePullSecrets,
  serviceAccount,
  options,
  after,
  planParts,
  trace,
  patches = [],
}: RunnerJob) {
  const name = runName(restore.name, runID);
  const metadata = runMetadata(restore, runID);
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, ...metadata },
    spec: {
      ...retriesOf(options),
      // The next pod is made when this one is gone, and not while it ends.
      podReplacementPolicy: 'Failed',
      podFailurePolicy: POD_FAILURE_POLICY,
      ttlSecondsAfterFinished: ONE_DAY_SECONDS, // R8.5
      template: {
        metadata: { labels: metadata.labels },
        spec: {
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: TERMINATION_GRACE_SECONDS,
          serviceAccountName: serviceAccount,
          enableServiceLinks: false,
          ...(imagePullSecrets.length > 0
            ? { imagePullSecrets: imagePullSecrets.map((secret) => ({ name: secret })) }
            : {}),
          securityContext: {
            runAsNonRoot: true,
            runAsUser: NONROOT,
            runAsGroup: NONROOT,
            fsGroup: NONROOT,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            runnerContainer(name, image, runnerArgs(restore, runID, options, after), options.metricsPort, trace),
          ],
          // Readable for the user that a cluster chooses where `runAsUser` and `fsGroup` are left to it (R8.29).
          volumes: [{ name: 'plan', projected: { defaultMode: 0o444, sources: planSources(name, planParts) } }],
        },
      },
    },
  };
  return patchedJob(job, patches);
}

/** How often a runner may die. In an Indexed Job each shard has its own tries, and none may be given up (R8.40, R8.49). */
const retriesOf = ({ parallelism = 1 }: RunOptions) =>
  parallelism === 1
    ? { backoffLimit: BACKOFF_LIMIT }
    : {
        completionMode: 'Indexed',
        completions: parallelism,
        parallelism,
        backoffLimitPerIndex: BACKOFF_LIMIT,
        maxFailedIndexes: 0,
      };

/** The Job of no run, to try patches on before there is one. */
export const sampleJob = (namespace: string, patches: readonly JobPatch[]) =>
  runnerJob({
    restore: { namespace, name: 'any', uid: 'any' },
    runID: 'any',
    image: 'any',
    imagePullSecrets: [],
    serviceAccount: SERVICE_ACCOUNT,
    options: {
      maxConcurrent: 1,
      capture: 'none',
      failOn: 'fail',
      keepRestorePhase: false,
      onUnknown: 'fail',
      record: false,
    },
    planParts: 1,
    patches,
  });

/** Refuse a patch that no run's Job could take, before there is a run (R8.21). */
export function requirePatch(patch: JobPatch): void {
  sampleJob('velero', [patch]);
}

/** A disruption (an eviction, a drained node) does not count against the backoff limit; a final exit code ends the Job. */
const POD_FAILURE_POLICY = {
  rules: [
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    { action: 'FailJob', onExitCodes: { containerName: 'runner', operator: 'In', values: FINAL_EXIT_CODES } },
  ],
};

const runnerContainer = (
  job: string,
  image: string,
  args: readonly string[],
  metricsPort: number | undefined,
  trace: TraceContext | undefined,
) => ({
  name: 'runner',
  image,
  imagePullPolicy: 'IfNotPresent', // R8.5
  // Whoever finds the runner dead reads its last words in the pod's status.
  terminationMessagePolicy: 'FallbackToLogsOnError',
  args,
  ...(metricsPort !== undefined && { ports: [{ name: 'metrics', containerPort: metricsPort, protocol: 'TCP' }] }), // R8.70
  env: [
    fromField('POD_NAME', 'metadata.name'),
    fromField('POD_UID', 'metadata.uid'),
    { name: 'JOB_NAME', value: job },
    { name: 'TERMINATION_GRACE_SECONDS', value: `${TERMINATION_GRACE_SECONDS}` },
    ...Object.entries(trace ?? {}).map(([variable, value]) => ({ name: variable, value })), // R8.76
  ],
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  },
  resources: { requests: { cpu: '50m', memory: '128Mi' } },
  volumeMounts: [{ name: 'plan', mountPath: PLAN_DIRECTORY, readOnly: true }],
});

function runnerArgs(
  restore: RestoreReference,
  runID: string,
  options: RunOptions,
  after: string | undefined,
): string[] {
  const { name, namespace, runNamespace } = restore;
  return [
    name,
    `--namespace=${namespace}`,
    ...(runNamespace === undefined ? [] : [`--run-namespace=${runNamespace}`]),
    `--run-id=${runID}`,
    `--plan=${PLAN_DIRECTORY}`,
    ...(after === undefined ? [] : [`--after=${after}`]),
    `--max-concurrent=${options.maxConcurrent}`,
    `--capture=${options.capture}`,
    `--fail-on=${options.failOn}`,
    ...(options.keepRestorePhase ? ['--keep-restore-phase'] : []),
    ...(options.onUnknown === 'fail' ? [] : [`--on-unknown=${options.onUnknown}`]),
    ...(options.record ? ['--record'] : []),
    ...(options.deadlineMs === undefined ? [] : [`--deadline=${formatDuration(options.deadlineMs)}`]),
    ...(options.metricsPort === undefined ? [] : [`--metrics-port=${options.metricsPort}`]),
    ...((options.parallelism ?? 1) === 1 ? [] : [`--parallelism=${options.parallelism}`]),
  ];
}

const fromField = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

const planSources = (run: string, parts: number) =>
  Array.from({ length: parts }, (_, part) => ({ secret: { name: planSecretName(run, part) } }));

/** One piece of the plan; owned by the Restore until there is a Job to own it (R8.2). */
export function planSecret(restore: RestoreReference, runID: string, part: number, base64: string) {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: planSecretName(runName(restore.name, runID), part), ...runMetadata(restore, runID) },
    type: 'restorehooks.io/plan',
    data: { [planPartKey(part)]: base64 },
  };
}
