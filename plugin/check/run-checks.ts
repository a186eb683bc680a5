import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Defaults, JobFlags, JobSettings } from '../../shared/core/manifests/defaults.ts';
import { DEFAULTS_SOURCE, jobSettings } from '../../shared/core/manifests/defaults.ts';
import type { JobPatch } from '../../shared/core/manifests/job-patch.ts';
import { objectsNamespace } from '../../shared/core/manifests/run-objects.ts';
import type { HookEntrySpec, Restore } from '../../shared/core/model/restore.ts';
import { busyPhase } from '../../shared/core/plan/velero.ts';
import type { CheckDocument, CheckState } from '../../shared/core/report/check-document.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import type { KubeObject } from '../../shared/kubernetes/api/kube-object.ts';
import { readDefaults } from '../../shared/kubernetes/run/defaults.ts';
import { askedPlace, runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { Session } from '../command-line/session.ts';
import { count } from '../output/plan-view.ts';
import type { Color, View } from '../output/view.ts';
import type { Context } from '../process/context.ts';
import type { Check } from './checks.ts';
import { check, ok, unchecked } from './checks.ts';
import type { RestoreArguments } from './of-restore.ts';
import { restoreChecks } from './of-restore.ts';
import { runnerRights, userRights } from './rights.ts';
import { sidecars } from './sidecars.ts';
import type { JobArguments } from './start.ts';
import { dryRun, wouldBeCreated } from './start.ts';
import { backupStorage, veleroRestores, veleroServer } from './velero.ts';
import { imagePull, kubernetes, runnerImage } from './versions.ts';

export type CheckArguments = Omit<RestoreArguments & JobArguments, keyof JobSettings> & JobFlags;

/** What was read from files. */
export interface CheckedFiles {
  readonly hookFiles: readonly HookEntrySpec[] | undefined;
  readonly patches: readonly JobPatch[];
}

export interface Checked {
  readonly checks: readonly Check[];
  /** The Restore that was given doesn't exist, or can't be read. */
  readonly error?: RestoreHooksError | undefined;
}

/** Look at all that a run needs, and change nothing (R7.35). `warned`: what the API server warns of, as it comes. */
export async function runChecks(
  asked: Session,
  name: string | undefined,
  given: CheckArguments,
  { hookFiles, patches }: CheckedFiles,
  context: Context,
  warned: readonly string[],
): Promise<Checked> {
  const { client, namespace } = asked;
  // Not under `check`: who reaches no API server, or is not known to it, gets that error.
  const version = await kubernetes(client).catch((error: unknown) => {
    if (kubeApiError(error)?.status !== 403) throw error;
    return unchecked('you may not ask for the version of the API server');
  });
  let defaults: Defaults | undefined;
  const ofDefaults = await check('defaults', async () => {
    defaults = await readDefaults(client, namespace);
    return ok(defaultsText(defaults));
  });
  const { defaultRunNamespace, ...settings } = jobSettings(given, patches, defaults);
  const args = { ...given, ...settings };
  const session = { ...asked, defaultRunNamespace };
  const found = name === undefined ? undefined : await restoreOf(session, name);
  const restore = found instanceof RestoreHooksError ? undefined : found;
  const reference = restore ? runsOf(restore, session) : { ...askedPlace(session), name: name ?? 'check' };
  const objects = wouldBeCreated(reference, args);
  /** Where the runner would be. */
  const place = { ...session, namespace: objectsNamespace(reference) };
  const checks = await Promise.all([
    check('kubernetes', async () => version),
    ofDefaults,
    check('runner-image', () => runnerImage(place, args.image)),
    check('image-pull', () => imagePull(place, args.image, args.imagePullSecret)),
    check('velero', () => veleroServer(session)),
    check('velero-restores', () => veleroRestores(session, restore !== undefined && isDoneWith(restore))),
    check('backup-storage', () => backupStorage(session)),
    check('runner-rights', () => runnerRights(session, reference, args)),
    check('your-rights', () => userRights(session, reference)),
  ]);
  let pod: KubeObject | undefined;
  // One after another, so that a warning belongs to the object that is asked about.
  for (const what of ['secret', 'job', 'pod'] as const) {
    const took = (answer: KubeObject): void => {
      if (what === 'pod') pod = answer;
    };
    checks.push(await check(`dry-run-${what}`, () => dryRun(place, what, objects[what], warned, took)));
  }
  checks.push(await check('sidecars', () => sidecars(place, objects.pod, pod)));
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

/** R8.24 */
function defaultsText(defaults: Defaults | undefined): string {
  if (defaults === undefined) return `there is no ${DEFAULTS_SOURCE}: a run has what the flags say`;
  const { image, imagePullSecrets = [], serviceAccount, runNamespace, jobPatch } = defaults;
  const said = [
    ...(image === undefined ? [] : [`image ${image}`]),
    ...(imagePullSecrets.length > 0 ? [`image pull Secrets ${imagePullSecrets.join(', ')}`] : []),
    ...(serviceAccount === undefined ? [] : [`ServiceAccount ${serviceAccount}`]),
    ...(runNamespace === undefined ? [] : [`runs in namespace ${runNamespace}`]),
    ...(jobPatch === undefined ? [] : ['a patch of the Job']),
  ];
  return `${DEFAULTS_SOURCE}: ${said.join(', ') || 'nothing'}`;
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
