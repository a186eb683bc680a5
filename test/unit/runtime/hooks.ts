import type { ExecHook, HookId, InitHook } from '../../../shared/core/model/hook.ts';

const common = (pod: string, container: string) => ({
  id: `ns/${pod}/${container}/h/0` as HookId,
  namespace: 'ns',
  pod,
  podUID: `${pod}-uid`,
  container,
  source: 'spec' as const,
  origin: 'velero' as const,
  name: 'h',
  index: 0,
  waitTimeoutMs: null,
  waitTimeoutFrom: 'default' as const,
});

export const execHook = (pod: string, more: Partial<ExecHook> = {}): ExecHook => ({
  ...common(pod, 'main'),
  kind: 'exec',
  command: ['true'],
  onError: 'Continue',
  execTimeoutMs: 30_000,
  execTimeoutFrom: 'default',
  waitForReady: false,
  ...more,
});

export const initHook = (pod: string): InitHook => ({
  ...common(pod, 'load'),
  kind: 'init',
  image: 'i',
  injection: 'found',
});
