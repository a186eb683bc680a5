import type { Finding } from '../../shared/core/lint/rule.ts';
import type { ManifestObject } from '../../shared/input/manifests.ts';
import { objectsIn, parseTexts } from '../../shared/input/manifests.ts';
import { Places, scalarSource } from './places.ts';

/** One object, and where it comes from. */
export interface Source {
  readonly object: ManifestObject;
  readonly file: string;
  /** Undefined in the cluster, where nothing has a line. */
  readonly text?: TextPart;
  readonly document: number;
  readonly path: readonly (string | number)[];
}

/** A whole file, or one of several JSON objects in it. */
export class TextPart {
  readonly text: string;
  /** Of the file, before this part. */
  readonly offset: number;
  readonly linesBefore: number;
  #places: Places | undefined;

  constructor(text: string, offset: number, linesBefore: number) {
    this.text = text;
    this.offset = offset;
    this.linesBefore = linesBefore;
  }

  get places(): Places {
    this.#places ??= new Places(this.text);
    return this.#places;
  }
}

export function sourcesOf({ text, file }: { readonly text: string; readonly file: string }): Source[] {
  const sources: Source[] = [];
  let offset = 0;
  let lines = 0;
  for (const part of parseTexts(text, file)) {
    const here = new TextPart(part.text, offset, lines);
    for (const [document, { value, line }] of part.documents.entries()) {
      if (value === null) continue;
      for (const placed of objectsIn(value, { file, line })) sources.push({ ...placed, file, text: here, document });
    }
    offset += part.text.length;
    lines += part.text.split('\n').length - 1;
  }
  return sources;
}

export interface Located extends Finding {
  readonly source: Source;
  readonly line?: number;
  readonly column?: number;
  /** What the edit comes to in the file. */
  readonly splice?: { readonly from: number; readonly to: number; readonly text: string };
}

export function locate(finding: Finding, sources: readonly Source[]): Located {
  const { place, edit } = finding;
  const source = sources[place.object];
  if (source === undefined) throw new Error(`no object ${place.object}`);
  const { text, document, path } = source;
  if (text === undefined) return { ...finding, source };
  const { line, column } = text.places.of(document, [...path, ...place.path], place.part);
  const at = { ...finding, source, line: line + text.linesBefore, column };
  if (edit === undefined) return at;
  const { own } = text.places.of(document, [...path, ...edit.place.path], edit.place.part);
  if (own === undefined) return at;
  const [from, to] = own.range;
  const splice = {
    from: from + text.offset,
    to: to + text.offset,
    text: scalarSource(edit.text, own, edit.place.part === 'key'),
  };
  return { ...at, splice };
}

/** In the order of the files and of the lines; what is found twice in one place stands once. */
export function inOrder(findings: readonly Located[], files: readonly string[]): Located[] {
  const key = ({ source, line, column, rule, message }: Located) =>
    `${source.file}:${line}:${column}:${rule.id}:${message}`;
  const unique = [...new Map(findings.map((finding) => [key(finding), finding])).values()];
  const order = new Map(files.map((file, index) => [file, index]));
  return unique.sort(
    (a, b) =>
      (order.get(a.source.file) ?? 0) - (order.get(b.source.file) ?? 0) ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.column ?? 0) - (b.column ?? 0),
  );
}

/** The file with all edits that don't stand in each other's way. */
export function withEdits(text: string, findings: readonly Located[]): { text: string; made: Located[] } {
  const made: Located[] = [];
  let result = text;
  let before = Number.POSITIVE_INFINITY;
  for (const finding of [...findings].sort((a, b) => (b.splice?.from ?? 0) - (a.splice?.from ?? 0))) {
    const { splice } = finding;
    if (splice === undefined || splice.to > before) continue;
    result = result.slice(0, splice.from) + splice.text + result.slice(splice.to);
    before = splice.from;
    made.unshift(finding);
  }
  return { text: result, made };
}
