import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import { restoreOwner } from '../../core/manifests/job.ts';
import type { Instant } from '../../core/model/instant.ts';
import { formatInstant } from '../../core/model/instant.ts';
import { leaseName, runLabels } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import type { Clock } from '../../ports/ports.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import type { Asked } from '../api/refused-request.ts';
import { describeRefusal } from '../api/refused-request.ts';

/*
 * One runner for one Restore at a time (R6.11). Nobody compares two clocks: whether a Lease is stale is judged by
 * the time that it stayed unchanged on the taker's own, and a holder that can't renew it starts nothing from long
 * before that on. The journal's versions hold even where both fail.
 */

export type LeaseClient = Pick<KubeClient, 'get' | 'create' | 'patch'>;

export const LEASE_MS = 15_000;
const RENEW_EVERY_MS = 5_000;
/** After the last renewal was sent; what is left until the Lease can be taken is for starts that are on their way (R6.12). */
const START_FOR_MS = 10_000;
/** Beyond it an answer is hardly worth anything, and a connection that is dead is given up while the Lease still holds. */
const RENEW_WITHIN_MS = 8_000;
const POLL_MS = 1_000;
const RETRY_MS = 1_000;
const LONGEST_LEASE_S = 300;
const DENIED_AT_MOST = 5;
const RUN_LABEL = 'restorehooks.io/run-id';
/** The runs that have had the Lease, the oldest first: who may not list objects finds a Restore's runs here. */
const RUNS_ANNOTATION = 'restorehooks.io/runs';
const RUNS_AT_MOST = 100;

const Lease = z.object({
  metadata: z.object({
    resourceVersion: z.string(),
    labels: z.record(z.string(), z.string()).nullish(),
    annotations: z.record(z.string(), z.string()).nullish(),
    ownerReferences: z.array(z.object({ uid: z.string() })).nullish(),
  }),
  spec: z
    .object({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      leaseTransitions: z.number().nullish(),
      renewTime: z.string().nullish(),
    })
    .nullish(),
});

/** Who holds a Restore, as its Lease has it. */
export interface Holder {
  readonly name: string;
  readonly runID: string | undefined;
}

interface SeenLease {
  readonly resourceVersion: string;
  readonly holder: Holder | undefined;
  readonly staleAfterMs: number;
  readonly transitions: number;
  /** By the holder's clock. */
  readonly renewedAt: number;
  readonly ownerUIDs: readonly string[];
  readonly runs: readonly string[];
}

export interface LeasePlace {
  readonly restore: RestoreReference;
  readonly runID: string;
  /** Who takes it, for people: a pod, a process. */
  readonly holder: string;
}

const pathOf = ({ restore }: Pick<LeasePlace, 'restore'>): string =>
  paths.leases(restore.namespace, leaseName(restore.name));

async function readLease(
  client: Pick<LeaseClient, 'get'>,
  place: Pick<LeasePlace, 'restore'>,
): Promise<SeenLease | undefined> {
  let object: KubeObject;
  try {
    object = await client.get(pathOf(place));
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
  return seenLease(object);
}

function seenLease(object: KubeObject): SeenLease {
  const { metadata, spec } = Lease.parse(object);
  const name = spec?.holderIdentity || undefined;
  const seconds = Math.min(Math.max(spec?.leaseDurationSeconds ?? LEASE_MS / 1000, 1), LONGEST_LEASE_S);
  return {
    resourceVersion: metadata.resourceVersion,
    holder: name === undefined ? undefined : { name, runID: metadata.labels?.[RUN_LABEL] },
    staleAfterMs: seconds * 1000,
    transitions: spec?.leaseTransitions ?? 0,
    renewedAt: Date.parse(spec?.renewTime ?? ''),
    ownerUIDs: (metadata.ownerReferences ?? []).map(({ uid }) => uid),
    runs: metadata.annotations?.[RUNS_ANNOTATION]?.split(' ').filter((runID) => runID !== '') ?? [],
  };
}

/** A Restore that was deleted and created again has the Lease of the one before it, until that is collected. */
const isOf = ({ uid }: RestoreReference, { ownerUIDs }: SeenLease): boolean =>
  uid === undefined || ownerUIDs.includes(uid);

/** The runs of this very Restore that were ever begun, as its Lease has them: the oldest first. */
export async function runsOfLease(client: Pick<LeaseClient, 'get'>, restore: RestoreReference): Promise<string[]> {
  const lease = await readLease(client, { restore });
  return lease !== undefined && isOf(restore, lease) ? [...lease.runs] : [];
}

/** Judges, look by look, whether whoever holds a Lease is alive. */
export class LeaseWatch {
  readonly #clock: Clock;
  #version: string | undefined;
  #since = 0;
  #renewed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  look(lease: Pick<SeenLease, 'resourceVersion' | 'staleAfterMs'>): 'alive' | 'stale' | 'unsure' {
    const now = this.#clock.now();
    if (lease.resourceVersion !== this.#version) {
      this.#renewed = this.#version !== undefined;
      this.#version = lease.resourceVersion;
      this.#since = now;
    }
    if (now - this.#since >= lease.staleAfterMs) return 'stale'; // R6.11
    return this.#renewed ? 'alive' : 'unsure';
  }
}

/** Over at once where the signal says so. */
const pause = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const cancelTimer = clock.setTimer(ms, over);
    function over(): void {
      cancelTimer();
      signal?.removeEventListener('abort', over);
      resolve();
    }
    if (signal?.aborted) over();
    else signal?.addEventListener('abort', over);
  });

/**
 * Who works on a Restore; undefined: nobody does. Looked at for as long as it takes to tell, but that what was renewed
 * just now, as the two clocks have it, is believed by one who isn't `patient`.
 */
export async function holderOf(
  client: Pick<LeaseClient, 'get'>,
  clock: Clock,
  restore: RestoreReference,
  patient = true,
): Promise<Holder | undefined> {
  const watch = new LeaseWatch(clock);
  for (;;) {
    const lease = await readLease(client, { restore });
    if (lease?.holder === undefined) return undefined;
    const life = watch.look(lease);
    if (life === 'stale') return undefined;
    if (!patient && Math.abs(clock.now() - lease.renewedAt) < lease.staleAfterMs) return lease.holder;
    if (life === 'alive') return lease.holder;
    await pause(clock, POLL_MS);
  }
}

export interface WaitForLease {
  /** Asked while a living runner of this very run holds it: resolves to true to give up waiting. */
  readonly isOver?: () => Promise<boolean>;
  readonly warn?: (message: string) => void;
  /** Asked to end: nothing is taken any more. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Take the Restore's Lease. Held by a runner of another run that is alive: `RUN_BY_ANOTHER`, naming it. Held by one of
 * this run: waited for, as its pod may be going. undefined: `isOver` or the signal said so.
 */
export async function takeLease(
  client: LeaseClient,
  clock: Clock,
  place: LeasePlace,
  { isOver = () => Promise.resolve(false), warn = () => undefined, signal }: WaitForLease = {},
): Promise<HeldLease | undefined> {
  const watch = new LeaseWatch(clock);
  for (let told = false; ; ) {
    const lease = await readLease(client, place);
    if (signal?.aborted) return undefined;
    // Its own: a try before got no answer.
    const isFree = lease?.holder === undefined || isHeldBy(place, lease);
    const life = isFree ? 'free' : watch.look(lease);
    if (life === 'free' || life === 'stale') {
      const taken = await tryTake(client, clock, place, lease);
      if (taken !== undefined) return taken;
    } else if (lease?.holder !== undefined) {
      const { name, runID } = lease.holder;
      if (life === 'alive' && runID !== place.runID) throw heldBy(place, lease.holder);
      if (!told) warn(`waiting for ${name} to end, which holds the Lease ${leaseName(place.restore.name)}`);
      told = true;
      if (await isOver()) return undefined;
    }
    await pause(clock, POLL_MS, signal);
  }
}

/** undefined: somebody else was faster. */
async function tryTake(
  client: LeaseClient,
  clock: Clock,
  place: LeasePlace,
  lease: SeenLease | undefined,
): Promise<HeldLease | undefined> {
  const sentAt = clock.now();
  const spec = {
    holderIdentity: place.holder,
    leaseDurationSeconds: LEASE_MS / 1000,
    acquireTime: microTime(sentAt),
    renewTime: microTime(sentAt),
    leaseTransitions: (lease?.transitions ?? -1) + 1,
  };
  const before = lease !== undefined && isOf(place.restore, lease) ? lease.runs : [];
  const runs = [...before.filter((runID) => runID !== place.runID), place.runID].slice(-RUNS_AT_MOST);
  const metadata = {
    labels: runLabels(place.restore.name, place.runID),
    annotations: { [RUNS_ANNOTATION]: runs.join(' ') },
    ownerReferences: [restoreOwner(place.restore)],
  };
  try {
    const object =
      lease === undefined
        ? await client.create(paths.leases(place.restore.namespace), {
            apiVersion: 'coordination.k8s.io/v1',
            kind: 'Lease',
            metadata: {
              name: leaseName(place.restore.name),
              namespace: place.restore.namespace,
              ...metadata,
            },
            spec,
          })
        : await client.patch(
            pathOf(place),
            { metadata: { resourceVersion: lease.resourceVersion, ...metadata }, spec },
            'merge',
          );
    return new HeldLease(client, clock, place, seenLease(object).resourceVersion, sentAt);
  } catch (error) {
    const told = describeRefusal(asked(place, lease === undefined ? 'create' : 'patch'), error);
    if (!(told instanceof RestoreHooksError)) throw told;
    const isTaken = told.code === 'WRITE_CONFLICT' || (told.code === 'NOT_FOUND' && lease !== undefined);
    if (!isTaken && told.code !== 'CLUSTER_UNREACHABLE') throw told;
    return undefined;
  }
}

const asked = ({ restore }: LeasePlace, verb: 'create' | 'patch'): Asked => ({
  verb,
  group: 'coordination.k8s.io',
  resource: 'leases',
  namespace: restore.namespace,
  name: leaseName(restore.name),
});

const isHeldBy = ({ holder, runID }: LeasePlace, lease: SeenLease): boolean =>
  lease.holder?.name === holder && lease.holder.runID === runID;

const heldBy = ({ restore }: Pick<LeasePlace, 'restore'>, { name, runID }: Holder): RestoreHooksError =>
  new RestoreHooksError(
    'RUN_BY_ANOTHER',
    `Restore ${restore.name} is being worked on by ${name}${runID === undefined ? '' : ` (run ${runID})`}; nothing is started`,
    { hint: `follow it: kubectl restorehooks status ${restore.name} -n ${restore.namespace} -w` },
  );

/** RFC 3339 with microseconds: Kubernetes' MicroTime takes nothing else. */
const microTime = (at: Instant): string => formatInstant(at).replace(/(\.\d{3})Z$/, '$1000Z');

/** A Lease that this runner holds, and renews until it is released or lost. */
export class HeldLease {
  readonly #client: LeaseClient;
  readonly #clock: Clock;
  readonly #place: LeasePlace;
  #resourceVersion: string;
  #startUntil: number;
  #waiting: (() => void)[] = [];
  #over = false;
  #denied = 0;
  #cancelTimer: () => void = () => undefined;
  #lost: RestoreHooksError | undefined;
  #onLost: (error: RestoreHooksError) => void = () => undefined;
  #renewing: Promise<void> = Promise.resolve();

  constructor(client: LeaseClient, clock: Clock, place: LeasePlace, resourceVersion: string, sentAt: number) {
    this.#client = client;
    this.#clock = clock;
    this.#place = place;
    this.#resourceVersion = resourceVersion;
    this.#startUntil = sentAt + START_FOR_MS;
    this.#renewIn(RENEW_EVERY_MS);
  }

  /** Somebody else has it, or it can't be renewed for want of rights. */
  onLost(lost: (error: RestoreHooksError) => void): void {
    this.#onLost = lost;
    if (this.#lost !== undefined) lost(this.#lost);
  }

  /** Nobody else can have taken it by now. */
  get mayStart(): boolean {
    return !this.#over && this.#clock.now() < this.#startUntil; // R6.12
  }

  /** Called at once, or as soon as it is renewed again. */
  whenHeld(held: () => void): void {
    if (this.mayStart) held();
    else if (!this.#over) this.#waiting.push(held);
  }

  /** For the next runner to take at once. That it can't be is no matter: it becomes stale. */
  async release(): Promise<void> {
    if (this.#over) return;
    this.#end();
    await this.#renewing;
    const metadata = { resourceVersion: this.#resourceVersion };
    const body = { metadata, spec: { holderIdentity: null, renewTime: microTime(this.#clock.now()) } };
    await this.#client.patch(pathOf(this.#place), body, 'merge').catch((error: unknown) => {
      if (!(error instanceof RestoreHooksError)) throw error;
    });
  }

  /** Let it become stale, as after a death. */
  abandon(): void {
    this.#end();
  }

  #end(): void {
    this.#over = true;
    this.#waiting = [];
    this.#cancelTimer();
  }

  #renewIn(ms: number): void {
    if (this.#over) return;
    this.#cancelTimer = this.#clock.setTimer(ms, () => {
      this.#renewing = this.#renew();
    });
  }

  async #renew(): Promise<void> {
    const sentAt = this.#clock.now();
    try {
      const metadata = { resourceVersion: this.#resourceVersion };
      const object = await this.#client.patch(
        pathOf(this.#place),
        { metadata, spec: { holderIdentity: this.#place.holder, renewTime: microTime(sentAt) } },
        'merge',
        { timeoutMs: RENEW_WITHIN_MS },
      );
      this.#renewed(seenLease(object).resourceVersion, sentAt);
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      await this.#refused(error);
    }
  }

  #renewed(resourceVersion: string, sentAt: number): void {
    this.#denied = 0;
    this.#resourceVersion = resourceVersion;
    this.#startUntil = sentAt + START_FOR_MS;
    if (this.#over) return;
    // An answer that was long on its way says how it was when it was asked for: somebody else may have it by now.
    if (this.mayStart) for (const held of this.#waiting.splice(0)) held();
    this.#renewIn(this.mayStart ? RENEW_EVERY_MS : 0);
  }

  /** A renewal that got no answer may have been made: what stands there decides. */
  async #refused(error: RestoreHooksError): Promise<void> {
    const told = describeRefusal(asked(this.#place, 'patch'), error);
    if (!(told instanceof RestoreHooksError)) throw told;
    if (told.code === 'FORBIDDEN' || told.code === 'RUN_FAILED') {
      this.#denied += 1;
      if (this.#denied >= DENIED_AT_MOST) return this.#lose(told);
    }
    if (kubeApiError(told) !== undefined && told.code !== 'FORBIDDEN' && told.code !== 'CLUSTER_UNREACHABLE') {
      try {
        const lease = await readLease(this.#client, this.#place);
        const { holder } = lease ?? {};
        if (lease === undefined || !isHeldBy(this.#place, lease)) {
          return this.#lose(
            holder === undefined
              ? new RestoreHooksError(
                  'RUN_BY_ANOTHER',
                  `the Lease of Restore ${this.#place.restore.name} was deleted or released by somebody else`,
                )
              : heldBy(this.#place, holder),
          );
        }
        this.#resourceVersion = lease.resourceVersion;
      } catch (again) {
        if (!(again instanceof RestoreHooksError)) throw again;
      }
    }
    this.#renewIn(RETRY_MS);
  }

  #lose(error: RestoreHooksError): void {
    if (this.#over) return;
    this.#lost = error;
    this.#end();
    this.#onLost(error);
  }
}
