import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import { isFinalPhase } from '../../shared/core/execute/run-phase.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { Loose, Ran, Scene, Suite } from '../e2e/harness.ts';
import { entry, exec, hasNotEnded, hooksOf, IMAGE, isReal, sh } from '../e2e/harness.ts';
import { signalRunners } from '../e2e/runners.ts';
import type { FailpointServer, Outages } from './kills.ts';
import type { Fault, Scenario, TargetPod } from './scenario.ts';
import type { Done, Seen, Verdict } from './verdict.ts';
import { falseUnknowns, judge } from './verdict.ts';

export const CHAOS_IMAGE = 'testbed.local/chaos-runner:1';

export interface World {
  readonly e2e: Suite;
  readonly failpoints: FailpointServer;
  readonly outages: Outages;
  /** The folder of this machine in which containers record what they run. */
  readonly folder: string;
  /** A run must have ended after this time. */
  readonly patienceMs: number;
  /** All commands are detached from the exec that starts them. */
  readonly detach: boolean;
}

export interface Played {
  readonly verdict: Verdict;
  readonly hooks: number;
  /** What was done to the run, a line each, in order. */
  readonly done: readonly string[];
  readonly phases: readonly string[];
}

/** The exec timeout: longer than any command takes. No hook starts beside a lost command until it has passed. */
const EXEC_TIMEOUT = '20s';
/** After this time commands that nobody waits for have ended, too. */
const LAST_COMMANDS_MS = 7_000;
const MOST_GOES = 8;
const CHECK_MS = 500;

/** One scenario, from the pods to the last `status`. */
export async function play(world: World, scenario: Scenario): Promise<Played> {
  const one = new Play(world, scenario, await world.e2e.scene(`chaos-${scenario.index}`));
  try {
    return await one.play();
  } finally {
    await one.clear();
  }
}

class Play {
  readonly #world: World;
  readonly #scenario: Scenario;
  readonly #scene: Scene;
  readonly #folder: string;
  readonly #done: string[] = [];
  readonly #gone = new Set<string>();
  #deaths = 0;
  #canceled = false;

  constructor(world: World, scenario: Scenario, scene: Scene) {
    this.#world = world;
    this.#scenario = scenario;
    this.#scene = scene;
    this.#folder = join(world.folder, scene.name);
  }

  async play(): Promise<Played> {
    const { failpoints, outages } = this.#world;
    const { retried, mustReach, shards } = this.#scenario;
    await outages.withoutAny(() => this.#prepare());
    failpoints.arm(this.#scene.name, this.#scenario.failpoints);
    const ends: string[] = [];
    const followed = this.#go('apply');
    const faults = this.#doFaults();
    await this.#settled('apply');
    await Promise.all([faults, followed]);
    // A second `apply` may have begun another run.
    await this.#settled('apply');
    let seen = await this.#look();
    ends.push(endOf(seen));
    const verdict = judge(this.#scenario, seen, this.#whatWasDone());
    verdict.untrue.push(...this.#falseUnknowns(seen));
    for (let times = 0; (retried && times === 0) || (isToGoOn(seen) && times < 3); times += 1) {
      const before = seen;
      await this.#go('retry');
      await this.#settled('retry');
      seen = await this.#look();
      ends.push(endOf(seen));
      const again = judge(this.#scenario, seen, this.#whatWasDone(), before);
      for (const kind of ['lost', 'twice', 'untrue'] as const) verdict[kind].push(...again[kind]);
      verdict.untrue.push(...this.#falseUnknowns(seen));
    }
    verdict.untrue.push(...(await this.#bugs()));
    if (isToGoOn(seen)) verdict.lost.push(`the run can't be brought to an end: ${seen.annotations['status']}`);
    const reached = failpoints.reached(this.#scene.name);
    // Of several shards the first one to come up may have nothing that gets there.
    if (mustReach && shards === 1 && reached.length < this.#scenario.failpoints.length)
      throw new Error('its failpoint was not reached');
    const kills = reached.map(({ name, moment }) => `runner killed ${moment} ${name}`);
    return { verdict, hooks: seen.run.hooks.length, done: [...kills, ...this.#done], phases: ends };
  }

  #falseUnknowns(seen: Seen): string[] {
    return this.#world.detach ? falseUnknowns(seen, this.#gone) : [];
  }

  async clear(): Promise<void> {
    await this.#patiently(() => this.#world.e2e.cluster.remove('namespaces', undefined, this.#scene.namespace));
  }

  async #prepare(): Promise<void> {
    const { pods } = this.#scenario;
    await mkdir(this.#folder, { recursive: true });
    const manifest = { spec: this.#volumes(), containers: [{ name: 'main', ...this.#mounts() }] };
    await Promise.all(pods.map(({ name }) => this.#scene.pod(name, manifest)));
    await this.#scene.restore({
      hooks: pods.flatMap((pod) => this.#hooks(pod)),
      status: { phase: 'Completed', startTimestamp: '2026-01-01T00:00:00Z' },
    });
  }

  #volumes(): object {
    return isReal ? { volumes: [{ name: 'marks', hostPath: { path: this.#folder } }] } : {};
  }

  /** The pod writes this file and the test reads it on the node, so it remains after the pod is gone. */
  #mounts(): object {
    return isReal ? { volumeMounts: [{ name: 'marks', mountPath: this.#folder }] } : {};
  }

  #hooks({ name, recreated, hooks }: TargetPod): object[] {
    const file = join(this.#folder, name);
    const script = (key: string, sleep: number, exitCode: number) =>
      sh(`echo start ${key} >> ${file}; sleep ${sleep}; echo end ${key} >> ${file}; exit ${exitCode}`);
    const execs = hooks.map(({ sleep, exitCode, onError }, index) =>
      exec(script(`${name} ${index}`, sleep, exitCode), { onError, execTimeout: EXEC_TIMEOUT }),
    );
    const app = name.replace(/-\d+$/, '');
    if (!recreated) return [hooksOf(app, ...execs)];
    const init = { name: 'load', image: IMAGE, command: script(`${name} init`, 1, 0), ...this.#mounts() };
    const injected = entry([{ init: { initContainers: [init] } }], {
      name: `${app}-init`,
      labelSelector: { matchLabels: { app } },
    });
    return [injected, hooksOf(app, ...execs)];
  }

  #whatWasDone(): Done {
    const reached = this.#world.failpoints.reached(this.#scene.name).length;
    return { deaths: this.#deaths + reached, canceled: this.#canceled, gone: this.#gone };
  }

  // --- the user ------------------------------------------------------------------------------------------------------

  /** `apply` or `retry`, as a user does it: again if the cluster was out of reach, or another run was going. */
  async #go(command: 'apply' | 'retry'): Promise<void> {
    const until = Date.now() + this.#world.patienceMs;
    for (;;) {
      const ran = await this.#plugin(command, this.#scenario.followed);
      if (!isPassing(ran)) return refuseBug(command, ran);
      if (Date.now() > until) throw new Error(`${command} can't get through: ${ran.stderr}`);
      await delay(2000);
    }
  }

  #plugin(command: 'apply' | 'retry', followed: boolean): Promise<Ran> {
    const { rerun, pods, shards } = this.#scenario;
    const { plugin, velero } = this.#world.e2e;
    const recreated = pods.some((pod) => pod.recreated);
    return plugin(
      command,
      this.#scene.name,
      ...['-n', velero, '-o', 'json', `--image=${CHAOS_IMAGE}`],
      ...(followed ? [] : ['--no-wait']),
      ...(rerun ? ['--on-unknown=rerun'] : []),
      `--parallelism=${shards}`,
      // Velero is done with the Restore.
      ...(command === 'apply' ? ['--rerun'] : []),
      ...(command === 'apply' && this.#world.detach ? ['--detach'] : []),
      ...(command === 'apply' && recreated ? ['--recreate-pods'] : []),
    );
  }

  /** Wait until the run and its Jobs have ended. If all its runners are gone, go on with `apply` or `retry`. */
  async #settled(command: 'apply' | 'retry'): Promise<void> {
    const until = Date.now() + this.#world.patienceMs;
    for (let goes = 0; ; await delay(CHECK_MS)) {
      if (Date.now() > until) throw new Error(`not settled: ${JSON.stringify(await this.#scene.annotations())}`);
      const [jobs, annotations] = await this.#patiently(async () => [
        await this.#scene.jobs(),
        await this.#scene.annotations(),
      ]);
      const isOver = jobs.every(({ status }) => status?.conditions?.some(isEnd));
      if (!isOver) continue;
      if (isFinalPhase(annotations['phase'] ?? '')) return;
      if (goes >= MOST_GOES) throw new Error(`not settled after ${goes} times: ${JSON.stringify(annotations)}`);
      goes += 1;
      await this.#go(command);
    }
  }

  async #look(): Promise<Seen> {
    await delay(LAST_COMMANDS_MS);
    for (let tries = 0; ; tries += 1) {
      const ran = await this.#scene.status();
      if (ran.code === 0) {
        const annotations = await this.#patiently(() => this.#scene.annotations());
        const pods = await this.#patiently(() => this.#world.e2e.cluster.list('pods', this.#scene.namespace));
        const standing = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
        const names = standing.map(({ metadata }) => metadata.name);
        return { run: ran.json(), annotations, marks: await this.#marks(), pods: names };
      }
      if (!isPassing(ran) || tries > 20) throw new Error(`status: ${ran.code}: ${ran.stderr}`);
      await delay(1000);
    }
  }

  async #marks(): Promise<Map<string, string[]>> {
    const files = await readdir(this.#folder);
    const read = async (file: string): Promise<[string, string[]]> => {
      const text = await readFile(join(this.#folder, file), 'utf8');
      return [file, text.split('\n').filter((line) => line !== '')];
    };
    return new Map(await Promise.all(files.map(read)));
  }

  /** A line for each runner that exited with 1, which is a bug. */
  async #bugs(): Promise<string[]> {
    const pods = await this.#runners();
    return pods.flatMap(({ metadata, status }) =>
      (status.containerStatuses ?? [])
        .filter(({ state }: Loose) => state.terminated?.exitCode === 1)
        .map(({ state }: Loose) => `runner ${metadata.name} exited with 1: ${state.terminated.message}`),
    );
  }

  // --- the faults ----------------------------------------------------------------------------------------------------

  async #doFaults(): Promise<void> {
    if (this.#scenario.faults.length === 0) return;
    const until = Date.now() + 60_000;
    while ((await this.#marks()).size === 0 && Date.now() < until) await delay(50);
    for (const fault of this.#scenario.faults) {
      await delay(fault.afterMs);
      const hit = await this.#do(fault);
      if (hit) this.#done.push('part' in fault ? `${fault.part} killed` : fault.kind);
    }
  }

  /** Returns false if there was no object for this fault. */
  async #do(fault: Fault): Promise<boolean> {
    const { e2e, outages } = this.#world;
    const { name } = this.#scene;
    switch (fault.kind) {
      case 'runner killed':
        this.#deaths += 1;
        return signalRunners(name, 'SIGKILL') > 0;
      case 'runner deleted':
      case 'runner ended':
        this.#deaths += 1;
        return this.#removeRunner(fault.kind === 'runner deleted' ? { gracePeriodSeconds: 0 } : {});
      case 'runner evicted':
        this.#deaths += 1;
        return this.#evict(e2e.velero, (await this.#runners()).find(isLive)?.metadata.name);
      case 'runner frozen': {
        this.#deaths += 1;
        await this.#secondJob();
        const hit = signalRunners(name, 'SIGSTOP') > 0;
        await delay(fault.forMs);
        signalRunners(name, 'SIGCONT');
        return hit;
      }
      case 'second Job':
        return this.#secondJob();
      case 'second apply': {
        const others = [this.#plugin('apply', false), this.#plugin('apply', false)];
        for (const ran of await Promise.all(others)) refuseBug('a second apply', ran);
        return true;
      }
      case 'cancel': {
        this.#canceled = true;
        const ran = await e2e.plugin('cancel', name, '-n', e2e.velero);
        return ran.code === 0;
      }
      case 'target deleted':
        this.#gone.add(fault.pod);
        return this.#tried(() =>
          e2e.cluster.client.delete(paths.pods(this.#scene.namespace, fault.pod), { gracePeriodSeconds: 0 }),
        );
      case 'target evicted':
        this.#gone.add(fault.pod);
        return this.#evict(this.#scene.namespace, fault.pod);
      case 'part killed':
        await outages.of(fault.part, fault.forMs);
        return true;
    }
  }

  #runners(): Promise<Loose[]> {
    const { cluster, velero } = this.#world.e2e;
    return this.#patiently(() => cluster.list('pods', velero, `restorehooks.io/restore=${this.#scene.name}`));
  }

  async #removeRunner(options: { gracePeriodSeconds?: number }): Promise<boolean> {
    const { cluster, velero } = this.#world.e2e;
    const pod = (await this.#runners()).find(isLive);
    if (pod === undefined) return false;
    return this.#tried(() => cluster.client.delete(paths.pods(velero, pod.metadata.name), options));
  }

  async #evict(namespace: string, name: string | undefined): Promise<boolean> {
    if (name === undefined) return false;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
    const path = `${paths.pods(namespace, name)}/eviction`;
    return this.#tried(() => this.#world.e2e.cluster.client.create(path, eviction));
  }

  /** Create a second Job of the same run. */
  async #secondJob(): Promise<boolean> {
    const { cluster } = this.#world.e2e;
    const [job] = await this.#patiently(() => this.#scene.jobs());
    if (job === undefined) return false;
    const { selector: _, template, ...spec } = job.spec;
    const { name, namespace, ownerReferences } = job.metadata;
    const own = (labels: object) =>
      Object.fromEntries(Object.entries(labels).filter(([key]) => !key.includes('job-name') && !key.includes('uid')));
    const twin = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: `${name}-twin`, namespace, ownerReferences, labels: own(job.metadata.labels) },
      spec: { ...spec, template: { ...template, metadata: { labels: own(template.metadata.labels) } } },
    };
    return this.#tried(() => cluster.create(twin));
  }

  async #tried(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (error instanceof RestoreHooksError) return false;
      throw error;
    }
  }

  /** Ask again while a part of the cluster is down. */
  async #patiently<T>(ask: () => Promise<T>): Promise<T> {
    for (const until = Date.now() + 120_000; ; ) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof RestoreHooksError) || Date.now() > until) throw error;
        await delay(CHECK_MS);
      }
    }
  }
}

/** Exit codes that may be different at the next try: cluster out of reach, a right not there yet, another run going. */
const isPassing = ({ code }: Ran): boolean => code === 5 || code === 6 || code === 9;

function refuseBug(what: string, { code, stderr }: Ran): void {
  if (code === 1 || code === 2 || code === null) throw new Error(`${what} exited with ${code}: ${stderr}`);
}

const failureIn = (annotations: Seen['annotations']): RunStatus['failure'] =>
  JSON.parse(annotations['status'] ?? '{}').failure;

function endOf({ run, annotations }: Seen): string {
  const failure = failureIn(annotations);
  return failure === undefined ? run.phase : `${run.phase} (${failure.code}: ${failure.message})`;
}

/** A dead run that was written down, and of which only what may have run is left, is over for `retry` (R6.25). */
function isToGoOn({ run, annotations }: Seen): boolean {
  return (
    run.phase === 'Failed' &&
    (failureIn(annotations)?.code !== 'job' || run.hooks.some(({ state }) => state === 'NotExecuted'))
  );
}

const isEnd = ({ type, status }: Loose): boolean => (type === 'Complete' || type === 'Failed') && status === 'True';
const isLive = ({ status, metadata }: Loose): boolean =>
  metadata.deletionTimestamp === undefined && hasNotEnded({ status });
