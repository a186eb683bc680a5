import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { it } from 'node:test';
import { environmentOf } from '../../scale/world.ts';

const IMAGE = join(import.meta.dirname, '../../../deploy/image');

/** Keeps about 8 MB, makes 50 times as much that it drops, and says how many MiB the nursery takes at its end. */
const WORK = `
const objects = (count) => Array.from({ length: count }, (_, index) => ({ index, text: 'pod-' + index }));
const kept = objects(100_000);
for (let round = 0; round < 100; round += 1) kept[round] = objects(50_000).at(-1);
const nursery = require('node:v8').getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
console.log(nursery.space_size / 2 ** 20, kept.length);
`;

function nurseryMiB(env: NodeJS.ProcessEnv): number {
  const { stdout, stderr } = spawnSync(process.execPath, ['--eval', WORK], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...env },
  });
  assert.match(stdout, /^[\d.]+ 100000\n$/, stderr);
  return Number.parseFloat(stdout);
}

/** Of all that is set for an image. */
function nodeOptionsIn(file: string): string {
  const [, options] = /NODE_OPTIONS=(\S+)/.exec(readFileSync(join(IMAGE, file), 'utf8')) ?? [];
  assert.ok(options, file);
  return options;
}

// The peak memory of a process depends on how soon the collector's threads get a CPU: `npm run bench -- scale` measures it.
it("the nursery of the image's processes stays at most a quarter of what it grows to without the image's options", () => {
  const options = nodeOptionsIn('Dockerfile');
  const small = nurseryMiB({ NODE_OPTIONS: options });
  const usual = nurseryMiB({});
  assert.ok(small <= usual / 4, `${small} MiB, without them ${usual}`);
});

it('both ways to build the image, and the bench, set the same options', () => {
  const options = nodeOptionsIn('Dockerfile');
  assert.equal(nodeOptionsIn('parts.sh'), options);
  assert.equal(environmentOf('')['NODE_OPTIONS'], options);
});
