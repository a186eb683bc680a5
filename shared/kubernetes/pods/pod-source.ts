import { RestoreHooksError } from '../../core/errors.ts';
import type { PodKey, PodObservation } from '../../core/model/hook.ts';
import type { Clock, PodEvent, PodSource } from '../../ports/ports.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import { PODS_A_PAGE } from '../api/list-pages.ts';
import { paths } from '../api/paths.ts';
import { rethrow } from '../api/rethrow.ts';
import type { WatchEvent } from '../api/watch-stream.ts';
import { podObservation } from './pod-observation.ts';

export interface PodSourceOptions {
  readonly labelSelector: string;
  /** One list and one watch for each namespace; absent: one list and one watch for the whole cluster. */
  readonly namespaces?: readonly string[];
  /**
   * UIDs of the plan's pods. A pod that the first listing lacks may only have lost its label, so it is read by a GET.
   */
  readonly planned?: ReadonlyMap<PodKey, string>;
  readonly clock: Pick<Clock, 'now' | 'setTimer'>;
  /** A watch that is silent for this long is dead, because the API server sends a bookmark every minute. */
  readonly silenceMs?: number;
  /** A random number from 0 to 1, for jitter. */
  readonly random?: () => number;
}

type Client = Pick<KubeClient, 'list' | 'watch' | 'get' | 'forgetCredentials'>;

/** What a list and a watch of one place (a namespace, or the whole cluster) work with. */
interface Context {
  readonly client: Client;
  readonly options: PodSourceOptions;
  readonly random: () => number;
  tell(event: PodEvent): void;
  listed(): void;
  lost(error: RestoreHooksError): void;
  stopped(): boolean;
  onStop(stop: () => void): () => void;
}

/** An API server that has just restarted may deny what it allows a second later. */
const deniedAtMost = { beforeListed: 2, later: 5 } as const;
const shortestBackoffMs = 500;
const longestBackoffMs = 30_000;
const longestPollMs = 10_000;
const usualSilenceMs = 75_000;
/** A watch that lasted this long, or sent an event, counts as successful. */
const goodWatchMs = 5000;
/** After so many failed watches in a row the list is read again, because the resourceVersion may be the reason. */
const failuresBeforeRelist = 5;

/**
 * Follow the pods of a run with one list and one watch.
 *
 * A watch often ends by itself. It is continued where it ended, and the list is read again when the server has
 * forgotten that place (R3.27). A pod that leaves the selection may only have lost its label, so it counts as deleted
 * only when a GET says so, and is read by GETs until then. A planned pod that was never in the selection is read by a
 * GET as well; `podsListed` is told when each of them has been read.
 */
export function kubernetesPodSource(client: Client, options: PodSourceOptions): PodSource {
  return {
    start(tell) {
      let stopped = false;
      const stops = new Set<() => void>();
      const stop = (): void => {
        stopped = true;
        for (const each of [...stops]) each();
        stops.clear();
      };
      const namespaces = options.namespaces ?? [undefined]; // R8.11
      let toList = namespaces.length;
      const safely = (event: PodEvent): void => {
        if (stopped) return;
        try {
          tell(event);
        } catch (error) {
          stop();
          rethrow(error);
        }
      };
      const context: Context = {
        client,
        options,
        random: options.random ?? Math.random,
        tell: safely,
        listed() {
          toList -= 1;
          if (toList === 0) safely({ type: 'podsListed' });
        },
        lost(error) {
          safely({ type: 'podsLost', error });
          stop();
        },
        stopped: () => stopped,
        onStop(stopThis) {
          stops.add(stopThis);
          return () => stops.delete(stopThis);
        },
      };
      for (const namespace of namespaces) follow(context, namespace).catch(rethrow);
      return stop;
    },
  };
}

async function follow(context: Context, namespace: string | undefined): Promise<void> {
  const pods = podTracker(context);
  let resourceVersion: string | undefined;
  let everListed = false;
  let failures = 0;
  let denied = 0;

  /** Prepare the next try after a failure; false: there is no next try. */
  async function waitAfter(error: RestoreHooksError | undefined): Promise<boolean> {
    const status = kubeApiError(error)?.status;
    if (status === 410) resourceVersion = undefined;
    denied = error?.code === 'FORBIDDEN' ? denied + 1 : 0;
    if (denied > 0) {
      if (denied >= (everListed ? deniedAtMost.later : deniedAtMost.beforeListed)) {
        context.lost(error as RestoreHooksError);
        return false;
      }
      context.client.forgetCredentials();
    }
    failures += 1;
    if (failures % failuresBeforeRelist === 0) resourceVersion = undefined;
    if (status === 410 && failures === 1) return true;
    const askedMs = Math.min(kubeApiError(error)?.retryAfterMs ?? 0, longestBackoffMs);
    await pause(context, Math.max(askedMs, backoffMs(context, failures)));
    return true;
  }

  while (!context.stopped()) {
    if (resourceVersion === undefined) {
      try {
        resourceVersion = await listPods(context, pods, namespace);
        denied = 0;
      } catch (error) {
        if (!(error instanceof RestoreHooksError)) throw error;
        if (error.code === 'INVALID_ARGUMENT' || error.code === 'INVALID_INPUT') return context.lost(error);
        if (!(await waitAfter(error))) return;
        continue;
      }
      if (!everListed) checkPlanned(context, pods, namespace);
      everListed = true;
    }
    const watch = await watchPods(context, pods, namespace, resourceVersion);
    resourceVersion = watch.resourceVersion;
    if (watch.good) {
      failures = 0;
      denied = 0;
      if (watch.error === undefined) continue;
    }
    if (!(await waitAfter(watch.error))) return;
  }
}

async function listPods(context: Context, pods: PodTracker, namespace: string | undefined): Promise<string> {
  let resourceVersion = '';
  let seen = new Set<PodKey>();
  for await (const page of context.client.list(paths.pods(namespace), {
    labelSelector: context.options.labelSelector,
    limit: PODS_A_PAGE,
  })) {
    if (context.stopped()) break;
    if (page.restarted) seen = new Set();
    for (const raw of page.items) {
      const pod = podObservation(raw);
      if (pod === undefined) continue;
      seen.add(pod.key);
      pods.observed(pod);
    }
    resourceVersion = page.resourceVersion;
  }
  pods.keptOnly(seen);
  return resourceVersion;
}

const CHECKED_AT_ONCE = 8;

/** Read the planned pods of a place that its first listing lacks; after that the place is listed (R3.26). */
function checkPlanned(context: Context, pods: PodTracker, namespace: string | undefined): void {
  const missing = [...(context.options.planned ?? [])].filter(
    ([key]) => !pods.has(key) && (namespace === undefined || key.startsWith(`${namespace}/`)),
  );
  const lane = async (): Promise<void> => {
    for (let next = missing.pop(); next !== undefined; next = missing.pop()) await checkOne(context, pods, ...next);
  };
  if (missing.length === 0) context.listed();
  else Promise.all(Array.from({ length: CHECKED_AT_ONCE }, lane)).then(context.listed, rethrow);
}

async function checkOne(context: Context, pods: PodTracker, key: PodKey, uid: string): Promise<void> {
  const [namespace, name] = key.split('/');
  let denied = 0;
  for (let tries = 1; !context.stopped() && !pods.has(key); tries += 1) {
    try {
      const pod = podObservation(await context.client.get(paths.pods(namespace, name)));
      if (pods.has(key) || pod === undefined) return;
      if (pod.uid === uid) pods.outside(pod);
      else context.tell({ type: 'podObserved', pod });
      return;
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      if (error.code === 'NOT_FOUND') return;
      denied = error.code === 'FORBIDDEN' ? denied + 1 : 0;
      if (denied >= deniedAtMost.later) {
        context.lost(error);
        return;
      }
    }
    await pause(context, Math.min(longestPollMs, backoffMs(context, tries)));
  }
}

interface WatchResult {
  readonly resourceVersion: string;
  readonly good: boolean;
  readonly error?: RestoreHooksError;
}

function watchPods(
  context: Context,
  pods: PodTracker,
  namespace: string | undefined,
  from: string,
): Promise<WatchResult> {
  const { client, options, random } = context;
  const timeoutSeconds = Math.round(300 * (1 + random()));
  const startedAt = options.clock.now();
  let resourceVersion = from;
  let told = false;

  return new Promise((resolve) => {
    const stop = client.watch(
      paths.pods(namespace),
      { labelSelector: options.labelSelector, resourceVersion, allowWatchBookmarks: true, timeoutSeconds },
      (event) => {
        told = true;
        resourceVersion = resourceVersionOf(event) ?? resourceVersion;
        const pod = event.type === 'BOOKMARK' ? undefined : podObservation(event.object);
        if (pod === undefined) return;
        if (event.type !== 'DELETED') pods.observed(pod);
        else if (isBeingDeleted(event)) pods.deleted(pod);
        else pods.left(pod);
      },
      ({ error }) => {
        forget();
        const good = told || options.clock.now() - startedAt >= goodWatchMs;
        resolve({ resourceVersion, good, ...(error && { error }) });
      },
      { silenceMs: options.silenceMs ?? usualSilenceMs },
    );
    const forget = context.onStop(() => {
      stop();
      resolve({ resourceVersion, good: true });
    });
  });
}

function resourceVersionOf({ object }: WatchEvent): string | undefined {
  const { resourceVersion } = (object['metadata'] ?? {}) as { resourceVersion?: unknown };
  return typeof resourceVersion === 'string' && resourceVersion !== '' ? resourceVersion : undefined;
}

function isBeingDeleted({ object }: WatchEvent): boolean {
  return Boolean(((object['metadata'] ?? {}) as { deletionTimestamp?: unknown }).deletionTimestamp);
}

/** Which pods have been reported, and which of them have left the selection but may still exist. */
interface PodTracker {
  has(key: PodKey): boolean;
  observed(pod: PodObservation): void;
  deleted(pod: Pick<PodObservation, 'key' | 'uid'>): void;
  /** The selector no longer finds the pod: the pod or only its label was deleted. */
  left(pod: Pick<PodObservation, 'key' | 'uid'>): void;
  /** The pod exists, and was never in the selection. */
  outside(pod: PodObservation): void;
  /** A listing is complete: the pods that it doesn't contain have left the selection. */
  keptOnly(seen: ReadonlySet<PodKey>): void;
}

function podTracker(context: Context): PodTracker {
  const uids = new Map<PodKey, string>();
  const outside = new Map<PodKey, () => void>();

  function inside(key: PodKey): void {
    outside.get(key)?.();
    outside.delete(key);
  }

  function gone(key: PodKey, uid: string): void {
    if (uids.get(key) !== uid) return;
    inside(key);
    uids.delete(key);
    context.tell({ type: 'podDeleted', key, uid });
  }

  function tellObserved(pod: PodObservation): void {
    uids.set(pod.key, pod.uid);
    context.tell({ type: 'podObserved', pod });
  }

  function left(key: PodKey, uid: string): void {
    if (uids.get(key) !== uid || outside.has(key)) return;
    let active = true;
    outside.set(key, () => {
      active = false;
    });
    followOutside(context, key, uid, () => active && uids.get(key) === uid, tellObserved, gone).catch(rethrow);
  }

  return {
    observed(pod) {
      const before = uids.get(pod.key);
      if (before !== undefined && before !== pod.uid) gone(pod.key, before);
      inside(pod.key);
      tellObserved(pod);
    },
    deleted: (pod) => gone(pod.key, pod.uid),
    left: (pod) => left(pod.key, pod.uid),
    has: (key) => uids.has(key),
    outside(pod) {
      tellObserved(pod);
      left(pod.key, pod.uid);
    },
    keptOnly(seen) {
      for (const [key, uid] of [...uids]) if (!seen.has(key)) left(key, uid);
    },
  };
}

/** Read one pod that the watch no longer reports, again and again, until it is gone or the watch reports it again. */
async function followOutside(
  context: Context,
  key: PodKey,
  uid: string,
  active: () => boolean,
  observed: (pod: PodObservation) => void,
  gone: (key: PodKey, uid: string) => void,
): Promise<void> {
  const [namespace, name] = key.split('/');
  let denied = 0;
  for (let polls = 1; active() && !context.stopped(); polls += 1) {
    try {
      const pod = podObservation(await context.client.get(paths.pods(namespace, name)));
      if (!active()) return;
      denied = 0;
      if (pod?.uid !== uid) {
        // Report the other pod first: that the pod was replaced says more than that it is gone.
        if (pod !== undefined) context.tell({ type: 'podObserved', pod });
        gone(key, uid);
        return;
      }
      observed(pod);
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      if (!active()) return;
      if (error.code === 'NOT_FOUND') return gone(key, uid);
      denied = error.code === 'FORBIDDEN' ? denied + 1 : 0;
      if (denied >= deniedAtMost.later) return context.lost(error);
    }
    await pause(context, Math.min(longestPollMs, backoffMs(context, polls)));
  }
}

function backoffMs({ random }: Context, failures: number): number {
  return Math.min(longestBackoffMs, shortestBackoffMs * 2 ** (failures - 1)) * (0.5 + random());
}

function pause(context: Context, ms: number): Promise<void> {
  if (context.stopped()) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      forget();
      resolve();
    };
    const cancel = context.options.clock.setTimer(ms, done);
    const forget = context.onStop(done);
  });
}
