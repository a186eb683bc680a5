/** One line of the benchmark: the ratio of ours to the reference must not be over `limit`. */
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

export function row(row: Omit<Row, 'ratio'>): Row {
  return { ...row, ratio: row.ours / row.reference };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
