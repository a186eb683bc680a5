import { RestoreHooksError } from '../../core/errors.ts';
import type { ExecOutcome, PodKey } from '../../core/model/hook.ts';
import { podKey } from '../../core/model/hook.ts';
import type { ExecRequest } from '../../ports/ports.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';

/** Whether the pod that has a planned pod's name is that pod. The returned functions end the asking. */
export interface PodIdentity {
  /** Begin to ask, while other things are made ready for the start: `before` takes that answer. */
  ahead(request: ExecRequest): void;
  /** Before the start: `go` with what the exec comes to instead of a start, if it may not be started. */
  before(request: ExecRequest, go: (instead?: ExecOutcome) => void): () => void;
  /** After the end: whether the command ran in another pod, or may have; `unknown`: why nobody could be asked. */
  after(request: ExecRequest, tell: (found: Found) => void): () => void;
}

export type Found = { readonly kind: 'same' | 'another' | 'gone' } | { readonly kind: 'unknown'; readonly why: string };

/** An answer that is asked for no longer ago than this is as good as one that is asked for now: the start itself takes time. */
const FRESH_MS = 1_000;
/** Before the start there is a next try; a connection waits for the answer meanwhile. */
const BEFORE_MS = 10_000;
/** After the end there is none: the command is not run again. */
const AFTER_MS = 600_000;
const DENIED_AT_MOST = 5;

/**
 * Asks the API server for the pod before a command is started, and after it has ended (R3.28): pods/exec takes a
 * name, and has no precondition on the UID.
 *
 * A name is one pod's at a time, and a UID never comes back. So a pod that had the name before the start, and has it
 * after the end, had it all the while, and the command ran in it. A GET without a resourceVersion proves each of the
 * two, as the API server answers it from etcd. The watch proves neither: it tells what was, and a connection that
 * stands still, or a server whose cache is behind, looks like a cluster in which nothing happens.
 *
 * The answer after one hook is also the one before the next hook of its pod, so a hook costs one GET, and a pod one more.
 */
export function podIdentity(client: Pick<KubeClient, 'get'>, now: () => number = () => performance.now()): PodIdentity {
  const last = new Map<PodKey, { readonly uid: string; readonly askedAt: number }>();
  const asking = new Map<PodKey, ReturnType<typeof ask>>();

  /** Rejects with a RestoreHooksError that isn't `NOT_FOUND`. */
  async function ask({ namespace, pod, podUID }: ExecRequest): Promise<Found & { kind: 'same' | 'another' | 'gone' }> {
    const askedAt = now();
    const key = podKey(namespace, pod);
    try {
      const { metadata } = (await client.get(paths.pods(namespace, pod), {}, { metadataOnly: true })) as {
        metadata?: { uid?: unknown };
      };
      const uid = String(metadata?.uid);
      last.set(key, { uid, askedAt });
      return { kind: uid === podUID ? 'same' : 'another' };
    } catch (error) {
      last.delete(key);
      if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return { kind: 'gone' };
      throw error;
    }
  }

  function isFresh({ namespace, pod, podUID }: ExecRequest): boolean {
    const seen = last.get(podKey(namespace, pod));
    return seen?.uid === podUID && now() - (seen?.askedAt ?? 0) < FRESH_MS;
  }

  /** A pod's hooks come one after the other, so what is being asked is asked for this one. */
  function askOnce(request: ExecRequest): ReturnType<typeof ask> {
    const key = podKey(request.namespace, request.pod);
    const answer = asking.get(key) ?? ask(request).finally(() => asking.delete(key));
    asking.set(key, answer);
    return answer;
  }

  return {
    ahead(request) {
      if (request.podUID !== undefined && !isFresh(request)) askOnce(request).catch(() => undefined);
    },

    before(request, go) {
      let over = false;
      const end = (instead?: ExecOutcome): void => {
        if (over) return;
        stop();
        go(instead);
      };
      const late = setTimeout(() => end(notStarted(`no answer within ${BEFORE_MS / 1000}s`)), BEFORE_MS);
      const stop = (): void => {
        over = true;
        clearTimeout(late);
      };
      if (request.podUID === undefined || isFresh(request)) end();
      else {
        askOnce(request).then(
          ({ kind }) => end(kind === 'same' ? undefined : { kind: kind === 'gone' ? 'podDeleted' : 'podReplaced' }),
          (error: unknown) => end(notAsked(error)),
        );
      }
      return stop;
    },

    after(request, tell) {
      const giveUpAt = now() + AFTER_MS;
      let over = request.podUID === undefined;
      let again: NodeJS.Timeout | undefined;
      let denied = 0;
      const end = (found: Found): void => {
        if (over) return;
        over = true;
        tell(found);
      };
      const attempt = (pauseMs: number): void => {
        ask(request).then(end, (error: unknown) => {
          if (over) return;
          denied = error instanceof RestoreHooksError && error.code === 'FORBIDDEN' ? denied + 1 : 0;
          if (now() > giveUpAt || denied >= DENIED_AT_MOST) return end({ kind: 'unknown', why: messageOf(error) });
          again = setTimeout(() => attempt(Math.min(2 * pauseMs, 10_000)), pauseMs);
        });
      };
      if (over) tell({ kind: 'same' });
      else attempt(250);
      return () => {
        over = true;
        clearTimeout(again);
      };
    },
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const notStarted = (why: string): ExecOutcome => ({
  kind: 'notStarted',
  why: `the pod could not be asked for, which comes before each start: ${why}`,
});

function notAsked(error: unknown): ExecOutcome {
  const isForbidden = error instanceof RestoreHooksError && error.code === 'FORBIDDEN';
  return isForbidden ? { kind: 'forbidden', message: error.message } : notStarted(messageOf(error));
}
