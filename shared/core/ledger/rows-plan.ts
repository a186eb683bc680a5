import type { HookRow } from '../report/hook-row.ts';

/** The hooks of a pod that a run has created are in it by now. */
export const asCreated = (row: HookRow): HookRow => {
  const { hook, reason } = row;
  const isInIt = hook.kind === 'init' && reason !== 'not-injected' && hook.podUID !== undefined;
  return isInIt && hook.injection !== undefined ? { ...row, hook: { ...hook, injection: 'found' } } : row;
};
