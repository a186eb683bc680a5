import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { RESTORE_NAME_LABEL } from '../../shared/core/names.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { Loose, TestCluster } from '../e2e/cluster.ts';
import { openCluster, waitFor } from '../e2e/cluster.ts';
import { entry, exec, IMAGE } from '../e2e/harness.ts';

/** The Restores' namespace. */
export const VELERO = 'velero';
/** What the hooks are said to run; the bed's kubelet runs nothing. */
export const COMMAND = ['/bin/sh', '-c', 'echo restored'];
const NODES = 20;
const AT_ONCE = 24;
const CONTROL = 'http://127.0.0.1:10251';

export type Fault = 'refuse' | 'drop' | 'hang' | `exit ${number}`;

/** An exec that reached the kubelet. All but refused ones count as started. */
export interface SeenExec {
  readonly namespace: string;
  readonly pod: string;
  readonly command: readonly string[];
  readonly fault: Fault | '';
  /** How many commands ran when this one had started, itself included. */
  readonly running: number;
}

/** The kubelet of the bed. */
export const kubelet = {
  setLatency: (fromMs: number, toMs: number) => put('latency', { fromMs, toMs }),
  /** By `namespace/pod`: what happens to the next execs there, in this order. */
  setFaults: (faults: Readonly<Record<string, readonly Fault[]>>) => put('faults', faults),
  async execs(namespace: string): Promise<SeenExec[]> {
    const answer = await fetch(`${CONTROL}/execs?namespace=${namespace}`);
    return (await answer.json()) as SeenExec[];
  },
};

async function put(what: string, body: object): Promise<void> {
  const answer = await fetch(`${CONTROL}/${what}`, { method: 'PUT', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`the kubelet refuses: ${await answer.text()}`);
}

/** How kwok plays a pod (kwok.yaml): `{ 'ready-after': '20s' }`. */
export type Part = Partial<Record<'start-after' | 'ready-after' | 'crash-after' | 'restart-after', string>>;

/** The pods of one Restore, with one hook each if not told otherwise. */
export interface Crowd {
  /** The Restore's. */
  readonly name: string;
  readonly namespace: string;
  readonly pods: readonly string[];
  /** Make a pod of the crowd again. */
  create(pod: string): Promise<void>;
}

export interface CrowdOptions {
  /** Of each hook, beside its command. */
  readonly hook?: object;
  readonly hooksAPod?: number;
  readonly partOf?: (index: number) => Part;
  readonly labelsOf?: (index: number) => Record<string, string>;
}

/** In the scale bed (`testbed scale up`). */
export class ScaleWorld {
  readonly cluster: TestCluster;
  readonly #id = randomUUID().slice(0, 4);

  private constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  static async open(): Promise<ScaleWorld> {
    return new ScaleWorld(await openCluster());
  }

  /** Makes the pods, and doesn't wait until they run. */
  async crowd(
    title: string,
    count: number,
    { hook = {}, hooksAPod = 1, partOf = () => ({}), labelsOf = () => ({}) }: CrowdOptions = {},
  ): Promise<Crowd> {
    const name = `${title}-${this.#id}`;
    await this.cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    // There is no controller that does it.
    await this.cluster.create({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace: name },
    });
    await this.cluster.create({
      apiVersion: 'velero.io/v1',
      kind: 'Restore',
      metadata: { name, namespace: VELERO },
      spec: { hooks: { resources: [entry(Array.from({ length: hooksAPod }, () => exec(COMMAND, hook)))] } },
    });
    const pods = Array.from({ length: count }, (_, index) => `web-${index}`);
    const create = async (pod: string) => {
      const index = indexOf(pod);
      await this.cluster.create(podOf(name, pod, partOf(index), labelsOf(index)));
    };
    await inLanes(pods, create);
    return { name, namespace: name, pods, create };
  }

  /** Waits until no pod of the crowd is Pending. */
  async allRun({ name, namespace, pods }: Crowd): Promise<void> {
    const pending = { fieldSelector: 'status.phase=Pending', limit: 1 };
    const isDone = async () =>
      ((await this.cluster.client.get(paths.pods(namespace), pending)) as Loose).items.length === 0;
    await waitFor(`${pods.length} pods of ${name} to run`, isDone, 600_000);
  }

  /** A kubeconfig of a new user who may do everything, so that the user's requests can be told from others'. */
  async user(): Promise<{ kubeconfig: string; name: string }> {
    const kubeconfig = await this.cluster.userWith(VELERO, [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]);
    const { contexts } = JSON.parse(await readFile(kubeconfig, 'utf8'));
    return { kubeconfig, name: `system:serviceaccount:${VELERO}:${contexts[0].context.user}` };
  }

  close(): Promise<void> {
    return this.cluster.close();
  }
}

/** The pods of a crowd are web-0, web-1, … */
export const indexOf = (pod: string): number => Number(pod.slice('web-'.length));

/** A pod as Velero restores it, with what a workload's usually has. */
function podOf(restore: string, name: string, part: Part, labels: Record<string, string>): object {
  const probe = { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 10 };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: restore,
      labels: { app: 'web', 'app.kubernetes.io/name': 'web', [RESTORE_NAME_LABEL]: restore, ...labels },
      annotations: Object.fromEntries(Object.entries(part).map(([key, value]) => [`bed/${key}`, value])),
    },
    spec: {
      nodeName: `node${1 + (indexOf(name) % NODES)}`,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image: IMAGE,
          args: ['serve', '--port=8080'],
          env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
          ports: [{ containerPort: 8080 }],
          resources: { requests: { cpu: '1m', memory: '1Mi' } },
          readinessProbe: probe,
          livenessProbe: probe,
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
      ],
      volumes: [{ name: 'data', emptyDir: {} }],
    },
  };
}

/** Work on all, a bounded number at the same time. */
export async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = items.values();
  const lane = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/** A folder that is removed when this process ends the work. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'restorehooks-scale-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const environmentOf = (kubeconfig: string): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  // As the image has them.
  NODE_ENV: 'production',
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
  NODE_OPTIONS: '--max-semi-space-size=4',
  KUBECONFIG: kubeconfig,
});
