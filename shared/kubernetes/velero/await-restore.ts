import { RestoreHooksError } from '../../core/errors.ts';
import { formatDuration } from '../../core/model/duration.ts';
import type { Restore } from '../../core/model/restore.ts';
import { busyPhase, phaseNotices } from '../../core/plan/velero.ts';
import { sanitizeLine } from '../../core/sanitize.ts';
import type { Clock } from '../../ports/ports.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';
import { withWhereabouts } from './find-restore.ts';
import { RestoreWatch } from './restore-watch.ts';
import { getRestore, readRestore } from './restores.ts';

const POLL_MS = 2_000;
/** How often it is read beside a watch that works: the connection may be dead, and nobody has noticed. */
const POLL_BESIDE_WATCH_MS = 10_000;
/** Velero gives a Restore a phase within seconds, unless it is at work on another one. */
const PHASELESS_MS = 30_000;
/** How many denied looks in a row are ignored: an API server that has just started may deny what it allows later. */
const DENIED_AT_MOST = 10;

export interface RestoreToAwait {
  readonly namespace: string;
  readonly name: string;
  readonly limitMs: number;
  /** The flag that sets the limit. */
  readonly limit?: string;
  /** Wait until it exists, and not for Velero. */
  readonly force: boolean;
  /** It was made for Velero: wait however long it has no phase. */
  readonly isForVelero?: boolean;
  /** Hears what is waited for: once, and each time that it changes. */
  readonly tell: (waitsFor: string) => void;
  readonly warn: (line: string) => void;
}

type Client = Pick<KubeClient, 'get' | 'list' | 'watch'>;

/**
 * Wait until the Restore exists and Velero is done with it (R7.80). Rejects as soon as it can't come to that, and with
 * `TIMEOUT` once the limit is over (R7.81). A watch tells of changes at once; whoever may not watch polls.
 */
export async function awaitRestore(client: Client, clock: Clock, restore: RestoreToAwait): Promise<void> {
  const wait = new RestoreWait(client, clock, restore);
  try {
    await wait.toTheEnd();
  } finally {
    wait.stop();
  }
}

class RestoreWait {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #restore: RestoreToAwait;
  readonly #watch: RestoreWatch;
  #wake: () => void = () => undefined;
  #isWoken = false;
  #uid: string | undefined;
  #isSeen = false;
  #phaselessSince: number | undefined;
  #waitsFor = 'the API server has not answered yet';
  #hint: string | undefined;
  #told: string | undefined;
  /** How many looks in a row have failed. */
  #failed = 0;

  constructor(client: Client, clock: Clock, restore: RestoreToAwait) {
    this.#client = client;
    this.#clock = clock;
    this.#restore = restore;
    this.#watch = new RestoreWatch(client, clock, restore, () => {
      this.#isWoken = true;
      this.#wake();
    });
  }

  async toTheEnd(): Promise<void> {
    const { limitMs, tell } = this.#restore;
    const until = this.#clock.now() + limitMs;
    while (!(await this.#isReady())) {
      if (this.#told !== this.#waitsFor) tell(this.#waitsFor);
      this.#told = this.#waitsFor;
      const leftMs = until - this.#clock.now();
      if (leftMs <= 0) throw this.#timeIsOver();
      await this.#pause(Math.min(leftMs, this.#watch.isOn ? POLL_BESIDE_WATCH_MS : POLL_MS));
    }
  }

  stop(): void {
    this.#watch.stop();
    this.#wake();
  }

  /** Look at the Restore. False: `#waitsFor` says what is to be waited for. */
  async #isReady(): Promise<boolean> {
    this.#isWoken = false;
    const restore = await this.#read();
    if (restore === undefined) return false;
    this.#failed = 0;
    this.#watch.seen(restore.metadata.resourceVersion ?? '');
    const waitsFor = await this.#lackOf(restore);
    this.#waitsFor = waitsFor ?? '';
    return waitsFor === undefined;
  }

  /** Undefined: there is none yet, or it can't be read now. */
  async #read(): Promise<Restore | undefined> {
    const { namespace, name } = this.#restore;
    try {
      return await getRestore(this.#client, namespace, name);
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      await this.#couldNotRead(error);
      return undefined;
    }
  }

  /** What keeps a Restore that exists from being ready; undefined: nothing does. */
  async #lackOf(restore: Restore): Promise<string | undefined> {
    const { uid, deletionTimestamp } = restore.metadata;
    const isAnother = this.#isSeen && (uid ?? undefined) !== this.#uid;
    if (isAnother || deletionTimestamp) throw this.#deleted();
    this.#isSeen = true;
    this.#uid = uid ?? undefined;
    if (this.#restore.force) return undefined;
    const phase = restore.status?.phase;
    const busy = busyPhase(restore);
    if (busy !== undefined) return `Velero is at work on it (${busy})`;
    if (phase === 'FailedValidation') throw refused(restore);
    if (phase) return undefined;
    if (this.#restore.isForVelero) return NOT_BEGUN;
    this.#phaselessSince ??= this.#clock.now();
    if (this.#clock.now() - this.#phaselessSince < PHASELESS_MS) return NOT_BEGUN;
    return (await this.#mayVeleroComeToIt()) ? NOT_BEGUN : undefined;
  }

  /** Velero restores one after the other. Who may not list the others waits on. */
  async #mayVeleroComeToIt(): Promise<boolean> {
    const { namespace, name } = this.#restore;
    try {
      for await (const { items } of this.#client.list(paths.restores(namespace))) {
        if (items.some((each) => isBusy(each, namespace, name))) return true;
      }
      return false;
    } catch (error) {
      const isUnanswered =
        error instanceof RestoreHooksError && ['FORBIDDEN', 'DENIED', 'CLUSTER_UNREACHABLE'].includes(error.code);
      if (isUnanswered) return true;
      throw error;
    }
  }

  async #couldNotRead(error: RestoreHooksError): Promise<void> {
    const { namespace, warn } = this.#restore;
    const isMissing = error.code === 'RESTORE_NOT_FOUND';
    // A 404 that doesn't name it may come from a proxy on the way.
    if (isMissing && this.#isSeen && kubeApiError(error.cause)?.name !== undefined) throw this.#deleted();
    if (isMissing && !this.#isSeen) {
      this.#failed = 0;
      this.#watch.seen('');
      this.#waitsFor = "it doesn't exist yet";
      if (this.#hint !== undefined) return;
      const found = await withWhereabouts(this.#client, namespace, error);
      const { message, hint = '' } = found instanceof RestoreHooksError ? found : error;
      this.#hint = hint;
      warn([message, hint].filter((text) => text !== '').join('; '));
      return;
    }
    const isDenied = error.code === 'FORBIDDEN' && this.#isSeen && this.#failed < DENIED_AT_MOST;
    if (!isMissing && !isDenied && error.code !== 'CLUSTER_UNREACHABLE') throw error;
    if (this.#failed === 0) warn(`${error.message}; still trying`);
    this.#failed += 1;
  }

  #deleted(): RestoreHooksError {
    const { namespace, name } = this.#restore;
    return new RestoreHooksError(
      'RESTORE_NOT_FOUND',
      `Restore ${namespace}/${name} was deleted while it was waited for`,
      {
        hint: 'nothing has been run; wait for a new one with the same command',
      },
    );
  }

  #timeIsOver(): RestoreHooksError {
    const { namespace, name, limitMs, limit = '--wait-for-restore' } = this.#restore;
    const look = this.#isSeen
      ? `see what Velero does: velero restore describe ${name} -n ${namespace} --details`
      : (this.#hint ?? '');
    return new RestoreHooksError(
      'TIMEOUT',
      `Restore ${namespace}/${name} was waited for ${formatDuration(limitMs)} (${limit}): ${this.#waitsFor}; nothing has been changed`,
      look === '' ? {} : { hint: look },
    );
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.setTimer(ms, () => this.#wake());
      this.#wake = () => {
        cancel();
        this.#wake = () => undefined;
        resolve();
      };
      if (this.#isWoken) this.#wake();
    });
  }
}

const NOT_BEGUN = 'Velero has not begun it (it has no phase)';

function isBusy(object: unknown, namespace: string, name: string): boolean {
  try {
    const restore = readRestore(object, namespace, '');
    return restore.metadata.name !== name && busyPhase(restore) !== undefined;
  } catch (error) {
    // Velero can't read it either, and works on none until it is gone.
    if (error instanceof RestoreHooksError) return true;
    throw error;
  }
}

function refused(restore: Restore): RestoreHooksError {
  const [why] = phaseNotices(restore);
  return new RestoreHooksError('RUN_FAILED', sanitizeLine(why?.message ?? 'Velero has refused the Restore'), {
    hint: 'make a new Restore without what Velero refuses; nothing has been run',
  });
}
