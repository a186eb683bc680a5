import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Setup } from '../../shared/core/manifests/rbac.ts';
import { setupManifests } from '../../shared/core/manifests/rbac.ts';
import { SERVICE_ACCOUNT } from '../../shared/core/names.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import type { Begin, SetupChange } from '../../shared/kubernetes/run/setup.ts';
import { kubeArgs, outputArg } from '../command-line/args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';

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
    ...outputArg(['json', 'yaml']),
    ...kubeArgs,
  },
  positionals: {},
  examples: [
    ['setup', 'see what the runner needs'],
    ['setup --apply', "create it in Velero's namespace"],
    ['setup --apply --namespaces shop,blog', 'let runs reach the pods of two namespaces only'],
    ['setup --apply --create-pods', 'let runs also create pods with init containers'],
    ['setup --delete', 'delete it again'],
  ],
  details:
    "The runner works as a ServiceAccount in the Restore's namespace. There it may read and patch Restores, create (but " +
    'not read) Secrets, read, create and patch ConfigMaps and Leases, read Jobs, and create Events. Where the pods are it ' +
    'may watch them and run commands in them.',
  exitCodes: [0, 2, 5, 6, 10, 130, 143],
  docs: 'docs/in-the-cluster.md',

  async run(args, { env, stderr, stop, clock }) {
    if (args.apply && args.delete) throw misused('--apply and --delete exclude each other');
    const wanted: Setup = {
      namespace: nameIn('--namespace', args.namespace ?? (env['VELERO_NAMESPACE'] || 'velero')),
      ...(args.namespaces.length > 0 && {
        podNamespaces: [...new Set(args.namespaces.map((name) => nameIn('--namespaces', name)))],
      }),
      ...(args.createPods && { createPods: true }),
      ...(args.serviceAccount !== undefined && { serviceAccount: nameIn('--service-account', args.serviceAccount) }),
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
