import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { hasEnded } from '../../shared/core/report/run-status.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { knownRows } from '../../shared/kubernetes/run/earlier-run.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import type { ReportPartRead } from '../../shared/kubernetes/run/run-store.ts';
import type { Session } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import { isOpen, outcomeOf } from '../report/report.ts';
import { hasDiedAsSeen } from '../run/dead-run.ts';
import type { ChosenHooks } from './chosen-hooks.ts';
import { LiveLines } from './live-lines.ts';
import { RUNNER_CONTAINER } from './live-log.ts';
import type { LogChunk } from './log-chunk.ts';
import type { LogFormat } from './log-printer.ts';
import { LogPrinter } from './log-printer.ts';
import type { RunOutputOptions } from './run-output.ts';
import { RunOutput } from './run-output.ts';
import { tellMissing, tellSilent } from './told-output.ts';

export interface LogRequest {
  readonly session: Session;
  readonly name: string;
  readonly context: Context;
  /** Of the run that is meant; undefined: of the last one. */
  readonly runID: string | undefined;
  readonly chosen: ChosenHooks;
  readonly format: LogFormat;
  readonly output: RunOutputOptions;
}

/** The command that lists the hooks of a run. */
export const listCommand = ({ name, session, runID }: Pick<LogRequest, 'name' | 'session' | 'runID'>): string =>
  `kubectl restorehooks status ${name} -n ${session.namespace}${runID === undefined ? '' : ` --run ${runID}`} -o name`;

/** Print what is known of a run's output by now: hook by hook, in plan order (R7.32). */
export async function showLogs(
  request: LogRequest,
  restore: Restore,
  status: RunStatus,
  parts: readonly ReportPartRead[],
): Promise<void> {
  const { session, context, chosen } = request;
  const chunks: LogChunk[] = [];
  const output = new RunOutput(request.output, (chunk) => chunks.push(chunk));
  for (const part of parts) output.add(part);
  const reference = runsOf(restore, session);
  const isOver = hasEnded(status) || (await hasDiedAsSeen(session, context.clock, restore, status));
  const rows = isOver ? await knownRows(session.client, context.clock, reference, status, output.rows) : output.rows;
  chosen.requireKnown(rows, listCommand(request));
  if (!isOver) await readLive(request, status, output);
  for (const row of rows) output.settle(row);
  const printer = new LogPrinter(context.stdout, request.format, (chunk) => tellMissing(context.stderr, chunk));
  const byHook = Map.groupBy(chunks, ({ row }) => row.id);
  for (const row of rows) {
    // The report may not know yet that a hook has begun.
    const outcome = isOpen(row) ? undefined : outcomeOf(row);
    for (const chunk of byHook.get(row.id) ?? []) printer.print(chunk, 0, outcome);
    printer.end(row, outcome);
  }
  const silent = rows.filter((row) => chosen.has(row) && !byHook.has(row.id));
  tellSilent(context.stderr, silent, status.attempt);
  if (rows.length > 0 && !rows.some((row) => chosen.has(row))) context.stderr.write('no hook of the run has failed\n');
}

/** The output of hooks that run, as the runner's log has it by now. */
async function readLive(
  { session, context }: LogRequest,
  { runID, runNamespace }: RunStatus,
  output: RunOutput,
): Promise<void> {
  for (const log of output.logs) {
    const { runner, key } = log;
    const lines = new LiveLines(key, { runID, runner });
    try {
      const text = await session.client.getText(paths.podLog(runNamespace ?? session.namespace, key.pod), {
        container: RUNNER_CONTAINER,
      });
      for (const line of text.split('\n')) {
        for (const piece of lines.read(line)) output.piece(piece, { runID, runner });
      }
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      // The pod of an earlier runner may be gone.
      if (!output.isNewest(log) && error.code === 'NOT_FOUND') continue;
      context.stderr.write(`warning: the output of running hooks can't be read: ${sanitizeLine(error.message)}\n`);
    }
  }
}
