import { hostname, userInfo } from 'node:os';
import process from 'node:process';
import type { ErrorCode } from '../../shared/core/errors.ts';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { RunInput } from '../../shared/core/report/run-input.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { hasEnded } from '../../shared/core/report/run-status.ts';
import { newRunID, newStatus } from '../../shared/kubernetes/run/claim.ts';
import { markFailed } from '../../shared/kubernetes/run/mark-ended.ts';
import { readReport } from '../../shared/kubernetes/run/run-store.ts';
import type { RunObserver, StartedRun } from '../../shared/runtime/run.ts';
import { carryOut } from '../../shared/wiring/carry-out.ts';
import { startTelemetry } from '../../shared/wiring/start-telemetry.ts';
import type { TakenRun } from '../../shared/wiring/take-run.ts';
import { takeRun } from '../../shared/wiring/take-run.ts';
import type { Telemetry } from '../../shared/wiring/telemetry.ts';
import type { CommandResult } from '../command-line/command.ts';
import type { Start } from './begin-run.ts';
import { finishStart, writeRunDown } from './begin-run.ts';
import { createHistoryFile } from './history-file.ts';
import { withOutput } from './row-output.ts';
import { showRun } from './run-display.ts';

/** Carry out a run in this process, to its end or until the command is asked to end. */
export async function runHere(start: Start, restore: Restore, input: RunInput): Promise<CommandResult> {
  const { args, context, teller } = start;
  if (!args.record) return runRecorded(start, restore, input, undefined);
  const history = createHistoryFile(args.record, context.cwd, (message) => teller.say(`warning: ${message}`));
  try {
    return await runRecorded(start, restore, input, (line) => history.write(line));
  } finally {
    history.close();
  }
}

function runRecorded(
  start: Start,
  restore: Restore,
  input: RunInput,
  record: RunObserver['record'],
): Promise<CommandResult> {
  const { session, options, context, teller } = start;
  const { clock, stop } = context;
  const runner = { kind: 'local', name: `${userInfo().username}@${hostname()} (process ${process.pid})` } as const; // R7.7
  const planned = { document: { ...input.plan, hooks: input.hooks } };
  const { attempt } = input;
  const status = newStatus(restore, { runID: newRunID(), planned, runner, options, now: clock.now(), attempt });
  return stop.hold(async () => {
    const warn = (message: string) => teller.say(`warning: ${message}`);
    // Whoever scrapes a run of this machine is on this machine: nobody else is let in.
    const where = { metricsPort: options.metricsPort, host: '127.0.0.1' };
    const telemetry = await startTelemetry(session.client, { ...where, env: context.env, warn });
    try {
      await finishStart(start, status, writeRunDown(start, restore, status));
      const taken = await finishStart(start, status, take(start, status, input));
      if ('ended' in taken) return teller.ended(restore, taken.ended, []);
      return await carryOutHere(start, restore, taken, telemetry, record);
    } finally {
      await telemetry.end();
    }
  });
}

async function carryOutHere(
  start: Start,
  restore: Restore,
  taken: TakenRun,
  telemetry: Telemetry,
  record: RunObserver['record'],
): Promise<CommandResult> {
  const { session, options, context, teller } = start;
  const { clock, stop } = context;
  const { restore: reference } = taken.input.plan;
  const display = showRun(context, reference, 'Ctrl-C starts nothing more and lets running hooks end');
  display.heard({ ...taken.status, phase: 'InProgress' });
  const observer: RunObserver = {
    changed: (rows) => display.changed(rows),
    reported: (rows) => display.reported(rows),
    warn: (what, error) => teller.say(`warning: ${what}: ${error.message}`),
    overdue: (deadline) =>
      teller.say(`the deadline ${deadline} has passed: nothing more is started; running hooks may end`),
    record,
  };
  const started = carryOut(session.client, clock, taken, options, observer, telemetry);
  try {
    const { status: last, rows, annotations } = await untilAsked(start, started, (line) => teller.say(line));
    const { metadata } = restore;
    const shown = teller.ended(
      { ...restore, metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } } },
      last,
      await withOutput(rows, () => readReport(session.client, reference, last)),
    );
    return hasEnded(last) ? shown : { ...shown, error: suspended(start, stop.why?.code) };
  } finally {
    display.end();
  }
}

/** Take the run for this process. Nothing has begun if the command is asked to end before that. */
async function take(
  { session, name, options, context, teller }: Start,
  status: RunStatus,
  input: RunInput,
): Promise<TakenRun | { readonly ended: RunStatus }> {
  const { client, namespace } = session;
  const { clock, stop } = context;
  const { runID, runner } = status;
  const asked = new AbortController();
  const forget = stop.onAsked(() => asked.abort());
  try {
    return await takeRun(client, clock, {
      runID,
      input,
      claimant: { name: runner.name, id: runner.name },
      onUnknown: options.onUnknown,
      unwritten: () => status,
      warn: (message) => teller.say(`warning: ${message}`),
      signal: asked.signal,
    });
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || error.code !== 'INTERRUPTED') throw error;
    await markFailed(client, { namespace, name, runID }, { code: 'error', message: error.message });
    throw new RestoreHooksError(stop.why?.code ?? error.code, error.message, {
      hint: `start anew: kubectl restorehooks apply ${name} -n ${namespace}`,
    });
  } finally {
    forget();
  }
}

/** The first signal and `--timeout` let running hooks end. The second signal doesn't wait for them (R6.17). */
async function untilAsked(
  { context: { stop, secondSignal } }: Start,
  started: StartedRun,
  say: (line: string) => void,
): Promise<Awaited<StartedRun['done']>> {
  const forget = stop.onAsked(() => {
    say('stopping: nothing more is started; running hooks end (Ctrl-C again drops them)');
    started.suspend();
  });
  const drop = () => started.drop();
  secondSignal.addEventListener('abort', drop, { once: true });
  try {
    return await started.done;
  } finally {
    forget();
    secondSignal.removeEventListener('abort', drop);
  }
}

function suspended({ session, name }: Start, code: ErrorCode | undefined): RestoreHooksError {
  const isTimeout = code === 'TIMEOUT';
  const why = isTimeout ? '--timeout is over' : 'interrupted';
  const message = `${why}: the run is suspended; hooks that had not started wait for the next run`;
  return new RestoreHooksError(isTimeout ? 'TIMEOUT' : 'INTERRUPTED', message, {
    hint: `go on with it: kubectl restorehooks apply ${name} -n ${session.namespace}, or retry`,
  });
}
