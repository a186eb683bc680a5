import type { HookOrigin } from '../../model/hook.ts';
import type { Pod } from '../../model/pod.ts';
import type { HookEntry } from '../../plan/hook-entries.ts';
import type { Place } from './place.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Annotations or labels, wherever they stand. */
export interface Metadata {
  readonly place: Place;
  readonly values: Fields;
  /** `pod`: where hooks are read; `part`: what becomes a part of that; `labels` of a pod; `outside` it: on the workload itself. */
  readonly of: 'pod' | 'part' | 'labels' | 'outside';
  readonly kind: string;
  /** With what patches and their base add to it. */
  readonly around: Fields;
}

/** A Pod, or the template of one. */
export interface LintedPod {
  readonly title: string;
  readonly place: Place;
  readonly annotationsPlace: Place;
  /** Of annotations that stand elsewhere, in its patch or its base. */
  readonly places: Readonly<Record<string, Place>>;
  /** As the planner sees it; annotations that aren't strings are taken as what was meant. */
  readonly pod: Pod;
  /** Undefined where the manifest leaves it to whoever applies it. */
  readonly namespace: string | undefined;
  /** The kind of workload whose template it is. */
  readonly template: string | undefined;
  readonly live: boolean;
  /** It is a patch, or annotations alone: what it lacks may stand elsewhere. */
  readonly isPart: boolean;
  readonly volumes: readonly string[];
  readonly ephemeral: readonly string[];
  readonly containers: readonly LintedContainer[];
  /** Why Velero never restores it. */
  readonly neverRestored: 'mirror' | 'finished' | undefined;
}

export interface LintedContainer {
  readonly name: string;
  readonly image: string;
  readonly init: boolean;
  readonly hasReadinessProbe: boolean;
  readonly hasRestartRules: boolean;
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
  readonly origin: HookOrigin;
  readonly place: Place;
  readonly fields: Readonly<Partial<Record<ExecField, Field>>>;
  readonly argv: readonly string[];
  readonly pods: readonly LintedPod[];
}

/** One container of an init hook. */
export interface LintedInit {
  readonly title: string;
  readonly source: 'annotation' | 'entry';
  readonly origin: HookOrigin;
  readonly place: Place;
  readonly fields: Readonly<Partial<Record<'name' | 'image' | 'command' | 'args' | 'timeout', Field>>>;
  readonly mounts: readonly Field[];
  readonly hasRestartRules: boolean;
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

/** What is written by hand: a name, a command, or what else it is. */
export interface Text extends Field {
  readonly value: string;
  readonly title: string;
  readonly isCommand: boolean;
}

/** An object of Velero's whose durations its cache must read. */
export interface VeleroObject {
  readonly kind: string;
  readonly title: string;
  readonly fields: readonly (Field & { readonly name: string; readonly isOfHook: boolean })[];
}

/** A Restore and what it leaves to be restored. */
export interface LintedRestore {
  readonly title: string;
  readonly root: Place;
  readonly spec: Fields;
  readonly namespace: string | undefined;
  readonly live: boolean;
  /** Of the Restore itself, or of the pods that are given. */
  readonly hasHooks: boolean;
  /** The resource modifiers that it names, if they are given. */
  readonly modifiers: Modifiers | undefined;
}

/** Rules by which a Restore changes what it restores. */
export interface Modifiers {
  readonly title: string;
  readonly root: Place;
  readonly value: unknown;
  /** Why it can't be read. */
  readonly unreadable: string | undefined;
  /** Undefined where the rules stand in a file of their own. */
  readonly configMap: { readonly name: string; readonly namespace: string; readonly keys: number } | undefined;
  readonly rules: readonly ModifierRule[];
  /** Of what it may be applied to. */
  readonly given: readonly { readonly object: unknown; readonly resource: string }[];
}

export interface ModifierRule {
  readonly place: Place;
  readonly fields: Fields;
  readonly conditions: Fields;
  readonly patches: readonly { readonly place: Place; readonly fields: Fields }[];
}

/** A pod with all hooks that there are for it. */
export interface HookedPod {
  readonly pod: LintedPod;
  readonly annotated: readonly {
    readonly origin: HookOrigin;
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
  readonly text: Text;
  readonly velero: VeleroObject;
  readonly restore: LintedRestore;
  readonly modifiers: Modifiers;
}

/** A text within an object that is read as a document of its own, and stands among the objects. */
export interface Inner {
  /** The object that it stands in. */
  readonly of: number;
  /** Why it can't be read. */
  readonly problem?: string | undefined;
}
