import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { RUNNER } from '../test/e2e/cluster.ts';
import type { Crowd } from '../test/scale/world.ts';
import { environmentOf, kubelet, ScaleWorld, VELERO } from '../test/scale/world.ts';
import { untilQuiet } from './bed-parts.ts';
import type { Row } from './row.ts';
import { median, row } from './row.ts';

const HOOKS_A_POD = 10;
const ROUNDS = 3;
const LIMIT_S = 3;
/** So long a Lease must stay unchanged before another runner takes it (R6.11). */
const LEASE_S = 15;

/** How long a new runner takes to go on with a run of 10,000 hooks, half of them done, whose runner was killed. */
export async function goingOnRows(pods = 1_000): Promise<Row[]> {
  const hooks = pods * HOOKS_A_POD;
  const world = await ScaleWorld.open();
  try {
    await kubelet.setLatency(5, 50);
    const { kubeconfig } = await world.user();
    const crowd = await world.crowd('going-on', pods, { hooksAPod: HOOKS_A_POD });
    await world.allRun(crowd);
    await untilQuiet();
    const first = new Runner(kubeconfig, crowd, 'runner-0');
    await first.killAfter(hooks / 2);
    const free: number[] = [];
    const held: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      // The first has the name of the runner before, so that the Lease is its own at once.
      free.push(await startOf(() => new Runner(kubeconfig, crowd, `runner-${round}`, first.runID)));
      held.push(await startOf(() => new Runner(kubeconfig, crowd, `runner-${round + 1}`, first.runID)));
      process.stderr.write(`  ${free.at(-1)} s; ${held.at(-1)} s with the Lease of the dead runner\n`);
    }
    const what = `going on with ${hooks} hooks: a runner's start to its first command`;
    const limit = 'the limit itself';
    return [
      row({ name: what, ours: median(free), reference: LIMIT_S, unit: 's', limit: 1, source: limit }),
      row({
        name: `${what}, if the dead runner's Lease must run out`,
        ours: median(held),
        reference: LEASE_S + LIMIT_S,
        unit: 's',
        limit: 1,
        source: `${limit}, and the ${LEASE_S} s of the Lease`,
      }),
    ];
  } finally {
    await world.close();
  }
}

/** Seconds from a runner's start to the start of its first command. Then it is killed too. */
async function startOf(start: () => Runner): Promise<number> {
  const from = Date.now();
  return ((await start().killAfter(1)) - from) / 1000;
}

/** A process of the runner's image. Its log says how far it is. */
class Runner {
  runID: string | undefined;
  readonly #started: (hooks: number) => Promise<number>;
  readonly #exit: Promise<unknown>;
  readonly #kill: () => void;

  constructor(kubeconfig: string, { name }: Crowd, as: string, runID?: string) {
    const goesOn = runID === undefined ? [] : ['--run-id', runID];
    const child = spawn(process.execPath, [RUNNER, name, '-n', VELERO, ...goesOn], {
      env: { ...environmentOf(kubeconfig), POD_NAME: as },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#exit = once(child, 'exit');
    this.#kill = () => child.kill('SIGKILL');
    this.#started = async (hooks) => {
      let started = 0;
      for await (const line of createInterface(child.stdout)) {
        const { time, msg, runID: claimed } = JSON.parse(line);
        if (msg === 'run claimed') this.runID = claimed;
        if (msg === 'hook started') started += 1;
        if (started >= hooks) return Date.parse(time);
      }
      throw new Error(`the runner has ended after ${started} hooks`);
    };
  }

  /** Answers when the last of so many hooks has started. */
  async killAfter(hooks: number): Promise<number> {
    const time = await this.#started(hooks);
    this.#kill();
    await this.#exit;
    return time;
  }
}
