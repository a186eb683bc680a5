import { SERVICE_ACCOUNT } from '../../shared/core/names.ts';
import { DEFAULT_IMAGE } from '../../shared/core/version.ts';
import type { Flags } from '../../shared/input/flags.ts';
import { executionFlags, planFlags, startFlags } from '../../shared/input/run-flags.ts';
import { filenameArg, kubeArgs, outputArg } from './args.ts';
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
  image: { type: 'string', value: 'IMAGE', default: DEFAULT_IMAGE, description: "The runner's image" },
  'image-pull-secret': {
    type: 'strings',
    value: 'SECRET',
    description: 'Secret to pull the image with; can be repeated',
  },
  'service-account': {
    type: 'string',
    value: 'NAME',
    default: SERVICE_ACCOUNT,
    description: 'The ServiceAccount that the Job runs as',
  },
  ...executionFlags,
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

export type RunnerArguments = Omit<Arguments<typeof runnerArgs, Record<never, never>>, 'output'>;
export type ApplyArguments = Omit<Arguments<typeof applyArgs, Record<never, never>>, 'output'>;
