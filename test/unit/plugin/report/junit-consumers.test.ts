import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse as junit2json } from 'junit2json';
import { junit } from '../../../../plugin/report/junit.ts';
import type { RunDocument } from '../../../../shared/core/report/run-document.ts';
import { filledWith, HOSTILE } from './hostile.ts';
import { bigRun, mixedRun } from './runs.ts';

/* Programs of others read the JUnit report as a CI server would (R7.25). */

const require = createRequire(import.meta.url);
const merger = require('junit-report-merger') as { mergeToString(texts: readonly string[]): Promise<string> };
const resultsParser = require('test-results-parser') as {
  parse(options: { type: 'junit'; files: string[] }): { total: number; failed: number; errors: number };
};

const runs: readonly [title: string, run: RunDocument][] = [
  ['a run that went wrong in each way', mixedRun()],
  ['10,000 hooks', bigRun(1_000, 10, 100)],
  ...HOSTILE.map((text, index): [string, RunDocument] => [`hostile text ${index}`, filledWith(text)]),
];

interface Told {
  readonly tests: number;
  readonly failures: number;
  readonly errors: number;
}

/** The sums of the file itself; junit.test.ts counts them. */
function expected(xml: string): Told {
  const [, tests, failures, errors] =
    /^<testsuites .* tests="(\d+)" failures="(\d+)" errors="(\d+)">$/m.exec(xml) ?? [];
  return { tests: Number(tests), failures: Number(failures), errors: Number(errors) };
}

describe('the JUnit report is read by others', () => {
  for (const [title, run] of runs) {
    const xml = junit({ run });
    const told = expected(xml);
    assert.equal(told.tests, run.hooks.length + 1);

    it(`junit2json: ${title}`, async () => {
      const read = await junit2json(xml);
      assert.ok(read && 'testsuite' in read);
      assert.deepEqual({ tests: read.tests, failures: read.failures, errors: read.errors }, told);
      const cases = (read.testsuite ?? []).flatMap(({ testcase = [] }) => testcase);
      assert.equal(cases.length, told.tests);
      assert.equal(cases.filter(({ failure }) => failure !== undefined).length, told.failures);
    });

    it(`test-results-parser: ${title}`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'restorehooks-junit-'));
      try {
        const file = join(folder, 'report.xml');
        writeFileSync(file, xml);
        const { total, failed, errors } = resultsParser.parse({ type: 'junit', files: [file] });
        assert.deepEqual({ tests: total, failures: failed, errors }, told);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    it(`junit-report-merger: ${title}`, async () => {
      const merged = await merger.mergeToString([xml, xml]);
      const [, tests, failures, errors] =
        /<testsuites tests="(\d+)" failures="(\d+)" errors="(\d+)"/.exec(merged) ?? [];
      assert.deepEqual(
        [Number(tests), Number(failures), Number(errors)],
        [2 * told.tests, 2 * told.failures, 2 * told.errors],
      );
    });
  }
});
