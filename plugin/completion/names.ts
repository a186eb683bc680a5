import { statSync } from 'node:fs';
import { objectsNamespace } from '../../shared/core/manifests/run-objects.ts';
import { ANNOTATION, RUN_ID_LABEL, restoreName, runsSelector } from '../../shared/core/names.ts';
import { REHEARSAL_LABEL } from '../../shared/core/rehearsal/rehearsal.ts';
import { VERSION } from '../../shared/core/version.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { configFiles, loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
import { readKubeConfigs } from '../../shared/kubernetes/connect/kubeconfig-file.ts';
import { kubercFile } from '../../shared/kubernetes/connect/kuberc.ts';
import type { ReportedHook } from '../../shared/kubernetes/run/reported-hooks.ts';
import type { ClusterArguments, Session } from '../command-line/session.ts';
import { namespaceOf } from '../command-line/session.ts';
import type { PlanFlags } from '../input/plan-input.ts';
import type { Candidate } from './candidates.ts';
import { FROM_ANNOTATION } from './candidates.ts';
import type { NameKind, Request } from './request.ts';

type Environment = NodeJS.ProcessEnv;

/** Names that are known at once, and a question to the cluster for better ones. Both may throw. */
export interface Names {
  readonly known: readonly Candidate[];
  readonly ask?: () => Promise<readonly Candidate[]>;
}

/** `signal` ends a credential plugin that is still running. */
export function namesOf(of: NameKind, request: Request, env: Environment, signal: AbortSignal): Names {
  // Flags that a command lacks are undefined: it has not been given them.
  const values = request.values() as unknown as Values;
  refuseSlowFiles(values, env);
  const { contexts, clusters, users } = readKubeConfigs(configFiles({ ...values, env }));
  const keys = (map: ReadonlyMap<string, unknown>): Names => ({ known: named(map.keys()) });
  if (of === 'contexts') return keys(contexts);
  if (of === 'clusters') return keys(clusters);
  if (of === 'users') return keys(users);
  const ask = (): Promise<readonly Candidate[]> =>
    inCluster(values, env, signal, (session) => asked(of, request, session));
  if (of !== 'namespaces') return { known: [], ask };
  const namespaces = [env['VELERO_NAMESPACE'], ...[...contexts.values()].map(({ namespace }) => namespace)];
  return { known: named(namespaces.filter((name) => name !== undefined)), ask };
}

type Values = ClusterArguments & PlanFlags & { readonly filename?: readonly string[] };

const named = (values: Iterable<string>): Candidate[] => Array.from(values, (value) => ({ value }));

/** A larger file takes longer to read than there is time: about 60 ms for each MiB. */
const LARGEST_FILE = 1024 * 1024;

/** No timer ends this process while it reads a kubeconfig. So one that is no plain file, or large, is not read. */
function refuseSlowFiles(values: Values, env: Environment): void {
  for (const file of [...configFiles({ ...values, env }), kubercFile(values.kuberc, env).file]) {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found !== undefined && !(found.isFile() && found.size <= LARGEST_FILE))
      throw new Error(`${file} takes too long`);
  }
}

async function inCluster<T>(
  values: Values,
  env: Environment,
  signal: AbortSignal,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const config = loadKubeConfig({ ...values, env });
  const { kubeClient } = await import('../../shared/kubernetes/api/client.ts');
  const client = kubeClient(
    { ...config, unattended: signal },
    {
      requestTimeoutMs: values.requestTimeout ?? 0,
      userAgent: `kubectl-restorehooks/${VERSION}`,
      maxRetries: 0,
    },
  );
  return work({ client, namespace: namespaceOf(values, { env }), runNamespace: values.runNamespace, cluster: '' });
}

async function asked(of: NameKind, request: Request, session: Session): Promise<readonly Candidate[]> {
  const { client, namespace, runNamespace = namespace } = session;
  switch (of) {
    case 'restores':
      return restores(session);
    case 'namespaces':
      return objects(client, paths.namespaces());
    case 'backups':
      return objects(client, paths.backups(namespace));
    case 'rehearsals':
      return rehearsals(session);
    case 'ServiceAccounts':
      return objects(client, paths.serviceAccounts(runNamespace));
    case 'pull secrets':
      return objects(client, paths.secrets(runNamespace), { fieldSelector: 'type=kubernetes.io/dockerconfigjson' });
    default:
      return ofRestore(of, request, session);
  }
}

const MOST = 500;

interface Metadata {
  readonly name?: string;
  readonly namespace?: string;
  readonly creationTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The names of the first objects. Only their metadata is asked for. */
async function objects(client: KubeClient, path: string, query = {}): Promise<Candidate[]> {
  return (await metadataOf(client, path, query)).flatMap(({ name }) => (name === undefined ? [] : [{ value: name }]));
}

async function metadataOf(
  client: KubeClient,
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<Metadata[]> {
  const list = await client.get(path, { limit: MOST, ...query }, { metadataOnly: 'list' });
  return ((list['items'] ?? []) as { metadata?: Metadata }[]).flatMap(({ metadata }) => metadata ?? []);
}

/** The ids of the rehearsals that stand. */
async function rehearsals({ client, namespace }: Session): Promise<Candidate[]> {
  const found = [paths.namespaces(), paths.restores(namespace)].map((path) =>
    metadataOf(client, path, { labelSelector: REHEARSAL_LABEL }),
  );
  return named((await Promise.all(found)).flat().flatMap(({ labels }) => labels?.[REHEARSAL_LABEL] ?? []));
}

/** Restores, each with its phase and how far its hooks have come. */
async function restores({ client, namespace }: Session): Promise<Candidate[]> {
  const list = await client.get(paths.restores(namespace), { limit: MOST });
  return ((list['items'] ?? []) as { metadata?: Metadata; status?: { phase?: string } }[]).map(
    ({ metadata, status }) => {
      const { [ANNOTATION.phase]: phase, [ANNOTATION.progress]: progress } = metadata?.annotations ?? {};
      const hooks = [phase, progress].filter((part) => part !== undefined).join(', ');
      const description = [status?.phase ?? [], hooks === '' ? [] : `hooks: ${hooks}`].flat().join('; ');
      return { value: metadata?.name ?? '', ...(description !== '' && { description }) };
    },
  );
}

/** What is in a Restore that the command line names. */
async function ofRestore(of: NameKind, request: Request, session: Session): Promise<readonly Candidate[]> {
  if (request.restore === undefined) return [];
  const name = restoreName(request.restore);
  if (of === 'runs') return runs(session, name);
  const hooks = hooksOf(session, name, request);
  if (of === 'pods') {
    // The pods of the last run may be gone, and those that are there may not have been in it.
    const { restoreSelector } = await import('../../shared/core/plan/pods-of-restore.ts');
    const live = metadataOf(session.client, paths.pods(), { labelSelector: restoreSelector(name) });
    const [ofHooks, ofLabel] = await Promise.all([hooks.catch(() => []), live.catch(() => [])]);
    return podNames([...ofHooks, ...ofLabel.map((pod) => ({ namespace: pod.namespace, pod: pod.name }))], request.text);
  }
  const all = await hooks;
  const ids = named(all.map(({ id }) => id));
  const names = all.map((hook) => hook.name);
  if (of === 'hooks') return [...ids, ...named(names)];
  // The name that all annotations' hooks share says less than their ids.
  return [...podNames(all, request.text), ...ids, ...named(names.filter((name) => name !== FROM_ANNOTATION))];
}

/** Pods as `NAMESPACE/POD`, and also as `POD` once the user has begun to type that. */
function podNames(
  pods: readonly { readonly namespace: string | undefined; readonly pod: string | undefined }[],
  text: string,
): Candidate[] {
  const isPlain = text !== '' && !text.includes('/');
  return pods.flatMap(({ namespace = '', pod = '' }) => named([`${namespace}/${pod}`, ...(isPlain ? [pod] : [])]));
}

/** The hooks of the last run; where there is none, those that would be run with the flags that were typed. */
async function hooksOf(session: Session, name: string, request: Request): Promise<readonly ReportedHook[]> {
  const { client, namespace } = session;
  // Most completions ask for other names, and need no schemas.
  const [{ getRestore }, { runStatusOf }, { reportedHooks }] = await Promise.all([
    import('../../shared/kubernetes/velero/restores.ts'),
    import('../../shared/kubernetes/run/run-store.ts'),
    import('../../shared/kubernetes/run/reported-hooks.ts'),
  ]);
  const status = runStatusOf(await getRestore(client, namespace, name));
  if (status !== undefined)
    return reportedHooks(client, { namespace, runNamespace: status.runNamespace, name }, status);
  const flags = { ...NO_PLAN_FLAGS, ...request.values() } as unknown as Values;
  // These say that hooks or pods come from elsewhere, perhaps from stdin.
  if ([...flags.hooks, ...(flags.filename ?? [])].length > 0) return [];
  const [{ planRun }, { liveInput }, { runnerNamespaces }] = await Promise.all([
    import('../../shared/core/plan/plan-run.ts'),
    import('../input/plan-input.ts'),
    import('../run/preconditions.ts'),
  ]);
  const input = await liveInput(
    session,
    name,
    { ...flags, sources: [], only: [], skip: [] },
    undefined,
    await runnerNamespaces(session),
  );
  return planRun(input).document.hooks;
}

const NO_PLAN_FLAGS = { hooks: [], podNamespace: [], rerun: false, force: false, allNamespaces: false };

/** The ids of the runs whose reports or journals are in the cluster, the last one first. */
async function runs(session: Session, name: string): Promise<Candidate[]> {
  const { client } = session;
  const [{ getRestore }, { runsOf }, { REPORT_TYPE }] = await Promise.all([
    import('../../shared/kubernetes/velero/restores.ts'),
    import('../../shared/kubernetes/run/run-place.ts'),
    import('../../shared/kubernetes/run/run-store.ts'),
  ]);
  const namespace = objectsNamespace(runsOf(await getRestore(client, session.namespace, name), session));
  const labelSelector = runsSelector(name);
  const lists = await Promise.all([
    metadataOf(client, paths.configMaps(namespace), { labelSelector }).catch(() => []),
    metadataOf(client, paths.secrets(namespace), { labelSelector, fieldSelector: `type=${REPORT_TYPE}` }).catch(
      () => [],
    ),
  ]);
  const newestFirst = lists
    .flat()
    .sort((one, other) => (other.creationTimestamp ?? '').localeCompare(one.creationTimestamp ?? ''));
  return newestFirst.map(({ labels, creationTimestamp = '' }) => ({
    value: labels?.[RUN_ID_LABEL] ?? '',
    description: creationTimestamp,
  }));
}
