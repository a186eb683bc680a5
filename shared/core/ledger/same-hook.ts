import type { Hook } from '../model/hook.ts';

/**
 * What makes a hook the same hook in another plan (R6.1.1): its id, its pod (not another one of that name) and its content.
 * Timeouts and `onError` may change without making it another.
 */
export const hookKey = (hook: Hook): string => JSON.stringify([hook.id, hook.podUID, ...contentOf(hook)]);

const contentOf = (hook: Hook): unknown[] =>
  hook.kind === 'exec' ? [hook.kind, hook.command] : [hook.kind, hook.command, hook.image, hook.containerDigest];
