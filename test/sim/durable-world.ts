import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { HistoryLine } from '../../shared/core/execute/history.ts';
import type { OnUnknown } from '../../shared/core/journal/resume.ts';
import { decideApply } from '../../shared/core/ledger/decide-apply.ts';
import { decideRetry, rowsToRetry } from '../../shared/core/ledger/decide-retry.ts';
import { ledgerOf } from '../../shared/core/ledger/ledger.ts';
import type { ExecHook } from '../../shared/core/model/hook.ts';
import { later } from '../../shared/core/model/instant.ts';
import type { Shard } from '../../shared/core/model/shard.ts';
import { isFollower, shardOfPods } from '../../shared/core/model/shard.ts';
import { ANNOTATION, boardName, runName } from '../../shared/core/names.ts';
import { planDocument } from '../../shared/core/plan/make-plan-document.ts';
import type { PlanDocument } from '../../shared/core/plan/plan-document.ts';
import { cancelText } from '../../shared/core/report/cancel-request.ts';
import { rowDocuments } from '../../shared/core/report/hook-row.ts';
import type { Payload } from '../../shared/core/report/payload.ts';
import { parseRunInput } from '../../shared/core/report/run-input.ts';
import { hasEnded } from '../../shared/core/report/run-status.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import type { KubeObject } from '../../shared/kubernetes/api/kube-object.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { newStatus, versionOf } from '../../shared/kubernetes/run/claim.ts';
import { kubernetesRunStore, writeStatus } from '../../shared/kubernetes/run/run-store.ts';
import { readRuns } from '../../shared/kubernetes/run/runs-of-restore.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { Clock, HookExec } from '../../shared/ports/ports.ts';
import type { StartedRun } from '../../shared/runtime/run.ts';
import { startRun } from '../../shared/runtime/run.ts';
import { held, quietOf, reportHead } from '../../shared/wiring/carry-out.ts';
import { hasNothing } from '../../shared/wiring/shards.ts';
import { takeRun } from '../../shared/wiring/take-run.ts';
import { DurableInvariants } from './durable-invariants.ts';
import { execOnly } from './exec-only.ts';
import { FakeApi } from './fake-api.ts';
import { CALM_AFTER_MS, World } from './world.ts';

const NAMESPACE = 'velero';
const NAME = 'nightly';
const RESTORE = paths.restores(NAMESPACE, NAME);
/** After this nothing dies any more, and a while later what is left is canceled. */
const HORIZON_MS = CALM_AFTER_MS * 3;

type Client = Pick<KubeClient, 'get' | 'create' | 'patch'>;

/** One process that carries out a run, for as long as it lives. */
class Runner {
  readonly id: string;
  readonly runID: string;
  readonly shard: Shard | undefined;
  readonly clock: Clock;
  readonly client: Client;
  readonly asked = new AbortController();
  alive = true;
  started: StartedRun | undefined;
  exit: string | undefined;
  isSuspended = false;
  readonly #drops = new Set<() => void>();

  constructor(cluster: DurableWorld, runID: string, serial: number, shard: Shard | undefined) {
    const { world, random, api } = cluster;
    this.runID = runID;
    this.shard = shard;
    this.id = `runner-${serial}`;
    const skewMs = random.pick([0, 0, 0, 700, -700]);
    const { clock } = world;
    this.clock = {
      now: () => later(clock.now(), skewMs),
      setTimer: (ms, fire) => clock.setTimer(ms, () => this.alive && fire()),
      soon: (run) => clock.soon(() => this.alive && run()),
    };
    this.client = api.client(
      () => this.alive,
      (when, what) => {
        if (this.alive && cluster.mayKill() && random.chance(cluster.deadliness)) this.kill(cluster, `${when} ${what}`);
        if (this.alive && when === 'done' && / \S+-journal-\d+$/.test(what)) cluster.journaled();
      },
    );
  }

  exec(cluster: DurableWorld): HookExec {
    return {
      end: (request) => cluster.world.exec.end?.(request),
      start: (request, answer) => {
        if (!this.alive) throw new Error('a dead runner starts a command');
        const hook = cluster.hookOf(request.command);
        const isBegun = request.detached?.isBegun === true;
        const asked = isBegun ? cluster.invariants.attaching(this, hook) : cluster.invariants.asked(this, hook);
        let drop = (): void => undefined;
        drop = cluster.world.exec.start(request, {
          started: () => {
            cluster.invariants.started(asked);
            if (this.alive) answer.started();
          },
          ended: (outcome, output) => {
            this.#drops.delete(drop);
            cluster.invariants.ended(hook, asked, outcome);
            if (this.alive) answer.ended(outcome, output);
          },
        });
        this.#drops.add(drop);
        return () => {
          this.#drops.delete(drop);
          drop();
        };
      },
    };
  }

  /** As the kubelet asks: a runner that has not begun ends at once. */
  suspend(): void {
    this.isSuspended = true;
    if (this.started === undefined) this.asked.abort();
    else this.started.suspend();
  }

  /** At this very instruction. Its streams break, its commands go on. */
  kill(cluster: DurableWorld, why: string): void {
    if (!this.alive) return;
    cluster.world.say(`${this.id} is killed ${why}`);
    this.alive = false;
    this.exit ??= 'killed';
    cluster.left(this);
  }
}

/** A cluster with one Restore, whose run passes from runner to runner: one seed, one world. */
export class DurableWorld {
  readonly world: World;
  readonly random: World['random'];
  readonly api: FakeApi;
  readonly invariants: DurableInvariants;
  readonly deadliness: number;
  readonly onUnknown: OnUnknown;
  readonly plan: PlanDocument;
  readonly runners: Runner[] = [];
  payload: Payload;
  /** What each runner has recorded. */
  readonly histories: Map<string, HistoryLine[]> | undefined;
  #runID = 'run1';
  #runs = 1;
  #kills = 0;
  #isFollowed = false;
  readonly #mostKills: number;
  /** Asked to end when this many writes of the journal stand, and the runner doesn't know of the last: 0 = never. */
  #suspendAfter: number;
  readonly #hooks: ReadonlyMap<string, ExecHook>;
  /** Some worlds divide some of their runs. */
  readonly #isSharded: boolean;
  isBoardLost = false;
  readonly #shards = new Map<string, number>();

  constructor(seed: number, { recorded = false, ...options }: DurableOptions = {}) {
    const world = new World(seed, { ...options, detaching: seed % 10 === 8 });
    const { random, clock } = world;
    this.#suspendAfter = seed % 10 === 6 ? 1 + (Math.floor(seed / 10) % 8) : 0;
    this.world = world;
    this.#isSharded = seed % 10 === 1 || seed % 10 === 9 || seed % 20 === 18;
    this.histories = recorded ? new Map() : undefined;
    this.random = random;
    this.api = new FakeApi(clock, random);
    this.api.calmAt = CALM_AFTER_MS;
    this.deadliness = random.pick([0, 0.002, 0.01, 0.05]);
    this.#mostKills = random.pick([1, 2, 5]);
    this.onUnknown = random.chance(0.25) ? 'rerun' : 'fail';
    this.#hooks = new Map(world.hooks.map((hook) => [hook.command.join(' '), hook]));
    this.plan = planDocument({
      restore: { namespace: NAMESPACE, name: NAME, uid: 'u' },
      selector: { labelSelector: 'x=y' },
      hooks: world.hooks,
      skipped: [],
      notices: [],
    });
    this.payload = { version: 1, plan: this.plan, kept: [], pods: [] };
    this.#divide();
    this.invariants = new DurableInvariants(this);
    world.commands.began = (hook, key) => this.invariants.began(hook, key);
    world.commands.over = (hook, outcome) => this.invariants.over(hook, outcome);
    this.api.put(RESTORE, {
      apiVersion: 'velero.io/v1',
      kind: 'Restore',
      metadata: { name: NAME, namespace: NAMESPACE, uid: 'u' },
      spec: {},
      status: { phase: 'Completed' },
    });
    this.api.written = (path, object) => this.invariants.written(path, object);
  }

  hookOf(command: readonly string[]): ExecHook {
    const hook = this.#hooks.get(command.join(' '));
    if (hook === undefined) throw new Error(`no hook has the command ${command.join(' ')}`);
    return hook;
  }

  /** Into how many shards a run is divided. */
  shardsOf(runID: string): number {
    return this.#shards.get(runID) ?? 1;
  }

  /** The pods of a run's shard, in plan order. */
  podsOf(runID: string, index: number): string[] {
    const shards = shardOfPods(this.world.hooks, this.shardsOf(runID));
    return [...shards].flatMap(([key, shard]) => (shard === index ? [key] : []));
  }

  #divide(): void {
    if (this.#isSharded) this.#shards.set(this.#runID, this.random.pick([1, 2, 3]));
  }

  mayKill(): boolean {
    return this.#kills < this.#mostKills && this.world.clock.now() < CALM_AFTER_MS;
  }

  async play(): Promise<void> {
    const { clock } = this.world;
    const { random } = this;
    await clock.answered(this.#launch());
    if (random.chance(0.15)) clock.setTimer(random.time(40_000), () => this.#startRunner(0));
    for (let kills = random.pick([0, 0, 1, 3]); kills > 0; kills -= 1) {
      clock.setTimer(random.time(60_000), () => {
        if (this.mayKill()) this.#someRunner(({ alive }) => alive)?.kill(this, 'by chance');
      });
    }
    if (random.chance(0.3)) clock.setTimer(random.time(40_000), () => this.#suspend());
    if (this.#isSharded && random.chance(0.1)) clock.setTimer(random.time(40_000), () => this.#loseBoard());
    if (random.chance(0.2)) this.#cancelAt(random.time(60_000), random.pick([undefined, 0, 2_000]));
    this.#cancelAt(HORIZON_MS / 2, 0);
    await clock.runUntilWithPromises(HORIZON_MS);
    if (this.invariants.broken !== undefined) return;
    this.invariants.atRest(this.#runID);
  }

  journaled(): void {
    if (this.#suspendAfter === 0) return;
    this.#suspendAfter -= 1;
    if (this.#suspendAfter === 0) this.#suspend();
  }

  #suspend(): void {
    const runner = this.#someRunner(({ alive, started }) => alive && started !== undefined);
    if (runner === undefined) return;
    this.world.say(`${runner.id} is asked to end`);
    runner.suspend();
    this.world.clock.setTimer(this.random.pick([1, 5_000, 50_000]), () => runner.alive && runner.started?.drop());
  }

  #someRunner(is: (runner: Runner) => boolean): Runner | undefined {
    const some = this.runners.filter(is);
    return this.#isSharded ? some[this.random.int(0, some.length - 1)] : some.at(-1);
  }

  /** Somebody deletes what the shards tell each other. */
  #loseBoard(): void {
    const path = paths.configMaps(NAMESPACE, boardName(runName(NAME, this.#runID)));
    if (this.api.read(path) === undefined) return;
    this.world.say(`the board of ${this.#runID} is deleted`);
    this.isBoardLost = true;
    this.api.remove(path);
  }

  #cancelAt(at: number, graceMs: number | undefined): void {
    this.world.clock.setTimer(at, () => {
      const restore = this.api.read(RESTORE) as KubeObject;
      const metadata = restore['metadata'] as { annotations?: object };
      this.world.say('cancel is asked for');
      this.invariants.cancelAsked();
      const annotations = { ...metadata.annotations, [ANNOTATION.cancelRequested]: cancelText(this.#runID, graceMs) };
      this.api.put(RESTORE, { ...restore, metadata: { ...metadata, annotations } });
    });
  }

  /** As `apply` does: written down, then launched. */
  async #launch(): Promise<void> {
    const { calm } = this.api;
    const restore = await getRestore(calm, NAMESPACE, NAME);
    const status = newStatus(restore, {
      runID: this.#runID,
      planned: { document: this.payload.plan },
      runner: { kind: 'job', name: this.#runID },
      options: { failOn: 'fail', parallelism: this.shardsOf(this.#runID) },
      now: this.world.clock.now(),
    });
    await writeStatus(calm, versionOf(restore, NAMESPACE), status);
    this.#setJob(this.#runID, []);
    for (let index = 0; index < this.shardsOf(this.#runID); index += 1) {
      // No node may have room for its pod.
      const isLate = index > 0 && this.random.chance(0.1);
      if (isLate) this.#startLate(index, this.random.pick([5_000, 60_000, undefined]));
      else this.#startRunner(index);
    }
  }

  /** Undefined: its pod never comes up. */
  #startLate(index: number, afterMs: number | undefined): void {
    const runID = this.#runID;
    if (afterMs === undefined) return;
    this.world.clock.setTimer(afterMs, () => {
      if (runID === this.#runID && !this.#isFollowed) this.#startRunner(index);
    });
  }

  #setJob(runID: string, conditions: readonly object[]): void {
    const metadata = { name: runID, namespace: NAMESPACE };
    this.api.put(paths.jobs(NAMESPACE, runID), { kind: 'Job', metadata, status: { conditions } });
  }

  #startRunner(index = 0): void {
    const of = this.shardsOf(this.#runID);
    const shard = of === 1 ? undefined : { index, of };
    const input = parseRunInput(this.payload);
    if (shard !== undefined && hasNothing(input, shard)) return;
    const runner = new Runner(this, this.#runID, this.runners.length + 1, shard);
    this.runners.push(runner);
    this.world.say(`${runner.id} of ${runner.runID}${shard === undefined ? '' : `, shard ${index} of ${of},`} starts`);
    this.#run(runner).then(
      (how) => {
        if (!runner.alive) return;
        runner.exit = how;
        this.world.say(`${runner.id}: ${how}`);
        runner.alive = false;
        this.left(runner);
      },
      (error: unknown) => {
        if (!(error instanceof RestoreHooksError)) {
          this.invariants.broken ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
          return;
        }
        if (!runner.alive) return;
        this.world.say(`${runner.id} exits: ${error.code}: ${error.message}`);
        runner.exit = error.code;
        runner.alive = false;
        this.left(runner);
      },
    );
  }

  async #run(runner: Runner): Promise<string> {
    const taken = await takeRun(runner.client, runner.clock, {
      runID: runner.runID,
      input: parseRunInput(this.payload),
      shard: runner.shard,
      signal: runner.asked.signal,
      claimant: { name: runner.id, id: runner.id },
      onUnknown: this.onUnknown,
      unwritten: () => {
        throw new RestoreHooksError('RUN_BY_ANOTHER', 'the run was not written down');
      },
    });
    if ('ended' in taken) return `the run has ended: ${taken.ended.phase}`;
    const { input, status, lease, journal, resumed, runner: number, shard } = taken;
    this.invariants.claimed(runner.id, number);
    const run = startRun(
      {
        hooks: input.hooks,
        kept: input.kept,
        resumed,
        quiet: quietOf(input),
        status,
        maxConcurrent: this.world.maxConcurrent,
        keepRestorePhase: false,
        formerPhase: undefined,
      },
      {
        clock: runner.clock,
        ...held(journal, lease),
        exec: runner.exec(this),
        pods: {
          start: (tell) => this.world.pods.start((event) => runner.alive && tell(event)),
        },
        store: kubernetesRunStore(
          runner.client,
          input.plan.restore,
          status,
          number,
          reportHead(status, input),
          undefined,
          shard,
        ),
        shard,
        ...execOnly,
      },
      { record: this.histories && ((line) => this.#recorded(runner, line)) },
    );
    runner.started = run;
    const { status: last } = await run.done.finally(() => lease.release());
    if (!hasEnded(last)) return 'suspended';
    return isFollower(runner.shard) ? 'the shard has ended' : `the run has ended: ${last.phase}`;
  }

  #recorded({ id }: Runner, line: HistoryLine): void {
    const lines = this.histories?.get(id) ?? [];
    this.histories?.set(id, lines);
    lines.push(line);
  }

  /** What the Job's controller does, or a person where the Job has given up. */
  left(runner: Runner): void {
    if (runner.exit === 'killed') this.#kills += 1;
    if (runner.shard !== undefined) {
      this.#leftShard(runner, runner.shard);
      return;
    }
    const current = this.runners.filter(({ runID }) => runID === this.#runID);
    if (this.#isFollowed || current.some((each) => each.alive || isOver(each))) return;
    this.#isFollowed = true;
    const { random } = this;
    const isTaken = runner.exit === 'RUN_BY_ANOTHER';
    // That is final: its Job has failed.
    const isAgain = isTaken || (this.#runs < 4 && random.chance(0.3));
    if (isAgain) this.#setJob(this.#runID, [{ type: 'Failed', status: 'True' }]);
    this.world.clock.setTimer(random.pick([0, 1_000, 20_000]), () => {
      this.#isFollowed = false;
      if (isAgain) void this.#again();
      else this.#startRunner();
    });
  }

  /** What the controller of an Indexed Job does: each shard has its own next pod, and a final exit code ends them all. */
  #leftShard(runner: Runner, { index }: Shard): void {
    if (runner.runID !== this.#runID || this.#isFollowed || (isOver(runner) && runner.exit !== 'RUN_FAILED')) return;
    const { random, world } = this;
    const current = this.runners.filter(({ runID }) => runID === this.#runID);
    const isGivenUp = this.#runs < 4 && random.chance(0.15);
    if (runner.exit !== 'RUN_BY_ANOTHER' && runner.exit !== 'RUN_FAILED' && !isGivenUp) {
      const isNext = (other: Runner): boolean => other.shard?.index === index && (other.alive || isOver(other));
      world.clock.setTimer(random.pick([0, 1_000, 20_000]), () => {
        if (runner.runID === this.#runID && !this.#isFollowed && !current.some(isNext)) this.#startRunner(index);
      });
      return;
    }
    this.#isFollowed = true;
    this.#setJob(this.#runID, [{ type: 'Failed', status: 'True' }]);
    for (const other of current.filter(({ alive }) => alive)) {
      other.suspend();
      world.clock.setTimer(random.pick([1, 5_000, 50_000]), () => other.alive && other.kill(this, 'with its Job'));
    }
    world.clock.setTimer(random.pick([0, 1_000, 20_000]), () => {
      if (runner.runID !== this.#runID) return;
      this.#isFollowed = false;
      void this.#again();
    });
  }

  /** `apply` again, or `retry`, by somebody who finds the run's Job gone. */
  async #again(): Promise<void> {
    const { calm } = this.api;
    const { random, world } = this;
    const before = [this.#runID, this.payload] as const;
    try {
      const restore = await getRestore(calm, NAMESPACE, NAME);
      const plan = { digest: this.plan.digest, hooks: world.hooks };
      const runs = await readRuns(calm, world.clock, this.plan.restore, restore);
      const ledger = ledgerOf(runs, world.clock.now(), plan);
      if (ledger.last === undefined || hasEnded(ledger.last.status)) return;
      const { rows } = rowsToRetry(ledger);
      // A fresh plan knows the UIDs of pods that this one doesn't, so only a retry has the same hooks.
      const knowsPods = world.hooks.every(({ podUID }) => podUID !== undefined);
      const isRetry = rows.length > 0 && (!knowsPods || random.chance(0.3));
      const decision = isRetry
        ? decideRetry(ledger, rows, () => true, this.onUnknown)
        : decideApply(ledger, plan, { onUnknown: this.onUnknown });
      world.say(`${isRetry ? 'retry' : 'apply'}: ${decision.action}`);
      if (decision.action === 'write-down-dead-run') this.invariants.settled(rowDocuments(rows));
      // Somebody else was faster: that run's Job makes its next pod.
      const isLeft = !this.runners.some(({ alive, runID }) => alive && runID === this.#runID);
      if (decision.action === 'follow' && isLeft) {
        for (let index = 0; index < this.shardsOf(this.#runID); index += 1) this.#startRunner(index);
      }
      if (decision.action !== 'start') return;
      this.#runs += 1;
      this.#runID = `run${this.#runs}`;
      // Somebody may have followed the run before because another of its pods ended.
      this.#isFollowed = false;
      this.#divide();
      this.payload = {
        version: 1,
        plan: this.plan,
        kept: rowDocuments(decision.kept),
        pods: [],
        ...(decision.lost.length > 0 ? { lost: [...decision.lost] } : {}),
        ...(decision.begun.length > 0 ? { begun: [...decision.begun] } : {}),
        ...(decision.quiet.length > 0 ? { quiet: [...decision.quiet] } : {}),
        ...(decision.takesOver ? { takesOver: decision.takesOver } : {}),
      };
      this.invariants.planned(this.payload, this.#runID, isRetry);
      await this.#launch();
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) {
        this.invariants.broken ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
        return;
      }
      world.say(`apply fails: ${error.message}`);
      [this.#runID, this.payload] = before;
      world.clock.setTimer(5_000, () => void this.#again());
    }
  }
}

const isOver = ({ exit }: Runner): boolean =>
  exit?.startsWith('the run has ended') || exit === 'the shard has ended' || exit === 'RUN_FAILED';

interface DurableOptions {
  readonly logged?: boolean;
  readonly recorded?: boolean;
}

export async function playDurable(
  seed: number,
  options: DurableOptions = {},
): Promise<{ readonly broken: string | undefined; readonly log: readonly string[]; readonly world: DurableWorld }> {
  const world = new DurableWorld(seed, options);
  try {
    await world.play();
  } catch (error) {
    world.invariants.broken ??=
      error instanceof Error
        ? /^D\d+ is broken/.test(error.message)
          ? error.message
          : (error.stack ?? error.message)
        : String(error);
  }
  return { broken: world.invariants.broken, log: world.world.log ?? [], world };
}
