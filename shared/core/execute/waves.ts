import type { Hook, HookId } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { latest } from '../model/instant.ts';
import type { PodIndex } from '../model/position.ts';
import type { EndedHook, HookState } from './hook-state.ts';
import type { Elsewhere } from './protocol.ts';

/** The wave of an exec hook (R3.40). Init hooks have none, and hold none: their pods run them (R3.43). */
export const waveOf = (hook: Hook): number | undefined => (hook.kind === 'exec' ? (hook.wave ?? 0) : undefined);

interface Wave {
  readonly number: number;
  /** Its hooks that have not ended, in plan order. */
  readonly left: Set<HookId>;
  /** The pods that have a hook of it. */
  readonly pods: Set<PodIndex>;
  /** When the last of those that have ended in this run did. */
  lastEnd: Instant | undefined;
}

type WavesElsewhere = Pick<Elsewhere, 'openWave' | 'waveEnds'>;
const NOWHERE: WavesElsewhere = { waveEnds: [] };

/**
 * The waves of a run: the lowest in which a hook has not ended is open, and those above it are not (R3.41). In a run with
 * several shards these are one shard's waves, and the hooks of the others hold them, too (R8.47).
 */
export class Waves {
  /** The lowest first. */
  readonly #waves: readonly Wave[];
  readonly #byNumber: ReadonlyMap<number, Wave>;
  #rank = 0;
  #openedAt: Instant | undefined;
  #opened: Iterable<PodIndex> = [];
  #elsewhere: WavesElsewhere;

  /** `ended`: what runners of this run have ended. What an earlier run has ended has ended before. */
  constructor(
    pods: readonly {
      readonly index: PodIndex;
      readonly hooks: readonly Hook[];
      readonly states: readonly HookState[];
    }[],
    ended: ReadonlyMap<HookId, EndedHook> = new Map(),
    elsewhere: WavesElsewhere = NOWHERE,
  ) {
    this.#elsewhere = elsewhere;
    const byNumber = new Map<number, Wave>();
    for (const { index, hooks, states } of pods) {
      for (const [at, hook] of hooks.entries()) {
        const number = waveOf(hook);
        if (number === undefined) continue;
        const wave = byNumber.get(number) ?? { number, left: new Set(), pods: new Set(), lastEnd: undefined };
        byNumber.set(number, wave);
        wave.pods.add(index);
        if (states[at]?.phase !== 'Ended') wave.left.add(hook.id);
        wave.lastEnd = latestOf(wave.lastEnd, ended.get(hook.id)?.endedAt);
      }
    }
    this.#byNumber = byNumber;
    this.#waves = [...byNumber.values()].sort((one, other) => one.number - other.number);
    this.#openNext();
  }

  /** How many there are. */
  get count(): number {
    return this.#waves.length;
  }

  /** The number of the one in which hooks may start; undefined: every exec hook has ended. */
  get openNumber(): number | undefined {
    return lowest(this.#waves[this.#rank]?.number, this.#elsewhere.openWave);
  }

  /** The lowest here in which a hook has not ended; undefined: every exec hook has ended. */
  get open(): { readonly number: number; readonly place: number; readonly left: ReadonlySet<HookId> } | undefined {
    const wave = this.#waves[this.#rank];
    return wave && { number: wave.number, place: this.#rank + 1, left: wave.left };
  }

  /** When it opened: as the last hook of the waves below it ended. Absent: it has been open from the start. */
  get openedAt(): Instant | undefined {
    const number = this.#waves[this.#rank]?.number ?? Number.POSITIVE_INFINITY;
    return this.#elsewhere.waveEnds.reduce(
      (last, [wave, endedAt]) => (wave < number ? latestOf(last, endedAt) : last),
      this.#openedAt,
    );
  }

  /** Those here whose hooks have all ended, with when the last did; absent: in an earlier run. */
  get over(): readonly { readonly number: number; readonly lastEnd: Instant | undefined }[] {
    return this.#waves.slice(0, this.#rank);
  }

  isOpen(hook: Hook): boolean {
    return (waveOf(hook) ?? Number.NEGATIVE_INFINITY) <= (this.openNumber ?? Number.POSITIVE_INFINITY);
  }

  /** The hooks of the other shards have come so far: a wave may open here. */
  told(elsewhere: WavesElsewhere): void {
    const before = this.openNumber;
    this.#elsewhere = elsewhere;
    if (this.openNumber !== before) this.#opened = this.#waves[this.#rank]?.pods ?? [];
  }

  /** An exec hook has ended, with which the next wave may open. */
  ended(hook: Hook, endedAt: Instant): void {
    const wave = this.#byNumber.get(waveOf(hook) ?? Number.NaN);
    if (wave === undefined) return;
    wave.left.delete(hook.id);
    wave.lastEnd = latestOf(wave.lastEnd, endedAt);
    if (this.#openNext()) this.#opened = this.#waves[this.#rank]?.pods ?? [];
  }

  /** The pods in which hooks may start that could not before: those of a wave that has opened since it was asked last. */
  takeOpened(): Iterable<PodIndex> {
    const opened = this.#opened;
    this.#opened = [];
    return opened;
  }

  #openNext(): boolean {
    const before = this.#rank;
    for (let wave = this.#waves[before]; wave?.left.size === 0; wave = this.#waves[this.#rank]) {
      this.#openedAt = latestOf(this.#openedAt, wave.lastEnd);
      this.#rank += 1;
    }
    return this.#rank > before;
  }
}

const lowest = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);

const latestOf = (one: Instant | undefined, other: Instant | undefined): Instant | undefined =>
  one === undefined || other === undefined ? (one ?? other) : latest(one, other);
