import { ExitCode, RestoreHooksError } from '../../shared/core/errors.ts';
import { formatDuration } from '../../shared/core/model/duration.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { PlanRequest } from '../../shared/core/plan/plan-run.ts';
import { phaseNotices } from '../../shared/core/plan/velero.ts';
import type { RehearsalManifest } from '../../shared/core/rehearsal/manifests.ts';
import { egressPolicy, namespaceManifest, restoreManifest } from '../../shared/core/rehearsal/manifests.ts';
import { mappedEntries, mappedNames } from '../../shared/core/rehearsal/rehearsal.ts';
import type { RunDocument } from '../../shared/core/report/run-document.ts';
import {
  alreadyThere,
  createOfRehearsal,
  existing,
  findRehearsals,
  namespaceLabels,
} from '../../shared/kubernetes/rehearsal/objects.ts';
import { awaitRestore } from '../../shared/kubernetes/velero/await-restore.ts';
import { restoreErrors } from '../../shared/kubernetes/velero/held.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { ApplyArguments } from '../command-line/apply-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import type { RehearseArguments } from '../command-line/rehearse-args.ts';
import type { Session } from '../command-line/session.ts';
import { count } from '../output/plan-view.ts';
import { say } from '../output/progress.ts';
import { runView } from '../output/run-view.ts';
import type { Context } from '../process/context.ts';
import { Application } from '../run/application.ts';
import { runDocument } from '../run/follow.ts';
import { tellWaiting } from '../run/tell-waiting.ts';
import { announce, confirm } from './announce.ts';
import { cleanupCommand, leftBehind, remove } from './clean-up.ts';
import type { Prepared } from './prepare.ts';

/** After the deadline running hooks have 50 s to end, and their ends have to be written (R7.82, R7.112). */
const AFTER_DEADLINE_MS = 90_000;

/** The flags of `apply` that a rehearsal doesn't have. */
const NOT_OF_A_REHEARSAL = {
  again: false,
  allowNoMatch: false,
  waitForRestore: undefined,
  filename: [],
  backupArchive: undefined,
  fromBackup: undefined,
  noWait: false,
  timeout: undefined,
  force: false,
  includeExisting: false,
  selector: undefined,
  allNamespaces: false,
  podNamespace: [],
  keepRestorePhase: false,
  onUnknown: 'fail',
  dryRun: undefined,
  record: undefined,
  runNamespace: undefined,
  metricsPort: undefined,
  parallelism: 1,
} as const;

/** One `rehearse`: restore under other names, run the hooks there, remove all of it (R7.100). */
export class Rehearsal {
  readonly #session: Session;
  readonly #prepared: Prepared;
  readonly #args: RehearseArguments;
  readonly #context: Context;
  readonly #hookFiles: PlanRequest['hookFiles'];
  #until = 0;

  constructor(
    session: Session,
    prepared: Prepared,
    args: RehearseArguments,
    context: Context,
    hookFiles: PlanRequest['hookFiles'],
  ) {
    this.#session = session;
    this.#prepared = prepared;
    this.#args = args;
    this.#context = context;
    this.#hookFiles = hookFiles;
  }

  async run(): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const { stop, clock } = this.#context;
    const { id, mapping, restore } = this.#prepared;
    const [taken] = await existing(client, mapping.values());
    if (taken !== undefined) throw alreadyThere(`Namespace ${taken}`);
    const standing = new Map((await findRehearsals(client, namespace)).map(({ id: its, velero }) => [its, velero]));
    if (standing.has(id)) throw alreadyThere(`Rehearsal ${id}`);
    const manifests = await this.#manifests();
    announce(this.#session, this.#prepared, this.#args, this.#context);
    if (this.#args.dryRun === 'client') return { view: { kind: 'manifests', manifests } };
    this.#tellOf(standing);
    if (!this.#args.yes) await confirm(this.#context);
    this.#until = clock.now() + this.#args.deadline; // Nobody's thinking counts.
    stop.limit(clock, this.#args.deadline + AFTER_DEADLINE_MS, '--deadline');
    return stop.hold(async () => {
      try {
        await stop.finish(clock, 'it was being created', '', this.#create(manifests));
        await this.#awaitRestore();
        const restored = await getRestore(client, namespace, restore);
        await stop.or(this.#tellOfVelero(restored));
        return await this.#end(this.#judged(await this.#runHooks(), restored));
      } catch (error) {
        const ended = await this.#end({ error: this.#shortened(error) });
        if (!(error instanceof RestoreHooksError)) throw error;
        return ended;
      }
    });
  }

  /** The namespaces and their policies stand before any pod does; the Restore comes last. */
  async #manifests(): Promise<RehearsalManifest[]> {
    const { client, namespace } = this.#session;
    const { id, maker, backup, restore, mapping } = this.#prepared;
    const { denyEgress, excludeResources: excluded } = this.#args;
    const manifests: RehearsalManifest[] = [];
    for (const [source, target] of mapping) {
      manifests.push(
        namespaceManifest(target, { id, maker, namespace }, (await namespaceLabels(client, source)) ?? {}),
      );
      if (denyEgress) manifests.push(egressPolicy(target, id));
    }
    const of = { name: restore, namespace, backup, id, maker, mapping, excluded, denyEgress };
    return [...manifests, restoreManifest(of)];
  }

  #tellOf(standing: Iterable<readonly [id: string, velero: string | undefined]>): void {
    for (const [id, velero = this.#session.namespace] of standing) {
      const command = cleanupCommand(id, velero);
      this.#say(`warning: rehearsal ${id} still stands; if it isn't going on: ${command}`);
    }
  }

  async #create(manifests: readonly RehearsalManifest[]): Promise<void> {
    const { stop } = this.#context;
    for (const manifest of manifests) {
      if (stop.why !== undefined) throw stop.why;
      await createOfRehearsal(this.#session.client, manifest);
      this.#say(`created   ${manifest.kind} ${manifest.metadata.name}`);
    }
  }

  async #awaitRestore(): Promise<void> {
    const { client, namespace } = this.#session;
    const { clock, stop } = this.#context;
    const limitMs = Math.max(1_000, Math.ceil((this.#until - clock.now()) / 1_000) * 1_000);
    const restore = {
      namespace,
      name: this.#prepared.restore,
      limitMs,
      limit: '--deadline',
      force: false,
      isForVelero: true,
    };
    const teller = tellWaiting(this.#context, restore);
    try {
      await stop.or(awaitRestore(client, clock, { ...restore, ...teller }));
    } finally {
      teller.end();
    }
  }

  /** Say what Velero itself has done, as far as that can be read. */
  async #tellOfVelero(restored: Restore): Promise<void> {
    const { client, namespace } = this.#session;
    const { restore, location, download } = this.#prepared;
    const { phase, hookStatus } = restored.status ?? {};
    this.#say(`restored  Restore ${namespace}/${restore}: ${phase ?? 'no phase'}`);
    const { hooksAttempted, hooksFailed } = hookStatus ?? {};
    if (hooksAttempted) this.#say(`velero    ran ${count(hooksAttempted, 'hook')} itself, ${hooksFailed ?? 0} failed`);
    for (const { message } of phaseNotices(restored)) this.#say(`warning: ${message}`);
    if (phase === 'Completed') return;
    const lines = await restoreErrors(client, namespace, restore, location, { ...download, waitMs: 15_000 });
    for (const line of lines.slice(0, MOST_ERRORS)) this.#say(`velero    ${line}`);
    if (lines.length > MOST_ERRORS) this.#say(`velero    … ${lines.length - MOST_ERRORS} more errors`);
  }

  #runHooks(): Promise<CommandResult> {
    const { stop, clock } = this.#context;
    const { restore, mapping } = this.#prepared;
    const args: ApplyArguments = {
      ...this.#args,
      ...NOT_OF_A_REHEARSAL,
      only: mappedNames(this.#args.only, mapping),
      skip: mappedNames(this.#args.skip, mapping),
      deadline: Math.max(1_000, this.#until - clock.now()),
    };
    const nothing = { args, input: { objects: [], notices: [] }, isOfBackup: false };
    const input = { name: restore, namespace: this.#session.namespace, saved: undefined, given: nothing };
    const files = this.#hookFiles && mappedEntries(this.#hookFiles, mapping);
    const following = {
      limit: '--deadline',
      stopped: 'stopped following',
      run: this.#args.keep ? 'all of it stays (--keep)' : 'all of it is removed',
      isCanceled: true,
    };
    const application = new Application(this.#session, input, args, this.#context, files, following);
    return stop.finish(clock, 'the hooks were running', '', application.run());
  }

  /** What the run says, and what Velero says where the run found nothing wrong, or no pod (R7.111). */
  #judged(result: CommandResult, restored: Restore): CommandResult {
    const { phase, hookStatus } = restored.status ?? {};
    if (result.error?.code === 'RUN_BY_ANOTHER' && hookStatus?.hooksAttempted) {
      const missed = this.#missed();
      return missed === undefined ? this.#judged(this.#velerosAlone(restored), restored) : { error: missed };
    }
    const isWhole = phase === 'Completed' || Boolean(hookStatus?.hooksFailed);
    const hasNoPod = result.error?.code === 'NO_POD_MATCHED';
    if (exitOf(result) !== ExitCode.Ok && (isWhole || !hasNoPod)) {
      return { ...result, ...(result.error && { error: this.#shortened(result.error) }) };
    }
    if (isWhole) return hookStatus?.hooksFailed ? { ...result, exit: ExitCode.HookFailed } : result;
    const error = new RestoreHooksError(
      'RUN_FAILED',
      `Velero could not restore all of Backup ${this.#prepared.backup} (${phase}): ${hasNoPod ? 'there is no pod to run hooks in' : 'the rehearsal proves only a part'}`,
      { hint: 'the lines above that begin with "velero" say why; --keep leaves the Restore to be looked into' },
    );
    return { ...result, error };
  }

  /** What was to be rehearsed beside Velero's own hooks, and was not, because it applies to nothing. */
  #missed(): RestoreHooksError | undefined {
    const { only } = this.#args;
    const hint = 'Velero has run the hooks of its annotations itself: --rerun runs them again';
    if (only.length > 0) {
      const message = `--only ${only.join(', ')} names no hook that was to be run`;
      return new RestoreHooksError('INVALID_ARGUMENT', message, { hint });
    }
    if (this.#hookFiles === undefined || this.#hookFiles.length === 0) return undefined;
    return new RestoreHooksError('NO_POD_MATCHED', 'no hook of the --hooks files applies to a pod', { hint });
  }

  #velerosAlone(restored: Restore): CommandResult {
    const line =
      'all hooks of these pods are annotations of Velero, which has run them itself (--rerun runs them again)';
    const document = runDocument(restored, this.#session.namespace, undefined, []);
    return { view: { kind: 'document', document, human: [line] } };
  }

  /** Remove all of it, unless it is to stay, and say what is left (R7.110, R7.112). */
  async #end(result: CommandResult): Promise<CommandResult> {
    const { namespace } = this.#session;
    const { id, maker, mapping } = this.#prepared;
    const { secondSignal: hurry } = this.#context;
    if (this.#args.keep) {
      this.#say(`kept      rehearsal ${id}; remove it: ${cleanupCommand(id, namespace)}`);
      return result;
    }
    this.#say(`removing  rehearsal ${id}${hurry.aborted ? '' : '; a second Ctrl-C waits for nothing'}`);
    const left = await remove(this.#session, this.#context, { id, maker, mapping, hurry });
    const shown = this.#withoutCommands(result);
    if (left.length === 0) {
      this.#say(`removed   rehearsal ${id}: nothing of it is left`);
      return shown;
    }
    const error = leftBehind(id, namespace, left);
    if (exitOf(shown) === ExitCode.Ok) return { ...shown, error };
    this.#say(`warning: rehearsal ${id} is not removed yet: ${left.join('; ')}; ${error.hint}`);
    return shown;
  }

  /** The result without commands about a Restore that doesn't exist any more. */
  #withoutCommands({ view, ...rest }: CommandResult): CommandResult {
    if (view?.kind !== 'document' || !isRun(view.document)) return { ...rest, ...(view && { view }) };
    return { ...rest, view: runView(view.document, { followed: true, isGone: true }) };
  }

  /** Why it ended early, without commands about what is going to be removed. */
  #shortened(error: unknown): RestoreHooksError {
    const { why } = this.#context.stop;
    if (why !== undefined) {
      const isOver = why.code === 'TIMEOUT';
      const what = isOver ? `the deadline of ${formatDuration(this.#args.deadline)} is over` : 'interrupted';
      return new RestoreHooksError(
        isOver ? 'TIMEOUT' : 'INTERRUPTED',
        `${what}: the rehearsal has not come to its end`,
      );
    }
    if (!(error instanceof RestoreHooksError)) return new RestoreHooksError('RUN_FAILED', 'a bug has ended it');
    if (this.#args.keep) return error;
    return new RestoreHooksError(error.code, error.message.replace('; nothing has been changed', ''), {
      hint: 'to look into it, rehearse again with --keep',
    });
  }

  #say(line: string): void {
    say(this.#context.stderr, line);
  }
}

const MOST_ERRORS = 10;

const exitOf = ({ error, exit }: CommandResult): ExitCode => error?.exitCode ?? exit ?? ExitCode.Ok;

const isRun = (document: object): document is RunDocument =>
  'phase' in document && 'kind' in document && document.kind === 'RestoreHookRun';
