import { closest } from '../closest.ts';
import type { HookOrigin } from '../model/hook.ts';

const EXEC_KEYS = ['command', 'container', 'on-error', 'exec-timeout', 'wait-timeout', 'wait-for-ready'];
/** The keys that only our own annotations have. */
export const OWN_KEYS = ['wave', 'retry-attempts', 'retry-delay', 'detach'] as const;
const OUR_EXEC_KEYS = [...EXEC_KEYS, ...OWN_KEYS];
const INIT_KEYS = ['container-image', 'container-name', 'command', 'timeout'];

interface Prefix {
  readonly kind: 'exec' | 'init';
  readonly origin: HookOrigin;
  readonly names: readonly string[];
}
export const PREFIXES: Readonly<Record<string, Prefix>> = {
  'post.hook.restore.velero.io': { kind: 'exec', origin: 'velero', names: EXEC_KEYS },
  'init.hook.restore.velero.io': { kind: 'init', origin: 'velero', names: INIT_KEYS },
  'post.hook.restorehooks.io': { kind: 'exec', origin: 'restorehooks', names: OUR_EXEC_KEYS },
  'init.hook.restorehooks.io': { kind: 'init', origin: 'restorehooks', names: INIT_KEYS },
};

/** Names from Velero's backup hooks and from a Restore's spec, which people write by mistake. */
const MEANT: Readonly<Record<string, string>> = {
  timeout: 'exec-timeout',
  cmd: 'command',
  args: 'command',
  image: 'container-image',
  name: 'container-name',
};

export type KeyVerdict =
  | { readonly is: 'known' | 'other' | 'pre-restore' }
  /** Under Velero's prefix, where it has no effect: `ours` is the key that has one. */
  | { readonly is: 'only-ours'; readonly ours: string }
  /** `sure`: so similar that it may be corrected without asking. */
  | { readonly is: 'unknown-name' | 'unknown-prefix'; readonly meant: string | undefined; readonly sure: boolean };

/** Judges an annotation's key: it is a restore hook's, was meant to be one, or has nothing to do with hooks. */
export function judgeKey(key: string): KeyVerdict {
  const [before = '', name] = splitKey(key);
  const prefix = Object.hasOwn(PREFIXES, before) ? before : undefined;
  if (prefix !== undefined && name !== undefined && key === `${prefix}/${name}`) {
    const names = PREFIXES[prefix]?.names ?? [];
    if (names.includes(name)) return { is: 'known' };
    if (before === VELEROS_EXEC && isOwnKey(name))
      return { is: 'only-ours', ours: `post.hook.restorehooks.io/${name}` };
    const { meant, sure } = nearestName(name, names);
    return { is: 'unknown-name', meant: meant && `${prefix}/${meant}`, sure };
  }
  if (/backup/i.test(before)) return { is: 'other' };
  if (/^pre[.-]?hooks?\.restore/i.test(before)) return { is: 'pre-restore' };
  const near = prefix ?? nearestPrefix(before, name ?? '');
  if (near === undefined) return { is: 'other' };
  const names = PREFIXES[near.replace(/^\?/, '')]?.names ?? [];
  const { meant, sure } = nearestName(name ?? '', names);
  const guessed = near.startsWith('?');
  if (guessed && meant === undefined && !/hook\./i.test(before)) return { is: 'other' };
  return {
    is: 'unknown-prefix',
    meant: meant && `${near.replace(/^\?/, '')}/${meant}`,
    sure: sure && !guessed,
  };
}

/** Split a key at its slash, or, without a slash, after a known prefix. */
function splitKey(key: string): [string, string | undefined] {
  const slash = key.indexOf('/');
  if (slash >= 0) return [key.slice(0, slash), key.slice(slash + 1)];
  const prefix = Object.keys(PREFIXES).find((known) => key.toLowerCase().startsWith(known));
  return prefix === undefined ? [key, undefined] : [prefix, key.slice(prefix.length + 1)];
}

function nearestName(name: string, names: readonly string[]): { meant: string | undefined; sure: boolean } {
  if (names.includes(name)) return { meant: name, sure: true };
  const same = names.find((known) => squashed(known) === squashed(name));
  if (same !== undefined) return { meant: same, sure: true };
  const meant = MEANT[name.toLowerCase()];
  if (meant !== undefined && names.includes(meant)) return { meant, sure: false };
  const near = closest(name.toLowerCase(), names);
  return { meant: near, sure: near !== undefined && name.length > 4 };
}

const squashed = (text: string): string => text.toLowerCase().replace(/[^a-z]/g, '');

/** The known prefix that was probably meant, with a `?` before it if that is only a guess. */
function nearestPrefix(before: string, name: string): string | undefined {
  const lower = before.toLowerCase();
  const known = Object.keys(PREFIXES);
  const same = known.find((prefix) => squashed(prefix) === squashed(lower));
  if (same !== undefined) return same;
  const near = closest(lower, known);
  if (near !== undefined && lower.length >= near.length - 2) return near;
  const veleros = /hook/.test(lower) && /velero/.test(lower);
  const ours = /hook\.restorehooks/.test(lower) || (/restorehooks\.io$/.test(lower) && isHookName(name));
  if (!veleros && !ours) return undefined;
  const kind = /^init/.test(lower) || name.startsWith('container-') ? 'init' : 'post';
  return `?${kind}.hook.${veleros ? 'restore.velero.io' : 'restorehooks.io'}`;
}

const VELEROS_EXEC = 'post.hook.restore.velero.io';
const isOwnKey = (name: string): boolean => OWN_KEYS.some((own) => own === name);
const isHookName = (name: string): boolean => [...OUR_EXEC_KEYS, ...INIT_KEYS].includes(name);
