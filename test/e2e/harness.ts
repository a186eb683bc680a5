import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { RESTORE_NAME_LABEL } from '../../shared/core/names.ts';
import { DEFAULT_IMAGE } from '../../shared/core/version.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { EmbeddedClusterOptions } from '../embedded/server.ts';
import type { Loose, Rule, TestCluster } from './cluster.ts';
import { isReal, openCluster, waitFor } from './cluster.ts';
import type { Going, Plugin, Ran } from './plugin.ts';
import { pluginWith } from './plugin.ts';
import { signalRunners } from './runners.ts';

export type { Loose, Rule, TestCluster } from './cluster.ts';
export { isReal, waitFor } from './cluster.ts';
export type { Plugin, Ran, Started } from './plugin.ts';

/*
 * One suite for two servers: with RESTOREHOOKS_TEST_CLUSTER=1 the real cluster that KUBECONFIG names (the runner's image
 * must be loaded there), else a server in this process. A test file:
 *
 *   const e2e = await startSuite();          // a Restore namespace of its own, with `setup --apply` done
 *   after(() => e2e.close());
 *
 *   it('runs a hook', async () => {
 *     const scene = await e2e.scene('simple');                        // a Restore's name and a namespace for its pods
 *     await scene.pod('web-0');                                       // one container `main`, restored by that Restore
 *     await scene.restore({ hooks: [entry(exec(mark('warm')))] });    // spec.hooks.resources
 *     const ran = await scene.apply();                                // kubectl restorehooks apply NAME -n … -o json
 *     assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed']);
 *     assert.deepEqual(await scene.marks('web-0'), ['warm']);         // counted from outside: what was executed
 *   });
 *
 * A test that only one of the servers can run: `it('…', { skip: !isReal && 'needs a real cluster' }, …)`.
 * On the embedded server containers are folders and commands are local processes: use relative paths.
 */

export const IMAGE = 'testbed.local/busybox:1';
/** An image that can't be pulled. */
export const NO_IMAGE = 'no-such.invalid/image:1';
/** The annotation keys of Velero's and of our own exec hooks. */
export const VELERO = 'post.hook.restore.velero.io';
export const OWN = 'post.hook.restorehooks.io';

/** A command that leaves a line in the container. */
export const mark = (line: string): string[] => ['sh', '-c', `echo ${line} >> marks`];
/** A command that leaves `begun`, waits until the test opens the container's gate (`scene.open`), and leaves `ended`. */
export const gated = (then = ''): string[] =>
  sh(`echo begun >> marks; while [ ! -f gate ]; do sleep 0.1; done; echo ended >> marks; ${then}`);
/** A command of the shell. */
export const sh = (script: string): string[] => ['sh', '-c', script];
/** An exec hook as a Restore's spec has it. */
export const exec = (command: readonly string[], more: object = {}) => ({ exec: { command, ...more } });
/** One of `spec.hooks.resources`; the last argument may be `{ name, labelSelector, … }`. */
export const entry = (postHooks: object | readonly object[], more: object = {}) => ({
  name: 'e2e',
  postHooks: Array.isArray(postHooks) ? postHooks : [postHooks],
  ...more,
});
/** The text of a file for `--hooks`. */
export const hooksDocument = (resources: readonly object[]): string =>
  JSON.stringify({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks', spec: { resources } });
/** An entry for the pods of one app. */
export const hooksOf = (app: string, ...postHooks: object[]) =>
  entry(postHooks, { name: app, labelSelector: { matchLabels: { app } } });
/** The environment in which a completion may take so much longer. */
export const noHurry = (ms: number) => ({
  NODE_OPTIONS: `--import=${join(import.meta.dirname, 'no-hurry.mjs')}`,
  HURRY_LESS_MS: String(ms),
});
/** A container that is ready once the test opens its gate (`scene.open`). */
export const readyWhenOpen = {
  name: 'main',
  readinessProbe: { exec: { command: ['test', '-f', 'gate'] }, periodSeconds: 1, failureThreshold: 1 },
};
/** How each hook ended, by pod and index. */
export const endings = ({ hooks }: Loose): Record<string, string> =>
  Object.fromEntries(
    hooks.map(({ pod, index, state, reason }: Loose) => [
      `${pod} ${index}`,
      reason === undefined ? state : `${state} (${reason})`,
    ]),
  );
/** Annotations of a pod: `hookAnnotations(VELERO, mark('x'), { 'on-error': 'Fail' })`. */
export const hookAnnotations = (prefix: string, command: readonly string[] | string, more: object = {}) => ({
  [`${prefix}/command`]: typeof command === 'string' ? command : JSON.stringify(command),
  ...Object.fromEntries(Object.entries(more).map(([key, value]) => [`${prefix}/${key}`, String(value)])),
});

/** A Job that somebody makes by hand, of the image that plans for itself. */
export const jobByHand = (velero: string, name: string, args: readonly string[]): Loose => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name, namespace: velero },
  spec: {
    backoffLimit: 0,
    template: {
      spec: {
        restartPolicy: 'Never',
        serviceAccountName: 'restorehooks',
        securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: 'runner',
            image: DEFAULT_IMAGE,
            imagePullPolicy: 'IfNotPresent',
            args,
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ['ALL'] },
            },
          },
        ],
      },
    },
  },
});

export interface PodOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Default: one container `main`. Name is required; the rest is filled in. */
  readonly containers?: readonly object[];
  /** More of the pod's spec. */
  readonly spec?: object;
  /** False: return without waiting until all its containers run. */
  readonly wait?: boolean;
}

/** A Restore's name and a namespace for its pods, with what tests need of both. */
export interface Scene {
  /** The Restore's. */
  readonly name: string;
  /** The pods'. */
  readonly namespace: string;
  /** The manifest of a pod that the Restore has restored. */
  podManifest(name: string, options?: PodOptions): Loose;
  pod(name: string, options?: PodOptions): Promise<Loose>;
  /** Waits until the pod is gone. */
  removePod(name: string): Promise<void>;
  restore(options?: { hooks?: readonly object[]; spec?: object; status?: object }): Promise<Loose>;
  /** As it stands. */
  current(): Promise<Loose>;
  /** Its annotations under `restorehooks.io/`, without that prefix. */
  annotations(): Promise<Record<string, string>>;
  plan(...args: string[]): Promise<Ran>;
  apply(...args: string[]): Promise<Ran>;
  status(...args: string[]): Promise<Ran>;
  /** A document for `--hooks`; answers the file's name. */
  hooksFile(resources: readonly object[]): Promise<string>;
  /** The lines of a file in a container (default: `marks`, where `mark` leaves them). */
  marks(pod: string, container?: string, file?: string): Promise<string[]>;
  /** Make a file in a container; what `gated` waits for by default. */
  open(pod: string, container?: string, file?: string): Promise<void>;
  /** The run's status as the annotation has it; waits for one that fits. */
  runStatus(fits?: (status: Loose) => boolean): Promise<Loose>;
  /** The run's Jobs, newest last. */
  jobs(): Promise<Loose[]>;
  /** The pods of its runners that are there, also those that have ended. */
  runners(): Promise<Loose[]>;
  /** Ends a runner (default: the one that hasn't ended) as if its node had died: its pod is gone at once, and it does nothing more. */
  killRunner(pod?: Loose): Promise<void>;
}

export interface SuiteOptions extends EmbeddedClusterOptions {
  readonly velero?: string;
}

export interface Suite {
  readonly cluster: TestCluster;
  /** The Restores' namespace, with the runner's ServiceAccount. */
  readonly velero: string;
  readonly plugin: Plugin;
  /** The Restore's name is made of the title, if none is given; the pods' namespace is a new one, if none is given. */
  scene(title: string, name?: string, namespace?: string): Promise<Scene>;
  userWith(rules: readonly Rule[]): Promise<Plugin>;
  close(): Promise<void>;
}

/** `velero`: a namespace for Restores that is there already, and stays. */
export async function startSuite({ velero: given, ...options }: SuiteOptions = {}): Promise<Suite> {
  const cluster = await openCluster(options);
  const id = randomUUID().slice(0, 4);
  try {
    if (isReal) await ensureVelero(cluster);
    const velero = given ?? (await cluster.namespace('velero', { 'pod-security.kubernetes.io/enforce': 'restricted' }));
    const going: Going = new Set();
    const plugin = pluginWith({ kubeconfig: cluster.kubeconfig, cwd: cluster.folder }, going);
    const setup = await plugin('setup', '--apply', '-n', velero);
    if (setup.code !== 0) throw new Error(`setup: ${setup.stderr}`);
    return {
      cluster,
      velero,
      plugin,
      scene: async (title, name = `${title}-${id}`, namespace = undefined) =>
        createScene(cluster, plugin, velero, name, namespace ?? (await cluster.namespace(`e2e-${title}`))),
      userWith: async (rules) => plugin.with({ kubeconfig: await cluster.userWith(velero, rules) }),
      async close() {
        // Timers and connections that a failed test has left open would keep this process alive.
        for (const child of going) child.kill('SIGKILL');
        await plugin('setup', '--delete', '-n', velero);
        await cluster.close();
      },
    };
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

async function ensureVelero(cluster: TestCluster): Promise<void> {
  if (await cluster.exists('customResourceDefinitions', undefined, 'restores.velero.io')) return;
  const text = await readFile(join(import.meta.dirname, '../cluster/velero-crds.yaml'), 'utf8');
  const definition = (loadAll(text) as Loose[]).find(({ kind }) => kind === 'CustomResourceDefinition');
  await cluster.create(definition);
  await waitFor('Restores', async () => (await cluster.list('restores', 'default')).length >= 0);
}

/** A kubelet may tell that a pod runs only after it has begun its work. */
export const hasNotEnded = ({ status }: Loose): boolean => status.phase === 'Pending' || status.phase === 'Running';

function createScene(cluster: TestCluster, plugin: Plugin, velero: string, name: string, namespace: string): Scene {
  const at = ['-n', velero, '-o', 'json'];
  const restore = { apiVersion: 'velero.io/v1', kind: 'Restore', metadata: { name, namespace: velero } };
  /** A pod older than its Restore doesn't count as restored, so a test that makes pods first creates this one before. */
  let placeholder: Promise<boolean> | undefined;
  const createPlaceholder = () => cluster.create({ ...restore, spec: {} }).then(() => true);
  const scene: Scene = {
    name,
    namespace,
    podManifest: (pod, { labels = {}, annotations, containers = [{ name: 'main' }], spec = {} } = {}) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: pod,
        namespace,
        labels: { app: pod.replace(/-\d+$/, ''), [RESTORE_NAME_LABEL]: name, ...labels },
        ...(annotations !== undefined && { annotations }),
      },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: containers.map((container) => ({ image: IMAGE, command: ['sleep', '100000'], ...container })),
        ...spec,
      },
    }),
    async pod(pod, podOptions = {}) {
      placeholder ??= cluster.exists('restores', velero, name).then((isThere) => !isThere && createPlaceholder());
      await placeholder;
      const created = await cluster.create(scene.podManifest(pod, podOptions));
      if (podOptions.wait === false) return created;
      return waitFor(`pod ${pod} to run`, async () => {
        const now = await cluster.get('pods', namespace, pod);
        const statuses: Loose[] = now.status.containerStatuses ?? [];
        return statuses.length > 0 && statuses.every(({ state }) => state.running !== undefined) && now;
      });
    },
    async removePod(pod) {
      await cluster.remove('pods', namespace, pod);
      await waitFor(`pod ${pod} to go`, async () => !(await cluster.exists('pods', namespace, pod)));
    },
    async restore({ hooks, spec = {}, status } = {}) {
      const isPlaceholder = await placeholder;
      placeholder = Promise.resolve(false);
      const fields = {
        spec: { backupName: 'nightly', ...(hooks !== undefined && { hooks: { resources: hooks } }), ...spec },
        ...(status !== undefined && { status }),
      };
      if (!isPlaceholder) return cluster.create({ ...restore, ...fields });
      const changes = Object.entries(fields).map(([field, value]) => ({ op: 'add', path: `/${field}`, value }));
      return cluster.patch('restores', velero, name, changes, 'json');
    },
    current: () => cluster.get('restores', velero, name),
    async annotations() {
      const { metadata } = await scene.current();
      const all = Object.entries((metadata.annotations ?? {}) as Record<string, string>);
      const own = all.filter(([key]) => key.startsWith('restorehooks.io/'));
      return Object.fromEntries(own.map(([key, value]) => [key.slice('restorehooks.io/'.length), value]));
    },
    plan: (...args) => plugin('plan', name, ...at, ...args),
    apply: (...args) => plugin('apply', name, ...at, ...args),
    status: (...args) => plugin('status', name, ...at, ...args),
    async hooksFile(resources) {
      const file = join(cluster.folder, `hooks-${randomUUID().slice(0, 8)}.yaml`);
      await writeFile(file, hooksDocument(resources));
      return file;
    },
    async marks(pod, container = 'main', file = 'marks') {
      const command = sh(`cat ${file} 2>/dev/null || true`);
      const { outcome, stdout } = await cluster.exec(namespace, pod, container, command);
      if (outcome.kind !== 'exited') {
        throw new Error(`${pod}/${container} can't be looked into: ${JSON.stringify(outcome)}`);
      }
      return stdout.split('\n').filter((line) => line !== '');
    },
    async open(pod, container = 'main', file = 'gate') {
      const { outcome } = await cluster.exec(namespace, pod, container, sh(`touch ${file}`));
      if (outcome.kind !== 'exited' || outcome.exitCode !== 0) throw new Error(`${file} was not made in ${pod}`);
    },
    runStatus: (fits = () => true) =>
      waitFor(`the run of ${name}`, async () => {
        const { status } = await scene.annotations();
        const parsed = status === undefined ? undefined : JSON.parse(status);
        return parsed !== undefined && fits(parsed) && parsed;
      }),
    async jobs() {
      const jobs = await cluster.list('jobs', velero, `restorehooks.io/restore=${name}`);
      const age = ({ metadata }: Loose): string => `${metadata.creationTimestamp} ${metadata.resourceVersion}`;
      return jobs.sort((one, other) => (age(one) < age(other) ? -1 : 1));
    },
    runners: () => cluster.list('pods', velero, `restorehooks.io/restore=${name}`),
    async killRunner(given) {
      const pod = given ?? (await scene.runners()).find(hasNotEnded);
      if (pod === undefined) throw new Error(`${name} has no runner`);
      await cluster.client.delete(paths.pods(velero, pod.metadata.name), { gracePeriodSeconds: 0 });
      // The API server forgets the pod at once; its kubelet lets the process go on for a while.
      signalRunners(name, 'SIGKILL', pod.metadata.name);
    },
  };
  return scene;
}
