import type { RestoreHooksError } from '../core/errors.ts';
import type { HistoryLine } from '../core/execute/history.ts';
import { historyHead, recordedEffects, recordedFacts } from '../core/execute/history.ts';
import type { EndedHook } from '../core/execute/hook-state.ts';
import type { Effect, Fact } from '../core/execute/protocol.ts';
import type { Resumed, RunStart } from '../core/execute/run-start.ts';
import type { RunState } from '../core/execute/state.ts';
import { createRun } from '../core/execute/state.ts';
import { OUTPUT_LIMIT_BYTES } from '../core/model/capture.ts';
import type { Hook, HookId, PodKey } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import { instant, parseInstant } from '../core/model/instant.ts';
import type { PodIndex } from '../core/model/position.ts';
import type { HookRow } from '../core/report/hook-row.ts';
import type { RunHook } from '../core/report/run-document.ts';
import { attemptNow } from '../core/report/run-hook.ts';
import type { RunMetrics } from '../core/report/run-metrics.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import type { EventWriter, Hold, PodEvent, PodSource, Printed, RunStore } from '../ports/ports.ts';
import { Course } from './course.ts';
import { atDeadline } from './deadline.ts';
import type { Ended, RestorePhase } from './ending.ts';
import { writeEnding } from './ending.ts';
import type { Engine, EnginePorts } from './engine.ts';
import { startEngine } from './engine.ts';
import { Reporter } from './reporter.ts';
import { Rows } from './rows.ts';
import type { Warn } from './run-events.ts';
import { RunEvents } from './run-events.ts';
import { RunWrites } from './run-writes.ts';
import type { LinkParts, ShardOfRun } from './shards.ts';
import { ShardLink, Standings } from './shards.ts';
import type { StepObserver } from './steps.ts';
import { RunWishes } from './wishes.ts';
import { Writes } from './writes.ts';

/** What a run is asked to do. */
export interface RunRequest extends RestorePhase {
  readonly hooks: readonly Hook[];
  /** Rows of earlier runs of the Restore whose results stand: those hooks are not run. */
  readonly kept: readonly HookRow[];
  /** As it was written when the run was claimed. */
  readonly status: RunStatus;
  readonly maxConcurrent: number;
  /** What the runners before this one have done of this run; undefined: it is the first. */
  readonly resumed?: Resumed | undefined;
  /** How often earlier runs have started the hooks that are run again. */
  readonly startsBefore?: ReadonlyMap<HookId, number> | undefined;
  /** Until when commands of earlier runs may be running in a pod. */
  readonly quiet?: ReadonlyMap<PodKey, Instant> | undefined;
  /** What the run's runners have counted and measured so far. */
  readonly metrics?: (() => RunMetrics) | undefined;
}

export interface RunPorts extends EnginePorts {
  readonly pods: PodSource;
  readonly store: RunStore;
  readonly events: EventWriter;
  readonly hold: Hold;
  /** Absent: the run has one shard. */
  readonly shard?: ShardOfRun | undefined;
}

/** Told of the run as it goes; can't influence it. */
export interface RunObserver {
  /** Rows that changed, as they stand. */
  changed?(rows: readonly RunHook[]): void;
  /** What a running command prints, as it comes. */
  printing?(hook: HookId, piece: Printed, attempt: number): void;
  /** The rows that the report is about to be written with: also those of which only what they wait for has changed. */
  reported?(rows: readonly RunHook[]): void;
  /** The run's deadline has passed. */
  overdue?(deadline: string): void;
  /** Something went wrong beside the hooks, and is tried again. */
  warn?(what: string, error: RestoreHooksError): void;
  /** Told of each step. */
  readonly steps?: readonly StepObserver[] | undefined;
  /** The run's history, line by line; absent: it isn't recorded. */
  readonly record?: ((line: HistoryLine) => void) | undefined;
}

export interface StartedRun {
  /**
   * Resolves when that is written: the run has ended, or, where its phase is none of the final ones, is suspended.
   * `rows` in plan order, without output. Rejects with `RUN_BY_ANOTHER` where somebody else has it: nothing is written.
   */
  readonly done: Promise<Ended>;
  /** Start nothing more: the run ends when running hooks have. */
  cancel(): void;
  /** Start nothing more, and leave what waits to the next runner. */
  suspend(): void;
  /** Don't wait for running hooks any longer either: canceled they are `Unknown`, suspended they are left as they are. */
  drop(): void;
}

/** Run a plan's hooks to their end, and tell of it beside the Restore as it goes (R5.11, R5.13). */
export function startRun(request: RunRequest, ports: RunPorts, observer: RunObserver = {}): StartedRun {
  const { clock, store } = ports;
  const options = optionsOf(request, clock.now(), ports.shard);
  const run = createRun(request.hooks, options);
  const steps = new Steps(run, observer);
  steps.begin(request, options, clock.now());
  const rows = rowsOf(request, run, ports.shard?.standing.length ?? 1);
  const noteSeen = journalSeen(run, ports, request.resumed);
  const engine = startEngine(
    run,
    ports,
    {
      printed: (hook, output) => rows.holdOutput(hook, output),
      printing: (hook, piece) => observer.printing?.(hook, piece, attemptNow(run, hook)),
      stepping: (facts, at) => steps.stepping(facts, at),
      stepped(touched, effects) {
        steps.stepped(effects);
        noteSeen(touched.keys());
        const changed = rows.stepped(touched);
        if (changed.length > 0) {
          reporter.noteChange();
          observer.changed?.(changed);
        }
        events.stepped(request.status);
        link?.stepped();
        course.wakeIfOver();
      },
    },
    request.status.runID,
  );
  const wishes = new RunWishes(run, clock, engine.tell);
  const standings = ports.shard && new Standings(ports.shard);
  const course = new Course(run, clock, engine, wishes, standings?.isFollower ? undefined : standings);
  const warn: Warn = (what, error) => observer.warn?.(what, error);
  const writes = new RunWrites(new Writes(clock, warn), course);
  const events = new RunEvents(clock, ports.events, run, warn);
  const link = linkOf(standings, ports, { run, course, writes, wishes, tell: engine.tell }, request.resumed);
  const parts = { clock, store: observed(store, observer), run, rows, writes, course, wishes, link };
  const reporter = new Reporter(request.status, parts);
  ports.hold.onLost((error) => endBecauseLost(error, course));
  const forgetDeadline = atDeadline(request.status, clock, (deadline) => {
    if (!course.isOver) endAtDeadline(deadline, wishes, observer);
  });
  settleStop(run, engine);
  return {
    done: toTheEnd(),
    cancel: () => wishes.cancel(),
    suspend: () => wishes.suspend(),
    drop() {
      wishes.drop();
      course.wakeIfOver();
    },
  };

  async function toTheEnd(): Promise<Ended> {
    const notBegun = await reporter.writeFirst();
    if (notBegun !== undefined) {
      course.fail({ code: 'error', message: `its report could not be written: ${notBegun.message}` });
    } else if (!wishes.isOverdue && !standings?.isFollower) events.started(reporter.runNow, standings?.openPods);
    const stopPods = course.isOver ? () => undefined : ports.pods.start((event) => tellOfPods(event, engine, course));
    await reporter.tellUntilOver();
    forgetDeadline();
    stopPods();
    engine.stop();
    const ended = await writeEnding({ ...parts, hold: ports.hold, events, reporter }, request);
    steps.end(ended.status);
    return ended;
  }
}

function endAtDeadline(deadline: string, wishes: RunWishes, observer: RunObserver): void {
  observer.overdue?.(deadline);
  wishes.endAtDeadline();
}

function rowsOf({ kept, status: { attempt, outputBytes } }: RunRequest, run: RunState, shards: number): Rows {
  const keptRows = new Map(kept.map((row) => [row.hook.id, row]));
  return new Rows(run, attempt, keptRows, outputBytes, Math.floor(OUTPUT_LIMIT_BYTES / shards));
}

/** A stop that an earlier runner, or another shard, came to is settled although nothing happens. */
function settleStop({ stop, pods: [first] }: RunState, { tell }: Engine): void {
  if (stop !== undefined && first !== undefined) tell({ type: 'timerFired', key: first.key });
}

/** Undefined: the run has one shard. */
const linkOf = (
  standings: Standings | undefined,
  { clock, hold, shard }: RunPorts,
  parts: Omit<LinkParts, 'clock' | 'hold' | 'board' | 'wasCanceled'>,
  resumed: Resumed | undefined,
) => {
  if (standings === undefined || shard === undefined) return undefined;
  const wasCanceled = [...(resumed?.ended.values() ?? [])].some(({ outcome }) => outcome.reason === 'canceled');
  return new ShardLink(standings, { ...parts, clock, hold, board: shard.board, wasCanceled });
};

function observed(store: RunStore, { reported }: RunObserver): RunStore {
  if (reported === undefined) return store;
  return {
    annotate: (annotations) => store.annotate(annotations),
    addToReport(rows) {
      reported(rows);
      return store.addToReport(rows);
    },
    setRestorePhase: (...change) => store.setRestorePhase(...change),
    checkRestore: () => store.checkRestore(),
  };
}

function endBecauseLost(error: RestoreHooksError, course: Course): void {
  if (error.code === 'RUN_BY_ANOTHER') course.loseTo(error);
  else course.loseHold(error);
}

function tellOfPods(event: PodEvent, { tell }: Engine, course: Course): void {
  if (event.type === 'podsLost') course.failBecause(event.error);
  else tell(event);
}

const optionsOf = (request: RunRequest, now: Instant, shard: ShardOfRun | undefined): RunStart => ({
  maxConcurrent: request.maxConcurrent,
  resumed: request.resumed,
  startsBefore: request.startsBefore,
  quiet: request.quiet,
  elsewhere: shard && new Standings(shard).elsewhere,
  startedAt: parseInstant(request.status.startedAt ?? '') ?? now,
  ended: new Map(request.kept.map((row) => [row.hook.id, endedState(row)])),
});

/** Tells of each step: the run's history, if it is recorded, and those who observe steps. */
class Steps {
  readonly #run: RunState;
  readonly #record: RunObserver['record'];
  readonly #observers: readonly StepObserver[];
  #made = 0;
  #facts: readonly Fact[] = [];
  #at = instant(0);

  constructor(run: RunState, { record, steps = [] }: RunObserver) {
    this.#run = run;
    this.#record = record;
    this.#observers = steps;
  }

  begin({ status, hooks }: RunRequest, options: RunStart, now: Instant): void {
    this.#write(() => historyHead(status, hooks, options));
    for (const each of this.#observers) each.begun(this.#run, status, now);
  }

  stepping(facts: readonly Fact[], at: Instant): void {
    this.#made += 1;
    this.#write(() => recordedFacts(this.#made, at, facts));
    this.#facts = facts;
    this.#at = at;
  }

  stepped(effects: readonly Effect[]): void {
    this.#write(() => recordedEffects(effects));
    const step = { run: this.#run, facts: this.#facts, effects, at: this.#at };
    for (const each of this.#observers) each.stepped(step);
  }

  end(status: RunStatus): void {
    for (const each of this.#observers) each.ended(status);
  }

  #write(lines: () => Iterable<HistoryLine>): void {
    if (this.#record !== undefined) for (const line of lines()) this.#record(line);
  }
}

/** Journals when the wait timeouts of a pod began, once for each pod: they go on under the next runner (R6.5). */
function journalSeen(run: RunState, { journal }: Pick<RunPorts, 'journal'>, resumed: Resumed | undefined) {
  const seen = new Set(resumed?.waitingSince.keys());
  return (touched: Iterable<PodIndex>): void => {
    for (const index of touched) {
      const pod = run.pods[index];
      if (pod?.waitingSince === undefined || seen.has(index)) continue;
      seen.add(index);
      if (pod.hooks.some(({ waitTimeoutMs }) => waitTimeoutMs !== null)) journal.seen(index, pod.waitingSince);
    }
  };
}

/** The state of a hook whose row of an earlier run is kept. A row that has not ended says that nobody knows. */
function endedState({ hook: _, run: __, attempt: ___, ...row }: HookRow): EndedHook {
  if (row.state === 'Waiting' || row.state === 'Running') {
    return { phase: 'Ended', outcome: { state: 'Unknown', reason: 'runner-died' }, endedAt: instant(0) };
  }
  const { startedAt, finishedAt, ...outcome } = row;
  return {
    phase: 'Ended',
    outcome,
    ...(startedAt === undefined ? {} : { startedAt }),
    endedAt: finishedAt ?? instant(0),
  };
}
