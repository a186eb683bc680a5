import type { HookSource } from '../model/hook.ts';
import type { ListVerdict } from '../model/includes-excludes.ts';
import { compileIncludesExcludes, isAdmitted, verdictOnPods } from '../model/includes-excludes.ts';
import type { LabelRequirement, Labels } from '../model/label-selector.ts';
import { labelRequirements } from '../model/label-selector.ts';
import type { Pod } from '../model/pod.ts';
import type { ExecHookSpec, HookEntrySpec, InitContainer } from '../model/restore.ts';
import { runOnOf } from '../model/restore.ts';
import type { InitContainers } from './annotations.ts';

/** A hook and its position in the entry's `postHooks`. */
export interface IndexedHook<T> {
  readonly hook: T;
  readonly index: number;
  /** The path of the hook; of annotations what their keys begin with. */
  readonly place: string;
}

/** One entry of `hooks.resources`, compiled. */
export interface HookEntry {
  readonly name: string;
  /** Where it stands: `spec.hooks.resources[0]`, or in which file. */
  readonly place: string;
  readonly spec: HookEntrySpec;
  /** How many entries with `runOn` before it have its name (R3.63). */
  readonly namesakes: number;
  /** What its filters say, filter by filter. The three below are made of these. */
  readonly verdictOnNamespace: (namespace: string) => ListVerdict;
  readonly verdictOnPods: ListVerdict;
  readonly requirements: readonly LabelRequirement[];
  readonly admitsNamespace: (namespace: string) => boolean;
  readonly admitsPods: boolean;
  readonly admitsLabels: (labels: Labels) => boolean;
  readonly badPatterns: readonly string[];
  readonly execHooks: readonly IndexedHook<ExecHookSpec>[];
  /** Those that have containers. */
  readonly initHooks: readonly IndexedHook<InitContainers>[];
}

/** The hook entries of one source: a Restore's spec, or `--hooks` files. */
export interface HookEntries {
  readonly source: HookSource;
  /** Whether the pods' own annotations are read beside them (R1.40). */
  readonly withAnnotations: boolean;
  readonly entries: readonly HookEntry[];
  /** The entries that apply to a pod, in order (R3.5). */
  readonly of: (pod: Pod) => HookEntry[];
}

/** Compile once; for each pod only the entries that admit its namespace are then looked at. */
export function compileHookEntries(
  source: HookSource,
  specs: readonly HookEntrySpec[],
  withAnnotations = true,
): HookEntries {
  const list = source === 'spec' ? 'spec.hooks.resources' : 'spec.resources';
  const named = new Map<string, number>();
  const entries = specs.map((spec, index) => {
    const namesakes = named.get(spec.name) ?? 0;
    if (runOnOf(spec) !== undefined) named.set(spec.name, namesakes + 1);
    return compile(spec, `${list}[${index}]`, namesakes);
  });
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
    withAnnotations,
    entries,
    of: ({ metadata }) => inNamespace(metadata.namespace).filter((entry) => entry.admitsLabels(metadata.labels)),
  };
}

function compile(spec: HookEntrySpec, defaultPlace: string, namesakes: number): HookEntry {
  const { place = defaultPlace } = spec;
  const at = (index: number, kind: 'exec' | 'init') => ({ index, place: `${place}.postHooks[${index}].${kind}` });
  const namespaces = compileIncludesExcludes(spec.includedNamespaces, spec.excludedNamespaces);
  const onPods = verdictOnPods(spec.includedResources, spec.excludedResources);
  const requirements = labelRequirements(spec.labelSelector);
  return {
    name: spec.name,
    place,
    spec,
    namesakes,
    verdictOnNamespace: namespaces.verdict,
    verdictOnPods: onPods,
    requirements,
    admitsNamespace: namespaces.admits,
    admitsPods: isAdmitted(onPods),
    admitsLabels: (labels) => requirements.every(({ admits }) => admits(labels)),
    badPatterns: namespaces.badPatterns,
    execHooks: spec.postHooks.flatMap(({ exec }, index) =>
      exec ? [{ hook: spec.wave ? { ...exec, wave: spec.wave } : exec, ...at(index, 'exec') }] : [],
    ),
    initHooks: spec.postHooks.flatMap(({ init }, index) =>
      init && init.initContainers.length > 0
        ? // Whole containers: what parses a Restore or a file refuses others.
          [
            {
              hook: { containers: init.initContainers as InitContainer[], timeout: init.timeout },
              ...at(index, 'init'),
            },
          ]
        : [],
    ),
  };
}
