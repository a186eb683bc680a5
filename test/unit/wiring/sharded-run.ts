import assert from 'node:assert/strict';
import { RestoreHooksError } from '../../../shared/core/errors.ts';
import type { OnUnknown } from '../../../shared/core/journal/resume.ts';
import type { ExecHook } from '../../../shared/core/model/hook.ts';
import { podKey } from '../../../shared/core/model/hook.ts';
import { shardOfPods } from '../../../shared/core/model/shard.ts';
import { ANNOTATION, boardName, runName } from '../../../shared/core/names.ts';
import { planDocument } from '../../../shared/core/plan/make-plan-document.ts';
import type { PlanDocument } from '../../../shared/core/plan/plan-document.ts';
import { cancelText } from '../../../shared/core/report/cancel-request.ts';
import type { RunInput } from '../../../shared/core/report/run-input.ts';
import { paths } from '../../../shared/kubernetes/api/paths.ts';
import { newStatus, versionOf } from '../../../shared/kubernetes/run/claim.ts';
import { kubernetesRunStore, runStatusOf, writeStatus } from '../../../shared/kubernetes/run/run-store.ts';
import { getRestore } from '../../../shared/kubernetes/velero/restores.ts';
import type { Clock, ExecAnswer, HookExec, PodSource } from '../../../shared/ports/ports.ts';
import { startRun } from '../../../shared/runtime/run.ts';
import { held, quietOf, reportHead } from '../../../shared/wiring/carry-out.ts';
import { takeRun } from '../../../shared/wiring/take-run.ts';
import { execOnly } from '../../sim/exec-only.ts';
import { FakeApi } from '../../sim/fake-api.ts';
import { Random } from '../../sim/random.ts';
import { VirtualClock } from '../../sim/virtual-clock.ts';

export const reference = { namespace: 'velero', name: 'nightly', uid: 'u' };

/** The name of a pod that belongs to this shard. */
export function podOfShard(index: number, of: number, nth = 0): string {
  const pods = [...'abcdefghijklmnopqrstuvw'].map((pod) => ({ namespace: 'ns', pod, podUID: `${pod}-uid` }));
  const shards = shardOfPods(pods, of);
  const own = pods.filter(({ namespace, pod }) => shards.get(podKey(namespace, pod)) === index);
  return own[nth]?.pod ?? assert.fail(`no pod of shard ${index}`);
}

export interface WorldOptions {
  /** Pods whose containers don't come up. */
  readonly notUp?: readonly string[];
  /** How long the command in a pod takes, in ms; absent: 1,000. */
  readonly takesMs?: (pod: string) => number;
  readonly exitCode?: (pod: string, runner: string) => number;
  /** Whether a runner's write to this path has no answer. */
  readonly isHeld?: (runner: string, path: string) => boolean;
  /** The error with which a runner's request is answered. */
  readonly refuses?: (verb: 'get' | 'patch', path: string, now: number) => RestoreHooksError | undefined;
  readonly onUnknown?: OnUnknown;
  /** 4 by default. */
  readonly maxConcurrent?: number;
}

export interface Runner {
  /** False: it is killed, and does nothing more. */
  alive: boolean;
  /** The phase of the run when it left it, or why it didn't take it. */
  how: string;
}

/** A Restore whose run has shards, runners that carry them out, and an API server in memory, under a virtual clock. */
export class ShardedWorld {
  readonly clock = new VirtualClock();
  readonly api = new FakeApi(this.clock, new Random(1));
  readonly input: RunInput;
  /** Which runner started a command in which pod. */
  readonly started: string[] = [];
  readonly #options: WorldOptions;
  readonly #plan: PlanDocument;
  readonly #restore = paths.restores('velero', 'nightly');

  constructor(hooks: readonly ExecHook[], options: WorldOptions = {}) {
    this.#options = options;
    const selector = { labelSelector: 'a=b' };
    this.#plan = planDocument({ restore: reference, selector, hooks, skipped: [], notices: [] });
    this.input = { plan: this.#plan, hooks, kept: [], pods: [] };
    this.api.put(this.#restore, { metadata: { ...reference }, spec: {}, status: { phase: 'Completed' } });
  }

  /** Time goes on until it is answered. */
  async settled<T>(asked: Promise<T>): Promise<T> {
    let isOver = false;
    const noted = asked.finally(() => {
      isOver = true;
    });
    noted.catch(() => undefined);
    const limit = this.clock.now() + 3_600_000;
    for (let until: number = this.clock.now(); !isOver; until += 200) {
      assert.ok(until < limit, 'it is not answered in an hour');
      this.clock.setTimer(until - this.clock.now(), () => undefined);
      await this.clock.runUntilWithPromises(until);
    }
    return noted;
  }

  passed(ms: number): Promise<void> {
    return this.settled(
      new Promise<void>((resolve) => {
        this.clock.setTimer(ms, resolve);
      }),
    );
  }

  restore() {
    return this.settled(getRestore(this.api.calm, 'velero', 'nightly'));
  }

  async status() {
    return runStatusOf(await this.restore()) ?? assert.fail('there has been no run');
  }

  async write(runID: string, parallelism: number): Promise<void> {
    const now = await this.restore();
    const status = newStatus(now, {
      runID,
      planned: { document: this.#plan },
      runner: { kind: 'job', name: 'j' },
      options: { failOn: 'fail', parallelism },
      now: this.clock.now(),
    });
    await this.settled(writeStatus(this.api.calm, versionOf(now, 'velero'), status));
  }

  cancel(runID: string): void {
    const { metadata, ...object } = this.api.read(this.#restore) as { metadata: { annotations: object } };
    const annotations = { ...metadata.annotations, [ANNOTATION.cancelRequested]: cancelText(runID, undefined) };
    this.api.put(this.#restore, { ...object, metadata: { ...metadata, annotations } });
  }

  deleteBoard(runID: string): void {
    this.api.remove(paths.configMaps('velero', boardName(runName('nightly', runID))));
  }

  /** A pod of the Job begins: it takes its shard, and carries it out. */
  run(runID: string, index: number, of: number, name = `${runID}-${index}`, input = this.input): Runner {
    const runner: Runner = { alive: true, how: 'at work' };
    this.#carryOut(runner, { runID, index, of, name, input }).then(
      (phase) => {
        runner.how = phase;
      },
      (error: unknown) => {
        runner.how = error instanceof RestoreHooksError ? error.code : String(error);
      },
    );
    return runner;
  }

  async #carryOut(
    runner: Runner,
    { runID, index, of, name, input }: { runID: string; index: number; of: number; name: string; input: RunInput },
  ): Promise<string> {
    const clock = this.#clockOf(runner);
    const client = this.#clientOf(runner, name);
    const taken = await takeRun(client, clock, {
      runID,
      input,
      claimant: { name, id: name },
      onUnknown: this.#options.onUnknown ?? 'fail',
      unwritten: () => assert.fail('it is not written down'),
      ...(of > 1 && { shard: { index, of } }),
    });
    if ('ended' in taken) return taken.ended.phase;
    const { status, lease, journal, resumed, shard } = taken;
    const head = reportHead(status, taken.input);
    const request = {
      hooks: taken.input.hooks,
      kept: taken.input.kept,
      resumed,
      quiet: quietOf(taken.input),
      status,
      maxConcurrent: this.#options.maxConcurrent ?? 4,
      keepRestorePhase: false,
      formerPhase: undefined,
    };
    const { done } = startRun(request, {
      clock,
      ...held(journal, lease),
      exec: this.#execOf(runner, name),
      pods: this.#pods,
      store: kubernetesRunStore(client, reference, status, taken.runner, head, undefined, shard),
      shard,
      ...execOnly,
    });
    return (await done.finally(() => lease.release())).status.phase;
  }

  #clockOf(runner: Runner): Clock {
    return {
      now: () => this.clock.now(),
      setTimer: (afterMs, fire) => this.clock.setTimer(afterMs, () => runner.alive && fire()),
      soon: (run) => this.clock.soon(() => runner.alive && run()),
    };
  }

  #clientOf(runner: Runner, name: string) {
    const client = this.api.client(
      () => runner.alive,
      () => undefined,
    );
    const { isHeld, refuses } = this.#options;
    const refused = async (verb: 'get' | 'patch', path: string): Promise<void> => {
      const error = refuses?.(verb, path, this.clock.now());
      if (error === undefined) return;
      await new Promise<void>((resolve) => {
        this.clock.setTimer(20, resolve);
      });
      throw error;
    };
    const get: typeof client.get = async (path, ...rest) => {
      await refused('get', path);
      return client.get(path, ...rest);
    };
    const patch: typeof client.patch = async (path, ...rest) => {
      if (isHeld?.(name, path)) await new Promise(() => undefined);
      await refused('patch', path);
      return client.patch(path, ...rest);
    };
    return { ...client, get, patch };
  }

  #execOf(runner: Runner, name: string): HookExec {
    const { takesMs = () => 1_000, exitCode = () => 0 } = this.#options;
    return {
      start: ({ pod }, answer: ExecAnswer) => {
        this.started.push(`${name} in ${pod}`);
        answer.started();
        return this.clock.setTimer(takesMs(pod), () => {
          if (runner.alive) answer.ended({ kind: 'exited', exitCode: exitCode(pod, name) }, {});
        });
      },
    };
  }

  get #pods(): PodSource {
    const { notUp = [] } = this.#options;
    return {
      start: (tell) => {
        for (const { namespace, pod, podUID = '' } of this.input.hooks) {
          const containers = { main: { running: !notUp.includes(pod), ready: true } };
          const observed = { key: podKey(namespace, pod), uid: podUID, phase: 'Running' as const, containers };
          tell({ type: 'podObserved', pod: observed });
        }
        tell({ type: 'podsListed' });
        return () => undefined;
      },
    };
  }
}
