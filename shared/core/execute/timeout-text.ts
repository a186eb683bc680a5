import { formatDuration } from '../model/duration.ts';
import type { Hook } from '../model/hook.ts';

/**
 * Which timeout of a hook is over, how long it is, and where it is set: `its waitTimeout of 10s (annotation) is over`.
 * One that is a default says where to set another (R3.29).
 */
export function timeoutText(hook: Hook, which: 'waitTimeout' | 'execTimeout'): string {
  const isWait = which === 'waitTimeout' || hook.kind === 'init';
  const ms = isWait ? hook.waitTimeoutMs : hook.execTimeoutMs;
  const from = isWait ? hook.waitTimeoutFrom : hook.execTimeoutFrom;
  const name = hook.kind === 'init' ? 'timeout' : which;
  const where =
    from === 'default' ? `the default: set another with ${settingOf(hook, name)}` : from === 'flag' ? CAP : from;
  return `its ${name}${ms === null ? '' : ` of ${formatDuration(ms)}`} (${where}) is over`;
}

const CAP = '--max-exec-timeout'; // R1.43

function settingOf({ source, origin }: Hook, name: string): string {
  if (source !== 'annotation') return name;
  const key = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `post.hook.${origin === 'velero' ? 'restore.velero.io' : 'restorehooks.io'}/${key}`;
}
