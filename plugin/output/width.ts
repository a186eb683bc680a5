import { once } from '../../shared/core/once.ts';

const zeroWidth = once(() => /^[\p{Mn}\p{Me}\p{Cf}]$/u);
const doubleWidth = once(
  () =>
    /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}])$/u,
);
const ONLY_ASCII = /^[ -~]*$/;

/** How many cells of a terminal the text takes. Rare scripts may be counted wrong. */
export function displayWidth(text: string): number {
  if (ONLY_ASCII.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

const characterWidth = (character: string): number =>
  zeroWidth().test(character) ? 0 : doubleWidth().test(character) ? 2 : 1;

export const padEnd = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - displayWidth(text)));

/** Cut the text to `width` cells, with `…` at its end if something was cut. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 1) return '';
  let kept = '';
  let room = width - 1;
  for (const character of text) {
    room -= characterWidth(character);
    if (room < 0) break;
    kept += character;
  }
  return `${kept}…`;
}

/** Lines of at most `width` cells, if no word is longer: the first is indented by `indent` cells, the others by `then`. */
export function wrapped(text: string, width: number, indent: number, then: number): string[] {
  const lines: string[] = [];
  let current = ' '.repeat(indent);
  let isEmpty = true;
  // Runs of spaces inside the text are kept: they align columns.
  for (const word of text.match(/\S+\s*/g) ?? []) {
    if (!isEmpty && displayWidth(current + word.trimEnd()) > width) {
      lines.push(current.trimEnd());
      current = ' '.repeat(then);
    }
    current += word;
    isEmpty = false;
  }
  return [...lines, current.trimEnd()];
}
