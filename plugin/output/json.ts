/** What `JSON.stringify` leaves as it is and a terminal doesn't: DEL, C1, line separators, marks that reorder text. */
const UNSAFE = /[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

export const escapeUnsafe = (text: string): string =>
  text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The same value for a reader, and nothing that a terminal would act on. */
export function formatJson(document: unknown): string {
  return `${escapeUnsafe(JSON.stringify(document, undefined, 2))}\n`;
}
