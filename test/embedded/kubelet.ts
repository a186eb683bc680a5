import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from './api.ts';
import type { Container, ContainerState, ContainerStatus, Pod, PodStatus } from './objects.ts';
import { asPod, timestamp } from './objects.ts';
import type { Ending, LocalProcess, Processes } from './processes.ts';
import { pods } from './resources.ts';
import type { Store } from './store.ts';
import { environmentOf, expand, MissingSource, rewritePaths, writeVolumes } from './volumes.ts';

/** Annotations by which a test controls its pod's life. */
export const annotations = {
  /** `"true"`: the pod stays Pending and is left to `setPodStatus`. */
  hold: 'embedded.restorehooks.io/hold',
  /** Milliseconds until the containers start. */
  startDelay: 'embedded.restorehooks.io/start-delay',
  /** Milliseconds from running to ready, or `never`. */
  readyDelay: 'embedded.restorehooks.io/ready-delay',
} as const;

/** Where `npm test` has Node keep what it has compiled, so that a runner starts faster. */
const { NODE_COMPILE_CACHE } = process.env;
const COMPILE_CACHE = NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };

export type ImageKind = 'runner' | 'ordinary' | 'missing';

export interface KubeletOptions {
  readonly root: string;
  readonly startDelay: number;
  /** How long a container without a process takes to stop. */
  readonly terminationDelay: number;
  /** The first CrashLoopBackOff; it doubles each time. */
  readonly crashBackoff: number;
  readonly imageKind: (image: string, pod: Pod) => ImageKind;
  /** What the runner's image starts. */
  readonly runnerEntrypoint: readonly string[];
  readonly kubeconfigFor: (namespace: string, serviceAccount: string) => Promise<string>;
  readonly tokenFor: (namespace: string, serviceAccount: string) => string;
}

export interface ContainerLog {
  readonly chunks: Buffer[];
  /** When each of them was written, in milliseconds since the epoch. */
  readonly times: number[];
  readonly listeners: Set<(chunk: Buffer | undefined) => void>;
  ended: boolean;
}

/** A container that is up: where its commands run. */
export interface RunningContainer {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Commands started by exec: they end with the container. */
  readonly execs: Set<LocalProcess>;
  end(exitCode: number): void;
}

export interface Kubelet {
  running(pod: Pod, container: string): RunningContainer | undefined;
  log(pod: Pod, container: string, previous?: boolean): ContainerLog | undefined;
  /** Leave the pod's status alone from now on. */
  release(pod: Pod): void;
  close(): void;
}

/** What a container that asks for it leaves in its status: the end of its log, as the kubelet cuts it. */
function lastWords({ terminationMessagePolicy: policy }: Container, { chunks }: ContainerLog, exitCode: number) {
  if (policy !== 'FallbackToLogsOnError' || exitCode === 0) return {};
  const lines = Buffer.concat(chunks).subarray(-2048).toString().split('\n');
  return { message: lines.slice(-81).join('\n') };
}

interface Life {
  readonly uid: string;
  readonly namespace: string;
  readonly podName: string;
  readonly folder: string;
  readonly stopping: AbortController;
  readonly statuses: Map<string, ContainerStatus>;
  readonly running: Map<string, RunningContainer>;
  readonly logs: Map<string, ContainerLog>;
  readonly previousLogs: Map<string, ContainerLog>;
  readonly mains: Map<string, { kill(signal: NodeJS.Signals): void; ended: Promise<number> }>;
  readonly startedAt: string;
  readonly ip: string;
  /** Whether a test controls the status. */
  released: boolean;
  published: boolean;
  terminating: boolean;
  initialized: boolean;
  finished: 'Succeeded' | 'Failed' | undefined;
}

const host = { ip: '10.88.0.1', node: 'node1' } as const;
const maxLogBytes = 4 * 1024 * 1024;

/** Gives every pod of the store its life: scheduling, volumes, init containers, sidecars, containers, readiness, end. */
export function createKubelet(store: Store, api: Api, processes: Processes, options: KubeletOptions): Kubelet {
  const lives = new Map<string, Life>();
  let started = 0;

  const unsubscribe = store.subscribe(({ of, type, object }) => {
    if (of !== pods) return;
    const pod = asPod(object);
    const life = lives.get(pod.metadata.uid ?? '');
    // A pod for another scheduler stays unscheduled.
    if (type === 'ADDED' && pod.spec['schedulerName'] !== 'default-scheduler') return;
    if (type === 'ADDED') begin(pod);
    else if (life === undefined) return;
    else if (type === 'DELETED') forget(life);
    else if (pod.metadata.deletionTimestamp !== undefined && !life.terminating) {
      life.terminating = true;
      void terminate(life, pod.metadata.deletionGracePeriodSeconds ?? 0);
    }
  });

  function begin(pod: Pod): void {
    const { uid = '', namespace = '', name } = pod.metadata;
    started += 1;
    const life: Life = {
      uid,
      namespace,
      podName: name,
      folder: join(options.root, 'pods', uid),
      stopping: new AbortController(),
      statuses: new Map(),
      running: new Map(),
      logs: new Map(),
      previousLogs: new Map(),
      mains: new Map(),
      startedAt: timestamp(),
      ip: `10.88.${Math.floor(started / 250) % 250}.${(started % 250) + 2}`,
      released: pod.metadata.annotations?.[annotations.hold] === 'true',
      published: false,
      terminating: false,
      initialized: false,
      finished: undefined,
    };
    lives.set(uid, life);
    // Later, so that the request that created the pod is answered first.
    setImmediate(() => {
      live(life).catch((error: unknown) => {
        if (!life.stopping.signal.aborted) throw error;
      });
    });
  }

  const current = (life: Life): Pod | undefined => {
    const object = store.get(pods, life.namespace, life.podName);
    return object?.metadata.uid === life.uid ? asPod(object) : undefined;
  };

  /** Stop everything of a pod that is gone. */
  function forget(life: Life): void {
    lives.delete(life.uid);
    life.stopping.abort();
    for (const main of life.mains.values()) main.kill('SIGKILL');
    for (const container of life.running.values()) for (const each of container.execs) each.kill('SIGKILL');
  }

  async function terminate(life: Life, graceSeconds: number): Promise<void> {
    life.stopping.abort();
    for (const main of life.mains.values()) main.kill('SIGTERM');
    const grace = new AbortController();
    await Promise.race([
      Promise.all([...life.mains.values()].map((main) => main.ended)),
      sleep(graceSeconds * 1000, undefined, { signal: grace.signal, ref: false }).catch(() => {}),
    ]);
    grace.abort();
    for (const main of life.mains.values()) main.kill('SIGKILL');
    await Promise.all([...life.mains.values()].map((main) => main.ended));
    publish(life);
    const pod = current(life);
    if (pod !== undefined && lives.has(life.uid)) store.remove(pods, pod);
  }

  async function live(life: Life): Promise<void> {
    const pod = current(life);
    if (pod === undefined) return;
    const { signal } = life.stopping;
    const initContainers = pod.spec.initContainers ?? [];
    const waiting = initContainers.length > 0 ? 'PodInitializing' : 'ContainerCreating';
    for (const each of [...initContainers, ...pod.spec.containers]) {
      life.statuses.set(each.name, newStatus(each, { waiting: { reason: waiting } }));
    }
    store.put(pods, { ...pod, spec: { ...pod.spec, nodeName: host.node } });
    api.event(
      pod,
      'Normal',
      'Scheduled',
      `Successfully assigned ${life.namespace}/${life.podName} to ${host.node}`,
      'default-scheduler',
    );
    publish(life);
    if (life.released) return;
    const delay = Number(pod.metadata.annotations?.[annotations.startDelay] ?? options.startDelay);
    await sleep(delay, undefined, { signal });
    await mount(life, pod);
    for (const container of initContainers) await initialize(life, pod, container);
    life.initialized = true;
    for (const each of pod.spec.containers) {
      if (waiting === 'PodInitializing') setState(life, each.name, { waiting: { reason: 'ContainerCreating' } });
    }
    const codes = await Promise.all(pod.spec.containers.map((container) => supervise(life, pod, container)));
    if (signal.aborted) return;
    life.finished = codes.every((code) => code === 0) ? 'Succeeded' : 'Failed';
    for (const main of life.mains.values()) main.kill('SIGTERM');
    publish(life);
  }

  async function mount(life: Life, pod: Pod): Promise<void> {
    const account = pod.spec.serviceAccountName ?? 'default';
    for (;;) {
      try {
        await writeVolumes(store, pod, join(life.folder, 'volumes'), () => options.tokenFor(life.namespace, account));
        return;
      } catch (error) {
        if (!(error instanceof MissingSource)) throw error;
        api.event(pod, 'Warning', 'FailedMount', error.message, 'kubelet');
        await sleep(500, undefined, { signal: life.stopping.signal });
      }
    }
  }

  /** Run an init container to its success, or start a native sidecar and go on. */
  async function initialize(life: Life, pod: Pod, container: Container): Promise<void> {
    if (container.restartPolicy === 'Always') {
      await new Promise<void>((started) => {
        supervise(life, pod, container, started).catch(() => {});
      });
      return;
    }
    const code = await supervise(life, pod, container);
    if (code === 0 || life.stopping.signal.aborted) return;
    life.finished = 'Failed';
    publish(life);
    life.stopping.abort();
    life.stopping.signal.throwIfAborted();
  }

  /** Start a container again and again as its restart policy says; the answer is its last exit code. */
  async function supervise(life: Life, pod: Pod, container: Container, onStarted = () => {}): Promise<number> {
    const { signal } = life.stopping;
    const isInit = pod.spec.initContainers?.includes(container) ?? false;
    const sidecar = isInit && container.restartPolicy === 'Always';
    const policy = container.restartPolicy ?? pod.spec.restartPolicy ?? 'Always';
    const isRuled = (code: number): boolean =>
      container.restartPolicyRules?.some(({ exitCodes: { operator, values } }) =>
        operator === 'In' ? values.includes(code) : !values.includes(code),
      ) ?? false;
    const restarts = (code: number): boolean => {
      if (isInit && !sidecar && code === 0) return false;
      return isRuled(code) || policy === 'Always' || (policy === 'OnFailure' && code !== 0);
    };
    for (let attempt = 0; ; attempt += 1) {
      await pull(life, pod, container);
      const code = await run(life, pod, container, isInit && !sidecar, onStarted);
      if (signal.aborted || life.finished !== undefined || !restarts(code)) return code;
      const backoff = attempt === 0 ? 0 : Math.min(options.crashBackoff * 2 ** (attempt - 1), 300_000);
      if (backoff > 0) {
        const message = `back-off ${backoff / 1000}s restarting failed container=${container.name} pod=${life.podName}_${life.namespace}(${life.uid})`;
        changeStatus(life, container.name, (status) => ({
          ...status,
          state: { waiting: { reason: 'CrashLoopBackOff', message } },
          lastState: status.state.terminated === undefined ? status.lastState : status.state,
        }));
      }
      await sleep(Math.max(backoff, 50), undefined, { signal });
      changeStatus(life, container.name, (status) => ({
        ...status,
        restartCount: attempt + 1,
        lastState: status.state.terminated === undefined ? status.lastState : status.state,
      }));
    }
  }

  /** Wait until the image is there. */
  async function pull(life: Life, pod: Pod, container: Container): Promise<void> {
    const { image } = container;
    for (let attempt = 0; options.imageKind(image, pod) === 'missing'; attempt += 1) {
      const failed = `failed to pull and unpack image "${image}": failed to resolve reference "${image}": not found`;
      const reason = attempt % 2 === 0 ? 'ErrImagePull' : 'ImagePullBackOff';
      const message = attempt % 2 === 0 ? failed : `Back-off pulling image "${image}": ErrImagePull: ${failed}`;
      if (attempt === 0) {
        api.event(pod, 'Warning', 'Failed', `Failed to pull image "${image}": ${failed}`, 'kubelet');
        api.event(pod, 'Warning', 'Failed', 'Error: ErrImagePull', 'kubelet');
      }
      setState(life, container.name, { waiting: { reason, message } });
      await sleep(attempt % 2 === 0 ? 100 : 2000, undefined, { signal: life.stopping.signal });
    }
  }

  async function run(
    life: Life,
    pod: Pod,
    container: Container,
    isInit: boolean,
    onStarted: () => void,
  ): Promise<number> {
    const { name } = container;
    const env = await environment(life, pod, container);
    const folder = join(life.folder, 'containers', name, container.workingDir ?? '');
    await mkdir(folder, { recursive: true });
    life.stopping.signal.throwIfAborted();
    const log: ContainerLog = { chunks: [], times: [], listeners: new Set(), ended: false };
    const before = life.logs.get(name);
    if (before !== undefined) life.previousLogs.set(name, before);
    life.logs.set(name, log);

    const startedAt = timestamp();
    const containerID = `containerd://${randomBytes(32).toString('hex')}`;
    const ended = Promise.withResolvers<number>();
    const stop = main(life, pod, container, { env, folder, log, isInit }, ended.resolve);
    const execs = new Set<LocalProcess>();
    life.mains.set(name, { kill: stop, ended: ended.promise });
    life.running.set(name, {
      folder,
      env,
      execs,
      end: (code) => {
        ended.resolve(code);
        stop('SIGKILL');
      },
    });
    const up = new AbortController();
    changeStatus(life, name, (status) => ({
      ...status,
      state: { running: { startedAt } },
      containerID,
      imageID: `sha256:${container.image}`,
      started: true,
    }));
    onStarted();
    if (!isInit) void watchReadiness(life, pod, container, { env, folder }, up.signal);

    const code = await ended.promise;
    up.abort();
    life.running.delete(name);
    life.mains.delete(name);
    for (const each of execs) each.kill('SIGKILL');
    log.ended = true;
    for (const listener of log.listeners) listener(undefined);
    const reason = code === 0 ? 'Completed' : 'Error';
    changeStatus(life, name, (status) => ({
      ...status,
      state: {
        terminated: {
          exitCode: code,
          reason,
          startedAt,
          finishedAt: timestamp(),
          containerID,
          ...lastWords(container, log, code),
        },
      },
      ready: isInit && code === 0,
      started: false,
    }));
    return code;
  }

  /** Start what the container runs: its own command, the runner, or (an image without a command) nothing that ends. */
  function main(
    life: Life,
    pod: Pod,
    container: Container,
    at: { env: Record<string, string>; folder: string; log: ContainerLog; isInit: boolean },
    end: (code: number) => void,
  ): (signal: NodeJS.Signals) => void {
    const asRunner = options.imageKind(container.image, pod) === 'runner';
    const volumes = join(life.folder, 'volumes');
    const entrypoint = container.command ?? (asRunner ? options.runnerEntrypoint : []);
    const args = (container.args ?? []).map((each) => expand(each, at.env));
    const argv =
      entrypoint.length === 0
        ? []
        : [...entrypoint, ...args.map((each) => (asRunner ? rewritePaths(each, container, volumes) : each))];
    if (argv.length === 0 || (argv[0] === 'sleep' && argv.length === 2)) {
      const ends = argv.length === 0 ? (at.isInit ? 0 : Number.POSITIVE_INFINITY) : Number(argv[1]) * 1000;
      const timer = ends < 2 ** 31 ? setTimeout(end, ends, 0).unref() : undefined;
      return () => {
        clearTimeout(timer);
        setTimeout(end, options.terminationDelay, 137);
      };
    }
    const append = (chunk: Buffer): void => {
      at.log.chunks.push(chunk);
      at.log.times.push(Date.now());
      while (at.log.chunks.length > 1 && at.log.chunks.reduce((sum, each) => sum + each.length, 0) > maxLogBytes) {
        at.log.chunks.shift();
        at.log.times.shift();
      }
      for (const listener of at.log.listeners) listener(chunk);
    };
    const process = processes.start({ argv, cwd: at.folder, env: at.env, onOutput: (_, chunk) => append(chunk) });
    void process.ended.then((ending: Ending) => {
      if (ending.kind === 'not-started') append(Buffer.from(`${ending.message}\n`));
      end(ending.kind === 'exit' ? ending.code : 128);
    });
    return (signal) => process.kill(signal);
  }

  async function environment(life: Life, pod: Pod, container: Container): Promise<Record<string, string>> {
    for (;;) {
      try {
        const own = environmentOf(store, pod, container);
        const volumes = join(life.folder, 'volumes');
        const asRunner = options.imageKind(container.image, pod) === 'runner';
        const account = pod.spec.serviceAccountName ?? 'default';
        const tmp = join(life.folder, 'tmp');
        await mkdir(tmp, { recursive: true });
        return {
          PATH: process.env['PATH'] ?? '',
          HOME: tmp,
          TMPDIR: tmp,
          HOSTNAME: life.podName,
          ...(asRunner ? { KUBECONFIG: await options.kubeconfigFor(life.namespace, account), ...COMPILE_CACHE } : {}),
          ...Object.fromEntries(
            Object.entries(own).map(([key, value]) => [
              key,
              asRunner ? rewritePaths(value, container, volumes) : value,
            ]),
          ),
        };
      } catch (error) {
        if (!(error instanceof MissingSource)) throw error;
        setState(life, container.name, { waiting: { reason: 'CreateContainerConfigError', message: error.message } });
        api.event(pod, 'Warning', 'Failed', `Error: ${error.message}`, 'kubelet');
        await sleep(500, undefined, { signal: life.stopping.signal });
      }
    }
  }

  async function watchReadiness(
    life: Life,
    pod: Pod,
    { name, readinessProbe: probe }: Container,
    at: { env: Record<string, string>; folder: string },
    signal: AbortSignal,
  ): Promise<void> {
    const set = (ready: boolean): void => changeStatus(life, name, (status) => ({ ...status, ready }));
    const delay = pod.metadata.annotations?.[annotations.readyDelay];
    try {
      if (delay === 'never') return;
      const ms = delay === undefined ? (probe?.initialDelaySeconds ?? 0) * 1000 : Number(delay);
      if (ms > 0) await sleep(ms, undefined, { signal, ref: false });
      if (probe?.exec === undefined) {
        set(true);
        return;
      }
      for (;;) {
        const { ended } = processes.start({
          argv: probe.exec.command,
          cwd: at.folder,
          env: at.env,
          onOutput: () => {},
        });
        const ending = await ended;
        signal.throwIfAborted();
        set(ending.kind === 'exit' && ending.code === 0);
        await sleep((probe.periodSeconds ?? 10) * 1000, undefined, { signal, ref: false });
      }
    } catch {
      // The container has ended.
    }
  }

  const setState = (life: Life, name: string, state: ContainerState): void =>
    changeStatus(life, name, (status) => ({ ...status, state }));

  function changeStatus(life: Life, name: string, change: (status: ContainerStatus) => ContainerStatus): void {
    const status = life.statuses.get(name);
    if (status === undefined) return;
    life.statuses.set(name, change(status));
    publish(life);
  }

  function publish(life: Life): void {
    const pod = current(life);
    if (pod === undefined || (life.released && life.published)) return;
    life.published = true;
    api.setStatus(pods, pod, statusOf(life, pod));
  }

  return {
    running: (pod, container) => lives.get(pod.metadata.uid ?? '')?.running.get(container),
    log: (pod, container, previous = false) => {
      const life = lives.get(pod.metadata.uid ?? '');
      return (previous ? life?.previousLogs : life?.logs)?.get(container);
    },
    release: (pod) => {
      const life = lives.get(pod.metadata.uid ?? '');
      if (life === undefined) return;
      life.released = true;
      life.published = true;
    },
    close: () => {
      unsubscribe();
      for (const life of [...lives.values()]) forget(life);
    },
  };
}

const newStatus = ({ name, image }: Container, state: ContainerState): ContainerStatus => ({
  name,
  image,
  imageID: '',
  ready: false,
  started: false,
  restartCount: 0,
  state,
  lastState: {},
});

function statusOf(life: Life, pod: Pod): PodStatus {
  const list = (containers: readonly Container[]): ContainerStatus[] =>
    containers.flatMap((each) => life.statuses.get(each.name) ?? []);
  const containerStatuses = list(pod.spec.containers);
  const unready = containerStatuses.filter((each) => !each.ready).map((each) => each.name);
  const isReady = life.finished === undefined && unready.length === 0;
  const why =
    life.finished === 'Succeeded'
      ? { reason: 'PodCompleted' }
      : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
  const condition = (type: string, met: boolean, otherwise: { reason?: string; message?: string } = {}) => {
    const status = met ? 'True' : 'False';
    const before = pod.status.conditions?.find((each) => each.type === type);
    const lastTransitionTime = before?.status === status ? before.lastTransitionTime : timestamp();
    return { type, status, lastTransitionTime, ...(met ? {} : otherwise) };
  };
  return {
    ...pod.status,
    phase: life.finished ?? phaseOf(containerStatuses),
    startTime: life.startedAt,
    hostIP: host.ip,
    hostIPs: [{ ip: host.ip }],
    ...(life.running.size > 0 ? { podIP: life.ip, podIPs: [{ ip: life.ip }] } : {}),
    conditions: [
      condition('Initialized', life.initialized || pod.spec.initContainers === undefined, {
        reason: 'ContainersNotInitialized',
      }),
      condition('Ready', isReady, why),
      condition('ContainersReady', isReady, why),
      condition('PodScheduled', true),
    ],
    containerStatuses,
    ...(pod.spec.initContainers === undefined ? {} : { initContainerStatuses: list(pod.spec.initContainers) }),
  };
}

function phaseOf(statuses: readonly ContainerStatus[]): string {
  const neverStarted = (each: ContainerStatus): boolean =>
    each.state.waiting !== undefined && each.restartCount === 0 && each.lastState.terminated === undefined;
  return statuses.some(neverStarted) ? 'Pending' : 'Running';
}
