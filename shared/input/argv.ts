import { closest } from '../core/closest.ts';
import { RestoreHooksError } from '../core/errors.ts';
import { parseDurationMs } from '../core/model/duration.ts';
import type { Flag, Flags } from './flags.ts';

export type ParsedValue = string | number | boolean | readonly string[] | undefined;

export interface ParsedArgv {
  /** All flags by their names in camelCase, with defaults. */
  readonly values: Readonly<Record<string, ParsedValue>>;
  readonly positionals: readonly string[];
}

/**
 * Read a command line by the rules of pflag, kubectl's flag parser.
 *
 * No npm parser follows these rules, and yargs changes values: docs/adr/0001-argv-by-pflags-rules.md. The rules:
 * a flag that needs a value takes the next word, whatever it looks like; `--flag=value`, `-f=value` and `-fvalue` are
 * the same; short booleans can be clustered (`-Ao json`, `-Aojson`); a boolean takes a value only behind `=`; `--` ends
 * the flags; the last of a repeated flag wins; flags and other words may be mixed; `_` in a flag's name is `-`.
 * The first mistake is thrown.
 */
export function parseArgv(argv: readonly string[], flags: Flags): ParsedArgv {
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const word of scan(argv, flags)) {
    if (word.kind === 'positional') positionals.push(word.text);
    if (word.kind === 'flag') given.set(word.name, [...(given.get(word.name) ?? []), word.value]);
  }
  const values: Record<string, ParsedValue> = {};
  for (const [name, flag] of Object.entries(flags)) values[camelCase(name)] = flagValue(name, flag, given.get(name));
  return { values, positionals };
}

/** The index of the command: the first word that is neither a flag nor a flag's value. -1 = there is none. */
export function indexOfCommand(argv: readonly string[], flags: Flags): number {
  for (const word of scan(argv, flags)) if (word.kind === 'positional') return word.index;
  return -1;
}

/** What the last word of a command line is, for its completion. `text` is what has been typed of it. */
export type LastWord =
  /** The value of a flag, or the beginning of one. `lead` stands before it in the same word: `--only=`, `-n`. */
  | { readonly kind: 'value'; readonly flag: string; readonly lead: string; readonly text: string }
  /** A flag, or the beginning of one: `--na`, `-`. */
  | { readonly kind: 'flag'; readonly text: string }
  | { readonly kind: 'positional'; readonly text: string };

export interface UnfinishedArgv {
  readonly last: LastWord;
  /** The words before the last one, without the flag whose value the last word is. */
  readonly before: readonly string[];
  /** The flags in the words before the last one, with the values that they were given, as they were written. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  /** The words before the last one that are no flags and no values. */
  readonly positionals: readonly string[];
}

/**
 * Read a command line whose last word is still being typed, by the rules of `parseArgv`. A mistake in the words before
 * it is thrown; values are not checked.
 */
export function readUnfinished(argv: readonly string[], flags: Flags): UnfinishedArgv {
  const end = argv.length - 1;
  const text = argv[end] ?? '';
  const before = argv.slice(0, end);
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  let last: LastWord = { kind: text.startsWith('-') ? 'flag' : 'positional', text };
  try {
    for (const word of scan(argv, flags)) {
      if (word.kind === 'end') last = word.index < end ? { kind: 'positional', text } : last;
      else if (word.kind === 'positional' && word.index < end) positionals.push(word.text);
      else if (word.kind === 'flag' && word.index < end)
        given.set(word.name, [...(given.get(word.name) ?? []), word.value]);
      else if (word.kind === 'flag' && word.isWritten) {
        const lead = text.slice(0, text.length - word.value.length);
        last = { kind: 'value', flag: word.name, lead, text: word.value };
      }
    }
  } catch {
    // A mistake in the last word only means that it isn't finished. Before it there must be none.
    for (const _ of scan(before, flags));
  }
  const ownsWordBefore = last.kind === 'value' && last.lead === '';
  return { last, before: ownsWordBefore ? before.slice(0, -1) : before, flags: given, positionals };
}

type Word =
  | { readonly kind: 'positional'; readonly text: string; readonly index: number }
  /** `--`: what comes behind it is no flag. */
  | { readonly kind: 'end'; readonly index: number }
  /** `index`: of the word in which its value stands, or the flag itself. */
  | (FoundFlag & { readonly kind: 'flag'; readonly index: number });

function* scan(argv: readonly string[], flags: Flags): Generator<Word> {
  const shorts = new Map(Object.entries(flags).flatMap(([name, { short }]) => (short ? [[short, name] as const] : [])));
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (word === '--') {
      yield { kind: 'end', index };
      for (let rest = index + 1; rest < argv.length; rest++) {
        yield { kind: 'positional', text: argv[rest] ?? '', index: rest };
      }
      return;
    }
    const next = argv[index + 1];
    if (word.startsWith('--')) {
      const flag = longFlag(word, next, flags);
      if (flag.tookNext) index++;
      yield { kind: 'flag', ...flag, index };
    } else if (word.startsWith('-') && word !== '-') {
      for (const flag of shortFlags(word, next, flags, shorts)) {
        if (flag.tookNext) index++;
        yield { kind: 'flag', ...flag, index };
      }
    } else {
      yield { kind: 'positional', text: word, index };
    }
  }
}

interface FoundFlag {
  readonly name: string;
  readonly value: string;
  /** False: the flag stands for itself (`--watch`). */
  readonly isWritten: boolean;
  readonly tookNext?: true;
}

function longFlag(word: string, next: string | undefined, flags: Flags): FoundFlag {
  const equals = word.indexOf('=');
  const written = equals < 0 ? word.slice(2) : word.slice(2, equals);
  if (written === '' || written.startsWith('-')) throw invalid(`bad flag syntax: ${word}`);
  const name = written.replaceAll('_', '-');
  const flag = flagNamed(flags, name);
  if (flag === undefined) throw unknownFlag(written, flags);
  if (equals >= 0) return { name, value: word.slice(equals + 1), isWritten: true };
  const bare = bareValue(flag);
  if (bare !== undefined) return { name, value: bare, isWritten: false };
  if (next === undefined) throw invalid(`flag needs an argument: --${name}`);
  return { name, value: next, isWritten: true, tookNext: true };
}

function* shortFlags(
  word: string,
  next: string | undefined,
  flags: Flags,
  shorts: ReadonlyMap<string, string>,
): Generator<FoundFlag> {
  for (let rest = word.slice(1); rest !== ''; ) {
    const short = String.fromCodePoint(rest.codePointAt(0) ?? 0);
    const name = shorts.get(short);
    const flag = name === undefined ? undefined : flagNamed(flags, name);
    if (name === undefined || flag === undefined) {
      const long = closest(
        word.slice(1),
        Object.keys(flags).filter((candidate) => candidate.length > 1),
      );
      throw invalid(
        `unknown shorthand flag: '${short}' in ${word}`,
        long === undefined ? undefined : `did you mean --${long}?`,
      );
    }
    const bare = bareValue(flag);
    rest = rest.slice(short.length);
    if (rest.length > 1 && rest.startsWith('=')) return yield { name, value: rest.slice(1), isWritten: true };
    if (bare !== undefined) {
      yield { name, value: bare, isWritten: false };
      continue;
    }
    if (rest !== '') return yield { name, value: rest, isWritten: true };
    if (next === undefined) throw invalid(`flag needs an argument: '${short}' in ${word}`);
    yield { name, value: next, isWritten: true, tookNext: true };
  }
}

const flagNamed = (flags: Flags, name: string): Flag | undefined =>
  Object.hasOwn(flags, name) ? flags[name] : undefined;

const bareValue = (flag: Flag): string | undefined =>
  flag.type === 'boolean' ? 'true' : flag.type === 'string' || flag.type === 'duration' ? flag.bare : undefined;

function flagValue(name: string, flag: Flag, given: readonly string[] | undefined): ParsedValue {
  if (flag.type === 'strings') return given ?? [];
  if (flag.type === 'list') return (given ?? []).flatMap((text) => listOf(name, flag, text));
  if (given === undefined) return flag.type === 'boolean' ? (flag.default ?? false) : flag.default;
  // Every value is parsed, as pflag does: an invalid value is an error even if a later one wins.
  return given.map((text) => scalarOf(name, flag, text)).at(-1);
}

/** One line of CSV, as pflag reads a list. An empty item is an error: `''` would name the current directory. */
function listOf(name: string, flag: Extract<Flag, { type: 'list' }>, text: string): string[] {
  const items: string[] = [];
  const item = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const found = item.exec(text);
    if (found === null)
      throw invalidValue(name, flag, text, 'a list: values between commas, quoted with " if they hold one');
    const [, quoted, plain = '', comma] = found;
    items.push(quoted?.replaceAll('""', '"') ?? plain);
    if (items.at(-1) === '') throw invalidValue(name, flag, text, 'no empty value', 'is a variable unset?');
    if (comma === '') return items.map((each) => chosen(name, flag, each));
  }
}

function scalarOf(name: string, flag: Exclude<Flag, { type: 'strings' | 'list' }>, text: string): ParsedValue {
  switch (flag.type) {
    case 'boolean':
      if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
      if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
      throw invalidValue(name, flag, text, 'true or false');
    case 'integer': {
      const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
      const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = flag;
      if (value >= min && value <= max) return value;
      const from = flag.min === undefined ? '' : ` from ${flag.min}`;
      const to = flag.max === undefined ? '' : ` to ${flag.max}`;
      throw invalidValue(name, flag, text, `a whole number${from}${to}`);
    }
    case 'duration': {
      const value = flag.seconds && /^\d+$/.test(text) ? Number(text) * 1000 : parseDurationMs(text);
      if (value !== undefined && (flag.positive ? value > 0 : value >= 0)) return value;
      const which = flag.positive ? 'a duration above 0,' : 'a duration';
      throw invalidValue(name, flag, text, `${which} such as 30s or 1m30s${flag.seconds ? ', or seconds' : ''}`);
    }
    case 'string':
      return chosen(name, flag, text);
  }
}

/** The text, if it is one of the flag's choices or has the form that it may have, or if the flag has neither. */
function chosen(name: string, flag: Extract<Flag, { type: 'string' | 'list' }>, text: string): string {
  const form = flag.type === 'string' ? flag.form : undefined;
  const { choices = [] } = flag;
  const isFree = flag.choices === undefined && form === undefined;
  if (isFree || choices.includes(text) || form?.is(text)) return text;
  const near = closest(text, choices);
  const expected = form?.expected ?? oneOf(choices);
  throw invalidValue(name, flag, text, expected, near === undefined ? undefined : `did you mean ${near}?`);
}

const oneOf = (choices: readonly string[]): string =>
  choices.length < 2 ? choices.join() : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;

function invalidValue(name: string, flag: Flag, text: string, expected: string, hint?: string): RestoreHooksError {
  const spelled = flag.short === undefined ? `--${name}` : name.length === 1 ? `-${name}` : `-${flag.short}, --${name}`;
  return invalid(`invalid argument ${JSON.stringify(text)} for ${spelled}: expected ${expected}`, hint);
}

function unknownFlag(name: string, flags: Flags): RestoreHooksError {
  const near = closest(
    name,
    Object.keys(flags).filter((candidate) => !flags[candidate]?.hidden),
  );
  return invalid(`unknown flag: --${name}`, near === undefined ? undefined : `did you mean --${near}?`);
}

function invalid(message: string, hint?: string): RestoreHooksError {
  return new RestoreHooksError('INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });
}

export const camelCase = (name: string): string => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
