import type { HookSource } from '../model/hook.ts';
import { admitsPods, compileIncludesExcludes } from '../model/includes-excludes.ts';
import type { Labels } from '../model/label-selector.ts';
import { compileLabelSelector } from '../model/label-selector.ts';
import type { Pod } from '../model/pod.ts';
import type { ExecRestoreHook, InitContainer, RestoreResourceHookSpec } from '../model/restore.ts';
import type { InitContainers } from './annotations.ts';

/** A hook and its position in the entry's `postHooks`. */
export interface IndexedHook<T> {
  readonly hook: T;
  readonly index: number;
}

/** One entry of `hooks.resources`, compiled. */
export interface HookEntry {
  readonly name: string;
  readonly admitsNamespace: (namespace: string) => boolean;
  readonly admitsPods: boolean;
  readonly admitsLabels: (labels: Labels) => boolean;
  readonly badPatterns: readonly string[];
  readonly execHooks: readonly IndexedHook<ExecRestoreHook>[];
  /** Those that have containers. */
  readonly initHooks: readonly IndexedHook<InitContainers>[];
}

/** The hook entries of one source: a Restore's spec, or `--hooks` files. */
export interface HookEntries {
  readonly source: HookSource;
  readonly entries: readonly HookEntry[];
  /** The entries that apply to a pod, in order (R3.5). */
  readonly of: (pod: Pod) => HookEntry[];
}

/** Compile once; for each pod only the entries that admit its namespace are then looked at. */
export function compileHookEntries(source: HookSource, specs: readonly RestoreResourceHookSpec[]): HookEntries {
  const entries = specs.map(compile);
  const byNamespace = new Map<string, HookEntry[]>();
  const inNamespace = (namespace: string): HookEntry[] => {
    let admitted = byNamespace.get(namespace);
    if (admitted === undefined) {
      admitted = entries.filter((entry) => entry.admitsPods && entry.admitsNamespace(namespace));
      byNamespace.set(namespace, admitted);
    }
    return admitted;
  };
  return {
    source,
    entries,
    of: ({ metadata }) => inNamespace(metadata.namespace).filter((entry) => entry.admitsLabels(metadata.labels)),
  };
}

function compile(spec: RestoreResourceHookSpec): HookEntry {
  const namespaces = compileIncludesExcludes(spec.includedNamespaces, spec.excludedNamespaces);
  return {
    name: spec.name,
    admitsNamespace: namespaces.admits,
    admitsPods: admitsPods(spec.includedResources, spec.excludedResources),
    admitsLabels: compileLabelSelector(spec.labelSelector),
    badPatterns: namespaces.badPatterns,
    execHooks: spec.postHooks.flatMap(({ exec }, index) => (exec ? [{ hook: exec, index }] : [])),
    initHooks: spec.postHooks.flatMap(({ init }, index) =>
      init && init.initContainers.length > 0
        ? // Whole containers: what parses a Restore or a file refuses others.
          [{ hook: { containers: init.initContainers as InitContainer[], timeout: init.timeout }, index }]
        : [],
    ),
  };
}

/** Why an entry doesn't apply to a pod; undefined where it does. */
export function whyNot(entry: HookEntry, { metadata }: Pod): string | undefined {
  if (!entry.admitsNamespace(metadata.namespace)) return `namespace ${metadata.namespace} isn't admitted`;
  if (!entry.admitsPods) return "resource pods isn't admitted";
  if (!entry.admitsLabels(metadata.labels)) return "the pod's labels don't match its labelSelector";
  return undefined;
}
