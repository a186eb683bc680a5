import { objectsNamespace } from '../../core/manifests/run-objects.ts';
import { RUN_ID_LABEL, runsSelector } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import type { RunStatus } from '../../core/report/run-status.ts';
import { paths } from '../api/paths.ts';
import { runsOfLease } from './lease.ts';
import type { Own, RunsClient } from './own-objects.ts';
import { listOwn, unlessForbidden } from './own-objects.ts';
import { REPORT_TYPE } from './run-store.ts';

export interface FoundRuns {
  /** The runs that the Restore's status names: its last one, and the one before whose report is kept. */
  readonly inStatus: readonly string[];
  /** The runs that the Restore's Lease names, in the order in which they held it. */
  readonly inLease: readonly string[];
  /** All runs, each once. */
  readonly runIDs: readonly string[];
  /** The ConfigMaps of all journals; undefined where they were not listed. */
  readonly journals: readonly Own[] | undefined;
  /** The Secrets of all reports; undefined where they were not listed. */
  readonly reports: readonly Own[] | undefined;
}

/**
 * Find the runs of a Restore: by the labels and the owner of what they left in the cluster, and by the Restore's
 * status. If the caller may not list these objects, the Restore's Lease names the runs. `canList`: false for a runner,
 * which has no right to list.
 */
export async function findRuns(
  client: RunsClient,
  reference: RestoreReference,
  status: RunStatus | undefined,
  canList: boolean,
): Promise<FoundRuns> {
  const namespace = objectsNamespace(reference);
  const labelSelector = runsSelector(reference.name);
  const [journals, reports] = canList
    ? await Promise.all([
        listOwn(client, paths.configMaps(namespace), reference, { labelSelector }),
        listOwn(client, paths.secrets(namespace), reference, { labelSelector, fieldSelector: `type=${REPORT_TYPE}` }),
      ])
    : [];
  const inLease = journals && reports ? [] : await unlessForbidden(runsOfLease(client, reference), []);
  const inStatus = [status?.before?.runID, status?.runID].filter((runID) => runID !== undefined);
  const listed = [...(journals ?? []), ...(reports ?? [])].map(({ labels }) => labels[RUN_ID_LABEL] ?? '');
  return { inStatus, inLease, runIDs: [...new Set([...inLease, ...listed, ...inStatus])], journals, reports };
}
