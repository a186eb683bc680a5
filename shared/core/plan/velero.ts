import type { Restore } from '../model/restore.ts';

/** Phases in which Velero's server may be running hooks right now (contract §1). */
const BUSY = new Set([
  'New',
  'InProgress',
  'WaitingForPluginOperations',
  'WaitingForPluginOperationsPartiallyFailed',
  'Finalizing',
  'FinalizingPartiallyFailed',
]);

/** The phase of a Velero that isn't done with the Restore; undefined when it is, or has not seen it. */
export function busyPhase({ status }: Restore): string | undefined {
  return status?.phase && BUSY.has(status.phase) ? status.phase : undefined;
}

/** Whether a Velero server has worked on the Restore, and so has run its hooks, perhaps in part. */
export const hasWorkedOn = ({ status }: Restore): boolean =>
  Boolean(status?.startTimestamp) || (status?.hookStatus?.hooksAttempted ?? 0) > 0;
