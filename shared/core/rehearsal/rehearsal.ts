import { closest } from '../closest.ts';
import { shortenName } from '../digest.ts';
import { RestoreHooksError } from '../errors.ts';
import { compileIncludesExcludes } from '../model/includes-excludes.ts';
import type { HookEntrySpec } from '../model/restore.ts';
import { DNS_LABEL } from '../names.ts';

/** On all that a rehearsal creates, with its id. What lacks it is never deleted (R7.108). */
export const REHEARSAL_LABEL = 'restorehooks.io/rehearsal';
/** Which process has created it: two can be given the same id, and neither may remove what is the other's (R7.108). */
export const REHEARSAL_MAKER = 'restorehooks.io/rehearsal-maker';

/** On its namespaces: where their Restore is. Two Veleros can rehearse in one cluster. */
export const REHEARSAL_VELERO = 'restorehooks.io/rehearsal-velero';

const LONGEST_NAME = 63;
const LONGEST_ID = 20;
/** A namespace that an earlier rehearsal has made, and that a backup happens to hold. */
const OF_A_REHEARSAL = /-rehearsal-[-a-z0-9]+$/;
/** The cluster's own: copies of them would work on the same nodes as the originals. */
const OF_THE_CLUSTER: readonly string[] = ['kube-system', 'kube-public', 'kube-node-lease'];

/** The id that a user gives. It ends names of namespaces, so it is short (R7.102). */
export function rehearsalID(given: string): string {
  if (DNS_LABEL.test(given) && given.length <= LONGEST_ID) return given;
  throw new RestoreHooksError('INVALID_ARGUMENT', `${JSON.stringify(given)} can't be the id of a rehearsal`, {
    hint: `give at most ${LONGEST_ID} lower-case letters, digits and -`,
  });
}

/** How the names of all namespaces of a rehearsal end. */
export const targetEnd = (id: string): string => `-rehearsal-${id}`;

/** Where a namespace of the backup is rehearsed (R7.102). */
export function targetNamespace(source: string, id: string): string {
  const end = targetEnd(id);
  return `${shortenName(source, LONGEST_NAME - end.length)}${end}`;
}

export const restoreNameOf = (backup: string, id: string): string => {
  const room = LONGEST_NAME - 'rehearsal--'.length - id.length;
  return `rehearsal-${shortenName(backup, room)}-${id}`;
};

/** What a backup holds: for each namespace its number of pods, if that is known. */
export type Held = ReadonlyMap<string, number | undefined>;

export interface Chosen {
  readonly sources: readonly string[];
  /** Namespaces of the backup that nobody asked for, and that take no part by themselves. */
  readonly leftOut: readonly string[];
}

/** Which namespaces of a backup are rehearsed: those that are asked for, else all but the cluster's and Velero's (R7.103). */
export function chooseNamespaces(held: Held, asked: readonly string[], velero: string): Chosen {
  const names = [...held.keys()].sort();
  if (asked.length === 0) {
    const isLeftOut = (name: string): boolean =>
      name === velero || OF_THE_CLUSTER.includes(name) || OF_A_REHEARSAL.test(name);
    return { sources: names.filter((name) => !isLeftOut(name)), leftOut: names.filter(isLeftOut) };
  }
  const { admits, badPatterns } = compileIncludesExcludes(asked, []);
  const [bad] = badPatterns;
  if (bad !== undefined) throw misused(`--include-namespaces: ${JSON.stringify(bad)} is no name and no pattern`);
  for (const each of asked) {
    if (names.some(compileIncludesExcludes([each], []).admits)) continue;
    const near = closest(each, names);
    const hint = near === undefined ? `it holds ${names.slice(0, 10).join(', ') || 'none'}` : `did you mean ${near}?`;
    throw misused(`--include-namespaces: the backup holds no namespace ${each}`, hint);
  }
  return { sources: names.filter(admits), leftOut: [] };
}

const misused = (message: string, hint?: string): RestoreHooksError =>
  new RestoreHooksError('INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });

/** Each namespace of the backup, and the one that stands for it. */
export type Mapping = ReadonlyMap<string, string>;

export const mappingOf = (sources: readonly string[], id: string): Mapping =>
  new Map(sources.map((source) => [source, targetNamespace(source, id)]));

/**
 * Entries of files as they are meant: their namespaces are those of the backup, which stand under other names here
 * (R7.106).
 */
export function mappedEntries(entries: readonly HookEntrySpec[], mapping: Mapping): HookEntrySpec[] {
  return entries.map((entry) => {
    const { includedNamespaces, excludedNamespaces } = entry;
    if (includedNamespaces.length + excludedNamespaces.length === 0) return entry;
    const { admits } = compileIncludesExcludes(includedNamespaces, excludedNamespaces);
    const targets = [...mapping].filter(([source]) => admits(source)).map(([, target]) => target);
    // An empty list would admit all namespaces.
    return { ...entry, includedNamespaces: targets.length === 0 ? [NOWHERE] : targets, excludedNamespaces: [] };
  });
}

/** No namespace can have this name. */
const NOWHERE = '-';

/** `--only shop/web-0` and ids of hooks, with the namespace as it is called here (R7.106). */
export const mappedNames = (names: readonly string[], mapping: Mapping): string[] =>
  names.map((name) => {
    const [namespace = '', ...rest] = name.split('/');
    const target = rest.length === 0 ? undefined : mapping.get(namespace);
    return target === undefined ? name : [target, ...rest].join('/');
  });
