import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import { isOfRestore, leaseNameOf, objectsNamespace, runMetadata } from '../../core/manifests/run-objects.ts';
import type { Instant } from '../../core/model/instant.ts';
import { formatInstant } from '../../core/model/instant.ts';
import type { Shard } from '../../core/model/shard.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import type { Clock } from '../../ports/ports.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import { pause } from '../api/pause.ts';
import type { Asked } from '../api/refused-request.ts';
import { describeRefusal } from '../api/refused-request.ts';

/*
 * Only one runner at a time works on a Restore (R6.11). No two clocks are compared: a taker measures by its own clock
 * how long a Lease has stayed unchanged, and a holder that can't renew it stops starting hooks well before it can be
 * taken. If both fail, the resourceVersions of the journal still stop the former holder.
 */

export type LeaseClient = Pick<KubeClient, 'get' | 'create' | 'patch'>;

export const LEASE_MS = 15_000;
const RENEW_EVERY_MS = 5_000;
/**
 * How long after a renewal hooks may start. The rest of LEASE_MS is for starts that are already on their way (R6.12).
 */
const START_FOR_MS = 10_000;
/**
 * The limit of one renewal: a later answer is of little use, and a dead connection is given up while the Lease still
 * holds.
 */
const RENEW_WITHIN_MS = 8_000;
const POLL_MS = 1_000;
const RETRY_MS = 1_000;
const LONGEST_LEASE_S = 300;
const DENIED_AT_MOST = 5;
const RUN_LABEL = 'restorehooks.io/run-id';
/** Names the runs that have had the Lease, the oldest first, for those who may not list a Restore's objects. */
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

/** The holder of a Restore's Lease. */
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
  /** What says whose it is. */
  readonly owned: Parameters<typeof isOfRestore>[0];
  readonly runs: readonly string[];
}

export interface LeasePlace {
  readonly restore: RestoreReference;
  readonly runID: string;
  /** Which shard's Lease it is; absent: that of the Restore, which the first shard has. */
  readonly shard?: Shard | undefined;
  /** The new holder's name, for people: a pod, a process. */
  readonly holder: string;
}

type Where = Pick<LeasePlace, 'restore' | 'shard'>;

const leasePath = ({ restore, shard }: Where): string =>
  paths.leases(objectsNamespace(restore), leaseNameOf(restore, shard));

async function readLease(client: Pick<LeaseClient, 'get'>, place: Where): Promise<SeenLease | undefined> {
  let object: KubeObject;
  try {
    object = await client.get(leasePath(place));
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
    owned: metadata,
    runs: metadata.annotations?.[RUNS_ANNOTATION]?.split(' ').filter((runID) => runID !== '') ?? [],
  };
}

/**
 * Whether a Lease belongs to this Restore. The Lease of a deleted Restore of the same name stays until it is collected.
 */
const isOf = (restore: RestoreReference, { owned }: SeenLease): boolean => isOfRestore(owned, restore);

/** All runs of this Restore that have had its Lease, the oldest first. */
export async function runsOfLease(client: Pick<LeaseClient, 'get'>, restore: RestoreReference): Promise<string[]> {
  const lease = await readLease(client, { restore });
  return lease !== undefined && isOf(restore, lease) ? [...lease.runs] : [];
}

/** Judges from several reads of a Lease whether its holder is alive. */
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

/**
 * The holder of a Restore's Lease; undefined: nobody holds it. The Lease is read until it is clear whether its holder
 * is alive. Without `patient` a renewal that is recent by comparing the two clocks is enough.
 */
export async function holderOf(
  client: Pick<LeaseClient, 'get'>,
  clock: Clock,
  restore: RestoreReference,
  patient = true,
  shard?: Shard,
): Promise<Holder | undefined> {
  const watch = new LeaseWatch(clock);
  for (;;) {
    const lease = await readLease(client, { restore, shard });
    if (lease?.holder === undefined) return undefined;
    const life = watch.look(lease);
    if (life === 'stale') return undefined;
    if (!patient && Math.abs(clock.now() - lease.renewedAt) < lease.staleAfterMs) return lease.holder;
    if (life === 'alive') return lease.holder;
    await pause(clock, POLL_MS);
  }
}

export interface WaitForLease {
  /** Called while another living runner of the same run holds the Lease; true ends the waiting. */
  readonly isOver?: () => Promise<boolean>;
  readonly warn?: (message: string) => void;
  /** Aborted: the Lease is not taken any more. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Take the Restore's Lease. If a living runner of another run holds it, this rejects with `RUN_BY_ANOTHER` and names
 * the runner. If a runner of the same run holds it, this waits, because its pod may be ending. Undefined: `isOver` or
 * the signal ended the waiting.
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
    // It is this runner's own: an earlier try got no answer.
    const isFree = lease?.holder === undefined || isHeldBy(place, lease);
    const life = isFree ? 'free' : watch.look(lease);
    if (life === 'free' || life === 'stale') {
      const taken = await tryTake(client, clock, place, lease);
      if (taken !== undefined) return taken;
    } else if (lease?.holder !== undefined) {
      const { name, runID } = lease.holder;
      if (life === 'alive' && runID !== place.runID) throw heldBy(place, lease.holder);
      if (!told) warn(`waiting for ${name} to end, which holds the Lease ${leaseNameOf(place.restore, place.shard)}`);
      told = true;
      if (await isOver()) return undefined;
    }
    await pause(clock, POLL_MS, signal);
  }
}

/** Write this runner into the Lease; undefined: somebody else was faster. */
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
    ...runMetadata(place.restore, place.runID),
    annotations: { [RUNS_ANNOTATION]: runs.join(' ') },
  };
  try {
    const object =
      lease === undefined
        ? await client.create(paths.leases(metadata.namespace), {
            apiVersion: 'coordination.k8s.io/v1',
            kind: 'Lease',
            metadata: { name: leaseNameOf(place.restore, place.shard), ...metadata },
            spec,
          })
        : await client.patch(
            leasePath(place),
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

const asked = ({ restore, shard }: LeasePlace, verb: 'create' | 'patch'): Asked => ({
  verb,
  group: 'coordination.k8s.io',
  resource: 'leases',
  namespace: objectsNamespace(restore),
  name: leaseNameOf(restore, shard),
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

  /** Called when the Lease is lost: somebody else has it, or the right to renew it is missing. */
  onLost(lost: (error: RestoreHooksError) => void): void {
    this.#onLost = lost;
    if (this.#lost !== undefined) lost(this.#lost);
  }

  /** Whether hooks may start: it is certain that nobody else has taken the Lease. */
  get mayStart(): boolean {
    return !this.#over && this.#clock.now() < this.#startUntil; // R6.12
  }

  /** Calls `held` at once, or when the Lease has been renewed again. */
  whenHeld(held: () => void): void {
    if (this.mayStart) held();
    else if (!this.#over) this.#waiting.push(held);
  }

  /** Give the Lease back, so that the next runner can take it at once. If that fails, it becomes stale by itself. */
  async release(): Promise<void> {
    if (this.#over) return;
    this.#end();
    await this.#renewing;
    const metadata = { resourceVersion: this.#resourceVersion };
    const body = { metadata, spec: { holderIdentity: null, renewTime: microTime(this.#clock.now()) } };
    await this.#client.patch(leasePath(this.#place), body, 'merge').catch((error: unknown) => {
      if (!(error instanceof RestoreHooksError)) throw error;
    });
  }

  /** Stop renewing, as if this runner had died. */
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
        leasePath(this.#place),
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
    // If the answer took long, the Lease may have been taken since: it must be renewed again before anything starts.
    if (this.mayStart) for (const held of this.#waiting.splice(0)) held();
    this.#renewIn(this.mayStart ? RENEW_EVERY_MS : 0);
  }

  /** A renewal without an answer may have been made, so the Lease is read again. */
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
