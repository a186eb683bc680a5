import type { Instant } from '../../shared/core/model/instant.ts';
import { instant, later } from '../../shared/core/model/instant.ts';
import type { Clock } from '../../shared/ports/ports.ts';

export interface VirtualClockOptions {
  /** Decides the order of what falls on one instant; absent = the order in which it was set. */
  readonly tieBreak?: () => number;
  /** Whether what falls on one instant is one happening (default), or each timer is one of its own. */
  readonly together?: boolean;
}

/** More than this at one instant is a timer that sets itself again and again. */
const MOST_AT_ONCE = 1_000_000;

/** A clock that stands still until it is told to go on. */
export class VirtualClock implements Clock {
  #now = instant(0);
  #serial = 0;
  readonly #heap: Entry[] = [];
  readonly #soon: (() => void)[] = [];
  readonly #tieBreak: () => number;
  readonly #together: boolean;

  constructor({ tieBreak, together }: VirtualClockOptions = {}) {
    this.#tieBreak = tieBreak ?? (() => this.#serial++);
    this.#together = together ?? true;
  }

  now(): Instant {
    return this.#now;
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  setTimer(afterMs: number, fire: () => void): () => void {
    const entry: Entry = { at: later(this.#now, Math.max(0, afterMs)), serial: this.#tieBreak(), fire };
    push(this.#heap, entry);
    return () => {
      entry.fire = undefined;
    };
  }

  /** Run until nothing is left or the next thing is after `until`. */
  runUntil(until: number): void {
    while (this.runNext(until)) {}
  }

  /**
   * The same where promises are part of what happens: all that can settle does before time goes on.
   * `setImmediate` comes after every microtask, also those that microtasks make.
   */
  async runUntilWithPromises(until: number): Promise<void> {
    do {
      do {
        this.#settle();
        await new Promise((resolve) => setImmediate(resolve));
      } while (this.#soon.length > 0);
    } while (this.runNext(until));
  }

  /** What is asked once time stands still. */
  async answered<T>(asked: Promise<T>): Promise<T> {
    let isAnswered = false;
    const noted = asked.finally(() => {
      isAnswered = true;
    });
    noted.catch(() => undefined);
    while (!isAnswered) await this.runUntilWithPromises(this.#now);
    return noted;
  }

  /** Run what falls on the next instant; false where there is none up to `until`. */
  runNext(until: number): boolean {
    this.#settle();
    while (this.#heap.length > 0 && this.#heap[0]?.fire === undefined) pop(this.#heap);
    const next = this.#heap[0];
    if (next === undefined || next.at > until) return false;
    this.#now = next.at;
    for (let happened = 0; this.#heap[0]?.at === this.#now; happened += 1) {
      if (happened > MOST_AT_ONCE) throw new Error(`time stands still at ${this.#now}`);
      pop(this.#heap)?.fire?.();
      if (!this.#together) this.#settle();
    }
    this.#settle();
    return true;
  }

  #settle(): void {
    for (let run = this.#soon.shift(); run !== undefined; run = this.#soon.shift()) run();
  }
}

interface Entry {
  readonly at: Instant;
  readonly serial: number;
  fire: (() => void) | undefined;
}

const isBefore = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.serial < b.serial);

function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Entry;
    if (!isBefore(entry, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): Entry | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    const right = heap[child + 1];
    if (right !== undefined && isBefore(right, heap[child] as Entry)) child += 1;
    const below = heap[child];
    if (below === undefined || !isBefore(below, last)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
  return first;
}
