/** A word of a script. `text` is its value without quotes, as far as that is known without running the script. */
export interface Word {
  readonly text: string;
  /** Nothing in the word is expanded, quoted or escaped. */
  readonly plain: boolean;
}

export interface Redirect {
  /** The number before the operator, as in `2>`; undefined for the operator's default. `&`: both stdout and stderr. */
  readonly from: number | '&';
  readonly operator: string;
  readonly target: string;
}

/** A simple command: the words between two separators. */
export interface Command {
  readonly words: readonly Word[];
  readonly redirects: readonly Redirect[];
  /** The separator after it; `)` and `}` close a group. */
  readonly end: ';' | '&' | '&&' | '||' | '|' | '(' | ')' | '';
  /** How many `(`, `{`, `if`, `while`, `for`, `case` are around it. */
  readonly depth: number;
  /** It may run several times or not at all: it is in a loop or a branch, or after `||`. */
  readonly conditional: boolean;
}

export interface Script {
  readonly commands: readonly Command[];
  /** What the script doesn't close: a quote, or a `$(`. */
  readonly open: string | undefined;
}

const OPENERS = new Set(['if', 'while', 'until', 'for', 'case', 'select']);
const CLOSERS = new Set(['fi', 'done', 'esac']);
const LINKS = new Set(['then', 'else', 'elif', 'do', '!', 'time']);

/**
 * The commands of a POSIX shell's script, in order, without those in `$(…)`. This is not the whole grammar, but enough
 * to know which commands run, whether in the background, and where their output goes.
 */
export function readScript(text: string): Script {
  return new ScriptReader(text).read();
}

class ScriptReader {
  readonly #text: string;
  #at = 0;
  #open: string | undefined;
  #depth = 0;
  /** How many of them are loops and branches. */
  #branches: string[] = [];
  #afterOr = false;
  #words: Word[] = [];
  #redirects: Redirect[] = [];
  readonly #commands: Command[] = [];
  readonly #heredocs: string[] = [];

  constructor(text: string) {
    this.#text = text.replace(/\\\r?\n/g, '');
  }

  read(): Script {
    while (this.#at < this.#text.length) this.#step();
    this.#end('');
    return { commands: this.#commands, open: this.#open };
  }

  #step(): void {
    const rest = this.#text.slice(this.#at, this.#at + 3);
    const character = rest[0] ?? '';
    if (character === '\n') {
      this.#at += 1;
      this.#end(';');
      this.#skipHeredocs();
    } else if (/\s/.test(character)) this.#at += 1;
    else if (character === '#') this.#at = this.#lineEnd();
    else if (this.#redirect()) return;
    else if (rest.startsWith('&&') || rest.startsWith('||')) this.#separator(rest.slice(0, 2) as '&&' | '||');
    else if (rest.startsWith(';;')) {
      this.#at += 1;
      this.#separator(';');
    } else if (character === ';' || character === '&') this.#separator(character);
    else if (character === '|') {
      if (rest[1] === '&') this.#at += 1;
      this.#separator('|');
    } else if (character === '(' || character === ')') this.#group(character);
    else this.#word();
  }

  #separator(end: Command['end']): void {
    this.#at += end.length;
    this.#end(end);
  }

  #group(character: '(' | ')'): void {
    this.#at += 1;
    // Skip arithmetic.
    const end = this.#text[this.#at] === '(' && character === '(' ? this.#text.indexOf('))', this.#at) : -1;
    if (end >= 0) {
      this.#at = end + 2;
      this.#words.push({ text: '((…))', plain: false });
      return;
    }
    // `name()` of a function, and `pattern)` of a case.
    if (character === '(' && this.#text[this.#at] === ')') {
      this.#at += 1;
      this.#words = [];
      return;
    }
    if (character === ')' && this.#branches.at(-1) === 'case' && this.#commandDepth() === this.#depth) {
      this.#words = [];
      return;
    }
    this.#end(character);
    this.#depth += character === '(' ? 1 : -1;
  }

  /** The depth of the innermost `case`. */
  #commandDepth(): number {
    return this.#caseDepths.at(-1) ?? -1;
  }
  readonly #caseDepths: number[] = [];

  #end(end: Command['end']): void {
    const words = this.#words;
    const redirects = this.#redirects;
    [this.#words, this.#redirects] = [[], []];
    if (words.length > 0 || redirects.length > 0 || end === '&' || end === ')') {
      const conditional = this.#branches.length > 0 || this.#afterOr;
      this.#commands.push({ words, redirects, end, depth: this.#depth, conditional });
    }
    if (end === '||') this.#afterOr = true;
    else if (end === ';' || end === '&') this.#afterOr = false;
  }

  /** `>f`, `2>&1`, `&>f`, `<<EOF`. */
  #redirect(): boolean {
    const match = /^(\d*)(&>>?|<<<|<<-?|>>|>&|<&|<>|>\||>|<)[ \t]*/.exec(this.#text.slice(this.#at, this.#at + 40));
    if (match === null) return false;
    const [whole, number = '', operator = ''] = match;
    // `<(command)` is a word of bash.
    if (/^[<>]$/.test(operator) && this.#text[this.#at + whole.length] === '(' && number === '') {
      this.#word();
      return true;
    }
    this.#at += whole.length;
    const before = this.#words.length;
    if (this.#at < this.#text.length && !/[\s;&|()]/.test(this.#text[this.#at] ?? '')) this.#word();
    const target = this.#words.length > before ? (this.#words.pop()?.text ?? '') : '';
    const both = operator.startsWith('&') || (operator === '>&' && number === '' && !/^(?:\d+|-)$/.test(target));
    const from = both ? '&' : number === '' ? (operator.startsWith('<') ? 0 : 1) : Number(number);
    this.#redirects.push({ from, operator, target });
    if (/^<<-?$/.test(operator)) this.#heredocs.push(target);
    return true;
  }

  #skipHeredocs(): void {
    for (const end of this.#heredocs.splice(0)) {
      for (;;) {
        if (this.#at >= this.#text.length) return;
        const lineEnd = this.#lineEnd();
        const line = this.#text.slice(this.#at, lineEnd);
        this.#at = lineEnd + 1;
        if (line.trim() === end) break;
      }
    }
  }

  #lineEnd(): number {
    const end = this.#text.indexOf('\n', this.#at);
    return end < 0 ? this.#text.length : end;
  }

  #word(): void {
    let text = '';
    let plain = true;
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at] ?? '';
      if (/[\s;&|]/.test(character) || (/[<>()]/.test(character) && text !== '')) break;
      const start = this.#at;
      if (character === "'") text += this.#singleQuoted();
      else if (character === '"') text += this.#doubleQuoted();
      else if (character === '\\') {
        text += this.#text[start + 1] ?? '';
        this.#at += 2;
      } else if (character === '`' || character === '$') text += this.#expansion();
      else if (/[<>]/.test(character)) {
        this.#at += 2;
        this.#skipTo(')');
        text += this.#text.slice(start, this.#at);
      } else if (/[()]/.test(character)) break;
      else {
        text += character;
        this.#at += 1;
        continue;
      }
      plain = false;
    }
    this.#take({ text, plain });
  }

  /** Reserved words open and close groups, and are not part of a command. */
  #take(word: Word): void {
    const isFirst = this.#words.every(({ text }) => /^\w+=/.test(text));
    if (!word.plain || !isFirst) {
      this.#words.push(word);
      return;
    }
    const { text } = word;
    if (OPENERS.has(text)) {
      this.#branches.push(text);
      if (text === 'case') this.#caseDepths.push(this.#depth);
      if (text === 'case' || text === 'for' || text === 'select') this.#words.push(word);
    } else if (CLOSERS.has(text)) {
      if (this.#branches.pop() === 'case') this.#caseDepths.pop();
      this.#words.push(word);
    } else if (text === '{') this.#depth += 1;
    else if (text === '}') {
      this.#depth -= 1;
      this.#words.push(word);
    } else if (!LINKS.has(text)) this.#words.push(word);
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    const text = this.#text.slice(this.#at + 1, end < 0 ? undefined : end);
    if (end < 0) this.#open ??= "'";
    this.#at = end < 0 ? this.#text.length : end + 1;
    return text;
  }

  #doubleQuoted(): string {
    let text = '';
    this.#at += 1;
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) {
        this.#open ??= '"';
        return text;
      }
      if (character === '"') {
        this.#at += 1;
        return text;
      }
      if (character === '\\') {
        text += this.#text[this.#at + 1] ?? '';
        this.#at += 2;
      } else if (character === '`' || character === '$') text += this.#expansion();
      else {
        text += character;
        this.#at += 1;
      }
    }
  }

  /** Reads `$X`, `${…}`, `$(…)` or `` `…` `` unchanged. */
  #expansion(): string {
    const start = this.#at;
    const next = this.#text[start + 1];
    this.#at += 1;
    if (this.#text[start] === '`') this.#skipTo('`');
    else if (next === '(') {
      this.#at += 1;
      this.#skipTo(')');
    } else if (next === '{') {
      this.#at += 1;
      this.#skipTo('}');
    }
    return this.#text.slice(start, this.#at);
  }

  /** Go on after the closing character, past nested ones and quotes. */
  #skipTo(close: string): void {
    const opener = { ')': '(', '}': '{' }[close];
    let depth = 1;
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at] ?? '';
      if (character === "'" && close !== '}') this.#singleQuoted();
      else if (character === '"') this.#doubleQuoted();
      else {
        this.#at += character === '\\' ? 2 : 1;
        if (character === opener) depth += 1;
        else if (character === close && --depth === 0) return;
      }
    }
    this.#open ??= close === '`' ? '`' : close === ')' ? '$(' : '$' + '{';
  }
}
