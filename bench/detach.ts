import process from 'node:process';
import { RUNNER } from '../test/e2e/cluster.ts';
import { crowd } from '../test/e2e/crowd.ts';
import type { Loose, Suite } from '../test/e2e/harness.ts';
import { entry, exec, sh, startSuite } from '../test/e2e/harness.ts';
import { NOW, percentile, timeOf } from './latency.ts';
import { rowsOf } from './measured.ts';
import type { Measured } from './programs.ts';
import { gone, programOf, requestRow } from './programs.ts';
import type { Row } from './row.ts';
import { row } from './row.ts';

const ROUNDS = 3;
/** From the end of a detached command to the start of the next hook, in the first minute. */
const NEXT_WITHIN_MS = 1_500;

/** The same hooks on real pods, in turns with and without `--detach`. */
export async function detachRows(pods = 200): Promise<Row[]> {
  const e2e = await startSuite();
  try {
    const { scene } = await crowd(e2e, 'detach', pods);
    const runner = [process.execPath, RUNNER, scene.name, '-n', e2e.velero, '--again'];
    const plain = await programOf(e2e, 2 * pods, runner);
    const detached = await programOf(e2e, 2 * pods, [...runner, '--detach']);
    const ours: Measured[] = [];
    const theirs: Measured[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const isDetached of round % 2 === 0 ? [true, false] : [false, true]) {
        if (isDetached) ours.push(await detached());
        else theirs.push(await plain());
      }
    }
    await gone(e2e, scene.namespace);
    const what = `${pods} real pods x 2: --detach`;
    const source = 'the same hooks without --detach';
    return [
      ...rowsOf(what, ours, theirs, { wallS: 2, cpuS: 2, peakMiB: 1.2 }, source),
      requestRow(what, ours, theirs, 2, source),
      ...(await nextRows(e2e)),
    ];
  } finally {
    await e2e.close();
  }
}

/** How soon the next hook of a pod starts after a command of two seconds. */
async function nextRows(e2e: Suite, pods = 20): Promise<Row[]> {
  const waits = async (title: string, ...args: string[]): Promise<number[]> => {
    const scene = await e2e.scene(title);
    await Promise.all(Array.from({ length: pods }, (_, index) => scene.pod(`web-${index}`)));
    await scene.restore({ hooks: [entry([exec(sh(`sleep 2; ${NOW}`)), exec(sh(NOW))])] });
    const ran = await scene.apply('--max-concurrent=2', ...args);
    if (ran.json().phase !== 'Completed') throw new Error(`the run of the benchmark: ${ran.stderr}`);
    await gone(e2e, scene.namespace);
    const byPod = Map.groupBy(ran.json().hooks, ({ pod }: Loose) => pod);
    return [...byPod.values()].map((hooks) => {
      const [end = Number.NaN, next = Number.NaN] = hooks.map(({ stdout }: Loose) => timeOf(stdout)).sort();
      return next - end;
    });
  };
  const name = 'end of a detached command of 2 s to the next start';
  const detached = await waits('next-detached', '--detach');
  const plain = await waits('next-plain');
  const [ours, theirs] = [percentile(detached, 99), percentile(plain, 99)];
  const source = 'the same hooks without --detach';
  return [
    row({ name: `${name}, p99`, ours, reference: theirs, unit: 'ms', limit: 5, source }),
    row({ name: `${name}, p99`, ours, reference: NEXT_WITHIN_MS, unit: 'ms', limit: 1, source: 'the limit' }),
  ];
}
