import { sha256Hex } from '../digest.ts';
import type { HookSource } from '../hook.ts';
import type { Pod } from '../model/pod.ts';
import type { InitContainer } from '../model/restore.ts';
import type { AnnotationOrigin, InitHook } from './annotations.ts';
import { initHookFromAnnotations } from './annotations.ts';
import type { HookEntries } from './hook-entries.ts';
import type { Notice } from './notice.ts';
import type { HookKind } from './sources.ts';
import { candidatesOf, firstThatSays, noticeOn } from './sources.ts';

/** One init container that a pod's hooks inject. */
export interface PlannedInitContainer {
  /** Whole, as it was written. */
  readonly container: InitContainer;
  /** Its name was made up here; Velero makes up others. */
  readonly generatedName: boolean;
  readonly source: HookSource;
  readonly origin: AnnotationOrigin;
  readonly name: string;
  /** Position of its hook in the entry's `postHooks`, exec hooks counted. */
  readonly index: number;
  /** null = no limit. */
  readonly timeoutMs: number | null;
}

export interface InitPlan {
  /** In the order in which they run. */
  readonly containers: readonly PlannedInitContainer[];
  readonly notices: readonly Notice[];
}

export const INIT_HOOKS: HookKind<InitHook> = {
  fromAnnotations: initHookFromAnnotations,
  ofEntry: ({ initHooks }) => initHooks,
};

/**
 * Decide which init containers a pod's hooks inject (contract §2): `pod` is the one of the backup, in its target
 * namespace. That Velero may have run them already is no matter here: it counts where something is started.
 */
export function planInitHooks(pod: Pod, entries: HookEntries): InitPlan {
  const notices: Notice[] = [];
  const chosen = firstThatSays(candidatesOf(pod, entries, entries.of(pod), INIT_HOOKS), pod, notices);
  if (chosen === undefined) return { containers: [], notices };
  const { source, origin } = chosen;
  const containers = chosen.hooks.flatMap(({ name, index, hook: { containers, timeout } }) =>
    containers.map((container) => ({
      container: { ...container, name: container.name ?? generatedName(pod) },
      generatedName: container.name === undefined,
      source,
      origin,
      name,
      index,
      timeoutMs: timeout !== undefined && timeout > 0 ? timeout : null,
    })),
  );
  const injected = injectInitContainers(pod.spec.initContainers, containers);
  return { containers, notices: [...notices, ...nameNotices(pod, containers, injected)] };
}

const GENERATED_PREFIX = 'velero-restore-init-';
/** Velero's and ours: both append 8 hex digits. */
export const GENERATED_NAME: RegExp = new RegExp(`^${GENERATED_PREFIX}[0-9a-f]{8}$`);

const generatedName = ({ metadata }: Pod): string =>
  GENERATED_PREFIX + sha256Hex(`${metadata.namespace}/${metadata.name}`).slice(0, 8);

/** How many of a pod's own init containers run before the hooks': file-system restore must have ended. */
export const ownBeforeHooks = (own: readonly { readonly name: string }[]): number =>
  own[0]?.name === 'restore-wait' ? 1 : 0;

/** A pod's init containers after injection. */
export function injectInitContainers<Own extends { readonly name: string }>(
  own: readonly Own[],
  planned: readonly PlannedInitContainer[],
): (Own | InitContainer)[] {
  const before = ownBeforeHooks(own);
  return [...own.slice(0, before), ...planned.map(({ container }) => container), ...own.slice(before)];
}

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** What the API server will refuse the pod for. */
function nameNotices(
  pod: Pod,
  planned: readonly PlannedInitContainer[],
  injected: readonly { readonly name: string }[],
): Notice[] {
  const names = new Set(planned.map(({ container }) => container.name));
  const invalid = [...names].filter((name) => !DNS_LABEL.test(name));
  const count = new Map<string, number>();
  for (const { name } of [...injected, ...pod.spec.containers]) count.set(name, (count.get(name) ?? 0) + 1);
  const collisions = [...count].filter(([, times]) => times > 1);
  return [
    ...invalid.map((name) =>
      noticeOn(
        pod,
        'container-name-invalid',
        `${JSON.stringify(name)} is no container name: the API server will refuse it`,
      ),
    ),
    ...collisions.map(([name]) =>
      noticeOn(
        pod,
        'init-container-name-collision',
        `with its init hooks it has more than one container ${JSON.stringify(name)}: the API server will refuse it`,
      ),
    ),
  ];
}
