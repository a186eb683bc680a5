import TinyQueue from 'tinyqueue';

/** The indexes of pods with a hook that may start, each at most once; the lowest is taken first. */
export class ReadyPods {
  readonly #queue = new TinyQueue<number>([], (a, b) => a - b);
  readonly #members = new Set<number>();

  get size(): number {
    return this.#queue.length;
  }

  add(index: number): void {
    if (this.#members.has(index)) return;
    this.#members.add(index);
    this.#queue.push(index);
  }

  takeFirst(): number | undefined {
    const first = this.#queue.pop();
    if (first !== undefined) this.#members.delete(first);
    return first;
  }
}
