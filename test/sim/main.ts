import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { playCreation } from './creation-world.ts';
import { playDurable } from './durable-world.ts';
import { play } from './play.ts';
import { playRun } from './run-world.ts';

/**
 * `npm run sim -- --seeds N [--from SEED]` plays N worlds of each kind over all cores; `--seed SEED` plays one and prints
 * what happened in it. `--world KIND` plays one kind alone. Exits 1 if an invariant does not hold, and says how to see it.
 * The judges (*-invariants.ts) list the invariants; docs/testing.md says more.
 */
const WORLDS = { executor: play, run: playRun, durable: playDurable, creation: playCreation };
type Kind = keyof typeof WORLDS;
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    world: { type: 'string' },
    /** Of a child: which part of the seeds is its own. */
    stride: { type: 'string' },
    jobs: { type: 'string' },
  },
});
const from = Number(values.from);
const to = from + Number(values.seeds) - 1;
const TOLD = 10;
const kinds = Object.keys(WORLDS).filter((kind) => kind === (values.world ?? kind)) as Kind[];
if (kinds.length === 0) throw new RangeError(`--world ${values.world} is none of ${Object.keys(WORLDS).join(', ')}`);

for (const kind of kinds) {
  if (values.seed !== undefined) await show(kind, Number(values.seed));
  else if (values.stride === undefined) await playAll(kind);
  else await playPart(kind, Number(values.stride));
}

async function show(kind: Kind, seed: number): Promise<void> {
  const { broken, log } = await WORLDS[kind](seed, { logged: true });
  process.stdout.write(`${log.join('\n')}\n${kind}: ${broken ?? 'every invariant holds'}\n`);
  if (broken !== undefined) process.exitCode = 1;
}

async function playPart(kind: Kind, stride: number): Promise<void> {
  for (let seed = from; seed <= to; seed += stride) {
    const { broken } = await WORLDS[kind](seed);
    if (broken !== undefined) process.send?.({ seed, broken });
  }
}

async function playAll(kind: Kind): Promise<void> {
  const jobs = Number(values.jobs ?? availableParallelism());
  const startedAt = performance.now();
  let failures = 0;
  const ends = Array.from({ length: jobs }, (_, index) => {
    const args = [
      '--from',
      `${from + index}`,
      '--seeds',
      `${to - from - index + 1}`,
      '--stride',
      `${jobs}`,
      '--world',
      kind,
    ];
    const child = fork(import.meta.filename, args);
    child.on('message', ({ seed, broken }: { seed: number; broken: string }) => {
      failures += 1;
      if (failures > TOLD) return;
      process.stdout.write(`seed ${seed}: ${broken}\n  to see it: npm run sim -- --world ${kind} --seed ${seed}\n`);
    });
    return new Promise<number>((resolve) => {
      child.on('exit', (code) => resolve(code ?? 1));
    });
  });
  const codes = await Promise.all(ends);
  const seconds = (performance.now() - startedAt) / 1000;
  const worlds = to - from + 1;
  process.stdout.write(`${kind}: ${worlds} worlds, ${failures} broken, ${seconds.toFixed(0)} s\n`);
  if (failures > 0 || codes.some((code) => code !== 0)) process.exitCode = 1;
}
