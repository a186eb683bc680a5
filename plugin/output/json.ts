import { escapeUnsafe } from '../../shared/core/sanitize.ts';

/** JSON that a parser reads as the same value, with control characters escaped for terminals. */
export function formatJson(document: unknown): string {
  return `${escapeUnsafe(JSON.stringify(document, undefined, 2))}\n`;
}
