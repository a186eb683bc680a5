import * as z from 'zod';
import { ExitCode } from '../errors.ts';
import { isFinalPhase } from '../execute/run-phase.ts';
import type { NotedOutcomes, Counts as RunCounts } from '../execute/state.ts';
import { formatDuration } from '../model/duration.ts';
import { parseInstant } from '../model/instant.ts';
import type { Parsed } from '../model/problem.ts';
import { problemsOf } from '../model/problem.ts';
import { cutText } from '../sanitize.ts';
import { Counts, OpenWave, Phase, ResultFields } from './run-document.ts';

/** Where a run stands: the Restore's annotation `restorehooks.io/status`, JSON of at most 4 KiB (R5.8). */
export const RunStatus = z.strictObject({
  version: z.literal(1),
  /** UID of the Restore that was run: annotations are copied with a Restore, and the copy has had no run. */
  restoreUID: z.string().optional(),
  runID: z.string(),
  /** Which run of this Restore it is, from 1. */
  attempt: z.int(),
  /** Where the objects of the Restore's runs are; absent: beside it. */
  runNamespace: z.string().optional(),
  planDigest: z.string(),
  phase: Phase,
  runner: z.strictObject({
    kind: z.enum(['job', 'local']),
    name: z.string(),
    /** UID of the pod that has claimed the run. */
    claimedBy: z.string().optional(),
  }),
  /** When the run was written down; its runner starts it. */
  createdAt: z.string(),
  startedAt: z.string().optional(),
  finishedAt: z.string().optional(),
  /** When its runner left it to the next one. */
  suspendedAt: z.string().optional(),
  /** Until when the run may go on, over all its runners (`--deadline`). */
  deadline: z.string().optional(),
  failOn: z.enum(['fail', 'any']),
  counts: Counts,
  /** While it goes on, where it has several waves. */
  openWave: OpenWave.optional(),
  /** Why the phase is `Failed`. */
  failure: z
    .strictObject({ code: z.enum(['forbidden', 'job', 'restore-deleted', 'deadline', 'error']), message: z.string() })
    .optional(),
  /** The first hooks that did not succeed by themselves. */
  failures: z.array(
    z.strictObject({
      id: z.string(),
      state: ResultFields.shape.state,
      reason: ResultFields.shape.reason,
      exitCode: z.int().optional(),
    }),
  ),
  /** How many report Secrets stand: `<runner's run name>-report-<0…>`. */
  reportParts: z.int(),
  /** How many of them are each shard's, where the run has several. */
  shards: z.array(z.int()).optional(),
  /** How many bytes of output the report may hold by now, of at most 16 MiB a run; absent: none. */
  outputBytes: z.int().optional(),
  /** The last run before it that left a report: until this one has its own, that is what is known of the hooks. */
  before: z
    .strictObject({
      runID: z.string(),
      reportParts: z.int(),
      shards: z.array(z.int()).optional(),
      attempt: z.int().optional(),
      planDigest: z.string().optional(),
      planned: z.int().optional(),
    })
    .optional(),
  /** What has to be known of the result, for people: successes that are not proven, a report that is not complete. */
  notices: z.array(z.string()).optional(),
});
export type RunStatus = z.infer<typeof RunStatus>;

export function parseRunStatus(text: string): Parsed<RunStatus> {
  let object: unknown;
  try {
    object = JSON.parse(text);
  } catch {
    return { ok: false, problems: [{ code: 'decode-error', path: '', message: 'expected JSON' }] };
  }
  const parsed = RunStatus.safeParse(object);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, problems: problemsOf(parsed.error) };
}

const STATUS_LIMIT = 4096; // R5.8
const LONGEST_TEXT = 500;

/** The annotation's text; where it would be over 4 KiB, texts are cut, then failures and notices give way, the last first. */
export function statusText(status: RunStatus): string {
  const { failure, failures, notices } = status;
  const cut = (text: string): string => (text.length > LONGEST_TEXT ? `${cutText(text, LONGEST_TEXT)}…` : text);
  const short: RunStatus = {
    ...status,
    ...(failure && { failure: { ...failure, message: cut(failure.message) } }),
    ...(notices && { notices: notices.map(cut) }),
  };
  const tries: RunStatus[] = [status];
  for (let kept = Math.min(5, failures.length); kept >= 0; kept -= 1) {
    tries.push({ ...short, failures: failures.slice(0, kept) });
  }
  for (let kept = (notices?.length ?? 0) - 1; kept > 0; kept -= 1) {
    tries.push({ ...short, failures: [], notices: (short.notices ?? []).slice(0, kept) });
  }
  const { notices: _, ...least } = { ...short, failures: [] };
  const fits = (each: RunStatus): boolean =>
    each.failures.length <= 5 && byteLength(JSON.stringify(each)) <= STATUS_LIMIT;
  return JSON.stringify(tries.find(fits) ?? least);
}

/** UTF-8 bytes of a string; a surrogate pair counts 4. */
function byteLength(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/** One line for people: `7/10 done, 1 failed, 2 waiting`. */
/** The first few hooks that did not succeed by themselves, as the status tells them (R5.8). */
export const failuresOf = ({ firstFailures }: Pick<NotedOutcomes, 'firstFailures'>): RunStatus['failures'] =>
  firstFailures.map(({ id, outcome: { state, reason, exitCode } }) => ({
    id,
    state,
    reason,
    ...(exitCode === undefined ? {} : { exitCode }),
  }));

export function progressLine(counts: RunCounts): string {
  const { planned, waiting, running, failed, timedOut, notExecuted, unknown } = counts;
  const parts = [
    [failed, 'failed'],
    [timedOut, 'timed out'],
    [notExecuted, 'not executed'],
    [unknown, 'unknown'],
    [running, 'running'],
    [waiting, 'waiting'],
  ] as const;
  const said = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return [`${planned - waiting - running}/${planned} done`, ...said].join(', ');
}

/** The exit code of a run that has ended (R5.4). */
export function exitCodeOf({ phase, failOn, failure }: Pick<RunStatus, 'phase' | 'failOn' | 'failure'>): ExitCode {
  switch (phase) {
    case 'Failed':
      return failure?.code === 'forbidden' ? ExitCode.Forbidden : ExitCode.RunFailed;
    case 'PartiallyFailed':
      return ExitCode.HookFailed;
    case 'Canceled':
      return ExitCode.Canceled;
    case 'CompletedWithFailures':
      return failOn === 'any' ? ExitCode.HookFailed : ExitCode.Ok;
    case 'Completed':
      return ExitCode.Ok;
    default:
      // Never exit 0 for a run that has not ended (R5.4).
      return ExitCode.RunFailed;
  }
}

/** What is said of a run whose deadline has passed. */
export function deadlineText({ createdAt, deadline = '' }: Pick<RunStatus, 'createdAt' | 'deadline'>): string {
  const [begunAt, at] = [parseInstant(createdAt), parseInstant(deadline)];
  const limit =
    begunAt === undefined || at === undefined ? '' : ` (${formatDuration(at - begunAt)} after it was begun)`;
  return `its deadline ${deadline}${limit} has passed`;
}

/** It was ended by its deadline, with hooks that had not ended. */
export const isOverdue = ({ failure }: Pick<RunStatus, 'failure'>): boolean => failure?.code === 'deadline';

export const hasEnded = ({ phase }: Pick<RunStatus, 'phase'>): boolean => isFinalPhase(phase);
