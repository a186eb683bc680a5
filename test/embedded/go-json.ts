import { isRecord } from './objects.ts';

/** A text, number or truth value of a JSON document, as it was written there. */
export class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A document whose leaves are as they were written. */
export type Node = null | Raw | Node[] | { [key: string]: Node };

export const isDoc = (node: Node | undefined): node is { [key: string]: Node } =>
  isRecord(node) && !(node instanceof Raw);

/** JSON as Go writes it: these are escaped wherever they stand. */
export const goText = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;

export function parseNodes(text: string): Node {
  const reviver: Reviver = (_, value, { source }) =>
    value === null || source === undefined || typeof value === 'object' ? value : new Raw(source);
  return JSON.parse(text, reviver as Parameters<typeof JSON.parse>[1]) as Node;
}

export function plain(node: Node): unknown {
  if (node instanceof Raw) return JSON.parse(node.text);
  if (Array.isArray(node)) return node.map(plain);
  return node === null ? null : Object.fromEntries(Object.entries(node).map(([key, each]) => [key, plain(each)]));
}

/** The error of Go's decoder for a text that is no JSON. */
export function syntaxError(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const found = /^Unexpected token '?(.)'?/su.exec(said)?.[1];
    return found === undefined || /end of JSON/.test(said)
      ? 'unexpected end of JSON input'
      : `invalid character '${found}' looking for beginning of value`;
  }
}

/** The paths of duplicate keys, as the strict decoder names them. */
export function duplicateFields(text: string): string[] {
  const found: string[] = [];
  let at = 0;
  const token = /\s*("(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+)/gy;
  const next = (): string => {
    token.lastIndex = at;
    const match = token.exec(text);
    at = token.lastIndex;
    return match?.[1] ?? '';
  };
  const value = (path: string): void => {
    const first = next();
    if (first === '{') {
      const seen = new Set<string>();
      for (let key = next(); key.startsWith('"'); key = next() === ',' ? next() : '') {
        const name = `${path === '' ? '' : `${path}.`}${JSON.parse(key)}`;
        if (seen.has(name)) found.push(name);
        seen.add(name);
        next();
        value(name);
      }
    } else if (first === '[') {
      for (let index = 0; ; index += 1) {
        const before = at;
        if (next() === ']') return;
        at = before;
        value(`${path}[${index}]`);
        if (next() !== ',') return;
      }
    }
  };
  value('');
  return found;
}
