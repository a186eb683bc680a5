import { closest } from '../../core/closest.ts';
import { RestoreHooksError } from '../../core/errors.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';

/** What is known about a Restore that isn't where it was looked for, as far as the user may look. */
interface Whereabouts {
  /** The other namespaces that have a Restore of this name, sorted. */
  readonly elsewhere: readonly string[];
  /** The names of the Restores of the namespace, the first 500; undefined: they may not be listed. */
  readonly names: readonly string[] | undefined;
  readonly isNamespaceMissing: boolean;
}

/** Nobody waits longer for a better message. */
const LIMIT_MS = 3_000;
const MOST_NAMESPACES = 5;

/**
 * The same error, if it isn't that a Restore doesn't exist; else one that says where the Restore is: in another
 * namespace, or under a similar name (R7.64).
 */
export async function withWhereabouts(
  client: Pick<KubeClient, 'get' | 'list'>,
  namespace: string,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof RestoreHooksError) || error.code !== 'RESTORE_NOT_FOUND') return error;
  const name = kubeApiError(error.cause)?.name;
  if (name === undefined || name === '') return error;
  const found = await lookAround(client, namespace, name);
  const { message = error.message, hint = error.hint } = explained(found, namespace, name);
  return new RestoreHooksError(error.code, message, { ...(hint !== undefined && { hint }), cause: error.cause });
}

function explained(
  { elsewhere, names, isNamespaceMissing }: Whereabouts,
  namespace: string,
  name: string,
): { readonly message?: string; readonly hint?: string } {
  const [first] = elsewhere;
  const which = isNamespaceMissing ? `there is no namespace ${namespace}` : undefined;
  if (first !== undefined) {
    const more = elsewhere.length > MOST_NAMESPACES ? ', …' : '';
    const places = `${elsewhere.length === 1 ? 'namespace' : 'namespaces'} ${elsewhere.slice(0, MOST_NAMESPACES).join(', ')}${more}`;
    return {
      message: `${which ?? `there is no Restore ${name} in namespace ${namespace}`}; there is one in ${places}`,
      hint: `use it: -n ${first}`,
    };
  }
  if (which !== undefined) return { message: which, hint: "give the Restore's namespace with -n or VELERO_NAMESPACE" };
  if (names?.length === 0) {
    return { hint: `namespace ${namespace} has no Restores: give the Restore's namespace with -n or VELERO_NAMESPACE` };
  }
  const near = closest(name, names ?? []);
  return near === undefined ? {} : { hint: `did you mean ${near}?` };
}

async function lookAround(
  client: Pick<KubeClient, 'get' | 'list'>,
  namespace: string,
  name: string,
): Promise<Whereabouts> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), LIMIT_MS);
  });
  const inTime = <T>(asked: Promise<T>): Promise<T | undefined> => Promise.race([asked.catch(() => undefined), over]);
  const [everywhere, here, isNamespaceMissing] = await Promise.all([
    inTime(firstPage(client, undefined, `metadata.name=${name}`)),
    inTime(firstPage(client, namespace)),
    inTime(client.get(paths.namespaces(namespace)).then(() => false, isNotFound)),
  ]);
  clearTimeout(timer);
  const places = everywhere?.flatMap(({ metadata }) => metadata?.namespace ?? []) ?? [];
  return {
    elsewhere: places.filter((place) => place !== namespace).sort(),
    names: here?.flatMap(({ metadata }) => metadata?.name ?? []),
    isNamespaceMissing: isNamespaceMissing === true,
  };
}

const isNotFound = (error: unknown): boolean => error instanceof RestoreHooksError && error.code === 'NOT_FOUND';

interface Named {
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
}

async function firstPage(
  client: Pick<KubeClient, 'list'>,
  namespace: string | undefined,
  fieldSelector?: string,
): Promise<readonly Named[]> {
  for await (const { items } of client.list(paths.restores(namespace), { fieldSelector }))
    return items as readonly Named[];
  return [];
}
