import { isUtf8 } from 'node:buffer';

/**
 * JSON, with the lists of some keys taken as empty, but not within `initContainers`, whose every field counts. To find a list's end its brackets are matched, past what is in
 * quotes, and nothing is checked: that is several times faster than to parse it. The keys are found wherever they stand;
 * what looks like one in a string isn't taken for it, as a string's quotes are escaped.
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
    // The parser's message quotes the text.
    return undefined;
  }
}

const QUOTE = 0x22;
const COLON = 0x3a;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;

/** What stands between the brackets of `"key":[…]`. */
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

/** Where the list's own `]` stands; -1: nowhere. */
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
