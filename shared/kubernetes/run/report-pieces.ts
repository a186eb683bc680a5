import type { OutputBefore, RunHook } from '../../core/report/run-document.ts';
import { compressRows } from './compressed-parts.ts';

/**
 * UTF-16 units of one stream in one piece. They are at most 384 KiB of UTF-8, so a piece of both streams fits a Secret
 * even if it can't be compressed.
 */
const PIECE_UNITS = 128 * 1024;

interface Rows {
  readonly hooks: RunHook[];
  readonly before?: OutputBefore[];
}
type Item = { readonly row: RunHook } | { readonly before: OutputBefore };

/** Compress rows into parts of a report that each fit a Secret. A row with a long output takes several. */
export function compressReport(rows: readonly RunHook[], wrap: (rows: Rows) => unknown): Buffer[] {
  return compressRows(rows.flatMap(itemsOf), (items) => {
    const before = items.flatMap((item) => ('before' in item ? [item.before] : []));
    return wrap({
      hooks: items.flatMap((item) => ('row' in item ? [item.row] : [])),
      ...(before.length > 0 && { before }),
    });
  });
}

/** The row with the end of its output, and then what stands before that, piece by piece. */
function itemsOf(row: RunHook): Item[] {
  const out = piecesOf(row.stdout);
  const err = piecesOf(row.stderr);
  if (out.length < 2 && err.length < 2) return [{ row }];
  const end = {
    ...row,
    // Whoever finds a part missing sees by these that there was more.
    ...(out.length > 1 && { stdout: out[0], stdoutBytes: row.stdoutBytes ?? Buffer.byteLength(row.stdout ?? '') }),
    ...(err.length > 1 && { stderr: err[0], stderrBytes: row.stderrBytes ?? Buffer.byteLength(row.stderr ?? '') }),
  };
  const before = Array.from({ length: Math.max(out.length, err.length) - 1 }, (_, index): Item => {
    const [stdout, stderr] = [out[index + 1], err[index + 1]];
    return { before: { id: row.id, ...(stdout !== undefined && { stdout }), ...(stderr !== undefined && { stderr }) } };
  });
  return [{ row: end }, ...before];
}

/** A text in pieces, its end first. */
function piecesOf(text = ''): string[] {
  const pieces: string[] = [];
  for (let end = text.length; end > 0; end -= PIECE_UNITS) pieces.push(text.slice(Math.max(0, end - PIECE_UNITS), end));
  return pieces;
}
