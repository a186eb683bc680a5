import type { Document, Node, Pair, YAMLMap, YAMLSeq } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import type { InitContainer } from '../../shared/core/model/restore.ts';
import type { ManifestText } from '../../shared/input/manifests.ts';
import { formatYaml } from '../output/yaml.ts';

export type Path = readonly (string | number)[];

/** Init containers to insert into a pod's spec. `at` is an index in the list before the insertion. */
export interface Insertion {
  readonly document: number;
  readonly podSpec: Path;
  readonly containers: readonly { readonly at: number; readonly container: InitContainer }[];
}

interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/**
 * Insert init containers into a text, and change nothing else in it. undefined if there is no place for them, for
 * example behind an alias. js-yaml has read the text, but doesn't tell where a value stands; `yaml` is used only for
 * that.
 */
export function insertInitContainers(
  { text, isJson }: ManifestText,
  insertions: readonly Insertion[],
): string | undefined {
  const documents = parseAllDocuments(text, { keepSourceTokens: true, uniqueKeys: false, logLevel: 'silent' });
  if (!Array.isArray(documents)) return undefined;
  const splices: Splice[] = [];
  for (const { document, podSpec, containers } of insertions) {
    const found = documents[document];
    const place = found && placeOf(found, podSpec);
    const made = place && new Place(text, isJson, place).splices(containers);
    if (made === undefined) return undefined;
    splices.push(...made);
  }
  const parts: string[] = [];
  let done = 0;
  // The sort is stable: texts that are inserted at the same place keep their order.
  for (const { from, to, text: inserted } of splices.toSorted((a, b) => a.from - b.from)) {
    parts.push(text.slice(done, from), inserted);
    done = to;
  }
  return parts.join('') + text.slice(done);
}

interface FoundSpec {
  readonly spec: YAMLMap;
  /** The end of the spec's key. Nothing is inserted before it. */
  readonly keyEnd: number;
}

function placeOf(document: Document.Parsed, path: Path): FoundSpec | undefined {
  let at: unknown = document.contents;
  let keyEnd = 0;
  for (const key of path) {
    if (isSeq(at) && typeof key === 'number') at = at.items[key];
    else if (isMap(at)) {
      const pair = pairOf(at, key);
      if (pair === undefined) return undefined;
      keyEnd = endOf(pair.key);
      at = pair.value;
    } else return undefined;
  }
  return isMap(at) ? { spec: at, keyEnd } : undefined;
}

const pairOf = (map: YAMLMap, key: string | number): Pair<Node, Node | null> | undefined =>
  (map.items as Pair<Node, Node | null>[]).find(({ key: found }) => isScalar(found) && found.value === key);
const startOf = (node: Node): number => node.range?.[0] ?? 0;
const endOf = (node: Node): number => node.range?.[1] ?? 0;

/** How many characters before a place are looked at to see whether the JSON is written with spaces. */
const NEARBY = 200;

type New = Insertion['containers'];

/** The place of a pod's spec in the text. */
class Place {
  readonly #text: string;
  readonly #isJson: boolean;
  readonly #spec: YAMLMap;
  readonly #keyEnd: number;
  readonly #eol: string;

  constructor(text: string, isJson: boolean, { spec, keyEnd }: FoundSpec) {
    this.#text = text;
    this.#isJson = isJson;
    this.#spec = spec;
    this.#keyEnd = keyEnd;
    this.#eol = /\r?\n/.exec(text)?.[0] ?? '\n';
  }

  splices(containers: New): Splice[] | undefined {
    const pair = pairOf(this.#spec, 'initContainers');
    if (pair === undefined) return this.#spec.flow ? this.#newFlowKey(containers) : this.#newBlockKey(containers);
    const { value } = pair;
    if (isAlias(value)) return undefined;
    if (isSeq(value) && value.items.length > 0) {
      return value.flow ? this.#intoFlow(value, containers) : this.#intoBlock(value, containers);
    }
    return this.#spec.flow ? this.#fillFlow(pair, containers) : this.#fillBlock(pair, containers);
  }

  /** Insert `initContainers` before `containers` and the comments above it. */
  #newBlockKey(containers: New): Splice[] | undefined {
    const { pair, before } = this.#containersPair();
    if (pair === undefined) return undefined;
    const from = this.#lineAbove(startOf(pair.key), Math.max(this.#keyEnd, before));
    const indent = this.#indentOf(startOf(pair.key));
    const header = `${indent}initContainers:${this.#eol}`;
    return [insert(from, header + this.#blockItems(containers, indent + this.#seqIndent()))];
  }

  #newFlowKey(containers: New): Splice[] | undefined {
    const pair = this.#containersPair().pair;
    if (pair === undefined) return undefined;
    const at = startOf(pair.key);
    const key = this.#isJson || this.#text[at] === '"' ? '"initContainers"' : 'initContainers';
    const gap = this.#gapBefore(at);
    return [insert(at, `${key}:${gap === '' ? '' : ' '}${this.#json(containers, at)},${gap}`)];
  }

  /** Fill an `initContainers` that is there and empty. */
  #fillBlock({ key, value }: Pair<Node, Node | null>, containers: New): Splice[] | undefined {
    const colon = this.#text.indexOf(':', endOf(key));
    const isWritten = value !== null && endOf(value) > startOf(value);
    const end = isWritten ? endOf(value) : colon + 1;
    const indent = this.#indentOf(startOf(key));
    return [
      { from: colon + 1, to: end, text: '' },
      this.#afterLine(end, this.#blockItems(containers, indent + this.#seqIndent())),
    ];
  }

  #fillFlow({ key, value }: Pair<Node, Node | null>, containers: New): Splice[] | undefined {
    if (value === null || endOf(value) === startOf(value)) return undefined;
    return [{ from: startOf(value), to: endOf(value), text: this.#json(containers, startOf(key)) }];
  }

  #intoBlock(list: YAMLSeq, containers: New): Splice[] {
    const items = list.items as Node[];
    const dashes = dashesOf(list);
    const indent = this.#indentOf(dashes[0] ?? startOf(list));
    return grouped(containers).map(({ at, group }) => {
      const text = this.#blockItems(group, indent);
      const dash = dashes[at];
      const before = items[at - 1];
      if (dash !== undefined) {
        return insert(this.#lineAbove(dash, before === undefined ? this.#keyEnd : endOf(before)), text);
      }
      return this.#afterLine(before === undefined ? endOf(list) : endOf(before), text);
    });
  }

  #intoFlow(list: YAMLSeq, containers: New): Splice[] {
    const items = list.items as Node[];
    return grouped(containers).map(({ at, group }) => {
      const next = items[at];
      const first = startOf(items[0] ?? list);
      const texts = group.map(({ container }) => this.#jsonOf(container, first));
      const gap = this.#gapBefore(first);
      if (next !== undefined) return insert(startOf(next), texts.map((text) => `${text},${gap}`).join(''));
      return insert(endOf(items.at(-1) ?? list), texts.map((text) => `,${gap}${text}`).join(''));
    });
  }

  #containersPair(): { pair: Pair<Node, Node | null> | undefined; before: number } {
    const pairs = this.#spec.items as Pair<Node, Node | null>[];
    const found = pairOf(this.#spec, 'containers') ?? pairs[0];
    const before = found === undefined ? undefined : pairs[pairs.indexOf(found) - 1];
    return { pair: found, before: before === undefined ? 0 : endOf(before.value ?? before.key) };
  }

  /** How far the items of `containers` are indented below their key: authors differ in that. */
  #seqIndent(): string {
    const pair = pairOf(this.#spec, 'containers');
    if (pair === undefined || !isSeq(pair.value) || pair.value.flow) return '';
    const [dash] = dashesOf(pair.value);
    const size = dash === undefined ? 0 : this.#column(dash) - this.#column(startOf(pair.key));
    return ' '.repeat(Math.max(0, size));
  }

  #blockItems(containers: New, indent: string): string {
    const text = formatYaml(containers.map(({ container }) => container));
    return text.replace(/^(?=.)/gm, indent).replaceAll('\n', this.#eol);
  }

  #json(containers: New, near: number): string {
    const list = containers.map(({ container }) => container);
    return this.#jsonOf(list, near);
  }

  /** JSON in the style of the text around it: on one line or on many. */
  #jsonOf(value: unknown, near: number): string {
    const gap = this.#gapBefore(near);
    if (gap === '') return JSON.stringify(value);
    if (gap === ' ') return oneLine(value);
    const indent = gap.slice(this.#eol.length);
    return JSON.stringify(value, null, this.#unit(near, indent)).replaceAll('\n', gap);
  }

  /** The text between a comma and the next member: a line break and the indentation, a space, or nothing. */
  #gapBefore(at: number): string {
    const indent = this.#blanksBefore(at);
    if (this.#text[at - indent.length - 1] === '\n') return this.#eol + indent;
    return this.#isJson && /":\S/.test(this.#text.slice(Math.max(0, at - NEARBY), at)) ? '' : ' ';
  }

  /** One level of indentation: how much further a line is indented than the line that it belongs to. */
  #unit(near: number, indent: string): string {
    for (let start = this.#lineStart(near); start > 0; ) {
      const end = start - 1;
      start = this.#lineStart(end);
      const outer = /^[ \t]*/.exec(this.#text.slice(start, end))?.[0] ?? '';
      if (outer.length < indent.length && indent.startsWith(outer)) return indent.slice(outer.length);
    }
    return '  ';
  }

  #blanksBefore(at: number): string {
    let start = at;
    while (/[ \t]/.test(this.#text[start - 1] ?? '')) start -= 1;
    return this.#text.slice(start, at);
  }

  #lineStart = (at: number): number => this.#text.lastIndexOf('\n', at - 1) + 1;
  #column = (at: number): number => at - this.#lineStart(at);
  #indentOf = (at: number): string => ' '.repeat(this.#column(at));

  /** The start of the line, or of the comment lines directly above it. */
  #lineAbove(at: number, notBefore: number): number {
    let start = this.#lineStart(at);
    for (;;) {
      const above = this.#lineStart(start - 1);
      if (start === 0 || above < notBefore || !/^[ \t]*#/.test(this.#text.slice(above, start))) return start;
      start = above;
    }
  }

  #afterLine(at: number, text: string): Splice {
    if (this.#text[at - 1] === '\n') return insert(at, text);
    const end = this.#text.indexOf('\n', at);
    return end < 0 ? insert(this.#text.length, this.#eol + text) : insert(end + 1, text);
  }
}

const insert = (at: number, text: string): Splice => ({ from: at, to: at, text });
const oneLine = (value: unknown): string => JSON.stringify(value, null, 1).replace(/\n */g, ' ');

/** The offset of each item's dash in a block list. */
function dashesOf({ srcToken }: YAMLSeq): number[] {
  if (srcToken?.type !== 'block-seq') return [];
  return srcToken.items.flatMap(({ start }) =>
    start.flatMap(({ type, offset }) => (type === 'seq-item-ind' ? [offset] : [])),
  );
}

function grouped(containers: New): { at: number; group: New }[] {
  return [...Map.groupBy(containers, ({ at }) => at)].map(([at, group]) => ({ at, group }));
}
