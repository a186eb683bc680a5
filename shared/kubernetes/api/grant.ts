import type { Right } from '../../core/manifests/rbac.ts';

/** As kubectl's `--resource` takes it: `pods/exec`, `restores.velero.io`. */
const resourceText = ({ group, resource, subresource }: Right): string =>
  `${resource}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}`;

const placeText = (namespace: string | undefined): string =>
  namespace === undefined ? 'in the whole cluster' : `in namespace ${namespace}`;

interface Grant {
  readonly namespace: string | undefined;
  readonly verbs: readonly string[];
  readonly resources: readonly string[];
}

/** The same rights in as few parts as possible: each grants all its verbs on all its resources in one place. */
function grantsOf(rights: readonly Right[]): Grant[] {
  const verbs = Map.groupBy(rights, (right) => `${resourceText(right)} ${right.namespace ?? ''}`);
  const each = [...verbs.values()].map((own) => ({
    namespace: own[0]?.namespace,
    resource: own[0] === undefined ? '' : resourceText(own[0]),
    verbs: [...new Set(own.map(({ verb }) => verb))],
  }));
  const alike = Map.groupBy(each, ({ namespace, verbs: own }) => `${namespace ?? ''} ${own.join()}`);
  return [...alike.values()].map((own) => ({
    namespace: own[0]?.namespace,
    verbs: own[0]?.verbs ?? [],
    resources: own.map(({ resource }) => resource),
  }));
}

/** Such as `get, create pods/exec in namespace a; patch restores.velero.io in namespace b`, for messages. */
export function rightsText(rights: readonly Right[]): string {
  const grants = grantsOf(rights).map(
    ({ verbs, resources, namespace }) => `${verbs.join(', ')} ${resources.join(', ')} ${placeText(namespace)}`,
  );
  return grants.join('; ');
}

/**
 * The command line with which an administrator gives these rights, and no others, to a user by the name that the API
 * server knows (R7.63).
 */
export function grantCommand(user: string, rights: readonly Right[]): string {
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user);
  const subject =
    account === null ? `--user=${inShell(user)}` : `--serviceaccount=${inShell(`${account[1]}:${account[2]}`)}`;
  const commands = grantsOf(rights).flatMap(({ namespace, verbs, resources }) => {
    const kind = namespace === undefined ? 'clusterrole' : 'role';
    const at = namespace === undefined ? '' : ` -n ${namespace}`;
    const name = inShell(`${account?.[2] ?? user}:${verbs.join('-')}-${resources.join('-')}`.replaceAll('/', '-'));
    return [
      `kubectl create ${kind} ${name}${at} --verb=${verbs.join()} --resource=${resources.join()}`,
      `kubectl create ${kind}binding ${name}${at} --${kind}=${name} ${subject}`,
    ];
  });
  return commands.join(' && ');
}

const inShell = (text: string): string => (/^[\w@.:/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
