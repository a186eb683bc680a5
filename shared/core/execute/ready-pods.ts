import TinyQueue from 'tinyqueue';
import type { PodIndex } from '../model/position.ts';

/** The indexes of pods with a hook that may start, each at most once; the lowest is taken first. */
export class ReadyPods {
  readonly #queue = new TinyQueue<PodIndex>([], (a, b) => a - b);
  readonly #members = new Set<PodIndex>();

  get size(): number {
    return this.#queue.length;
  }

  add(index: PodIndex): void {
    if (this.#members.has(index)) return;
    this.#members.add(index);
    this.#queue.push(index);
  }

  takeFirst(): PodIndex | undefined {
    const first = this.#queue.pop();
    if (first !== undefined) this.#members.delete(first);
    return first;
  }
}
