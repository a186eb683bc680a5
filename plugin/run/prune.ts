import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Ledger } from '../../shared/core/ledger/ledger.ts';
import { ledgerOf } from '../../shared/core/ledger/ledger.ts';
import { runsToRemove } from '../../shared/core/ledger/needed-runs.ts';
import type { Right } from '../../shared/core/manifests/rbac.ts';
import { restoreReference } from '../../shared/core/plan/make-plan-document.ts';
import type { RestoreReference } from '../../shared/core/plan/plan-document.ts';
import { missingRights } from '../../shared/kubernetes/api/access.ts';
import { removeRuns } from '../../shared/kubernetes/run/remove-runs.ts';
import { readRuns } from '../../shared/kubernetes/run/runs-of-restore.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { Session } from '../command-line/session.ts';
import { count } from '../output/plan-view.ts';
import type { Context } from '../process/context.ts';
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
  const restore = await getRestore(client, namespace, name);
  const missing = await missingRights(client, pruneRights(namespace));
  if (missing.length > 0) throw await lackingRights(client, missing);
  const reference = restoreReference(restore, namespace);
  const ledger = ledgerOf(await readRuns(client, clock, reference, restore), clock.now());
  const runIDs = runsToRemove(ledger, keep);
  const stay = ledger.records.length - runIDs.length;
  const left = `${count(stay, 'run')} ${stay === 1 ? 'stays' : 'stay'}: the last ones, and what later runs need to know`;
  if (runIDs.length === 0) return `nothing to remove; ${left}`;
  if (dryRun) return `would remove ${count(runIDs.length, 'run')}: ${runIDs.join(', ')}; ${left}`;
  const removed = await removeRuns(client, reference, runIDs);
  return `removed ${count(runIDs.length, 'run')} (${count(removed, 'object')}); ${left}`;
}

const pruneRights = (namespace: string): Right[] => [
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
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
  }
}
