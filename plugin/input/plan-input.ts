import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { PodKey } from '../../shared/core/model/hook.ts';
import { podKey } from '../../shared/core/model/hook.ts';
import { unknownFieldsOfRestore } from '../../shared/core/model/known-fields.ts';
import type { Pod } from '../../shared/core/model/pod.ts';
import { Pod as PodModel } from '../../shared/core/model/pod.ts';
import { problemLine } from '../../shared/core/model/problem.ts';
import type { HookEntrySpec, Restore } from '../../shared/core/model/restore.ts';
import { parseRestore } from '../../shared/core/model/restore.ts';
import { isOfHooks } from '../../shared/core/plan/annotations.ts';
import type { Notice } from '../../shared/core/plan/notice.ts';
import type { PlanDocument } from '../../shared/core/plan/plan-document.ts';
import type { PlanRequest } from '../../shared/core/plan/plan-run.ts';
import { restoreSelector } from '../../shared/core/plan/pods-of-restore.ts';
import { asRestored, lossNotices, modifierNotices, whyNotRestored } from '../../shared/core/plan/restored-pod.ts';
import type { Input } from '../../shared/input/files.ts';
import { readInput } from '../../shared/input/files.ts';
import { readHookFiles } from '../../shared/input/hooks.ts';
import type { InputObject, ManifestObject } from '../../shared/input/manifests.ts';
import { isPod, isRestore, isSavedPlan, passedOverNotices } from '../../shared/input/objects.ts';
import type { Session } from '../command-line/session.ts';
import { usage } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import { whileReading } from './file-work.ts';

export interface PlanFlags {
  readonly hooks: readonly string[];
  readonly sources: readonly string[];
  readonly only: readonly string[];
  readonly skip: readonly string[];
  readonly maxExecTimeout: number | undefined;
  readonly detach: boolean;
  readonly rerun: boolean;
  readonly force: boolean;
  readonly includeExisting: boolean;
  readonly recreatePods: boolean;
  readonly selector: string | undefined;
  readonly allNamespaces: boolean;
  readonly podNamespace: readonly string[];
}

/** The flags that change what is planned, whatever the pods are. */
export type PlanningFlags = Pick<PlanFlags, 'rerun' | 'sources' | 'only' | 'skip' | 'maxExecTimeout' | 'detach'>;

export const planning = ({ rerun, sources, only, skip, maxExecTimeout, detach }: PlanningFlags) => ({
  rerun,
  ...(sources.length > 0 && { sources }),
  only,
  skip,
  maxExecTimeoutMs: maxExecTimeout,
  detach,
});

/** Read what a live plan needs. `namespaces`: the only ones where the runner has rights, if it is limited. */
export async function liveInput(
  { client, namespace }: Session,
  name: string,
  flags: PlanFlags,
  hookFiles: readonly HookEntrySpec[] | undefined,
  namespaces?: readonly string[],
): Promise<PlanRequest> {
  const [{ getRestore, listPods }, { aroundRestore }] = await Promise.all([
    import('../../shared/kubernetes/velero/restores.ts'),
    import('../../shared/kubernetes/velero/around-restore.ts'),
  ]);
  const selector = podSelector(name, flags, namespaces);
  const [restore, { pods, notices }] = await Promise.all([
    getRestore(client, namespace, name),
    listPods(client, selector.labelSelector, selector.namespaces),
  ]);
  const around = await aroundRestore(client, { restore, namespace, selector, pods });
  const limits = namespaces === undefined || flags.podNamespace.length > 0 ? [] : [limited(namespaces)];
  return {
    restore,
    namespace,
    pods,
    ...around,
    notices: [...limits, ...around.notices, ...notices],
    selector,
    hookFiles,
    ...planning(flags),
    force: flags.force,
    includeExisting: flags.includeExisting,
    recreatePods: flags.recreatePods,
  };
}

const limited = (namespaces: readonly string[]): Notice => ({
  code: 'runner-limited',
  message: `the runner may work only in namespaces ${namespaces.join(', ')}: pods elsewhere take no part (setup --namespaces)`,
});

function podSelector(
  name: string,
  { selector, allNamespaces, podNamespace }: PlanFlags,
  namespaces: readonly string[] | undefined,
): PlanDocument['selector'] {
  const asked = podNamespace.length > 0 ? [...podNamespace] : namespaces && [...namespaces];
  if (selector === undefined) {
    if (allNamespaces || podNamespace.length > 0) {
      throw usage(
        '--all-namespaces and --pod-namespace go with --selector',
        "without it, Velero's label finds the pods",
      );
    }
    return { labelSelector: restoreSelector(name), ...(asked ? { namespaces: asked } : {}) };
  }
  if (allNamespaces === podNamespace.length > 0) {
    throw usage(
      '--selector needs either --all-namespaces or --pod-namespace',
      'say where the pods are: -A, or --pod-namespace NAMESPACE', // R1.14
    );
  }
  return { labelSelector: selector, ...(asked ? { namespaces: asked } : {}) };
}

const invalid = ({ file, line }: InputObject['source'], message: string, hint: string): RestoreHooksError =>
  new RestoreHooksError('INVALID_INPUT', `${file}:${line}: ${message}`, { hint });

/** `-f` gives a saved plan alone, or a Restore and the pods of its backup. */
export type FileInput =
  | { readonly kind: 'plan'; readonly plan: PlanDocument }
  | { readonly kind: 'manifests'; readonly request: PlanRequest };

export async function fileInput(
  files: readonly string[],
  flags: PlanFlags,
  namespace: string,
  context: Context,
): Promise<FileInput> {
  const input = await whileReading(context, (reading) => readInput(files, reading));
  const saved = await savedPlanIn(input.objects);
  if (saved !== undefined) {
    if (input.objects.length > 1) throw usage("a saved plan can't be combined with other objects in -f");
    return { kind: 'plan', plan: saved };
  }
  const hookFiles = await readHookFiles(flags.hooks, context);
  return { kind: 'manifests', request: manifestsRequest(input, flags, namespace, hookFiles) };
}

/** The saved plan among the objects of `-f`; undefined if there is none. */
export async function savedPlanIn(objects: readonly InputObject[]): Promise<PlanDocument | undefined> {
  const [saved, second] = objects.filter(isSavedPlan);
  if (saved === undefined) return undefined;
  if (second !== undefined) throw invalid(second.source, 'a second saved plan', 'give one');
  const { parsePlanDocument } = await import('../../shared/core/plan/parse-plan-document.ts');
  const parsed = parsePlanDocument(saved.object);
  if (parsed.ok) return parsed.value;
  throw invalid(
    saved.source,
    parsed.problems.slice(0, 5).map(problemLine).join('; '),
    'make it anew: kubectl restorehooks plan RESTORE -o json',
  );
}

function manifestsRequest(
  { objects, notices }: Input,
  flags: PlanFlags,
  namespace: string,
  hookFiles: readonly HookEntrySpec[] | undefined,
): PlanRequest {
  const given = theRestore(objects, '-f');
  const { pods, ...found } = podsIn(objects, given.restore);
  const all = [...notices, ...given.notices, ...passedOverNotices(objects), ...found.notices];
  if (!hasPods(objects)) {
    const message = '-f names no Pod, so there is none to plan: give those of the backup, or --backup-archive';
    all.push({ code: 'pods-missing', message });
  }
  return offlineRequest(
    given.restore,
    { ...found, notices: all, pods: pods.map(({ pod }) => pod) },
    { flags, namespace, hookFiles },
  );
}

/** A pod of the Restore's backup: as it will be restored, or why it won't be restored, or why it can't be read. */
export type PodOfBackup =
  | { readonly pod: Pod; readonly notices: readonly Notice[] }
  | { readonly skipped: PlanDocument['skipped'][number] }
  | { readonly notice: Notice };

/** The pod as it will be restored. Only annotations of hooks are kept: there may be very many pods. */
export function podOfBackup(restore: Restore, object: unknown, place: string): PodOfBackup {
  const parsed = PodModel.safeParse(object);
  if (!parsed.success) return { notice: unreadablePod(place, whyNoPod(object)) }; // R1.7
  const reason = whyNotRestored(restore, parsed.data);
  const { namespace, name } = parsed.data.metadata;
  if (reason !== undefined) return { skipped: { namespace, pod: name, reason } };
  const { metadata, ...pod } = asRestored(restore, parsed.data);
  const annotations = Object.fromEntries(Object.entries(metadata.annotations).filter(([key]) => isOfHooks(key)));
  const restored = { ...pod, metadata: { ...metadata, annotations } };
  return { pod: restored, notices: lossNotices(restored, object) };
}

const whyNoPod = (object: unknown): string => {
  const { name, generateName } = (object as { metadata?: { name?: unknown; generateName?: unknown } }).metadata ?? {};
  return generateName && !name
    ? 'the Pod has a generateName and no name, so nobody knows yet what it will be called'
    : 'not as Kubernetes writes pods';
};

export const unreadablePod = (place: string, why: string): Notice => ({
  code: 'pod-unreadable',
  message: `${place}: ${why}; left out`,
});

/** The request for a plan without live pods. */
export function offlineRequest(
  restore: Restore,
  found: Pick<PlanRequest, 'pods' | 'skipped' | 'notices'>,
  { flags, ...given }: { readonly flags: PlanningFlags } & Pick<PlanRequest, 'namespace' | 'hookFiles'>,
): PlanRequest {
  return {
    ...given,
    ...found,
    notices: [...modifierNotices(restore), ...(found.notices ?? [])],
    restore,
    selector: { labelSelector: restoreSelector(restore.metadata.name) },
    ...planning(flags),
  };
}

export const hasPods = (objects: readonly InputObject[]): boolean => objects.some(isPod);

/** The pods among the objects of `-f`, as the Restore will restore them, each with the object that it was read from. */
export function podsIn(objects: readonly InputObject[], restore: Restore) {
  const places = new Map<PodKey, string>();
  const found = objects.filter(isPod).map(({ object, source }) => {
    const place = `${source.file}:${source.line}`;
    const as = podOfBackup(restore, object, place);
    if ('pod' in as) {
      const { namespace, name } = as.pod.metadata;
      const first = places.get(podKey(namespace, name));
      if (first !== undefined) throw repeated(`pod ${namespace}/${name}`, first, place); // R1.5
      places.set(podKey(namespace, name), place);
    }
    return { object, as };
  });
  return {
    ...splitByFate(found.map(({ as }) => as)),
    pods: found.flatMap(({ object, as }) => ('pod' in as ? [{ pod: as.pod, object }] : [])),
  };
}

/** Split pods into those that will be restored, those that won't be, and notices. */
export const splitByFate = (pods: readonly PodOfBackup[]) => ({
  pods: pods.flatMap((each) => ('pod' in each ? [each.pod] : [])),
  skipped: pods.flatMap((each) => ('skipped' in each ? [each.skipped] : [])),
  notices: pods.flatMap((each) => ('notice' in each ? [each.notice] : 'notices' in each ? each.notices : [])),
});

const repeated = (what: string, first: string, second: string): RestoreHooksError =>
  new RestoreHooksError('INVALID_INPUT', `${what} stands at ${first} and again at ${second}`, {
    hint: 'give each pod once, in the namespace that it is restored to',
  });

/** The one Restore among the objects that a flag names, with notices about how it is written. */
export function theRestore(
  objects: readonly InputObject[],
  flag: string,
): { readonly restore: Restore; readonly notices: readonly Notice[]; readonly isNamed: boolean } {
  const [first, second] = objects.filter(isRestore);
  if (first === undefined) {
    const others = passedOverNotices(objects);
    throw usage(
      [`${flag} names no Restore`, ...others.map(({ message }) => message)].join('\n'),
      `give it a velero.io/v1 Restore${flag === '-f' ? ' beside the pods' : ''}`,
    );
  }
  if (second !== undefined)
    throw invalid(second.source, 'a second Restore; a plan is made for one', 'give one Restore');
  const place = `${first.source.file}:${first.source.line}`;
  const notices: Notice[] = unknownFieldsOfRestore(first.object).map((problem) => ({
    code: 'restore-field-unknown', // R1.11
    message: `${place}: ${problemLine(problem)}`,
  }));
  const { object, generated } = withName(first.object);
  if (generated !== undefined) {
    const message = `${place}: the Restore gets its name when it is created; it is planned as ${generated}`;
    notices.push({ code: 'restore-name-generated', message });
  }
  const parsed = parseRestore(object);
  if (!parsed.ok) throw invalid(first.source, parsed.problems.map(problemLine).join('; '), 'mend these fields');
  return { restore: parsed.value, notices, isNamed: generated === undefined };
}

/** A Restore with a generateName gets its name from the API server. It is planned under the name's beginning. */
function withName(object: ManifestObject): { object: ManifestObject; generated?: string } {
  const metadata = object['metadata'] as { name?: unknown; generateName?: unknown } | null | undefined;
  const { name, generateName } = metadata ?? {};
  if (name || typeof generateName !== 'string' || generateName === '') return { object };
  return { object: { ...object, metadata: { ...metadata, name: generateName } }, generated: generateName };
}
