import { isUtf8 } from 'node:buffer';

/**
 * Parse JSON, but take the lists under some keys as empty, except within `initContainers`, where every field is needed.
 * The end of such a list is found by counting brackets outside of strings, without parsing what is between, which is
 * several times faster. The keys are found at any depth. A string that contains the text of a key is not mistaken for
 * it, because the quotes in a string are escaped.
 */
export function parseWithoutLists(json: Buffer, keys: ReadonlySet<string>): unknown {
  let text = '';
  let from = 0;
  for (const { start, end } of listsOf(json, keys)) {
    text += json.toString('utf8', from, start);
    from = end;
  }
  return parse(json, text + json.toString('utf8', from));
}

export const parseJson = (json: Buffer): unknown => parse(json, json.toString('utf8'));

function parse(json: Buffer, text: string): unknown {
  try {
    return isUtf8(json) ? JSON.parse(text) : undefined;
  } catch {
    // Not the parser's message, which quotes the text: it may be secret.
    return undefined;
  }
}

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;

/** The ranges between the brackets of each `"key":[…]`. */
function* listsOf(
  json: Buffer,
  keys: ReadonlySet<string>,
): Generator<{ readonly start: number; readonly end: number }> {
  for (let at = json.indexOf(OPEN); at >= 0; ) {
    const key = json[at - 1] === COLON && json[at - 2] === QUOTE ? keyBefore(json, at - 2) : '';
    const isKept = key === 'initContainers';
    const end = isKept || keys.has(key) ? endOfList(json, at + 1) : at;
    if (end < 0) return;
    if (end > at && !isKept) yield { start: at + 1, end };
    at = json.indexOf(OPEN, end + 1);
  }
}

const keyBefore = (json: Buffer, quote: number): string =>
  json.toString('latin1', json.lastIndexOf(QUOTE, quote - 1) + 1, quote);

/** The offset of the `]` that closes the list; -1 if there is none. */
function endOfList(json: Buffer, start: number): number {
  let depth = 1;
  for (let at = start; at < json.length; at += 1) {
    const byte = json[at];
    if (byte === QUOTE) {
      at += 1;
      while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
    } else if (byte === OPEN) depth += 1;
    else if (byte === CLOSE) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return -1;
}
