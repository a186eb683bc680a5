/** Deeper than any block that contains a flow collection. */
const DEEP = ' '.repeat(200);

interface Scan {
  /** How many collections are open. */
  depth: number;
  /** The quotation mark of the open quoted text. */
  quote: string;
  /** The indentation of the line on which a block scalar begins: deeper lines are its text. */
  block: number | undefined;
}

/**
 * Indents every line that begins inside `{…}`, `[…]` or a quoted text, and leaves the rest as it is.
 *
 * YAML gives the indentation of such a line no meaning, and libyaml, which kubectl uses, ignores it, but js-yaml
 * refuses a line that isn't deeper than the block around it. Line numbers stay the same. Undefined: there is nothing to
 * indent.
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
  /**
   * Whether a value may begin here: at the beginning of the line, after `- ` there, after `: `, after a tag or an
   * anchor.
   */
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

/** The index where the scan goes on: at the end of the quoted text, or after an escaped character. */
function insideQuotes(line: string, index: number, scan: Scan): number {
  const character = line[index];
  if (scan.quote === '"' && character === '\\') return index + 1;
  if (character !== scan.quote) return index;
  if (character === "'" && line[index + 1] === "'") return index + 1;
  scan.quote = '';
  return index;
}
