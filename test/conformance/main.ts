import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkPlanCase } from './plan-cases.ts';
import { checkRunCase } from './run-cases.ts';

export interface Failure {
  readonly expected: unknown;
  readonly actual: unknown;
}

/** Runs the contract's vectors in this folder, or in the folder that `VECTORS` names. */
const folder = process.env['VECTORS'] || join(import.meta.dirname, 'vectors');
let passed = 0;
let failed = 0;
for (const file of readdirSync(folder).sort()) {
  const check = /^plan.*\.json$/.test(file) ? checkPlanCase : /^run.*\.json$/.test(file) ? checkRunCase : undefined;
  if (check === undefined) continue;
  const cases = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  for (const vector of cases) {
    const failure = attempt(() => check(vector));
    if (failure === undefined) {
      passed += 1;
      continue;
    }
    failed += 1;
    process.stderr.write(`${file} ${vector.id}: expected, then actual\n`);
    process.stderr.write(`  ${JSON.stringify(failure.expected)}\n  ${JSON.stringify(failure.actual)}\n`);
  }
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

function attempt(check: () => Failure | undefined): Failure | undefined {
  try {
    return check();
  } catch (error) {
    return { expected: 'no exception', actual: error instanceof Error ? error.stack : String(error) };
  }
}
