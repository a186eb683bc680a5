import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { HookEntrySpec, Restore } from '../../shared/core/model/restore.ts';
import { restoreReference } from '../../shared/core/plan/make-plan-document.ts';
import { busyPhase } from '../../shared/core/plan/velero.ts';
import type { CheckDocument, CheckState } from '../../shared/core/report/check-document.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { Session } from '../command-line/session.ts';
import { count } from '../output/plan-view.ts';
import type { Color, View } from '../output/view.ts';
import type { Context } from '../process/context.ts';
import type { Check } from './checks.ts';
import { check, unchecked } from './checks.ts';
import type { RestoreArguments } from './of-restore.ts';
import { restoreChecks } from './of-restore.ts';
import { runnerRights, userRights } from './rights.ts';
import type { JobArguments } from './start.ts';
import { dryRun, wouldBeCreated } from './start.ts';
import { backupStorage, veleroRestores, veleroServer } from './velero.ts';
import { imagePull, kubernetes, runnerImage } from './versions.ts';

export type CheckArguments = RestoreArguments & JobArguments;

export interface Checked {
  readonly checks: readonly Check[];
  /** The Restore that was given doesn't exist, or can't be read. */
  readonly error?: RestoreHooksError | undefined;
}

/** Look at all that a run needs, and change nothing (R7.35). `warned`: what the API server warns of, as it comes. */
export async function runChecks(
  session: Session,
  name: string | undefined,
  args: CheckArguments,
  hookFiles: readonly HookEntrySpec[] | undefined,
  context: Context,
  warned: readonly string[],
): Promise<Checked> {
  const { client, namespace } = session;
  // Not under `check`: who reaches no API server, or is not known to it, gets that error.
  const version = await kubernetes(client).catch((error: unknown) => {
    if (kubeApiError(error)?.status !== 403) throw error;
    return unchecked('you may not ask for the version of the API server');
  });
  const found = name === undefined ? undefined : await restoreOf(session, name);
  const restore = found instanceof RestoreHooksError ? undefined : found;
  const objects = wouldBeCreated(
    restore ? restoreReference(restore, namespace) : { namespace, name: name ?? 'check' },
    args,
  );
  const checks = await Promise.all([
    check('kubernetes', async () => version),
    check('runner-image', () => runnerImage(session, args.image)),
    check('image-pull', () => imagePull(session, args.image, args.imagePullSecret)),
    check('velero', () => veleroServer(session)),
    check('velero-restores', () => veleroRestores(session, restore !== undefined && isDoneWith(restore))),
    check('backup-storage', () => backupStorage(session)),
    check('runner-rights', () => runnerRights(session, args)),
    check('your-rights', () => userRights(session)),
  ]);
  // One after another, so that a warning belongs to the object that is asked about.
  for (const what of ['secret', 'job', 'pod'] as const) {
    checks.push(await check(`dry-run-${what}`, () => dryRun(session, what, objects[what], warned)));
  }
  if (restore !== undefined) checks.push(...(await restoreChecks(session, restore, args, hookFiles, context)));
  return { checks, error: found instanceof RestoreHooksError ? found : undefined };
}

const isDoneWith = (restore: Restore): boolean => Boolean(restore.status?.phase) && busyPhase(restore) === undefined;

function restoreOf({ client, namespace }: Session, name: string): Promise<Restore | RestoreHooksError> {
  return getRestore(client, namespace, name).catch((error: unknown) => {
    if (error instanceof RestoreHooksError) return error;
    throw error;
  });
}

export function checkView(namespace: string, name: string | undefined, checks: readonly Check[]): View {
  const number = (wanted: CheckState): number => checks.filter(({ state }) => state === wanted).length;
  const counts = {
    ok: number('ok'),
    warning: number('warning'),
    problem: number('problem'),
    unchecked: number('unchecked'),
  };
  const document: CheckDocument = {
    apiVersion: 'restorehooks.io/v1',
    kind: 'RestoreHookCheck',
    restore: { namespace, ...(name !== undefined && { name }) },
    canStart: counts.problem === 0,
    counts,
    checks: checks.map((each) => ({ ...each })),
  };
  const rows = checks.map(({ id, state, message, whatToDo }) => [
    state,
    id,
    whatToDo === undefined ? message : `${message}; ${whatToDo}`,
  ]);
  const columns = [
    { title: 'STATE', color: (state: string) => COLORS[state as CheckState] },
    { title: 'CHECK' },
    { title: 'FOUND' },
  ];
  const others = [count(counts.warning, 'warning'), `${counts.unchecked} unchecked`].join(', ');
  const verdict =
    counts.problem === 0
      ? `nothing keeps a run from starting (${others})`
      : `a run could not start: ${count(counts.problem, 'problem')} (${others})`;
  return { kind: 'document', document, human: [{ columns, rows }, verdict] };
}

const COLORS: Readonly<Record<CheckState, Color | undefined>> = {
  ok: 'green',
  warning: 'yellow',
  problem: 'red',
  unchecked: 'dim',
};
