import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import type { ReportPartRead } from '../../shared/kubernetes/run/run-store.ts';
import { readReportParts, runStatusOf } from '../../shared/kubernetes/run/run-store.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { Session } from '../command-line/session.ts';

/** Reads the status of a Restore's last run, and the parts of its report that are new since the last time. */
export class RunParts {
  readonly #session: Session;
  readonly #name: string;
  #runID: string | undefined;
  #parts = 0;

  constructor(session: Session, name: string) {
    this.#session = session;
    this.#name = name;
  }

  /** Without a status there has been no run. The parts are those of the first run that was read; another one has none. */
  async read(): Promise<{
    readonly restore: Restore;
    readonly status: RunStatus | undefined;
    readonly parts: readonly ReportPartRead[];
  }> {
    const { client, namespace } = this.#session;
    const restore = await getRestore(client, namespace, this.#name);
    const status = runStatusOf(restore);
    this.#runID ??= status?.runID;
    if (status === undefined || status.runID !== this.#runID) return { restore, status, parts: [] };
    const parts = await readReportParts(client, runsOf(restore, this.#session), status, this.#parts);
    this.#parts = status.reportParts;
    return { restore, status, parts };
  }
}

/** The parts of the report of a run whose status is gone, so that nobody knows how many there are. */
export async function standingParts(
  session: Session,
  restore: Restore,
  { runID }: Pick<RunStatus, 'runID'>,
): Promise<ReportPartRead[]> {
  const parts: ReportPartRead[] = [];
  const reference = runsOf(restore, session);
  for (let part = 0; ; part += 1) {
    try {
      parts.push(...(await readReportParts(session.client, reference, { runID, reportParts: part + 1 }, part)));
    } catch (error) {
      if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return parts;
      throw error;
    }
  }
}
