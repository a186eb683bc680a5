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

/** A carriage return, or an escape sequence, of which more may come. */
const BEGUN =
  /(?:\r|\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\x9c\n]*\x1b?|[ -/]*)|\x9b[0-?]*[ -/]*|[\x9d\x90\x98\x9e\x9f][^\x07\x1b\x9c\n]*\x1b?)$/;
/** How many UTF-16 units an escape sequence may take that comes in pieces: terminals' own are far shorter. */
const LONGEST_BEGUN = 256;

/** {@link sanitizeText} for a text that comes in pieces, which may be cut within an escape sequence. */
export class SanitizedStream {
  #begun = '';

  /** The next piece, without an escape sequence that it may have begun: that stays until its end is known. */
  add(piece: string): string {
    const text = this.#begun + piece;
    this.#begun = '';
    if (!SUSPECT.test(text)) return text;
    const from = Math.max(0, text.length - LONGEST_BEGUN);
    const begun = BEGUN.exec(text.slice(from));
    if (begun === null) return sanitizeText(text);
    const end = from + begun.index;
    this.#begun = text.slice(end);
    return sanitizeText(text.slice(0, end));
  }

  /** What is left, as nothing more comes. */
  end(): string {
    const text = sanitizeText(this.#begun);
    this.#begun = '';
    return text;
  }
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
