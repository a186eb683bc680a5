import type { JobSettings } from '../../shared/core/manifests/defaults.ts';
import { nameOfA } from '../../shared/core/names.ts';
import { camelCase } from '../../shared/input/argv.ts';
import { executionFlags, planFlags } from '../../shared/input/run-flags.ts';
import { onlyArg, runnerArgs } from './apply-args.ts';
import { kubeArgs, outputArg } from './args.ts';
import { backupArgs } from './backup-args.ts';
import type { Arguments } from './command.ts';
import { usage } from './session.ts';

const DEFAULT_DEADLINE_MS = 30 * 60_000;

export const rehearseArgs = {
  'from-schedule': {
    type: 'string',
    value: 'SCHEDULE',
    form: nameOfA('Schedule'),
    description: 'Rehearse the last Backup of this Schedule that has completed, instead of BACKUP',
  },
  'include-namespaces': {
    type: 'list',
    value: 'NAMESPACE',
    description:
      "Only these namespaces of the backup; patterns as Velero's (default: all but Velero's own and the cluster's)",
  },
  'exclude-resources': {
    type: 'list',
    value: 'RESOURCE',
    description: 'Also leave these resources out (ingresses and cronjobs always are)',
  },
  'deny-egress': {
    type: 'boolean',
    description:
      'Let no pod of the rehearsal reach anything outside of it (a NetworkPolicy), but ports 53 and 5353 of pods, for name ' +
      'servers, which may ask outside',
  },
  id: {
    type: 'string',
    value: 'WORD',
    description: "The end of the namespaces' names: NAMESPACE-rehearsal-WORD (default: six random letters and digits)",
  },
  keep: { type: 'boolean', description: 'Leave it when it has ended; --cleanup removes it' },
  cleanup: {
    type: 'boolean',
    description: 'Remove what a rehearsal has left, by its id; without an id, list the rehearsals that stand',
  },
  yes: { type: 'boolean', short: 'y', description: "Don't ask on a terminal" },
  hooks: planFlags.hooks,
  sources: planFlags.sources,
  ...onlyArg,
  'max-exec-timeout': planFlags['max-exec-timeout'],
  detach: planFlags.detach,
  rerun: planFlags.rerun,
  'recreate-pods': planFlags['recreate-pods'],
  runner: runnerArgs.runner,
  image: runnerArgs.image,
  'image-pull-secret': runnerArgs['image-pull-secret'],
  'service-account': runnerArgs['service-account'],
  'job-patch': runnerArgs['job-patch'],
  'max-concurrent': executionFlags['max-concurrent'],
  capture: executionFlags.capture,
  'fail-on': executionFlags['fail-on'],
  deadline: {
    type: 'duration',
    value: 'DURATION',
    positive: true,
    default: DEFAULT_DEADLINE_MS,
    description: 'How long restoring and hooks may take together (default: 30m); then it is removed',
  },
  'dry-run': {
    type: 'string',
    choices: ['none', 'client'],
    bare: 'client',
    description:
      'Print the manifests, and create nothing but the DownloadRequests that tell what the Backup holds; with --cleanup ' +
      'print what would be removed, and remove nothing',
  },
  'backup-insecure-skip-tls-verify': {
    ...backupArgs['backup-insecure-skip-tls-verify'],
    description: "Don't verify the object store's certificate (insecure)",
  },
  'backup-cacert': { ...backupArgs['backup-cacert'], description: 'Certificate authorities of the object store' },
  ...outputArg(['json', 'yaml', 'wide', 'name']),
  ...kubeArgs,
} as const;

export type GivenArguments = Arguments<typeof rehearseArgs, Record<never, never>>;

/** `--yes` as well: a script may give it always, and `--cleanup` asks nothing. */
const OF_CLEANUP = new Set(['cleanup', 'dry-run', 'yes', 'output', ...Object.keys(kubeArgs)]);

/** Refuse flags that only a rehearsal obeys (R7.109). A value that is the default anyway can't be told from none. */
export function requireCleanupFlags(args: GivenArguments): void {
  const values = new Map<string, unknown>(Object.entries(args));
  const others = Object.entries(rehearseArgs).flatMap(([name, flag]) => {
    const value = values.get(camelCase(name));
    const unsaid = 'default' in flag ? flag.default : undefined;
    const isGiven = Array.isArray(value) ? value.length > 0 : value !== false && value !== unsaid;
    return isGiven && !OF_CLEANUP.has(name) ? [`--${name}`] : [];
  });
  if (others.length === 0) return;
  throw usage(
    `--cleanup doesn't go with ${others.join(', ')}`,
    'it takes only the id of a rehearsal: kubectl restorehooks rehearse --cleanup ID',
  );
}

/** With the settings of the Job that the flags and the defaults come to. */
export type RehearseArguments = Omit<GivenArguments, 'output' | 'jobPatch' | keyof JobSettings> & JobSettings;
