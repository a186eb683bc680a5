import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { playCreation } from './creation-world.ts';
import { playDurable } from './durable-world.ts';

/**
 * `npm run sim -- --seeds N [--from SEED]` plays N worlds over all cores; `--seed SEED` plays one and prints what
 * happened in it. `--world creation`: pods that are created, in place of commands. Exits 1 where an invariant
 * (INVARIANTS.md) does not hold, and says how to see it.
 */
const WORLDS = { durable: playDurable, creation: playCreation };
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    world: { type: 'string', default: 'durable' },
    /** Of a child: which part of the seeds is its own. */
    stride: { type: 'string' },
    jobs: { type: 'string' },
  },
});
const from = Number(values.from);
const to = from + Number(values.seeds) - 1;
const TOLD = 10;
const { world } = values;
if (!Object.hasOwn(WORLDS, world))
  throw new RangeError(`--world ${world} is none of ${Object.keys(WORLDS).join(', ')}`);
const play = WORLDS[world as keyof typeof WORLDS];

if (values.seed !== undefined) {
  const { broken, log } = await play(Number(values.seed), { logged: true });
  process.stdout.write(`${log.join('\n')}\n${broken ?? 'every invariant holds'}\n`);
  process.exitCode = broken === undefined ? 0 : 1;
} else if (values.stride === undefined) await playAll();
else await playPart(Number(values.stride));

async function playPart(stride: number): Promise<void> {
  for (let seed = from; seed <= to; seed += stride) {
    const { broken } = await play(seed);
    if (broken !== undefined) process.send?.({ seed, broken });
  }
}

async function playAll(): Promise<void> {
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
      world,
    ];
    const child = fork(import.meta.filename, args);
    child.on('message', ({ seed, broken }: { seed: number; broken: string }) => {
      failures += 1;
      if (failures > TOLD) return;
      process.stdout.write(`seed ${seed}: ${broken}\n  to see it: npm run sim -- --world ${world} --seed ${seed}\n`);
    });
    return new Promise<number>((resolve) => {
      child.on('exit', (code) => resolve(code ?? 1));
    });
  });
  const codes = await Promise.all(ends);
  const seconds = (performance.now() - startedAt) / 1000;
  const worlds = to - from + 1;
  process.stdout.write(`${worlds} worlds, ${failures} broken, ${seconds.toFixed(0)} s\n`);
  process.exitCode = failures === 0 && codes.every((code) => code === 0) ? 0 : 1;
}
