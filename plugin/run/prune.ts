import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Ledger } from '../../shared/core/ledger/ledger.ts';
import { ledgerOf } from '../../shared/core/ledger/ledger.ts';
import { runsToRemove } from '../../shared/core/ledger/needed-runs.ts';
import type { Right } from '../../shared/core/manifests/rbac.ts';
import { objectsNamespace } from '../../shared/core/manifests/run-objects.ts';
import type { RestoreReference } from '../../shared/core/plan/plan-document.ts';
import { missingRights } from '../../shared/kubernetes/api/access.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { leftBehind, removeLeftBehind } from '../../shared/kubernetes/run/left-behind.ts';
import { removeRuns } from '../../shared/kubernetes/run/remove-runs.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { readRuns } from '../../shared/kubernetes/run/runs-of-restore.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { Session } from '../command-line/session.ts';
import { usage } from '../command-line/session.ts';
import { count } from '../output/plan-view.ts';
import type { Context } from '../process/context.ts';
import { usableDefaults } from './job-settings.ts';
import { lackingRights } from './preconditions.ts';

/**
 * Remove all runs but the last `keep` and those that the ledger needs, or only say which. Returns the text to print
 * (R6.1.7).
 */
export async function prune(
  session: Session,
  name: string,
  { clock }: Context,
  { keep, dryRun }: { readonly keep: number; readonly dryRun: boolean },
): Promise<string> {
  const { client, namespace } = session;
  const [restore, defaults] = await Promise.all([getRestore(client, namespace, name), usableDefaults(session)]);
  const reference = runsOf(restore, { ...session, defaultRunNamespace: defaults?.runNamespace }); // R8.83
  const missing = await missingRights(client, pruneRights(objectsNamespace(reference)));
  if (missing.length > 0) throw await lackingRights(client, missing);
  const ledger = ledgerOf(await readRuns(client, clock, reference, restore), clock.now());
  const runIDs = runsToRemove(ledger, keep);
  const stay = ledger.records.length - runIDs.length;
  const left = `${count(stay, 'run')} ${stay === 1 ? 'stays' : 'stay'}: the last ones, and what later runs need to know`;
  if (ledger.records.length === 0) await requireNamespace(client, objectsNamespace(reference));
  if (runIDs.length === 0) return `nothing to remove; ${left}`;
  if (dryRun) return `would remove ${count(runIDs.length, 'run')}: ${runIDs.join(', ')}; ${left}`;
  const removed = await removeRuns(client, reference, runIDs);
  return `removed ${count(runIDs.length, 'run')} (${count(removed, 'object')}); ${left}`;
}

/**
 * Remove what the runs of deleted Restores have left in the namespace of runs, or only say how much. Returns the text to
 * print (R8.82).
 */
export async function pruneDeleted(session: Session, { dryRun }: { readonly dryRun: boolean }): Promise<string> {
  const { client, namespace } = session;
  const runNamespace = session.runNamespace ?? (await usableDefaults(session))?.runNamespace ?? namespace;
  if (runNamespace === namespace) {
    throw usage(
      'prune --deleted needs the namespace of runs: --run-namespace NAMESPACE',
      `what runs leave beside their Restore, in namespace ${namespace}, is deleted with it by Kubernetes`,
    );
  }
  const missing = await missingRights(client, pruneDeletedRights(namespace, runNamespace));
  if (missing.length > 0) throw await lackingRights(client, missing);
  const left = await leftBehind(client, namespace, runNamespace);
  const restores = count(left.length, 'deleted Restore');
  if (left.length === 0) {
    await requireNamespace(client, runNamespace);
    return `nothing to remove: no deleted Restore has left anything in namespace ${runNamespace}`;
  }
  const objects = left.reduce((sum, { paths }) => sum + paths.length, 0);
  if (dryRun) return `would remove ${count(objects, 'object')} of ${restores} in namespace ${runNamespace}`;
  const removed = await removeLeftBehind(client, left);
  return `removed ${count(removed, 'object')} of ${restores} in namespace ${runNamespace}`;
}

/** Lists are empty in a namespace that isn't there, too. Who may not read it isn't told. */
async function requireNamespace(client: Session['client'], namespace: string): Promise<void> {
  try {
    await client.get(paths.namespaces(namespace));
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    if (error.code === 'FORBIDDEN') return;
    if (error.code !== 'NOT_FOUND') throw error;
    throw new RestoreHooksError('NOT_FOUND', `there is no namespace ${namespace}`, {
      hint: 'name the namespace of runs with --run-namespace',
      cause: error.cause,
    });
  }
}

export const pruneDeletedRights = (namespace: string, runNamespace: string): Right[] => [
  { group: 'velero.io', resource: 'restores', verb: 'list', namespace },
  ...[
    ['', 'configmaps'],
    ['', 'secrets'],
    ['batch', 'jobs'],
    ['coordination.k8s.io', 'leases'],
  ].flatMap(([group = '', resource = '']) =>
    ['list', 'delete'].map((verb) => ({ group, resource, verb, namespace: runNamespace })),
  ),
];

export const pruneRights = (namespace: string): Right[] => [
  ...['configmaps', 'secrets'].flatMap((resource) =>
    ['list', 'delete'].map((verb) => ({ group: '', resource, verb, namespace })),
  ),
  { group: 'batch', resource: 'jobs', verb: 'delete', namespace },
];

/** How many runs are kept when a new one starts, besides those that the ledger needs (R6.1.8). */
const RUNS_AT_MOST = 10;

/** Remove old runs when a new one starts. It is best effort: a failure is neither told nor fatal. */
export async function removeOldRuns({ client }: Session, restore: RestoreReference, ledger: Ledger): Promise<void> {
  try {
    // One less, because the run that has just been created counts too.
    await removeRuns(client, restore, runsToRemove(ledger, RUNS_AT_MOST - 1));
    const { namespace, runNamespace } = restore;
    if (runNamespace === undefined) return;
    await removeLeftBehind(client, await leftBehind(client, namespace, runNamespace)); // R8.82
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
  }
}
