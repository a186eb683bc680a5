import { spawn } from 'node:child_process';
import { closeSync, globSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ALONE, FIRST, ONLY_FULL } from './schedule.ts';

/**
 * `node test/run.ts [--full] [--jobs N] [--limit SECONDS] [--verbose] [FILE…]` runs test files side by side, each in a
 * process of its own. Without FILE it runs all that need neither a cluster, a browser nor a release. It exits with 1 if a
 * file fails, crashes, runs no test or does not end within the limit. Whatever processes a file has started are killed
 * when it ends.
 */
const { values, positionals } = parseArgs({
  options: {
    /** All tests, and sizes as CI plays them (schedule.ts, size.ts). */
    full: { type: 'boolean', default: false },
    /** Most files wait for something most of the time: four for each core keep it busy. */
    jobs: { type: 'string', default: `${Math.min(4 * availableParallelism(), 16)}` },
    limit: { type: 'string', default: '600' },
    /** Print a line for each test, also of files that pass. */
    verbose: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const SHOWN = 10;
const SUMMARY = /^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)\n/gm;
// End-to-end tests mostly wait; the others compute.
const UNIT = 'test/!(e2e|cluster|browser|release|scale)/**/*.test.ts';
const ALL = [...FIRST, 'test/e2e/**/*.test.ts', UNIT, 'test/*.test.ts'];
/** These compute alone and share nothing, so one process runs them all: to start one takes longer than most of them. */
const TOGETHER = 'test/unit/core';

interface Ran {
  readonly file: string;
  readonly seconds: number;
  readonly failure: string | undefined;
  readonly tests: number;
  readonly skipped: number;
}

const env = {
  ...process.env,
  // Node keeps here what it has compiled: starting processes is most of what the tests do.
  NODE_COMPILE_CACHE: resolve('node_modules/.cache/restorehooks-tests'),
  ...(values.full && { RESTOREHOOKS_TEST_FULL: '1' }),
};
const onlyFull = (file: string): RegExp | 'all' | undefined => (values.full ? undefined : ONLY_FULL[file]);
const all = ALL.flatMap((pattern) => globSync(pattern).sort());
const grouped = all.map((file) => (file.startsWith(`${TOGETHER}/`) ? TOGETHER : file));
const found = positionals.length > 0 ? positionals : [...new Set(grouped)];
const files = found.filter((file) => onlyFull(file) !== 'all');
const isAlone = (file: string): boolean => values.full && ALONE.includes(file);
const waiting = files.filter((file) => !isAlone(file));
const startedAt = performance.now();
const secondsSince = (time: number): number => (performance.now() - time) / 1000;
const results: Ran[] = [];
const running = new Set<number>();
const folder = mkdtempSync(join(tmpdir(), 'restorehooks-tests-'));
process.on('exit', () => {
  running.forEach(killGroup);
  rmSync(folder, { recursive: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

await Promise.all(Array.from({ length: Number(values.jobs) }, lane));
for (const file of files.filter(isAlone)) results.push(await run(file));
report();

/** Every second lane starts at the end of the list, so that tests that compute run beside tests that wait. */
async function lane(_: unknown, index: number): Promise<void> {
  for (;;) {
    const file = index % 2 === 0 ? waiting.shift() : waiting.pop();
    if (file === undefined) return;
    results.push(await run(file));
  }
}

function run(file: string): Promise<Ran> {
  const since = performance.now();
  const leftOut = onlyFull(file);
  const skip = leftOut instanceof RegExp ? [`--test-skip-pattern=${leftOut}`] : [];
  const args = ['--test-force-exit', '--test-reporter=spec', ...skip, ...argumentsOf(file)];
  // Files take what a process prints before it is ended by force; a pipe may lose it.
  const log = join(folder, file.replaceAll('/', '_'));
  const fd = openSync(log, 'w');
  // A process group of its own, so that what the file has started can be killed with it.
  const child = spawn(process.execPath, args, { env, detached: true, stdio: ['ignore', fd, fd] });
  closeSync(fd);
  const { pid = 0 } = child;
  running.add(pid);
  let late: string | undefined;
  const timer = setTimeout(() => {
    late = `no end within ${values.limit} s`;
    killGroup(pid);
  }, Number(values.limit) * 1000);
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      killGroup(pid);
      running.delete(pid);
      const output = readFileSync(log, 'utf8');
      const counts = Object.fromEntries([...output.matchAll(SUMMARY)].map(([, name, count]) => [name, Number(count)]));
      const { tests = 0, skipped = 0 } = counts;
      const ended = code === 0 ? undefined : `exit code ${code ?? signal}`;
      const failure = late ?? ended ?? (tests === 0 ? 'no test' : undefined);
      const ran = { file, seconds: secondsSince(since), failure, tests, skipped };
      tell(ran, output, leftOut !== undefined);
      resolve(ran);
    });
  });
}

function argumentsOf(file: string): string[] {
  if (file !== TOGETHER) return [file];
  return ['--test', '--test-isolation=none', ...globSync(`${TOGETHER}/**/*.test.ts`)];
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {} // Nothing of it is left.
}

function tell({ file, seconds, failure, tests }: Ran, output: string, isPart: boolean): void {
  const said = failure ?? `${tests} tests${isPart ? ', the others by test:full' : ''}`;
  const diagnostics = output.replace(SUMMARY, '').match(/^ *ℹ .*\n/gm) ?? [];
  process.stdout.write(`${failure === undefined ? '✔' : '✖'} ${file}: ${said}, ${seconds.toFixed(1)} s\n`);
  process.stdout.write(failure !== undefined || values.verbose ? output : diagnostics.join(''));
}

function report(): void {
  const failed = results.filter(({ failure }) => failure !== undefined);
  const slowest = results.toSorted((one, other) => other.seconds - one.seconds).slice(0, SHOWN);
  const sum = (name: 'tests' | 'skipped'): number => results.reduce((total, ran) => total + ran[name], 0);
  const lines = [
    `\nThe slowest files:`,
    ...slowest.map(({ file, seconds }) => `  ${seconds.toFixed(1).padStart(6)} s  ${file}`),
    ...failed.map(({ file, failure }) => `failed: ${file}: ${failure}`),
    `${sum('tests')} tests, ${sum('skipped')} of them skipped, in ${results.length} files, ${failed.length} of which failed, ${secondsSince(startedAt).toFixed(0)} s`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
