import process from 'node:process';
import { RESTORE_NAME_LABEL } from '../shared/core/names.ts';
import { startWorld } from '../test/cluster/velero/world.ts';
import { RUNNER } from '../test/e2e/cluster.ts';
import { crowd } from '../test/e2e/crowd.ts';
import type { Scene, Suite } from '../test/e2e/harness.ts';
import { mark, startSuite } from '../test/e2e/harness.ts';
import { PEER, PLUGIN, rowsOf } from './measured.ts';
import type { Measured } from './programs.ts';
import { gone, programOf, requestRow } from './programs.ts';
import type { Row } from './row.ts';
import { median } from './row.ts';
import { veleroRows } from './velero.ts';

/** How many commands each program runs at the same time: what our runner does if it isn't told. */
const AT_ONCE = 64;
const ROUNDS = 3;

/** Real pods with two hooks each: what people run today to do the same, in turns with ours. */
export async function peopleRows(pods = 200): Promise<Row[]> {
  const e2e = await startSuite();
  const { rows, runnerMiB } = await programRows(e2e, pods).finally(() => e2e.close());
  const world = await startWorld();
  const veleros = await veleroRows(world, pods, runnerMiB).finally(() => world.close());
  return [...rows, ...veleros];
}

async function programRows(e2e: Suite, pods: number): Promise<{ rows: Row[]; runnerMiB: number }> {
  const { scene } = await crowd(e2e, 'people', pods);
  const ours = [scene.name, '-n', e2e.velero, '--again'];
  const programs = {
    apply: await programOf(e2e, 2 * pods, [process.execPath, PLUGIN, 'apply', ...ours]),
    runner: await programOf(e2e, 2 * pods, [process.execPath, RUNNER, ...ours]),
    peer: await programOf(e2e, 2 * pods, [
      ...[PEER, '-at-once', `${AT_ONCE}`, '-l', `${RESTORE_NAME_LABEL}=${scene.name}`],
      ...[...mark('first'), '--', ...mark('second')],
    ]),
    kubectl: await programOf(e2e, 2 * pods, ['sh', '-c', byKubectl(scene)]),
  };
  const taken = Object.fromEntries(Object.keys(programs).map((name) => [name, [] as Measured[]]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, run] of Object.entries(programs)) taken[name]?.push(await run());
  }
  const marks = await scene.marks('web-0');
  if (marks.length !== 2 * 4 * ROUNDS) throw new Error(`${marks.length} commands were run in the first pod`);
  await gone(e2e, scene.namespace);
  const { apply = [], runner = [], peer = [], kubectl = [] } = taken;
  const what = `${pods} real pods x 2`;
  const goClient = 'a client-go program that only lists and execs';
  const xargs = `kubectl exec, ${AT_ONCE} at once by xargs`;
  return {
    rows: [
      ...rowsOf(`${what}: apply with its Job`, apply, kubectl, { wallS: 1 }, xargs),
      ...rowsOf(`${what}: the runner`, runner, kubectl, { wallS: 1, cpuS: 0.5 }, xargs),
      ...rowsOf(`${what}: the runner`, runner, peer, { wallS: 1, cpuS: 1, peakMiB: 1.2 }, goClient),
      requestRow(`${what}: apply with its Job`, apply, kubectl, 1, xargs),
      requestRow(`${what}: apply with its Job`, apply, peer, 3, goClient),
    ],
    runnerMiB: median(runner.map(({ peakMiB }) => peakMiB)),
  };
}

/** What one would write to run two commands in each pod. */
function byKubectl({ namespace }: Scene): string {
  const [first, second] = ['first', 'second'].map(
    (line) => `kubectl exec --namespace ${namespace} "$0" -- sh -c "echo ${line} >> marks"`,
  );
  return `kubectl get pods --namespace ${namespace} --output name | xargs -P ${AT_ONCE} -n 1 sh -c '${first} && ${second}'`;
}
