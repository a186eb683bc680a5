import { parseDurationMs } from '../model/duration.ts';
import type { HookOrigin } from '../model/hook.ts';
import type { ExecRestoreHook, InitContainer } from '../model/restore.ts';
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
): ExecRestoreHook | undefined {
  const prefix = annotationPrefix('exec', origin);
  const command = annotations[`${prefix}command`];
  if (!command) return undefined;
  const value = (key: string) => annotations[prefix + key] || undefined;

  const timeout = (key: 'exec-timeout' | 'wait-timeout', instead: string) => {
    const text = value(key);
    const ms = text === undefined ? undefined : parseDurationMs(text);
    if (text !== undefined && ms === undefined) {
      report(`${key}-unparsable`, `${prefix}${key} is not a duration such as "30s" or "1m30s"; using ${instead}`); // R1.9
    }
    return ms;
  };
  return {
    container: value('container'),
    command: parseCommand(command),
    onError: value('on-error'),
    execTimeout: timeout('exec-timeout', 'the default, 30s'),
    waitTimeout: timeout('wait-timeout', 'no limit'),
    waitForReady: parseBool(value('wait-for-ready'), () =>
      report('wait-for-ready-unparsable', `${prefix}wait-for-ready is neither true nor false; using false`),
    ),
  };
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
function parseBool(text: string | undefined, onBad: () => void): boolean | undefined {
  if (text === undefined) return undefined;
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  onBad();
  return undefined;
}
