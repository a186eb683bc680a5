import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { it } from 'node:test';

/** Keeps about 8 MB, makes 50 times as much that it drops, and says how many MiB the nursery takes at its end. */
const WORK = `
const objects = (count) => Array.from({ length: count }, (_, index) => ({ index, text: 'pod-' + index }));
const kept = objects(100_000);
for (let round = 0; round < 100; round += 1) kept[round] = objects(50_000).at(-1);
const nursery = require('node:v8').getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
console.log(nursery.space_size / 2 ** 20, kept.length);
`;

function nurseryMiB(...options: readonly string[]): number {
  const { stdout, stderr } = spawnSync(process.execPath, [...options, '--eval', WORK], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });
  assert.match(stdout, /^[\d.]+ 100000\n$/, stderr);
  return Number.parseFloat(stdout);
}

// The peak memory of a process depends on how soon the collector's threads get a CPU: `npm run bench -- scale` measures it.
it('the nursery of a process with a small heap stays at most a quarter of what it grows to without', () => {
  const usual = nurseryMiB();
  const small = nurseryMiB('--import', join(import.meta.dirname, '../../../shared/system/small-heap.ts'));
  assert.ok(small <= usual / 4, `${small} MiB, without it ${usual}`);
});
