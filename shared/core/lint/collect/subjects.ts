import type { HookOrigin } from '../../model/hook.ts';
import type { Pod } from '../../model/pod.ts';
import type { HookEntry } from '../../plan/hook-entries.ts';
import type { Place } from './place.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Annotations or labels of any object. */
export interface Metadata {
  readonly place: Place;
  readonly values: Fields;
  /**
   * `pod`: hooks are read from them; `part`: they become part of a pod's; `labels`: a pod's labels; `outside`: the
   * workload's own.
   */
  readonly of: 'pod' | 'part' | 'labels' | 'outside';
  readonly kind: string;
  /** Together with what patches and their base add. */
  readonly around: Fields;
}

/** A Pod or a pod template. */
export interface LintedPod {
  readonly title: string;
  readonly place: Place;
  readonly annotationsPlace: Place;
  /** Annotations from its patch or its base. */
  readonly places: Readonly<Record<string, Place>>;
  /** The pod for the planner; annotations that aren't strings are used as the strings that were probably meant. */
  readonly pod: Pod;
  /** Undefined if the manifest has no namespace: it is chosen when the manifest is applied. */
  readonly namespace: string | undefined;
  /** The kind of the workload that has the template. */
  readonly template: string | undefined;
  readonly live: boolean;
  /** It is a patch, or only annotations, so missing fields may be in another object. */
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

export type ExecField =
  | 'container'
  | 'command'
  | 'onError'
  | 'execTimeout'
  | 'waitTimeout'
  | 'waitForReady'
  | 'wave'
  | 'retryAttempts'
  | 'retryDelay'
  | 'retry'
  | 'detach';

/** An exec hook, from annotations or from an entry. */
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
  /** The names of the containers before it in the same hook. */
  readonly earlier: readonly string[];
  readonly pods: readonly LintedPod[];
}

export interface LintedEntry {
  readonly title: string;
  readonly place: Place;
  readonly fields: Fields;
  /** Undefined if it can't be read. */
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

/** A text that was written by hand, such as a name or a command. */
export interface Text extends Field {
  readonly value: string;
  readonly title: string;
  readonly isCommand: boolean;
}

/** An object of Velero with durations. Velero's cache fails if it can't read one of them. */
export interface VeleroObject {
  readonly kind: string;
  readonly title: string;
  readonly fields: readonly (Field & { readonly name: string; readonly isOfHook: boolean })[];
}

/** A Restore, with what rules need to know besides its spec. */
export interface LintedRestore {
  readonly title: string;
  readonly root: Place;
  readonly spec: Fields;
  readonly namespace: string | undefined;
  readonly live: boolean;
  /** Whether the Restore itself or one of the given pods has hooks. */
  readonly hasHooks: boolean;
  /** The resource modifiers that the Restore names, if they are among the given objects. */
  readonly modifiers: Modifiers | undefined;
}

/** Resource modifiers: rules by which a Restore changes the objects that it restores. */
export interface Modifiers {
  readonly title: string;
  readonly root: Place;
  readonly value: unknown;
  /** Why it can't be read. */
  readonly unreadable: string | undefined;
  /** Undefined if the rules are in a file of their own. */
  readonly configMap: { readonly name: string; readonly namespace: string; readonly keys: number } | undefined;
  readonly rules: readonly ModifierRule[];
  /** The objects that the rules may be applied to. */
  readonly given: readonly { readonly object: unknown; readonly resource: string }[];
}

export interface ModifierRule {
  readonly place: Place;
  readonly fields: Fields;
  readonly conditions: Fields;
  readonly patches: readonly { readonly place: Place; readonly fields: Fields }[];
}

/** A pod with all of its hooks. */
export interface HookedPod {
  readonly pod: LintedPod;
  readonly annotated: readonly {
    readonly origin: HookOrigin;
    readonly kind: 'exec' | 'init';
    readonly place: Place;
  }[];
  /** Each list of hooks, with the entries that apply to this pod. */
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

/** A text within an object that is a document of its own, and is checked as one of the objects. */
export interface Inner {
  /** The object that contains it. */
  readonly of: number;
  /** Why it can't be read. */
  readonly problem?: string | undefined;
}
