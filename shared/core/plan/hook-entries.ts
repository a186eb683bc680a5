import type { HookSource } from '../hook.ts';
import { admitsPods, compileIncludesExcludes } from '../model/includes-excludes.ts';
import type { Labels } from '../model/label-selector.ts';
import { compileLabelSelector } from '../model/label-selector.ts';
import type { Pod } from '../model/pod.ts';
import type { ExecRestoreHook, RestoreResourceHookSpec } from '../model/restore.ts';

/** One entry of `hooks.resources`, compiled. */
export interface HookEntry {
  readonly name: string;
  readonly admitsNamespace: (namespace: string) => boolean;
  readonly admitsPods: boolean;
  readonly admitsLabels: (labels: Labels) => boolean;
  readonly badPatterns: readonly string[];
  readonly execHooks: readonly { readonly hook: ExecRestoreHook; readonly index: number }[];
  readonly hasInitHooks: boolean;
}

/** The hook entries of one source: a Restore's spec, or `--hooks` files. */
export interface HookEntries {
  readonly source: HookSource;
  readonly entries: readonly HookEntry[];
  /** The entries that apply to a pod, in order. */
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
    hasInitHooks: spec.postHooks.some(({ init }) => (init?.initContainers.length ?? 0) > 0),
  };
}

/** Why an entry doesn't apply to a pod; undefined where it does. */
export function whyNot(entry: HookEntry, { metadata }: Pod): string | undefined {
  if (!entry.admitsNamespace(metadata.namespace)) return `namespace ${metadata.namespace} isn't admitted`;
  if (!entry.admitsPods) return "resource pods isn't admitted";
  if (!entry.admitsLabels(metadata.labels)) return "the pod's labels don't match its labelSelector";
  return undefined;
}
