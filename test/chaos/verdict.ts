import type { Counts } from '../../shared/core/execute/state.ts';
import { countRows } from '../../shared/core/report/dead-run.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import { progressLine } from '../../shared/core/report/run-status.ts';
import type { Scenario } from './scenario.ts';

/** What the containers recorded, by pod: one line for each start and end of a hook, such as `start a-0 1`. */
export type Marks = ReadonlyMap<string, readonly string[]>;

export interface RunAsTold {
  readonly phase: string;
  readonly runID: string;
  readonly attempt: number;
  readonly counts: Counts;
  readonly hooks: readonly RunHook[];
}

export interface Seen {
  readonly run: RunAsTold;
  /** The Restore's annotations, without their prefix. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly marks: Marks;
  /** Pods that exist at the end. */
  readonly pods: readonly string[];
}

/** What was done to a run, as far as it explains a report. */
export interface Done {
  /** How many runners died, or may have died. */
  readonly deaths: number;
  readonly canceled: boolean;
  /** Pods that were deleted under their hooks. */
  readonly gone: ReadonlySet<string>;
}

export interface Verdict {
  readonly lost: string[];
  readonly twice: string[];
  readonly untrue: string[];
}

export const keyOf = ({ kind, pod, index }: RunHook): string => (kind === 'init' ? `${pod} init` : `${pod} ${index}`);

const countOf = (marks: Marks, what: 'start' | 'end', key: string): number =>
  (marks.get(key.split(' ')[0] ?? '') ?? []).filter((line) => line === `${what} ${key}`).length;

/**
 * Compare the report of a run with what its containers saw. `before`: report and lines of the run before a `retry`.
 */
export function judge(scenario: Scenario, seen: Seen, done: Done, before?: Seen): Verdict {
  const verdict: Verdict = { lost: [], twice: [], untrue: [] };
  const { run, marks } = seen;
  const rows = new Map(run.hooks.map((row) => [keyOf(row), row]));
  const earlier = new Map(before?.run.hooks.map((row) => [keyOf(row), row]));
  for (const [key, exitCode] of expectedHooks(scenario)) {
    const row = rows.get(key);
    if (row === undefined) {
      // A second `apply` may have planned anew without the pod.
      const isGone = [...done.gone].some((pod) => key.startsWith(`${pod} `));
      if (!isGone) verdict.lost.push(`${key} is not in the report`);
      continue;
    }
    const formerly = earlier.get(key);
    const starts = countOf(marks, 'start', key) - (before ? countOf(before.marks, 'start', key) : 0);
    const ends = countOf(marks, 'end', key) - (before ? countOf(before.marks, 'end', key) : 0);
    const told = `${key} is ${row.state}${row.reason === undefined ? '' : ` (${row.reason})`}`;
    const saw = `${told}, ${starts} starts and ${ends} ends`;
    if (formerly !== undefined && formerly.run === row.run) {
      if (starts !== 0) verdict.twice.push(`${saw}, of an earlier run`);
      if (formerly.state !== row.state) verdict.untrue.push(`${told}, was ${formerly.state}`);
      continue;
    }
    // If the test has deleted a pod that the run creates, the run creates it again, and each pod runs its init containers.
    const isEachPods = row.kind === 'init' && done.gone.has(row.pod);
    if (starts > (scenario.rerun ? 1 + done.deaths : 1) && !isEachPods) verdict.twice.push(saw);
    const fault = faultOf(row, { starts, ends, exitCode }, run, done);
    if (fault !== undefined) verdict[fault].push(saw);
  }
  for (const { name } of scenario.pods) {
    if (!seen.pods.includes(name) && !done.gone.has(name)) verdict.lost.push(`pod ${name} is no more`);
  }
  if (run.hooks.length !== rows.size) verdict.untrue.push(`${run.hooks.length} rows for ${rows.size} hooks`);
  verdict.untrue.push(...falseSums(seen), ...overlaps(seen, done, before), ...disorder(seen, before));
  return verdict;
}

/** Of detached commands whose container lives, somebody finds the end: none may be `Unknown` (R3.71). */
export const falseUnknowns = ({ run: { hooks } }: Seen, gone: ReadonlySet<string>): string[] =>
  hooks
    .filter(({ kind, state, pod }) => kind === 'exec' && state === 'Unknown' && !gone.has(pod))
    .map((row) => `${keyOf(row)} is Unknown (${row.reason}), and its command is detached`);

const expectedHooks = ({ pods }: Scenario): [string, number][] =>
  pods.flatMap(({ name, recreated, hooks }) => [
    ...(recreated ? [[`${name} init`, 0] as [string, number]] : []),
    ...hooks.map(({ exitCode }, index): [string, number] => [`${name} ${index}`, exitCode]),
  ]);

interface Facts {
  readonly starts: number;
  readonly ends: number;
  readonly exitCode: number;
}

function faultOf(
  row: RunHook,
  { starts, ends, exitCode }: Facts,
  run: RunAsTold,
  done: Done,
): keyof Verdict | undefined {
  const isGone = done.gone.has(row.pod);
  switch (row.state) {
    case 'Succeeded':
      return starts >= 1 && ends >= 1 && exitCode === 0 ? undefined : 'untrue';
    case 'Failed':
      if (row.reason === 'error') return starts === 0 || isGone ? undefined : 'untrue';
      return (starts >= 1 || isGone) && ((ends >= 1 && row.exitCode === exitCode && exitCode !== 0) || isGone)
        ? undefined
        : 'untrue';
    case 'TimedOut':
      return row.reason === 'waiting' && starts > 0 ? 'untrue' : undefined;
    case 'Unknown':
      return undefined;
    case 'NotExecuted':
      if (starts > 0) return 'untrue';
      return isExplained(row, run, done) ? undefined : 'lost';
    default:
      return 'lost';
  }
}

/** Whether something that happened explains why the hook was not run. */
function isExplained({ reason, pod }: RunHook, run: RunAsTold, done: Done): boolean {
  // A run that could not go on ends `Failed`, and the next one goes on with it.
  if (run.phase === 'Failed') return true;
  if (reason === 'aborted') return run.hooks.some(isFailed);
  if (reason === 'canceled') return done.canceled;
  if (reason === 'pod-deleted' || reason === 'pod-replaced' || reason === 'pod-finished') return done.gone.has(pod);
  return reason === 'not-injected' && done.gone.has(pod);
}

const isFailed = (row: RunHook): boolean =>
  row.kind === 'exec' &&
  row.onError === 'Fail' &&
  row.state !== 'Succeeded' &&
  row.reason !== 'aborted' &&
  row.reason !== 'canceled';

function falseSums({ run, annotations }: Seen): string[] {
  const wrong: string[] = [];
  const same = (what: string, told: unknown, known: unknown) => {
    if (JSON.stringify(told) !== JSON.stringify(known)) wrong.push(`${what}: ${JSON.stringify([told, known])}`);
  };
  const { counts } = run;
  const status = JSON.parse(annotations['status'] ?? '{}');
  const sorted = (object: object) => Object.fromEntries(Object.entries(object).sort());
  same('counts, and rows', sorted(counts), sorted(countRows(run.hooks)));
  same('counts of annotation, and document', sorted(status.counts ?? {}), sorted(counts));
  same('phases of annotation, and document', [annotations['phase'], status.phase], [run.phase, run.phase]);
  same('run of annotation, and document', status.runID, run.runID);
  same('progress', annotations['progress'], progressLine(counts));
  const { succeeded, failed, timedOut, notExecuted, unknown } = counts;
  same('planned, and outcomes', counts.planned, succeeded + failed + timedOut + notExecuted + unknown);
  // Rows that were kept from an earlier run don't count for the phase: they counted then.
  const own = run.hooks.filter((row) => row.run === run.attempt);
  const isBad = own.some(isFailed);
  if (isBad && (run.phase === 'Completed' || run.phase === 'CompletedWithFailures')) {
    wrong.push(`a Fail hook did not succeed, and the phase is ${run.phase}`);
  }
  if (run.phase === 'Completed' && succeeded !== counts.planned) wrong.push('Completed, and not all have succeeded');
  return wrong;
}

/** Two commands at once in one pod. A command that has outlived its exec timeout may run beside the next one. */
function overlaps({ run, marks }: Seen, { gone }: Done, before: Seen | undefined): string[] {
  const rows = [...run.hooks, ...(before?.run.hooks ?? [])];
  const outlived = new Set(rows.filter(({ state }) => state === 'TimedOut').map(keyOf));
  return [...marks].flatMap(([pod, lines]) => {
    if (gone.has(pod)) return [];
    const running = new Set<string>();
    return lines.flatMap((line) => {
      const [what, ...rest] = line.split(' ');
      const key = rest.join(' ');
      if (what === 'end') running.delete(key);
      else {
        const beside = [...running].filter((other) => !outlived.has(other));
        running.add(key);
        if (beside.length > 0) return [`${key} was started beside ${beside.join(' and ')}`];
      }
      return [];
    });
  });
}

/** The hooks of a container that were started in another order than planned. */
function disorder({ marks }: Seen, before: Seen | undefined): string[] {
  return [...marks].flatMap(([pod, lines]) => {
    const fresh = lines.slice(before?.marks.get(pod)?.length ?? 0);
    const order = fresh.filter((line) => /^start \S+ \d+$/.test(line)).map((line) => Number(line.split(' ')[2]));
    return order.some((index, at) => index < (order[at - 1] ?? 0)) ? [`${pod}: started in the order ${order}`] : [];
  });
}
