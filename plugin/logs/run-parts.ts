import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import { reportSecretName, runName, shardName } from '../../shared/core/names.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import type { ReportPartRead } from '../../shared/kubernetes/run/run-store.ts';
import { partsByShard, readReportPart, readReportParts, runStatusOf } from '../../shared/kubernetes/run/run-store.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { Session } from '../command-line/session.ts';

/** Reads the status of a Restore's last run, and the parts of its report that are new since the last time. */
export class RunParts {
  readonly #session: Session;
  readonly #name: string;
  #runID: string | undefined;
  #parts: readonly number[] = [];

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
    this.#parts = partsByShard(status);
    return { restore, status, parts };
  }
}

/** The parts of the report of a run whose status is gone, so that nobody knows how many there are. */
export async function standingParts(
  session: Session,
  restore: Restore,
  { runID }: Pick<RunStatus, 'runID'>,
): Promise<ReportPartRead[]> {
  const reference = runsOf(restore, session);
  const run = runName(reference.name, runID);
  const parts: ReportPartRead[] = [];
  for (let index = 0, of = 1; index < of; index += 1) {
    for (let part = 0; ; part += 1) {
      const name = reportSecretName(shardName(run, { index }), part);
      const read = await readReportPart(session.client, reference, name).catch(undefinedIfMissing);
      if (read === undefined) break;
      parts.push(read);
      of = read.shard?.of ?? 1;
    }
  }
  return parts;
}

function undefinedIfMissing(error: unknown): undefined {
  if (!(error instanceof RestoreHooksError) || error.code !== 'NOT_FOUND') throw error;
}
