import { ExitCode, RestoreHooksError } from '../../shared/core/errors.ts';
import { isFail } from '../../shared/core/execute/state.ts';
import type { Refusal, Starting } from '../../shared/core/ledger/decision.ts';
import type { Ledger } from '../../shared/core/ledger/ledger.ts';
import type { LedgerRun } from '../../shared/core/ledger/run-record.ts';
import { isExecuted } from '../../shared/core/ledger/run-record.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { PlanDocument } from '../../shared/core/plan/plan-document.ts';
import { busyPhase } from '../../shared/core/plan/velero.ts';
import type { HookRow } from '../../shared/core/report/hook-row.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { exitCodeOf, hasEnded, progressLine } from '../../shared/core/report/run-status.ts';
import { runnerSkew } from '../../shared/core/skew.ts';
import type { RunnerArguments } from '../command-line/apply-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import type { Session } from '../command-line/session.ts';
import { count, noticeLines, summary } from '../output/plan-view.ts';
import { say } from '../output/progress.ts';
import { runView } from '../output/run-view.ts';
import type { Context } from '../process/context.ts';
import { runDocument } from './follow.ts';

type Told = Pick<Context, 'stderr'> & Partial<Pick<Context, 'stdout' | 'isForProgram'>>;

type TellerArguments = Pick<RunnerArguments, 'image' | 'imageFrom' | 'serviceAccount' | 'patches' | 'runner'>;

/** What the user does where nothing was started. `at`: NAME -n NAMESPACE. */
export const insteadText = (instead: Refusal['instead'], at: string): string =>
  instead === 'follow'
    ? `follow it: kubectl restorehooks status ${at} -w`
    : `attach to it: kubectl restorehooks retry ${at}`;

/** Tells the user of the runs of one Restore, on stderr and as the command's result. It asks the cluster nothing. */
export class RunTeller {
  readonly #session: Pick<Session, 'namespace' | 'cluster'>;
  readonly #name: string;
  readonly #args: TellerArguments;
  readonly #context: Told;
  #announced = '';

  constructor(session: Pick<Session, 'namespace' | 'cluster'>, name: string, args: TellerArguments, context: Told) {
    this.#session = session;
    this.#name = name;
    this.#args = args;
    this.#context = context;
  }

  say(line: string): void {
    say(this.#context.stderr, line);
  }

  /** Tell what is going to be done, once for each plan (R7.3). */
  announce(
    restore: Restore,
    document: PlanDocument,
    { kept, dropped = [], difference, lost, quiet }: Starting,
    rights: readonly string[],
  ): void {
    if (this.#announced === document.digest) return;
    this.#announced = document.digest;
    const { namespace, cluster } = this.#session;
    const { image, imageFrom, serviceAccount, patches, runner } = this.#args;
    const backup = restore.spec.backupName ? `, backup ${restore.spec.backupName}` : '';
    const phase = busyPhase(restore) === undefined ? '' : ` (Velero isn't done: ${busyPhase(restore)})`;
    this.say(`context   ${cluster}`);
    this.say(`restore   ${namespace}/${this.#name}${backup}${phase}`);
    const { runNamespace } = document.restore;
    const apart = runNamespace === undefined ? '' : ` in namespace ${runNamespace}`;
    // R8.25
    const from = imageFrom === undefined ? '' : ` (${imageFrom})`;
    this.say(
      runner === 'job'
        ? `runner    Job as ServiceAccount ${serviceAccount}${apart}, image ${image}${from}`
        : 'runner    this process',
    );
    if (patches.length > 0)
      this.say(`patch     the Job is changed by ${patches.map((each) => each.from).join(', then ')}`);
    const skew = runner === 'job' ? runnerSkew(image) : undefined;
    if (skew !== undefined) this.say(`warning: ${skew}`);
    this.say(`plan      ${summary(document)}, ${document.digest}`);
    for (const note of rights) this.say(`rights    ${note}`);
    if (kept.length > 0) this.say(`kept      ${count(kept.length, 'hook')} of earlier runs: not run again`);
    this.#warnOfGates(document, kept, dropped);
    if (lost.length > 0) this.say(`again     ${count(lost.length, 'hook')} that may have been run`);
    for (const { namespace: where, pod, until = 'ever' } of quiet) {
      this.say(`quiet     ${where}/${pod}: a command of an earlier run may be running there until ${until}`);
    }
    for (const line of difference) this.say(`          ${line}`);
    for (const line of noticeLines(document)) this.say(line);
  }

  /**
   * R6.1.4: what an earlier run executed is left to `retry`, also a `Fail` hook whose failure had stopped that run. One that
   * the plan has no more (its pod is gone, or `--skip` names it) holds up nothing either.
   */
  #warnOfGates({ hooks }: PlanDocument, kept: readonly HookRow[], dropped: readonly HookRow[]): void {
    const failed = [...kept, ...dropped].filter(
      (row) => isFail(row.hook) && isExecuted(row) && row.state !== 'Succeeded',
    );
    const lowest = Math.min(...failed.map(({ hook }) => (hook.kind === 'exec' ? (hook.wave ?? 0) : 0)));
    const isKept = new Set<string>(kept.map(({ hook }) => hook.id));
    const run = hooks.filter((hook) => !isKept.has(hook.id) && hook.kind === 'exec' && (hook.wave ?? 0) >= lowest);
    const [first] = failed;
    if (first === undefined || run.length === 0) return;
    const more = failed.length === 1 ? '' : `, and ${failed.length - 1} more,`;
    const at = `${this.#name} -n ${this.#session.namespace}`;
    const isDropped = dropped.includes(first);
    this.say(
      `warning: ${first.hook.id} (onError: Fail)${more} is ${isDropped ? `${first.state} and not in this plan` : `kept as ${first.state}`}, and holds up nothing: ${count(run.length, 'hook')} of this wave or later run now`,
    );
    this.say(`hint: retry runs what did not succeed, in order, and stops at it: kubectl restorehooks retry ${at}`);
  }

  /** The result of a command whose run has ended. */
  ended(restore: Restore, status: RunStatus, rows: readonly RunHook[]): CommandResult {
    const why = status.failure === undefined ? '' : `: ${status.failure.message}`;
    const { stdout, stderr, isForProgram } = this.#context;
    // On a terminal the view says it, as its last lines.
    if (!stdout?.isTTY || !stderr.isTTY || isForProgram) {
      this.say(`${status.phase}: ${progressLine(status.counts)}${why}`);
    }
    return this.shown(restore, status, rows, exitCodeOf(status)); // R5.4
  }

  shown(
    restore: Restore,
    status: RunStatus,
    rows: readonly RunHook[],
    exit: ExitCode = hasEnded(status) ? exitCodeOf(status) : ExitCode.Ok,
  ): CommandResult {
    const document = runDocument(restore, this.#session.namespace, status, rows);
    return { view: runView(document, { followed: true }), exit };
  }

  refused(why: string, instead: Refusal['instead'] = 'follow'): RestoreHooksError {
    const hint = insteadText(instead, `${this.#name} -n ${this.#session.namespace}`);
    return new RestoreHooksError('RUN_BY_ANOTHER', why, { hint });
  }

  /** Warn of the parts of earlier runs that can't be read. Called if the rest is enough to decide on. */
  warnOfUnreadable(ledger: Ledger): void {
    for (const { record } of ledger.runs) {
      for (const line of record.unreadable) this.say(`warning: run ${record.runID}: ${line}`);
    }
  }

  unclear(runs: readonly LedgerRun[]): RestoreHooksError {
    const why = runs.map(({ record: { runID, unreadable } }) => {
      return `what run ${runID} did isn't known: ${unreadable.join('; ') || 'its report is gone'}`;
    });
    const at = `${this.#name} -n ${this.#session.namespace}`;
    return new RestoreHooksError('RUN_FAILED', `${why.join('; ')}; nothing is started`, {
      hint: `if its hooks may run again, start over: kubectl restorehooks apply ${at} --again`, // R6.26
    });
  }
}
