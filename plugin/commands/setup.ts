import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Defaults } from '../../shared/core/manifests/defaults.ts';
import type { JobPatch } from '../../shared/core/manifests/job-patch.ts';
import type { Setup } from '../../shared/core/manifests/rbac.ts';
import { setupManifests } from '../../shared/core/manifests/rbac.ts';
import { SERVICE_ACCOUNT } from '../../shared/core/names.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import type { FileContext } from '../../shared/input/files.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import type { Begin, SetupChange } from '../../shared/kubernetes/run/setup.ts';
import { kubeArgs, outputArg } from '../command-line/args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import { formatYaml } from '../output/yaml.ts';

export const setup = defineCommand({
  args: {
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
    ...outputArg(['json', 'yaml']),
    ...kubeArgs,
  },
  positionals: {},
  examples: [
    ['setup', 'see what the runner needs'],
    ['setup --apply', "create it in Velero's namespace"],
    ['setup --apply --namespaces shop,blog', 'let runs reach the pods of two namespaces only'],
    ['setup --apply --create-pods', 'let runs also create pods with init containers'],
    ['setup --apply --defaults defaults.yaml', "also keep the runs' image and the patch of their Job"],
    ['setup --delete', 'delete it again'],
  ],
  details:
    "The runner works as a ServiceAccount in the Restore's namespace. There it may read and patch Restores, create (but " +
    'not read) Secrets, read, create and patch ConfigMaps and Leases, read Jobs, and create Events. Where the pods are it ' +
    'may watch them and run commands in them.',
  exitCodes: [0, 2, 5, 6, 10, 130, 143],
  docs: 'docs/setup.md',

  async run(args, context) {
    const { env, stderr, stop, clock } = context;
    if (args.apply && args.delete) throw misused('--apply and --delete exclude each other');
    if (args.defaults !== undefined && args.delete) throw misused('--defaults goes with --apply, or alone');
    const defaults = args.defaults === undefined ? undefined : await readDefaultsFile(args.defaults, context);
    const account = args.serviceAccount ?? defaults?.serviceAccount;
    const wanted: Setup = {
      namespace: nameIn('--namespace', args.namespace ?? (env['VELERO_NAMESPACE'] || 'velero')),
      ...(args.namespaces.length > 0 && {
        podNamespaces: [...new Set(args.namespaces.map((name) => nameIn('--namespaces', name)))],
      }),
      ...(args.createPods && { createPods: true }),
      ...(account !== undefined && { serviceAccount: nameIn('--service-account', account) }),
      ...(defaults !== undefined && { defaults: formatYaml(defaults) }),
    };
    if (!args.apply && !args.delete) return { view: { kind: 'manifests', manifests: setupManifests(wanted) } }; // R7.12

    const [{ loadKubeConfig }, { kubeClient }, { applySetup, deleteSetup, resourceName }] = await Promise.all([
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
      const { jobPatch } = defaults ?? {};
      if (jobPatch !== undefined)
        await requireJob(client, wanted.namespace, { from: `${args.defaults}: jobPatch`, patch: jobPatch });
      const what = 'the changes were being made: some of them may have been';
      const begin: Begin = (work) =>
        stop.hold(() => stop.finish(clock, what, 'run the same command again; it goes on from there', work()));
      const changes = args.apply
        ? await applySetup(client, wanted, warn, begin)
        : await deleteSetup(client, wanted, begin);
      return viewOf(changes, resourceName);
    } finally {
      client.close();
    }
  },
});

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

function viewOf(changes: readonly SetupChange[], nameOf: (change: SetupChange) => string): CommandResult {
  const lines = changes.map((change) => {
    const place = change.namespace === undefined ? '' : ` (namespace ${change.namespace})`;
    return `${nameOf(change)} ${change.change}${place}`;
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
  const label = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';
  const pattern = new RegExp(isNamespace ? `^${label}$` : `^${label}(\\.${label})*$`);
  if (pattern.test(name) && name.length <= 253) return name;
  throw misused(`${flag}: ${JSON.stringify(name)} is no name of a ${isNamespace ? 'namespace' : 'ServiceAccount'}`);
}

const misused = (message: string): RestoreHooksError => new RestoreHooksError('INVALID_ARGUMENT', message);
