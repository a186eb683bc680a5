import { RestoreHooksError } from '../../shared/core/errors.ts';
import { MOST_SHARDS } from '../../shared/core/model/shard.ts';
import { DNS_LABEL } from '../../shared/core/names.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { VERSION } from '../../shared/core/version.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import type { AskedPlace } from '../../shared/kubernetes/run/run-place.ts';
import type { Context } from '../process/context.ts';
import type { kubeArgs } from './args.ts';
import { SHOW_REQUESTS } from './args.ts';
import type { Arguments } from './command.ts';

export type KubeArguments = Arguments<typeof kubeArgs, Record<never, never>>;

/** Those of a command that has to do with runs, or not. */
export type ClusterArguments = KubeArguments & { readonly runNamespace?: string | undefined };

/** A connection to the cluster that the command line names with kubectl's flags. */
export interface Session extends AskedPlace {
  readonly client: KubeClient;
  /** The Restore's namespace: `-n`, else `VELERO_NAMESPACE`, else `velero`, as in Velero's own client. */
  readonly namespace: string;
  /** `context (server)`, to show to people. */
  readonly cluster: string;
}

export const namespaceOf = ({ namespace }: Pick<KubeArguments, 'namespace'>, { env }: Pick<Context, 'env'>): string =>
  nameOfNamespace(namespace || env['VELERO_NAMESPACE'] || 'velero', '-n'); // R1.1

export function nameOfNamespace(name: string, flag: string): string {
  if (DNS_LABEL.test(name)) return name;
  throw usage(
    `${JSON.stringify(name)} is no name of a namespace`,
    `give ${flag} NAMESPACE: lower-case letters, digits and -`,
  );
}

/**
 * Connect to the cluster and run `work`. The Kubernetes client is loaded here, because that takes most of the start-up.
 */
export async function withCluster<T>(
  args: ClusterArguments,
  context: Context,
  work: (session: Session) => Promise<T>,
  /** Told of each warning of the API server; by default each is shown once. */
  onWarning?: (text: string) => void,
): Promise<T> {
  const [{ loadKubeConfig }, { kubeClient }] = await Promise.all([
    import('../../shared/kubernetes/connect/kubeconfig.ts'),
    import('../../shared/kubernetes/api/client.ts'),
  ]);
  const config = loadKubeConfig({ ...args, env: context.env });
  const warned = new Set<string>();
  const client = kubeClient(config, {
    requestTimeoutMs: args.requestTimeout,
    userAgent: `kubectl-restorehooks/${VERSION}`,
    ...(args.v >= SHOW_REQUESTS && {
      onAnswer: (method, path, status, ms) =>
        context.stderr.write(`${method} ${path} ${status ?? 'without an answer'} in ${Math.round(ms)} ms\n`),
    }),
    onWarning(text) {
      if (onWarning !== undefined) return onWarning(text);
      // Each warning is shown once, as kubectl does: `status -w` would get the same one with every poll.
      if (!warned.has(text)) context.stderr.write(`warning: ${sanitizeLine(text)}\n`);
      warned.add(text);
    },
    onWait: (ms) => context.stderr.write(`warning: the API server asks to wait for ${Math.ceil(ms / 1000)}s (429)\n`),
  });
  const namespace = namespaceOf(args, context);
  const runNamespace =
    args.runNamespace === undefined ? undefined : nameOfNamespace(args.runNamespace, '--run-namespace');
  try {
    const cluster = `${config.context ?? 'in-cluster'} (${client.server.origin})`;
    return await work({ client, namespace, runNamespace, cluster });
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || error.code !== 'RESTORE_NOT_FOUND') throw error;
    const { withWhereabouts } = await import('../../shared/kubernetes/velero/find-restore.ts');
    throw await withWhereabouts(client, namespace, error);
  } finally {
    client.close();
  }
}

export const usage = (message: string, hint?: string): RestoreHooksError =>
  new RestoreHooksError('INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });

/** Refuse flags that only a Job can obey for a local run, and the other way round (R7.7). */
export function requireRunnerFlags({ runner, noWait, dryRun, record, jobPatch, ...flags }: RunnerFlags): void {
  requireParallelism(runner, flags);
  if (runner === 'job') {
    if (!record) return;
    throw usage('--record=FILE goes with --runner=local', 'a Job writes its history into its log: --record');
  }
  if (record === '') throw usage('--record needs a file with --runner=local: --record=FILE');
  if (jobPatch !== undefined) throw usage('--job-patch goes with --runner=job', 'a local run has no Job');
  if (noWait) throw usage('--no-wait goes with --runner=job', 'a local run ends with this process');
  if (dryRun === undefined) return;
  throw usage('--dry-run goes with --runner=job', 'see what would be run with: kubectl restorehooks plan');
}

interface RunnerFlags {
  readonly runner: 'job' | 'local';
  readonly parallelism: number;
  readonly maxConcurrent: number;
  readonly noWait: boolean;
  readonly dryRun: string | undefined;
  readonly record: string | undefined;
  readonly jobPatch: string | undefined;
}

/** R8.40 */
function requireParallelism(
  runner: string,
  { parallelism, maxConcurrent }: Pick<RunnerFlags, 'parallelism' | 'maxConcurrent'>,
): void {
  if (parallelism === 1) return;
  if (runner !== 'job') {
    throw usage('--parallelism goes with --runner=job', 'a local run has one process: leave --parallelism out');
  }
  const most = Math.min(MOST_SHARDS, maxConcurrent);
  if (parallelism <= most) return;
  const why =
    most === MOST_SHARDS
      ? `a run has at most ${MOST_SHARDS} runners`
      : `each runner needs one of the ${maxConcurrent} slots of --max-concurrent`;
  throw usage(`--parallelism ${parallelism} is too high: ${why}`, `use --parallelism=${most}`);
}
