/** Where a part of a text was found, from the place where the search began, and how long it may be there: ascending. */
export interface Found {
  readonly at: number;
  readonly lengths: readonly number[];
}

/** A part of a compiled pattern; it is asked about the text between two places. */
export interface Matcher {
  /** In characters; undefined where it differs. */
  readonly length: number | undefined;
  matches(text: string, from: number, to: number): boolean;
  find(text: string, from: number, to: number): Found | undefined;
}

const upTo = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

function indexOf(text: string, part: string, from: number, to: number): number {
  const at = text.indexOf(part, from);
  return at < 0 || at + part.length > to ? -1 : at - from;
}

export class Text implements Matcher {
  readonly text: string;
  readonly length: number;
  constructor(text: string) {
    this.text = text;
    this.length = [...text].length;
  }
  matches(text: string, from: number, to: number): boolean {
    return to - from === this.text.length && text.startsWith(this.text, from);
  }
  find(text: string, from: number, to: number): Found | undefined {
    const at = indexOf(text, this.text, from, to);
    return at < 0 ? undefined : { at, lengths: [this.text.length] };
  }
}

export class Super implements Matcher {
  readonly length = undefined;
  matches(): boolean {
    return true;
  }
  find(_text: string, from: number, to: number): Found {
    return { at: 0, lengths: upTo(0, to - from) };
  }
}

export class Nothing implements Matcher {
  readonly length = 0;
  matches(_text: string, from: number, to: number): boolean {
    return from === to;
  }
  find(): Found {
    return { at: 0, lengths: [0] };
  }
}

/** What Go decodes from an empty text. */
const NO_CHARACTER = 0xfffd;

/** One character of some: `?`, a list, a range. */
export class One implements Matcher {
  readonly length = 1;
  readonly admits: (codePoint: number) => boolean;
  /** The characters of a list that is negated. */
  readonly butNot: string | undefined;
  constructor(admits: (codePoint: number) => boolean, butNot?: string) {
    this.admits = admits;
    this.butNot = butNot;
  }
  matches(text: string, from: number, to: number): boolean {
    return to - from <= 1 && this.admits(to === from ? NO_CHARACTER : text.charCodeAt(from));
  }
  find(text: string, from: number, to: number): Found | undefined {
    for (let at = from; at < to; at++) if (this.admits(text.charCodeAt(at))) return { at: at - from, lengths: [1] };
    return undefined;
  }
}

export class Prefix implements Matcher {
  readonly length = undefined;
  readonly prefix: string;
  constructor(prefix: string) {
    this.prefix = prefix;
  }
  matches(text: string, from: number, to: number): boolean {
    return to - from >= this.prefix.length && text.startsWith(this.prefix, from);
  }
  find(text: string, from: number, to: number): Found | undefined {
    const at = indexOf(text, this.prefix, from, to);
    return at < 0 ? undefined : { at, lengths: upTo(this.prefix.length, to - from - at) };
  }
}

export class Suffix implements Matcher {
  readonly length = undefined;
  readonly suffix: string;
  constructor(suffix: string) {
    this.suffix = suffix;
  }
  matches(text: string, from: number, to: number): boolean {
    return to - from >= this.suffix.length && text.startsWith(this.suffix, to - this.suffix.length);
  }
  find(text: string, from: number, to: number): Found | undefined {
    const at = indexOf(text, this.suffix, from, to);
    return at < 0 ? undefined : { at: 0, lengths: [at + this.suffix.length] };
  }
}

/** `a*b`. The library lets prefix and suffix overlap: `ab*ba` matches `aba`. */
export class PrefixSuffix implements Matcher {
  readonly length = undefined;
  readonly #prefix: Prefix;
  readonly #suffix: Suffix;
  constructor(prefix: string, suffix: string) {
    this.#prefix = new Prefix(prefix);
    this.#suffix = new Suffix(suffix);
  }
  matches(text: string, from: number, to: number): boolean {
    return this.#prefix.matches(text, from, to) && this.#suffix.matches(text, from, to);
  }
  find(text: string, from: number, to: number): Found | undefined {
    const at = indexOf(text, this.#prefix.prefix, from, to);
    if (at < 0) return undefined;
    const { suffix } = this.#suffix;
    const lengths: number[] = [];
    for (let end = to; end - suffix.length >= from + at; ) {
      const last = text.lastIndexOf(suffix, end - suffix.length);
      if (last < from + at) break;
      lengths.unshift(last - from - at + suffix.length);
      end = last;
    }
    return lengths.length === 0 ? undefined : { at, lengths };
  }
}

export class Contains implements Matcher {
  readonly length = undefined;
  readonly #needle: string;
  readonly #not: boolean;
  constructor(needle: string, not: boolean) {
    this.#needle = needle;
    this.#not = not;
  }
  matches(text: string, from: number, to: number): boolean {
    return indexOf(text, this.#needle, from, to) >= 0 !== this.#not;
  }
  find(text: string, from: number, to: number): Found | undefined {
    const at = indexOf(text, this.#needle, from, to);
    if (this.#not) return { at: 0, lengths: upTo(0, at < 0 ? to - from : at) };
    return at < 0 ? undefined : { at: 0, lengths: upTo(at + this.#needle.length, to - from) };
  }
}

export class AtLeast implements Matcher {
  readonly length = undefined;
  readonly #least: number;
  constructor(least: number) {
    this.#least = least;
  }
  matches(_text: string, from: number, to: number): boolean {
    return to - from >= this.#least;
  }
  find(_text: string, from: number, to: number): Found | undefined {
    return to - from < this.#least ? undefined : { at: 0, lengths: upTo(this.#least, to - from) };
  }
}

export class AtMost implements Matcher {
  readonly length = undefined;
  readonly #most: number;
  constructor(most: number) {
    this.#most = most;
  }
  matches(_text: string, from: number, to: number): boolean {
    return to - from <= this.#most;
  }
  find(_text: string, from: number, to: number): Found {
    return { at: 0, lengths: upTo(0, Math.min(this.#most, to - from)) };
  }
}

export class EveryOf implements Matcher {
  readonly length = undefined;
  readonly #all: readonly Matcher[];
  constructor(all: readonly Matcher[]) {
    this.#all = all;
  }
  matches(text: string, from: number, to: number): boolean {
    return this.#all.every((each) => each.matches(text, from, to));
  }
  /** Of those that are made, all are found at the beginning. */
  find(text: string, from: number, to: number): Found | undefined {
    let common: readonly number[] | undefined;
    for (const each of this.#all) {
      const found = each.find(text, from, to);
      if (found === undefined) return undefined;
      common = common === undefined ? found.lengths : common.filter((length) => found.lengths.includes(length));
      if (common.length === 0) return undefined;
    }
    return { at: 0, lengths: common ?? [] };
  }
}

export class AnyOf implements Matcher {
  readonly length: number | undefined;
  readonly any: readonly Matcher[];
  constructor(any: readonly Matcher[]) {
    this.any = any;
    this.length = lengthOfAny(any);
  }
  matches(text: string, from: number, to: number): boolean {
    return this.any.some((each) => each.matches(text, from, to));
  }
  find(text: string, from: number, to: number): Found | undefined {
    let first: number | undefined;
    let lengths: number[] = [];
    for (const each of this.any) {
      const found = each.find(text, from, to);
      if (found === undefined || (first !== undefined && found.at > first)) continue;
      lengths = found.at === first ? [...lengths, ...found.lengths] : [...found.lengths];
      first = found.at;
    }
    if (first === undefined) return undefined;
    return { at: first, lengths: [...new Set(lengths)].sort((a, b) => a - b) };
  }
}

/**
 * The library's own, and why `{prod-*,stage}-db` doesn't match `prod-a-db`: a length that differs is forgotten where a
 * fixed one follows, so these alternatives are taken to be five characters long.
 */
function lengthOfAny(any: readonly Matcher[]): number | undefined {
  let length: number | undefined;
  for (const each of any) {
    if (length === undefined) length = each.length;
    else if (each.length !== length) return undefined;
  }
  return length;
}

/** Parts of a fixed length, one behind the other. */
export class Row implements Matcher {
  readonly length: number;
  readonly #parts: readonly Matcher[];
  constructor(length: number, parts: readonly Matcher[]) {
    this.length = length;
    this.#parts = parts;
  }
  matches(text: string, from: number, to: number): boolean {
    return to - from === this.length && this.#matchesAll(text, from, to);
  }
  find(text: string, from: number, to: number): Found | undefined {
    for (let at = from; at < to && to - at >= this.length; at++) {
      if (this.#matchesAll(text, at, to)) return { at: at - from, lengths: [this.length] };
    }
    return undefined;
  }
  /** Whether the text begins with them. A part without length is given all that is left, and panics if that is nothing. */
  #matchesAll(text: string, from: number, to: number): boolean {
    let at = from;
    for (const part of this.#parts) {
      const end = part.length === 0 ? to : at + (part.length ?? 0);
      if (end > to || end === at || !part.matches(text, at, end)) return false;
      at = end;
    }
    return true;
  }
}

/** A part, and what stands before and behind it. */
export class Tree implements Matcher {
  readonly length: number | undefined;
  readonly value: Matcher;
  readonly left: Matcher | undefined;
  readonly right: Matcher | undefined;
  readonly #leftLength: number | undefined;
  readonly #rightLength: number | undefined;
  #text: string | undefined;
  /** What was answered about this text, by both places: each question is worked on once. */
  readonly #known = new Map<number, boolean>();

  constructor(value: Matcher, left: Matcher | undefined, right: Matcher | undefined) {
    this.value = value;
    this.left = left;
    this.right = right;
    this.#leftLength = lengthOf(left);
    this.#rightLength = lengthOf(right);
    const all = [value.length, this.#leftLength, this.#rightLength];
    this.length = all.includes(undefined) ? undefined : all.reduce<number>((sum, each) => sum + (each ?? 0), 0);
  }

  matches(text: string, from: number, to: number): boolean {
    if (this.#text !== text) {
      this.#text = text;
      this.#known.clear();
    }
    const question = from * (text.length + 1) + to;
    const known = this.#known.get(question);
    if (known !== undefined) return known;
    const answer = this.#search(text, from, to);
    this.#known.set(question, answer);
    return answer;
  }

  #search(text: string, from: number, to: number): boolean {
    if (this.length !== undefined && this.length > to - from) return false;
    const limit = to - (this.#rightLength ?? 0);
    let at = from + (this.#leftLength ?? 0);
    while (at < limit) {
      const found = this.value.find(text, at, limit);
      if (found === undefined) return false;
      const start = at + found.at;
      if (this.left === undefined ? start === from : this.left.matches(text, from, start)) {
        for (let index = found.lengths.length - 1; index >= 0; index--) {
          const end = Math.min(start + (found.lengths[index] ?? 0), to);
          if (this.right === undefined ? end === to : this.right.matches(text, end, to)) return true;
        }
      }
      at = start + 1;
    }
    return false;
  }

  /** A tree within alternatives within a tree is never found: the library's own. */
  find(): undefined {
    return undefined;
  }
}

const lengthOf = (matcher: Matcher | undefined): number | undefined => (matcher === undefined ? 0 : matcher.length);
