import type { HookOrigin, HookSource } from '../model/hook.ts';
import type { Pod } from '../model/pod.ts';
import type { Restore, RestoreResourceHookSpec } from '../model/restore.ts';
import type { Annotations, Report } from './annotations.ts';
import { FROM_ANNOTATION } from './annotations.ts';
import type { HookEntries, HookEntry, IndexedHook } from './hook-entries.ts';
import { compileHookEntries } from './hook-entries.ts';
import type { Notice, NoticeCode } from './notice.ts';

/** How hooks of one kind (exec, init) stand in annotations and in entries. */
export interface HookKind<T> {
  readonly fromAnnotations: (annotations: Annotations, origin: HookOrigin, report: Report) => T | undefined;
  readonly ofEntry: (entry: HookEntry) => readonly IndexedHook<T>[];
}

/** Where a pod's hooks of one kind can come from. */
export interface Candidate<T> {
  readonly source: HookSource;
  readonly origin: HookOrigin;
  readonly title: string;
  readonly hooks: readonly (IndexedHook<T> & { readonly name: string })[];
  /** Notices that hold only if the source is taken. */
  readonly notices: readonly Notice[];
}

/** Where entries stand: `--hooks` files, or without any the Restore. */
export const hookEntriesOf = (
  restore: Restore | undefined,
  hookFiles: readonly RestoreResourceHookSpec[] | undefined,
): HookEntries =>
  hookFiles === undefined
    ? compileHookEntries('spec', restore?.spec.hooks.resources ?? [])
    : compileHookEntries('file', hookFiles);

/** The sources, in order (R1.19). `applying`: the entries that apply to the pod. */
export function candidatesOf<T>(
  pod: Pod,
  { source }: HookEntries,
  applying: readonly HookEntry[],
  kind: HookKind<T>,
): Candidate<T>[] {
  return [
    ofAnnotations(pod, 'restorehooks', kind),
    ofAnnotations(pod, 'velero', kind),
    {
      source,
      origin: source === 'file' ? 'restorehooks' : 'velero',
      title: source === 'file' ? 'the --hooks file' : "the Restore's spec",
      hooks: applying.flatMap((entry) => kind.ofEntry(entry).map((hook) => ({ name: entry.name, ...hook }))),
      notices: [],
    },
  ];
}

function ofAnnotations<T>(pod: Pod, origin: HookOrigin, kind: HookKind<T>): Candidate<T> {
  const notices: Notice[] = [];
  const hook = kind.fromAnnotations(pod.metadata.annotations, origin, (code, message) =>
    notices.push(noticeOn(pod, code, message)),
  );
  return {
    source: 'annotation',
    origin,
    title: origin === 'velero' ? "the pod's Velero annotations" : "the pod's restorehooks.io annotations",
    hooks: hook === undefined ? [] : [{ name: FROM_ANNOTATION, index: 0, hook }],
    notices,
  };
}

/** The first source that says anything; what it hides is a notice (R1.20). */
export function firstThatSays<T>(
  candidates: readonly Candidate<T>[],
  pod: Pod,
  notices: Notice[],
): Candidate<T> | undefined {
  const [chosen, ...hidden] = candidates.filter(({ hooks }) => hooks.length > 0);
  for (const { hooks, title } of hidden) {
    const names = hooks.map(({ name, index }) => `${name} (${index})`).join(', ');
    const code = chosen?.source === 'annotation' ? 'annotation-hides-hooks' : 'file-hides-hooks';
    notices.push(noticeOn(pod, code, `${chosen?.title} hide ${names} of ${title}`));
  }
  return chosen;
}

export const noticeOn = ({ metadata }: Pod, code: NoticeCode, message: string): Notice => ({
  code,
  namespace: metadata.namespace,
  pod: metadata.name,
  message,
});
