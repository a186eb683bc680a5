import { isDeepStrictEqual } from 'node:util';
import { shortenName } from '../../shared/core/digest.ts';
import type { PlannedHook } from '../../shared/core/hook.ts';
import { neverRestored, Pod } from '../../shared/core/model/pod.ts';
import { parseRestore } from '../../shared/core/model/restore.ts';
import { planRestoreHooks } from '../../shared/core/plan/plan-restore-hooks.ts';
import type { Failure } from './main.ts';

/** The notices that the vectors know; ours are more. */
const KNOWN_NOTICES = new Set([
  'exec-container-missing',
  'exec-timeout-unparsable',
  'on-error-unknown',
  'empty-command',
  'wait-timeout-negative',
  'wait-for-ready-unparsable',
  'bad-namespace-pattern',
  'wait-timeout-unparsable',
  'exec-timeout-unlimited',
]);
/** Of init hooks: not compared until they are planned. */
const INIT_NOTICES = new Set(['init-container-name-collision', 'container-name-invalid']);

const ERROR_NAMES = { 'decode-error': 'restore-decode-error', 'validation-error': 'validation-error' } as const;
const NO_RESTORE = { metadata: { name: 'r1', namespace: 'velero' }, spec: { backupName: 'b1' } };

// biome-ignore lint/suspicious/noExplicitAny: the vectors' shape is their README's
export function checkPlanCase({ given, expect }: any): Failure | undefined {
  const parsed = parseRestore(given.restore ?? NO_RESTORE);
  const skipReason = neverRestored(Pod.parse(given.pod));
  const errors = parsed.ok ? [] : [...new Set(parsed.problems.map(({ code }) => ERROR_NAMES[code]))];
  const restored = parsed.ok && skipReason === undefined;
  const plan = restored
    ? planRestoreHooks({ restore: parsed.value, pods: [Pod.parse(given.createdPod ?? created(given))] })
    : { hooks: [], notices: [] };
  const actual = {
    restored,
    skipReason,
    errors,
    notices: [...new Set(plan.notices.map(({ code }) => code))].filter((code) => KNOWN_NOTICES.has(code)).sort(),
    execHooks: plan.hooks.map(asVector),
  };
  const expected = {
    restored: expect.restored,
    skipReason: expect.skipReason,
    errors: expect.errors,
    notices: [...new Set<string>(expect.notices)].filter((code) => !INIT_NOTICES.has(code)).sort(),
    execHooks: expect.execHooks,
  };
  return isDeepStrictEqual(actual, expected) ? undefined : { expected, actual };
}

/** The pod as Velero creates it. */
// biome-ignore lint/suspicious/noExplicitAny: the vectors' shape is their README's
function created({ pod, restore, namespaceMapping }: any): unknown {
  const { metadata } = restore ?? NO_RESTORE;
  const namespace = pod.metadata.namespace ?? 'default';
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      namespace: namespaceMapping?.[namespace] ?? namespace,
      labels: {
        ...pod.metadata.labels,
        'velero.io/restore-name': shortenName(metadata.name),
        'velero.io/backup-name': shortenName(restore?.spec?.backupName ?? 'b1'),
      },
    },
  };
}

function asVector(hook: PlannedHook) {
  return {
    container: hook.container,
    command: hook.command,
    onError: hook.onError,
    waitForReady: hook.waitForReady,
    source: hook.source,
    hookName: hook.name,
    hookIndex: hook.index,
    execTimeoutMs: hook.execTimeoutMs,
    waitTimeoutMs: hook.waitTimeoutMs,
    never: hook.never ?? null,
  };
}
