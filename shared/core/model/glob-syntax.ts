/** A pattern as gobwas/glob parses it. */
export type GlobNode =
  | { readonly kind: 'pattern' | 'anyOf'; readonly children: GlobNode[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly characters: string; readonly not: boolean }
  | { readonly kind: 'range'; readonly low: number; readonly high: number; readonly not: boolean }
  /** `any` is `*`, `super` is `**`, which mean the same here and are not equal; `single` is `?`; `nothing` is no text. */
  | { readonly kind: 'any' | 'super' | 'single' | 'nothing' };

export interface GlobPattern {
  readonly kind: 'pattern';
  readonly children: GlobNode[];
}

/** More than any name needs: beyond these a pattern is refused, because compiling takes longer than linear time. */
const MOST_PARTS = 256;
const DEEPEST = 20;

/**
 * Parse a pattern as the lexer and parser of github.com/gobwas/glob v0.2.3 do, oddities included: `{` needs no `}`, a
 * set is either one range or a list, `!` negates a set, and a NUL ends what is being read.
 * undefined: the library refuses it, or it has more parts than any name needs.
 */
export function parseGlob(pattern: string): GlobPattern | undefined {
  const reader = new GlobReader([...pattern]);
  try {
    return reader.read();
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

class Refused extends Error {}

/** What gobwas/glob can't tell from bytes that are no UTF-8, and refuses. */
const REPLACEMENT = '\ufffd';
const END = '\0';

class GlobReader {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(characters: readonly string[]) {
    this.#characters = characters;
  }

  read(): GlobPattern {
    const root: GlobPattern = { kind: 'pattern', children: [] };
    const outer: GlobPattern[] = [];
    const alternatives: GlobNode[][] = [];
    let into = root;
    const begin = (list: GlobNode[]): void => {
      into = { kind: 'pattern', children: [] };
      list.push(into);
    };
    for (;;) {
      if (into.children.length > MOST_PARTS || outer.length > DEEPEST) throw new Refused();
      const list = alternatives.at(-1);
      const character = this.#next();
      if (character === END) return root;
      if (character === '{') {
        const children: GlobNode[] = [];
        into.children.push({ kind: 'anyOf', children });
        outer.push(into);
        alternatives.push(children);
        begin(children);
      } else if (character === ',' && list !== undefined) begin(list);
      else if (character === '}' && list !== undefined) {
        alternatives.pop();
        into = outer.pop() ?? root;
      } else if (character === '[') into.children.push(this.#set());
      else if (character === '?') into.children.push({ kind: 'single' });
      else if (character === '*') {
        const isSuper = this.#peek() === '*';
        if (isSuper) this.#next();
        into.children.push({ kind: isSuper ? 'super' : 'any' });
      } else {
        this.#at -= 1;
        const text = this.#text(list === undefined ? '?*[{' : '?*[{},');
        if (text !== '') into.children.push({ kind: 'text', text });
      }
    }
  }

  #peek(): string {
    return this.#characters[this.#at] ?? END;
  }

  #next(): string {
    const character = this.#peek();
    if (character === REPLACEMENT) throw new Refused();
    this.#at += 1;
    return character;
  }

  #text(breakers: string): string {
    let text = '';
    for (;;) {
      let character = this.#next();
      if (character === '\\') character = this.#next();
      else if (breakers.includes(character)) {
        this.#at -= 1;
        return text;
      }
      if (character === END) return text;
      text += character;
    }
  }

  /** After `[`: either one range or a list of characters, never both. */
  #set(): GlobNode {
    let first = this.#next();
    const not = first === '!';
    if (not) first = this.#next();
    if (first === END) throw new Refused();
    if (this.#peek() === '-') {
      this.#next();
      const [low, high] = [codePoint(first), codePoint(this.#next())];
      if (this.#next() !== ']' || low > high || high === 0) throw new Refused();
      return { kind: 'range', low, high, not };
    }
    this.#at -= 1;
    const characters = this.#text(']');
    if (this.#next() !== ']' || characters === '') throw new Refused();
    return { kind: 'list', characters, not };
  }
}

const codePoint = (character: string): number => character.codePointAt(0) ?? 0;
