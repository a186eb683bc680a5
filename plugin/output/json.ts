import { escapeUnsafe } from '../../shared/core/sanitize.ts';

/** The same value for a reader, and nothing that a terminal would act on. */
export function formatJson(document: unknown): string {
  return `${escapeUnsafe(JSON.stringify(document, undefined, 2))}\n`;
}
