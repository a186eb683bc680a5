import { parseDurationMs } from '../../../shared/core/model/duration.ts';
import type { RunHook } from '../../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../../shared/core/report/run-status.ts';
import { failureKey, isFailure } from '../failures.ts';

export type Counts = RunStatus['counts'];
type Rows = Map<string, RunHook>;

/**
 * A run so far, as its display needs it. A change costs the same whatever the size of the run, and so does what is shown:
 * the rows of each kind are kept apart. Rows are kept as they are given, not copied.
 */
export class LiveRun {
  readonly namespace: string;
  readonly name: string;
  readonly #rows: Rows = new Map();
  readonly #running: Rows = new Map();
  readonly #failed = new Map<string, Rows>();
  readonly #waiting = new Map<string, Rows>();
  /** Until when each hook that has not ended ends at the latest, in ms since 1970; undefined: nobody knows. */
  readonly #ends = new Map<string, number | undefined>();
  #endless = 0;
  #status: RunStatus | undefined;
  readonly #tally = new Map<RunHook['state'], number>();
  #latestEnd: number | undefined;

  constructor(restore: { readonly namespace: string; readonly name: string }) {
    this.namespace = restore.namespace;
    this.name = restore.name;
  }

  heard(status: RunStatus): void {
    this.#status = status;
    this.#addFailures();
  }

  /** The rows that have changed. */
  changed(rows: readonly RunHook[]): void {
    for (const row of rows) this.#set(row);
    this.#addFailures();
  }

  /** The status tells of the first failures before the next part of the report does. */
  #addFailures(): void {
    for (const { id, ...end } of this.#status?.failures ?? []) {
      const known = this.#rows.get(id) ?? rowOf(id, this.#status?.attempt ?? 1);
      if (isFailure(known)) continue;
      const { message: _, ...row } = known;
      this.#set({ ...row, ...end });
    }
  }

  get status(): RunStatus | undefined {
    return this.#status;
  }

  /** As the status has them, which is newer than the rows. A run of this process has no newer status than its rows. */
  get counts(): Counts | undefined {
    const counts = this.#status?.counts;
    if (counts === undefined || this.#status?.runner.kind !== 'local' || this.#rows.size === 0) return counts;
    const of = (state: RunHook['state']): number => this.#tally.get(state) ?? 0;
    const own = {
      succeeded: of('Succeeded'),
      failed: of('Failed'),
      timedOut: of('TimedOut'),
      notExecuted: of('NotExecuted'),
      unknown: of('Unknown'),
      running: of('Running'),
    };
    const known = Object.values(own).reduce((sum, each) => sum + each, 0);
    return { planned: counts.planned, ...own, waiting: Math.max(0, counts.planned - known) };
  }

  /** The rows are older than the status: what they say of hooks that run or wait may be over. */
  get isBehind(): boolean {
    const { counts } = this;
    return (
      counts !== undefined &&
      this.#rows.size > 0 &&
      (counts.running !== this.#running.size || counts.succeeded !== (this.#tally.get('Succeeded') ?? 0))
    );
  }

  /** Those that run, in the order in which that became known. */
  get running(): Iterable<RunHook> {
    return this.#running.values();
  }

  get knownRunning(): number {
    return this.#running.size;
  }

  get failed(): readonly Rows[] {
    return [...this.#failed.values()];
  }

  /** By what they wait for; most of them first. */
  get waiting(): readonly (readonly [reason: string, rows: Rows])[] {
    return [...this.#waiting].sort(([, one], [, other]) => other.size - one.size);
  }

  /**
   * When the run ends at the latest, in ms since 1970: only where a timeout ends each hook that has not ended. Undefined:
   * that isn't known.
   */
  get endsBy(): number | undefined {
    const { planned = 0 } = this.#status?.counts ?? {};
    if (this.#endless > 0 || this.#ends.size === 0 || this.#rows.size < planned) return undefined;
    if (this.#latestEnd === undefined) {
      this.#latestEnd = 0;
      for (const end of this.#ends.values()) this.#latestEnd = Math.max(this.#latestEnd, end ?? 0);
    }
    return this.#latestEnd;
  }

  #set(row: RunHook): void {
    const { id } = row;
    const known = this.#rows.get(id);
    if (known !== undefined) this.#unset(known);
    this.#rows.set(id, row);
    this.#tally.set(row.state, (this.#tally.get(row.state) ?? 0) + 1);
    this.#placeOf(row)?.set(id, row);
    if (row.state !== 'Running' && row.state !== 'Waiting') return;
    const end = latestEnd(row);
    this.#ends.set(id, end);
    if (end === undefined) this.#endless += 1;
    this.#latestEnd = undefined;
  }

  #unset(row: RunHook): void {
    const { id } = row;
    this.#tally.set(row.state, (this.#tally.get(row.state) ?? 0) - 1);
    this.#running.delete(id);
    for (const [groups, key] of [
      [this.#failed, failureKey(row)],
      [this.#waiting, waitOf(row).reason],
    ] as const) {
      const group = groups.get(key);
      if (group?.delete(id) && group.size === 0) groups.delete(key);
    }
    if (this.#ends.has(id) && this.#ends.get(id) === undefined) this.#endless -= 1;
    this.#ends.delete(id);
    this.#latestEnd = undefined;
  }

  #placeOf(row: RunHook): Rows | undefined {
    if (row.state === 'Running') return this.#running;
    if (row.state === 'Succeeded') return undefined;
    const [groups, key] =
      row.state === 'Waiting' ? [this.#waiting, waitOf(row).reason] : [this.#failed, failureKey(row)];
    const group = groups.get(key) ?? new Map();
    groups.set(key, group);
    return group;
  }
}

const UNTIL = /, (?:without a limit|until (\d{4}-\d\d-\d\dT[\d:.]+Z))$/;

/** What a waiting hook waits for, in words that hooks of several pods share, and until when (R7.9). */
export function waitOf({ message = '' }: Pick<RunHook, 'message'>): { reason: string; until: string | undefined } {
  const [, until] = UNTIL.exec(message) ?? [];
  const what = message.replace(UNTIL, '').replace(/^waiting for /, '');
  return { reason: /^hook \S+$/.test(what) ? 'an earlier hook of the same pod' : what || 'a first look', until };
}

/**
 * A hook that has not begun by the end of its wait timeout is over; one that has begun has its exec timeout left, and then
 * its further starts. Undefined: nobody knows, as of a hook in its pause.
 */
function latestEnd(row: RunHook): number | undefined {
  if (row.kind !== 'exec' || row.execTimeout === undefined) return undefined;
  const execMs = parseDurationMs(row.execTimeout);
  const begins = row.state === 'Running' ? row.startedAt : waitOf(row).until;
  const further = furtherMs(row, execMs);
  if (execMs === undefined || begins === undefined || further === undefined) return undefined;
  return Date.parse(begins) + execMs + further;
}

/** How long the starts after this one take at the most, each with the longest pause and its whole wait (R3.53, R3.55). */
function furtherMs({ retry, run, attempt, waitTimeout }: RunHook & { kind: 'exec' }, execMs = 0): number | undefined {
  // In a later run it isn't told how many of its starts were made in earlier ones (R3.48).
  const left = (retry?.attempts ?? 1) - (run === 1 ? attempt : 1);
  if (retry === undefined || left <= 0) return 0;
  const [pauseMs, waitMs] = [retry.maxDelay, waitTimeout].map((text) => text && parseDurationMs(text));
  if (typeof pauseMs !== 'number' || typeof waitMs !== 'number') return undefined;
  return left * (pauseMs + waitMs + execMs);
}

/** All that is known of a hook whose row can't be read, or is not there yet. */
function rowOf(id: string, run: number): RunHook {
  const [namespace = '', pod = '', container = '', name = '', index = ''] = id.split('/').map(decoded);
  return {
    ...{ id, namespace, pod, container, name, index: Number.parseInt(index, 10) || 0, run, attempt: 1 },
    ...{ kind: 'exec', source: 'spec', origin: 'velero', onError: 'Fail', waitForReady: false },
    ...{ command: [], execTimeoutFrom: 'default', waitTimeoutFrom: 'default', state: 'Waiting' },
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
