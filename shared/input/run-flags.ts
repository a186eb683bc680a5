import { CAPTURE_EXPECTED, isCapture } from '../core/model/capture.ts';
import { SOURCES } from '../core/model/hook.ts';
import type { Flags } from './flags.ts';

/** The flags that say what is planned, for `plan`, `apply`, the image and Lambda alike. */
export const planFlags = {
  hooks: {
    type: 'list',
    value: 'FILE',
    description: "File with hooks (kind RestoreHooks) that replace the Restore's; can be repeated",
  },
  sources: {
    type: 'list',
    value: 'SOURCE',
    choices: SOURCES,
    description: 'Read only these sources of hooks (annotations, spec, file); can be repeated',
  },
  only: { type: 'strings', value: 'HOOK|POD', description: 'Only this hook or this pod; can be repeated' }, // R1.23
  skip: { type: 'strings', value: 'HOOK|POD', description: 'Not this hook or this pod; can be repeated' }, // R1.41
  'max-exec-timeout': {
    type: 'duration',
    value: 'DURATION',
    positive: true,
    description: 'No command may run longer, whatever exec timeout it has',
  },
  detach: { type: 'boolean', description: 'Detach all commands: they outlive their connection' },
  rerun: { type: 'boolean', description: 'Include the hooks that Velero has run, perhaps only in part' },
  force: {
    type: 'boolean',
    description: 'Go on although Velero has not finished the Restore, or has given up its hooks and may still run them',
  },
  'include-existing': {
    type: 'boolean',
    description:
      "Include pods with the Restore's label that are older than the Restore (existingResourcePolicy: update)",
  },
  'recreate-pods': {
    type: 'boolean',
    description: 'Delete pods that lack their init containers and have no controller, and create them again with these',
  },
  selector: {
    type: 'string',
    short: 'l',
    value: 'SELECTOR',
    description: "Find the pods by this label selector instead of Velero's label",
  },
  'all-namespaces': { type: 'boolean', short: 'A', description: 'With --selector: look in all namespaces' },
  'pod-namespace': {
    type: 'list',
    value: 'NAMESPACE',
    description: 'With --selector: look in this namespace; can be repeated',
  },
} as const satisfies Flags;

/** The flags that say whether a run is made at all, for `apply`, the image and Lambda. */
export const startFlags = {
  again: { type: 'boolean', description: 'Start over: run all hooks, also those that have succeeded' },
  'allow-no-match': {
    type: 'boolean',
    description: 'Exit 0 if no pod is found, or if the Restore has hooks and none of them matches a pod',
  },
  'wait-for-restore': {
    type: 'duration',
    value: 'DURATION',
    bare: '30m',
    description:
      'First wait until the Restore exists and Velero is done with it, at most this long (default 30m); with --force only until it exists', // R7.80
  },
} as const satisfies Flags;

/** The flags of a runner that others can look at while it works: a Job, or the plugin's own process. */
export const metricsFlags = {
  'metrics-port': {
    type: 'integer',
    min: 1,
    max: 65_535,
    value: 'PORT',
    description: 'Serve metrics for Prometheus at /metrics on this port while the run goes on', // R8.70
  },
} as const satisfies Flags;

/** The flags that say how a run is carried out, for everybody who starts one. */
export const executionFlags = {
  'max-concurrent': {
    type: 'integer',
    min: 1,
    default: 64,
    description: 'In how many pods hooks may run at the same time',
  },
  capture: {
    type: 'string',
    value: 'none|tail|full[:SIZE]',
    choices: ['none', 'tail', 'full'],
    form: { is: isCapture, expected: CAPTURE_EXPECTED },
    default: 'tail',
    description:
      "Keep of each hook's output nothing, the last 4 KiB, or all of it up to SIZE for each stream (default: 1Mi)", // R5.16
  },
  'fail-on': {
    type: 'string',
    choices: ['fail', 'any'],
    default: 'fail',
    description: 'Exit 3 if a hook with onError: Fail did not succeed, or if any hook did not',
  },
  'keep-restore-phase': { type: 'boolean', description: "Don't change the Restore's own phase" },
  'on-unknown': {
    type: 'string',
    choices: ['fail', 'rerun'],
    default: 'fail',
    description: 'Hooks that were running when a runner died: leave them Unknown, or run them again',
  },
  deadline: {
    type: 'duration',
    value: 'DURATION',
    positive: true,
    description:
      'How long the run may take, over all its runners; then nothing more starts, the run ends Failed, and apply or retry goes on', // R7.82
  },
} as const satisfies Flags;
