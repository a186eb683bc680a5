import process from 'node:process';
import { parseArgs } from 'node:util';
import { archiveRows } from './archive.ts';
import { clusterRows } from './cluster.ts';
import { durabilityRows } from './durability.ts';
import { planRow } from './plan.ts';
import type { Row } from './row.ts';
import { scaleRows } from './scale.ts';
import { simulationRows } from './simulation.ts';
import { startUpRows } from './start-up.ts';
import { testRows } from './tests.ts';

/** `npm run bench [-- -o json] [--full] [NAME…]`: each row is ours against a reference, and the limit that the ratio must keep. */
const { values, positionals } = parseArgs({
  options: {
    output: { type: 'string', short: 'o', default: 'table' },
    // Of the archive: all 50,000 pods and 2 GiB, not a quarter of them.
    full: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const suites: Readonly<Record<string, () => Promise<Row[]> | Row[]>> = {
  plan: () => [planRow()],
  simulation: simulationRows,
  'start-up': startUpRows,
  archive: () => archiveRows(values.full),
  durability: durabilityRows,
  tests: testRows,
  cluster: clusterRows,
  scale: scaleRows,
};
const rows: Row[] = [];
for (const [name, measure] of Object.entries(suites)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  process.stderr.write(`measuring ${name} …\n`);
  rows.push(...(await measure()));
}
process.stdout.write(values.output === 'json' ? `${JSON.stringify(rows, null, 2)}\n` : table(rows));
process.exitCode = rows.every(({ ratio, limit }) => ratio <= limit) ? 0 : 1;

function table(all: readonly Row[]): string {
  const head = ['NAME', 'OURS', 'REFERENCE', 'RATIO', 'LIMIT', '', 'REFERENCE IS'];
  const lines = all.map(({ name, ours, reference, ratio, unit, limit, source }) => [
    name,
    `${number(ours)} ${unit}`,
    `${number(reference)} ${unit}`,
    ratio.toFixed(2),
    limit.toFixed(2),
    ratio <= limit ? 'ok' : 'OVER',
    source,
  ]);
  const widths = head.map((title, column) =>
    Math.max(...[head, ...lines].map((line) => (line[column] ?? title).length)),
  );
  return [head, ...lines]
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
