import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { colored } from './color.ts';
import type { Table } from './view.ts';
import { displayWidth, padEnd } from './width.ts';

const GAP = '   ';

/** A table as kubectl prints it: padded columns, three spaces between them, no spaces at the end of a line. */
export function formatTable(table: Table, options: { readonly wide: boolean; readonly color: boolean }): string {
  const shown = table.columns.flatMap((column, index) => (column.wide && !options.wide ? [] : [{ column, index }]));
  const cells = table.rows.map((row) => shown.map(({ index }) => cellText(row[index])));
  const widths = shown.map(({ column }, position) =>
    cells.reduce(
      (width, row) => Math.max(width, displayWidth(row[position] ?? '')),
      Math.max(column.width ?? 0, table.noHeader ? 0 : displayWidth(column.title)),
    ),
  );
  const line = (row: readonly string[], paint: boolean): string =>
    row
      .map((cell, position) => {
        const padded = position === row.length - 1 ? cell : padEnd(cell, widths[position] ?? 0);
        const color = paint ? shown[position]?.column.color?.(cell) : undefined;
        return color === undefined ? padded : colored(cell, color) + padded.slice(cell.length);
      })
      .join(GAP)
      .trimEnd();
  const header = line(
    shown.map(({ column }) => column.title),
    false,
  );
  return [...(table.noHeader ? [] : [header]), ...cells.map((row) => line(row, options.color)), ''].join('\n');
}

function cellText(cell: string | number | undefined): string {
  const text = sanitizeLine(String(cell ?? '')).trim();
  return text === '' ? '<none>' : text;
}
