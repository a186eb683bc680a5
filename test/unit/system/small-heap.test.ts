import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { it } from 'node:test';

/** Keeps about 8 MB, and makes 50 times as much that it drops. */
const WORK = `
const objects = (count) => Array.from({ length: count }, (_, index) => ({ index, text: 'pod-' + index }));
const kept = objects(100_000);
for (let round = 0; round < 100; round += 1) kept[round] = objects(50_000).at(-1);
console.log(process.resourceUsage().maxRSS / 1024, kept.length);
`;

function peakMiB(...options: readonly string[]): number {
  const { stdout, stderr } = spawnSync(process.execPath, [...options, '--eval', WORK], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });
  assert.match(stdout, /^[\d.]+ 100000\n$/, stderr);
  return Number.parseFloat(stdout);
}

it('a process with a small heap takes at most two thirds of the memory of another one with the same garbage', () => {
  const usual = peakMiB();
  const small = peakMiB('--import', join(import.meta.dirname, '../../../shared/system/small-heap.ts'));
  assert.ok(small <= usual * (2 / 3), `${small} MiB, without it ${usual}`);
});
