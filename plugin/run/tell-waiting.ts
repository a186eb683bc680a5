import { formatDuration } from '../../shared/core/model/duration.ts';
import type { RestoreToAwait } from '../../shared/kubernetes/velero/await-restore.ts';
import type { Work } from '../output/progress.ts';
import { beginWork, hasScreen, say } from '../output/progress.ts';
import type { Context } from '../process/context.ts';

/** Tells what of a Restore is waited for: a line for each change, and on a terminal how long it has taken so far. */
export function tellWaiting(
  context: Context,
  { namespace, name, limitMs }: Pick<RestoreToAwait, 'namespace' | 'name' | 'limitMs'>,
): Pick<RestoreToAwait, 'tell' | 'warn'> & { readonly end: () => void } {
  let work: Work | undefined;
  const waiting = `waiting for Restore ${namespace}/${name}`;
  return {
    tell(waitsFor) {
      say(context.stderr, `${waiting}, at most ${formatDuration(limitMs)}: ${waitsFor}`);
      if (hasScreen(context)) work ??= beginWork(context, waiting);
    },
    warn: (line) => say(context.stderr, `warning: ${line}`),
    end: () => work?.end(),
  };
}
