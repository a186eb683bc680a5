import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { testbed } from '../cluster/bed.ts';
import { isReal, startSuite } from '../e2e/harness.ts';
import { FailpointServer, Outages } from './kills.ts';
import type { Played, World } from './play.ts';
import { CHAOS_IMAGE, play } from './play.ts';
import type { Scenario } from './scenario.ts';
import { describe, scenarios } from './scenario.ts';

/**
 * `npm run test:chaos`: runs whose runners die at each boundary, runs during which parts of the cluster are killed, and
 * random mixtures by a seed. Each is compared with what its containers saw. Exits with 1 if a hook was lost, run twice or
 * reported untruly, and prints how to play that run again.
 */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    /** How many random mixtures are played besides the systematic runs. */
    runs: { type: 'string', default: '4' },
    boundaries: { type: 'string', default: 'once' },
    parts: { type: 'string', default: '1' },
    'at-once': { type: 'string', default: '8' },
    patience: { type: 'string', default: '600' },
    detach: { type: 'boolean', default: false },
    /** Divide each run into so many shards, and not only some. */
    shards: { type: 'string' },
    /** Play only the runs with these numbers. */
    only: { type: 'string', multiple: true },
  },
});
const { boundaries } = values;
if (boundaries !== 'once' && boundaries !== 'all' && boundaries !== 'none') {
  throw new Error(`--boundaries: expected once, all or none, not ${boundaries}`);
}
const seed = Number(values.seed);
const all = scenarios(seed, {
  real: isReal,
  boundaries,
  parts: Number(values.parts),
  random: Number(values.runs),
});
const chosen = values.only === undefined ? all : all.filter(({ index }) => values.only?.includes(`${index}`));
const again = [
  ...['seed', 'runs', 'boundaries', 'parts'].map((key) => `--${key} ${values[key as 'seed']}`),
  ...(values.detach ? ['--detach'] : []),
  ...(values.shards === undefined ? [] : [`--shards ${values.shards}`]),
].join(' ');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const root = join(import.meta.dirname, '../..');
execFileSync(process.execPath, ['test/chaos/build.mjs'], { cwd: root });
const failpoints = new FailpointServer();
let entrypoint: string[] = [];
if (isReal) {
  execFileSync('bash', ['deploy/image/build.sh', 'chaos-runner', CHAOS_IMAGE], { cwd: root });
  await testbed('load', join(root, 'dist/chaos-runner.docker.tar'));
  await failpoints.listen();
} else {
  const address = await failpoints.listen('127.0.0.1', 0);
  entrypoint = ['/usr/bin/env', `RESTOREHOOKS_CHAOS=${address}`, process.execPath, join(root, 'dist/chaos-runner.cjs')];
}
const e2e = await startSuite({ runner: { image: CHAOS_IMAGE, entrypoint } });
const folder = await mkdtemp(join(tmpdir(), 'restorehooks-chaos-'));
const outages = new Outages();
const patienceMs = Number(values.patience) * 1000;
const world: World = { e2e, failpoints, outages, folder, patienceMs, detach: values.detach };

const kinds = new Map<string, number>();
const sums = { runs: 0, hooks: 0, lost: 0, twice: 0, untrue: 0, stuck: 0 };
const startedAt = Date.now();
let next = 0;

function tell(scenario: Scenario, played: Played, seconds: number): void {
  const { verdict, hooks, done, phases } = played;
  sums.runs += 1;
  sums.hooks += hooks;
  for (const kind of done) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const faults = (['lost', 'twice', 'untrue'] as const).flatMap((kind) => {
    sums[kind] += verdict[kind].length;
    return verdict[kind].map((what) => `    ${kind}: ${what}`);
  });
  const mark = faults.length === 0 ? 'ok ' : 'BAD';
  say(
    `${mark} ${scenario.index}  ${describe(scenario)} → ${phases.join(', ')}  (${seconds} s; ${done.join(', ') || 'nothing hit'})`,
  );
  if (faults.length > 0)
    say([...faults, `    again: npm run test:chaos -- ${again} --only ${scenario.index}`].join('\n'));
}

async function work(): Promise<void> {
  for (let scenario = chosen[next++]; scenario !== undefined; scenario = chosen[next++]) {
    const from = Date.now();
    try {
      const { shards = scenario.shards } = values;
      const played = await play(world, { ...scenario, shards: Number(shards) });
      tell(scenario, played, Math.round((Date.now() - from) / 1000));
    } catch (error) {
      sums.stuck += 1;
      say(`BAD ${scenario.index}  ${describe(scenario)}\n    ${error instanceof Error ? error.stack : error}`);
      say(`    again: npm run test:chaos -- ${again} --only ${scenario.index}`);
    }
  }
}

try {
  const { code, stderr } = await e2e.plugin('setup', '--apply', '--create-pods', '-n', e2e.velero);
  if (code !== 0) throw new Error(`setup: ${stderr}`);
  await Promise.all(Array.from({ length: Number(values['at-once']) }, work));
} finally {
  failpoints.close();
  await e2e.close();
  await rm(folder, { recursive: true, force: true });
}
const { runs, hooks, lost, twice, untrue, stuck } = sums;
for (const [kind, count] of [...kinds].sort()) say(`${String(count).padStart(5)}  ${kind}`);
say(
  `seed ${seed}: ${runs} runs, ${hooks} hooks; ${lost} lost, ${twice} twice, ${untrue} untrue, ${stuck} not come to an end; ${Math.round((Date.now() - startedAt) / 1000)} s`,
);
process.exitCode = lost + twice + untrue + stuck === 0 && runs === chosen.length ? 0 : 1;
