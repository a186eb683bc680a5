import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Right } from '../../shared/core/manifests/rbac.ts';
import { missingRights } from '../../shared/kubernetes/api/access.ts';
import type { RehearseArguments } from '../command-line/rehearse-args.ts';
import type { Session } from '../command-line/session.ts';
import { lackingRights, requireRunner, requireUserRights } from '../run/preconditions.ts';
import { removalRights } from './clean-up.ts';

/** Refuse if the user or the runner lacks a right for any part of it, before anything is created (R7.104). */
export async function requireRehearsalRights(
  session: Session,
  { runner, serviceAccount, denyEgress }: Pick<RehearseArguments, 'runner' | 'serviceAccount' | 'denyEgress'>,
): Promise<void> {
  const { client, namespace } = session;
  const rights: Right[] = [
    { group: '', resource: 'namespaces', verb: 'create' },
    ...removalRights(namespace),
    { group: 'velero.io', resource: 'restores', verb: 'create', namespace },
    ...(denyEgress ? [{ group: 'networking.k8s.io', resource: 'networkpolicies', verb: 'create' }] : []),
  ];
  const missing = await missingRights(client, rights);
  if (missing.length > 0) throw await lackingRights(client, missing);
  const account = runner === 'job' ? await requireRunner(session, { namespace }, serviceAccount) : undefined;
  if (account?.podNamespaces !== undefined) {
    // The example's CronJob has restorehooks-rehearsal, which may make namespaces: a runner needn't.
    const own = 'restorehooks-rehearsal-runner';
    const way = `kubectl restorehooks setup --apply --service-account ${own} -n ${namespace}`;
    throw new RestoreHooksError(
      'FORBIDDEN',
      `ServiceAccount ${serviceAccount} may work only in namespaces ${account.podNamespaces.join(', ')}, and a rehearsal makes new ones`,
      { hint: `give it an account of its own: ${way}\nthen add --service-account ${own}` },
    );
  }
  await requireUserRights(session, { namespace }, runner, undefined);
}
