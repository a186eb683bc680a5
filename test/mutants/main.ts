import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { Mutant } from './mutant.ts';
import { MUTANTS } from './mutants.ts';

/**
 * `npm run mutants [-- WORDS OF ITS NAME]` breaks a copy of the core, or of the runtime, in one way after another, and says what catches
 * each: the first of the suites below that fails. Exits 1 where one survives, or the core isn't right to begin with.
 */
const ROOT = join(import.meta.dirname, '..', '..');
const STORE_TEST = 'test/unit/kubernetes/run/run-store.test.ts';
const NEEDED = [
  'package.json',
  'shared',
  'test/size.ts',
  'test/sim',
  'test/size.ts',
  'test/conformance',
  'test/embedded',
  'test/unit/core',
  'test/unit/runtime',
  STORE_TEST,
];
/** A mutant may never end: it has so long, and then so many times as long as the core as it is. */
const LIMIT_MS = 120_000;
const LEAST_LIMIT_MS = 10_000;
const LIMIT_TIMES = 4;
const SHOWN = 110;

interface Suite {
  readonly name: string;
  readonly args: readonly string[];
  /** What it says of the first thing that doesn't hold. */
  readonly told: RegExp;
}

const TEST = ['--test-reporter=tap'];
const IN_TEST = /^ *not ok \d+ - (.*)/m;
const UNIT_TESTS = [
  'journal/journal',
  'execute/init-hook',
  'execute/tries',
  'plan/plan-init-hooks',
  'execute/history',
  'execute/waves',
  'ledger/*',
].map((name) => `test/unit/core/${name}.test.ts`);
const SUITES: readonly Suite[] = [
  { name: 'conformance', args: ['test/conformance/main.ts'], told: /^(run.*?): expected/m },
  { name: 'sim, executor', args: [...TEST, 'test/sim/executor.sim.test.ts'], told: /(E\d+ is broken[^'\n]*)/ },
  { name: 'sim, run', args: [...TEST, 'test/sim/run.sim.test.ts'], told: /(T\d+ is broken[^'\n]*)/ },
  { name: 'unit, runtime', args: ['--test', ...TEST, 'test/unit/runtime/*.test.ts'], told: IN_TEST },
  { name: 'unit, store', args: ['--test', ...TEST, STORE_TEST], told: IN_TEST },
  { name: 'unit, core', args: ['--test', ...TEST, ...UNIT_TESTS], told: IN_TEST },
  {
    name: 'sim, durable',
    args: ['test/sim/main.ts', '--world', 'durable', '--seeds', '1000', '--jobs', '1'],
    told: /^seed \d+: (.*)/m,
  },
  {
    name: 'sim, creation',
    args: ['test/sim/main.ts', '--world', 'creation', '--seeds', '500', '--jobs', '1'],
    told: /^seed \d+: (.*)/m,
  },
];
const SEEDS = { SIM_SEEDS: '5000', SIM_RUN_SEEDS: '300' };

const { positionals } = parseArgs({ allowPositionals: true });
const wanted = positionals.join(' ');
const mutants = MUTANTS.filter(({ name }) => name.includes(wanted));
if (mutants.length === 0) {
  process.stderr.write(`no mutant has "${wanted}" in its name (test/mutants/mutants.ts)\n`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'mutants-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
for (const path of NEEDED) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));

const startedAt = performance.now();
const limits = new Map<Suite, number>();
const unbroken = await caught();
if (unbroken !== undefined) {
  process.stderr.write(`nothing is broken yet, and ${unbroken} fails\n`);
  process.exit(1);
}
const survivors: string[] = [];
for (const mutant of mutants) {
  const by = await caughtWith(mutant);
  if (by === undefined) survivors.push(mutant.name);
  process.stdout.write(`| ${mutant.rule} ${mutant.name} | ${by ?? 'SURVIVED'} |\n`);
}
const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
process.stdout.write(`${mutants.length} mutants, ${survivors.length} survived, ${seconds} s\n`);
process.exitCode = survivors.length === 0 ? 0 : 1;

async function caughtWith({ file, from, to }: Mutant): Promise<string | undefined> {
  const source = readFileSync(join(ROOT, file), 'utf8');
  writeFileSync(
    join(folder, file),
    source.replace(from, () => to),
  );
  try {
    return await caught();
  } finally {
    writeFileSync(join(folder, file), source);
  }
}

/** The first suite that fails, and with what; undefined: all hold. */
async function caught(): Promise<string | undefined> {
  for (const suite of SUITES) {
    const { name, args, told } = suite;
    const since = performance.now();
    const { failed, output } = await outcomeOf(args, limits.get(suite) ?? LIMIT_MS);
    if (!limits.has(suite)) limits.set(suite, Math.max(LEAST_LIMIT_MS, LIMIT_TIMES * (performance.now() - since)));
    if (failed === undefined) continue;
    // A mutant that can't be run at all breaks no rule.
    const crash = /(?:SyntaxError|ReferenceError|ERR_MODULE_NOT_FOUND)[^\n]*/.exec(output);
    if (crash !== null) throw new Error(`${name}: ${crash[0]}`);
    const [, what = failed] = told.exec(output) ?? IN_TEST.exec(output) ?? [];
    return `${name}: ${what.replaceAll('|', '/').slice(0, SHOWN)}`;
  }
  return undefined;
}

/** With all that it starts in a group of its own, so that nothing of an endless loop is left. */
function outcomeOf(
  args: readonly string[],
  limitMs: number,
): Promise<{ readonly failed: string | undefined; readonly output: string }> {
  const env = { ...process.env, ...SEEDS };
  const child = spawn(process.execPath, args, { cwd: folder, env, detached: true });
  let output = '';
  let failed: string | undefined;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const end = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  };
  process.on('exit', end);
  const timer = setTimeout(() => {
    failed = `no end within ${Math.round(limitMs / 1000)} s`;
    end();
  }, limitMs);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      process.off('exit', end);
      resolve({ failed: failed ?? (code === 0 ? undefined : `exit code ${code}`), output });
    });
  });
}
