import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Right } from '../../shared/core/manifests/rbac.ts';
import { missingRights } from '../../shared/kubernetes/api/access.ts';
import type { OfRehearsal, Removal } from '../../shared/kubernetes/rehearsal/objects.ts';
import { findRehearsals, removeRehearsal } from '../../shared/kubernetes/rehearsal/objects.ts';
import type { CommandResult } from '../command-line/command.ts';
import type { Session } from '../command-line/session.ts';
import { ageText } from '../output/age.ts';
import { beginWork, say } from '../output/progress.ts';
import type { Context } from '../process/context.ts';
import { lackingRights } from '../run/preconditions.ts';

/** How long the removal may take: a namespace can wait for ever for a finalizer (R7.110). */
const REMOVAL_MS = 5 * 60_000;

export const cleanupCommand = (id: string, namespace: string): string =>
  `kubectl restorehooks rehearse --cleanup ${id} -n ${namespace}`;

/** The rights to find and remove a rehearsal. */
export const removalRights = (namespace: string): Right[] => [
  ...['get', 'list', 'delete'].map((verb) => ({ group: '', resource: 'namespaces', verb })),
  ...['list', 'delete'].map((verb) => ({ group: 'velero.io', resource: 'restores', verb, namespace })),
];

/** Remove a rehearsal and wait until it is gone. Returns what is left, a line each. */
export async function remove(
  { client, namespace }: Session,
  context: Context,
  removal: Pick<Removal, 'id' | 'maker' | 'mapping' | 'hurry'>,
): Promise<string[]> {
  const { stderr, clock } = context;
  const work = beginWork(context, `removing rehearsal ${removal.id}`);
  try {
    const tell = (line: string): void => say(stderr, line);
    return await removeRehearsal(client, clock, { ...removal, velero: namespace, limitMs: REMOVAL_MS, tell });
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    return [`all of it may be left (${error.message})`];
  } finally {
    work.end();
  }
}

/** The error of a rehearsal that could not be removed (R7.110). */
export const leftBehind = (id: string, namespace: string, left: readonly string[]): RestoreHooksError =>
  new RestoreHooksError('LEFT_BEHIND', `rehearsal ${id} is not removed yet:\n${left.join('\n')}`, {
    hint: `try again, or see what is left: ${cleanupCommand(id, namespace)}`,
  });

/** Remove one rehearsal, or say what that would remove, or list those that stand (R7.109). */
export async function cleanUp(
  session: Session,
  id: string | undefined,
  isDryRun: boolean,
  context: Context,
): Promise<CommandResult> {
  const { client, namespace } = session;
  const missing = await missingRights(client, removalRights(namespace));
  if (missing.length > 0) throw await lackingRights(client, missing);
  const found = await findRehearsals(client, namespace, id);
  if (id === undefined) return listed(found, context);
  const other = found.find(({ velero }) => velero !== undefined && velero !== namespace)?.velero;
  if (other !== undefined) {
    // Its Restore isn't seen here, and its Velero may be at work on it (R7.108).
    throw new RestoreHooksError('INVALID_ARGUMENT', `rehearsal ${id} is of the Velero in namespace ${other}`, {
      hint: `remove it there: ${cleanupCommand(id, other)}`,
    });
  }
  if (isDryRun && found.length > 0) return wouldRemove(found);
  for (const { kind, name } of found) say(context.stderr, `removing  ${kind} ${name}`);
  const left = await context.stop.hold(() => remove(session, context, { id, hurry: context.signal }));
  if (left.length > 0) return { error: leftBehind(id, namespace, left) };
  say(context.stderr, found.length === 0 ? `nothing stands of rehearsal ${id}` : `rehearsal ${id} is removed`);
  return {};
}

const wouldRemove = (found: readonly OfRehearsal[]): CommandResult => ({
  view: {
    kind: 'document',
    document: listOf(found),
    human: found.map(({ kind, name }) => `would remove ${kind} ${name}`),
    names: found.map(({ kind, name }) => `${kind === 'Restore' ? 'restore.velero.io' : 'namespace'}/${name}`),
  },
});

const listOf = (found: readonly OfRehearsal[]): object => ({
  apiVersion: 'v1',
  kind: 'List',
  items: found.map(({ object }) => object),
});

function listed(found: readonly OfRehearsal[], { stderr, clock }: Context): CommandResult {
  if (found.length === 0) say(stderr, 'no rehearsal stands');
  const rows = [...Map.groupBy(found, ({ id }) => id)].map(([id, objects]) => {
    const namespaces = objects.filter(({ kind }) => kind === 'Namespace').map(({ name }) => name);
    const oldest = objects.map(({ createdAt }) => createdAt).sort()[0] ?? '';
    const backup = objects.flatMap((object) => object.backup ?? [])[0];
    return [id, backup, namespaces.join(', '), ageText(clock.now() - Date.parse(oldest))];
  });
  const columns = [{ title: 'ID' }, { title: 'BACKUP' }, { title: 'NAMESPACES' }, { title: 'AGE' }];
  return {
    view: {
      kind: 'document',
      document: listOf(found),
      human: rows.length === 0 ? [] : [{ columns, rows }],
      names: rows.map(([id]) => id ?? ''),
    },
  };
}
