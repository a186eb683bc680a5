/** Escape sequences of terminals: CSI, OSC and other strings with their contents, two-character ones; 7-bit and C1 forms. */
const ESCAPE_SEQUENCE =
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-~]?/g;
/** What remains and isn't text: C0 except tab and newline, DEL, C1, line separators, marks that reorder text. */
const NOT_TEXT = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;
const SUSPECT = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/;

/**
 * Text from outside, fit for a terminal (R5.18): escape sequences, control characters and marks that reorder text are taken
 * away; newlines and tabs stay, and a carriage return becomes a newline.
 */
export function sanitizeText(text: string): string {
  if (!SUSPECT.test(text)) return text;
  return text.replace(ESCAPE_SEQUENCE, '').replace(/\r\n?/g, '\n').replace(NOT_TEXT, '');
}

/** {@link sanitizeText} for one line: a newline is shown as `\n`, a tab as `\t`. */
export function sanitizeLine(text: string): string {
  return sanitizeText(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

/** The beginning of a text, at most so many UTF-16 units: the last character is there, or it isn't. */
export const cutText = (text: string, most: number): string =>
  text.length <= most ? text : text.slice(0, most).replace(/[\ud800-\udbff]$/, '');

/** What `JSON.stringify` leaves as it is and a terminal doesn't: DEL, C1, line separators, marks that reorder text. */
const UNSAFE = /[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** JSON or YAML for a terminal: the same value for who reads it as such. */
export const escapeUnsafe = (text: string): string =>
  text.replace(UNSAFE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
