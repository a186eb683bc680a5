import { RestoreHooksError } from '../../core/errors.ts';
import type { Restore } from '../../core/model/restore.ts';
import type { RunPlace } from '../../core/plan/make-plan-document.ts';
import { restoreReference } from '../../core/plan/make-plan-document.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import { hasEnded } from '../../core/report/run-status.ts';
import { runStatusOf } from './run-store.ts';

/** A Restore's namespace, and that of runs as a flag names it. */
export interface AskedPlace extends RunPlace {
  /** Of Restores that have had no run, if no flag names one: that of the defaults (R8.83). */
  readonly defaultRunNamespace?: string | undefined;
}

/** Where the runs of a Restore that has had none are. */
export const askedPlace = ({ namespace, runNamespace, defaultRunNamespace }: AskedPlace): RunPlace => ({
  namespace,
  runNamespace: runNamespace ?? defaultRunNamespace,
});

/**
 * The Restore, with the place of its runs. All runs of a Restore are in one namespace, because each has to know of the
 * others: its status names it, and beats the defaults (R8.81). Throws `INVALID_ARGUMENT` if a flag names another one.
 */
export function runsOf(restore: Restore, asked: AskedPlace): RestoreReference {
  const { namespace, runNamespace } = asked;
  const status = runStatusOf(restore);
  // A run that nobody has begun has left nothing there.
  const isFree = status === undefined || (hasEnded(status) && isUnbegun(status));
  const wanted = restoreReference(restore, askedPlace(asked));
  if (isFree) return wanted;
  const known = restoreReference(restore, { namespace, runNamespace: status.runNamespace });
  if (runNamespace === undefined || known.runNamespace === wanted.runNamespace) return known;
  const { name, namespace: beside } = known;
  throw new RestoreHooksError(
    'INVALID_ARGUMENT',
    `the runs of Restore ${name} are in namespace ${known.runNamespace ?? beside}, not in ${runNamespace}`,
    { hint: 'leave out --run-namespace: all runs of a Restore are in the namespace of its first one' },
  );
}

const isUnbegun = ({ runner, reportParts, before }: NonNullable<ReturnType<typeof runStatusOf>>): boolean =>
  runner.claimedBy === undefined && reportParts === 0 && before === undefined;
