import type { Right } from '../../core/manifests/rbac.ts';

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PATCH: 'patch', DELETE: 'delete' };
const PATH =
  /^\/(?:api|apis\/(?<group>[^/]+))\/[^/]+(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<resource>[^/]+)(?:\/(?<name>[^/]+)(?:\/(?<subresource>[^/]+))?)?$/;

/** What a request asks for, in Kubernetes' words: `get` of `pods`, `create` of `pods/exec`. */
export function verbOf(method: string, path: string): { readonly verb: string; readonly resource: string } {
  const { resource = 'other', name, subresource } = PATH.exec(path.split('?')[0] ?? '')?.groups ?? {};
  const verb = method === 'GET' ? (name === undefined ? 'list' : 'get') : (VERBS[method] ?? method.toLowerCase());
  return { verb, resource: subresource === undefined ? resource : `${resource}/${subresource}` };
}

const REVIEWS = 'authorization.k8s.io';

/** The right that a write needs, in the form of an access review; undefined for reads and for access reviews. */
export function rightOfRequest({
  method,
  path,
}: {
  readonly method: string;
  readonly path: string;
}): (Right & { readonly name?: string }) | undefined {
  const verb = VERBS[method];
  const { group = '', resource, namespace, name, subresource } = PATH.exec(path.split('?')[0] ?? '')?.groups ?? {};
  if (verb === undefined || resource === undefined || group === REVIEWS) return undefined;
  const at = decodeURIComponent;
  return {
    group,
    resource,
    verb,
    ...(subresource !== undefined && { subresource }),
    ...(namespace !== undefined && { namespace: at(namespace) }),
    ...(name !== undefined && { name: at(name) }),
  };
}
