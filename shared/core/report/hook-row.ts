import { RUNNER_DIED } from '../execute/lost-commands.ts';
import type { Hook, HookResult } from '../model/hook.ts';
import { hookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { formatInstant, parseInstant } from '../model/instant.ts';
import { hookDocument, plannedHook } from '../plan/make-plan-document.ts';
import type { RunHook } from './run-document.ts';

/** What is known of one hook in one run: the hook as it was planned, and what has become of it. */
export type HookRow = {
  /** With the UID of its pod, as far as that is known. */
  readonly hook: Hook;
  /** The run of this Restore that the state belongs to, from 1 (R3.49). */
  readonly run: number;
  /** Which start of the hook it is, from 1, counted over all runs; of one that was not started: which it would be (R3.48). */
  readonly attempt: number;
} & RowState;

export type RowState =
  | (Untold & { readonly state: 'Waiting'; readonly message?: string; readonly startedAt?: never })
  /** Without a start: it was asked for, and no answer has come yet. */
  | (Untold & { readonly state: 'Running'; readonly message?: string; readonly startedAt?: Instant })
  | EndedState;
/** A hook that has not ended has none of these. */
interface Untold {
  readonly reason?: never;
  readonly exitCode?: never;
  readonly unproven?: never;
  readonly finishedAt?: never;
}
export type EndedState = HookResult & {
  readonly startedAt?: Instant;
  /** Absent: it was never started, and no runner was there to say so. */
  readonly finishedAt?: Instant;
};

export type EndedRow = Extract<HookRow, HookResult>;
export const isEnded = (row: HookRow): row is EndedRow => row.state !== 'Waiting' && row.state !== 'Running';

/**
 * As reports and documents hold it. What the hook printed is added by whoever holds it. `planned`: the hook as the plan
 * has it; a pod's UID that the plan doesn't know comes behind its fields, as reports have always been written.
 */
export function rowDocument({ hook, run, attempt, ...row }: HookRow, planned: Hook = hook): RunHook {
  const { state, reason, exitCode, unproven, message, startedAt, finishedAt } = row;
  return {
    ...hookDocument(planned),
    ...(hook.podUID !== undefined && { podUID: hook.podUID }),
    state,
    ...(reason !== undefined && { reason }),
    ...(exitCode !== undefined && { exitCode }),
    ...(unproven && { unproven }),
    ...(message !== undefined && { message }),
    ...(startedAt !== undefined && { startedAt: formatInstant(startedAt) }),
    ...(finishedAt !== undefined && { finishedAt: formatInstant(finishedAt) }),
    run,
    attempt,
  };
}

export const rowDocuments = (rows: readonly HookRow[] = []): RunHook[] => rows.map((row) => rowDocument(row));

/** What a row says of what the hook printed. */
export const outputOf = ({ stdout, stderr, stdoutBytes, stderrBytes, outputDropped }: RunHook) => ({
  ...(stdout !== undefined && { stdout }),
  ...(stderr !== undefined && { stderr }),
  ...(stdoutBytes !== undefined && { stdoutBytes }),
  ...(stderrBytes !== undefined && { stderrBytes }),
  ...(outputDropped && { outputDropped }),
});

/** Read a row as a report holds it, without what the hook printed: that stays with its own run's report. */
export function parseRow(document: RunHook): HookRow {
  const { state, reason, exitCode, unproven, message, startedAt, finishedAt, run, attempt, ...rest } = document;
  const { stdout, stderr, stdoutBytes, stderrBytes, outputDropped, ...hook } = rest;
  const common = { hook: plannedHook(hook), run, attempt };
  const text = message === undefined ? {} : { message };
  const started = timeOf('startedAt', startedAt);
  if (state === 'Waiting') return { ...common, state, ...text };
  if (state === 'Running') return { ...common, state, ...text, ...started };
  // What no hook can end with was written by nobody: it says that nobody knows.
  const result = hookResult({ state, reason, exitCode, unproven, message }) ?? RUNNER_DIED;
  return { ...common, ...result, ...started, ...timeOf('finishedAt', finishedAt) };
}

function timeOf<Name extends string>(name: Name, text: string | undefined): { readonly [_ in Name]?: Instant } {
  const at = text === undefined ? undefined : parseInstant(text);
  return at === undefined ? {} : ({ [name]: at } as { readonly [_ in Name]?: Instant });
}
