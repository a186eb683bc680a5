import { hostname, userInfo } from 'node:os';
import process from 'node:process';
import type { ExitCode } from '../shared/core/errors.ts';
import { RestoreHooksError } from '../shared/core/errors.ts';
import { podKey } from '../shared/core/hook.ts';
import type { RunOptions } from '../shared/core/manifests/job.ts';
import type { Restore } from '../shared/core/model/restore.ts';
import { runName } from '../shared/core/names.ts';
import type { PlannedRun, PlanRequest } from '../shared/core/plan/plan-run.ts';
import { nothingToRun, planRun, refuseWhileBusy } from '../shared/core/plan/plan-run.ts';
import { busyPhase } from '../shared/core/plan/velero.ts';
import type { Decision } from '../shared/core/report/decide.ts';
import { decide } from '../shared/core/report/decide.ts';
import type { PodToCreate } from '../shared/core/report/payload.ts';
import type { PlanDocument } from '../shared/core/report/plan-document.ts';
import type { RunHook } from '../shared/core/report/run-document.ts';
import { isAskedFor } from '../shared/core/report/run-hook.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { exitCodeOf, progressLine } from '../shared/core/report/run-status.ts';
import { claimRun, newRunID, newStatus, versionOf } from '../shared/kubernetes/claim.ts';
import { earlierRun } from '../shared/kubernetes/earlier-run.ts';
import { createRunObjects, runManifests } from '../shared/kubernetes/launch.ts';
import { podsToCreate } from '../shared/kubernetes/pods-to-create.ts';
import { getRestore } from '../shared/kubernetes/restores.ts';
import { readReport, runStatusOf, writeStatus } from '../shared/kubernetes/run-store.ts';
import { carryOut } from '../shared/wiring/carry-out.ts';
import type { ApplyArguments } from './apply-args.ts';
import type { CommandResult } from './command.ts';
import type { Context } from './context.ts';
import { asDead, follow, runDocument } from './follow.ts';
import type { Given } from './given.ts';
import { givenPods } from './given.ts';
import type { GivenPods } from './given-pods.ts';
import { withGivenPods } from './given-pods.ts';
import { jobStart, writeFailed } from './job-start.ts';
import { count, noticeLines, summary } from './output/plan-view.ts';
import { createProgress } from './output/progress.ts';
import { eventLine, runView } from './output/run-view.ts';
import { liveInput } from './plan-input.ts';
import { requirePodRights, requireRunner, requireUserRights } from './preconditions.ts';
import type { ApplyInput } from './saved-plan.ts';
import { requireSame, selectorFlags } from './saved-plan.ts';
import type { Session } from './session.ts';

/** How often the decision is made anew because somebody else wrote to the Restore in between. */
const DECIDE_TRIES = 10;

/** One `apply`: decide, check, write down, launch, follow. Nothing changes before all checks are made. */
export class Application {
  readonly #session: Session;
  readonly #name: string;
  readonly #args: ApplyArguments;
  readonly #context: Context;
  readonly #hookFiles: PlanRequest['hookFiles'];
  readonly #saved: PlanDocument | undefined;
  readonly #given: Given;
  readonly #options: RunOptions;
  #announced = '';

  constructor(
    session: Session,
    { name, saved, given }: ApplyInput,
    args: ApplyArguments,
    context: Context,
    hookFiles: PlanRequest['hookFiles'],
  ) {
    this.#session = session;
    this.#name = name;
    this.#given = given;
    this.#args = args;
    this.#context = context;
    this.#hookFiles = hookFiles;
    this.#saved = saved;
    const { maxConcurrent, capture, failOn, keepRestorePhase } = args;
    this.#options = { maxConcurrent, capture, failOn, keepRestorePhase };
  }

  async run(): Promise<CommandResult> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#once();
      } catch (error) {
        const isConflict = error instanceof RestoreHooksError && error.code === 'WRITE_CONFLICT';
        if (!isConflict || tries >= DECIDE_TRIES) throw error;
      }
    }
  }

  async #once(): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const isJob = this.#args.runner === 'job';
    const restore = await getRestore(client, namespace, this.#name);
    if (restore.metadata.deletionTimestamp) {
      throw new RestoreHooksError('RESTORE_NOT_FOUND', `Restore ${namespace}/${this.#name} is being deleted`);
    }
    refuseWhileBusy(restore, this.#args.force);
    const account = isJob ? await requireRunner(this.#session, this.#args.serviceAccount) : undefined;
    const podNamespaces = account?.podNamespaces;
    const { podNamespace } = this.#args;
    await requireUserRights(this.#session, this.#args.runner, podNamespace.length > 0 ? podNamespace : podNamespaces);
    const { request, planned, given } = await this.#plan(podNamespaces);
    const nothing = nothingToRun(planned, request, this.#args.allowNoMatch);
    if (nothing !== undefined) return { error: nothing };
    if (planned.hooks.length === 0) {
      this.#say(`Restore ${namespace}/${this.#name} has no hooks to run; nothing is created`);
      return { view: runView(runDocument(request.restore, namespace, undefined, [])) };
    }
    const earlier = await earlierRun(client, namespace, request.restore, this.#context.clock.now());
    const { digest } = planned.document;
    const decision = decide(earlier, { digest, hooks: planned.hooks }, this.#args.again);
    if (decision.action === 'start') {
      const kept = new Set(decision.kept.map(({ id }) => id));
      const toRun = planned.hooks.filter(({ id }) => !kept.has(id));
      const mayCreate = await requirePodRights(this.#session, isJob ? this.#args.serviceAccount : undefined, toRun);
      this.#announce(request.restore, planned, decision, (account?.checked ?? true) && mayCreate);
      const created = toRun.filter((hook) => hook.kind === 'init' && hook.injection === 'create');
      const manifests = await given?.whole(new Set(created.map((hook) => podKey(hook.namespace, hook.pod))));
      const pods = await podsToCreate(client, request.restore, { ...planned, hooks: toRun }, manifests ?? new Map());
      return isJob
        ? this.#launch(request.restore, planned, decision, pods)
        : this.#runHere(request.restore, planned, decision, pods);
    }
    const isDry = this.#args.dryRun !== undefined;
    if (decision.action === 'refuse') throw this.#refused(decision.why, earlier?.status);
    if (earlier === undefined) throw new Error('there is nothing to follow or to show without an earlier run');
    if (decision.action === 'follow') {
      const what = isDry ? 'nothing would be created' : 'following it';
      this.#say(`run ${earlier.status.runID} of this plan is going already; ${what}`);
      return this.#args.noWait || isDry ? this.#shown(request.restore, earlier.status, earlier.rows) : this.#follow();
    }
    if (decision.action === 'settle') return this.#settle(request.restore, earlier.status, earlier.rows);
    this.#say(`this plan was run by run ${earlier.status.runID}: nothing is run again (--again starts over with all)`);
    return this.#shown(request.restore, earlier.status, earlier.rows);
  }

  async #plan(podNamespaces: readonly string[] | undefined): Promise<Planned> {
    const selector = this.#saved?.selector;
    const flags = selector === undefined ? this.#args : { ...this.#args, ...selectorFlags(selector) };
    const live = await liveInput(this.#session, this.#name, flags, this.#hookFiles, podNamespaces);
    const given = await givenPods(this.#given, this.#session, live.restore, this.#context);
    const request = given === undefined ? live : await withGivenPods(this.#session.client, live, given);
    const planned = planRun(request);
    if (this.#saved !== undefined) requireSame(this.#saved, planned.document);
    return { request, planned, given };
  }

  #announce(restore: Restore, { document }: PlannedRun, { kept, difference }: Starting, checked: boolean): void {
    if (this.#announced === document.digest) return;
    this.#announced = document.digest;
    const { namespace, cluster } = this.#session;
    const { image, serviceAccount, runner } = this.#args;
    const backup = restore.spec.backupName ? `, backup ${restore.spec.backupName}` : '';
    const phase = busyPhase(restore) === undefined ? '' : ` (Velero isn't done: ${busyPhase(restore)})`;
    this.#say(`context   ${cluster}`);
    this.#say(`restore   ${namespace}/${this.#name}${backup}${phase}`);
    this.#say(
      runner === 'job' ? `runner    Job as ServiceAccount ${serviceAccount}, image ${image}` : 'runner    this process',
    );
    this.#say(`plan      ${summary(document)}, ${document.digest}`);
    if (!checked) this.#say("rights    you may not ask for the runner's; they are unchecked");
    if (kept.length > 0) this.#say(`kept      ${count(kept.length, 'hook')} of earlier runs: not run again`);
    for (const line of difference) this.#say(`          ${line}`);
    for (const line of noticeLines(document)) this.#say(line);
  }

  async #launch(
    restore: Restore,
    planned: PlannedRun,
    { kept }: Starting,
    pods: readonly PodToCreate[],
  ): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const { image, imagePullSecret, serviceAccount, dryRun } = this.#args;
    const runID = newRunID();
    const reference = planned.document.restore;
    const manifests = runManifests(
      { version: 1, plan: planned.document, kept: [...kept], pods: [...pods] },
      {
        restore: reference,
        runID,
        image,
        imagePullSecrets: imagePullSecret,
        serviceAccount,
        options: this.#options,
        after: runStatusOf(restore)?.runID,
      },
    );
    if (dryRun === 'server') await createRunObjects(client, namespace, manifests, true);
    if (dryRun !== undefined) return { view: { kind: 'manifests', manifests } };
    const status = newStatus(restore, {
      runID,
      planned,
      runner: { kind: 'job', name: runName(this.#name, runID) },
      options: this.#options,
      now: this.#context.clock.now(),
    });
    await writeStatus(client, versionOf(restore, namespace), status);
    try {
      await createRunObjects(client, namespace, manifests);
    } catch (error) {
      await this.#launchFailed(status, error);
      throw asRunFailure(error);
    }
    this.#say(`run       ${runID}: Job ${status.runner.name} created`);
    if (this.#args.noWait) return this.#shown(restore, status, []);
    return this.#follow();
  }

  /** The run is known already, but can't come to be: say so where it is known. */
  async #launchFailed(status: RunStatus, error: unknown): Promise<void> {
    const { client, namespace } = this.#session;
    const restore = await getRestore(client, namespace, this.#name);
    const message = error instanceof Error ? error.message : String(error);
    await writeFailed({ client, namespace }, restore, status, `the Job could not be created: ${message}`);
  }

  async #follow(): Promise<CommandResult> {
    const beside = jobStart(this.#session, this.#name, this.#context);
    const { restore, status, rows } = await follow(
      this.#session,
      this.#name,
      this.#context,
      this.#args.timeout,
      beside,
    );
    return this.#ended(restore, status, rows);
  }

  async #runHere(
    restore: Restore,
    planned: PlannedRun,
    { kept }: Starting,
    pods: readonly PodToCreate[],
  ): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const { clock, signal, secondSignal, stderr, env } = this.#context;
    const runner = { kind: 'local', name: `${userInfo().username}@${hostname()} (process ${process.pid})` } as const;
    const runID = newRunID();
    const status = newStatus(restore, { runID, planned, runner, options: this.#options, now: clock.now() });
    await writeStatus(client, versionOf(restore, namespace), status);
    const target = { namespace, name: this.#name, runID };
    const claimed = await claimRun(client, target, runner.name, () => status);
    const progress = createProgress(stderr, clock, env);
    const run = { ...claimed, plan: planned.document, kept: [...kept], pods, options: this.#options };
    const started = carryOut(client, clock, run, {
      changed(rows) {
        for (const row of rows) if (row.state !== 'Waiting' && !isAskedFor(row)) progress.event(eventLine(row));
      },
      warn: (what, error) => progress.event(`warning: ${what}: ${error.message}`),
    });
    const stop = () => {
      progress.event('stopping: nothing more is started; running hooks end (Ctrl-C again drops them)');
      started.cancel();
    };
    const drop = () => started.drop();
    const stopTimer = this.#args.timeout === undefined ? undefined : clock.setTimer(this.#args.timeout, stop);
    signal.addEventListener('abort', stop, { once: true });
    secondSignal.addEventListener('abort', drop, { once: true });
    if (signal.aborted) stop();
    try {
      const { status: ended, rows } = await started.done;
      return this.#ended(restore, ended, await this.#withOutput(ended, rows));
    } finally {
      stopTimer?.();
      signal.removeEventListener('abort', stop);
      secondSignal.removeEventListener('abort', drop);
      progress.end();
    }
  }

  /** The rows as the report has them, with what the hooks printed; without, where it is gone together with the Restore. */
  async #withOutput(status: RunStatus, rows: readonly RunHook[]): Promise<readonly RunHook[]> {
    const { client, namespace } = this.#session;
    try {
      const reported = await readReport(client, { namespace, name: this.#name }, status);
      return reported.length === rows.length ? reported : rows;
    } catch (error) {
      if (error instanceof RestoreHooksError) return rows;
      throw error;
    }
  }

  /** Write down what the reader has found: the runner died, and nothing is left that may be run. */
  async #settle(restore: Restore, status: RunStatus, rows: readonly RunHook[]): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const dead = await asDead(this.#session, status, rows);
    if (this.#args.dryRun === undefined) await writeStatus(client, versionOf(restore, namespace), dead.status);
    return this.#ended(restore, dead.status, dead.rows);
  }

  #ended(restore: Restore, status: RunStatus, rows: readonly RunHook[]): CommandResult {
    const why = status.failure === undefined ? '' : `: ${status.failure.message}`;
    this.#say(`${status.phase}: ${progressLine(status.counts)}${why}`);
    return this.#shown(restore, status, rows, exitCodeOf(status));
  }

  #shown(
    restore: Restore,
    status: RunStatus,
    rows: readonly RunHook[],
    exit: ExitCode = exitCodeOf(status),
  ): CommandResult {
    return { view: runView(runDocument(restore, this.#session.namespace, status, rows)), exit };
  }

  #refused(why: string, status: RunStatus | undefined): RestoreHooksError {
    const at = `-n ${this.#session.namespace}`;
    const isLocal = status?.runner.kind === 'local';
    const gone = isLocal
      ? `\nif that process is gone: kubectl annotate restores.velero.io ${this.#name} ${at} restorehooks.io/status-`
      : '';
    return new RestoreHooksError('RUN_BY_ANOTHER', why, {
      hint: `follow it: kubectl restorehooks status ${this.#name} ${at} -w${gone}`,
    });
  }

  #say(line: string): void {
    createProgress(this.#context.stderr, this.#context.clock, this.#context.env).event(line);
  }
}

interface Planned {
  readonly request: PlanRequest;
  readonly planned: PlannedRun;
  /** Beside the live pods. */
  readonly given: GivenPods | undefined;
}

type Starting = Decision & { action: 'start' };

/** A Job that can't be created is a run that could not start. */
function asRunFailure(error: unknown): unknown {
  if (!(error instanceof RestoreHooksError) || error.code === 'CLUSTER_UNREACHABLE' || error.code === 'FORBIDDEN')
    return error;
  return new RestoreHooksError('RUN_FAILED', `the run's objects could not be created: ${error.message}`, {
    cause: error,
  });
}
