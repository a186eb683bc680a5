import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Right } from '../../shared/core/manifests/rbac.ts';
import { optionalRights, podNamespacesOf, runnerRights } from '../../shared/core/manifests/rbac.ts';
import { objectsNamespace } from '../../shared/core/manifests/run-objects.ts';
import { isCreating } from '../../shared/core/model/hook.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import { SERVICE_ACCOUNT } from '../../shared/core/names.ts';
import type { RunPlace } from '../../shared/core/plan/make-plan-document.ts';
import type { PlannedRun } from '../../shared/core/plan/plan-run.ts';
import { hasExecHooks, hasNoHookStatus, phaseNotices } from '../../shared/core/plan/velero.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { missingRights, missingRightsOfServiceAccount, ownName } from '../../shared/kubernetes/api/access.ts';
import { grantCommand, rightsText } from '../../shared/kubernetes/api/grant.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { askedPlace } from '../../shared/kubernetes/run/run-place.ts';
import { knowsHookStatus, whatStopsVelero } from '../../shared/kubernetes/velero/around-restore.ts';
import type { Session } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import { usableDefaults } from './job-settings.ts';

/** Warn if Velero can't read Restores, or has refused this one, or this one has failed (R1.28). */
export async function warnOfVelero(
  { client, namespace }: Pick<Session, 'client' | 'namespace'>,
  restore: Restore,
  { stderr }: Pick<Context, 'stderr'>,
): Promise<void> {
  for (const { code, message } of [...(await whatStopsVelero(client, restore, namespace)), ...phaseNotices(restore)]) {
    if (code === 'restore-without-phase') continue;
    stderr.write(`warning: ${sanitizeLine(message)}\n`);
  }
}

/**
 * Refuse to start a hook that Velero has stopped waiting for and may still run. `rows`: those of an earlier run
 * (R1.24).
 */
export async function refuseAfterVeleroGaveUp(
  { client, namespace }: Pick<Session, 'client' | 'namespace'>,
  restore: Restore,
  rows: readonly Pick<RunHook, 'origin' | 'kind'>[],
): Promise<void> {
  const isVeleros = rows.some(({ origin, kind }) => origin === 'velero' && kind === 'exec');
  if (!hasNoHookStatus(restore) || !(isVeleros || hasExecHooks(restore))) return;
  if (!(await knowsHookStatus(client, namespace))) return;
  const { name } = restore.metadata;
  throw new RestoreHooksError(
    'RUN_BY_ANOTHER',
    `Velero has given up waiting for the hooks of Restore ${name} (no hookStatus): they may be running, or be started, right now`,
    { hint: `see until when: kubectl restorehooks plan ${name} -n ${namespace}; then add --force` },
  );
}

/**
 * The rights that the user needs to plan, launch and follow a run, from reading the Restore on.
 */
export const launchRights = (place: RunPlace, podNamespaces: readonly string[] | undefined): Right[] => {
  const namespace = objectsNamespace(place);
  return [
    ...(podNamespaces?.map((name) => listPods(name)) ?? [listPods()]),
    // To see the runner's own pod. A right for the whole cluster includes it.
    ...(podNamespaces === undefined ? [] : [listPods(namespace)]),
    { group: 'velero.io', resource: 'restores', verb: 'get', namespace: place.namespace },
    { group: 'velero.io', resource: 'restores', verb: 'patch', namespace: place.namespace },
    { group: '', resource: 'secrets', verb: 'create', namespace },
    { group: '', resource: 'secrets', verb: 'patch', namespace },
    { group: '', resource: 'secrets', verb: 'get', namespace },
    { group: 'batch', resource: 'jobs', verb: 'create', namespace },
    { group: 'batch', resource: 'jobs', verb: 'get', namespace },
    { group: 'batch', resource: 'jobs', verb: 'delete', namespace },
  ];
};

const listPods = (namespace?: string): Right => ({
  group: '',
  resource: 'pods',
  verb: 'list',
  ...(namespace === undefined ? {} : { namespace }),
});

/** The rights that the user needs for a run in this process: the runner's, and to read reports. */
const localRights = (place: RunPlace, podNamespaces: readonly string[] | undefined): Right[] => [
  // All of the runner's rights but the one on Jobs: a local run has none.
  ...runnerRights({ ...place, podNamespaces }).filter(({ resource }) => resource !== 'jobs'),
  { group: '', resource: 'secrets', verb: 'get', namespace: objectsNamespace(place) },
];

/** Refuse if a right is missing, of a run's or of `others`, and name all that are. Called before anything changes (R7.16). */
export async function requireUserRights(
  { client }: Pick<Session, 'client'>,
  place: RunPlace,
  runner: 'job' | 'local',
  podNamespaces: readonly string[] | undefined,
  others: readonly Right[] = [],
): Promise<void> {
  const rights = runner === 'job' ? launchRights(place, podNamespaces) : localRights(place, podNamespaces);
  const missing = await missingRights(client, [...others, ...rights]);
  if (missing.length > 0) throw await lackingRights(client, missing);
}

/** The error of a user who lacks rights, found before anything was changed. */
export async function lackingRights(client: Session['client'], missing: readonly Right[]): Promise<RestoreHooksError> {
  const user = await ownName(client);
  return new RestoreHooksError('FORBIDDEN', `user ${user} may not ${rightsText(missing)}`, {
    hint: `nothing has been changed; an administrator can grant this: ${grantCommand(user, missing)}`,
  });
}

/**
 * Refuse a plan that creates pods if whoever runs it may not create them: the ServiceAccount, or without one the user.
 * Returns lines to warn with about other rights.
 */
export async function requirePodRights(
  { client }: Session,
  place: RunPlace,
  serviceAccount: string | undefined,
  hooks: PlannedRun['hooks'],
): Promise<string[]> {
  const needed = podRights(hooks);
  const rights = [...needed, ...logRights(hooks)];
  if (rights.length === 0) return [];
  const account = { namespace: objectsNamespace(place), name: serviceAccount ?? '' };
  try {
    const lacking = await (serviceAccount === undefined
      ? missingRights(client, rights)
      : missingRightsOfServiceAccount(client, account, rights));
    if (lacking.length === 0) return [];
    const missing = lacking.filter((right) => needed.includes(right));
    if (serviceAccount === undefined && missing.length > 0) throw await lackingRights(client, missing);
    const way =
      serviceAccount === undefined
        ? 'you may not get pods/log'
        : `${setupCommand(place, serviceAccount, await accountNamespaces(client, place, serviceAccount))} --create-pods`;
    if (missing.length === 0) return [`what init containers print won't be told: ${way}`];
    throw new RestoreHooksError('FORBIDDEN', `ServiceAccount ${serviceAccount} may not ${rightsText(missing)}`, {
      hint: `let the runner create pods: ${way}`,
    });
  } catch (error) {
    if (!mayNotAsk(error)) throw error;
    return [UNCHECKED];
  }
}

export const UNCHECKED = "you may not ask for the runner's; they are unchecked";

function logRights(hooks: PlannedRun['hooks']): Right[] {
  const namespaces = new Set(hooks.filter(({ kind }) => kind === 'init').map((hook) => hook.namespace));
  return [...namespaces].map((namespace) => ({
    group: '',
    resource: 'pods',
    subresource: 'log',
    verb: 'get',
    namespace,
  }));
}

function podRights(hooks: PlannedRun['hooks']): Right[] {
  const rights = new Map<string, Right>();
  for (const hook of hooks) {
    if (!isCreating(hook)) continue;
    const { namespace } = hook;
    for (const verb of hook.injection === 'recreate' ? ['create', 'delete'] : ['create']) {
      rights.set(`${namespace} ${verb}`, { group: '', resource: 'pods', verb, namespace });
    }
  }
  return [...rights.values()];
}

/** Whether the API server has refused to say what is allowed, as opposed to saying that it is not allowed. */
const mayNotAsk = (error: unknown): boolean =>
  error instanceof RestoreHooksError && error.code === 'FORBIDDEN' && error.cause !== undefined;

export interface RunnerAccount {
  /** The namespaces to which `setup --namespaces` has limited it; undefined if it has not. */
  readonly podNamespaces: readonly string[] | undefined;
  /** What the user has to know of its rights: that they are unchecked, or that one is missing which a run can do without. */
  readonly notes: readonly string[];
}

/** Refuse if the Job's ServiceAccount is missing or lacks a right that the runner needs (R7.17). */
export async function requireRunner(
  { client }: Pick<Session, 'client'>,
  place: RunPlace,
  serviceAccount: string,
): Promise<RunnerAccount> {
  const podNamespaces = await accountNamespaces(client, place, serviceAccount);
  try {
    const account = { namespace: objectsNamespace(place), name: serviceAccount };
    const optional = optionalRights(place);
    const needed = runnerRights({ ...place, podNamespaces });
    const lacking = await missingRightsOfServiceAccount(client, account, [...needed, ...optional]);
    const missing = lacking.filter((right) => needed.includes(right));
    const way = setupCommand(place, serviceAccount, podNamespaces);
    if (missing.length === 0) {
      return { podNamespaces, notes: lacking.map((right) => `the runner may not ${rightsText([right])}: ${way}`) }; // R5.24
    }
    throw new RestoreHooksError('FORBIDDEN', `ServiceAccount ${serviceAccount} may not ${rightsText(missing)}`, {
      hint: `give the runner its rights: ${way}`,
    });
  } catch (error) {
    if (!mayNotAsk(error)) throw error;
    return { podNamespaces, notes: [UNCHECKED] };
  }
}

/** The namespaces to which the ServiceAccount of the defaults is limited; undefined if it isn't limited, or isn't there. */
export async function runnerNamespaces(session: Session): Promise<readonly string[] | undefined> {
  const defaults = await usableDefaults(session);
  const place = askedPlace({ defaultRunNamespace: defaults?.runNamespace, ...session });
  try {
    return await accountNamespaces(session.client, place, defaults?.serviceAccount ?? SERVICE_ACCOUNT);
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'RUN_FAILED') return undefined;
    throw error;
  }
}

async function accountNamespaces(
  client: Session['client'],
  place: RunPlace,
  serviceAccount: string,
): Promise<readonly string[] | undefined> {
  const namespace = objectsNamespace(place);
  try {
    return podNamespacesOf(await client.get(paths.serviceAccounts(namespace, serviceAccount)));
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    if (error.code === 'FORBIDDEN') return undefined;
    if (error.code !== 'NOT_FOUND') throw error;
    throw new RestoreHooksError(
      'RUN_FAILED',
      `there is no ServiceAccount ${serviceAccount} in namespace ${namespace}`,
      {
        hint: `make it, with rights on the pods of all namespaces (--namespaces a,b limits them): ${setupCommand(place, serviceAccount, undefined)}`,
      },
    );
  }
}

/** With the namespaces that the ServiceAccount is limited to: without them, the command would let it into all pods. */
function setupCommand(
  { namespace, runNamespace }: RunPlace,
  serviceAccount: string,
  podNamespaces: readonly string[] | undefined,
): string {
  const where = runNamespace === undefined ? '' : ` --run-namespace ${runNamespace}`;
  const named = serviceAccount === SERVICE_ACCOUNT ? '' : ` --service-account ${serviceAccount}`;
  const limited = podNamespaces === undefined ? '' : ` --namespaces ${podNamespaces.join(',')}`;
  return `kubectl restorehooks setup --apply -n ${namespace}${where}${named}${limited}`;
}
