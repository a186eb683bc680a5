import type { RunHook } from '../../shared/core/report/run-document.ts';
import { lastLines } from './last-lines.ts';

/** Hooks that did not succeed in the same way: the same hook of an entry, in several pods. */
export interface FailureGroup {
  /** At least one. */
  readonly rows: Iterable<RunHook>;
  readonly size: number;
}

/** What the rows of one group have in common. */
export const failureKey = ({ name, index, state, reason, exitCode }: RunHook): string =>
  JSON.stringify([state, reason, exitCode, name, index]);

export const isFailure = ({ state }: Pick<RunHook, 'state'>): boolean =>
  state !== 'Succeeded' && state !== 'Running' && state !== 'Waiting';

/** Those that were never started stand last: most of them are what another failure led to. */
export const inOrder = <T>(groups: Iterable<T>, rowOf: (group: T) => RunHook): T[] => {
  const all = [...groups];
  const wasStarted = (group: T): boolean => rowOf(group).state !== 'NotExecuted';
  return [...all.filter(wasStarted), ...all.filter((group) => !wasStarted(group))];
};

/** `Failed (exit 7)` */
export function endText({ state, reason, exitCode }: Pick<RunHook, 'state' | 'reason' | 'exitCode'>): string {
  const exit = exitCode === undefined || state === 'Succeeded' ? '' : ` ${exitCode}`;
  return reason === undefined ? state : `${state} (${reason}${exit})`;
}

/** `Failed (exit 7) warm-up (0) in 3 pods: shop/web-0, shop/web-1, …`, with at most `most` pods. */
export function groupLine({ rows, size }: FailureGroup, most: number): string {
  const pods: string[] = [];
  let first: RunHook | undefined;
  for (const row of rows) {
    first ??= row;
    if (pods.length >= most) break;
    pods.push(`${row.namespace}/${row.pod}`);
  }
  if (first === undefined) return '';
  const more = size > pods.length ? `, … ${size - pods.length} more` : '';
  const where = size === 1 ? `in ${pods[0]}` : `in ${size} pods: ${pods.join(', ')}${more}`;
  return `${endText(first)} ${first.name} (${first.index}) ${where}`;
}

/** Why the first of the group failed, and how its output ended: at most `most` lines of output. */
export function groupDetails({ rows }: FailureGroup, most: number): string[] {
  let message: string | undefined;
  let looked = 0;
  for (const row of rows) {
    message ??= row.message;
    const output = lastLines(row, most);
    if (output.length > 0) return [...(message === undefined ? [] : [message]), ...output.map((line) => `| ${line}`)];
    looked += 1;
    if (looked >= LOOKED_AT) break;
  }
  return message === undefined ? [] : [message];
}

/** In how many rows of a group an output is searched for. */
const LOOKED_AT = 20;
