import { SERVICE_ACCOUNT } from '../shared/core/names.ts';
import { DEFAULT_IMAGE } from '../shared/core/version.ts';
import { filenameArg, kubeArgs, outputArg } from './args.ts';
import { backupArgs } from './backup-args.ts';
import type { Arguments, Flags } from './command.ts';
import { planArgs } from './plan-input.ts';

export const onlyArg = {
  only: { type: 'strings', value: 'HOOK|POD', description: 'Only this hook, or this pod; can be repeated' },
} as const satisfies Flags;

/** How a run is carried out: `apply` and `retry` take the same. */
export const runnerArgs = {
  runner: {
    type: 'string',
    choices: ['job', 'local'],
    default: 'job',
    description: 'Where the hooks are run from: a Job in the cluster, or this process',
  },
  'no-wait': { type: 'boolean', description: "Return as soon as the Job is created; see it with 'status'" },
  timeout: {
    type: 'duration',
    value: 'DURATION',
    description: 'How long to follow the run (1m30s); the run itself goes on',
  },
  'dry-run': {
    type: 'string',
    choices: ['client', 'server'],
    bare: 'client',
    description: 'Create nothing: print the manifests, or have the API server check them',
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
  'max-concurrent': {
    type: 'integer',
    min: 1,
    default: 64,
    description: 'How many pods may have a hook running at the same time',
  },
  capture: {
    type: 'string',
    choices: ['none', 'tail'],
    default: 'tail',
    description: "How much of the hooks' output the report keeps",
  },
  'fail-on': {
    type: 'string',
    choices: ['fail', 'any'],
    default: 'fail',
    description: 'Which failures make the exit code 3: those of onError: Fail hooks, or any',
  },
  'keep-restore-phase': { type: 'boolean', description: "Leave the Restore's own phase alone" },
  'on-unknown': {
    type: 'string',
    choices: ['fail', 'rerun'],
    default: 'fail',
    description: 'What becomes of hooks that were running when a runner died: left Unknown, or run again',
  },
  record: {
    type: 'string',
    value: 'FILE',
    bare: '',
    description: "Write the run's history, for a bug report: of a Job into its log, of a local run into FILE",
  },
  force: { type: 'boolean', description: "Go on although Velero isn't done with the Restore" },
  ...outputArg(['json', 'yaml', 'wide', 'name']),
  ...kubeArgs,
} as const;

export const applyArgs = {
  ...planArgs,
  again: { type: 'boolean', description: 'Start over with all hooks, also those that succeeded' },
  'allow-no-match': { type: 'boolean', description: 'Exit 0 where the Restore has hooks but none matches a pod' },
  ...filenameArg,
  ...backupArgs,
  ...runnerArgs,
} as const;

export type RunnerArguments = Omit<Arguments<typeof runnerArgs, Record<never, never>>, 'output'>;
export type ApplyArguments = Omit<Arguments<typeof applyArgs, Record<never, never>>, 'output'>;
