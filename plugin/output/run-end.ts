import { isFinalPhase } from '../../shared/core/execute/run-phase.ts';
import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import { progressLine } from '../../shared/core/report/run-status.ts';
import type { FailureGroup } from './failures.ts';
import { failureKey, groupDetails, groupLine, inOrder, isFailure } from './failures.ts';
import { lastLines } from './last-lines.ts';
import type { Color, HumanPart } from './view.ts';
import { truncate } from './width.ts';

const MOST_GROUPS = 10;
const MOST_PODS = 8;
const MOST_OUTPUT = 5;
/** So long may a line of output be: it is cut, so that it doesn't hide the lines around it. */
const LONGEST_LINE = 240;

/**
 * What a reader looks for at the end of the output: what failed, grouped by hook and reason, with the pods and the last
 * lines of output; then the verdict; last the next command to type (R7.38), unless the Restore `isGone`.
 */
export function runEnd(run: RunDocument, isGone = false): HumanPart[] {
  if (run.phase === undefined || run.counts === undefined) return [];
  const groups = inOrder(failureGroups(run.hooks), ({ rows: [row] }) => row as RunHook);
  const left = groups.length - MOST_GROUPS;
  const message = run.message === undefined ? '' : `: ${run.message}`;
  return [
    '',
    ...groups.slice(0, MOST_GROUPS).flatMap(groupParts),
    ...(left > 0 ? [`… ${left} more kinds of failures`] : []),
    ...(groups.length > 0 ? [''] : []),
    { line: `${run.phase}: ${progressLine(run.counts)}${message}`, color: COLORS[run.phase] },
    ...(isGone ? [] : nextCommands(run)).map(([why, command]) => `${why}: ${command}`),
  ];
}

const COLORS: Readonly<Record<NonNullable<RunDocument['phase']>, Color | undefined>> = {
  Pending: undefined,
  InProgress: undefined,
  Failed: 'red',
  PartiallyFailed: 'red',
  Canceled: 'yellow',
  CompletedWithFailures: 'yellow',
  Completed: 'green',
};

type Group = FailureGroup & { readonly rows: readonly RunHook[] };

function failureGroups(rows: readonly RunHook[]): Group[] {
  const groups = Map.groupBy(rows.filter(isFailure), failureKey);
  return [...groups.values()].map((all) => ({ rows: all, size: all.length }));
}

function groupParts(group: Group): HumanPart[] {
  const color = group.rows[0]?.state === 'NotExecuted' ? 'yellow' : 'red';
  return [
    { line: groupLine(group, MOST_PODS), color },
    ...groupDetails(group, MOST_OUTPUT).map((line) => `    ${truncate(line, LONGEST_LINE)}`),
  ];
}

/** A first run whose runner never came: there is nothing that `retry` could go by. */
const hasNotBegun = ({ attempt, startedAt, counts }: RunDocument): boolean =>
  attempt === 1 && startedAt === undefined && counts?.notExecuted === counts?.planned;

const hasDied = (message: string | undefined): boolean => message?.startsWith('the runner died') ?? false;

/** Why, and what to type; nothing after a run in which everything succeeded. */
function nextCommands(run: RunDocument): [string, string][] {
  const { phase = 'Failed', restore, hooks, runner, message, attempt, counts } = run;
  const on = `${restore.name} -n ${restore.namespace}`;
  const command = (verb: string): string => `kubectl restorehooks ${verb}`;
  if (!isFinalPhase(phase)) {
    if (runner?.kind === 'local' && message?.startsWith('suspended'))
      return [['go on with it', command(`apply ${on}`)]];
    return [['follow it', command(`status ${on} -w`)]];
  }
  if (counts !== undefined && counts.succeeded === counts.planned) return [];
  if (hasNotBegun(run)) return [['put it right, then run it', command(`apply ${on}`)]];
  const mayHaveRun = hooks.filter(({ state }) => state === 'Unknown');
  // `retry` runs the others (R6.25), and attaches to detached commands (R3.81).
  const unclear = mayHaveRun.filter(
    (row) =>
      row.kind === 'exec' && !row.detach && row.reason === 'runner-died' && row.run === attempt && hasDied(message),
  );
  const what =
    mayHaveRun.length > unclear.length ? 'run what did not succeed, or may not have' : 'run what did not succeed';
  const again = command(`retry ${on}`);
  const isOfPodGone = ({ reason }: RunHook): boolean => reason === 'pod-deleted' || reason === 'pod-replaced';
  const left = hooks.filter(isFailure);
  const anew: [string, string][] = left.some(isOfPodGone)
    ? [['plan anew for the pods that are there now', command(`apply ${on}`)]]
    : [];
  if (left.length > 0 && left.every(isOfPodGone)) return anew;
  const hasOutput = hooks.some((row) => isFailure(row) && lastLines(row, 1).length > 0);
  return [
    ...(hasOutput ? [['all that they printed', `${command(`logs ${on}`)} --failed`] as [string, string]] : []),
    [what, again],
    ...(unclear.length > 0
      ? [['also what may have been running', `${again} --on-unknown=rerun`] as [string, string]]
      : []),
    ...anew,
  ];
}
