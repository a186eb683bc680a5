import type { Hook } from '../model/hook.ts';

/**
 * What makes a hook the same hook in another plan (R6.1.1): its id, its pod (not another one of that name) and its content.
 * Timeouts and `onError` may change without making it another.
 */
export const hookKey = (hook: Hook): string => JSON.stringify([hook.id, hook.podUID, ...contentOf(hook)]);

const contentOf = (hook: Hook): unknown[] =>
  hook.kind === 'exec' ? [hook.kind, hook.command] : [hook.kind, hook.command, hook.image, hook.containerDigest];

/**
 * What a hook with `runOn` is in whichever pod is chosen for it (R3.63): what it has done in one pod is done if another one
 * takes that pod's place. Entries of one name are told apart by their order.
 */
export function keyInAnyPod(hook: Hook): string | undefined {
  if (hook.kind !== 'exec' || hook.runOn === undefined) return undefined;
  // Which hook of its pod repeats another one's id follows from the pod; `nthEntry` tells them apart in any.
  const [, , ...inPod] = hook.id.replace(/~\d+$/, '').split('/');
  return JSON.stringify([hook.runOn, hook.controller, hook.nthEntry, inPod, ...contentOf(hook)]);
}
