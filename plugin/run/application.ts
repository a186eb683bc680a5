import { RestoreHooksError } from '../../shared/core/errors.ts';
import { decideApply } from '../../shared/core/ledger/decide-apply.ts';
import type { Starting } from '../../shared/core/ledger/decision.ts';
import type { LastRun } from '../../shared/core/ledger/last-run.ts';
import type { Ledger, RunsOfRestore } from '../../shared/core/ledger/ledger.ts';
import { ledgerOf, resultOf } from '../../shared/core/ledger/ledger.ts';
import { podKey } from '../../shared/core/model/hook.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import { ANNOTATION } from '../../shared/core/names.ts';
import type { RunPlace } from '../../shared/core/plan/make-plan-document.ts';
import { isNarrowed } from '../../shared/core/plan/named-hooks.ts';
import { nothingToRun, refuseAfterGivingUp } from '../../shared/core/plan/nothing-to-run.ts';
import type { PlanDocument } from '../../shared/core/plan/plan-document.ts';
import type { PlannedRun, PlanRequest } from '../../shared/core/plan/plan-run.ts';
import { planRun, refuseWhileBusy } from '../../shared/core/plan/plan-run.ts';
import { rowDocuments } from '../../shared/core/report/hook-row.ts';
import { podsToCreate } from '../../shared/kubernetes/pods/pods-to-create.ts';
import { askedPlace, runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { readReportOf, readRuns } from '../../shared/kubernetes/run/runs-of-restore.ts';
import { awaitRestore } from '../../shared/kubernetes/velero/await-restore.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { ApplyArguments } from '../command-line/apply-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import type { Session } from '../command-line/session.ts';
import type { Given } from '../input/given.ts';
import { givenPods } from '../input/given.ts';
import type { GivenPods } from '../input/given-pods.ts';
import { withGivenPods } from '../input/given-pods.ts';
import { liveInput } from '../input/plan-input.ts';
import type { ApplyInput } from '../input/saved-plan.ts';
import { requireSame, selectorFlags } from '../input/saved-plan.ts';
import { noticeLines } from '../output/plan-view.ts';
import { runView } from '../output/run-view.ts';
import type { Context } from '../process/context.ts';
import type { Following } from './follow.ts';
import { runDocument } from './follow.ts';
import { Launcher, retryOnConflict } from './launcher.ts';
import type { RunnerAccount } from './preconditions.ts';
import { requirePodRights, requireRunner, requireUserRights } from './preconditions.ts';
import { withOutput } from './row-output.ts';
import { tellWaiting } from './tell-waiting.ts';

/**
 * One `apply`: decide, check, write the run down, launch it, follow it. Nothing changes before all checks have passed
 * (R7.16).
 */
export class Application {
  readonly #session: Session;
  readonly #name: string;
  readonly #args: ApplyArguments;
  readonly #context: Context;
  readonly #hookFiles: PlanRequest['hookFiles'];
  readonly #saved: PlanDocument | undefined;
  readonly #given: Given;
  readonly #launcher: Launcher;

  constructor(
    session: Session,
    { name, saved, given }: ApplyInput,
    args: ApplyArguments,
    context: Context,
    hookFiles: PlanRequest['hookFiles'],
    following?: Following,
  ) {
    this.#session = session;
    this.#name = name;
    this.#given = given;
    this.#args = args;
    this.#context = context;
    this.#hookFiles = hookFiles;
    this.#saved = saved;
    this.#launcher = new Launcher(session, name, args, context, following);
  }

  async run(): Promise<CommandResult> {
    await this.#awaitRestore();
    return retryOnConflict(() => this.#once());
  }

  /** Wait for the Restore, if that is asked for. Nobody waits half an hour to hear that a right is missing. */
  async #awaitRestore(): Promise<void> {
    const { waitForRestore, force } = this.#args;
    if (waitForRestore === undefined) return;
    await this.#requireRights(askedPlace(this.#session));
    const { client, namespace } = this.#session;
    const { clock } = this.#context;
    const restore = { namespace, name: this.#name, limitMs: waitForRestore, force };
    const teller = tellWaiting(this.#context, restore);
    try {
      await awaitRestore(client, clock, { ...restore, ...teller });
    } finally {
      teller.end();
    }
  }

  /** Refuse if the user or the runner lacks a right that every run needs. */
  async #requireRights(place: RunPlace): Promise<RunnerAccount | undefined> {
    const { runner, serviceAccount, podNamespace } = this.#args;
    const account = runner === 'job' ? await requireRunner(this.#session, place, serviceAccount) : undefined;
    const namespaces = podNamespace.length > 0 ? podNamespace : account?.podNamespaces;
    await requireUserRights(this.#session, place, runner, namespaces);
    return account;
  }

  async #once(): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const launcher = this.#launcher;
    const restore = await getRestore(client, namespace, this.#name);
    if (restore.metadata.deletionTimestamp) {
      throw new RestoreHooksError('RESTORE_NOT_FOUND', `Restore ${namespace}/${this.#name} is being deleted`);
    }
    refuseWhileBusy(restore, this.#args.force);
    const account = await this.#requireRights(runsOf(restore, this.#session));
    const podNamespaces = account?.podNamespaces;
    if (await launcher.endStuck(restore, this.#args.again)) return this.#once();
    const [{ request, planned, given }, early] = await Promise.all([this.#plan(podNamespaces), this.#runs(restore)]);
    refuseAfterGivingUp(planned, request);
    // If the run's status has changed since, read the runs again: decide on what is true right before the write.
    const runs = isSameStatus(restore, request.restore) ? early : await this.#runs(request.restore);
    const ledger = ledgerOf(runs, this.#context.clock.now(), { digest: planned.document.digest, hooks: planned.hooks });
    if (planned.hooks.length === 0) return this.#nothingToRun(planned, request, ledger);
    const { again, onUnknown } = this.#args;
    const plan = { digest: planned.document.digest, hooks: planned.hooks };
    const decision = decideApply(ledger, plan, { again, onUnknown });
    if (decision.action === 'unclear') throw launcher.teller.unclear(decision.runs);
    if (!again) launcher.teller.warnOfUnreadable(ledger);
    if (decision.action === 'start')
      return this.#start({ request, planned, given }, decision, ledger, account?.notes ?? []);
    if (decision.action === 'refuse') throw launcher.teller.refused(decision.why, decision.instead);
    const { last } = ledger;
    if (last === undefined) throw new Error('there is nothing to follow or to show without an earlier run');
    if (decision.action === 'follow') return this.#follow(request, last);
    if (decision.action === 'write-down-dead-run')
      return launcher.writeDownDeadRun(request.restore, last.status, rowDocuments(last.run?.rows));
    return this.#show(request, last);
  }

  #runs(restore: Restore): Promise<RunsOfRestore> {
    const { client } = this.#session;
    return readRuns(client, this.#context.clock, runsOf(restore, this.#session), restore);
  }

  async #start(
    { request, planned, given }: Planned,
    decision: Starting,
    ledger: Ledger,
    accountNotes: readonly string[],
  ): Promise<CommandResult> {
    const { client } = this.#session;
    const { restore } = request;
    const kept = new Set(decision.kept.map(({ hook }) => hook.id));
    const toRun = planned.hooks.filter(({ id }) => !kept.has(id));
    const serviceAccount = this.#args.runner === 'job' ? this.#args.serviceAccount : undefined;
    const notes = await requirePodRights(this.#session, planned.document.restore, serviceAccount, toRun);
    this.#launcher.teller.announce(restore, planned.document, decision, [...new Set([...accountNotes, ...notes])]);
    const created = toRun.filter((hook) => hook.kind === 'init' && hook.injection === 'create');
    const manifests = await given?.whole(new Set(created.map((hook) => podKey(hook.namespace, hook.pod))));
    const pods = await podsToCreate(client, restore, { ...planned, hooks: toRun }, manifests ?? new Map());
    const about = {
      attempt: ledger.attempts + 1,
      ...(isNarrowed(this.#args) && { narrowed: true as const }),
      ...(this.#args.again && { startedOver: true as const }),
      ...(this.#leavesFailHooks(request, planned, ledger) && { leavesFailHooks: true as const }),
    };
    return this.#launcher.start(restore, planned, decision, ledger, about, pods);
  }

  /** Whether `--only` or `--skip` leaves out a hook with onError: Fail that has not succeeded in any run (R5.6). */
  #leavesFailHooks(request: PlanRequest, { hooks }: PlannedRun, ledger: Ledger): boolean {
    if (!isNarrowed(request)) return false;
    const planned = new Set(hooks.map(({ id }) => id));
    return planRun({ ...request, only: [], skip: [] }).hooks.some(
      (hook) =>
        hook.kind === 'exec' &&
        hook.onError === 'Fail' &&
        !planned.has(hook.id) &&
        resultOf(ledger, hook)?.state !== 'Succeeded',
    );
  }

  #follow({ restore }: PlanRequest, { status, run }: LastRun): CommandResult | Promise<CommandResult> {
    const isDry = this.#args.dryRun !== undefined;
    const what = isDry ? 'nothing would be created' : 'following it';
    const { deadline = 'none' } = status;
    const own =
      this.#args.deadline === undefined ? '' : ` (its deadline is the one that it was begun with: ${deadline})`;
    this.#launcher.teller.say(`run ${status.runID} of this plan is going already${own}; ${what}`);
    return this.#args.noWait || isDry
      ? this.#launcher.teller.shown(restore, status, rowDocuments(run?.record.report))
      : this.#launcher.follow(status.runID);
  }

  #show({ restore }: PlanRequest, last: LastRun): Promise<CommandResult> {
    const { status } = last;
    this.#launcher.teller.say(
      `this plan was run by run ${status.runID}: nothing is run again (retry runs what did not succeed, --again all)`,
    );
    return this.#shown(restore, last);
  }

  async #shown(restore: Restore, { status, run }: LastRun): Promise<CommandResult> {
    const { client } = this.#session;
    const reference = runsOf(restore, this.#session);
    const read = () => readReportOf(client, reference, restore, status.runID);
    const rows = await withOutput(rowDocuments(run?.rows), read);
    return this.#launcher.teller.shown(restore, status, rows);
  }

  /** Show the last run if there is one: its hooks have run, even if their pods or labels are gone now (R1.29). */
  async #nothingToRun(planned: PlannedRun, request: PlanRequest, { last }: Ledger): Promise<CommandResult> {
    const { namespace } = this.#session;
    const { restore } = request;
    const launcher = this.#launcher;
    const why = nothingToRun(planned, request, this.#args.allowNoMatch);
    const error = `${why?.message}\n${why?.hint}`;
    const { notices } = planned.document;
    const told = notices.filter(({ code, message }) => code !== 'velero-has-run' && !error.includes(message));
    for (const line of noticeLines({ notices: told })) launcher.teller.say(line);
    if (last === undefined) {
      if (why !== undefined) return { error: why };
      launcher.teller.say(`Restore ${namespace}/${this.#name} has no hooks to run; nothing is created`); // R1.30
      return { view: runView(runDocument(restore, namespace, undefined, [])) };
    }
    const { status, run, standing } = last;
    if (standing.state === 'going') throw launcher.teller.refused(`run ${status.runID} of this Restore is still going`);
    launcher.teller.say(
      `there is nothing to run now${why === undefined ? '' : ` (${why.message})`}: this is run ${status.runID}`,
    );
    if (standing.state === 'died') return launcher.writeDownDeadRun(restore, status, rowDocuments(run?.rows));
    return this.#shown(restore, last);
  }

  async #plan(podNamespaces: readonly string[] | undefined): Promise<Planned> {
    const selector = this.#saved?.selector;
    const flags = selector === undefined ? this.#args : { ...this.#args, ...selectorFlags(selector) };
    const live = await liveInput(this.#session, this.#name, flags, this.#hookFiles, podNamespaces);
    const given = await givenPods(this.#given, this.#session, live.restore, this.#context);
    const found = given === undefined ? live : await withGivenPods(this.#session.client, live, given);
    const request = { ...found, runNamespace: runsOf(found.restore, this.#session).runNamespace };
    const planned = planRun(request);
    if (this.#saved !== undefined) requireSame(this.#saved, planned.document); // R7.6
    return { request, planned, given };
  }
}

interface Planned {
  readonly request: PlanRequest;
  readonly planned: PlannedRun;
  /** Pods of files or of a backup, besides the live ones. */
  readonly given: GivenPods | undefined;
}

const isSameStatus = (one: Restore, other: Restore): boolean =>
  one.metadata.uid === other.metadata.uid &&
  one.metadata.annotations[ANNOTATION.status] === other.metadata.annotations[ANNOTATION.status];
