/** One line of the benchmark: our figure and a peer's, and the ratio that is wanted. A ratio over it fails nothing. */
export interface Row {
  readonly name: string;
  readonly ours: number;
  readonly reference: number;
  readonly ratio: number;
  readonly unit: string;
  readonly limit: number;
  /** What the reference is, and where its figure comes from. */
  readonly source: string;
}

/** A row as it is printed. */
export interface MeasuredRow extends Row {
  /** The letter of its suite. */
  readonly suite: string;
  /** How busy each core was just before the suite, with what else the machine did: percent. */
  readonly busyBefore: readonly number[];
}

export function row(row: Omit<Row, 'ratio'>): Row {
  return { ...row, ratio: row.ours / row.reference };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

export function table(rows: readonly MeasuredRow[]): string {
  const head = ['', 'WHAT', 'OURS', "PEER'S", 'RATIO', 'WANTED', '', 'CORES BUSY BEFORE', 'THE PEER'];
  const lines = rows.map(({ suite, name, ours, reference, ratio, unit, limit, source, busyBefore }) => [
    suite,
    name,
    `${number(ours)} ${unit}`,
    `${number(reference)} ${unit}`,
    ratio.toFixed(2),
    limit.toFixed(2),
    ratio <= limit ? 'ok' : 'OVER',
    busyBefore.map((percent) => `${percent}%`).join(' '),
    source,
  ]);
  const widths = head.map((title, column) =>
    Math.max(...[head, ...lines].map((line) => (line[column] ?? title).length)),
  );
  const padded = (line: readonly string[]) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0));
  return [head, ...lines].map((line) => `${padded(line).join('  ').trimEnd()}\n`).join('');
}

function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
