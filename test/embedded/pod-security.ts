import type { Container, PodSpec } from './objects.ts';
import { isRecord } from './objects.ts';

/** The checks of Pod Security that the tests' pods can fail, in the words of the real one. */

interface Security {
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly seccompProfile?: { readonly type?: string };
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
}
export type Level = 'privileged' | 'baseline' | 'restricted';

const securityOf = ({ securityContext: of }: Container | PodSpec): Security => (isRecord(of) ? of : {});
const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ');
const containersText = (at: readonly Container[]): string =>
  `container${at.length === 1 ? '' : 's'} ${quoted(at.map((each) => each.name))}`;

/** `what (who must do this)`, or nothing. */
export function violations(level: Level, spec: PodSpec): string[] {
  const all = [...(spec.initContainers ?? []), ...spec.containers];
  const faults = (what: string, wrong: (security: Security) => boolean, must: string): string[] => {
    const found = all.filter((each) => wrong(securityOf(each)));
    return found.length === 0 ? [] : [`${what} (${containersText(found)} ${must})`];
  };
  const namespaces = ['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => spec[field] === true);
  const hostPaths = (spec.volumes ?? []).filter((each) => 'hostPath' in each);
  const hostPorts = all.filter((each) => portsOf(each).length > 0);
  const allPorts = [...new Set(hostPorts.flatMap(portsOf))];
  const volumeText = `volume${hostPaths.length === 1 ? '' : 's'} ${quoted(hostPaths.map((each) => each.name))}`;
  const baseline = [
    ...(namespaces.length === 0 ? [] : [`host namespaces (${namespaces.map((field) => `${field}=true`).join(', ')})`]),
    ...faults('privileged', (each) => each.privileged === true, 'must not set securityContext.privileged=true'),
    ...(hostPaths.length === 0 || level === 'restricted' ? [] : [`hostPath volumes (${volumeText})`]),
    ...(hostPorts.length === 0
      ? []
      : [
          `hostPort (${containersText(hostPorts)} use${hostPorts.length === 1 ? 's' : ''} hostPort${allPorts.length === 1 ? '' : 's'} ${allPorts.join(', ')})`,
        ]),
  ];
  if (level === 'privileged') return [];
  return level === 'baseline' ? baseline : [...baseline, ...restricted(spec, all, faults, hostPaths, volumeText)];
}

const portsOf = (container: Container): number[] =>
  (Array.isArray(container['ports']) ? container['ports'] : []).flatMap(({ hostPort }) => (hostPort ? [hostPort] : []));

function restricted(
  spec: PodSpec,
  all: readonly Container[],
  faults: (what: string, wrong: (security: Security) => boolean, must: string) => string[],
  hostPaths: readonly unknown[],
  volumeText: string,
): string[] {
  const pod = securityOf(spec);
  const inPod = (field: 'runAsNonRoot' | 'seccompProfile'): Container[] =>
    pod[field] === undefined ? all.filter((each) => securityOf(each)[field] === undefined) : [];
  const notNonRoot = inPod('runAsNonRoot');
  const noSeccomp = inPod('seccompProfile');
  const undropped = all.filter((each) => !(securityOf(each).capabilities?.drop ?? []).includes('ALL'));
  const added = all.flatMap((each) =>
    (securityOf(each).capabilities?.add ?? [])
      .filter((name) => name !== 'NET_BIND_SERVICE')
      .map((name) => ({ each, name })),
  );
  const capabilities = [
    ...(undropped.length === 0
      ? []
      : [`${containersText(undropped)} must set securityContext.capabilities.drop=["ALL"]`]),
    ...(added.length === 0
      ? []
      : [
          `${containersText([...new Set(added.map(({ each }) => each))])} must not include ${quoted(added.map(({ name }) => name))} in securityContext.capabilities.add`,
        ]),
  ];
  const seccomp = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"';
  return [
    ...faults(
      'allowPrivilegeEscalation != false',
      (each) => each.allowPrivilegeEscalation !== false,
      'must set securityContext.allowPrivilegeEscalation=false',
    ),
    ...(capabilities.length === 0 ? [] : [`unrestricted capabilities (${capabilities.join('; ')})`]),
    ...(hostPaths.length === 0
      ? []
      : [`restricted volume types (${volumeText} uses restricted volume type "hostPath")`]),
    ...(notNonRoot.length === 0
      ? []
      : [`runAsNonRoot != true (pod or ${containersText(notNonRoot)} must set securityContext.runAsNonRoot=true)`]),
    ...(pod.runAsUser === 0 ? ['runAsUser=0 (pod must not set runAsUser=0)'] : []),
    ...faults('runAsUser=0', (each) => each.runAsUser === 0, 'must not set runAsUser=0'),
    ...(noSeccomp.length === 0 ? [] : [`seccompProfile (pod or ${containersText(noSeccomp)} ${seccomp})`]),
  ];
}
