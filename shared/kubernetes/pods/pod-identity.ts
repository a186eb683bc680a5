import { RestoreHooksError } from '../../core/errors.ts';
import type { ExecOutcome, PodKey } from '../../core/model/hook.ts';
import { podKey } from '../../core/model/hook.ts';
import type { ExecRequest } from '../../ports/ports.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';

/**
 * Tells whether the pod that has a planned pod's name is that very pod: each hook is bound to a pod's UID (R3.28),
 * but pods/exec takes a name, and has no precondition on the UID. The functions that `before` and `after` return end
 * the asking.
 */
export interface PodIdentity {
  /** Asks already while the connection is being made; `before` uses that answer. */
  ahead(request: ExecRequest): void;
  /**
   * Asks before the start. Calls `go` without an outcome if the exec may start, else with the outcome that it ends
   * with.
   */
  before(request: ExecRequest, go: (instead?: ExecOutcome) => void): () => void;
  /** Asks after the end in which pod the command ran. */
  after(request: ExecRequest, tell: (found: Found) => void): () => void;
}

/** `another`: another pod has the name. `gone`: no pod has it. `unknown`: nobody answered, and `why`. */
export type Found = Answer | { readonly kind: 'unknown'; readonly why: string };
type Answer = { readonly kind: 'same' | 'another' | 'gone' };

/** An answer of this age is still as good as a new one: the start itself takes as long. */
const FRESH_MS = 1_000;
/** Short, because the open connection waits for it, and a hook that was not started is tried again. */
const BEFORE_MS = 10_000;
/** Long, because a command that has ended is not run again. */
const AFTER_MS = 600_000;
const DENIED_AT_MOST = 5;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

/**
 * Asks the API server for the pod before a command is started, and after it has ended.
 *
 * A name is one pod's at a time, and a UID never comes back. So a pod that had the name before the start, and has it
 * after the end, had it all the while, and the command ran in it. A GET without a resourceVersion proves each of the
 * two, because the API server answers it from etcd. The watch proves neither: it tells what was, and a connection that
 * stands still, or a server whose cache is behind, looks like a cluster in which nothing happens.
 *
 * The answer after one hook serves as the answer before the next hook of the same pod, so a hook costs one GET, and a
 * pod one more.
 */
export function podIdentity(client: Pick<KubeClient, 'get'>, now: () => number = () => performance.now()): PodIdentity {
  const lookups = new Lookups(client, now);
  return {
    ahead(request) {
      if (lookups.needed(request)) lookups.askOnce(request).catch(() => undefined);
    },
    before: (request, go) => askBefore(lookups, request, go),
    after: (request, tell) => askAfter(lookups, now, request, tell),
  };
}

/** The GETs of pods, and the last answer for each pod. */
class Lookups {
  readonly #client: Pick<KubeClient, 'get'>;
  readonly #now: () => number;
  readonly #last = new Map<PodKey, { readonly uid: string; readonly askedAt: number }>();
  readonly #asking = new Map<PodKey, Promise<Answer>>();

  constructor(client: Pick<KubeClient, 'get'>, now: () => number) {
    this.#client = client;
    this.#now = now;
  }

  /** Whether a start has to wait for a GET: not where the plan names no UID, or where the pod was seen just now. */
  needed({ namespace, pod, podUID }: ExecRequest): boolean {
    if (podUID === undefined) return false;
    const seen = this.#last.get(podKey(namespace, pod));
    return seen?.uid !== podUID || this.#now() - seen.askedAt >= FRESH_MS;
  }

  /** Rejects with a RestoreHooksError that isn't `NOT_FOUND`. */
  async ask({ namespace, pod, podUID }: ExecRequest): Promise<Answer> {
    const askedAt = this.#now();
    const key = podKey(namespace, pod);
    try {
      const { metadata } = (await this.#client.get(paths.pods(namespace, pod), {}, { metadataOnly: true })) as {
        metadata?: { uid?: unknown };
      };
      const uid = String(metadata?.uid);
      this.#last.set(key, { uid, askedAt });
      return { kind: uid === podUID ? 'same' : 'another' };
    } catch (error) {
      this.#last.delete(key);
      if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return { kind: 'gone' };
      throw error;
    }
  }

  /** Joins a GET that is already under way: a pod's hooks run one after the other, so it was sent for the same hook. */
  askOnce(request: ExecRequest): Promise<Answer> {
    const key = podKey(request.namespace, request.pod);
    const known = this.#asking.get(key);
    if (known !== undefined) return known;
    const answer = this.ask(request).finally(() => this.#leave(key, answer));
    this.#asking.set(key, answer);
    return answer;
  }

  /** The GET that is under way has taken too long: the next try sends another. */
  giveUp({ namespace, pod }: ExecRequest): void {
    this.#asking.delete(podKey(namespace, pod));
  }

  #leave(key: PodKey, answer: Promise<Answer>): void {
    if (this.#asking.get(key) === answer) this.#asking.delete(key);
  }
}

function askBefore(lookups: Lookups, request: ExecRequest, go: (instead?: ExecOutcome) => void): () => void {
  let over = false;
  const end = (instead?: ExecOutcome): void => {
    if (over) return;
    stop();
    go(instead);
  };
  const late = setTimeout(() => {
    lookups.giveUp(request);
    end(notStarted(`no answer within ${BEFORE_MS / 1000}s`));
  }, BEFORE_MS);
  const stop = (): void => {
    over = true;
    clearTimeout(late);
  };
  if (lookups.needed(request)) {
    lookups.askOnce(request).then(
      ({ kind }) => end(kind === 'same' ? undefined : { kind: kind === 'gone' ? 'podDeleted' : 'podReplaced' }),
      (error: unknown) => end(notAsked(error)),
    );
  } else end();
  return stop;
}

function askAfter(lookups: Lookups, now: () => number, request: ExecRequest, tell: (found: Found) => void): () => void {
  if (request.podUID === undefined) {
    tell({ kind: 'same' });
    return () => {};
  }
  const giveUpAt = now() + AFTER_MS;
  let over = false;
  let again: NodeJS.Timeout | undefined;
  let denied = 0;
  const end = (found: Found): void => {
    if (over) return;
    over = true;
    tell(found);
  };
  const tryOnce = (pauseMs: number): void => {
    lookups.ask(request).then(end, (error: unknown) => {
      if (over) return;
      denied = error instanceof RestoreHooksError && error.code === 'FORBIDDEN' ? denied + 1 : 0;
      if (now() > giveUpAt || denied >= DENIED_AT_MOST) return end({ kind: 'unknown', why: messageOf(error) });
      again = setTimeout(() => tryOnce(Math.min(2 * pauseMs, LONGEST_PAUSE_MS)), pauseMs);
    });
  };
  tryOnce(FIRST_PAUSE_MS);
  return () => {
    over = true;
    clearTimeout(again);
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const notStarted = (why: string): ExecOutcome => ({
  kind: 'notStarted',
  why: `could not read the pod before starting the command: ${why}`,
});

function notAsked(error: unknown): ExecOutcome {
  const isForbidden = error instanceof RestoreHooksError && error.code === 'FORBIDDEN';
  return isForbidden ? { kind: 'forbidden', message: error.message } : notStarted(messageOf(error));
}
