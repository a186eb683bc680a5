import type { Matcher } from './glob-matchers.ts';
import {
  AnyOf,
  AtLeast,
  AtMost,
  Contains,
  EveryOf,
  Nothing,
  One,
  Prefix,
  PrefixSuffix,
  Row,
  Suffix,
  Super,
  Text,
  Tree,
} from './glob-matchers.ts';
import type { GlobNode, GlobPattern } from './glob-syntax.ts';
import { parseGlob } from './glob-syntax.ts';

/**
 * Compile a namespace or resource pattern as Velero's library, github.com/gobwas/glob v0.2.3, does (R1.12): `*` and `**` any
 * text, `?` one character, `[abc]` or `[a-z]`, `[!…]`, `{a,b}` (nested too), `\` escapes the next character.
 * Returns undefined for a pattern that the library refuses.
 *
 * The library rewrites what it has parsed into faster parts, and some of these match something else than the pattern
 * says. A hook must run in the namespaces in which Velero runs it, so the same parts are made here, step by step; what
 * they say about a text is remembered, so that no pattern takes exponential time.
 */
export function compileGlob(pattern: string): ((text: string) => boolean) | undefined {
  if (isLiteral(pattern)) return (text) => text === pattern;
  const parsed = parseGlob(pattern);
  if (parsed === undefined) return undefined;
  const matcher = compilePattern(parsed);
  return (text) => matcher.matches(text, 0, text.length);
}

/** Whether the pattern matches itself, and nothing else. */
export const isLiteral = (pattern: string): boolean => !/[*?[{\\\0\ufffd]/.test(pattern);

function compile(node: GlobNode): Matcher {
  switch (node.kind) {
    case 'anyOf':
      return compileAnyOf(node.children);
    case 'pattern':
      return compilePattern(node as GlobPattern);
    case 'any':
    case 'super':
      return new Super();
    case 'single':
      return new One(() => true, '');
    case 'nothing':
      return new Nothing();
    case 'text':
      return new Text(node.text);
    case 'range':
      return new One((character) => (character >= node.low && character <= node.high) !== node.not);
    case 'list': {
      const list = [...node.characters].map((character) => character.codePointAt(0));
      if (list.length === 1 && !node.not) return new Text(node.characters);
      return new One((character) => list.includes(character) !== node.not, node.not ? node.characters : undefined);
    }
  }
}

const compileChildren = (children: readonly GlobNode[]): Matcher[] => children.map((node) => optimized(compile(node)));

function compilePattern({ children }: GlobPattern): Matcher {
  if (children.length === 0) return new Nothing();
  return optimized(joined(glueAll(compileChildren(children))));
}

function compileAnyOf(children: readonly GlobNode[]): Matcher {
  const factored = factorOut(children);
  return factored === undefined ? new AnyOf(compileChildren(children)) : compilePattern(factored);
}

/** What all alternatives begin and end with, taken out of them. */
function factorOut(alternatives: readonly GlobNode[]): GlobPattern | undefined {
  if (!alternatives.every((node): node is GlobPattern => node.kind === 'pattern')) return undefined;
  const { left, right } = commonEnds(alternatives.map(({ children }) => children));
  if (left.length === 0 && right.length === 0) return undefined;
  const own = alternatives.map(({ children }): GlobNode => {
    const between = children.slice(left.length, children.length - right.length);
    return between.length === 0 ? { kind: 'nothing' } : { kind: 'pattern', children: between };
  });
  const rest = [...new Map(own.toReversed().map((node) => [JSON.stringify(node), node])).values()].reverse();
  const result: GlobNode[] = left.length > 0 ? [{ kind: 'pattern', children: left }] : [];
  const [only] = rest;
  if (rest.length > 1) result.push({ kind: 'anyOf', children: rest });
  else if (only !== undefined && only.kind !== 'nothing') result.push(only);
  if (right.length > 0) result.push({ kind: 'pattern', children: right });
  return { kind: 'pattern', children: result };
}

function commonEnds(lists: readonly (readonly GlobNode[])[]): { left: GlobNode[]; right: GlobNode[] } {
  const left: GlobNode[] = [];
  const right: GlobNode[] = [];
  if (lists.length <= 1) return { left, right };
  const shortest = lists.reduce((best, list) => (list.length < best.length ? list : best));
  const size = shortest.length;
  let [leftEnded, rightEnded] = [false, false];
  for (let i = 0, j = size - 1; left.length + right.length < size && j >= 0 && !(leftEnded && rightEnded); i++, j--) {
    for (const list of lists) {
      if (list === shortest || (leftEnded && rightEnded)) continue;
      leftEnded ||= !isEqual(shortest[i], list[i]);
      // The right end may not reach into the left one.
      rightEnded ||= !leftEnded && j <= i;
      rightEnded ||= !isEqual(shortest[j], list[j + list.length - size]);
    }
    const [first, last] = [shortest[i], shortest[j]];
    if (!leftEnded && first !== undefined) left.push(first);
    if (!rightEnded && last !== undefined) right.unshift(last);
  }
  return { left, right };
}

const isEqual = (a: GlobNode | undefined, b: GlobNode | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);

function optimized(matcher: Matcher): Matcher {
  if (matcher instanceof AnyOf) return matcher.any.length === 1 && matcher.any[0] ? matcher.any[0] : matcher;
  if (!(matcher instanceof Tree)) return matcher;
  const { value } = matcher;
  const left = matcher.left && optimized(matcher.left);
  const right = matcher.right && optimized(matcher.right);
  if (value instanceof Text) {
    const { text } = value;
    if (left === undefined && right === undefined) return value;
    if (left instanceof Super && right instanceof Super) return new Contains(text, false);
    if (left instanceof Super && right === undefined) return new Suffix(text);
    if (right instanceof Super && left === undefined) return new Prefix(text);
    if (left === undefined && right instanceof Suffix) return new PrefixSuffix(text, right.suffix);
    if (right === undefined && left instanceof Prefix) return new PrefixSuffix(left.prefix, text);
  }
  return new Tree(value, left, right);
}

/** Several parts as one: around the last of the longest that have a fixed length. */
function joined(parts: readonly Matcher[]): Matcher {
  const [first, ...rest] = parts;
  if (first === undefined) throw new Error('a pattern without parts');
  if (rest.length === 0) return first;
  const glued = glue(parts);
  if (glued !== undefined) return glued;
  let at = -1;
  for (const [index, { length }] of parts.entries()) {
    if (length !== undefined && length >= (parts[at]?.length ?? -1)) at = index;
  }
  const value = parts[at];
  if (value === undefined) return new Tree(first, undefined, joined(rest));
  const [left, right] = [parts.slice(0, at), parts.slice(at + 1)];
  return new Tree(value, left.length > 0 ? joined(left) : undefined, right.length > 0 ? joined(right) : undefined);
}

/** Glue the longest run of parts that can be one, until none is left. */
function glueAll(parts: readonly Matcher[]): readonly Matcher[] {
  let best: { readonly glued: Matcher; readonly from: number; readonly to: number } | undefined;
  for (let from = 0; from < parts.length; from++) {
    for (let to = parts.length; to > from; to--) {
      const glued = glue(parts.slice(from, to));
      if (glued === undefined) continue;
      const isLonger = best !== undefined && (glued.length ?? -1) > (best.glued.length ?? Number.POSITIVE_INFINITY);
      if (best === undefined || isLonger || best.to - best.from < to - from) best = { glued, from, to };
    }
  }
  if (best === undefined) return parts;
  const next = [...parts.slice(0, best.from), best.glued, ...parts.slice(best.to)];
  return next.length === parts.length ? next : glueAll(next);
}

function glue(parts: readonly Matcher[]): Matcher | undefined {
  return parts.length < 2 ? undefined : (asEvery(parts) ?? asRow(parts));
}

function asRow(parts: readonly Matcher[]): Matcher | undefined {
  let length = 0;
  for (const part of parts) {
    if (part.length === undefined) return undefined;
    length += part.length;
  }
  return new Row(length, parts);
}

/** Only `*`, `?` and negated lists, all of the same characters: a length, and what must not be in it. */
function asEvery(parts: readonly Matcher[]): Matcher | undefined {
  let hasSuper = false;
  let least = 0;
  let butNot: string | undefined;
  for (const part of parts) {
    const excluded = part instanceof Super ? '' : part instanceof One ? part.butNot : undefined;
    if (excluded === undefined || (butNot ?? excluded) !== excluded) return undefined;
    butNot = excluded;
    if (part instanceof Super) hasSuper = true;
    else least += 1;
  }
  if (least === 0) return new Super();
  const atLeast = new AtLeast(least);
  if (hasSuper && butNot === '') return atLeast;
  const all: Matcher[] = hasSuper ? [atLeast] : [atLeast, new AtMost(least)];
  if (butNot) all.push(new Contains(butNot, true));
  return new EveryOf(all);
}
