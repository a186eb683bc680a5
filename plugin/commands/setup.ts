import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Defaults } from '../../shared/core/manifests/defaults.ts';
import type { JobPatch } from '../../shared/core/manifests/job-patch.ts';
import type { Setup } from '../../shared/core/manifests/rbac.ts';
import { setupManifests } from '../../shared/core/manifests/rbac.ts';
import { objectsNamespace } from '../../shared/core/manifests/run-objects.ts';
import { DNS_LABEL, restoreName, SERVICE_ACCOUNT } from '../../shared/core/names.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import type { FileContext } from '../../shared/input/files.ts';
import type { Flags } from '../../shared/input/flags.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import type { Begin, SetupChange } from '../../shared/kubernetes/run/setup.ts';
import { kubeArgs, outputArg, runNamespaceArg } from '../command-line/args.ts';
import type { Arguments, CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import { objectName } from '../output/object-name.ts';
import { formatYaml } from '../output/yaml.ts';
import type { Context } from '../process/context.ts';

const setupArgs = {
  apply: { type: 'boolean', description: 'Apply the manifests instead of printing them' },
  delete: { type: 'boolean', description: 'Delete what an earlier setup has created, and nothing else' },
  namespaces: {
    type: 'list',
    value: 'NAMESPACE,...',
    description: 'Grant rights on pods only in these namespaces; runs watch only these (default: all)',
  },
  'create-pods': {
    type: 'boolean',
    description: 'Also grant what init hooks need: create and delete pods, read logs of containers',
  },
  'service-account': {
    type: 'string',
    value: 'NAME',
    description: `The ServiceAccount of the runner (default: ${SERVICE_ACCOUNT}; with --delete: all of them)`,
  },
  defaults: {
    type: 'string',
    value: 'FILE',
    description: "Keep the runs' image, pull Secrets, ServiceAccount and patch of the Job in a ConfigMap",
  },
  'run-namespace': {
    ...runNamespaceArg['run-namespace'],
    description: "The namespace of runs: the runner's ServiceAccount and what runs write (default: the Restore's)",
  },
  ...outputArg(['json', 'yaml']),
  ...kubeArgs,
} as const satisfies Flags;

const setupPositionals = {
  restore: { description: 'Grant rights on pods only in the namespaces that this Restore restores to', optional: true },
} as const;

export const setup = defineCommand({
  args: setupArgs,
  positionals: setupPositionals,
  examples: [
    ['setup', 'see what the runner needs'],
    ['setup --apply', "create it in Velero's namespace"],
    ['setup nightly --apply', 'let runs reach only the pods of the namespaces that this Restore restores to'],
    ['setup --apply --namespaces shop,blog', 'let runs reach the pods of two namespaces only'],
    ['setup --apply --run-namespace restorehooks', 'keep runs away from Velero and its credentials'],
    ['setup --apply --create-pods', 'let runs also create pods with init containers'],
    ['setup --apply --defaults defaults.yaml', "also keep the runs' image and the patch of their Job"],
    ['setup --delete', 'delete it again'],
  ],
  details:
    "The runner works as a ServiceAccount in the Restore's namespace, or in that of --run-namespace. There it may create " +
    '(but not read) Secrets, read, create and patch ConfigMaps and Leases, and read Jobs. Where the Restores are it may ' +
    'read and patch them, and create Events; where the pods are, watch them and run commands in them.',
  exitCodes: [0, 2, 4, 5, 6, 10, 130, 143],
  docs: 'docs/setup.md',

  async run(args, context) {
    if (args.apply && args.delete) throw misused('--apply and --delete exclude each other');
    if (args.defaults !== undefined && args.delete) throw misused('--defaults goes with --apply, or alone');
    if (args.restore !== undefined && args.delete) throw misused('RESTORE goes with --apply, or alone');
    const defaults = args.defaults === undefined ? undefined : await readDefaultsFile(args.defaults, context);
    const wanted = wantedBy(args, defaults, context);
    const asks = args.apply || args.delete || args.restore !== undefined;
    return asks ? onCluster(wanted, args, defaults, context) : printed(wanted, context); // R7.12
  },
});

type SetupArguments = Arguments<typeof setupArgs, typeof setupPositionals>;

function wantedBy(args: SetupArguments, defaults: Defaults | undefined, { env }: Context): Setup {
  const account = args.serviceAccount ?? defaults?.serviceAccount;
  const namespace = nameIn('--namespace', args.namespace ?? (env['VELERO_NAMESPACE'] || 'velero'));
  const runNamespace = args.runNamespace ?? defaults?.runNamespace;
  return {
    namespace,
    ...(runNamespace !== undefined && { runNamespace: nameIn('--run-namespace', runNamespace) }),
    ...(args.namespaces.length > 0 && {
      podNamespaces: [...new Set(args.namespaces.map((name) => nameIn('--namespaces', name)))],
    }),
    ...(args.createPods && { createPods: true }),
    ...(account !== undefined && { serviceAccount: nameIn('--service-account', account) }),
    ...(defaults !== undefined && { defaults: formatYaml(defaults) }),
  };
}

function printed(setup: Setup, { stderr }: Pick<Context, 'stderr'>): CommandResult {
  warnOfExecEverywhere(setup, stderr);
  return { view: { kind: 'manifests', manifests: setupManifests(setup) } };
}

/** R8.87 */
function warnOfExecEverywhere({ podNamespaces }: Setup, stderr: Context['stderr']): void {
  if (podNamespaces !== undefined) return;
  stderr.write(
    'warning: this lets the runner run commands in the pods of every namespace; setup RESTORE, or --namespaces a,b, ' +
      'limits it\n',
  );
}

/** Read the Restore, apply or delete: what needs the cluster. */
async function onCluster(
  given: Setup,
  args: SetupArguments,
  defaults: Defaults | undefined,
  context: Context,
): Promise<CommandResult> {
  const { env, stderr, stop, clock } = context;
  const [{ loadKubeConfig }, { kubeClient }, { applySetup, deleteSetup }] = await Promise.all([
    import('../../shared/kubernetes/connect/kubeconfig.ts'),
    import('../../shared/kubernetes/api/client.ts'),
    import('../../shared/kubernetes/run/setup.ts'),
  ]);
  const warn = (text: string): void => stderr.write(`warning: ${sanitizeLine(text)}\n`);
  const client = kubeClient(loadKubeConfig({ ...args, env }), {
    requestTimeoutMs: args.requestTimeout,
    onWarning: warn,
  });
  try {
    const wanted = args.restore === undefined ? given : await limitedTo(client, given, args.restore, stderr);
    if (!args.apply && !args.delete) return printed(wanted, context);
    const { jobPatch } = defaults ?? {};
    if (jobPatch !== undefined)
      await requireJob(client, objectsNamespace(wanted), { from: `${args.defaults}: jobPatch`, patch: jobPatch });
    const what = 'the changes were being made: some of them may have been';
    const begin: Begin = (work) =>
      stop.hold(() => stop.finish(clock, what, 'run the same command again; it goes on from there', work()));
    const changes = args.apply
      ? await applySetup(client, wanted, warn, begin)
      : await deleteSetup(client, wanted, warn, begin);
    if (args.apply) warnOfExecEverywhere(wanted, stderr);
    return viewOf(changes);
  } finally {
    client.close();
  }
}

/**
 * Limit the rights on pods to the namespaces that the Restore restores to, and to those that the ServiceAccount has
 * been limited to before: another Restore may need these (R8.86).
 */
async function limitedTo(
  client: Pick<KubeClient, 'get' | 'list'>,
  setup: Setup,
  given: string,
  stderr: Context['stderr'],
): Promise<Setup> {
  const [{ getRestore }, { namespacesOfRestore }, { namespacesBefore }] = await Promise.all([
    import('../../shared/kubernetes/velero/restores.ts'),
    import('../../shared/kubernetes/velero/namespaces-of-restore.ts'),
    import('../../shared/kubernetes/run/setup.ts'),
  ]);
  const name = restoreName(given);
  const found = await namespacesOfRestore(client, await getRestore(client, setup.namespace, name));
  if (found.length === 0) {
    const message = `Restore ${name} names no namespaces, and none of its pods is found`;
    throw new RestoreHooksError('INVALID_INPUT', message, {
      hint: 'name the namespaces of its pods: --namespaces a,b',
    });
  }
  const { podNamespaces = [] } = setup;
  const all = [...new Set([...podNamespaces, ...found, ...(await namespacesBefore(client, setup))])];
  stderr.write(`the rights on pods are limited to namespaces ${all.join(', ')}\n`);
  return { ...setup, podNamespaces: all };
}

/** The defaults of a file, once it is known that runs can read them (R8.23). */
async function readDefaultsFile(file: string, context: FileContext): Promise<Defaults> {
  const [{ readDocument }, { defaultsOf }] = await Promise.all([
    import('../../shared/input/job-patch.ts'),
    import('../../shared/core/manifests/defaults.ts'),
  ]);
  const { value, from } = await readDocument(file, 'defaults (kind RestoreHookDefaults)', context);
  return defaultsOf(value, from);
}

/** Refuse a patch of which the API server would make no Job (R8.22), as far as the caller may ask it. */
async function requireJob(client: Pick<KubeClient, 'create'>, namespace: string, patch: JobPatch): Promise<void> {
  const [{ checkPatchedJob }, { sampleJob }] = await Promise.all([
    import('../../shared/kubernetes/run/launch.ts'),
    import('../../shared/core/manifests/job.ts'),
  ]);
  try {
    await checkPatchedJob(client, namespace, [sampleJob(namespace, [patch])], [patch]);
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || error.code === 'INVALID_INPUT') throw error;
  }
}

function viewOf(changes: readonly SetupChange[]): CommandResult {
  const lines = changes.map((change) => {
    const place = change.namespace === undefined ? '' : ` (namespace ${change.namespace})`;
    return `${objectName(change.object)} ${change.change}${place}`;
  });
  return {
    view: {
      kind: 'document',
      document: { apiVersion: 'v1', kind: 'List', items: changes.map(({ object }) => object) },
      human: lines.length === 0 ? ['nothing to take away'] : lines,
    },
  };
}

/**
 * Refuse what is no name of a namespace or ServiceAccount: the name becomes a part of URLs and of a list in an
 * annotation.
 */
function nameIn(flag: string, name: string): string {
  const isNamespace = flag !== '--service-account';
  const labels = isNamespace ? [name] : name.split('.');
  if (labels.every((label) => DNS_LABEL.test(label)) && name.length <= 253) return name;
  throw misused(`${flag}: ${JSON.stringify(name)} is no name of a ${isNamespace ? 'namespace' : 'ServiceAccount'}`);
}

const misused = (message: string): RestoreHooksError => new RestoreHooksError('INVALID_ARGUMENT', message);
