import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { RestoreReference } from '../../shared/core/plan/plan-document.ts';
import { outputOf } from '../../shared/core/report/hook-row.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { readReportOf } from '../../shared/kubernetes/run/runs-of-restore.ts';

/**
 * The rows of a run's ledger with what its hooks printed, which the report alone keeps. Without it, if the report can't
 * be read: the rows say more than nothing.
 */
export async function withOutput(
  client: KubeClient,
  restore: Restore,
  reference: RestoreReference,
  runID: string,
  rows: readonly RunHook[],
): Promise<RunHook[]> {
  try {
    const reported = new Map((await readReportOf(client, reference, restore, runID)).map((row) => [row.id, row]));
    return rows.map((row) => {
      const said = reported.get(row.id);
      return said?.state === row.state ? { ...row, ...outputOf(said) } : row;
    });
  } catch (error) {
    if (error instanceof RestoreHooksError) return [...rows];
    throw error;
  }
}
