import { parseDurationMs } from '../model/duration.ts';
import type { Restore } from '../model/restore.ts';
import type { Notice } from './notice.ts';

/** Phases in which Velero's server may be running hooks right now (R1.26). */
const BUSY = new Set([
  'New',
  'InProgress',
  'WaitingForPluginOperations',
  'WaitingForPluginOperationsPartiallyFailed',
  'Finalizing',
  'FinalizingPartiallyFailed',
]);

/** The phase of a Velero that isn't done with the Restore; undefined when it is, or has not seen it. */
export function busyPhase({
  status,
}: {
  readonly status?: { readonly phase?: string | null | undefined } | null | undefined;
}): string | undefined {
  return status?.phase && BUSY.has(status.phase) ? status.phase : undefined;
}

/** Whether a Velero server has worked on the Restore, and so has run its hooks, perhaps in part (R1.21). */
export const hasWorkedOn = ({ status }: Restore): boolean =>
  Boolean(status?.startTimestamp) || (status?.hookStatus?.hooksAttempted ?? 0) > 0;

/**
 * Whether Velero has ended the Restore without a word about its hooks. A Velero that has waited for them to the end
 * writes `hookStatus`, even an empty one. One that gave up waiting (`--resource-timeout`), or died, does not: its hooks
 * may be running, or be started, right now. Only a Velero that knows no `hookStatus` means nothing by it.
 */
export const hasNoHookStatus = ({ status }: Restore): boolean =>
  Boolean(status?.completionTimestamp) && (status?.hookStatus === null || status?.hookStatus === undefined);

export const hasExecHooks = ({ spec }: Restore): boolean =>
  spec.hooks.resources.some(({ postHooks }) => postHooks.some(({ exec }) => exec));

/** What Velero says of a Restore that it has refused or not restored whole (R1.27). */
export function phaseNotices({ metadata: { name }, status }: Restore): Notice[] {
  const reasons = [...(status?.validationErrors ?? []), ...(status?.failureReason ? [status.failureReason] : [])];
  const why = reasons.length === 0 ? '' : `: ${reasons.join('; ')}`;
  switch (status?.phase) {
    case undefined:
    case null:
    case '': {
      const message = 'the Restore has no phase: Velero has not seen it, or another tool made it';
      return [{ code: 'restore-without-phase', message }];
    }
    case 'FailedValidation': {
      const message = `Velero has refused Restore ${name} (FailedValidation) and has restored nothing${why}`;
      return [{ code: 'restore-refused', message }];
    }
    case 'Failed': {
      const message = `Velero has failed to carry out Restore ${name} (Failed): it has restored a part of it at most${why}`;
      return [{ code: 'restore-failed', message }];
    }
    default:
      return [];
  }
}

/** Fields of a Restore that the API server takes in any form, and Go reads as a duration. */
const DURATIONS: readonly (readonly string[])[] = [
  ['spec', 'itemOperationTimeout'],
  ['spec', 'hooks', 'resources', '*', 'postHooks', '*', 'exec', 'execTimeout'],
  ['spec', 'hooks', 'resources', '*', 'postHooks', '*', 'exec', 'waitTimeout'],
  ['spec', 'hooks', 'resources', '*', 'postHooks', '*', 'init', 'timeout'],
];

/**
 * The fields for which Velero's server can't read the Restore (R1.28). It reads all of them at once: one that it can't read
 * stops every other one, too, until it is deleted.
 */
export const unreadableByVelero = (restore: unknown): string[] =>
  DURATIONS.flatMap((path) => valuesAt(restore, path, ''))
    .filter(([, value]) => typeof value !== 'string' || parseDurationMs(value) === undefined)
    .map(([at]) => at);

function valuesAt(value: unknown, [key, ...rest]: readonly string[], at: string): [string, unknown][] {
  if (value === undefined || value === null) return [];
  if (key === undefined) return [[at, value]];
  if (key !== '*') return valuesAt((value as Record<string, unknown>)[key], rest, at === '' ? key : `${at}.${key}`);
  return Array.isArray(value) ? value.flatMap((each, index) => valuesAt(each, rest, `${at}[${index}]`)) : [];
}
