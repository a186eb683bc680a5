/** The place from which on a text is no JSON array of strings; `at` counts characters from 1. */
export interface JsonProblem {
  readonly at: number;
  readonly what: string;
}

/**
 * What is wrong with a text that should be a JSON array of strings; undefined if it is one. JSON.parse can't be used
 * for the message: its messages change with Node's version, and don't always name a position.
 */
export function jsonArrayProblem(text: string): JsonProblem | undefined {
  let at = skipSpace(text, 0);
  if (text[at] !== '[') return problem(at, 'expected [');
  at = skipSpace(text, at + 1);
  if (text[at] === ']') return rest(text, at + 1);
  for (let count = 1; ; count++) {
    const end = stringEnd(text, at, count);
    if (typeof end !== 'number') return end;
    at = skipSpace(text, end);
    if (text[at] === ']') return rest(text, at + 1);
    if (text[at] !== ',')
      return problem(at, at < text.length ? `expected , or ] behind string ${count}` : 'the ] is missing');
    at = skipSpace(text, at + 1);
    if (text[at] === ']') return problem(at, 'a comma before the ]');
  }
}

const problem = (index: number, what: string): JsonProblem => ({ at: index + 1, what });

function rest(text: string, from: number): JsonProblem | undefined {
  const at = skipSpace(text, from);
  return at < text.length ? problem(at, 'there is more behind the ]') : undefined;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (/[ \t\r\n]/.test(text[at] ?? '')) at += 1;
  return at;
}

/** The index after the closing quote of the string that begins here. */
function stringEnd(text: string, from: number, count: number): number | JsonProblem {
  const first = text[from];
  if (first !== '"') {
    if (first === "'") return problem(from, `string ${count} is in single quotes; JSON needs double quotes`);
    if (first === undefined) return problem(from, `string ${count} is missing`);
    if (/[-\d]|[tfn{[]/.test(first) && /^(?:-?\d|true\b|false\b|null\b|[{[])/.test(text.slice(from, from + 5))) {
      return problem(from, `element ${count} is no string`);
    }
    return problem(from, `string ${count} has no double quote before it`);
  }
  for (let at = from + 1; at < text.length; at++) {
    const character = text[at] ?? '';
    if (character === '"') return at + 1;
    if (character < ' ')
      return problem(
        at,
        `a ${character === '\n' ? 'line break' : 'control character'} in string ${count}; JSON writes it \\${character === '\n' ? 'n' : 'u00…'}`,
      );
    if (character !== '\\') continue;
    const letter = text[at + 1] ?? '';
    if (letter === 'u' ? !/^[0-9a-f]{4}$/i.test(text.slice(at + 2, at + 6)) : !/["\\/bfnrt]/.test(letter)) {
      return problem(at, `${JSON.stringify(`\\${letter}`)} is no escape of JSON`.replace('\\\\', '\\'));
    }
    at += letter === 'u' ? 5 : 1;
  }
  return problem(from, `string ${count} has no closing quote`);
}
