import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { run, stdinOf } from '../harness.ts';

/** Whole manifests as people write them, right and wrong ones. A case's title has the expected findings after `=>`. */
function corpus(name: string): { title: string; ids: string[]; text: string }[] {
  const file = path.join(import.meta.dirname, '../../../data/lint', name);
  const [, ...cases] = readFileSync(file, 'utf8').split(/^#### /m);
  return cases.map((part) => {
    const [head = '', ...lines] = part.split('\n');
    const [title = '', ids = ''] = head.split(' => ');
    return {
      title,
      ids: ids
        .split(', ')
        .filter((id) => id !== '')
        .sort(),
      text: lines.join('\n'),
    };
  });
}

async function lint(text: string): Promise<{ ids: string[]; out: string }> {
  const { stdout, stderr, code } = await run(['lint', '-f', '-', '-o', 'json'], { stdin: stdinOf(text) });
  assert.ok(code === 0 || code === 3, stderr);
  const findings: { id: string }[] = JSON.parse(stdout).findings;
  return { ids: findings.map(({ id }) => id).sort(), out: stdout };
}

describe('right manifests', () => {
  const cases = corpus('right.yaml');
  it('are more than sixty', () => assert.ok(cases.length >= 60, String(cases.length)));
  for (const { title, text } of cases) {
    it(`${title}: nothing is found`, async () => {
      const { ids, out } = await lint(text);
      assert.deepEqual(ids, [], out);
    });
  }
});

describe('wrong manifests', () => {
  const cases = corpus('wrong.yaml');
  it('are more than a hundred', () => assert.ok(cases.length >= 100, String(cases.length)));
  for (const { title, ids, text } of cases) {
    it(`${title}: what is wrong is found, and nothing else`, async () => {
      const found = await lint(text);
      assert.deepEqual(found.ids, ids, found.out);
    });
  }
});
