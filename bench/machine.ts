import { cpus, loadavg, release, totalmem } from 'node:os';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_MS = 2_000;

/** How busy each core is while the benchmark does nothing: percent. */
export async function coresBusy(): Promise<number[]> {
  const before = cpus();
  await delay(LOOK_MS);
  return cpus().map(({ times }, core) => {
    const earlier = before[core]?.times ?? times;
    const total = sum(times) - sum(earlier);
    return total === 0 ? 0 : Math.round(100 * (1 - (times.idle - earlier.idle) / total));
  });
}

const sum = (times: object): number => Object.values(times).reduce((all: number, ticks: number) => all + ticks, 0);

export function machine(): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 1024 ** 3);
  const load = loadavg().map((average) => average.toFixed(1));
  return `${cpus().length} cores (${first?.model.trim()}), ${memory} GiB, Linux ${release()}, Node ${process.version}, load ${load.join(' ')}`;
}
