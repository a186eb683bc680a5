import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import type { Right, Setup, SetupManifest } from '../../core/manifests/rbac.ts';
import {
  isMadeBySetup,
  MANAGED_LABELS,
  madeFor,
  NAMESPACES_ANNOTATION,
  podNamespacesOf,
  setupManifests,
} from '../../core/manifests/rbac.ts';
import { objectsNamespace } from '../../core/manifests/run-objects.ts';
import { DEFAULTS_NAME, SERVICE_ACCOUNT } from '../../core/names.ts';
import { missingRights, rightText } from '../api/access.ts';
import type { KubeClient } from '../api/client.ts';
import { rightsText } from '../api/grant.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import { sideBySide } from '../api/side-by-side.ts';
import { unlessForbidden } from './own-objects.ts';
import { MANAGER } from './run-store.ts';

export interface SetupChange {
  readonly kind: Kind;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly change: 'created' | 'configured' | 'unchanged' | 'deleted';
  /** The object now, or before it was deleted. */
  readonly object: KubeObject;
}

type Kind = SetupManifest['kind'];

const rbac = 'rbac.authorization.k8s.io';
const kinds = {
  ServiceAccount: { group: '', resource: 'serviceaccounts', path: paths.serviceAccounts },
  ConfigMap: { group: '', resource: 'configmaps', path: paths.configMaps },
  Role: { group: rbac, resource: 'roles', path: paths.roles },
  RoleBinding: { group: rbac, resource: 'rolebindings', path: paths.roleBindings },
  ClusterRole: { group: rbac, resource: 'clusterroles', path: clusterWide(paths.clusterRoles) },
  ClusterRoleBinding: { group: rbac, resource: 'clusterrolebindings', path: clusterWide(paths.clusterRoleBindings) },
} as const satisfies Record<Kind, object>;

function clusterWide(path: (name?: string) => string) {
  return (_namespace?: string, name?: string): string => path(name);
}

type Client = Pick<KubeClient, 'get' | 'listAll' | 'create' | 'patch' | 'delete'>;

/** Called when all checks have passed, with the changes to make together. */
export type Begin = (changes: () => Promise<SetupChange[]>) => Promise<SetupChange[]>;
const atOnce: Begin = (changes) => changes();

/**
 * Apply what the runner needs, and remove what an earlier setup for the same Restores granted the same ServiceAccount
 * beyond it (R7.12). Nothing is changed if the caller lacks a right for one of the changes.
 */
export async function applySetup(
  client: Client,
  given: Setup,
  warn: (text: string) => void,
  begin = atOnce,
): Promise<SetupChange[]> {
  const needed = ['get', 'patch', 'create'];
  await requireRights(client, setupManifests(given), needed);
  const made = await madeBefore(client, given, warn);
  const setup = withRightsOfOthers(given, made, warn);
  const manifests = setupManifests(setup);
  if (setup !== given) await requireRights(client, manifests, needed);
  const planned = await sideBySide(manifests, async (manifest) => ({
    manifest,
    before: await current(client, manifest),
  }));
  // The caller must have every right that he grants, which only the API server can check. For bindings it needs the
  // roles.
  for (const { manifest } of planned) if (manifest.kind.endsWith('Role')) await apply(client, manifest, true);
  return begin(async () => {
    const changes = [
      ...(await applyAll(client, planned)),
      ...(setup.defaults === undefined ? await kept(client, setup) : []),
      ...(await prune(client, made, manifests, warn)),
    ];
    // What kubectl has applied stays in an apply of ours that leaves it out.
    if (setup.podNamespaces === undefined) await forgetNamespaces(client, setup);
    const account = planned.find(({ manifest }) => manifest.kind === 'ServiceAccount')?.before;
    for (const line of flagsLeftOut(setup, account, made)) warn(line);
    return changes;
  });
}

/** What an earlier setup was told and this one isn't, one line each: who types it again may have forgotten a flag. */
function flagsLeftOut(setup: Setup, account: Meta | undefined, made: readonly Made[]): string[] {
  const { serviceAccount = SERVICE_ACCOUNT, podNamespaces, createPods } = setup;
  const onPods = made.filter(({ kind, meta }) => madeFor(kind, meta.metadata)?.scope === 'pods');
  const isWide = onPods.some(({ kind }) => kind === 'ClusterRole');
  const places = [...new Set(onPods.flatMap(({ meta }) => meta.metadata.namespace ?? []))].sort();
  const left = isWide || places.length === 0 ? undefined : places;
  const before = account === undefined ? left : podNamespacesOf(account);
  return [
    ...(before !== undefined && podNamespaces === undefined
      ? [`until now ServiceAccount ${serviceAccount} was limited; to limit it again: --namespaces ${before.join(',')}`]
      : []),
    ...(!createPods && made.some(({ meta }) => mayCreatePods(meta))
      ? [
          `until now ServiceAccount ${serviceAccount} might create pods, as init hooks need; to let it again: --create-pods`,
        ]
      : []),
  ];
}

async function applyAll(client: Client, planned: readonly Planned[]): Promise<SetupChange[]> {
  const changes: SetupChange[] = [];
  for (const { manifest, before } of planned) {
    const isForeign = before !== undefined && manifest.kind === 'ServiceAccount' && !isManaged(before);
    const object = await apply(client, isForeign ? withoutLabels(manifest) : manifest, false);
    const after = Meta.parse(object);
    const change =
      before === undefined
        ? 'created'
        : before.metadata.resourceVersion === after.metadata.resourceVersion
          ? 'unchanged'
          : 'configured';
    changes.push(changeOf(manifest.kind, after, change, object));
  }
  return changes;
}

/** Tell the defaults that an earlier setup has made, and that stay, as far as the caller may read them. */
async function kept(client: Client, { namespace }: Setup): Promise<SetupChange[]> {
  try {
    const object = await ifFound(() => client.get(paths.configMaps(namespace, DEFAULTS_NAME)));
    return object === undefined ? [] : [changeOf('ConfigMap', Meta.parse(object), 'unchanged', object)];
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'FORBIDDEN') return [];
    throw error;
  }
}

interface Planned {
  readonly manifest: SetupManifest;
  /** The object before the change. */
  readonly before: Meta | undefined;
}

/** Delete what `setup` has made, for one ServiceAccount or for all in the namespace. */
export async function deleteSetup(
  client: Client,
  setup: Setup,
  warn: (text: string) => void,
  begin = atOnce,
): Promise<SetupChange[]> {
  const made = await madeAnywhere(client, setup, warn);
  const others = otherRestores(made, setup);
  const found = made.filter((each) => isOnlyOf(setup, others, each));
  await requireRights(
    client,
    found.map(({ kind, meta }) => ({ kind, metadata: meta.metadata })),
    ['delete'],
  );
  for (const account of others.keys()) warn(`${alsoFor(others, setup, account)}: it stays, with its rights on pods`);
  return begin(async () => {
    const changes = await remove(client, found);
    if (!others.has(setup.serviceAccount ?? SERVICE_ACCOUNT)) await forgetNamespaces(client, setup);
    return changes;
  });
}

async function requireRights(
  client: Client,
  objects: readonly { readonly kind: Kind; readonly metadata: { readonly namespace?: string | undefined } }[],
  verbs: readonly string[],
): Promise<void> {
  const rights = new Map<string, Right>();
  for (const { kind, metadata } of objects) {
    const { group, resource } = kinds[kind];
    for (const verb of verbs) {
      const right = { group, resource, verb, ...(metadata.namespace && { namespace: metadata.namespace }) };
      rights.set(rightText(right), right);
    }
  }
  const missing = await missingRights(client, [...rights.values()]);
  if (missing.length === 0) return;
  throw new RestoreHooksError('FORBIDDEN', `you may not ${rightsText(missing)}; nothing was changed`, {
    hint: 'an administrator can do it with the same command, or with what it prints without --apply',
  });
}

async function current(client: Client, { kind, metadata }: SetupManifest): Promise<Meta | undefined> {
  return ifFound(async () => Meta.parse(await client.get(kinds[kind].path(metadata.namespace, metadata.name))));
}

async function apply(client: Client, manifest: SetupManifest, dryRun: boolean): Promise<KubeObject> {
  const { namespace, name } = manifest.metadata;
  try {
    return await client.patch(kinds[manifest.kind].path(namespace, name), manifest, 'apply', {
      fieldManager: MANAGER,
      force: true,
      ...(dryRun && { dryRun }),
    });
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || error.code !== 'NOT_FOUND') throw error;
    throw new RestoreHooksError(error.code, `there is no namespace ${namespace}`, {
      hint: "name the Restore's namespace with -n, that of runs with --run-namespace, and those of the pods with --namespaces",
      cause: error.cause,
    });
  }
}

/** Without our labels, for a ServiceAccount that somebody else made: `setup --delete` must leave it. */
function withoutLabels(manifest: SetupManifest): SetupManifest {
  const { labels: _, ...metadata } = manifest.metadata;
  return { ...manifest, metadata: metadata as SetupManifest['metadata'] };
}

const isManaged = ({ metadata }: Meta): boolean =>
  Object.entries(MANAGED_LABELS).every(([key, value]) => metadata.labels?.[key] === value);

/** What earlier setups have made for this ServiceAccount; nothing, with a warning, if the caller may not look for it. */
async function madeBefore(
  client: Client,
  { namespace, runNamespace, serviceAccount = SERVICE_ACCOUNT }: Setup,
  warn: (text: string) => void,
): Promise<Made[]> {
  return unlessRefused(warn, () => findMade(client, { namespace, runNamespace, serviceAccount }));
}

/** Delete what an earlier setup granted beyond this one: cluster-wide, or in other namespaces. */
async function prune(
  client: Client,
  made: readonly Made[],
  manifests: readonly SetupManifest[],
  warn: (text: string) => void,
): Promise<SetupChange[]> {
  const keyOf = (kind: Kind, metadata: { namespace?: string | null | undefined; name: string }): string =>
    JSON.stringify([kind, metadata.namespace ?? '', metadata.name]);
  const wanted = new Set(manifests.map(({ kind, metadata }) => keyOf(kind, metadata)));
  // Rights on the Restores of another namespace are those of another Velero (R8.88).
  const beyond = made.filter(
    ({ kind, meta: { metadata } }) =>
      !wanted.has(keyOf(kind, metadata)) && madeFor(kind, metadata)?.scope !== 'restore',
  );
  return unlessRefused(warn, () => remove(client, beyond));
}

async function unlessRefused<T>(warn: (text: string) => void, work: () => Promise<T[]>): Promise<T[]> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || (error.code !== 'FORBIDDEN' && error.code !== 'DENIED')) throw error;
    warn(`rights that an earlier setup granted elsewhere are not taken away: ${error.message}`);
    return [];
  }
}

/** For each ServiceAccount that also runs the hooks of Restores in other namespaces: these namespaces. */
type OtherRestores = ReadonlyMap<string, readonly string[]>;

function otherRestores(made: readonly Made[], { namespace }: Setup): OtherRestores {
  const others = new Map<string, string[]>();
  for (const { kind, meta } of made) {
    const { namespace: place } = meta.metadata;
    const runner = madeFor(kind, meta.metadata);
    const isOfRestores =
      (kind === 'RoleBinding' && runner?.scope === 'restore') || (kind === 'Role' && isBeside(runner, meta));
    if (!isOfRestores || runner === undefined || place === undefined || place === namespace) continue;
    others.set(runner.account, [...(others.get(runner.account) ?? []), place]);
  }
  return others;
}

/** The role of a runner that works beside its Restores. */
const isBeside = (runner: ReturnType<typeof madeFor>, { rules }: Meta): boolean =>
  runner?.scope === 'run' && (rules?.some(({ resources }) => resources?.includes('restores')) ?? false);

const alsoFor = (others: OtherRestores, setup: Setup, account: string): string =>
  `ServiceAccount ${account} in namespace ${objectsNamespace(setup)} also runs the hooks of Restores in namespace ` +
  `${others.get(account)?.join(', ')}`;

/** Whether no Velero of another namespace needs it. */
function isOnlyOf({ namespace }: Setup, others: OtherRestores, { kind, meta: { metadata } }: Made): boolean {
  const runner = madeFor(kind, metadata);
  if (runner?.scope === 'restore') return metadata.namespace === namespace;
  return runner === undefined || !others.has(runner.account);
}

/**
 * A ServiceAccount that also runs the hooks of Restores in other namespaces keeps its rights on pods: nobody knows which
 * of them those need (R8.88).
 */
function withRightsOfOthers(setup: Setup, made: readonly Made[], warn: (text: string) => void): Setup {
  const account = setup.serviceAccount ?? SERVICE_ACCOUNT;
  const others = otherRestores(made, setup);
  if (!others.has(account)) return setup;
  warn(`${alsoFor(others, setup, account)}: rights on pods that it has stay`);
  const createPods = setup.createPods === true || made.some(({ meta }) => mayCreatePods(meta));
  const alsoBeside = others.get(account)?.includes(objectsNamespace(setup)) === true;
  const { podNamespaces, ...everywhere } = { ...setup, alsoBeside };
  if (podNamespaces === undefined || made.some(({ kind }) => kind === 'ClusterRole'))
    return { ...everywhere, createPods };
  const onPods = made.filter(({ kind, meta }) => madeFor(kind, meta.metadata)?.scope === 'pods');
  const before = onPods.flatMap(({ meta: { metadata } }) => metadata.namespace ?? []);
  return { ...everywhere, createPods, podNamespaces: [...new Set([...before, ...podNamespaces])] };
}

const mayCreatePods = ({ rules }: Meta): boolean =>
  rules?.some(({ resources, verbs }) => resources?.includes('pods') && verbs.includes('create')) ?? false;

interface Made {
  readonly kind: Kind;
  readonly meta: Meta;
  readonly object: KubeObject;
}

/** The objects with our labels that belong to this setup, in the order of their deletion: bindings first. */
async function findMade(client: Client, setup: Setup): Promise<Made[]> {
  const labelSelector = Object.entries(MANAGED_LABELS)
    .map(([key, value]) => `${key}=${value}`)
    .join();
  const list = async (kind: Kind, namespace?: string): Promise<Made[]> => {
    const { items } = await client.listAll(kinds[kind].path(namespace), { labelSelector });
    return items.map((object) => ({ kind, meta: Meta.parse(object), object }));
  };
  const { namespace, podNamespaces } = setup;
  const own = objectsNamespace(setup);
  const places = podNamespaces === undefined ? [undefined] : [...new Set([namespace, own, ...podNamespaces])];
  const inAll = (kind: Kind): [Kind, string | undefined][] => places.map((place) => [kind, place]);
  const wide: [Kind, undefined][] = [
    ['ClusterRoleBinding', undefined],
    ['ClusterRole', undefined],
  ];
  const lists = [...inAll('RoleBinding'), ...(podNamespaces === undefined ? wide : []), ...inAll('Role')];
  // The defaults belong to no ServiceAccount, so they are looked for only where all is.
  const shared = setup.serviceAccount === undefined ? [['ConfigMap', namespace] as const] : [];
  const asked = [...lists, ...shared, ['ServiceAccount', own] as const];
  const found = (await sideBySide(asked, ([kind, place]) => list(kind, place))).flat();
  return found.filter(({ kind, meta }) => isMadeBySetup(setup, kind, meta.metadata));
}

/** Also what is beyond `--namespaces`, unless the caller may not look there: rights that stay are worth a warning. */
async function madeAnywhere(client: Client, setup: Setup, warn: (text: string) => void): Promise<Made[]> {
  const { podNamespaces, ...everywhere } = setup;
  try {
    return await findMade(client, everywhere);
  } catch (error) {
    const isForbidden = error instanceof RestoreHooksError && error.code === 'FORBIDDEN';
    if (!isForbidden || podNamespaces === undefined) throw error;
    warn(`rights that an earlier setup granted beyond namespaces ${podNamespaces.join(', ')} stay: ${error.message}`);
    return findMade(client, setup);
  }
}

async function remove(client: Client, found: readonly Made[]): Promise<SetupChange[]> {
  const changes: SetupChange[] = [];
  for (const { kind, meta, object } of found) {
    const { namespace, name, uid } = meta.metadata;
    const at = kinds[kind].path(namespace ?? undefined, name);
    const gone = await ifFound(() => client.delete(at, { ...(uid && { uid }) }));
    if (gone !== undefined) changes.push(changeOf(kind, meta, 'deleted', object));
  }
  return changes;
}

/** The namespaces that an earlier setup has limited the ServiceAccount to; none if it hasn't. */
export async function namespacesBefore(client: Pick<KubeClient, 'get'>, setup: Setup): Promise<readonly string[]> {
  const at = paths.serviceAccounts(objectsNamespace(setup), setup.serviceAccount ?? SERVICE_ACCOUNT);
  const account = await unlessForbidden(
    ifFound(() => client.get(at)),
    undefined,
  );
  return (account && podNamespacesOf(account)) ?? [];
}

/** Remove our annotation from a ServiceAccount, or from what of it somebody else has written. */
async function forgetNamespaces(client: Client, setup: Setup): Promise<void> {
  const at = paths.serviceAccounts(objectsNamespace(setup), setup.serviceAccount ?? SERVICE_ACCOUNT);
  const account = await ifFound(async () => Meta.parse(await client.get(at)));
  if (account?.metadata.annotations?.[NAMESPACES_ANNOTATION] === undefined) return;
  await client.patch(at, { metadata: { annotations: { [NAMESPACES_ANNOTATION]: null } } }, 'merge', {
    fieldManager: MANAGER,
  });
}

async function ifFound<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

function changeOf(kind: Kind, { metadata }: Meta, change: SetupChange['change'], object: KubeObject): SetupChange {
  const { group } = kinds[kind];
  // The items of a list have no apiVersion and kind of their own.
  const whole = { apiVersion: group === '' ? 'v1' : `${group}/v1`, kind, ...object };
  return { kind, name: metadata.name, namespace: metadata.namespace ?? undefined, change, object: whole };
}

const Meta = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string().nullish(),
    resourceVersion: z.string().nullish(),
    labels: z.record(z.string(), z.string()).nullish(),
    annotations: z.record(z.string(), z.string()).nullish(),
  }),
  /** Of a role. */
  rules: z.array(z.object({ resources: z.array(z.string()).nullish(), verbs: z.array(z.string()) })).nullish(),
});
type Meta = z.infer<typeof Meta>;
