import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { describe, it } from 'node:test';
import type { Outcome } from '../../../kubeconfigs/play.ts';
import { playAll, withoutWords } from '../../../kubeconfigs/play.ts';
import { CASES } from '../../../kubeconfigs/table.ts';
import { isFull } from '../../../size.ts';

const PLUGIN = join(import.meta.dirname, '../../../../dist/kubectl-restorehooks');
const kubectl = JSON.parse(readFileSync(join(import.meta.dirname, '../../../data/kubectl-1.35.json'), 'utf8'));

const NO_PROXY = 'a proxy that is not there';
const all = Object.keys(CASES);
const names = all.filter((name, index) => isFull || index % 4 === 0 || name === NO_PROXY);

describe(`the built plugin, of ${names.length} of ${all.length} kubeconfigs of test/kubeconfigs`, async () => {
  const ours = await playAll([process.execPath, PLUGIN, 'version'], names);
  for (const name of names) {
    // R7.14
    it(`goes where kubectl goes, as whom, or refuses as well: ${name}`, () => {
      assert.deepEqual(withoutWords(ours[name] as Outcome), kubectl[name], JSON.stringify(ours[name]));
    });
  }

  it('is no table of refusals alone', () => {
    const refusals = Object.values(kubectl as Record<string, Outcome>).filter((outcome) => 'refused' in outcome);
    assert.ok(refusals.length < all.length * 0.6 && refusals.length > 50, `${refusals.length} refusals`);
  });

  it('says in a line or two what is wrong, and quotes no credentials', () => {
    for (const [name, outcome] of Object.entries(ours)) {
      if (!('refused' in outcome)) continue;
      assert.match(outcome.refused, /^error: .+(\nhint: .+)?$/m, name);
      assert.doesNotMatch(outcome.refused, /(?<!\/)\b(tok|of-file|pw|p:ü)\b/, name);
    }
  });

  it('names the proxy that it could not get through, without its password', () => {
    const { refused } = ours[NO_PROXY] as { refused: string };
    assert.match(refused, /can't be reached by the proxy http:\/\/127\.0\.0\.1:1: /);
  });
});
