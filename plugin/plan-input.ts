import { RestoreHooksError } from '../shared/core/errors.ts';
import type { Pod } from '../shared/core/model/pod.ts';
import { Pod as PodModel } from '../shared/core/model/pod.ts';
import { problemLine } from '../shared/core/model/problem.ts';
import type { Restore, RestoreResourceHookSpec } from '../shared/core/model/restore.ts';
import { parseRestore, parseRestoreHooks } from '../shared/core/model/restore.ts';
import { isOfHooks } from '../shared/core/plan/annotations.ts';
import type { Notice } from '../shared/core/plan/notice.ts';
import type { PlanRequest } from '../shared/core/plan/plan-run.ts';
import { restoreSelector } from '../shared/core/plan/pods-of-restore.ts';
import { asRestored, lossNotices, modifierNotices, whyNotRestored } from '../shared/core/plan/restored-pod.ts';
import type { PlanDocument } from '../shared/core/report/plan-document.ts';
import type { Flags } from './command.ts';
import type { Context } from './context.ts';
import { readInput } from './input.ts';
import type { InputObject } from './manifests.ts';
import type { Session } from './session.ts';
import { usage } from './session.ts';

/** The flags that say what is planned: `plan` and `apply` take the same. */
export const planArgs = {
  hooks: {
    type: 'list',
    value: 'FILE',
    description: "Hooks of your own (kind RestoreHooks), instead of the Restore's; can be repeated",
  },
  only: { type: 'strings', value: 'HOOK|POD', description: 'Only this hook, or this pod; can be repeated' },
  rerun: { type: 'boolean', description: 'Plan also the hooks that Velero has run, perhaps in part' },
  force: { type: 'boolean', description: "Go on although Velero isn't done with the Restore" },
  'include-existing': {
    type: 'boolean',
    description: "Take in pods with the Restore's label that were there before it (existingResourcePolicy: update)",
  },
  'recreate-pods': {
    type: 'boolean',
    description: 'Delete pods that lack their init containers and have no controller, and create them anew with them',
  },
  selector: {
    type: 'string',
    short: 'l',
    value: 'SELECTOR',
    description: "Select the pods by hand, not by Velero's label",
  },
  'all-namespaces': { type: 'boolean', short: 'A', description: 'With --selector: pods of all namespaces' },
  'pod-namespace': { type: 'list', value: 'NAMESPACE', description: 'With --selector: pods of these namespaces' },
} as const satisfies Flags;

export interface PlanFlags {
  readonly hooks: readonly string[];
  readonly only: readonly string[];
  readonly rerun: boolean;
  readonly force: boolean;
  readonly includeExisting: boolean;
  readonly recreatePods: boolean;
  readonly selector: string | undefined;
  readonly allNamespaces: boolean;
  readonly podNamespace: readonly string[];
}

/** What a live plan is made of. `namespaces`: where the runner's rights end, if they do. */
export async function liveInput(
  { client, namespace }: Session,
  name: string,
  flags: PlanFlags,
  hookFiles: readonly RestoreResourceHookSpec[] | undefined,
  namespaces?: readonly string[],
): Promise<PlanRequest> {
  const [{ getRestore, listPods }, { aroundRestore }] = await Promise.all([
    import('../shared/kubernetes/restores.ts'),
    import('../shared/kubernetes/around-restore.ts'),
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
    rerun: flags.rerun,
    force: flags.force,
    includeExisting: flags.includeExisting,
    only: flags.only,
    recreatePods: flags.recreatePods,
  };
}

const limited = (namespaces: readonly string[]): Notice => ({
  code: 'runner-limited',
  message: `the runner's rights end with namespaces ${namespaces.join(', ')}: pods elsewhere take no part (setup --namespaces)`,
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
      'say where the pods are: -A, or --pod-namespace NAMESPACE',
    );
  }
  return { labelSelector: selector, ...(asked ? { namespaces: asked } : {}) };
}

export async function readHookFiles(
  files: readonly string[],
  context: Context,
): Promise<readonly RestoreResourceHookSpec[] | undefined> {
  if (files.length === 0) return undefined;
  return (await readInput(files, context)).flatMap(({ object, source }) => {
    const parsed = parseRestoreHooks(object);
    if (parsed.ok) return parsed.value.spec.resources;
    throw invalid(
      source,
      parsed.problems.map(problemLine).join('; '),
      'expected kind RestoreHooks of restorehooks.io/v1',
    );
  });
}

const invalid = ({ file, line }: InputObject['source'], message: string, hint: string): RestoreHooksError =>
  new RestoreHooksError('INVALID_INPUT', `${file}:${line}: ${message}`, { hint });

/** What `-f` may hold: a saved plan alone, or a Restore and the pods of its backup. */
export type FileInput =
  | { readonly kind: 'plan'; readonly plan: PlanDocument }
  | { readonly kind: 'manifests'; readonly request: PlanRequest };

export async function fileInput(
  files: readonly string[],
  flags: PlanFlags,
  namespace: string,
  context: Context,
): Promise<FileInput> {
  const objects = await readInput(files, context);
  const saved = await savedPlanIn(objects);
  if (saved !== undefined) {
    if (objects.length > 1) throw usage('a saved plan stands alone: -f names more than one object');
    return { kind: 'plan', plan: saved };
  }
  const hookFiles = await readHookFiles(flags.hooks, context);
  return { kind: 'manifests', request: manifestsRequest(objects, flags, namespace, hookFiles) };
}

/** The saved plan among what `-f` names. */
export async function savedPlanIn(objects: readonly InputObject[]): Promise<PlanDocument | undefined> {
  const [saved, second] = objects.filter(({ object }) => kindOf(object) === 'RestoreHookPlan');
  if (saved === undefined) return undefined;
  if (second !== undefined) throw invalid(second.source, 'a second saved plan', 'give one');
  const { parsePlanDocument } = await import('../shared/core/report/plan-document.ts');
  const parsed = parsePlanDocument(saved.object);
  if (parsed.ok) return parsed.value;
  throw invalid(
    saved.source,
    parsed.problems.slice(0, 5).map(problemLine).join('; '),
    'make it anew: kubectl restorehooks plan RESTORE -o json',
  );
}

function manifestsRequest(
  objects: readonly InputObject[],
  flags: PlanFlags,
  namespace: string,
  hookFiles: readonly RestoreResourceHookSpec[] | undefined,
): PlanRequest {
  const restore = theRestore(objects, '-f');
  const { pods, ...found } = podsIn(objects, restore);
  return offlineRequest(restore, { ...found, pods: pods.map(({ pod }) => pod) }, { flags, namespace, hookFiles });
}

/** A pod of the Restore's backup: as it will be restored, or why it won't be, or what is wrong with it. */
export type PodOfBackup =
  | { readonly pod: Pod; readonly notices: readonly Notice[] }
  | { readonly skipped: PlanDocument['skipped'][number] }
  | { readonly notice: Notice };

/** Of the pod itself only what a plan needs: there may be very many of them. */
export function podOfBackup(restore: Restore, object: unknown, place: string): PodOfBackup {
  const parsed = PodModel.safeParse(object);
  if (!parsed.success) return { notice: unreadable(place, 'not as Kubernetes writes pods') };
  const reason = whyNotRestored(restore, parsed.data);
  const { namespace, name } = parsed.data.metadata;
  if (reason !== undefined) return { skipped: { namespace, pod: name, reason } };
  const { metadata, ...pod } = asRestored(restore, parsed.data);
  const annotations = Object.fromEntries(Object.entries(metadata.annotations).filter(([key]) => isOfHooks(key)));
  const restored = { ...pod, metadata: { ...metadata, annotations } };
  return { pod: restored, notices: lossNotices(restored, object) };
}

export const unreadable = (place: string, why: string): Notice => ({
  code: 'pod-unreadable',
  message: `${place}: ${why}; left out`,
});

/** What a plan without live pods is made of. */
export function offlineRequest(
  restore: Restore,
  found: Pick<PlanRequest, 'pods' | 'skipped' | 'notices'>,
  {
    flags,
    ...given
  }: { readonly flags: Pick<PlanFlags, 'rerun' | 'only'> } & Pick<PlanRequest, 'namespace' | 'hookFiles'>,
): PlanRequest {
  return {
    ...given,
    ...found,
    notices: [...modifierNotices(restore), ...(found.notices ?? [])],
    restore,
    selector: { labelSelector: restoreSelector(restore.metadata.name) },
    rerun: flags.rerun,
    only: flags.only,
  };
}

export const hasPods = (objects: readonly InputObject[]): boolean =>
  objects.some(({ object }) => kindOf(object) === 'Pod');

/** The pods of a backup among what `-f` names, as the Restore restores them, each with what it was made of. */
export function podsIn(objects: readonly InputObject[], restore: Restore) {
  const found = objects
    .filter(({ object }) => kindOf(object) === 'Pod')
    .map(({ object, source }) => ({ object, as: podOfBackup(restore, object, `${source.file}:${source.line}`) }));
  return {
    ...apartFrom(found.map(({ as }) => as)),
    pods: found.flatMap(({ object, as }) => ('pod' in as ? [{ pod: as.pod, object }] : [])),
  };
}

/** Pods, and what became of those that are none. */
export const apartFrom = (pods: readonly PodOfBackup[]) => ({
  pods: pods.flatMap((each) => ('pod' in each ? [each.pod] : [])),
  skipped: pods.flatMap((each) => ('skipped' in each ? [each.skipped] : [])),
  notices: pods.flatMap((each) => ('notice' in each ? [each.notice] : 'notices' in each ? each.notices : [])),
});

/** The one Restore among what a flag names. */
export function theRestore(objects: readonly InputObject[], flag: string): Restore {
  const [first, second] = objects.filter(({ object }) => kindOf(object) === 'Restore');
  if (first === undefined) {
    throw usage(`${flag} names no Restore`, `give it a velero.io/v1 Restore${flag === '-f' ? ' beside the pods' : ''}`);
  }
  if (second !== undefined)
    throw invalid(second.source, 'a second Restore; a plan is made for one', 'give one Restore');
  const parsed = parseRestore(first.object);
  if (!parsed.ok) throw invalid(first.source, parsed.problems.map(problemLine).join('; '), 'mend these fields');
  return parsed.value;
}

export const kindOf = (object: unknown): unknown => (object as { kind?: unknown } | null)?.kind;
