import { createHash } from 'node:crypto';
import type { HookResult } from '../../shared/core/model/hook.ts';

/** What a journal's text says of a hook. */
type ToldHook =
  | { readonly phase: 'begun'; readonly by: number }
  | { readonly phase: 'not-started' }
  /** A start has ended, and is followed by another. */
  | { readonly phase: 'tried' }
  | { readonly phase: 'ended'; readonly outcome: ToldOutcome; readonly endedAt: number };

export interface ToldOutcome {
  readonly state: HookResult['state'];
  readonly reason: string | undefined;
}

const STATES: Readonly<Record<string, HookResult['state']>> = {
  S: 'Succeeded',
  F: 'Failed',
  T: 'TimedOut',
  N: 'NotExecuted',
  U: 'Unknown',
};

/**
 * A journal, read from what stands in the API server as it grows, by a reader of its own: nothing of the core's is in
 * it. It throws where what was written changes, is cut or reordered, or says what no runner can have done.
 */
export class ToldJournal {
  readonly runID: string;
  readonly hooks = new Map<number, ToldHook>();
  /** When the pods with a wait timeout were first seen. */
  readonly seen = new Map<number, number>();
  claims = 0;
  closedBy: string | undefined;
  readonly #planned: number;
  readonly #texts: string[] = [];
  #digest: string;

  constructor(head: {
    readonly runID: string;
    readonly planDigest: string;
    readonly hooks: number;
    readonly shard?: { readonly index: number; readonly of: number };
  }) {
    this.#planned = head.hooks;
    const { hooks, planDigest, runID, shard } = head;
    this.runID = runID;
    this.#digest = digestOf(JSON.stringify({ hooks, planDigest, runID, shard }));
  }

  /** Read on; returns the results that are new. */
  readOn(data: Readonly<Record<string, string>>): { readonly hook: number; readonly outcome: ToldOutcome }[] {
    const results: { hook: number; outcome: ToldOutcome }[] = [];
    for (const [index, before] of this.#texts.entries()) {
      const { [keyOfBatch(index)]: now = before } = data;
      if (now !== before) throw new Error(`batch ${index} is changed`);
    }
    for (;;) {
      const index = this.#texts.length;
      const text = data[keyOfBatch(index)];
      if (text === undefined) return results;
      const { n, p, t, e } = JSON.parse(text) as { n: number; p: string; t: number; e: [string, ...unknown[]][] };
      if (n !== index || p !== this.#digest) throw new Error(`batch ${index} doesn't follow the one before it`);
      this.#texts.push(text);
      this.#digest = digestOf(text);
      for (const [kind, ...values] of e) {
        const result = this.#read(kind, values, t);
        if (result !== undefined) results.push(result);
      }
    }
  }

  #read(kind: string, values: readonly unknown[], base: number) {
    if (this.closedBy !== undefined) throw new Error(`it goes on after it was closed: ${kind}`);
    if (kind === 'c') this.claims += 1;
    else if (kind === 'x') this.closedBy = String(values[0]);
    else if (kind === 'p') {
      const [pod, at] = values as [number, number];
      if (!this.seen.has(pod)) this.seen.set(pod, base + at);
    } else return this.#readHook(kind, values, base);
    return undefined;
  }

  #readHook(kind: string, values: readonly unknown[], base: number) {
    const [hook, what, at] = values as [number, unknown, number];
    const before = this.hooks.get(hook);
    const wrong = (why: string) => new Error(`hook ${hook} of ${this.#planned} ${why}`);
    if (!(hook < this.#planned)) throw wrong('is in no plan');
    if (before?.phase === 'ended') throw wrong('goes on after its end');
    if (kind === 'i') {
      if (before?.phase === 'begun' && before.by === this.claims) throw wrong('is begun twice by one runner');
      this.hooks.set(hook, { phase: 'begun', by: this.claims });
    } else if (kind === 'n' || kind === 's') {
      if (before?.phase !== 'begun') throw wrong('was not begun');
      if (kind === 'n') this.hooks.set(hook, { phase: 'not-started' });
    } else if (kind === 't') {
      if (before?.phase !== 'begun') throw wrong('is tried again, and was not begun');
      if (!String(what).startsWith('F/')) throw wrong(`is tried again after ${what}`);
      this.hooks.set(hook, { phase: 'tried' });
    } else if (kind === 'r') {
      const [code = '', reason] = String(what).split('/');
      const state = STATES[code.slice(0, 1)];
      if (state === undefined) throw wrong(`has the result ${code}`);
      const outcome = { state, reason };
      this.hooks.set(hook, { phase: 'ended', outcome, endedAt: base + at });
      return { hook, outcome };
    } else if (kind !== 'l') throw wrong(`has an entry ${kind}`);
    return undefined;
  }
}

const keyOfBatch = (index: number): string => `b${String(index).padStart(8, '0')}`;
const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
