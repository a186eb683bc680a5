import { ExitCode, RestoreHooksError } from '../../shared/core/errors.ts';
import { decideRetry, rowsToRetry } from '../../shared/core/ledger/decide-retry.ts';
import type { LastRun } from '../../shared/core/ledger/last-run.ts';
import type { Ledger } from '../../shared/core/ledger/ledger.ts';
import { ledgerOf } from '../../shared/core/ledger/ledger.ts';
import { asCreated } from '../../shared/core/ledger/rows-plan.ts';
import type { Hook } from '../../shared/core/model/hook.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import { planDocument } from '../../shared/core/plan/make-plan-document.ts';
import type { Narrowing } from '../../shared/core/plan/named-hooks.ts';
import { isNarrowed, narrowedBy } from '../../shared/core/plan/named-hooks.ts';
import type { PlanDocument, RestoreReference } from '../../shared/core/plan/plan-document.ts';
import { planRun, refuseWhileBusy } from '../../shared/core/plan/plan-run.ts';
import type { HookRow } from '../../shared/core/report/hook-row.ts';
import { rowDocuments } from '../../shared/core/report/hook-row.ts';
import { exitCodeOf, hasEnded } from '../../shared/core/report/run-status.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { readRuns } from '../../shared/kubernetes/run/runs-of-restore.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { RunnerArguments } from '../command-line/apply-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import type { Session } from '../command-line/session.ts';
import { usage } from '../command-line/session.ts';
import { liveInput } from '../input/plan-input.ts';
import type { Context } from '../process/context.ts';
import { Launcher, retryOnConflict } from './launcher.ts';
import {
  refuseAfterVeleroGaveUp,
  requirePodRights,
  requireRunner,
  requireUserRights,
  warnOfVelero,
} from './preconditions.ts';

/** One `retry`: run the hooks of the last run that did not succeed, as they were planned then (R6.25). */
export class Retry {
  readonly #session: Session;
  readonly #name: string;
  readonly #args: RunnerArguments;
  readonly #narrowing: Narrowing;
  readonly #context: Context;
  readonly #launcher: Launcher;

  constructor(session: Session, name: string, args: RunnerArguments, narrowing: Narrowing, context: Context) {
    this.#session = session;
    this.#name = name;
    this.#args = args;
    this.#narrowing = narrowing;
    this.#context = context;
    this.#launcher = new Launcher(session, name, args, context);
  }

  run(): Promise<CommandResult> {
    return retryOnConflict(() => this.#once());
  }

  async #once(): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const { runner, serviceAccount, force, onUnknown } = this.#args;
    const launcher = this.#launcher;
    const restore = await getRestore(client, namespace, this.#name);
    await warnOfVelero(this.#session, restore, this.#context);
    refuseWhileBusy(restore, force);
    const reference = runsOf(restore, this.#session);
    const account = runner === 'job' ? await requireRunner(this.#session, reference, serviceAccount) : undefined;
    if (await launcher.endStuck(restore, true)) return this.#once();
    const { ledger, today } = await this.#ledger(restore, reference);
    const { last } = ledger;
    const start = `start one: kubectl restorehooks apply ${this.#name} -n ${namespace}`;
    if (last === undefined) throw usage(`there has been no run of Restore ${this.#name}`, start);
    const toRetry = rowsToRetry(ledger, today?.plan);
    const unclear = toRetry.of.filter(({ isWhole }) => !isWhole);
    if (unclear.length > 0) throw launcher.teller.unclear(unclear);
    if (toRetry.rows.length === 0)
      throw usage(`no run of Restore ${this.#name} has begun: there is nothing to retry`, start);
    launcher.teller.warnOfUnreadable(ledger);
    const rows = toRetry.rows.map(asCreated);
    if (!force)
      await refuseAfterVeleroGaveUp(
        this.#session,
        restore,
        rows.map(({ hook }) => hook),
      );
    const isWanted = this.#narrowed(rows);
    const selectors = [today?.document.selector, ...toRetry.of.map(({ record }) => record.selector)];
    const selector = selectors.findLast((each) => each !== undefined);
    await requireUserRights(this.#session, reference, runner, selector?.namespaces ?? account?.podNamespaces);
    const decision = decideRetry(ledger, rows, isWanted, onUnknown);
    if (decision.action === 'refuse') throw launcher.teller.refused(decision.why, decision.instead);
    if (decision.action === 'unclear') throw launcher.teller.unclear(decision.runs);
    if (decision.action === 'start') {
      const hooks = rows.map(({ hook }) => hook);
      const plan = planDocument({
        restore: reference,
        selector: selector ?? noSelector(this.#name, this.#session.namespace),
        hooks,
        skipped: [],
        notices: [],
      });
      const kept = new Set(decision.kept.map(({ hook }) => hook.id));
      const toRun = hooks.filter(({ id }) => !kept.has(id));
      const notes = await requirePodRights(
        this.#session,
        reference,
        runner === 'job' ? serviceAccount : undefined,
        toRun,
      );
      launcher.teller.announce(restore, plan, decision, [...new Set([...(account?.notes ?? []), ...notes])]);
      const isNarrowed = toRetry.of.every(({ record: { about } }) => about?.narrowed);
      const about = {
        attempt: ledger.attempts + 1,
        ...(isNarrowed && { narrowed: true as const }),
        // If any of these runs left out no hook with onError: Fail, it has them all.
        ...(toRetry.of.every(({ record: { about } }) => about?.leavesFailHooks) && { leavesFailHooks: true as const }),
      };
      return launcher.start(restore, { document: plan, hooks }, decision, ledger, about, []);
    }
    if (decision.action === 'write-down-dead-run') return this.#settled(restore, last);
    launcher.teller.say(this.#nothingToRetry(rows.filter(isWanted)));
    const exit = hasEnded(last.status) ? exitCodeOf(last.status) : ExitCode.Ok;
    return launcher.teller.shown(restore, last.status, rowDocuments(last.run?.rows ?? rows), exit);
  }

  #nothingToRetry(rows: readonly HookRow[]): string {
    if (rows.some(({ state }) => state !== 'Succeeded')) {
      return 'what is left is not run: it may have been run when its runner died (--on-unknown=rerun runs it again), or its pod is another one by now (apply plans anew)';
    }
    const which = isNarrowed(this.#narrowing) ? ' that --only and --skip leave' : '';
    return `every hook${which} has succeeded: there is nothing to retry`;
  }

  /** Read the ledger. If the report of a run is gone, a new plan may tell which hooks the run's journal is about. */
  async #ledger(
    restore: Restore,
    reference: RestoreReference,
  ): Promise<{ readonly ledger: Ledger; readonly today?: Today }> {
    const { client } = this.#session;
    const { clock } = this.#context;
    const runs = await readRuns(client, clock, reference, restore);
    const ledger = ledgerOf(runs, clock.now());
    if (ledger.runs.every(({ record, isWhole }) => isWhole && record.report.length >= (record.planned ?? 0)))
      return { ledger };
    const { document, hooks } = planRun(await liveInput(this.#session, this.#name, NO_PLAN_FLAGS, undefined));
    const plan = { digest: document.digest, hooks };
    return { ledger: ledgerOf(runs, clock.now(), plan), today: { document, plan } };
  }

  /** All that is left are hooks that may have run when the runner died. */
  #settled(restore: Restore, { status, run }: LastRun): Promise<CommandResult> {
    this.#launcher.teller.say('what is left may have been run when the runner died: --on-unknown=rerun runs it again');
    return this.#launcher.writeDownDeadRun(restore, status, rowDocuments(run?.rows));
  }

  /** R6.25 */
  #narrowed(rows: readonly HookRow[]): (row: HookRow) => boolean {
    const list = `kubectl restorehooks status ${this.#name} -n ${this.#session.namespace} -o name`;
    const hooks = rows.map(({ hook }) => hook);
    const stays = narrowedBy(this.#narrowing, hooks, { of: 'run', list });
    return ({ hook }) => stays(hook);
  }
}

/** What would be planned today. */
interface Today {
  readonly document: PlanDocument;
  readonly plan: { readonly digest: string; readonly hooks: readonly Hook[] };
}

const NO_PLAN_FLAGS = {
  hooks: [],
  sources: [],
  only: [],
  skip: [],
  maxExecTimeout: undefined,
  detach: false,
  rerun: false,
  force: false,
  includeExisting: false,
  recreatePods: false,
  selector: undefined,
  allNamespaces: false,
  podNamespace: [],
} as const;

function noSelector(name: string, namespace: string): never {
  throw new RestoreHooksError('RUN_FAILED', `the last run of Restore ${name} left no report to go on from`, {
    hint: `plan anew: kubectl restorehooks apply ${name} -n ${namespace}`,
  });
}
