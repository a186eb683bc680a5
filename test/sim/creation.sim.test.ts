import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { size } from '../size.ts';
import { playCreation } from './creation-world.ts';

const worlds = size(150, 10_000, 'SIM_CREATION_SEEDS');

/** Worlds that an earlier version broke, each by a fault of its own. */
const PERMANENT: readonly (readonly [seed: number, what: string])[] = [
  [9, 'a canceled run left the pod missing that its first runner had deleted'],
  [86, 'an exec hook was not run in the pod that an earlier runner had created'],
  [104, 'an init hook was NotExecuted in a canceled run, and its pod had been created'],
  [108, 'a pod that had been deleted was said to stand when the new one was refused'],
  [179, 'where the manifest of a lost pod is was told once, and not to the next runner'],
  [2836, 'a canceled run took a pod that was on its way out for one that stands'],
];

test(`no world with created pods breaks an invariant (${worlds.title})`, async (t) => {
  const args = [join(import.meta.dirname, 'main.ts'), '--world', 'creation', '--seeds', `${worlds.count}`];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  t.diagnostic(stdout.trim());
});

for (const [seed, what] of PERMANENT) {
  test(`seed ${seed}: ${what}`, async () => {
    assert.equal((await playCreation(seed)).broken, undefined);
  });
}
