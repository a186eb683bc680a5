import process from 'node:process';
import { RUNNER } from '../test/e2e/cluster.ts';
import { crowd } from '../test/e2e/crowd.ts';
import { startSuite } from '../test/e2e/harness.ts';
import { buildPeer, rowsOf } from './measured.ts';
import type { Measured } from './programs.ts';
import { gone, programOf, requestRow } from './programs.ts';
import type { Row } from './row.ts';

const ROUNDS = 3;

/** The same hooks on real pods, in turns with and without `--detach`. */
export async function detachRows(pods = 200): Promise<Row[]> {
  buildPeer();
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
    ];
  } finally {
    await e2e.close();
  }
}
