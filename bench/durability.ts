import { randomUUID } from 'node:crypto';
import process from 'node:process';
import { runOptions } from '../runner/begin.ts';
import { runnerConfig } from '../runner/config.ts';
import { ownPlan } from '../runner/own-plan.ts';
import { createRun } from '../shared/core/execute/state.ts';
import type { ExecHook, HookId } from '../shared/core/model/hook.ts';
import { planDocument } from '../shared/core/plan/make-plan-document.ts';
import type { RunInput } from '../shared/core/report/run-input.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { claimRun, newRunID, newStatus, versionOf } from '../shared/kubernetes/run/claim.ts';
import { KubernetesJournal } from '../shared/kubernetes/run/journal.ts';
import type { HeldLease } from '../shared/kubernetes/run/lease.ts';
import { writeStatus } from '../shared/kubernetes/run/run-store.ts';
import { getRestore } from '../shared/kubernetes/velero/restores.ts';
import { startEngine } from '../shared/runtime/engine.ts';
import { systemClock } from '../shared/system/clock.ts';
import { carryOut } from '../shared/wiring/carry-out.ts';
import type { TakenRun } from '../shared/wiring/take-run.ts';
import { journalPlace, takeRun } from '../shared/wiring/take-run.ts';
import { telemetryOf } from '../shared/wiring/telemetry.ts';
import { crowd } from '../test/e2e/crowd.ts';
import type { Scene, Suite } from '../test/e2e/harness.ts';
import { isReal, startSuite } from '../test/e2e/harness.ts';
import { execOnly } from '../test/sim/exec-only.ts';
import { firmHold, forgetfulJournal } from '../test/sim/forgetful-journal.ts';
import type { Row } from './row.ts';
import { median, row } from './row.ts';

/** What it costs that nothing is lost: on a real cluster where there is one, else on the embedded server. */
export async function durabilityRows(): Promise<Row[]> {
  const e2e = await startSuite();
  const server = isReal ? 'real API server and etcd' : 'embedded API server';
  try {
    return [
      row({
        name: 'journal writes per hook',
        ours: await writesPerHook(e2e),
        reference: 0.1,
        unit: 'writes',
        limit: 1,
        source: `the limit itself; 1,000 hooks of 1 ms, 64 at once, ${server}`,
      }),
      await overheadRow(e2e, server),
    ];
  } finally {
    await e2e.close();
  }
}

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const runner = { kind: 'local', name: 'bench' } as const;

/** A run that is written down, and nobody's yet. */
async function writtenRun({ cluster: { client }, velero }: Suite, { name }: Scene, input: RunInput) {
  const runID = newRunID();
  const restore = await getRestore(client, velero, name);
  const options = runOptions(runnerConfig([name, `--namespace=${velero}`], {}));
  const planned = { document: { ...input.plan, hooks: input.hooks } };
  const status = newStatus(restore, { runID, planned, runner, options, now: systemClock.now() });
  await writeStatus(client, versionOf(restore, velero), status);
  const take = { runID, input, claimant: { name: 'bench', id: randomUUID() }, onUnknown: 'fail' } as const;
  return { status, options, take: { ...take, unwritten: () => status } };
}

/* ---- a run with a journal and a Lease against one without ---- */

const PODS = 200;
const PAIRS = 5;

async function overheadRow(e2e: Suite, server: string): Promise<Row> {
  const { scene } = await crowd(e2e, 'durable', PODS);
  const ours: number[] = [];
  const reference: number[] = [];
  await oneRun(e2e, scene, true);
  for (let pair = 0; pair < PAIRS; pair += 1) {
    // Each goes first every other time.
    for (const isDurable of pair % 2 === 0 ? [true, false] : [false, true]) {
      (isDurable ? ours : reference).push(await oneRun(e2e, scene, isDurable));
    }
  }
  return row({
    name: `${PODS} pods with 2 hooks each`,
    ours: median(ours),
    reference: median(reference),
    unit: 's',
    limit: 1.05,
    source: `the same without journal and Lease; ${PAIRS} runs each, in turns, ${server}`,
  });
}

async function oneRun(e2e: Suite, scene: Scene, isDurable: boolean): Promise<number> {
  const { client } = e2e.cluster;
  const { velero: namespace } = e2e;
  const config = runnerConfig([scene.name, `--namespace=${namespace}`, '--again'], {});
  const input = await ownPlan(client, systemClock, config, undefined, silent);
  if (!('plan' in input)) throw new Error('there is nothing to run');
  const { take, options } = await writtenRun(e2e, scene, input);
  const from = performance.now();
  const taken = isDurable
    ? await takeRun(client, systemClock, take)
    : await forgetful(e2e, scene, take.runID, input, take.unwritten);
  if ('ended' in taken) throw new Error('the run has ended already');
  const { status } = await carryOut(client, systemClock, taken, options, {}, telemetryOf(client)).done;
  const seconds = (performance.now() - from) / 1000;
  if (status.counts.succeeded !== 2 * PODS) throw new Error(`the run of the benchmark: ${JSON.stringify(status)}`);
  process.stderr.write(`  ${isDurable ? 'durable' : 'forgetful'} ${seconds.toFixed(2)} s\n`);
  return seconds;
}

async function forgetful(
  { cluster: { client }, velero: namespace }: Suite,
  { name }: Scene,
  runID: string,
  input: RunInput,
  unwritten: () => RunStatus,
): Promise<TakenRun> {
  const { restore, status } = await claimRun(client, { namespace, name, runID }, 'bench', unwritten);
  const nothing = { onLost: () => undefined, abandon: () => undefined, release: async () => undefined };
  const lease: Pick<HeldLease, keyof HeldLease> = { ...nothing, mayStart: true, whenHeld: (held) => held() };
  const journal = { ...forgetfulJournal, ...firmHold, abandon: () => undefined } as unknown as KubernetesJournal;
  const resumed = { ended: new Map(), tries: new Map(), lost: new Map(), waitingSince: new Map(), wasTaken: false };
  return { restore, status, input, lease: lease as HeldLease, journal, runner: 1, resumed };
}

/* ---- how often it is written ---- */

const hookOf = (namespace: string, pod: string, podUID: string, index: number): ExecHook => ({
  id: `${namespace}/${pod}/main/bench/${index}` as HookId,
  kind: 'exec',
  namespace,
  pod,
  podUID,
  container: 'main',
  source: 'spec',
  origin: 'velero',
  name: 'bench',
  index,
  command: ['true'],
  onError: 'Continue',
  execTimeoutMs: 1_000,
  execTimeoutFrom: 'default',
  waitTimeoutMs: null,
  waitTimeoutFrom: 'default',
  waitForReady: false,
});

async function writesPerHook(e2e: Suite): Promise<number> {
  const count = 1_000;
  const scene = await e2e.scene('writes');
  await scene.restore({ hooks: [] });
  const hooks = Array.from({ length: count }, (_, index) => hookOf('ns', `web-${index}`, 'uid', 0));
  const { metadata } = await scene.current();
  const restore = { namespace: e2e.velero, name: scene.name, uid: metadata.uid };
  const plan = planDocument({ restore, selector: { labelSelector: 'x' }, hooks, skipped: [], notices: [] });
  const input: RunInput = { plan, hooks, kept: [], pods: [] };
  const place = journalPlace(input, newRunID());
  const journal = await KubernetesJournal.take(e2e.cluster.client, systemClock, place, hooks, undefined);
  const run = createRun(hooks, { startedAt: systemClock.now(), maxConcurrent: 64 });
  await new Promise<void>((resolve) => {
    const { tell } = startEngine(
      run,
      {
        clock: systemClock,
        journal,
        ...execOnly,
        exec: {
          start(_, { started, ended }) {
            started();
            return systemClock.setTimer(1, () => ended({ kind: 'exited', exitCode: 0 }, {}));
          },
        },
      },
      { stepped: () => run.finishedAt !== undefined && journal.whenDurable(() => resolve()) },
    );
    for (const { key } of run.pods) {
      const containers = { main: { running: true, ready: true } };
      tell({ type: 'podObserved', pod: { key, uid: 'uid', phase: 'Running', containers } });
    }
  });
  if (run.counts.succeeded !== count) throw new Error(`${run.counts.succeeded} hooks succeeded`);
  return journal.writes / count;
}
