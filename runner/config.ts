import { RestoreHooksError } from '../shared/core/errors.ts';
import { DNS_LABEL, restoreName } from '../shared/core/names.ts';
import { camelCase, parseArgv } from '../shared/input/argv.ts';
import type { Flags, FlagValue } from '../shared/input/flags.ts';
import { executionFlags, metricsFlags, planFlags, startFlags } from '../shared/input/run-flags.ts';

/**
 * The flags of the runner: the `args` of a Job that `apply` or somebody by hand has written. They mean what apply's
 * mean.
 */
const runnerFlags = {
  namespace: { type: 'string', short: 'n', value: 'NAMESPACE', description: "The Restore's namespace" },
  'run-namespace': {
    type: 'string',
    value: 'NAMESPACE',
    description: "The namespace of the run's objects, and of this Job (default: the Restore's)",
  },
  ...planFlags,
  ...startFlags,
  ...executionFlags,
  ...metricsFlags,
  record: { type: 'boolean', description: "Write the run's history into the log" },
  'run-id': { type: 'string', hidden: true, description: 'The run that the launcher has begun' },
  parallelism: { type: 'integer', min: 1, default: 1, hidden: true, description: 'How many shards the run has' },
  plan: { type: 'string', hidden: true, description: 'The directory of the plan that the launcher has made' },
  after: { type: 'string', hidden: true, description: 'The run before, which the launcher has taken into account' },
} as const satisfies Flags;

type GivenFlags = { readonly [Name in keyof typeof runnerFlags]: FlagValue<(typeof runnerFlags)[Name]> };

export interface RunnerConfig extends Omit<GivenFlags, 'namespace'> {
  readonly restore: string;
  readonly namespace: string;
}

/** Throws `INVALID_ARGUMENT` for the first mistake on the command line. */
export function runnerConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): RunnerConfig {
  const { values, positionals } = parseArgv(argv, runnerFlags);
  const given = Object.fromEntries(
    Object.keys(runnerFlags).map((name) => [name, values[camelCase(name)]]),
  ) as unknown as GivenFlags;
  const [restore, ...others] = positionals;
  if (restore === undefined) throw invalid('expected the name of a Restore');
  if (others.length > 0) throw invalid('expected one Restore, not several');
  if (given['all-namespaces'] && (given.selector === undefined || given['pod-namespace'].length > 0)) {
    throw invalid('--all-namespaces goes with --selector, and without --pod-namespace');
  }
  if (given.parallelism > 1 && (given.plan === undefined || given['run-id'] === undefined)) {
    throw invalid('--parallelism needs a plan: apply makes the plan and the Job, and gives both to its pods'); // R8.40
  }
  const runNamespace = given['run-namespace'];
  if (runNamespace !== undefined && !DNS_LABEL.test(runNamespace)) {
    throw invalid(`--run-namespace: ${JSON.stringify(runNamespace)} is no name of a namespace`);
  }
  return {
    ...given,
    restore: restoreName(restore),
    namespace: given.namespace || env['VELERO_NAMESPACE'] || 'velero', // R1.1
  };
}

const invalid = (message: string): RestoreHooksError => new RestoreHooksError('INVALID_ARGUMENT', message);
