import { measureInChild } from './child.ts';
import type { Row } from './row.ts';
import { median, row } from './row.ts';

/**
 * What one step leaves behind is garbage at once; by default V8 lets 3 times 16 MiB of it pile up, and promotes part of
 * it, before it looks. What is kept is a quarter of the peak.
 */
const SMALL_NURSERY = '--max-semi-space-size=2';

/** 100,000 hooks in 10,000 pods through the real engine, under a virtual clock, in a fresh process. */
export function simulationRows(): Row[] {
  const runs = Array.from({ length: 3 }, () =>
    measureInChild<{ seconds: number; peakMiB: number; succeeded: number }>('simulation-child.ts', SMALL_NURSERY),
  );
  for (const { succeeded } of runs) if (succeeded !== 100_000) throw new Error(`${succeeded} hooks succeeded`);
  const source = 'the limit itself';
  return [
    row({
      name: 'simulate 100,000 hooks',
      ours: median(runs.map(({ seconds }) => seconds)),
      reference: 5,
      unit: 's',
      limit: 1,
      source,
    }),
    row({
      name: 'simulate 100,000 hooks, peak RSS',
      ours: Math.max(...runs.map(({ peakMiB }) => peakMiB)),
      reference: 300,
      unit: 'MiB',
      limit: 1,
      source: `${source}; the highest of the runs, with ${SMALL_NURSERY}`,
    }),
  ];
}
