import { RestoreHooksError } from '../shared/core/errors.ts';
import { podKey } from '../shared/core/hook.ts';
import { nothingToRun, refuseAfterGivingUp } from '../shared/core/plan/nothing-to-run.ts';
import type { PlannedRun, PlanRequest } from '../shared/core/plan/plan-run.ts';
import { planRun, refuseWhileBusy } from '../shared/core/plan/plan-run.ts';
import { decide } from '../shared/core/report/decide.ts';
import { restoreReference } from '../shared/core/report/make-plan-document.ts';
import type { PlanDocument } from '../shared/core/report/plan-document.ts';
import { hasEnded } from '../shared/core/report/run-status.ts';
import { earlierRun } from '../shared/kubernetes/earlier-run.ts';
import { podsToCreate } from '../shared/kubernetes/pods-to-create.ts';
import { getRestore } from '../shared/kubernetes/restores.ts';
import type { ApplyArguments } from './apply-args.ts';
import type { CommandResult } from './command.ts';
import type { Context } from './context.ts';
import { runDocument } from './follow.ts';
import type { Given } from './given.ts';
import { givenPods } from './given.ts';
import type { GivenPods } from './given-pods.ts';
import { withGivenPods } from './given-pods.ts';
import { Launcher, untilWritten } from './launcher.ts';
import { noticeLines } from './output/plan-view.ts';
import { runView } from './output/run-view.ts';
import { liveInput } from './plan-input.ts';
import { requirePodRights, requireRunner, requireUserRights, UNCHECKED } from './preconditions.ts';
import type { ApplyInput } from './saved-plan.ts';
import { requireSame, selectorFlags } from './saved-plan.ts';
import type { Session } from './session.ts';

/** One `apply`: decide, check, write down, launch, follow. Nothing changes before all checks are made. */
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
  ) {
    this.#session = session;
    this.#name = name;
    this.#given = given;
    this.#args = args;
    this.#context = context;
    this.#hookFiles = hookFiles;
    this.#saved = saved;
    this.#launcher = new Launcher(session, name, args, context);
  }

  run(): Promise<CommandResult> {
    return untilWritten(() => this.#once());
  }

  async #once(): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const launcher = this.#launcher;
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
    if (await launcher.endStuck(restore, this.#args.again)) return this.#once();
    const { request, planned, given } = await this.#plan(podNamespaces);
    refuseAfterGivingUp(planned, request);
    if (planned.hooks.length === 0) return this.#nothingToRun(planned, request);
    const reference = restoreReference(request.restore, namespace);
    const earlier = await earlierRun(client, this.#context.clock, reference, request.restore);
    const { digest } = planned.document;
    const decision = decide(earlier, { digest, hooks: planned.hooks }, this.#args.again, this.#args.onUnknown);
    if (decision.action === 'start') {
      const kept = new Set(decision.kept.map(({ id }) => id));
      const toRun = planned.hooks.filter(({ id }) => !kept.has(id));
      const notes = await requirePodRights(this.#session, isJob ? this.#args.serviceAccount : undefined, toRun);
      const rights = account?.checked === false ? [UNCHECKED] : notes;
      launcher.announce(request.restore, planned.document, decision, rights);
      const created = toRun.filter((hook) => hook.kind === 'init' && hook.injection === 'create');
      const manifests = await given?.whole(new Set(created.map((hook) => podKey(hook.namespace, hook.pod))));
      const pods = await podsToCreate(client, request.restore, { ...planned, hooks: toRun }, manifests ?? new Map());
      return launcher.start(request.restore, planned.document, decision, earlier, pods);
    }
    const isDry = this.#args.dryRun !== undefined;
    if (decision.action === 'refuse') throw launcher.refused(decision.why);
    if (earlier === undefined) throw new Error('there is nothing to follow or to show without an earlier run');
    if (decision.action === 'follow') {
      const what = isDry ? 'nothing would be created' : 'following it';
      launcher.say(`run ${earlier.status.runID} of this plan is going already; ${what}`);
      return this.#args.noWait || isDry
        ? launcher.shown(request.restore, earlier.status, earlier.rows)
        : launcher.follow();
    }
    if (decision.action === 'settle') return launcher.settle(request.restore, earlier.status, earlier.rows);
    launcher.say(
      `this plan was run by run ${earlier.status.runID}: nothing is run again (retry runs what did not succeed, --again all)`,
    );
    return launcher.shown(request.restore, earlier.status, earlier.rows);
  }

  /** A run that was made is shown, whatever has become of the pods and their labels since. */
  async #nothingToRun(planned: PlannedRun, request: PlanRequest): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const { restore } = request;
    const launcher = this.#launcher;
    const why = nothingToRun(planned, request, this.#args.allowNoMatch);
    const error = `${why?.message}\n${why?.hint}`;
    const { notices } = planned.document;
    const told = notices.filter(({ code, message }) => code !== 'velero-has-run' && !error.includes(message));
    for (const line of noticeLines({ notices: told })) launcher.say(line);
    const earlier = await earlierRun(client, this.#context.clock, restoreReference(restore, namespace), restore);
    if (earlier === undefined) {
      if (why !== undefined) return { error: why };
      launcher.say(`Restore ${namespace}/${this.#name} has no hooks to run; nothing is created`);
      return { view: runView(runDocument(restore, namespace, undefined, [])) };
    }
    const { status, rows, died } = earlier;
    launcher.say(
      `there is nothing to run now${why === undefined ? '' : ` (${why.message})`}: this is run ${status.runID}`,
    );
    if (died) return launcher.settle(restore, status, rows);
    if (!hasEnded(status)) throw launcher.refused(`run ${status.runID} of this Restore is still going`);
    return launcher.shown(restore, status, rows);
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
}

interface Planned {
  readonly request: PlanRequest;
  readonly planned: PlannedRun;
  /** Beside the live pods. */
  readonly given: GivenPods | undefined;
}
