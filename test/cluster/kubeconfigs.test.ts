import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { it } from 'node:test';
import { playAll, withoutWords } from '../kubeconfigs/play.ts';

const skip = process.env['RESTOREHOOKS_TEST_CLUSTER'] !== '1' && 'needs the real kubectl: npm run test:cluster';
const RECORDED = join(import.meta.dirname, '../data/kubectl-1.35.json');

/** `RECORD=1` records what kubectl did. test/unit/kubernetes/connect/kubeconfig-table.test.ts compares the plugin with it. */
it('the real kubectl does with each kubeconfig what was recorded of it', { skip }, async () => {
  const outcomes = Object.entries(await playAll(['kubectl', 'get', '--raw', '/version']));
  const said = Object.fromEntries(outcomes.map(([name, outcome]) => [name, withoutWords(outcome)]));
  if (process.env['RECORD']) writeFileSync(RECORDED, `${JSON.stringify(said, null, 1)}\n`);
  assert.deepEqual(said, JSON.parse(readFileSync(RECORDED, 'utf8')));
});
