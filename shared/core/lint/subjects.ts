import type { Pod } from '../model/pod.ts';
import type { AnnotationOrigin } from '../plan/annotations.ts';
import type { HookEntry } from '../plan/hook-entries.ts';
import type { Place } from './rule.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Annotations or labels, wherever they stand. */
export interface Metadata {
  readonly place: Place;
  readonly values: Fields;
  /** `pod`: where hooks are read; `labels` of a pod; `outside` it: on the workload itself. */
  readonly of: 'pod' | 'labels' | 'outside';
  readonly kind: string;
}

/** A Pod, or the template of one. */
export interface LintedPod {
  readonly title: string;
  readonly place: Place;
  readonly annotationsPlace: Place;
  /** As the planner sees it; annotations that aren't strings are taken as what was meant. */
  readonly pod: Pod;
  /** Undefined where the manifest leaves it to whoever applies it. */
  readonly namespace: string | undefined;
  /** The kind of workload whose template it is. */
  readonly template: string | undefined;
  readonly live: boolean;
  readonly containers: readonly LintedContainer[];
  /** Why Velero never restores it. */
  readonly neverRestored: 'mirror' | 'finished' | undefined;
}

export interface LintedContainer {
  readonly name: string;
  readonly init: boolean;
  readonly hasReadinessProbe: boolean;
}

export interface Field {
  readonly value: unknown;
  readonly place: Place;
}

export type ExecField = 'container' | 'command' | 'onError' | 'execTimeout' | 'waitTimeout' | 'waitForReady';

/** An exec hook, of annotations or of an entry. */
export interface LintedExec {
  readonly title: string;
  readonly source: 'annotation' | 'entry';
  readonly origin: AnnotationOrigin;
  readonly place: Place;
  readonly fields: Readonly<Partial<Record<ExecField, Field>>>;
  readonly argv: readonly string[];
  readonly pods: readonly LintedPod[];
}

/** One container of an init hook. */
export interface LintedInit {
  readonly title: string;
  readonly source: 'annotation' | 'entry';
  readonly origin: AnnotationOrigin;
  readonly place: Place;
  readonly fields: Readonly<Partial<Record<'name' | 'image' | 'command' | 'timeout', Field>>>;
  /** Names of the same hook's containers before it. */
  readonly earlier: readonly string[];
  readonly pods: readonly LintedPod[];
}

export interface LintedEntry {
  readonly title: string;
  readonly place: Place;
  readonly fields: Fields;
  /** Undefined where it can't be read at all. */
  readonly entry: HookEntry | undefined;
  readonly selectorIsValid: boolean;
  /** The pods that it applies to. */
  readonly pods: readonly LintedPod[];
  readonly execs: readonly LintedExec[];
  readonly inits: readonly LintedInit[];
  /** Pods that it could have applied to. */
  readonly given: readonly LintedPod[];
}

/** A Restore, or a file of hooks. */
export interface HookList {
  readonly kind: 'Restore' | 'RestoreHooks';
  readonly object: unknown;
  readonly root: Place;
  readonly place: Place;
  readonly entries: readonly LintedEntry[];
}

/** A pod with all hooks that there are for it. */
export interface HookedPod {
  readonly pod: LintedPod;
  readonly annotated: readonly {
    readonly origin: AnnotationOrigin;
    readonly kind: 'exec' | 'init';
    readonly place: Place;
  }[];
  /** Each list with those of its entries that apply to it. */
  readonly lists: readonly {
    readonly kind: HookList['kind'];
    readonly entries: readonly LintedEntry[];
    readonly execs: readonly LintedExec[];
  }[];
}

export interface Subjects {
  readonly metadata: Metadata;
  readonly pod: HookedPod;
  readonly exec: LintedExec;
  readonly init: LintedInit;
  readonly entry: LintedEntry;
  readonly list: HookList;
}
