import type { PlanDocument } from '../../shared/core/plan/plan-document.ts';
import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import { progressLine } from '../../shared/core/report/run-status.ts';

/** What a report is made of: a run, and its plan if that is known. */
export interface ReportInput {
  readonly run: RunDocument;
  readonly plan?: PlanDocument | undefined;
  /** Why the plan could not be read; absent if nobody looked for it. */
  readonly noPlan?: string | undefined;
}

export type Tone = 'good' | 'warning' | 'bad' | 'open';

/** How the run ended, or that it has not. */
export interface Verdict {
  /** The phase, or `No run yet`. */
  readonly title: string;
  readonly tone: Tone;
  readonly sentence: string;
}

export function verdictOf(run: RunDocument): Verdict {
  const { phase, counts, message } = run;
  const progress = counts === undefined ? '' : ` ${progressLine(counts)}.`;
  const said = (tone: Tone, sentence: string): Verdict => ({ title: phase ?? 'No run yet', tone, sentence });
  switch (phase) {
    case undefined:
      return said('open', 'This Restore has had no run yet.');
    case 'Completed':
      return said('good', `Every hook succeeded:${progress || ' there was none.'}`);
    case 'CompletedWithFailures':
      return said('warning', `Some hooks did not succeed, all of them with onError: Continue:${progress}`);
    case 'PartiallyFailed':
      return said('bad', `A hook with onError: Fail did not succeed:${progress}`);
    case 'Canceled':
      return said('bad', `The run was asked to stop before its end:${progress}`);
    case 'Failed':
      return said('bad', `The run could not start, or could not go on${message ? `: ${message}` : ''}.${progress}`);
    default:
      return said('open', `The run has not ended${message ? `: ${message}` : ''}.${progress}`);
  }
}

export const isOpen = ({ state }: Pick<RunHook, 'state'>): boolean => state === 'Waiting' || state === 'Running';

export const isFailure = (hook: Pick<RunHook, 'state'>): boolean => hook.state !== 'Succeeded' && !isOpen(hook);

/** Not executed because the run stopped before: the reason is told by another hook, or by the run. */
export const isConsequence = ({ state, reason }: Pick<RunHook, 'state' | 'reason'>): boolean =>
  state === 'NotExecuted' && (reason === 'aborted' || reason === 'canceled' || reason === 'runner-died');

/** `Failed (exit 3)`, `TimedOut (waiting)`, `Succeeded`. */
export function outcomeOf({ state, reason, exitCode }: Pick<RunHook, 'state' | 'reason' | 'exitCode'>): string {
  if (reason === undefined) return state;
  return `${state} (${reason}${exitCode === undefined ? '' : ` ${exitCode}`})`;
}

export const podOf = ({ namespace, pod }: Pick<RunHook, 'namespace' | 'pod'>): string => `${namespace}/${pod}`;

/** `warm-up (0)` */
export const hookName = ({ name, index }: Pick<RunHook, 'name' | 'index'>): string => `${name} (${index})`;

/** The result stands from an earlier run of the Restore, and this run left it as it was. */
export const isKept = (run: RunDocument, row: Pick<RunHook, 'run'>): boolean =>
  run.attempt !== undefined && row.run < run.attempt;

/** Hooks that ended in the same way: the same hook of many pods often fails everywhere. */
export interface FailureGroup {
  readonly outcome: string;
  readonly hook: string;
  readonly container: string;
  readonly isConsequence: boolean;
  readonly rows: readonly RunHook[];
}

/** What did not succeed; first what failed by itself, then what was not executed because of it. */
export function failureGroups({ hooks }: Pick<RunDocument, 'hooks'>): FailureGroup[] {
  const rowsOf = Map.groupBy(hooks.filter(isFailure), (row) =>
    JSON.stringify([row.name, row.index, row.container, outcomeOf(row)]),
  );
  const groups = [...rowsOf.values()].flatMap((rows): FailureGroup[] => {
    const [first] = rows;
    if (first === undefined) return [];
    const { container } = first;
    return [{ outcome: outcomeOf(first), hook: hookName(first), container, isConsequence: isConsequence(first), rows }];
  });
  return groups.toSorted((a, b) => Number(a.isConsequence) - Number(b.isConsequence));
}

/** What has to be known to read the report rightly. */
export function noticesOf({ run, plan }: ReportInput): string[] {
  const notices = [...(run.notices ?? [])];
  const missing = missingRows(run);
  if (missing > 0) {
    notices.push(`${missing} of ${run.counts?.planned} hooks are missing here: the run's report could not be read`);
  }
  if (plan !== undefined && plan.digest !== run.planDigest) {
    notices.push(`the plan that was given is not that of this run: its digest is ${plan.digest}`);
  }
  return notices;
}

export const missingRows = ({ counts, hooks }: RunDocument): number =>
  Math.max(0, (counts?.planned ?? 0) - hooks.length);

/** The command to type next, if there is one. */
export function nextCommand(run: RunDocument): { readonly why: string; readonly command: string } | undefined {
  const { namespace, name } = run.restore;
  // Whoever saved the document could have put anything there, and it is going to be pasted into a shell.
  if (![namespace, name].every((each) => /^[a-z0-9][a-z0-9.-]{0,252}$/.test(each))) return undefined;
  const command = (verb: string, more = '') => `kubectl restorehooks ${verb} ${name} -n ${namespace}${more}`;
  if (run.phase === undefined) return { why: 'Run its hooks', command: command('apply') };
  if (verdictOf(run).tone === 'open') return { why: 'Follow the run to its end', command: command('status', ' -w') };
  if (run.phase === 'Completed') return undefined;
  return { why: 'Run what did not succeed once more', command: command('retry') };
}

/** Milliseconds since the epoch; undefined where it is no time. */
export function instantOf(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** How long it ran, in milliseconds. */
export function tookMs({ startedAt, finishedAt }: Pick<RunHook, 'startedAt' | 'finishedAt'>): number | undefined {
  const [from, to] = [instantOf(startedAt), instantOf(finishedAt)];
  return from === undefined || to === undefined ? undefined : Math.max(0, to - from);
}

/** A length of time for people: `0.4s`, `12.3s`, `4m09s`, `2h05m`. */
export function briefly(ms: number): string {
  const tenths = Math.round(ms / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h${two(Math.floor(seconds / 60) % 60)}m`;
}
