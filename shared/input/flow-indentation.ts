/** Deeper than any block that a flow collection can stand in. */
const DEEP = ' '.repeat(200);

interface Scan {
  /** How many collections are open. */
  depth: number;
  /** The quotation mark of the text that is open. */
  quote: string;
  /** The indentation of the line that a block scalar begins on: deeper lines are its text. */
  block: number | undefined;
}

/**
 * The same YAML, with every line that begins inside `{…}`, `[…]` or a quoted text far indented.
 *
 * libyaml, through which kubectl reads, doesn't look at the indentation of such a line, and YAML gives it no meaning;
 * js-yaml refuses one that isn't deeper than the block around it. Lines keep their numbers. Undefined: nothing to indent.
 */
export function indentFlow(text: string): string | undefined {
  const scan: Scan = { depth: 0, quote: '', block: undefined };
  let isChanged = false;
  const lines = text.split('\n').map((line) => {
    const isEmpty = line.trim() === '';
    const indentation = line.length - line.trimStart().length;
    if (scan.block !== undefined && (isEmpty || indentation > scan.block)) return line;
    scan.block = undefined;
    const isInside = scan.depth > 0 || scan.quote !== '';
    scanLine(line, scan);
    if (scan.depth === 0 && scan.quote === '' && /[\s][|>][-+\d]*\s*(\s#.*)?$/.test(line)) scan.block = indentation;
    if (!isInside || isEmpty) return line;
    isChanged = true;
    return DEEP + line.trimStart();
  });
  return isChanged && scan.depth === 0 && scan.quote === '' ? lines.join('\n') : undefined;
}

function scanLine(line: string, scan: Scan): void {
  /** A value may begin here: at the line's beginning, behind `- ` there, behind `: `, and behind a tag or an anchor. */
  let mayBegin = true;
  let isIndicator = false;
  let isLead = true;
  for (let index = 0; index < line.length; index += 1) {
    const character = line[index] ?? '';
    if (scan.quote !== '') {
      index = insideQuotes(line, index, scan);
      continue;
    }
    const isSpace = character === ' ' || character === '\t' || character === '\r';
    if (character === '#' && (index === 0 || /\s/.test(line[index - 1] ?? ''))) return;
    if (isSpace) {
      mayBegin ||= isIndicator;
      continue;
    }
    const isQuote = character === '"' || character === "'";
    if (isQuote && mayBegin) scan.quote = character;
    else if ('{['.includes(character) && (mayBegin || scan.depth > 0)) scan.depth += 1;
    else if ('}]'.includes(character) && scan.depth > 0) scan.depth -= 1;
    const isOpen = scan.depth > 0 && '{[,:'.includes(character);
    isIndicator = character === ':' || (isLead && '-?'.includes(character)) || (mayBegin && '&!'.includes(character));
    if (mayBegin && '&!'.includes(character)) while (/\S/.test(line[index + 1] ?? '')) index += 1;
    isLead &&= '-?'.includes(character);
    mayBegin = isOpen;
  }
}

/** Where the scan goes on: at the text's end, or behind what is escaped. */
function insideQuotes(line: string, index: number, scan: Scan): number {
  const character = line[index];
  if (scan.quote === '"' && character === '\\') return index + 1;
  if (character !== scan.quote) return index;
  if (character === "'" && line[index + 1] === "'") return index + 1;
  scan.quote = '';
  return index;
}
