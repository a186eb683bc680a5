import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Right } from '../../shared/core/manifests/rbac.ts';
import type { RehearseArguments } from '../command-line/rehearse-args.ts';
import type { Session } from '../command-line/session.ts';
import { requireRunner, requireUserRights } from '../run/preconditions.ts';
import { removalRights } from './clean-up.ts';

/** Refuse if the user lacks a right for any part of it, and name all that are missing (R7.104). */
export function requireRightsToRehearse(
  session: Session,
  { runner, fromSchedule, denyEgress }: Pick<RehearseArguments, 'runner' | 'fromSchedule' | 'denyEgress'>,
): Promise<void> {
  const { namespace } = session;
  const velero = (resource: string, ...verbs: string[]): Right[] =>
    verbs.map((verb) => ({ group: 'velero.io', resource, verb, namespace }));
  const rights: Right[] = [
    ...velero('backups', 'get', ...(fromSchedule === undefined ? [] : ['list'])),
    ...velero('downloadrequests', 'create', 'get'),
    { group: '', resource: 'namespaces', verb: 'create' },
    ...removalRights(namespace),
    ...velero('restores', 'create'),
    ...(denyEgress ? [{ group: 'networking.k8s.io', resource: 'networkpolicies', verb: 'create' }] : []),
  ];
  return requireUserRights(session, { namespace }, runner, undefined, rights);
}

/** Refuse a runner that is missing, lacks a right, or may not work in the namespaces that a rehearsal makes (R7.104). */
export async function requireRunnerOfRehearsal(
  session: Session,
  { runner, serviceAccount }: Pick<RehearseArguments, 'runner' | 'serviceAccount'>,
): Promise<void> {
  const { namespace } = session;
  const account = runner === 'job' ? await requireRunner(session, { namespace }, serviceAccount) : undefined;
  if (account?.podNamespaces === undefined) return;
  // The example's CronJob has restorehooks-rehearsal, which may make namespaces: a runner needn't.
  const own = 'restorehooks-rehearsal-runner';
  const way = `kubectl restorehooks setup --apply --service-account ${own} -n ${namespace}`;
  throw new RestoreHooksError(
    'FORBIDDEN',
    `ServiceAccount ${serviceAccount} may work only in namespaces ${account.podNamespaces.join(', ')}, and a rehearsal makes new ones`,
    { hint: `give it an account of its own: ${way}\nthen add --service-account ${own}` },
  );
}
