import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Row } from './row.ts';
import { row } from './row.ts';

const ROOT = join(import.meta.dirname, '..');
const CI_TIMES = join(ROOT, 'dist/ci-times.json');
/** On 2 cores, when test files still ran one after another. */
const BEFORE = { npmTestSeconds: 647, ciMinutes: 41 };

/** The time of `npm test`, and those that the last `.ci/run` on this machine has written. */
export function testRows(): Row[] {
  // `npm run bench:cluster` measures what needs a cluster; these need none.
  if (process.env['RESTOREHOOKS_TEST_CLUSTER'] === '1') return [];
  const since = performance.now();
  const { status, stdout } = spawnSync(process.execPath, ['test/run.ts'], { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm test fails:\n${stdout}`);
  const rows = [
    row({
      name: 'npm test',
      ours: (performance.now() - since) / 1000,
      reference: BEFORE.npmTestSeconds,
      unit: 's',
      limit: 0.2,
      source: 'npm test one file after another, on 2 cores',
    }),
  ];
  if (!existsSync(CI_TIMES)) {
    process.stderr.write('.ci/run is left out: it has not run here and written dist/ci-times.json\n');
    return rows;
  }
  const { all, ...steps }: Record<string, number> = JSON.parse(readFileSync(CI_TIMES, 'utf8'));
  for (const [step, seconds] of Object.entries(steps)) process.stderr.write(`  .ci/run, ${step}: ${seconds} s\n`);
  const source = '.ci/run at that time';
  const { ciMinutes } = BEFORE;
  return [
    ...rows,
    row({ name: '.ci/run', ours: (all ?? 0) / 60, reference: ciMinutes, unit: 'min', limit: 35 / 41, source }),
  ];
}
