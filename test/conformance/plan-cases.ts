import { isDeepStrictEqual } from 'node:util';
import { shortenName } from '../../shared/core/digest.ts';
import type { ExecHook } from '../../shared/core/model/hook.ts';
import { neverRestored, Pod } from '../../shared/core/model/pod.ts';
import { parseRestore } from '../../shared/core/model/restore.ts';
import { GENERATED_NAME, injectInitContainers } from '../../shared/core/plan/init-containers.ts';
import { planInitHooks } from '../../shared/core/plan/plan-init-hooks.ts';
import { planRestoreHooks } from '../../shared/core/plan/plan-restore-hooks.ts';
import { hookEntriesOf } from '../../shared/core/plan/sources.ts';
import type { Failure } from './main.ts';

/** The notices that the vectors contain. Plans have more kinds of notices. */
const KNOWN_NOTICES = new Set([
  'container-name-invalid',
  'empty-command',
  'exec-container-missing',
  'exec-timeout-unlimited',
  'exec-timeout-unparsable',
  'init-container-name-collision',
  'on-error-unknown',
  'wait-for-ready-unparsable',
  'wait-timeout-negative',
  'wait-timeout-unparsable',
]);

const ERROR_NAMES = { 'decode-error': 'restore-decode-error', 'validation-error': 'validation-error' } as const;
const NO_RESTORE = { metadata: { name: 'r1', namespace: 'velero' }, spec: { backupName: 'b1' } };

// R1.19, R2.1, R2.4, R3.1, R3.2, R3.4
// biome-ignore lint/suspicious/noExplicitAny: the vectors' shape is their README's
export function checkPlanCase({ given, expect }: any): Failure | undefined {
  const parsed = parseRestore(given.restore ?? NO_RESTORE);
  const skipReason = neverRestored(Pod.parse(given.pod));
  const errors = parsed.ok ? [] : [...new Set(parsed.problems.map(({ code }) => ERROR_NAMES[code]))];
  const restored = parsed.ok && skipReason === undefined;
  const initPlan =
    parsed.ok && restored ? planInitHooks(target(given), hookEntriesOf(parsed.value, undefined)) : undefined;
  const initContainers = injectInitContainers(given.pod.spec.initContainers ?? [], initPlan?.containers ?? []);
  const plan = restored
    ? planRestoreHooks({ restore: parsed.value, pods: [Pod.parse(given.createdPod ?? created(given, initContainers))] })
    : { hooks: [], notices: [] };
  const notices = [...(initPlan?.notices ?? []), ...plan.notices].map(({ code }) => code);
  const actual = {
    restored,
    skipReason,
    errors,
    notices: [...new Set(notices)].filter((code) => KNOWN_NOTICES.has(code)).sort(),
    initContainers: initPlan && initContainers.map(withoutGeneratedName),
    execHooks: plan.hooks.flatMap((hook) => (hook.kind === 'exec' ? [asVector(hook)] : [])),
  };
  const expected = {
    restored: expect.restored,
    skipReason: expect.skipReason,
    errors: expect.errors,
    notices: [...new Set<string>(expect.notices)].sort(),
    initContainers: expect.initContainers ?? undefined,
    execHooks: expect.execHooks,
  };
  return isDeepStrictEqual(actual, expected) ? undefined : { expected, actual };
}

const withoutGeneratedName = (container: { readonly name: string }) =>
  GENERATED_NAME.test(container.name) ? { ...container, name: '<generated>' } : container;

/** The pod of the backup, in its target namespace. */
// biome-ignore lint/suspicious/noExplicitAny: the vectors' shape is their README's
function target({ pod, namespaceMapping }: any): Pod {
  const parsed = Pod.parse(pod);
  const { namespace } = parsed.metadata;
  return { ...parsed, metadata: { ...parsed.metadata, namespace: namespaceMapping?.[namespace] ?? namespace } };
}

/** The pod as Velero creates it. */
// biome-ignore lint/suspicious/noExplicitAny: the vectors' shape is their README's
function created({ pod, restore, namespaceMapping }: any, initContainers: readonly object[]): unknown {
  const { metadata } = restore ?? NO_RESTORE;
  const namespace = pod.metadata.namespace ?? 'default';
  return {
    ...pod,
    spec: { ...pod.spec, initContainers },
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

function asVector(hook: ExecHook) {
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
