import { RestoreHooksError } from '../../shared/core/errors.ts';
import { formatDuration } from '../../shared/core/model/duration.ts';
import { excludedResources } from '../../shared/core/rehearsal/manifests.ts';
import type { RehearseArguments } from '../command-line/rehearse-args.ts';
import type { Session } from '../command-line/session.ts';
import { count } from '../output/plan-view.ts';
import { say } from '../output/progress.ts';
import type { Context } from '../process/context.ts';
import type { Prepared } from './prepare.ts';

const MOST_NAMED = 20;

/** Say what is going to be created, and what it may do (R7.100). */
export function announce(
  { cluster, namespace }: Session,
  prepared: Prepared,
  args: Pick<RehearseArguments, 'excludeResources' | 'denyEgress' | 'keep' | 'deadline' | 'rerun'>,
  { stderr }: Pick<Context, 'stderr'>,
): void {
  const { id, backup, completedAt, restore, mapping, held, leftOut } = prepared;
  const tell = (title: string, text: string): void => say(stderr, `${title.padEnd(9)} ${text}`);
  tell('context', cluster);
  tell('backup', `${namespace}/${backup}${completedAt === undefined ? '' : `, of ${completedAt}`}`);
  tell('rehearsal', `${id}: creates Restore ${namespace}/${restore} and ${count(mapping.size, 'namespace')}`);
  for (const [source, target] of [...mapping].slice(0, MOST_NAMED)) {
    const pods = held.get(source);
    tell('', `${source} -> ${target}${pods === undefined ? '' : ` (${count(pods, 'pod')} in the backup)`}`);
  }
  if (mapping.size > MOST_NAMED) tell('', `… ${mapping.size - MOST_NAMED} more (--dry-run prints all)`);
  if (leftOut.length > 0) tell('left out', `${leftOut.join(', ')} (--include-namespaces takes them in)`);
  const excluded = excludedResources({ excluded: args.excludeResources, denyEgress: args.denyEgress });
  tell('left out', `resources ${excluded.join(', ')}, and what belongs to no namespace but volumes`);
  tell('volumes', 'Velero makes those of snapshots and file backups anew; others come empty, if they can be made');
  tell(
    'egress',
    args.denyEgress
      ? 'denied by a NetworkPolicy, if the network of this cluster enforces one; ports 53 and 5353 of pods stay open for name servers, which may ask outside'
      : 'open: pods and hooks may talk to the outside, and change things there, as in earnest (--deny-egress)',
  );
  tell('velero', `runs the hooks of its own annotations itself${args.rerun ? '; they run again here (--rerun)' : ''}`);
  const limit = formatDuration(args.deadline);
  tell('end', args.keep ? `all of it stays (--keep)` : `all of it is removed at the end, at the latest after ${limit}`);
}

/** Ask on a terminal. A program isn't asked: what it runs was decided before. */
export async function confirm({ stdin, stderr, stop }: Context): Promise<void> {
  if (!stderr.isTTY || stdin.isTTY !== true) return;
  stderr.write('Go on? [y/N] ');
  let answer = '';
  for await (const chunk of stdin) {
    answer += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    if (answer.includes('\n')) break;
  }
  if (stop.why !== undefined) throw stop.why;
  if (/^\s*y(?:es)?\s*$/i.test(answer)) return;
  throw new RestoreHooksError('INTERRUPTED', 'not confirmed; nothing has been restored', {
    hint: 'answer y, or give --yes',
  });
}
