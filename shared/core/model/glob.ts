/**
 * Compile a namespace or resource pattern as Velero's glob library reads it: `*` and `**` any text, `?` one
 * character, `[abc]`, `[a-z]`, `[!…]`, `{a,b}` (nested too), `\` escapes the next character.
 * Returns undefined for a pattern that the library refuses.
 */
export function compileGlob(pattern: string): ((text: string) => boolean) | undefined {
  if (!/[*?[\]{}\\]/.test(pattern)) return (text) => text === pattern;
  const source = new GlobReader([...pattern]).read();
  if (source === undefined) return undefined;
  const expression = new RegExp(`^(?:${source})$`, 'su');
  return (text) => expression.test(text);
}

/** Turns the pattern into a regular expression, character by character. */
class GlobReader {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(characters: readonly string[]) {
    this.#characters = characters;
  }

  read(): string | undefined {
    let source = '';
    let alternatives = 0;
    while (this.#at < this.#characters.length) {
      const character = this.#characters[this.#at++] ?? '';
      if (character === '*') source += source.endsWith('.*') ? '' : '.*';
      else if (character === '?') source += '.';
      else if (character === '[') {
        const set = this.#readSet();
        if (set === undefined) return undefined;
        source += set;
      } else if (character === '{') {
        alternatives += 1;
        source += '(?:';
      } else if (character === '}' && alternatives > 0) {
        alternatives -= 1;
        source += ')';
      } else if (character === ',' && alternatives > 0) source += '|';
      else if (character === '\\') source += escaped(this.#characters[this.#at++] ?? '');
      else source += escaped(character);
    }
    return alternatives === 0 ? source : undefined;
  }

  /** After `[`: either one range or a list of characters, never both. */
  #readSet(): string | undefined {
    const not = this.#characters[this.#at] === '!';
    if (not) this.#at += 1;
    const [low, dash, high, close] = this.#characters.slice(this.#at, this.#at + 4);
    if (dash === '-') {
      if (low === undefined || high === undefined || close !== ']' || codePoint(high) < codePoint(low))
        return undefined;
      this.#at += 4;
      return `[${not ? '^' : ''}${escaped(low)}-${escaped(high)}]`;
    }
    let list = '';
    for (;;) {
      let character = this.#characters[this.#at++];
      if (character === ']') break;
      if (character === '\\') character = this.#characters[this.#at++];
      if (character === undefined) return undefined;
      list += escaped(character);
    }
    return list === '' ? undefined : `[${not ? '^' : ''}${list}]`;
  }
}

const codePoint = (character: string): number => character.codePointAt(0) ?? 0;
const escaped = (character: string): string => (character === '' ? '' : `\\u{${codePoint(character).toString(16)}}`);
