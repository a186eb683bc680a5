import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Hook, HookId, InitContainerObservation, PodKey } from '../../shared/core/model/hook.ts';
import { podKey } from '../../shared/core/model/hook.ts';
import { ANNOTATION } from '../../shared/core/names.ts';
import { planDocument } from '../../shared/core/plan/make-plan-document.ts';
import { cancelText } from '../../shared/core/report/cancel-request.ts';
import type { Payload } from '../../shared/core/report/payload.ts';
import { parseRunInput } from '../../shared/core/report/run-input.ts';
import { hasEnded } from '../../shared/core/report/run-status.ts';
import type { KubeObject } from '../../shared/kubernetes/api/kube-object.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { kubernetesPodCreator } from '../../shared/kubernetes/pods/pod-creator.ts';
import { newStatus, versionOf } from '../../shared/kubernetes/run/claim.ts';
import { kubernetesRunStore, writeStatus } from '../../shared/kubernetes/run/run-store.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { Clock, HookExec, PodEvent, PodSource } from '../../shared/ports/ports.ts';
import type { StartedRun } from '../../shared/runtime/run.ts';
import { startRun } from '../../shared/runtime/run.ts';
import { held } from '../../shared/wiring/carry-out.ts';
import { takeRun } from '../../shared/wiring/take-run.ts';
import { CreationInvariants } from './creation-invariants.ts';
import { takesEvents } from './exec-only.ts';
import type { FakeClient } from './fake-api.ts';
import { FakeApi, refusal } from './fake-api.ts';
import { Random } from './random.ts';
import { VirtualClock } from './virtual-clock.ts';

const RESTORE = paths.restores('velero', 'nightly');
const RESTORE_REFERENCE = { namespace: 'velero', name: 'nightly', uid: 'u' };
const JOB = { name: 'run1', namespace: 'velero' };
const SPACE = 'ns';
const CALM_AFTER_MS = 120_000;
const HORIZON_MS = 3_600_000;

/** What the API server thinks of the pod with its init container, and of the old one put back. */
type Quota = 'takes all' | 'refuses it' | 'refuses it later' | 'refuses all later';

export interface Script {
  readonly key: PodKey;
  readonly pod: string;
  /** Stands when the run begins, and is to be deleted. */
  readonly former: KubeObject | undefined;
  readonly manifest: KubeObject;
  readonly quota: Quota;
  readonly graceMs: number;
  readonly exitCode: number;
  /** Somebody else deletes the pod, or puts another in its place. */
  readonly disturbedAt: number | undefined;
}

export interface Live {
  readonly uid: string;
  readonly isInjected: boolean;
  init: InitContainerObservation | undefined;
  isRunning: boolean;
  isGoing: boolean;
}

/**
 * Pods that a run creates, or deletes and creates anew, under runners that die at any request: one seed, one world. It
 * holds C1 to C6 (creation-invariants.ts).
 */
export class CreationWorld {
  readonly clock = new VirtualClock();
  readonly log: string[] | undefined;
  readonly #random: Random;
  readonly #api: FakeApi;
  readonly #scripts: readonly Script[];
  readonly #live = new Map<PodKey, Live>();
  readonly #invariants = new CreationInvariants(this);
  readonly #watchers = new Set<(event: PodEvent) => void>();
  readonly #deadliness: number;
  readonly #watchLagMs: number;
  readonly #payload: Payload;
  #uids = 0;
  #kills = 0;
  #runners = 0;

  constructor(seed: number, { logged = false } = {}) {
    const random = new Random(seed);
    this.#random = random;
    this.log = logged ? [] : undefined;
    this.#api = new FakeApi(this.clock, random);
    this.#api.calmAt = CALM_AFTER_MS;
    this.#deadliness = random.pick([0, 0.01, 0.05, 0.2]);
    this.#watchLagMs = random.pick([0, 0, 500, 20_000]);
    this.#scripts = Array.from({ length: random.int(1, 4) }, (_, index) => this.#script(index));
    const plan = planDocument({
      restore: RESTORE_REFERENCE,
      selector: { labelSelector: 'x=y' },
      hooks: this.#scripts.flatMap((script) => hooksOf(random, script)),
      skipped: [],
      notices: [],
    });
    const pods = this.#scripts.map(({ pod, former, manifest }) => ({
      namespace: SPACE,
      pod,
      manifest,
      ...(former === undefined ? {} : { former, replaces: uidOf(former) }),
    }));
    this.#payload = { version: 1, plan, kept: [], pods };
  }

  get broken(): string | undefined {
    return this.#invariants.broken;
  }

  async play(): Promise<void> {
    const random = this.#random;
    this.#api.admit = (path, object, isDryRun) => this.#admit(path, object, isDryRun);
    this.#api.deleted = (path, object) => this.#deleted(path, object);
    this.#api.written = (path, object) => this.#written(path, object);
    for (const script of this.#scripts) {
      if (script.former !== undefined) this.#api.put(podPath(script.pod), script.former);
      const { disturbedAt } = script;
      if (disturbedAt !== undefined) this.clock.setTimer(disturbedAt, () => this.#disturb(script));
    }
    this.#api.put(RESTORE, { metadata: { name: 'nightly', namespace: 'velero', uid: 'u' }, spec: {}, status: {} });
    this.#api.put(paths.jobs('velero', JOB.name), { kind: 'Job', metadata: JOB, status: {} });
    const restore = await this.clock.answered(getRestore(this.#api.calm, 'velero', 'nightly'));
    const status = newStatus(restore, {
      runID: JOB.name,
      planned: { document: this.#payload.plan },
      runner: { kind: 'job', name: JOB.name },
      options: { failOn: 'fail' },
      now: this.clock.now(),
    });
    await this.clock.answered(writeStatus(this.#api.calm, versionOf(restore, 'velero'), status));
    if (random.chance(0.15)) this.clock.setTimer(random.time(60_000), () => this.#cancel());
    this.#startRunner();
    await this.clock.runUntilWithPromises(HORIZON_MS);
    this.#invariants.atRest(this.#scripts, this.#live);
  }

  /* ---- the cluster ---- */

  #script(index: number): Script {
    const random = this.#random;
    const pod = `p${index}`;
    const former = random.chance(0.75) ? podObject(pod, false) : undefined;
    return {
      key: podKey(SPACE, pod),
      pod,
      former: former && { ...former, metadata: { name: pod, namespace: SPACE, uid: `${pod}#0` } },
      manifest: podObject(pod, true),
      quota: random.chance(0.7) ? 'takes all' : random.pick(['refuses it', 'refuses it later', 'refuses all later']),
      graceMs: random.pick([0, 1_000, 40_000]),
      exitCode: random.pick([0, 0, 0, 1]),
      disturbedAt: random.chance(0.1) ? random.time(60_000) : undefined,
    };
  }

  #scriptAt(path: string): Script | undefined {
    return this.#scripts.find(({ pod }) => path === podPath(pod));
  }

  #admit(path: string, object: KubeObject, isDryRun: boolean): KubeObject {
    const script = this.#scriptAt(path);
    if (script === undefined) return object;
    const { quota } = script;
    const isLater = quota === 'refuses all later' || (quota === 'refuses it later' && isInjected(object));
    // Whatever the quota is for, it is full once something has been deleted: also for the next one who asks.
    const isFull = isLater && (!isDryRun || !this.#live.has(script.key));
    if ((quota === 'refuses it' && isInjected(object)) || isFull) throw refusal(403, 'Forbidden', 'quota', path);
    this.#uids += 1;
    return { ...object, metadata: { ...(object['metadata'] as object), uid: `${script.pod}#${this.#uids}` } };
  }

  #written(path: string, object: KubeObject): void {
    this.#invariants.written(path, object);
    const script = this.#scriptAt(path);
    if (script === undefined) return;
    const live: Live = {
      uid: uidOf(object),
      isInjected: isInjected(object),
      init: undefined,
      isRunning: false,
      isGoing: false,
    };
    this.#say(`${live.uid} comes to be${live.isInjected ? ', injected' : ''}`);
    this.#live.set(script.key, live);
    this.#invariants.created(script, live);
    if (live.isInjected) live.init = { phase: 'waiting', isOver: false, isSidecar: false, restarts: 0 };
    this.#observe(script.key, live);
    this.clock.setTimer(this.#random.time(2_000), () => this.#begins(script, live));
  }

  #begins(script: Script, live: Live): void {
    if (!live.isInjected) {
      this.#runs(script.key, live);
      return;
    }
    live.init = { phase: 'running', isOver: false, isSidecar: false, restarts: 0, startedAt: this.clock.now() };
    this.#observe(script.key, live);
    this.clock.setTimer(1 + this.#random.time(5_000), () => {
      if (live.isGoing) return;
      const { exitCode } = script;
      live.init = { phase: 'terminated', isOver: true, isSidecar: false, restarts: 0, exitCode };
      this.#observe(script.key, live);
      if (exitCode === 0) this.#runs(script.key, live);
    });
  }

  #runs(key: PodKey, live: Live): void {
    live.isRunning = true;
    this.#observe(key, live);
  }

  #deleted(path: string, object: KubeObject): void {
    const script = this.#scriptAt(path);
    if (script === undefined) throw new Error(`a runner deletes ${path}`);
    this.#invariants.deleted(script, uidOf(object));
    this.#goes(script, script.graceMs);
  }

  #goes({ key, pod }: Script, graceMs: number): void {
    const live = this.#live.get(key);
    if (live === undefined || live.isGoing) return;
    live.isGoing = true;
    this.#observe(key, live);
    this.clock.setTimer(graceMs, () => {
      this.#say(`${live.uid} is gone`);
      this.#live.delete(key);
      this.#api.remove(podPath(pod));
      this.#tell({ type: 'podDeleted', key, uid: live.uid });
    });
  }

  #disturb(script: Script): void {
    this.#say(`somebody deletes ${script.key}`);
    this.#goes(script, 0);
    if (this.#random.chance(0.5)) return;
    this.clock.setTimer(1 + this.#random.time(3_000), () => {
      if (this.#live.has(script.key)) return;
      this.#uids += 1;
      const metadata = { name: script.pod, namespace: SPACE, uid: `${script.pod}#${this.#uids}` };
      this.#api.put(podPath(script.pod), { ...podObject(script.pod, false), metadata });
    });
  }

  #observe(key: PodKey, live: Live): void {
    this.#tell(observed(key, live));
  }

  #tell(event: PodEvent): void {
    for (const watcher of [...this.#watchers]) watcher(event);
  }

  /** A list, and a watch that is behind it, in order. */
  readonly #pods: PodSource = {
    start: (tell) => {
      let stopped = false;
      let at: number = this.clock.now();
      const later = (event: PodEvent): void => {
        at = Math.max(at, this.clock.now() + this.#random.time(this.#watchLagMs));
        this.clock.setTimer(at - this.clock.now(), () => stopped || tell(event));
      };
      this.clock.setTimer(this.#random.time(1_000), () => {
        if (stopped) return;
        for (const [key, live] of this.#live) tell(observed(key, live));
        tell({ type: 'podsListed' });
        this.#watchers.add(later);
      });
      return () => {
        stopped = true;
        this.#watchers.delete(later);
      };
    },
  };

  readonly #exec: HookExec = {
    start: ({ namespace, pod }, { started, ended }) => {
      const key = podKey(namespace, pod);
      const live = this.#live.get(key);
      const script = this.#scripts.find((each) => each.key === key);
      this.#say(`exec in ${live?.uid}`);
      this.#invariants.executed(script, live);
      if (live?.isRunning !== true || live.isGoing) ended({ kind: 'podDeleted' }, {});
      else {
        started();
        this.clock.setTimer(this.#random.time(2_000), () => ended({ kind: 'exited', exitCode: 0 }, {}));
      }
      return () => undefined;
    },
  };

  /* ---- its runners ---- */

  #startRunner(): void {
    this.#runners += 1;
    const id = `runner-${this.#runners}`;
    let alive = true;
    let run: StartedRun | undefined;
    const leave = (how: string): void => {
      if (!alive) return;
      this.#say(`${id}: ${how}`);
      alive = false;
      if (!how.startsWith('ended'))
        this.clock.setTimer(this.#random.pick([0, 1_000, 20_000]), () => this.#startRunner());
    };
    const mayDie = (): boolean => this.#kills < 4 && this.clock.now() < CALM_AFTER_MS;
    const client = this.#api.client(
      () => alive,
      (when, what) => {
        if (!alive || !mayDie() || !this.#random.chance(this.#deadliness)) return;
        this.#kills += 1;
        leave(`killed ${when} ${what}`);
      },
    );
    const clock = {
      now: () => this.clock.now(),
      setTimer: (ms: number, fire: () => void) => this.clock.setTimer(ms, () => alive && fire()),
      soon: (fire: () => void) => this.clock.soon(() => alive && fire()),
    };
    if (this.#random.chance(0.1)) {
      this.clock.setTimer(this.#random.time(30_000), () => {
        this.#say(`${id} is asked to end`);
        const asked = run;
        asked?.suspend();
        this.clock.setTimer(5_000, () => alive && asked?.drop());
      });
    }
    const began = (started: StartedRun): void => {
      run = started;
    };
    this.#carryOut(id, () => alive, client, clock, began).then(leave, (error: unknown) => {
      if (error instanceof RestoreHooksError) leave(`${error.code}: ${error.message}`);
      else this.#invariants.broken ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
  }

  /** From taking the run to its end; the answer says how it ended. */
  async #carryOut(
    id: string,
    isAlive: () => boolean,
    client: FakeClient,
    clock: Clock,
    began: (run: StartedRun) => void,
  ): Promise<string> {
    const input = parseRunInput(this.#payload);
    const taken = await takeRun(client, clock, {
      runID: JOB.name,
      input,
      claimant: { name: id, id },
      onUnknown: 'fail',
      unwritten: () => {
        throw new RestoreHooksError('RUN_BY_ANOTHER', 'the run was not written down');
      },
    });
    if ('ended' in taken) return 'ended before';
    const { status, lease, journal, resumed, runner } = taken;
    const { plan, hooks, kept, pods } = input;
    const run = startRun(
      {
        hooks,
        kept,
        resumed,
        status,
        maxConcurrent: 3,
        keepRestorePhase: false,
        formerPhase: undefined,
      },
      {
        clock,
        ...held(journal, lease),
        exec: this.#exec,
        logs: { read: (_container, read) => clock.setTimer(this.#random.time(1_000), () => read({})) },
        creator: kubernetesPodCreator({ client, clock }, plan.restore, status.runID, pods),
        pods: { start: (tell) => this.#pods.start((event) => isAlive() && tell(event)) },
        store: kubernetesRunStore(client, plan.restore, status, runner, { selector: plan.selector }),
        events: takesEvents,
      },
    );
    began(run);
    const { status: last } = await run.done.finally(() => lease.release());
    return hasEnded(last) ? `ended: ${last.phase}` : 'suspended';
  }

  #cancel(): void {
    this.#say('cancel is asked for');
    this.#invariants.canceled();
    const restore = this.#api.read(RESTORE) as KubeObject;
    const metadata = restore['metadata'] as { annotations?: object };
    const annotations = { ...metadata.annotations, [ANNOTATION.cancelRequested]: cancelText(JOB.name, undefined) };
    this.#api.put(RESTORE, { ...restore, metadata: { ...metadata, annotations } });
  }

  #say(what: string): void {
    this.log?.push(`${String(this.clock.now()).padStart(8)}  ${what}`);
  }
}

const podPath = (pod: string): string => paths.pods(SPACE, pod);
const uidOf = (object: KubeObject): string => (object['metadata'] as { uid: string }).uid;

const podObject = (name: string, isInjected: boolean): KubeObject => ({
  metadata: { name, namespace: SPACE },
  spec: { containers: [{ name: 'main' }], ...(isInjected ? { initContainers: [{ name: 'load' }] } : {}) },
});
const isInjected = (object: KubeObject): boolean => 'initContainers' in (object['spec'] as object);

const observed = (key: PodKey, { uid, init, isRunning, isGoing }: Live): PodEvent => ({
  type: 'podObserved',
  pod: {
    key,
    uid,
    phase: isRunning ? 'Running' : 'Pending',
    ...(isGoing ? { isGoing } : {}),
    containers: { main: { running: isRunning, ready: isRunning } },
    ...(init === undefined ? {} : { initContainers: { load: init } }),
  },
});

function hooksOf(random: Random, { key, pod, former }: Script): Hook[] {
  const of = {
    namespace: SPACE,
    pod,
    ...(former === undefined ? {} : { podUID: uidOf(former) }),
    source: 'spec',
    origin: 'velero',
    name: 'h',
    waitTimeoutFrom: 'default',
  } as const;
  const init: Hook = {
    ...of,
    id: `${key}/load/h/0` as HookId,
    kind: 'init',
    container: 'load',
    index: 0,
    image: 'i',
    waitTimeoutMs: null,
    injection: former === undefined ? 'create' : 'recreate',
  };
  if (random.chance(0.4)) return [init];
  const exec: Hook = {
    ...of,
    id: `${key}/main/h/1` as HookId,
    kind: 'exec',
    container: 'main',
    index: 1,
    command: [key],
    onError: 'Continue',
    execTimeoutMs: 30_000,
    execTimeoutFrom: 'default',
    waitTimeoutMs: 300_000,
    waitForReady: false,
  };
  return [init, exec];
}

export async function playCreation(seed: number, options: { logged?: boolean } = {}) {
  const world = new CreationWorld(seed, options);
  let thrown: string | undefined;
  try {
    await world.play();
  } catch (error) {
    thrown = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  return { broken: world.broken ?? thrown, log: world.log ?? [] };
}
