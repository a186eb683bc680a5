import type { HookState } from '../core/execute/hook-state.ts';
import type { Counts, PodRun, RunState } from '../core/execute/state.ts';
import { stateOf } from '../core/execute/state.ts';
import type { Step } from '../core/execute/step.ts';
import { OUTPUT_LIMIT_BYTES, TAIL_BYTES } from '../core/model/capture.ts';
import type { HookId } from '../core/model/hook.ts';
import type { HookPosition, PodIndex } from '../core/model/position.ts';
import { hookPositions, podIndexes } from '../core/model/position.ts';
import { countRows } from '../core/report/dead-run.ts';
import type { HookRow } from '../core/report/hook-row.ts';
import { rowDocument } from '../core/report/hook-row.ts';
import type { RunHook } from '../core/report/run-document.ts';
import { hookRow, rowState } from '../core/report/run-hook.ts';
import type { Output } from '../ports/ports.ts';

/** What successes may take of it, so that failures come first (R5.17). */
const SUCCESS_SHARE = 1 / 2;

/** Rows of about 550 bytes, in one part of the report. */
export const ROWS_AT_ONCE = 2_000;

interface Said extends Pick<RunHook, 'message' | 'startedAt'> {
  readonly state: HookState;
}

/** The rows of a run's report: which have changed since they were last written, and the output that goes with them. */
export class Rows {
  readonly #run: RunState;
  readonly #number: number;
  readonly #kept: ReadonlyMap<HookId, HookRow>;
  readonly #outputs = new Map<HookId, Output>();
  /** What each row last said. */
  readonly #said = new Map<HookId, Said>();
  #unwritten = new Map<HookId, RunHook>();
  /** Pods of which it is not known whether what their hooks wait for has changed. */
  readonly #unlooked: Set<PodIndex>;
  #outputBytes: number;
  /** How much output may be in the report of this shard. */
  readonly outputLimit: number;

  /** `number`: which run of the Restore it is; `outputBytes`: what the runners of the run before this one have reported of output. */
  constructor(
    run: RunState,
    number: number,
    kept: ReadonlyMap<HookId, HookRow>,
    outputBytes = 0,
    outputLimit = OUTPUT_LIMIT_BYTES,
  ) {
    this.outputLimit = outputLimit;
    this.#run = run;
    this.#number = number;
    this.#kept = kept;
    this.#outputBytes = outputBytes;
    this.#unlooked = new Set(podIndexes(run.pods));
  }

  get hasUnwritten(): boolean {
    this.#look(this.#unlooked.values(), 1);
    return this.#unwritten.size > 0;
  }

  /** How much output is, or is about to be, in the run's report. */
  get outputBytes(): number {
    return this.#outputBytes;
  }

  /** Of a hook that is started again, the output of its last start (R3.59). */
  holdOutput(hook: HookId, output: Output): void {
    if (output.stdout !== undefined || output.stderr !== undefined) this.#outputs.set(hook, output);
    else this.#outputs.delete(hook);
  }

  /**
   * Note what a step has changed; returns those rows. What the others of its pods wait for is looked at when the report
   * is written: all of a pod's waiting hooks may say something new each time that one of them ends.
   */
  stepped(touched: Step['touched']): RunHook[] {
    const changed: RunHook[] = [];
    for (const [index, { states }] of touched) {
      this.#unlooked.add(index);
      const pod = this.#run.pods[index];
      for (const at of states.keys()) {
        const row = pod && this.#changedRow(pod, at);
        if (row === undefined) continue;
        this.#unwritten.set(row.id as HookId, row);
        changed.push(row);
      }
    }
    return changed;
  }

  /** Look at these pods until so many rows are unwritten. False: there are no more of them. */
  #look(pods: Iterator<PodIndex>, enough: number): boolean {
    while (this.#unwritten.size < enough) {
      const { done, value: index } = pods.next();
      if (done) return false;
      if (this.#unlooked.delete(index)) this.update([index]);
    }
    return true;
  }

  /** Note the pods that may have changed; returns the rows that did. */
  update(indexes: Iterable<PodIndex>): RunHook[] {
    const changed: RunHook[] = [];
    for (const index of indexes) {
      const pod = this.#run.pods[index];
      for (const at of pod === undefined ? [] : hookPositions(pod.hooks)) {
        const row = pod && this.#changedRow(pod, at);
        if (row === undefined) continue;
        this.#unwritten.set(row.id as HookId, row);
        changed.push(row);
      }
    }
    return changed;
  }

  /** Write what has changed, so many rows at a time that no step takes long; they stay unwritten if `write` rejects. */
  async write(write: (rows: readonly RunHook[]) => Promise<void>): Promise<void> {
    // What changes meanwhile is for the next time.
    const due = [...this.#unlooked].values();
    for (let isMore = true; isMore; ) {
      isMore = this.#look(due, ROWS_AT_ONCE);
      const rows = this.#unwritten;
      if (rows.size === 0) return;
      this.#unwritten = new Map();
      try {
        await write([...rows.values()]);
      } catch (error) {
        this.#unwritten = new Map([...rows, ...this.#unwritten]);
        throw error;
      }
    }
  }

  /** All rows in plan order, without output. */
  all(): RunHook[] {
    return this.#run.pods.flatMap((pod) => [...hookPositions(pod.hooks)].map((at) => this.#row(pod, at)));
  }

  /** Every planned hook has one result, and the counts are those of the rows (R4.7): else nothing is told as an end. */
  checkSum(counts: Counts): void {
    const counted = countRows(this.#states());
    const isSame = Object.entries(counted).every(([state, count]) => counts[state as keyof Counts] === count);
    if (isSame && counted.waiting === 0 && counted.running === 0) return;
    throw new Error(
      `the rows of a run that has ended are ${JSON.stringify(counted)}, and its counts ${JSON.stringify(counts)}`,
    );
  }

  *#states(): Generator<Pick<RunHook, 'state'>> {
    for (const pod of this.#run.pods) {
      for (const at of hookPositions(pod.hooks)) {
        yield this.#kept.get(pod.hooks[at]?.id as HookId) ?? rowState(this.#run, pod, at);
      }
    }
  }

  #row(pod: PodRun, at: HookPosition): RunHook {
    const kept = this.#kept.get(pod.hooks[at]?.id as HookId);
    return kept === undefined
      ? rowDocument(hookRow(this.#run, pod, at, this.#number), pod.hooks[at])
      : rowDocument(kept);
  }

  #changedRow(pod: PodRun, at: HookPosition): RunHook | undefined {
    const state = stateOf(pod, at);
    const id = pod.hooks[at]?.id as HookId;
    const said = this.#said.get(id);
    if (said?.state === state && state.phase !== 'Waiting') return undefined;
    const row = this.#row(pod, at);
    const { message, startedAt } = row;
    if (said?.state.phase === state.phase && said.message === message && said.startedAt === startedAt) return undefined;
    this.#said.set(id, { state, message, startedAt });
    return state.phase === 'Ended' ? this.#withOutput(id, row) : row;
  }

  #withOutput(id: HookId, row: RunHook): RunHook {
    const output = this.#outputs.get(id);
    if (output === undefined) return row;
    this.#outputs.delete(id);
    const limit = row.state === 'Succeeded' ? this.outputLimit * SUCCESS_SHARE : this.outputLimit;
    // Where a whole output doesn't fit any more, its end still may (R5.17).
    for (const kept of [output, endOf(output)]) {
      const size = sizeOf(kept.stdout) + sizeOf(kept.stderr);
      if (this.#outputBytes + size > limit) continue;
      this.#outputBytes += size;
      return { ...row, ...kept };
    }
    return { ...row, outputDropped: true };
  }
}

const sizeOf = (text = ''): number => Buffer.byteLength(text);

/** The last 4 KiB of each stream. */
function endOf(output: Output): Output {
  const end = (stream: 'stdout' | 'stderr'): Output => {
    const text = output[stream];
    if (text === undefined || sizeOf(text) <= TAIL_BYTES) return {};
    const bytes = Buffer.from(text);
    // Not within a character: its further bytes begin with 10.
    let from = bytes.length - TAIL_BYTES;
    while (((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1;
    return { [stream]: bytes.toString('utf8', from), [`${stream}Bytes`]: output[`${stream}Bytes`] ?? bytes.length };
  };
  return { ...output, ...end('stdout'), ...end('stderr') };
}
