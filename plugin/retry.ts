import { ExitCode, RestoreHooksError } from '../shared/core/errors.ts';
import { refuseWhileBusy } from '../shared/core/plan/plan-run.ts';
import type { Earlier } from '../shared/core/report/decide.ts';
import { decideRetry } from '../shared/core/report/decide.ts';
import { plannedHook, restoreReference } from '../shared/core/report/make-plan-document.ts';
import { asCreated, planOfRows } from '../shared/core/report/rows-plan.ts';
import type { RunHook } from '../shared/core/report/run-document.ts';
import { exitCodeOf, hasEnded } from '../shared/core/report/run-status.ts';
import { earlierRun } from '../shared/kubernetes/earlier-run.ts';
import { getRestore } from '../shared/kubernetes/restores.ts';
import type { RunnerArguments } from './apply-args.ts';
import type { CommandResult } from './command.ts';
import type { Context } from './context.ts';
import { Launcher, untilWritten } from './launcher.ts';
import {
  refuseAfterVeleroGaveUp,
  requirePodRights,
  requireRunner,
  requireUserRights,
  UNCHECKED,
  warnOfVelero,
} from './preconditions.ts';
import type { Session } from './session.ts';
import { usage } from './session.ts';

/** One `retry`: what did not succeed of the Restore's last run is run, as it was planned then (contract §6). */
export class Retry {
  readonly #session: Session;
  readonly #name: string;
  readonly #args: RunnerArguments;
  readonly #only: readonly string[];
  readonly #context: Context;
  readonly #launcher: Launcher;

  constructor(session: Session, name: string, args: RunnerArguments, only: readonly string[], context: Context) {
    this.#session = session;
    this.#name = name;
    this.#args = args;
    this.#only = only;
    this.#context = context;
    this.#launcher = new Launcher(session, name, args, context);
  }

  run(): Promise<CommandResult> {
    return untilWritten(() => this.#once());
  }

  async #once(): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const { runner, serviceAccount, force, onUnknown } = this.#args;
    const launcher = this.#launcher;
    const restore = await getRestore(client, namespace, this.#name);
    await warnOfVelero(this.#session, restore, this.#context);
    refuseWhileBusy(restore, force);
    const account = runner === 'job' ? await requireRunner(this.#session, serviceAccount) : undefined;
    if (await launcher.endStuck(restore, true)) return this.#once();
    const reference = restoreReference(restore, namespace);
    const earlier = await earlierRun(client, this.#context.clock, reference, restore);
    if (earlier === undefined) {
      throw usage(
        `there has been no run of Restore ${this.#name}`,
        `start one: kubectl restorehooks apply ${this.#name}`,
      );
    }
    const rows = earlier.rows.map(asCreated);
    if (!force) await refuseAfterVeleroGaveUp(this.#session, restore, rows);
    const isWanted = this.#narrowed(rows);
    const selector = earlier.selector ?? noSelector(this.#name);
    await requireUserRights(this.#session, runner, selector.namespaces ?? account?.podNamespaces);
    const decision = decideRetry({ ...earlier, rows }, isWanted, onUnknown);
    if (decision.action === 'refuse') throw launcher.refused(decision.why);
    if (decision.action === 'start') {
      const plan = planOfRows(reference, rows, selector, earlier.status.planDigest);
      const kept = new Set(decision.kept.map(({ id }) => id));
      const toRun = plan.hooks.filter(({ id }) => !kept.has(id)).map(plannedHook);
      const notes = await requirePodRights(this.#session, runner === 'job' ? serviceAccount : undefined, toRun);
      launcher.announce(restore, plan, decision, account?.checked === false ? [UNCHECKED] : notes);
      return launcher.start(restore, plan, decision, earlier, []);
    }
    if (decision.action === 'settle') return this.#settled(restore, earlier);
    launcher.say(
      `every hook${this.#only.length > 0 ? ' that --only names' : ''} has succeeded: there is nothing to retry`,
    );
    const exit = hasEnded(earlier.status) ? exitCodeOf(earlier.status) : ExitCode.Ok;
    return launcher.shown(restore, earlier.status, earlier.rows, exit);
  }

  /** Nothing is left but what may have been run. */
  #settled(restore: Parameters<Launcher['settle']>[0], { status, rows }: Earlier): Promise<CommandResult> {
    this.#launcher.say('what is left may have been run when the runner died: --on-unknown=rerun runs it again');
    return this.#launcher.settle(restore, status, rows);
  }

  #narrowed(rows: readonly RunHook[]): (row: RunHook) => boolean {
    const names = ({ id, namespace, pod }: RunHook): string[] => [id, `${namespace}/${pod}`, pod];
    const known = new Set(rows.flatMap(names));
    const unmatched = this.#only.find((name) => !known.has(name));
    if (unmatched !== undefined) {
      throw usage(
        `--only ${unmatched} is no hook and no pod of the run`,
        `list its hooks: kubectl restorehooks status ${this.#name} -n ${this.#session.namespace} -o name`,
      );
    }
    return (row) => this.#only.length === 0 || names(row).some((name) => this.#only.includes(name));
  }
}

function noSelector(name: string): never {
  throw new RestoreHooksError('RUN_FAILED', `the last run of Restore ${name} left no report to go on from`, {
    hint: `plan anew: kubectl restorehooks apply ${name}`,
  });
}
