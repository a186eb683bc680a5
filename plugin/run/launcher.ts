import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Starting } from '../../shared/core/ledger/decision.ts';
import type { Ledger } from '../../shared/core/ledger/ledger.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { PlannedRun } from '../../shared/core/plan/plan-run.ts';
import { wavesOf } from '../../shared/core/report/open-wave.ts';
import type { PodToCreate } from '../../shared/core/report/payload.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import type { RunInput } from '../../shared/core/report/run-input.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { hasEnded } from '../../shared/core/report/run-status.ts';
import { versionOf } from '../../shared/kubernetes/run/claim.ts';
import { holderOf } from '../../shared/kubernetes/run/lease.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { runStatusOf, writeStatus } from '../../shared/kubernetes/run/run-store.ts';
import { pause } from '../../shared/ports/pause.ts';
import type { RunnerArguments } from '../command-line/apply-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import type { Session } from '../command-line/session.ts';
import { usage } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import type { Start } from './begin-run.ts';
import { asDead } from './dead-run.ts';
import type { Following } from './follow.ts';
import { follow, WATCHING } from './follow.ts';
import { GIVE_UP_MS, giveUp, jobStart, StartWatch } from './job-start.ts';
import { isUnclaimed, obstacleOf } from './obstacle.ts';
import { removeOldRuns } from './prune.ts';
import { runHere } from './run-here.ts';
import { RunTeller } from './run-teller.ts';
import { startJob } from './start-job.ts';

/** How often we decide again because somebody else has written to the Restore since it was read. */
const DECIDE_TRIES = 10;
const LOOK_EVERY_MS = 1_000;
/** Of all shards together. */
const MOST_WAVES = 16_384;

/** What the runner is told about the run besides its plan and what was decided. */
export type AboutRun = Pick<RunInput, 'attempt' | 'narrowed' | 'startedOver' | 'leavesFailHooks'>;

/** Try again if somebody else has written to the Restore since it was read (R5.9). */
export async function retryOnConflict(once: () => Promise<CommandResult>): Promise<CommandResult> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await once();
    } catch (error) {
      const isConflict = error instanceof RestoreHooksError && error.code === 'WRITE_CONFLICT';
      if (!isConflict || tries >= DECIDE_TRIES) throw error;
    }
  }
}

/** Each shard tells the others of each of its waves, in an object of at most 1 MiB (R8.40). */
function requireFewWaves(hooks: PlannedRun['hooks'], parallelism: number): void {
  const waves = wavesOf(hooks).length;
  if (waves * parallelism <= MOST_WAVES) return;
  const most = Math.max(1, Math.floor(MOST_WAVES / waves));
  throw usage(`--parallelism ${parallelism} is too high for a plan of ${waves} waves`, `use --parallelism=${most}`);
}

/** What `apply` and `retry` share: start a run in a Job or here, and follow it or show it. */
export class Launcher {
  readonly teller: RunTeller;
  readonly #session: Session;
  readonly #name: string;
  readonly #args: RunnerArguments;
  readonly #context: Context;
  readonly #following: Following;

  constructor(session: Session, name: string, args: RunnerArguments, context: Context, following = WATCHING) {
    this.teller = new RunTeller(session, name, args, context);
    this.#session = session;
    this.#name = name;
    this.#args = args;
    this.#context = context;
    this.#following = following;
  }

  /** Start the run, in a Job or here. Refuses if another runner is still at work. */
  async start(
    restore: Restore,
    { document: { hooks: _, ...plan }, hooks }: Pick<PlannedRun, 'document' | 'hooks'>,
    { kept, lost, begun, starts, quiet, takesOver }: Starting,
    ledger: Ledger,
    about: AboutRun,
    pods: readonly PodToCreate[],
  ): Promise<CommandResult> {
    const { runner, dryRun, record, deadline, parallelism } = this.#args;
    const { maxConcurrent, capture, failOn, keepRestorePhase, onUnknown, metricsPort } = this.#args;
    requireFewWaves(hooks, parallelism);
    if (dryRun === undefined) await this.#requireNobody(restore);
    const input: RunInput = {
      plan,
      hooks,
      kept,
      pods: [...pods],
      ...about,
      ...(lost.length > 0 ? { lost: [...lost] } : {}),
      ...(begun.length > 0 ? { begun: [...begun] } : {}),
      ...(Object.keys(starts).length > 0 ? { starts } : {}),
      ...(quiet.length > 0 ? { quiet: [...quiet] } : {}),
      ...(takesOver ? { takesOver } : {}),
    };
    const start: Start = {
      session: this.#session,
      name: this.#name,
      args: this.#args,
      options: {
        ...{ maxConcurrent, capture, failOn, keepRestorePhase, onUnknown, metricsPort, parallelism },
        record: record !== undefined,
        deadlineMs: deadline,
      },
      context: this.#context,
      teller: this.teller,
    };
    const result = await (runner === 'job'
      ? startJob(start, restore, input, (runID) => this.follow(runID))
      : runHere(start, restore, input));
    if (dryRun === undefined) await removeOldRuns(this.#session, plan.restore, ledger);
    return result;
  }

  /** Refuse if a runner holds the Restore's Lease: its Job may be deleted while it still waits for running hooks. */
  async #requireNobody(restore: Restore): Promise<void> {
    const { client } = this.#session;
    const reference = runsOf(restore, this.#session);
    const of = runStatusOf(restore)?.shards?.length ?? 1;
    const holders = await Promise.all(
      Array.from({ length: of }, (_, index) =>
        holderOf(client, this.#context.clock, reference, true, { index, of }).catch((error: unknown) => {
          // A user who may not read the Lease leaves the check to the runner.
          if (error instanceof RestoreHooksError && error.code === 'FORBIDDEN') return undefined;
          throw error;
        }),
      ),
    );
    const holder = holders.find((each) => each !== undefined); // R8.50
    if (holder === undefined) return;
    const run = holder.runID === undefined ? '' : ` (run ${holder.runID})`;
    throw new RestoreHooksError('RUN_BY_ANOTHER', `${holder.name}${run} is still working on Restore ${this.#name}`, {
      hint: 'it may be waiting for running hooks to end; try again in a minute',
    });
  }

  /**
   * Give up an earlier run whose runner can't start, so that a new run may. A Job older than `GIVE_UP_MS` is given up
   * at once. A younger one is waited for and then given up, but only if it is `inTheWay`. True if the Restore must be
   * read again.
   */
  async endStuck(restore: Restore, inTheWay: boolean): Promise<boolean> {
    const status = runStatusOf(restore);
    if (this.#args.dryRun !== undefined || status === undefined || !isUnclaimed(status)) return false;
    const { clock, stop } = this.#context;
    const watch = new StartWatch(this.#context);
    for (let looks = 0; ; looks += 1) {
      const obstacle = await obstacleOf(this.#session, status);
      if (obstacle?.fatal !== true) return looks > 0;
      const { jobMadeAt = clock.now() } = obstacle;
      if (!inTheWay && clock.now() - jobMadeAt < GIVE_UP_MS) return false;
      const line = watch.look(obstacle, jobMadeAt);
      if (line !== undefined) {
        this.teller.say(`run ${status.runID} is given up: nothing of it has been run`);
        await stop.hold(() => giveUp(this.#session, this.#name, clock, status, { code: 'job', message: line }));
        return true;
      }
      if (looks === 0) this.teller.say(`run ${status.runID} is given up if its runner doesn't start in a moment`);
      await pause(clock, LOOK_EVERY_MS);
    }
  }

  async follow(runID: string): Promise<CommandResult> {
    const between = jobStart(this.#session, this.#name, this.#context, true);
    try {
      const { restore, status, rows } = await follow(
        this.#session,
        this.#name,
        this.#context,
        runID,
        between,
        this.#following,
      );
      return this.teller.ended(restore, status, rows);
    } catch (error) {
      // After SIGTERM the run goes on, as after Ctrl-C.
      if (!(error instanceof RestoreHooksError) || error.code !== 'TERMINATED') throw error;
      throw new RestoreHooksError('INTERRUPTED', error.message, error.hint === undefined ? {} : { hint: error.hint });
    }
  }

  /** Mark the run as ended: its runner has died, and no hook is left that may be run. */
  async writeDownDeadRun(restore: Restore, status: RunStatus, rows: readonly RunHook[]): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    if (hasEnded(status)) return this.teller.ended(restore, status, rows); // At its deadline: that is written down.
    const reference = runsOf(restore, this.#session);
    const dead = await asDead(this.#session, this.#context, reference, status, rows, true);
    if (this.#args.dryRun === undefined) await writeStatus(client, versionOf(restore, namespace), dead.status);
    return this.teller.ended(restore, dead.status, dead.rows);
  }
}
