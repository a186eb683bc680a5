import { closest } from '../../shared/core/closest.ts';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Pod } from '../../shared/core/model/pod.ts';
import { Pod as PodModel } from '../../shared/core/model/pod.ts';
import type { PodToExplain } from '../../shared/core/plan/explain.ts';
import type { PlanRequest } from '../../shared/core/plan/plan-run.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { usage } from '../command-line/session.ts';

/**
 * The pods that `--explain` names, as `NAMESPACE/POD`, `POD` or `pod/POD`. A pod that the request has not selected is
 * looked for among those without the label, among those that were skipped, and then in the cluster. Rejects with exit
 * code 2 and the nearest names if there is no such pod.
 */
export async function podsToExplain(
  request: PlanRequest,
  wanted: readonly string[],
  client?: Pick<KubeClient, 'listAll'>,
): Promise<PodToExplain[]> {
  const found = await Promise.all(wanted.map((name) => podsNamed(request, name, client)));
  return found.flat();
}

interface Name {
  readonly namespace: string | undefined;
  readonly name: string;
}

function nameOf(text: string): Name {
  const [first = '', second, ...more] = text.split('/');
  if (first === '' || second === '' || more.length > 0) {
    throw usage(`--explain ${JSON.stringify(text)} is no pod`, 'give it as NAMESPACE/POD or POD');
  }
  if (second === undefined) return { namespace: undefined, name: first };
  return { namespace: first === 'pod' || first === 'pods' ? undefined : first, name: second };
}

async function podsNamed(
  request: PlanRequest,
  text: string,
  client: Pick<KubeClient, 'listAll'> | undefined,
): Promise<PodToExplain[]> {
  const wanted = nameOf(text);
  const isIt = (namespace: string, name: string): boolean =>
    name === wanted.name && (wanted.namespace === undefined || namespace === wanted.namespace);
  const among = (pods: readonly Pod[], isSelected: boolean): PodToExplain[] =>
    pods.filter(({ metadata }) => isIt(metadata.namespace, metadata.name)).map((pod) => ({ pod, isSelected }));
  const selected = among(request.pods, true);
  if (selected.length > 0) return selected;
  const skipped = (request.skipped ?? []).filter(({ namespace, pod }) => isIt(namespace, pod));
  if (skipped.length > 0) return skipped.map((each) => ({ skipped: each }));
  const without = among(request.others ?? [], false);
  if (without.length > 0) return without;
  const { pods, isDenied } = client === undefined ? NOWHERE : await lookFor(client, wanted);
  if (pods.length > 0) return among(pods, false);
  throw noSuchPod(request, text, isDenied);
}

const NOWHERE: { readonly pods: readonly Pod[]; readonly isDenied: boolean } = { pods: [], isDenied: false };

/** A list instead of a get: who may list pods of a namespace may always do this. */
async function lookFor(client: Pick<KubeClient, 'listAll'>, { namespace, name }: Name): Promise<typeof NOWHERE> {
  const { paths } = await import('../../shared/kubernetes/api/paths.ts');
  try {
    const { items } = await client.listAll(namespace === undefined ? paths.pods() : paths.pods(namespace), {
      fieldSelector: `metadata.name=${name}`,
    });
    return { pods: items.flatMap((object) => PodModel.safeParse(object).data ?? []), isDenied: false };
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'FORBIDDEN') return { pods: [], isDenied: true };
    throw error;
  }
}

const MOST_NEAR = 3;

function noSuchPod(request: PlanRequest, text: string, isDenied: boolean): RestoreHooksError {
  const { name } = nameOf(text);
  const known = new Set([
    ...[...request.pods, ...(request.others ?? [])].map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    ...(request.skipped ?? []).map(({ namespace, pod }) => `${namespace}/${pod}`),
  ]);
  const near: string[] = [];
  while (near.length < MOST_NEAR) {
    const names = new Map([...known].map((full) => [full.slice(full.indexOf('/') + 1), full]));
    const next = names.get(name) ?? names.get(closest(name, names.keys()) ?? '');
    if (next === undefined) break;
    near.push(next);
    known.delete(next);
  }
  const hint =
    near.length > 0
      ? `did you mean ${near.join(', ')}?`
      : `list the pods of the plan: kubectl restorehooks plan ${request.restore.metadata.name} -n ${request.namespace}`;
  const what = isDenied
    ? `pod ${text} is not among those that ${request.selector.labelSelector} finds, and you may not list pods elsewhere`
    : `there is no pod ${text}`;
  return usage(what, hint);
}
