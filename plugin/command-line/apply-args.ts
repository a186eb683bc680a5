import type { JobSettings } from '../../shared/core/manifests/defaults.ts';
import { MOST_SHARDS } from '../../shared/core/model/shard.ts';
import { DEFAULTS_NAME, IMAGE, SERVICE_ACCOUNT } from '../../shared/core/names.ts';
import { DEFAULT_IMAGE } from '../../shared/core/version.ts';
import type { Flags } from '../../shared/input/flags.ts';
import { executionFlags, metricsFlags, planFlags, startFlags } from '../../shared/input/run-flags.ts';
import { filenameArg, kubeArgs, outputArg, runNamespaceArg } from './args.ts';
import { backupArgs } from './backup-args.ts';
import type { Arguments } from './command.ts';

export const onlyArg = {
  only: planFlags.only,
  skip: planFlags.skip,
} as const satisfies Flags;

/** The flags that say how a run is carried out. `apply` and `retry` share them. */
export const runnerArgs = {
  runner: {
    type: 'string',
    choices: ['job', 'local'],
    default: 'job',
    description: 'Run the hooks from a Job in the cluster, or from this process',
  },
  'no-wait': { type: 'boolean', description: "Return as soon as the Job is created; 'status' shows the run" },
  timeout: {
    type: 'duration',
    value: 'DURATION',
    description:
      'Stop following the run after this time (1m30s); a Job goes on, --runner=local leaves the rest to the next apply',
  },
  'dry-run': {
    type: 'string',
    choices: ['client', 'server'],
    bare: 'client',
    description: 'Create nothing: print the manifests, or let the API server check them',
  },
  image: {
    type: 'string',
    value: 'IMAGE',
    form: IMAGE,
    description: `The runner's image (default: that of ConfigMap ${DEFAULTS_NAME}, else ${DEFAULT_IMAGE})`,
  },
  'image-pull-secret': {
    type: 'strings',
    value: 'SECRET',
    description: `Secret to pull the image with, instead of those of ConfigMap ${DEFAULTS_NAME}; can be repeated`,
  },
  'service-account': {
    type: 'string',
    value: 'NAME',
    description: `The ServiceAccount that the Job runs as (default: that of ConfigMap ${DEFAULTS_NAME}, else ${SERVICE_ACCOUNT})`,
  },
  'job-patch': {
    type: 'string',
    value: 'FILE',
    description: 'JSON merge patch over the Job (nodeSelector, tolerations, resources, labels, env, …), YAML or JSON',
  },
  ...runNamespaceArg,
  ...executionFlags,
  ...metricsFlags,
  parallelism: {
    type: 'integer',
    min: 1,
    default: 1,
    description: `Divide the pods among N runners, the pods of an Indexed Job (at most ${MOST_SHARDS}); together they keep --max-concurrent`, // R8.40
  },
  record: {
    type: 'string',
    value: 'FILE',
    bare: '',
    description: 'Record the run for a bug report: a Job writes to its log, a local run to FILE',
  },
  force: planFlags.force,
  ...outputArg(['json', 'yaml', 'wide', 'name']),
  ...kubeArgs,
} as const;

export const applyArgs = {
  ...planFlags,
  ...startFlags,
  ...filenameArg,
  ...backupArgs,
  ...runnerArgs,
} as const;

/** With the settings of the Job that the flags and the defaults come to. */
type Settled<Given> = Omit<Given, 'output' | 'jobPatch' | 'runNamespace' | keyof JobSettings> &
  Omit<JobSettings, 'defaultRunNamespace'>;
export type RunnerArguments = Settled<Arguments<typeof runnerArgs, Record<never, never>>>;
export type ApplyArguments = Settled<Arguments<typeof applyArgs, Record<never, never>>>;
