import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import { instantOf, isFailure, isKept, podOf } from './report.ts';

/** When the hooks of each pod waited, ran and ended, as parts of the run's time: 0 is its start, 1 its end. */
export interface Timeline {
  readonly spanMs: number;
  readonly lanes: readonly Lane[];
  /** Pods that are not drawn: there are too many. */
  readonly podsLeft: number;
  /** The greatest number of hooks that ran at once, in each of equal steps of the time. */
  readonly running: readonly number[];
}

export interface Lane {
  readonly pod: string;
  readonly rows: readonly RunHook[];
  readonly waits: readonly { readonly from: number; readonly to: number }[];
  readonly bars: readonly Bar[];
  /** Hooks of the pod that are not drawn: there are too many. */
  readonly barsLeft: number;
}

/** One hook that ran; or, without `to`, hooks that ended at one moment without having run. */
export interface Bar {
  readonly rows: readonly [RunHook, ...RunHook[]];
  readonly from: number;
  readonly to: number | undefined;
}

/** So few that a browser paints them at once, and that a keyboard can pass them. */
const MOST_LANES = 60;
const MOST_BARS = 400;
const MOST_BARS_OF_LANE = 40;
const STEPS = 300;
/** So long runs a hook that took no time: it ran all the same. */
const A_BIT = 1e-9;

/** Undefined: nothing of this run has begun. */
export function timelineOf(run: RunDocument): Timeline | undefined {
  const rows = run.hooks.filter((row) => !isKept(run, row));
  const times = [run, ...rows].flatMap(({ startedAt, finishedAt }) =>
    [startedAt, finishedAt].flatMap((text) => instantOf(text) ?? []),
  );
  const from = instantOf(run.startedAt) ?? least(times);
  const to = greatest(times);
  if (from === undefined || to === undefined || !(to > from)) return undefined;
  const place = (at: number): number => Math.min(1, Math.max(0, (at - from) / (to - from)));
  const pods = [...Map.groupBy(rows, podOf)];
  const chosen = choose(pods);
  let room = MOST_BARS;
  const lanes = chosen.map(([pod, of]): Lane => {
    const lane = laneOf(pod, of, { from, to, place, room: Math.min(room, MOST_BARS_OF_LANE) });
    room -= lane.bars.length;
    return lane;
  });
  return { spanMs: to - from, lanes, podsLeft: pods.length - lanes.length, running: load(rows, to, place) };
}

/** In the plan's order; of too many, those with hooks that did not succeed, then those that took longest. */
function choose(pods: readonly [string, RunHook[]][]): readonly [string, RunHook[]][] {
  if (pods.length <= MOST_LANES) return pods;
  const weight = ([, rows]: [string, RunHook[]]) => ({
    failed: rows.some(isFailure) ? 1 : 0,
    end: greatest(rows.map(({ finishedAt }) => instantOf(finishedAt) ?? 0)) ?? 0,
  });
  const weighed = pods.map((pod, index) => ({ pod, index, ...weight(pod) }));
  return weighed
    .toSorted((a, b) => b.failed - a.failed || b.end - a.end)
    .slice(0, MOST_LANES)
    .toSorted((a, b) => a.index - b.index)
    .map(({ pod }) => pod);
}

interface Scale {
  readonly from: number;
  readonly to: number;
  readonly place: (at: number) => number;
  readonly room: number;
}

/** A pod runs one hook at a time, so a hook waits from the end of the one before it. */
function laneOf(pod: string, rows: readonly RunHook[], { from, to, place, room }: Scale): Lane {
  const waits: { from: number; to: number }[] = [];
  const bars: { rows: [RunHook, ...RunHook[]]; from: number; to: number | undefined }[] = [];
  let free = from;
  for (const row of rows) {
    const [started, finished] = [instantOf(row.startedAt), instantOf(row.finishedAt)];
    const waitedUntil = started ?? finished ?? to;
    if (place(waitedUntil) > place(free)) waits.push({ from: place(free), to: place(waitedUntil) });
    free = Math.max(free, finished ?? to);
    const last = bars.at(-1);
    if (started !== undefined) bars.push({ rows: [row], from: place(started), to: place(finished ?? to) });
    else if (finished === undefined) continue;
    else if (last?.to === undefined && last?.from === place(finished) && last.rows[0].state === row.state)
      last.rows.push(row);
    else bars.push({ rows: [row], from: place(finished), to: undefined });
  }
  // What failed is drawn, whatever is not.
  const drawn = new Set(
    [...bars].sort((a, b) => Number(isFailure(b.rows[0])) - Number(isFailure(a.rows[0]))).slice(0, Math.max(0, room)),
  );
  return {
    pod,
    rows,
    waits: waits.slice(0, MOST_BARS_OF_LANE),
    bars: bars.filter((bar) => drawn.has(bar)),
    barsLeft: bars.length - drawn.size,
  };
}

/** The greatest number of hooks that ran at once, in each of equal steps of the run's time. */
function load(rows: readonly RunHook[], end: number, place: (at: number) => number): number[] {
  const changes = rows.flatMap((row) => {
    const started = instantOf(row.startedAt);
    if (started === undefined) return [];
    const from = place(started);
    return [
      { at: from * STEPS, by: 1 },
      { at: Math.max(place(instantOf(row.finishedAt) ?? end), from + A_BIT) * STEPS, by: -1 },
    ];
  });
  // Of the same moment, ends first: a pod's next hook starts when the one before it has ended.
  changes.sort((a, b) => a.at - b.at || a.by - b.by);
  let [count, next] = [0, 0];
  return Array.from({ length: STEPS }, (_, step) => {
    let most = count;
    for (let change = changes[next]; change !== undefined; change = changes[next]) {
      if (change.at >= step + 1 && step + 1 < STEPS) break;
      count += change.by;
      most = Math.max(most, count);
      next += 1;
    }
    return most;
  });
}

const least = (values: readonly number[]): number | undefined =>
  values.reduce<number | undefined>(
    (found, value) => (found === undefined || value < found ? value : found),
    undefined,
  );
const greatest = (values: readonly number[]): number | undefined =>
  values.reduce<number | undefined>(
    (found, value) => (found === undefined || value > found ? value : found),
    undefined,
  );
