import { canonicalJson } from '../digest.ts';
import type { HookOrigin, HookSource } from '../model/hook.ts';
import type { InitContainer } from '../model/restore.ts';

/** One init container that a pod's hooks inject. */
export interface PlannedInitContainer {
  /** Whole, as it was written (R2.4, R2.6). */
  readonly container: InitContainer;
  /** Its name was made up here; Velero makes up others. */
  readonly generatedName: boolean;
  readonly source: HookSource;
  readonly origin: HookOrigin;
  readonly name: string;
  /** Position of its hook in the entry's `postHooks`, exec hooks counted. */
  readonly index: number;
  /** Where its hook is written, and its position among the hook's containers. */
  readonly place: string;
  readonly at: number;
  /** null = no limit. */
  readonly timeoutMs: number | null;
}

export const GENERATED_PREFIX = 'velero-restore-init-';
/** Velero's and ours: both append 8 hex digits. */
export const GENERATED_NAME: RegExp = new RegExp(`^${GENERATED_PREFIX}[0-9a-f]{8}$`);

/** How many of a pod's own init containers run before the hooks': file-system restore must have ended (R2.5). */
const ownBeforeHooks = (own: readonly { readonly name: string }[]): number => (own[0]?.name === 'restore-wait' ? 1 : 0);

/** A pod's init containers after injection. */
export function injectInitContainers<Own extends { readonly name: string }>(
  own: readonly Own[],
  planned: readonly PlannedInitContainer[],
): (Own | InitContainer)[] {
  const before = ownBeforeHooks(own);
  return [...own.slice(0, before), ...planned.map(({ container }) => container), ...own.slice(before)];
}

/** An init container as it stands in a manifest. */
export interface OwnContainer {
  readonly name: string;
  readonly [field: string]: unknown;
}

export interface InitContainerPlaces {
  /** What is still to be inserted, before which of the pod's own (their number: behind the last). */
  readonly missing: readonly { readonly at: number; readonly container: InitContainer }[];
  /** The hooks' that stand there already, under the names that they have there. */
  readonly found: ReadonlyMap<PlannedInitContainer, string>;
  /** Of those: what something has changed in them since they were injected, by the fields' names. */
  readonly changed: ReadonlyMap<PlannedInitContainer, readonly string[]>;
  /** The pod's own, less those. */
  readonly own: readonly OwnContainer[];
}

/**
 * Which of the hooks' containers a pod lacks (R2.11). One that it has stays as and where it is: an API server may have filled it
 * up with defaults, and Velero makes up other names. Of a pod that `isLive` one may also have been changed: a resource
 * modifier and a webhook come after Velero.
 */
export function initContainerPlaces(
  own: readonly OwnContainer[],
  planned: readonly PlannedInitContainer[],
  isLive = false,
): InitContainerPlaces {
  const places = new Map<PlannedInitContainer, number>();
  const taken = new Set<number>();
  for (const isIt of isLive ? [isSame, isFilledUp, isChanged] : [isSame, isFilledUp]) {
    for (const each of planned) {
      if (places.has(each)) continue;
      const at = own.findIndex((container, index) => !taken.has(index) && isIt(each, container));
      if (at < 0) continue;
      places.set(each, at);
      taken.add(at);
    }
  }
  let next = ownBeforeHooks(own);
  const missing: { at: number; container: InitContainer }[] = [];
  for (const each of planned) {
    const at = places.get(each);
    if (at === undefined) missing.push({ at: next, container: each.container });
    else next = Math.max(next, at + 1);
  }
  const found = new Map([...places].map(([each, at]) => [each, own[at]?.name ?? each.container.name]));
  const changed = [...places].flatMap(([each, at]) => {
    const there = own[at];
    return there === undefined || isFilledUp(each, there) ? [] : [[each, differingFields(each, there)] as const];
  });
  return { missing, found, changed: new Map(changed), own: own.filter((_, index) => !taken.has(index)) };
}

/** A pod's init containers with those that it lacked put in their places. */
export const withMissing = <Own>(
  own: readonly Own[],
  missing: InitContainerPlaces['missing'],
): readonly (Own | InitContainer)[] =>
  missing.reduceRight<readonly (Own | InitContainer)[]>(
    (list, { at, container }) => list.toSpliced(at, 0, container),
    own,
  );

const isSame = ({ container }: PlannedInitContainer, own: OwnContainer): boolean =>
  container.name === own.name && canonicalJson(container) === canonicalJson(own);

function isFilledUp({ container, generatedName }: PlannedInitContainer, own: OwnContainer): boolean {
  if (!(container.name === own.name || (generatedName && GENERATED_NAME.test(own.name)))) return false;
  return holds({ ...own, name: container.name }, container);
}

/** It has the name, or one that Velero made up and what is left of the container. */
function isChanged({ container, generatedName }: PlannedInitContainer, own: OwnContainer): boolean {
  if (!generatedName) return container.name === own.name;
  if (!GENERATED_NAME.test(own.name)) return false;
  return (
    own['image'] === container.image || canonicalJson(own['command'] ?? []) === canonicalJson(container.command ?? [])
  );
}

const differingFields = ({ container }: PlannedInitContainer, own: OwnContainer): string[] =>
  Object.entries(container).flatMap(([field, given]) =>
    field === 'name' || holds(own[field], given, field === 'resources') ? [] : [field],
  );

/**
 * Whether all that is given stands there, too. What is empty may be left out; between the objects of a list there may be
 * others, such as the mount of a service account's token.
 */
function holds(there: unknown, given: unknown, inResources = false): boolean {
  if (isEmpty(given) && (there === undefined || isEmpty(there))) return true;
  if (Array.isArray(given) && Array.isArray(there)) return holdsItems(there, given);
  if (typeof given !== 'object' || given === null) {
    return there === given || (inResources && isSameQuantity(there, given));
  }
  if (typeof there !== 'object' || there === null || Array.isArray(there) !== Array.isArray(given)) return false;
  return Object.entries(given).every(([key, value]) =>
    holds((there as Record<string, unknown>)[key], value, inResources || key === 'resources'),
  );
}

function holdsItems(there: readonly unknown[], given: readonly unknown[]): boolean {
  if (there.some((item) => typeof item !== 'object')) return canonicalJson(there) === canonicalJson(given);
  let from = 0;
  return given.every((item) => {
    from = 1 + there.findIndex((candidate, index) => index >= from && holds(candidate, item));
    return from > 0;
  });
}

const isEmpty = (value: unknown): boolean =>
  value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);

/** The API server writes quantities its own way: `1000m` is `1`, `1024Mi` is `1Gi`. */
function isSameQuantity(there: unknown, given: unknown): boolean {
  const size = quantity(given);
  return size !== undefined && size === quantity(there);
}

function quantity(value: unknown): number | undefined {
  const match = /^([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)([numkKMGTPE]?)(i?)$/.exec(String(value));
  if (match === null) return undefined;
  const [, number, unit = '', binary] = match;
  const small = 'mun'.indexOf(unit);
  if (unit !== '' && small >= 0) return Number(number) / 1000 ** (small + 1);
  const power = unit === '' ? 0 : 'kMGTPE'.indexOf(unit.replace('K', 'k')) + 1;
  return Number(number) * (binary ? 1024 : 1000) ** power;
}
