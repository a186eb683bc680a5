import type { Mapping } from './rehearsal.ts';
import { REHEARSAL_LABEL, REHEARSAL_MAKER, REHEARSAL_VELERO } from './rehearsal.ts';

/** Of these a copy in the same cluster would take part in what the original does (R7.105). */
const NEVER_REHEARSED: readonly string[] = ['ingresses.networking.k8s.io', 'cronjobs.batch'];
/** Policies add up: one that is restored could allow again what ours denies. */
const POLICIES: readonly string[] = [
  'networkpolicies.networking.k8s.io',
  'ciliumnetworkpolicies.cilium.io',
  'networkpolicies.crd.projectcalico.org',
  'networkpolicies.projectcalico.org',
];

const PROGRAM_LABEL = { 'app.kubernetes.io/managed-by': 'restorehooks' };
const rehearsalLabels = (id: string): Record<string, string> => ({ ...PROGRAM_LABEL, [REHEARSAL_LABEL]: id });

/** The labels of the original that are taken over: what pods may do is the same there (R7.104). */
const keptLabels = (labels: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).filter(([key]) => key.startsWith('pod-security.kubernetes.io/')));

export interface RehearsalManifest {
  readonly apiVersion: string;
  readonly kind: 'Namespace' | 'NetworkPolicy' | 'Restore';
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: object;
}

/** `labels`: those of the original. */
export const namespaceManifest = (
  name: string,
  { id, maker, namespace: velero }: Pick<RestoreOfRehearsal, 'id' | 'maker' | 'namespace'>,
  labels: Readonly<Record<string, string>>,
): RehearsalManifest => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name,
    labels: { ...keptLabels(labels), ...rehearsalLabels(id) },
    annotations: { [REHEARSAL_MAKER]: maker, [REHEARSAL_VELERO]: velero },
  },
});

/**
 * Lets pods reach each other within the rehearsal, and name servers (R7.107). No label tells these in every cluster, so the
 * ports of DNS are open to every pod. OpenShift's name servers listen on 5353.
 */
export function egressPolicy(namespace: string, id: string): RehearsalManifest {
  const dns = [53, 5353].flatMap((port) => ['UDP', 'TCP'].map((protocol) => ({ protocol, port })));
  const metadata = { name: 'restorehooks-deny-egress', namespace, labels: rehearsalLabels(id) };
  const spec = {
    podSelector: {},
    policyTypes: ['Egress'],
    egress: [
      { to: [{ namespaceSelector: { matchLabels: { [REHEARSAL_LABEL]: id } } }] },
      { to: [{ namespaceSelector: {} }, { ipBlock: { cidr: NODE_LOCAL_DNS } }], ports: dns },
    ],
  };
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec };
}

/** The address on which a node's own DNS cache listens. */
const NODE_LOCAL_DNS = '169.254.20.10/32';

export interface RestoreOfRehearsal {
  readonly name: string;
  /** Velero's. */
  readonly namespace: string;
  readonly backup: string;
  readonly id: string;
  readonly maker: string;
  readonly mapping: Mapping;
  readonly excluded: readonly string[];
  readonly denyEgress: boolean;
}

export const excludedResources = ({ excluded, denyEgress }: Pick<RestoreOfRehearsal, 'excluded' | 'denyEgress'>) => [
  ...new Set([...NEVER_REHEARSED, ...(denyEgress ? POLICIES : []), ...excluded]),
];

/** The Restore. It has no hooks, so Velero runs none but those of annotations (R7.105). */
export function restoreManifest(of: RestoreOfRehearsal): RehearsalManifest {
  const { name, namespace, backup, id, maker, mapping } = of;
  const metadata = { name, namespace, labels: rehearsalLabels(id), annotations: { [REHEARSAL_MAKER]: maker } };
  const spec = {
    backupName: backup,
    includedNamespaces: [...mapping.keys()],
    namespaceMapping: Object.fromEntries(mapping),
    excludedResources: excludedResources(of),
    existingResourcePolicy: 'none',
    preserveNodePorts: false,
  };
  return { apiVersion: 'velero.io/v1', kind: 'Restore', metadata, spec };
}
