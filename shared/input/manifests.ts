import type { Event } from 'js-yaml';
import {
  CORE_SCHEMA,
  constructFromEvents,
  defineScalarTag,
  EVENT_ID,
  mergeTag,
  NOT_RESOLVED,
  parseEvents,
  YAMLException,
} from 'js-yaml';
import { RestoreHooksError } from '../core/errors.ts';
import { indentFlow } from './flow-indentation.ts';

export type ManifestObject = Readonly<Record<string, unknown>>;

/** An object, and the place where its document begins. */
export interface InputObject {
  readonly object: ManifestObject;
  readonly source: { readonly file: string; readonly line: number };
}

/** A document whose aliases expand to more values is refused as an attack: 8 MiB of YAML without aliases have fewer. */
const MAX_VALUES = 2_000_000;
const MAX_DEPTH = 500;
const TOO_DEEP = `nested more than ${MAX_DEPTH} deep`;
const MAX_MERGED_KEYS = 100_000;

/** The objects of a file; see {@link parseTexts}. */
export const parseManifests = (text: string, file: string): InputObject[] => objectsOf(parseTexts(text, file), file);

/** The objects of documents. Empty documents are skipped, and a `List` or `PodList` becomes its items. */
export function objectsOf(texts: readonly ManifestText[], file: string): InputObject[] {
  const objects: InputObject[] = [];
  for (const { value, line } of texts.flatMap(({ documents }) => documents)) {
    if (value === null) continue;
    for (const { object } of objectsIn(value, { file, line })) objects.push({ object, source: { file, line } });
  }
  return objects;
}

export interface Document {
  readonly value: unknown;
  readonly line: number;
}

/** A file is one text, or several JSON objects in a row, each of them a text. */
export interface ManifestText {
  readonly text: string;
  readonly isJson: boolean;
  readonly documents: readonly Document[];
  readonly gaps: readonly Gap[];
}

/** Lines that YAML allows and kubectl doesn't: it refuses the file, or silently ignores what follows them. */
export interface Gap {
  readonly line: number;
  readonly reason: string;
}

/**
 * The documents of a file, YAML or JSON, and the texts that they are read from. They are read as kubectl reads them:
 * YAML 1.1 scalars (`yes` is true, `010` is 8), merge keys, several JSON objects in a row. One rule is stricter than
 * kubectl's parser, and like that of a strict API server: a key that occurs twice in a mapping is an error, as one
 * would be lost.
 */
export function parseTexts(text: string, file: string): ManifestText[] {
  let line = 1;
  const json = jsonTexts(text);
  return (json ?? [text]).map((part) => {
    const gaps = json === undefined ? gapsOf(part, file) : [];
    const documents = yamlDocuments(part, file, line);
    line += newlines(part);
    return { text: part, isJson: json !== undefined, documents, gaps };
  });
}

/** The documents of a text that another parser reads as well; that parser reports what can't be read at all. */
export function gapsIn(text: string, file: string): Gap[] {
  try {
    return jsonTexts(text) === undefined ? gapsOf(text, file) : [];
  } catch (error) {
    if (error instanceof RestoreHooksError) return [];
    throw error;
  }
}

/** kubectl cuts a file at the lines that begin with `---`, and reads the first document of each piece. */
function gapsOf(text: string, file: string): Gap[] {
  const gaps: Gap[] = [];
  let [isEmpty, isOver] = [true, false];
  for (const [index, row] of text.split('\n').entries()) {
    const line = index + 1;
    if (row.startsWith('---')) {
      const rest = row.slice('---'.length);
      [isEmpty, isOver] = [true, false];
      if (/^\s*(#|$)/.test(rest)) continue;
      if (/^\S/.test(rest)) throw invalid(file, line, 4, 'kubectl refuses this: --- needs a line of its own');
      gaps.push({ line, reason: 'kubectl refuses a file in which more stands on the line of ---' });
      isEmpty = false;
    } else if (/^\.\.\.\s*(#|$)/.test(row)) isOver = !isEmpty;
    else if (!/^\s*(#|$)/.test(row)) {
      if (isEmpty && /^\s+---(\s|$)/.test(row))
        throw invalid(file, line, 1, 'kubectl refuses this: --- must begin its line');
      if (isEmpty && row.startsWith('%')) gaps.push({ line, reason: 'kubectl refuses a file with a YAML directive' });
      else if (isOver && !row.startsWith('%')) {
        gaps.push({ line, reason: 'kubectl reads nothing of this: it stops at ..., and goes on behind the next ---' });
        isOver = false;
      }
      isEmpty = false;
    }
  }
  return gaps;
}

const newlines = (text: string): number => text.split('\n').length - 1;

/** Several JSON objects in a row, as repeated `kubectl get -o json` print them; undefined for anything else. */
function jsonTexts(text: string): string[] | undefined {
  const texts: string[] = [];
  let start = 0;
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (inString) {
      if (character === '\\') index++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) {
      texts.push(text.slice(start, index + 1));
      start = index + 1;
    } else if (depth === 0 && character?.trim() !== '') return undefined;
  }
  if (text.slice(start).trim() !== '' || texts.length === 0) return undefined;
  return [...texts.slice(0, -1), `${texts.at(-1)}${text.slice(start)}`];
}

function yamlDocuments(written: string, file: string, firstLine: number): Document[] {
  let text = written;
  try {
    let events: Event[];
    try {
      events = parseEvents(text, { maxDepth: MAX_DEPTH });
    } catch (error) {
      text = indentFlow(written) ?? written;
      if (text === written) throw error;
      events = parsedAs(text, error);
    }
    const lines = documentLines(events, text, firstLine);
    const values = constructFromEvents(events, { source: text, schema, maxTotalMergeKeys: MAX_MERGED_KEYS });
    const hasAliases = events.some(({ type }) => type === EVENT_ID.ALIAS);
    return values.map((value, index) => {
      const line = lines[index] ?? firstLine;
      return { value: checked(value, hasAliases, file, line), line };
    });
  } catch (error) {
    // A stack overflow: the text is nested deeper than the parser has noticed.
    if (error instanceof RangeError) throw invalid(file, firstLine, 1, TOO_DEEP);
    if (!(error instanceof YAMLException)) throw error;
    const { line = 0, column = 0 } = error.mark ?? {};
    const reason = error.reason.startsWith('nesting exceeded') ? TOO_DEEP : error.reason;
    throw invalid(file, firstLine + line, column + 1, reason, /\{\{/.test(text) ? TEMPLATE : undefined);
  }
}

/** The events of a corrected text. If it can't be parsed either, the error of the original text is thrown. */
function parsedAs(text: string, error: unknown): Event[] {
  try {
    return parseEvents(text, { maxDepth: MAX_DEPTH });
  } catch {
    throw error;
  }
}

/** The line on which each document's content begins. */
function documentLines(events: readonly Event[], text: string, firstLine: number): number[] {
  let line = firstLine;
  let counted = 0;
  return events.flatMap((event, index) => {
    if (event.type !== EVENT_ID.DOCUMENT) return [];
    const content = events[index + 1] ?? event;
    const start = 'start' in content ? content.start : 'valueStart' in content ? content.valueStart : counted;
    line += newlines(text.slice(counted, start));
    counted = Math.max(counted, start);
    return [line];
  });
}

/** Refuse what JSON can't express, and expand aliases, up to a limit. */
function checked(document: unknown, hasAliases: boolean, file: string, line: number): unknown {
  const sizes = new Map<object, number>();
  const open = new Set<object>();
  const sizeOf = (value: unknown, depth: number): number => {
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw invalid(file, line, 1, `the number ${value} can't be written in JSON`);
    }
    if (typeof value !== 'object' || value === null) return 1;
    const known = sizes.get(value);
    if (known !== undefined) return known;
    if (depth > MAX_DEPTH) throw invalid(file, line, 1, TOO_DEEP);
    if (open.has(value)) throw invalid(file, line, 1, 'an alias stands within its own anchor');
    open.add(value);
    let size = 1;
    for (const child of Object.values(value)) size += sizeOf(child, depth + 1);
    open.delete(value);
    sizes.set(value, size);
    return size;
  };
  if (sizeOf(document, 0) > MAX_VALUES)
    throw invalid(file, line, 1, `more than ${MAX_VALUES} values, aliases written out`);
  return hasAliases ? JSON.parse(JSON.stringify(document)) : document;
}

/** An object, and its path in its document. */
export interface PlacedObject {
  readonly object: ManifestObject;
  readonly path: readonly (string | number)[];
}

/** The object of a document, or those of a list. */
export function objectsIn(
  value: unknown,
  source: InputObject['source'],
  path: PlacedObject['path'] = [],
): PlacedObject[] {
  if (!isObject(value)) {
    const at = path.length === 0 ? '' : `items[${path.filter((part) => part !== 'items').join('].items[')}]: `;
    throw invalid(source.file, source.line, 1, `${at}expected an object, found ${nameOf(value)}`);
  }
  const { kind, apiVersion, items } = value;
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return [{ object: value, path }];
  // The items of a typed list have no apiVersion and kind of their own.
  const inherited = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) };
  return items.flatMap((item: unknown, index) =>
    objectsIn(isObject(item) ? { ...inherited, ...item } : item, source, [...path, 'items', index]),
  );
}

const isObject = (value: unknown): value is ManifestObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const nameOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;

function invalid(file: string, line: number, column: number, reason: string, hint?: string): RestoreHooksError {
  return new RestoreHooksError(
    'INVALID_INPUT',
    `${file}:${line}:${column}: ${reason}`,
    hint === undefined ? {} : { hint },
  );
}

const TEMPLATE = 'a template is no YAML yet; render it: helm template CHART | kubectl restorehooks … -f -';

/*
 * The scalars of go-yaml v2, which kubectl uses: those of YAML 1.1, except that sexagesimal numbers and timestamps are
 * strings.
 */

const bool = defineScalarTag<boolean>('tag:yaml.org,2002:bool', {
  implicit: true,
  resolve(source) {
    if (/^(y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/.test(source)) return true;
    if (/^(n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/.test(source)) return false;
    return NOT_RESOLVED;
  },
  identify: () => false,
});

const int = defineScalarTag<number>('tag:yaml.org,2002:int', {
  implicit: true,
  resolve(source) {
    const match = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))$/.exec(
      withoutUnderscores(source),
    );
    if (match === null) return NOT_RESOLVED;
    const [, sign, hex, binary, octal, decimal = ''] = match;
    const size = Number(hex ? `0x${hex}` : binary ? `0b${binary}` : octal ? `0o${octal}` : decimal);
    return sign === '-' && size !== 0 ? -size : size;
  },
  identify: () => false,
});

const float = defineScalarTag<number>('tag:yaml.org,2002:float', {
  implicit: true,
  resolve(source) {
    if (/^[-+]?\.(inf|Inf|INF)$/.test(source)) return source.startsWith('-') ? -Infinity : Infinity;
    if (/^\.(nan|NaN|NAN)$/.test(source)) return Number.NaN;
    const plain = withoutUnderscores(source);
    return /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(plain) ? Number(plain) : NOT_RESOLVED;
  },
  identify: () => false,
});

/** go-yaml ignores underscores in a text that begins as a number. */
const withoutUnderscores = (source: string): string => (/^[-+0-9]/.test(source) ? source.replaceAll('_', '') : source);

const binary = defineScalarTag<string>('tag:yaml.org,2002:binary', {
  resolve: (source) => Buffer.from(source.replace(/\s/g, ''), 'base64').toString(),
  identify: () => false,
});

const schema = CORE_SCHEMA.withTags(bool, int, float, binary, mergeTag);
