import type { HookOrigin, HookSource } from '../model/hook.ts';
import { SOURCES } from '../model/hook.ts';
import type { Pod } from '../model/pod.ts';
import type { HookEntrySpec, Restore } from '../model/restore.ts';
import type { Annotations, Report } from './annotations.ts';
import { annotationPrefix, FROM_ANNOTATION } from './annotations.ts';
import type { HookEntries, HookEntry, IndexedHook } from './hook-entries.ts';
import { compileHookEntries } from './hook-entries.ts';
import type { Notice, NoticeCode } from './notice.ts';

/** How hooks of one kind (exec, init) stand in annotations and in entries. */
export interface HookKind<T> {
  readonly kind: 'exec' | 'init';
  readonly fromAnnotations: (annotations: Annotations, origin: HookOrigin, report: Report) => T | undefined;
  readonly ofEntry: (entry: HookEntry) => readonly IndexedHook<T>[];
}

/** A hook of an entry or of annotations. */
export interface CandidateHook<T> extends IndexedHook<T> {
  readonly name: string;
  /** Absent: it is an annotation's. */
  readonly entry?: HookEntry;
}

/** Where a pod's hooks of one kind can come from. */
export interface Candidate<T> {
  readonly source: HookSource;
  readonly origin: HookOrigin;
  readonly title: string;
  readonly hooks: readonly CandidateHook<T>[];
  /** Notices that hold only if the source is taken. */
  readonly notices: readonly Notice[];
}

/** Where entries stand: `--hooks` files, or without any the Restore. `sources`: the only ones that are read (R1.40). */
export function hookEntriesOf(
  restore: Restore | undefined,
  hookFiles: readonly HookEntrySpec[] | undefined,
  sources: readonly string[] = SOURCES,
): HookEntries {
  const withAnnotations = sources.includes('annotations');
  if (hookFiles !== undefined) return compileHookEntries('file', hookFiles, withAnnotations);
  const isRead = sources.includes('spec');
  return compileHookEntries('spec', isRead ? (restore?.spec.hooks.resources ?? []) : [], withAnnotations);
}

/** The sources, in order (R1.19). `applying`: the entries that apply to the pod. */
export function candidatesOf<T>(
  pod: Pod,
  { source, withAnnotations }: HookEntries,
  applying: readonly HookEntry[],
  kind: HookKind<T>,
): Candidate<T>[] {
  const annotations = withAnnotations ? pod.metadata.annotations : {};
  return [
    ofAnnotations(pod, annotations, 'restorehooks', kind),
    ofAnnotations(pod, annotations, 'velero', kind),
    {
      source,
      origin: source === 'file' ? 'restorehooks' : 'velero',
      title: source === 'file' ? 'the --hooks file' : "the Restore's spec",
      hooks: applying.flatMap((entry) => kind.ofEntry(entry).map((hook) => ({ name: entry.name, entry, ...hook }))),
      notices: [],
    },
  ];
}

function ofAnnotations<T>(pod: Pod, annotations: Annotations, origin: HookOrigin, kind: HookKind<T>): Candidate<T> {
  const notices: Notice[] = [];
  const hook = kind.fromAnnotations(annotations, origin, (code, message) => notices.push(noticeOn(pod, code, message)));
  return {
    source: 'annotation',
    origin,
    title: origin === 'velero' ? "the pod's Velero annotations" : "the pod's restorehooks.io annotations",
    hooks:
      hook === undefined ? [] : [{ name: FROM_ANNOTATION, place: annotationPrefix(kind.kind, origin), index: 0, hook }],
    notices,
  };
}

/** What became of one source of a pod's hooks of one kind. */
export interface SourceDecision<T> {
  readonly candidate: Candidate<T>;
  /** `taken`: the first that says anything. `velero-has-run`: left to Velero, which has worked on the Restore (R1.21). */
  readonly verdict: 'taken' | 'hidden' | 'velero-has-run' | 'no-hook';
  /** What hides it. */
  readonly by?: Candidate<T>;
}

/** Choose among the sources (R1.19). `withoutVeleros`: those that are also Velero's take no part. */
export function decideSources<T>(candidates: readonly Candidate<T>[], withoutVeleros: boolean): SourceDecision<T>[] {
  const isLeft = ({ origin }: Candidate<T>): boolean => withoutVeleros && origin === 'velero';
  const says = candidates.filter(({ hooks }) => hooks.length > 0);
  const taken = says.find((candidate) => !isLeft(candidate));
  const left = says.find(isLeft);
  return candidates.map((candidate) => {
    if (candidate.hooks.length === 0) return { candidate, verdict: 'no-hook' };
    if (candidate === taken) return { candidate, verdict: 'taken' };
    if (candidate === left) return { candidate, verdict: 'velero-has-run' };
    const by = isLeft(candidate) ? left : taken;
    return { candidate, verdict: 'hidden', ...(by && { by }) };
  });
}

export const takenOf = <T>(decisions: readonly SourceDecision<T>[]): Candidate<T> | undefined =>
  decisions.find(({ verdict }) => verdict === 'taken')?.candidate;

/** What the source that was taken hides is a notice (R1.20). */
export function hidingNotices<T>(decisions: readonly SourceDecision<T>[], pod: Pod): Notice[] {
  const taken = takenOf(decisions);
  return decisions.flatMap(({ candidate: { hooks, title }, verdict, by }) => {
    if (verdict !== 'hidden' || by === undefined || by !== taken) return [];
    const names = hooks.map(({ name, index }) => `${name} (${index})`).join(', ');
    const code = by.source === 'annotation' ? 'annotation-hides-hooks' : 'file-hides-hooks';
    return [noticeOn(pod, code, `${by.title} hide ${names} of ${title}`)];
  });
}

export const noticeOn = ({ metadata }: Pod, code: NoticeCode, message: string): Notice => ({
  code,
  namespace: metadata.namespace,
  pod: metadata.name,
  message,
});
