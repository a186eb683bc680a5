import type { ExecHook } from '../model/hook.ts';
import { formatInstant, later, parseInstant } from '../model/instant.ts';
import type { Pod } from '../model/pod.ts';
import type { Restore } from '../model/restore.ts';
import { isOurs } from './annotations.ts';
import type { Notice } from './notice.ts';
import { hooksByPod } from './plan-restore-hooks.ts';
import { noticeOn } from './sources.ts';
import { hasExecHooks, hasNoHookStatus } from './velero.ts';

/**
 * What there is to say of a Velero that has stopped waiting for the hooks of these pods, and so may be running them
 * still. `writesHookStatus`: false of a Velero that tells nothing of hooks, however they end.
 */
export function gaveUpNotices(restore: Restore, pods: readonly Pod[], writesHookStatus: boolean): Notice[] {
  if (!hasNoHookStatus(restore) || pods.length === 0) return [];
  // Velero doesn't know our annotations: they hide nothing from it.
  const asVelero = pods.map((pod) => ({ ...pod, metadata: { ...pod.metadata, annotations: withoutOurs(pod) } }));
  const notices = [...hooksByPod({ restore, pods: asVelero })].flatMap(([pod, hooks]) => {
    const commands = hooks.filter((hook) => hook.kind === 'exec');
    return commands.length === 0 ? [] : [gaveUp(pod, commands)];
  });
  if (notices.length === 0 && !hasExecHooks(restore)) return [];
  const ended = `Velero has ended Restore ${restore.metadata.name} (${restore.status?.phase}) and recorded nothing about its hooks`;
  if (!writesHookStatus) {
    const message = `${ended}, as with all other Restores: whether it has run them can't be known`;
    return [{ code: 'hook-status-unknown', message }]; // R1.25
  }
  return notices.length > 0 ? notices : [{ code: 'velero-gave-up', message: `${ended}, and may be running them` }];
}

const withoutOurs = ({ metadata }: Pod): Record<string, string> =>
  Object.fromEntries(Object.entries(metadata.annotations).filter(([key]) => !isOurs(key)));

function gaveUp(pod: Pod, hooks: readonly ExecHook[]): Notice {
  const names = hooks.map(({ name, index }) => `${name} (${index})`).join(', ');
  return noticeOn(pod, 'velero-gave-up', `Velero may be running ${names}, or start it, ${untilWhen(pod, hooks)}`);
}

/**
 * Velero waits in one go for all hooks of a pod, without a limit if one of them has none, and with `Continue` it runs a
 * hook after its wait timeout, too. So each could run as late as the last of them.
 */
function untilWhen({ metadata }: Pod, hooks: readonly ExecHook[]): string {
  if (hooks.some(({ waitTimeoutMs }) => waitTimeoutMs === null)) {
    return 'for as long as its server runs: without a wait timeout it waits for ever';
  }
  if (hooks.some(({ execTimeoutMs }) => execTimeoutMs === null)) {
    return 'for as long as its server runs: a negative exec timeout is no limit';
  }
  const from = parseInstant(metadata.creationTimestamp ?? '');
  const waitMs = Math.max(...hooks.map(({ waitTimeoutMs }) => waitTimeoutMs ?? 0));
  const runMs = hooks.reduce((sum, { execTimeoutMs }) => sum + (execTimeoutMs ?? 0), 0);
  return from === undefined ? 'now' : `until ${formatInstant(later(from, waitMs + runMs))}`;
}
