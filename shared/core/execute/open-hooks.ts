import type { Hook } from '../model/hook.ts';
import type { HookPosition } from '../model/position.ts';
import { hookPositions } from '../model/position.ts';
import type { HookState } from './hook-state.ts';
import { isLost } from './lost-commands.ts';
import { waveOf } from './waves.ts';

/**
 * What of a pod's hooks can still change, kept up to date hook by hook: a step looks at these, and not at all hooks of
 * its pod, so that a pod's hooks cost linear time. Positions are those in `PodRun.hooks`.
 */
export class OpenHooks {
  readonly #hooks: readonly Hook[];
  readonly #states: readonly HookState[];
  readonly #active = new Set<HookPosition>();
  readonly #inits = new Set<HookPosition>();
  readonly #retried = new Set<HookPosition>();
  /** By their waves. */
  readonly #stretches = new Map<number, Stretch[]>();
  readonly #stretchOf = new Map<HookPosition, Stretch>();
  /** Exec hooks with a wait timeout: the lowest wave first, in it the shortest. */
  readonly #byTimeout: readonly HookPosition[];
  /** Of the same length: a place from which on to look for one that is open; one that is open points at itself. */
  readonly #next: number[];
  readonly #rankOf = new Map<HookPosition, number>();
  #lastRun: HookPosition | undefined;
  #open = 0;
  #waiting = 0;

  /** `states` is written to by `step` alone, which tells of each write. */
  constructor(hooks: readonly Hook[], states: readonly HookState[]) {
    this.#hooks = hooks;
    this.#states = states;
    this.#byTimeout = [...hookPositions(hooks)]
      .filter((at) => hooks[at]?.kind === 'exec' && hooks[at].waitTimeoutMs !== null)
      .sort((a, b) => this.#wave(a) - this.#wave(b) || this.#timeout(a) - this.#timeout(b) || a - b);
    this.#next = [...this.#byTimeout.keys(), this.#byTimeout.length];
    for (const [rank, at] of this.#byTimeout.entries()) this.#rankOf.set(at, rank);
    let stretch: Stretch | undefined;
    for (const at of hookPositions(hooks)) {
      const hook = hooks[at];
      if (hook?.kind === 'exec') {
        if (stretch === undefined) {
          stretch = { first: at, end: next(at), begun: false };
          const ofWave = this.#stretches.get(this.#wave(at));
          if (ofWave === undefined) this.#stretches.set(this.#wave(at), [stretch]);
          else ofWave.push(stretch);
        }
        stretch.end = next(at);
        this.#stretchOf.set(at, stretch);
        const isLast = hooks[at + 1]?.container !== hook.container || this.#wave(next(at)) !== this.#wave(at);
        if (isLast) stretch = undefined;
      }
      this.noted(at, undefined);
    }
  }

  /** Whether any hook has not ended. */
  get isAny(): boolean {
    return this.#open > 0;
  }

  /** Whether any hook waits, but for the recording of its intent. */
  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  /** Those that take a slot: at most one, if all is well. */
  get active(): ReadonlySet<HookPosition> {
    return this.#active;
  }

  /** Those that wait for another try, or for another start after one that has ended. */
  get retried(): ReadonlySet<HookPosition> {
    return this.#retried;
  }

  /** The hook that was started and has ended last. */
  get lastRun(): HookPosition | undefined {
    return this.#lastRun;
  }

  /** Init hooks that have not ended. */
  get inits(): ReadonlySet<HookPosition> {
    return this.#inits;
  }

  /** `states[at]` has been written; it was `previous` before, or is told of for the first time. */
  noted(at: HookPosition, previous: HookState | undefined): void {
    const state = this.#state(at);
    this.#open += Number(state.phase !== 'Ended') - Number(previous !== undefined && previous.phase !== 'Ended');
    this.#waiting += Number(state.phase === 'Waiting') - Number(previous?.phase === 'Waiting');
    const isInit = this.#hooks[at]?.kind === 'init';
    if (isInit) put(this.#inits, at, state.phase !== 'Ended');
    else put(this.#active, at, isActivePhase(state.phase));
    const isTried = state.last !== undefined;
    put(this.#retried, at, state.phase === 'Waiting' && (state.retryAt !== undefined || isTried));
    const rank = this.#rankOf.get(at);
    if (rank !== undefined && (state.phase === 'Ended' || isTried)) this.#next[rank] = rank + 1;
    const stretch = this.#stretchOf.get(at);
    if (stretch === undefined) return;
    if (state.phase === 'Ended' && state.startedAt !== undefined) this.#lastRun = at;
    stretch.begun ||= isTried; // R3.55
    if (state.phase === 'Ended') stretch.begun ||= state.startedAt !== undefined || isLost(state.outcome);
    while (stretch.first < stretch.end && this.#isPassed(stretch.first)) stretch.first = next(stretch.first);
  }

  /**
   * The first hook of each container that has not ended, or that of the one alone that has begun (R3.7), among those of
   * one wave: containers take turns within it (R3.42).
   */
  turns(wave: number | undefined): readonly HookPosition[] {
    const firsts: HookPosition[] = [];
    for (const { first, end, begun } of this.#stretches.get(wave ?? Number.NaN) ?? []) {
      if (first === end) continue;
      // What has succeeded in an earlier run may stand between those that are run again.
      if (begun) return [first]; // R3.8
      firsts.push(first);
    }
    return firsts;
  }

  /** The first exec hook of the same container and wave that has not ended. */
  firstBeside(at: HookPosition): HookPosition | undefined {
    const stretch = this.#stretchOf.get(at);
    return stretch === undefined || stretch.first === stretch.end ? undefined : stretch.first;
  }

  /**
   * The exec hooks with a wait timeout that have not ended, nor been started: the lowest wave first, in it the shortest. The
   * wait for a further start begins later.
   */
  *byTimeout(): Generator<HookPosition, void, undefined> {
    for (let rank = this.#from(0); rank < this.#byTimeout.length; rank = this.#from(rank + 1)) {
      yield this.#byTimeout[rank] as HookPosition;
    }
  }

  /** The first rank from this one on whose hook has not ended; the way there is shortened for the next time. */
  #from(rank: number): number {
    let found = rank;
    while ((this.#next[found] ?? found) !== found) found = this.#next[found] as number;
    for (let at = rank; at !== found; ) {
      const next = this.#next[at] as number;
      this.#next[at] = found;
      at = next;
    }
    return found;
  }

  #wave(at: HookPosition): number {
    const hook = this.#hooks[at];
    return (hook && waveOf(hook)) ?? 0;
  }

  #timeout(at: HookPosition): number {
    return this.#hooks[at]?.waitTimeoutMs ?? 0;
  }

  #isPassed(at: HookPosition): boolean {
    return this.#hooks[at]?.kind === 'init' || this.#state(at).phase === 'Ended';
  }

  #state(at: HookPosition): HookState {
    const state = this.#states[at];
    if (state === undefined) throw new RangeError(`no hook ${at}`);
    return state;
  }
}

const next = (at: HookPosition): HookPosition => (at + 1) as HookPosition;

/** The exec hooks of one container and wave, as they stand in the plan (R3.42). */
interface Stretch {
  /** The first that has not ended; `end`: none. */
  first: HookPosition;
  end: HookPosition;
  /** One of them has been started. */
  begun: boolean;
}

/** Of an exec hook: it takes a slot. */
export const isActivePhase = (phase: HookState['phase']): boolean =>
  phase === 'Recording' || phase === 'Starting' || phase === 'Running';

function put(set: Set<HookPosition>, at: HookPosition, isIn: boolean): void {
  if (isIn) set.add(at);
  else set.delete(at);
}
