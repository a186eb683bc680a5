import { randomBytes } from 'node:crypto';
import { RestoreHooksError } from '../../core/errors.ts';
import type { EndedHook } from '../../core/execute/hook-state.ts';
import type { JournalEnd } from '../../core/journal/batch.ts';
import { checkHead, emptyEnd, encodeBatch, endText, headText, unreadableJournal } from '../../core/journal/batch.ts';
import type { JournalEntry } from '../../core/journal/entry.ts';
import { objectsNamespace, runMetadata } from '../../core/manifests/run-objects.ts';
import type { HookId } from '../../core/model/hook.ts';
import type { Instant } from '../../core/model/instant.ts';
import type { PlanPosition, PodIndex } from '../../core/model/position.ts';
import { planEntries } from '../../core/model/position.ts';
import { pause } from '../../ports/pause.ts';
import type { Clock, Intent, Journal } from '../../ports/ports.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import type { Asked } from '../api/refused-request.ts';
import { describeRefusal } from '../api/refused-request.ts';
import type { JournalPlace, Part, ReadJournal } from './journal-reader.ts';
import { batchKey, getPart, journalPart, journalPath, KEY_BYTES, PART_BYTES } from './journal-reader.ts';

/*
 * A journal is a sequence of ConfigMaps, its parts. Each write adds one key with a batch of entries, and updates `end`,
 * which says how many batches there are. The API server writes the whole ConfigMap to etcd each time, so parts are
 * small, and the next part begins when one is full. Every write is conditional on the version that was read or written
 * last (R6.7). The next part is made, empty, before the full one is sealed (immutable), so a sealed part always has a
 * next one.
 */

export type JournalClient = Pick<KubeClient, 'get' | 'create' | 'patch'>;

const BATCH_BYTES = 32 * 1024;
/** How long a start waits for other entries: only a command that runs longer needs a write of its own. */
const LAZY_MS = 1_000;
/** Results are written together: at most ten writes a second, and fewer while many hooks run (R6.10). */
const SHARED_EVERY_MS = 100;
/**
 * While many hooks run, intents are also written together, as long as only a small part of the hooks waits for them.
 * While few run, each intent is written at once, because nothing else goes on meanwhile.
 */
const MANY = 8;
const SHARED_MS_A_HOOK = 5;
const SHARED_AT_MOST_MS = 500;
const SMALL_PART = 1 / 6;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;
/** An API server that has just restarted may refuse what it accepts a second later. */
const REFUSED_AT_MOST = 5;
const REFUSED_PAUSE_MS = 1_000;

export interface JournaledHook {
  readonly id: HookId;
  readonly podUID?: string | undefined;
}

function partObject(place: JournalPlace, part: number, end: JournalEnd, batches: Record<string, string>) {
  const { restore, head } = place;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: journalPart(place, part),
      ...runMetadata(restore, head.runID),
    },
    data: { head: headText(head, part), end: endText(end), ...batches },
  };
}

/** The run's journal, opened for writing by one runner. When another runner writes to it, this one stops. */
export class KubernetesJournal implements Journal {
  readonly #client: JournalClient;
  readonly #clock: Clock;
  readonly #place: JournalPlace;
  readonly #hooks: ReadonlyMap<HookId, { readonly position: PlanPosition; readonly podUID: string | undefined }>;
  readonly #writer = randomBytes(6).toString('hex');
  #end: JournalEnd;
  #part: number;
  #resourceVersion: string;
  #bytes: number;
  #entries: JournalEntry[] = [];
  #recorded: (() => void)[] = [];
  /** How many entries there have been, and how many of them are durable. */
  #told = 0;
  #kept = 0;
  #whenDurable: { readonly told: number; readonly durable: (isDurable: boolean) => void }[] = [];
  #writing = false;
  #isDue = false;
  #cancelLazy: (() => void) | undefined;
  #flushAt = Number.POSITIVE_INFINITY;
  #wroteAt = Number.NEGATIVE_INFINITY;
  readonly #begun = new Set<PlanPosition>();
  #broken: RestoreHooksError | undefined;
  #onLost: (error: RestoreHooksError) => void = () => undefined;
  writes = 0;

  private constructor(
    client: JournalClient,
    clock: Clock,
    place: JournalPlace,
    hooks: readonly JournaledHook[],
    read: ReadJournal | undefined,
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#place = place;
    this.#hooks = new Map([...planEntries(hooks)].map(([position, { id, podUID }]) => [id, { position, podUID }]));
    this.#end = read?.end ?? emptyEnd(place.head);
    this.#part = read?.part ?? 0;
    this.#resourceVersion = read?.resourceVersion ?? '';
    this.#bytes = read?.bytes ?? 0;
  }

  /**
   * Take the journal (R6.14): after this the earlier runner can't write to it, and so starts nothing more. `entries`
   * are written first. Rejects with `RUN_BY_ANOTHER` if somebody has written to the journal since it was read.
   */
  static async take(
    client: JournalClient,
    clock: Clock,
    place: JournalPlace,
    hooks: readonly JournaledHook[],
    read: ReadJournal | undefined,
    entries: readonly JournalEntry[] = [],
  ): Promise<KubernetesJournal> {
    const journal = new KubernetesJournal(client, clock, place, hooks, read);
    const first: JournalEntry[] = [{ kind: 'claim', at: clock.now() }, ...entries];
    if (read === undefined) await journal.#create(first);
    else await journal.#writeAll(first);
    return journal;
  }

  /**
   * Write into a dead run's journal that another run has taken over. If its runner is still alive, that stops it
   * (R6.13).
   */
  static async close(
    client: JournalClient,
    clock: Clock,
    place: JournalPlace,
    read: ReadJournal | undefined,
    by: string,
  ): Promise<void> {
    const journal = new KubernetesJournal(client, clock, place, [], read);
    const entries: JournalEntry[] = [{ kind: 'closed', by }];
    if (read === undefined) await journal.#create(entries);
    else await journal.#writeAll(entries);
  }

  onLost(lost: (error: RestoreHooksError) => void): void {
    this.#onLost = lost;
    if (this.#broken !== undefined) lost(this.#broken);
  }

  intent(id: HookId, { attempt, podUID, containerID }: Intent, recorded: () => void): void {
    const { position, inPod } = this.#hook(id, podUID);
    this.#recorded.push(recorded);
    this.#begun.add(position);
    const canWait = this.#begun.size > MANY && this.#recorded.length < this.#begun.size * SMALL_PART;
    this.#add(
      {
        ...{ kind: 'intent', hook: position, tries: attempt, at: this.#clock.now(), ...inPod },
        ...(containerID !== undefined && { containerID }),
      },
      canWait ? this.#sharedMs : 0,
    );
  }

  notStarted(hook: HookId): void {
    const { position } = this.#hook(hook);
    this.#begun.delete(position);
    this.#add({ kind: 'not-started', hook: position }, LAZY_MS);
  }

  started(hook: HookId, at: Instant): void {
    this.#add({ kind: 'started', hook: this.#hook(hook).position, at }, LAZY_MS);
  }

  seen(pod: PodIndex, at: Instant): void {
    this.#add({ kind: 'seen', pod, at }, LAZY_MS);
  }

  tried(id: HookId, result: EndedHook): void {
    this.#ended('tried', id, result);
  }

  result(id: HookId, result: EndedHook): void {
    this.#ended('result', id, result);
  }

  #ended(kind: 'tried' | 'result', id: HookId, { outcome, startedAt, endedAt, podUID }: EndedHook): void {
    const { position, inPod } = this.#hook(id, podUID);
    const started = startedAt === undefined ? {} : { startedAt };
    this.#begun.delete(position);
    this.#add({ kind, hook: position, outcome, ...started, endedAt, ...inPod }, this.#sharedMs);
  }

  get #sharedMs(): number {
    const everyMs = Math.min(SHARED_AT_MOST_MS, Math.max(SHARED_EVERY_MS, SHARED_MS_A_HOOK * this.#begun.size));
    return Math.max(0, this.#wroteAt + everyMs - this.#clock.now());
  }

  whenDurable(durable: (isDurable: boolean) => void): void {
    if (this.#broken !== undefined || this.#kept === this.#told) {
      durable(this.#broken === undefined);
    } else {
      this.#whenDurable.push({ told: this.#told, durable });
      this.#flush();
    }
  }

  /** Stop writing, because another runner has the run, by another sign than the journal's versions. */
  abandon(error: RestoreHooksError): void {
    if (this.#broken !== undefined) return;
    this.#broken = error;
    this.#cancelLazy?.();
    this.#entries = [];
    this.#recorded = [];
    for (const { durable } of this.#whenDurable.splice(0)) durable(false);
    this.#onLost(error);
  }

  #hook(id: HookId, podUID?: string): { position: PlanPosition; inPod: { podUID?: string } } {
    const planned = this.#hooks.get(id);
    if (planned === undefined) throw new Error(`no hook ${id} in this journal`);
    const isKnown = podUID === undefined || podUID === planned.podUID;
    return { position: planned.position, inPod: isKnown ? {} : { podUID } };
  }

  #add(entry: JournalEntry, withinMs = 0): void {
    if (this.#broken !== undefined) return;
    this.#entries.push(entry);
    this.#told += 1;
    const at = this.#clock.now() + withinMs;
    if (withinMs === 0) this.#flush();
    else if (at < this.#flushAt) {
      this.#cancelLazy?.();
      this.#flushAt = at;
      this.#cancelLazy = this.#clock.setTimer(withinMs, () => this.#flush());
    }
  }

  #flush(): void {
    this.#cancelLazy?.();
    this.#flushAt = Number.POSITIVE_INFINITY;
    this.#isDue = true;
    if (this.#writing) return;
    this.#writing = true;
    this.#clock.soon(() => {
      this.#drain().catch((error: unknown) => {
        if (!(error instanceof RestoreHooksError)) throw error;
        this.abandon(error);
      });
    });
  }

  async #drain(): Promise<void> {
    while (this.#isDue && this.#entries.length > 0 && this.#broken === undefined) {
      this.#isDue = false;
      const entries = this.#entries;
      const recorded = this.#recorded;
      this.#entries = [];
      this.#recorded = [];
      await this.#writeAll(entries);
      this.#kept += entries.length;
      for (const each of recorded) each(); // R6.1
      this.#tellDurable();
    }
    this.#writing = false;
  }

  /** What was asked for is told as soon as it is durable, whatever has been told to the journal since. */
  #tellDurable(): void {
    const now = this.#whenDurable.filter(({ told }) => told <= this.#kept);
    this.#whenDurable = this.#whenDurable.filter(({ told }) => told > this.#kept);
    for (const { durable } of now) durable(true);
  }

  async #writeAll(entries: readonly JournalEntry[]): Promise<void> {
    for (let from = 0; from < entries.length; ) {
      let to = from;
      for (let bytes = 0; to < entries.length && bytes < BATCH_BYTES; to += 1) bytes += 64;
      await this.#write(entries.slice(from, to));
      from = to;
    }
  }

  async #write(entries: readonly JournalEntry[]): Promise<void> {
    const { text, end } = encodeBatch(this.#end, this.#writer, entries, this.#clock.now());
    const key = batchKey(this.#end.batches);
    const bytes = this.#bytes + text.length + KEY_BYTES;
    const isFull = bytes >= PART_BYTES;
    this.#wroteAt = this.#clock.now();
    const next = isFull ? await this.#nextPart() : undefined;
    const part = this.#part;
    this.writes += 1;
    this.#resourceVersion = await this.#persist(
      'patch',
      (resourceVersion) =>
        this.#client.patch(
          journalPath(this.#place, part),
          {
            metadata: { resourceVersion },
            data: { [key]: text, end: endText(end) },
            ...(isFull && { immutable: true }),
          },
          'merge',
          { metadataOnly: true },
        ),
      part,
      ({ data }) => data?.[key] === text && data['end'] === endText(end),
    );
    this.#end = end;
    this.#bytes = bytes;
    if (next === undefined) return;
    this.#part += 1;
    this.#resourceVersion = next;
    this.#bytes = 0;
  }

  /** Create the journal, with its first batch. If it exists and is not this runner's, another runner has the run. */
  async #create(entries: readonly JournalEntry[]): Promise<void> {
    const { text, end } = encodeBatch(this.#end, this.#writer, entries, this.#clock.now());
    const key = batchKey(0);
    const object = partObject(this.#place, 0, end, { [key]: text });
    this.writes += 1;
    this.#resourceVersion = await this.#persist(
      'create',
      () => this.#client.create(paths.configMaps(objectsNamespace(this.#place.restore)), object),
      0,
      ({ data }) => data?.[key] === text && data['end'] === endText(end),
    );
    this.#end = end;
    this.#bytes = text.length + KEY_BYTES;
  }

  /** Create the next, empty part. One that an earlier runner left unused is used. */
  async #nextPart(): Promise<string> {
    const part = this.#part + 1;
    const object = partObject(this.#place, part, this.#end, {});
    this.writes += 1;
    return this.#persist(
      'create',
      () => this.#client.create(paths.configMaps(objectsNamespace(this.#place.restore)), object),
      part,
      ({ data, immutable }) => {
        checkHead(data?.['head'], this.#place.head, part);
        return !immutable && Object.keys(data ?? {}).length === 2;
      },
    );
  }

  /**
   * Repeat one conditional write until it has been made, and return the version that it made. A write that was refused
   * or got no answer may have been made all the same, also by an earlier try, so the part is read again.
   */
  async #persist(
    verb: 'create' | 'patch',
    send: (resourceVersion: string) => Promise<KubeObject>,
    part: number,
    isWritten: (part: Part) => boolean,
  ): Promise<string> {
    let refused = 0;
    let isClear = true;
    for (let pauseMs = FIRST_RETRY_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_RETRY_MS)) {
      if (this.#broken !== undefined) throw this.#broken;
      try {
        const now = isClear ? undefined : await getPart(this.#client, this.#place, part);
        if (now !== undefined && isWritten(now)) return now.metadata.resourceVersion;
        if (now !== undefined && now.metadata.resourceVersion !== this.#resourceVersion) throw takenOver(this.#place);
        isClear = true;
        const { metadata } = (await send(this.#resourceVersion)) as { metadata?: { resourceVersion?: string } };
        return metadata?.resourceVersion ?? '';
      } catch (error) {
        const status = kubeApiError(error)?.status;
        const told = describeRefusal(this.#asked(part, isClear ? verb : 'get'), error);
        if (!(told instanceof RestoreHooksError)) throw told;
        const { code } = told;
        if (code === 'NOT_FOUND') throw unreadableJournal('it is gone');
        const isTransient = code === 'CLUSTER_UNREACHABLE' || code === 'WRITE_CONFLICT';
        if (!isTransient) refused += 1;
        const isAnswer = status !== undefined || code === 'FORBIDDEN';
        if (!isTransient && (!isAnswer || refused >= REFUSED_AT_MOST)) throw told;
        if (status !== 429 && code !== 'FORBIDDEN') isClear = false;
        const leastMs = isTransient ? 0 : REFUSED_PAUSE_MS;
        await pause(this.#clock, Math.max(pauseMs, leastMs));
      }
    }
  }

  #asked(part: number, verb: string): Asked {
    const namespace = objectsNamespace(this.#place.restore);
    return { verb, group: '', resource: 'configmaps', namespace, name: journalPart(this.#place, part) };
  }
}

const takenOver = ({ restore, head }: JournalPlace): RestoreHooksError =>
  new RestoreHooksError('RUN_BY_ANOTHER', `another runner has taken over run ${head.runID} of Restore ${restore.name}`);
