import type { RunPlace } from '../../shared/core/plan/make-plan-document.ts';
import type { RunnerArguments } from '../command-line/apply-args.ts';
import type { Session } from '../command-line/session.ts';
import { requireRunner, requireUserRights, runnerNamespaces, UNCHECKED } from '../run/preconditions.ts';
import type { Found } from './checks.ts';
import { ok, unchecked, warning } from './checks.ts';

/** The runner's ServiceAccount, and what it may do. */
export async function runnerRights(
  session: Session,
  place: RunPlace,
  { serviceAccount }: Pick<RunnerArguments, 'serviceAccount'>,
): Promise<Found> {
  const { notes, podNamespaces } = await requireRunner(session, place, serviceAccount);
  if (notes.includes(UNCHECKED)) return unchecked(`you may not ask what ServiceAccount ${serviceAccount} may do`);
  const where = podNamespaces === undefined ? 'every namespace' : `namespaces ${podNamespaces.join(', ')}`;
  const said = `ServiceAccount ${serviceAccount} has the rights that a run needs, for pods in ${where}`;
  return notes.length === 0 ? ok(said) : warning(`${said}; ${notes.join('; ')}`);
}

/** What the user needs to plan, launch and follow a run. */
export async function userRights(session: Session, place: RunPlace): Promise<Found> {
  await requireUserRights(session, place, 'job', await runnerNamespaces(session));
  return ok('you may plan, start and follow a run');
}
