import { RestoreHooksError } from '../../shared/core/errors.ts';
import { outputOf } from '../../shared/core/report/hook-row.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';

/**
 * A run's rows with what its hooks printed, which the report alone keeps. Without it, if the report can't be read: the rows
 * say more than nothing.
 */
export async function withOutput(
  rows: readonly RunHook[],
  readReport: () => Promise<readonly RunHook[]>,
): Promise<RunHook[]> {
  try {
    const reported = new Map((await readReport()).map((row) => [row.id, row]));
    return rows.map((row) => {
      const said = reported.get(row.id);
      return said?.state === row.state ? { ...row, ...outputOf(said) } : row;
    });
  } catch (error) {
    if (error instanceof RestoreHooksError) return [...rows];
    throw error;
  }
}
