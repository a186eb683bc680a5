import type { Document, Node, Pair, Scalar } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml';
import type { Place } from '../../shared/core/lint/collect/place.ts';

/** The position of a value or a key in a text. */
export interface Spot {
  readonly offset: number;
  /** `line` and `column` count from 1 within the text, columns in UTF-16 units. */
  readonly line: number;
  readonly column: number;
  /** The scalar, if only this value uses it. A scalar behind an alias or a merge key also belongs to another value. */
  readonly own?: Scalar & { readonly range: [number, number, number] };
}

/**
 * The positions of all values in a text. js-yaml has read the text, but keeps no positions; `yaml` is used only for
 * these.
 */
export class Places {
  readonly #documents: readonly Document.Parsed[];
  readonly #lines = new LineCounter();
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    const documents = parseAllDocuments(text, {
      lineCounter: this.#lines,
      uniqueKeys: false,
      logLevel: 'silent',
    });
    this.#documents = Array.isArray(documents) ? documents : [];
  }

  /** The position of a value or key; if there is none, that of the nearest value around it. */
  of(document: number, path: Place['path'], part: Place['part']): Spot {
    const found = this.#documents[document];
    let node: unknown = found?.contents;
    let key: unknown;
    let shared = false;
    let whole = true;
    for (const name of path) {
      if (isAlias(node)) [node, shared] = [found && node.resolve(found), true];
      if (isSeq(node) && typeof name === 'number' && node.items[name] !== undefined) {
        [node, key] = [node.items[name], undefined];
        continue;
      }
      const pair = isMap(node) ? pairOf(node.items as Pair[], name) : undefined;
      const merged =
        pair === undefined && isMap(node) && found ? mergedPair(node.items as Pair[], name, found) : undefined;
      if (merged) shared = true;
      const next = pair ?? merged;
      if (next === undefined) {
        whole = false;
        break;
      }
      [key, node] = [next.key, next.value];
    }
    // An empty value has no position of its own; its key's position is shown.
    const isEmpty = isScalar(node) && node.type === 'PLAIN' && node.source === '';
    const best = ((part === 'key' || !whole || isEmpty) && key) || node;
    const offset = (best as Node | undefined)?.range?.[0] ?? found?.contents?.range?.[0] ?? 0;
    const { line, col } = this.#lines.linePos(offset);
    const own = whole && !shared && isScalar(best) && isPlainEnough(best) ? best : undefined;
    return {
      offset,
      line: Math.max(line, 1),
      column: Math.max(col, 1),
      ...(own ? { own: own as Spot['own'] } : {}),
    } as Spot;
  }

  /** For a text in `|` style: how far its lines are indented, and how many lines to skip before the first. */
  literalOf(document: number, path: Place['path']): { readonly indent: number; readonly skipped: number } | undefined {
    const node = this.#scalar(document, path);
    if (node?.type !== 'BLOCK_LITERAL' || typeof node.value !== 'string' || !node.range) return undefined;
    const source = this.#text.slice(node.range[0], node.range[2]);
    const [header = '', ...lines] = source.split('\n');
    const first = lines.find((line) => line.trim() !== '');
    const inner = /^ */.exec(node.value.split('\n').find((line) => line.trim() !== '') ?? '')?.[0].length ?? 0;
    if (first === undefined || !header.startsWith('|')) return undefined;
    return { indent: (/^ */.exec(first)?.[0].length ?? 0) - inner, skipped: 0 };
  }

  /** The number of lines on which a value is written. */
  linesOf(document: number, path: Place['path']): { readonly lines: number; readonly isLiteral: boolean } {
    const node = this.#scalar(document, path);
    if (node?.range === undefined || node.range === null) return { lines: 1, isLiteral: false };
    const isBlock = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
    const lines = this.#text.slice(node.range[0], node.range[1]).trimEnd().split('\n').length;
    return { lines: isBlock ? lines - 1 : lines, isLiteral: node.type === 'BLOCK_LITERAL' };
  }

  #scalar(document: number, path: Place['path']): Scalar | undefined {
    const found = this.#documents[document];
    const node = found?.getIn(path, true);
    const target = isAlias(node) && found ? node.resolve(found) : node;
    return isScalar(target) ? target : undefined;
  }
}

const pairOf = (pairs: readonly Pair[], name: string | number): Pair | undefined =>
  pairs.find(({ key }) => isScalar(key) && (String(key.value) === String(name) || key.source === String(name)));

function mergedPair(pairs: readonly Pair[], name: string | number, document: Document.Parsed): Pair | undefined {
  for (const { key, value } of pairs) {
    if (!isScalar(key) || key.value !== '<<') continue;
    for (const each of isSeq(value) ? value.items : [value]) {
      const map = isAlias(each) ? each.resolve(document) : each;
      const found = isMap(map) ? pairOf(map.items as Pair[], name) : undefined;
      if (found) return found;
    }
  }
  return undefined;
}

const isPlainEnough = ({ type, anchor, tag }: Scalar): boolean =>
  (type === 'PLAIN' || type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE') && !anchor && !tag;

/** The text written as a scalar in the style of the old one. */
export function scalarSource(text: string, { type }: Pick<Scalar, 'type'>, isKey: boolean): string {
  if (type === 'QUOTE_DOUBLE') return JSON.stringify(text);
  if (type === 'QUOTE_SINGLE') return `'${text.replaceAll("'", "''")}'`;
  const isString = /^[A-Za-z0-9][\w./-]*$/.test(text) && !NOT_A_STRING.test(text);
  return isKey || isString ? text : JSON.stringify(text);
}
/** Texts that YAML 1.1 may read as a boolean, a null or a number. */
const NOT_A_STRING = /^(?:y|n|yes|no|on|off|true|false|null|[-+.\d_:a-f]*|0x.*|\d.*e\d*)$/i;
