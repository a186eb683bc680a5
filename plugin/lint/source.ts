import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Inner } from '../../shared/core/lint/lint.ts';
import type { Finding } from '../../shared/core/lint/rules/rule.ts';
import type { ManifestObject } from '../../shared/input/manifests.ts';
import { objectsIn, parseTexts } from '../../shared/input/manifests.ts';
import { innerTexts } from './inner.ts';
import type { Spot } from './places.ts';
import { Places, scalarSource } from './places.ts';

/** An object and where it comes from. */
export interface Source {
  readonly object: ManifestObject;
  readonly file: string;
  /** Undefined for an object of the cluster, which has no lines. */
  readonly text?: TextPart;
  readonly document: number;
  readonly path: readonly (string | number)[];
  /** Set if the object stands as a text in another object. */
  readonly inner?: { readonly of: Source; readonly problem?: string };
}

/** A whole file, one of several JSON objects in it, or a text within an object. */
export class TextPart {
  readonly text: string;
  /** Where this part begins in the file; undefined if the file has it in another form (escaped, folded). */
  readonly offset: number | undefined;
  readonly linesBefore: number;
  readonly columnsBefore: number;
  /** If set, every finding in this part is shown at this position. */
  readonly #at: Pick<Spot, 'line' | 'column'> | undefined;
  #places: Places | undefined;

  constructor(
    text: string,
    from: { offset?: number; linesBefore: number; columnsBefore?: number; at?: Pick<Spot, 'line' | 'column'> },
  ) {
    this.text = text;
    this.offset = from.offset;
    this.linesBefore = from.linesBefore;
    this.columnsBefore = from.columnsBefore ?? 0;
    this.#at = from.at;
  }

  get places(): Places {
    this.#places ??= new Places(this.text);
    return this.#places;
  }

  /** The position in the file. */
  spot(document: number, path: readonly (string | number)[], part?: 'key'): Spot {
    if (this.#at !== undefined) return { offset: 0, ...this.#at };
    const spot = this.places.of(document, path, part);
    return { ...spot, line: spot.line + this.linesBefore, column: spot.column + this.columnsBefore };
  }

  /** The part for a text that is a value in this one. */
  within(text: string, document: number, path: readonly (string | number)[]): TextPart {
    const spot = this.spot(document, path);
    const block = this.#at === undefined ? this.places.literalOf(document, path) : undefined;
    if (block === undefined) return new TextPart(text, { linesBefore: 0, at: spot });
    return new TextPart(text, {
      linesBefore: spot.line + block.skipped,
      columnsBefore: this.columnsBefore + block.indent,
    });
  }
}

/** The parts of a file that kubectl doesn't read. */
export const gapsOf = ({ text, file }: { readonly text: string; readonly file: string }): string[] =>
  parseTexts(text, file).flatMap(({ gaps }) => gaps.map(({ line, reason }) => `${file}:${line}: ${reason}`));

export function sourcesOf({ text, file }: { readonly text: string; readonly file: string }): Source[] {
  const sources: Source[] = [];
  let offset = 0;
  let lines = 0;
  for (const part of parseTexts(text, file)) {
    const here = new TextPart(part.text, { offset, linesBefore: lines });
    for (const [document, { value, line }] of part.documents.entries()) {
      if (value === null) continue;
      // A list is a JSON patch, as kustomize and kubectl take it, or a chart's values.
      const placed = Array.isArray(value)
        ? [{ object: value as unknown as ManifestObject, path: [] }]
        : objectsIn(value, { file, line });
      for (const each of placed) {
        const source = { ...each, file, text: here, document };
        sources.push(source, ...innerSources(source));
      }
    }
    offset += part.text.length;
    lines += part.text.split('\n').length - 1;
  }
  return sources;
}

/**
 * The objects that stand in an object as texts: resource modifiers in a ConfigMap, and patches in these and in a
 * Kustomization.
 */
function innerSources(outer: Source): Source[] {
  return innerTexts(outer.object).flatMap(({ text, path }): Source[] => {
    const { file, document } = outer;
    const whole = [...outer.path, ...path];
    const part = outer.text?.within(text, document, whole);
    const common = { file, path: [], ...(part ? { text: part } : {}) };
    try {
      return parseTexts(text, file).flatMap(({ documents }) =>
        documents.flatMap(({ value }, index): Source[] => {
          if (typeof value !== 'object' || value === null) return [];
          const source = { ...common, object: value as ManifestObject, document: index, inner: { of: outer } };
          return [source, ...innerSources(source)];
        }),
      );
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      const problem = error.message.slice(file.length + 1);
      return [{ ...common, object: {}, document: 0, inner: { of: outer, problem } }];
    }
  });
}

/** For each object that stands in another one: the index of that one, as the core wants it. */
export function innerOf(sources: readonly Source[]): ReadonlyMap<number, Inner> {
  const indexOf = new Map(sources.map((source, index) => [source, index]));
  return new Map(
    sources.flatMap(({ inner }, index): [number, Inner][] =>
      inner === undefined ? [] : [[index, { of: indexOf.get(inner.of) ?? index, problem: inner.problem }]],
    ),
  );
}

export interface Located extends Finding {
  readonly source: Source;
  readonly line?: number;
  readonly column?: number;
  /** The edit as a change of the file. */
  readonly splice?: { readonly from: number; readonly to: number; readonly text: string };
}

export function locate(finding: Finding, sources: readonly Source[]): Located {
  const { place, edit } = finding;
  const source = sources[place.object];
  if (source === undefined) throw new Error(`no object ${place.object}`);
  const { text, document, path } = source;
  if (text === undefined) return { ...finding, source };
  const { line, column } = text.spot(document, [...path, ...place.path], place.part);
  const at = { ...finding, message: finding.message + folded(finding, source), source, line, column };
  if (edit === undefined || text.offset === undefined) return at;
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

/** For a command on several lines, how YAML joined them: that explains most mistakes in its JSON. */
function folded({ rule, place }: Finding, { text, document, path }: Source): string {
  if (text === undefined || !rule.id.endsWith('command-json-invalid')) return '';
  const { lines, isLiteral } = text.places.linesOf(document, [...path, ...place.path]);
  if (lines < 2) return '';
  return isLiteral
    ? `; YAML keeps its ${lines} lines apart`
    : `; YAML has folded its ${lines} lines into one, with spaces between them`;
}

/** Sort by file and line, and drop repeated findings at one place. */
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

/** The file with all edits that don't overlap. `made`: the findings whose edits were made. */
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
