import type { OWN_KEYS } from '../mistakes/annotation-keys.ts';
import { parseDurationMs } from '../model/duration.ts';
import type { HookOrigin } from '../model/hook.ts';
import type { ExecHookSpec, InitContainer } from '../model/restore.ts';
import type { NoticeCode } from './notice.ts';

const ANNOTATION_DOMAIN = { restorehooks: 'restorehooks.io', velero: 'restore.velero.io' } as const satisfies Record<
  HookOrigin,
  string
>;

/** The name that Velero gives a hook that comes from annotations. */
export const FROM_ANNOTATION = '<from-annotation>';

/** Whether hooks are read from this annotation: nothing else of a pod's annotations is needed to plan. */
export const isOfHooks = (key: string): boolean =>
  Object.values(ANNOTATION_DOMAIN).some(
    (domain) => key.startsWith(`post.hook.${domain}/`) || key.startsWith(`init.hook.${domain}/`),
  );

/** Whether Velero doesn't know this annotation. */
export const isOurs = (key: string): boolean =>
  key.split('/')[0]?.endsWith(`.hook.${ANNOTATION_DOMAIN.restorehooks}`) === true;

/** What begins the keys of an exec or init hook of one origin. */
export const annotationPrefix = (kind: 'exec' | 'init', origin: HookOrigin): string =>
  `${kind === 'exec' ? 'post' : 'init'}.hook.${ANNOTATION_DOMAIN[origin]}/`;

export type Annotations = Readonly<Record<string, string>>;
export type Report = (code: NoticeCode, message: string) => void;

/** The pod's exec hook of one origin, or undefined: without a command the other keys say nothing (R3.1). */
export function execHookFromAnnotations(
  annotations: Annotations,
  origin: HookOrigin,
  report: Report,
): ExecHookSpec | undefined {
  const prefix = annotationPrefix('exec', origin);
  const command = annotations[`${prefix}command`];
  if (!command) return undefined;
  const text = (key: string) => annotations[prefix + key] || undefined;
  /** The value, if it is one; else undefined, and a notice. */
  const parsed = <T>(key: ParsedKey, parse: (text: string) => T | undefined, otherwise: string): T | undefined => {
    const given = text(key);
    const value = given === undefined ? undefined : parse(given);
    if (given !== undefined && value === undefined) report(`${key}-unparsable`, `${prefix}${key} is ${otherwise}`); // R1.9
    return value;
  };
  const hook: ExecHookSpec = {
    container: text('container'),
    command: parseCommand(command),
    onError: text('on-error'),
    execTimeout: parsed('exec-timeout', parseDurationMs, `${NO_DURATION}; using the default, 30s`),
    waitTimeout: parsed('wait-timeout', parseDurationMs, `${NO_DURATION}; using no limit`),
    waitForReady: parsed('wait-for-ready', parseBool, 'neither true nor false; using false'),
  };
  if (origin === 'velero') return hook;
  const attempts = parsed('retry-attempts', parseAttempts, 'no whole number from 1 to 100; using 1'); // R3.50
  const delay = parsed('retry-delay', parseDelay, 'no duration above 0, such as "2s"; using the default, 2s');
  return {
    ...hook,
    wave: parsed('wave', parseWhole, 'no whole number; using 0'), // R3.40
    retry: { attempts, delay, maxDelay: undefined },
    detach: parsed('detach', parseBool, 'neither true nor false; using false'), // R3.64
  };
}

const NO_DURATION = 'not a duration such as "30s" or "1m30s"';

type ParsedKey = (typeof OWN_KEYS)[number] | 'exec-timeout' | 'wait-timeout' | 'wait-for-ready';

export function parseWhole(text: string): number | undefined {
  const whole = /^[-+]?\d+$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(whole) ? whole : undefined;
}

export function parseAttempts(text: string): number | undefined {
  const attempts = parseWhole(text) ?? 0;
  return attempts >= 1 && attempts <= 100 ? attempts : undefined;
}

export function parseDelay(text: string): number | undefined {
  const ms = parseDurationMs(text) ?? 0;
  return ms > 0 ? ms : undefined;
}

interface NamelessContainer {
  readonly name: undefined;
  readonly image: string;
  readonly command?: readonly string[];
}

/** Containers that are injected together. An annotation may leave their name open. */
export interface InitContainers {
  readonly containers: readonly (InitContainer | NamelessContainer)[];
  readonly timeout?: number | undefined;
}

/** The pod's init hook of one origin, or undefined: without an image there is none (R2.1). */
export function initHookFromAnnotations(
  annotations: Annotations,
  origin: HookOrigin,
  report: Report,
): InitContainers | undefined {
  const prefix = annotationPrefix('init', origin);
  const image = annotations[`${prefix}container-image`];
  if (!image) return undefined;
  const text = annotations[`${prefix}command`];
  const command = text ? parseCommand(text) : [];
  // Without a command the image's own ENTRYPOINT runs (R2.3).
  const name = annotations[`${prefix}container-name`] || undefined;
  const given = annotations[`${prefix}timeout`];
  const timeout = given ? parseDurationMs(given) : undefined;
  if (given && timeout === undefined) {
    report('wait-timeout-unparsable', `${prefix}timeout is not a duration such as "30s" or "1m30s"; using no limit`);
  }
  return { containers: [{ name, image, ...(command.length > 0 ? { command } : {}) }], timeout };
}

/** A JSON array of strings, told by its first character; anything else is one argv element, as it stands (R3.2). */
function parseCommand(text: string): string[] {
  if (!text.startsWith('[')) return [text];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [text];
  }
  // Go reads a null element as an empty string.
  const isArgv = Array.isArray(value) && value.every((part) => typeof part === 'string' || part === null);
  return isArgv ? (value as (string | null)[]).map((part) => part?.toWellFormed() ?? '') : [text];
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** As Go's `strconv.ParseBool`; undefined where there is none. */
export function parseBool(text: string): boolean | undefined {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : undefined;
}
