import * as z from 'zod';
import type { KubeObject } from '../../shared/kubernetes/api/kube-object.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { Session } from '../command-line/session.ts';
import type { Found } from './checks.ts';
import { ok, warning } from './checks.ts';
import type { RunnerPod } from './start.ts';

type Texts = Readonly<Record<string, string>>;
interface Marked {
  readonly labels: Texts;
  readonly annotations: Texts;
}

/** A service mesh: how its sidecar is called, what of a namespace asks for it, and what keeps it out of a pod. */
interface Mesh {
  readonly container: string;
  asks(namespace: Marked): string | undefined;
  isOut(pod: Marked): boolean;
  readonly patch: object;
}

const inPod = (metadata: object) => ({ spec: { template: { metadata } } });

const MESHES: readonly Mesh[] = [
  {
    container: 'istio-proxy',
    asks({ labels }) {
      const injection = labels['istio-injection'];
      if (injection !== undefined) return injection === 'enabled' ? 'label istio-injection=enabled' : undefined;
      const revision = labels['istio.io/rev'];
      return revision === undefined ? undefined : `label istio.io/rev=${revision}`;
    },
    isOut: ({ labels, annotations }) =>
      (labels['sidecar.istio.io/inject'] ?? annotations['sidecar.istio.io/inject']) === 'false',
    patch: inPod({ labels: { 'sidecar.istio.io/inject': 'false' } }),
  },
  {
    container: 'linkerd-proxy',
    asks({ annotations }) {
      const inject = annotations['linkerd.io/inject'];
      return inject === 'enabled' || inject === 'ingress' ? `annotation linkerd.io/inject=${inject}` : undefined;
    },
    isOut: ({ annotations }) => annotations['linkerd.io/inject'] === 'disabled',
    patch: inPod({ annotations: { 'linkerd.io/inject': 'disabled' } }),
  },
];

const Metadata = z.object({
  labels: z.record(z.string(), z.string()).nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
});
const Namespace = z.object({ metadata: Metadata });
const Pod = z.object({
  spec: z.object({
    containers: z.array(z.object({ name: z.string() })),
    initContainers: z.array(z.object({ name: z.string(), restartPolicy: z.string().nullish() })).nullish(),
  }),
});

const PATIENT = 'the run ends all the same, and apply with it, but the Job ends only when that container does';

/**
 * Containers that would keep the Job from ending when the runner has (R8.26). `taken`: the pod as a dry run has made it,
 * with what webhooks add.
 */
export async function sidecars(
  { client, namespace }: Session,
  pod: RunnerPod,
  taken: KubeObject | undefined,
): Promise<Found> {
  const spec = Pod.safeParse(taken).data?.spec;
  const { containers, initContainers } = spec ?? { containers: pod.spec.containers };
  const beside = containers.filter(({ name }) => name !== 'runner').map(({ name }) => name);
  if (beside.length > 0) {
    const mesh = MESHES.find(({ container }) => beside.includes(container));
    return warning(
      `beside the runner its pod has ${beside.join(', ')}: ${PATIENT}`,
      mesh === undefined
        ? 'keep it out with the label or annotation that its webhook knows, by --job-patch; or make it a native sidecar'
        : withPatch(mesh),
    );
  }
  const native = (initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  if (native.length > 0) {
    return ok(`${native.map(({ name }) => name).join(', ')}: native sidecars, which end with the runner`);
  }
  const { metadata } = Namespace.parse(await client.get(paths.namespaces(namespace)));
  const place = marked(metadata);
  for (const mesh of MESHES) {
    const why = mesh.asks(place);
    if (why === undefined || mesh.isOut(marked(pod.metadata))) continue;
    return warning(
      `namespace ${namespace} has the ${why}, so the runner's pod may get the container ${mesh.container}: ${PATIENT}`,
      withPatch(mesh),
    );
  }
  return ok('nothing is known to add a container to the runner');
}

const marked = ({ labels, annotations }: z.infer<typeof Metadata>): Marked => ({
  labels: labels ?? {},
  annotations: annotations ?? {},
});

const withPatch = ({ patch }: Mesh): string =>
  `keep it out: give apply --job-patch a file with ${JSON.stringify(patch)}, or keep that with setup --defaults`;
