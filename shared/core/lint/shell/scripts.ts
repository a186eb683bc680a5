import { baseName, shellCall, shown } from '../../mistakes/shell.ts';
import type { Command, Redirect } from './shell-script.ts';
import { readScript } from './shell-script.ts';

/** An option and its value in one element, such as `-o restore`: the program reads a name with a space in it. */
export function joinedArgument(argv: readonly string[]): string | undefined {
  const call = shellCall(argv);
  if (call?.script !== undefined) return undefined;
  return argv
    .slice(1)
    .find(
      (text, index) =>
        /^-{1,2}[A-Za-z][\w-]* +[^\s-]\S*$/.test(text) &&
        !/^(?:-c|-e|--eval|--command|--execute|--)$/.test(argv[index] ?? '') &&
        !/^-[ce] /.test(text),
    );
}

/**
 * A command that a script leaves in the background with the hook's output open. The hook ends only when that is closed.
 */
export function heldOpen(argv: readonly string[]): string | undefined {
  const script = shellCall(argv)?.script;
  if (script === undefined) return undefined;
  const { commands, open } = readScript(script);
  // A trap probably ends the background command.
  if (open !== undefined || commands.some((command) => nameOf(command) === 'trap')) return undefined;
  for (const [index, command] of commands.entries()) {
    if (isQuietForGood(command)) return undefined;
    if (command.end === '&' && !endsLater(commands.slice(index + 1))) {
      const list = listBefore(commands, index);
      if (!isQuiet(list)) return `${titleOf(list)} in the background`;
    }
    const server = startsServer(command);
    if (server !== undefined) return server;
  }
  return undefined;
}

const nameOf = ({ words }: Command): string => baseName(words.find(({ text }) => !/^\w+=/.test(text))?.text ?? '');
const CLOSERS: Readonly<Record<string, string>> = {
  done: 'a loop',
  fi: 'an if',
  esac: 'a case',
  '}': 'a group',
  '': 'a group',
};

function titleOf(list: readonly Command[]): string {
  const [first = ''] = list.flatMap(({ words }) => words.map(({ text }) => text));
  return Object.hasOwn(CLOSERS, first) ? (CLOSERS[first] ?? '') : shown(first);
}

const isQuietForGood = (command: Command): boolean =>
  nameOf(command) === 'exec' && command.words.length === 1 && silences(command.redirects);

/** Whether a later command waits for the background command or ends it, so that it is no mistake. */
const endsLater = (after: readonly Command[]): boolean =>
  after.some((command) => /^(?:wait|kill|fg|pkill|killall)$/.test(nameOf(command)));

/** The pipeline or list that the `&` after this command puts into the background. */
function listBefore(commands: readonly Command[], last: number): Command[] {
  const depth = commands[last]?.depth ?? 0;
  const list: Command[] = [];
  for (let index = last; index >= 0; index--) {
    const command = commands[index];
    if (command === undefined || command.depth < depth) break;
    const ended = index < last && command.depth === depth && /^[;&(]?$/.test(command.end);
    const closes = commands[last]?.words.some(({ text }) => /^(?:\}|done|fi|esac)$/.test(text));
    if (ended && !closes) break;
    if (command.depth === depth) list.unshift(command);
    if (closes && index === last) break;
  }
  return list;
}

/** A list linked by && or || runs in a subshell, which keeps the output open unless it is redirected. */
function isQuiet(list: readonly Command[]): boolean {
  if (list.some(({ end }) => end === '&&' || end === '||')) return false;
  return list.every(({ redirects, end }) => silences(redirects, end === '|'));
}

function silences(redirects: readonly Redirect[], isPiped = false): boolean {
  let [out, error] = [isPiped, false];
  for (const { from, operator, target } of redirects) {
    if (operator.startsWith('<')) continue;
    if (from === '&') [out, error] = [true, true];
    else if (operator === '>&' && from === 2) error = target === '1' ? out : target !== '2';
    else if (operator === '>&' && from === 1) out = target === '2' ? error : target !== '1';
    else if (from === 1) out = true;
    else if (from === 2) error = true;
  }
  return out && error;
}

/** The server that pg_ctl starts writes to pg_ctl's output, unless a log file is given. */
function startsServer(command: Command): string | undefined {
  const words = command.words.map(({ text }) => text);
  if (nameOf(command) !== 'pg_ctl' || !words.some((word) => word === 'start' || word === 'restart')) return undefined;
  if (words.some((word) => /^(?:-l|--log)/.test(word)) || silences(command.redirects)) return undefined;
  return 'pg_ctl without -l starts a server that';
}

/** The shortest time that a command sleeps, in milliseconds. */
export function sleeps(argv: readonly string[]): number {
  const script = shellCall(argv)?.script;
  if (script === undefined) return argv[0] !== undefined && baseName(argv[0]) === 'sleep' ? sleepOf(argv.slice(1)) : 0;
  const { commands, open } = readScript(script);
  if (open !== undefined) return 0;
  let [longest, sum] = [0, 0];
  for (const [index, command] of commands.entries()) {
    const words = command.words.map(({ text }) => text);
    const at = words.findIndex((word) => !/^\w+=/.test(word));
    const isBackground = command.end === '&' || listEnd(commands, index) === '&';
    if (at < 0 || baseName(words[at] ?? '') !== 'sleep' || isBackground || isInBackgroundGroup(commands, index))
      continue;
    const length = sleepOf(words.slice(at + 1));
    longest = Math.max(longest, length);
    if (!command.conditional && command.end !== '|') sum += length;
  }
  return Math.max(longest, sum);
}

function listEnd(commands: readonly Command[], from: number): Command['end'] {
  let index = from;
  while (/^(?:&&|\|\|?)$/.test(commands[index]?.end ?? '')) index += 1;
  return commands[index]?.end ?? '';
}

/** Whether the command is in a group that ends with `&`. */
function isInBackgroundGroup(commands: readonly Command[], from: number): boolean {
  const depth = commands[from]?.depth ?? 0;
  if (depth === 0 && commands[from]?.conditional !== true) return false;
  return commands
    .slice(from + 1)
    .some(
      ({ end, words }) => end === '&' && (words.length === 0 || /^(?:\}|done|fi|esac)$/.test(words[0]?.text ?? '')),
    );
}

const UNIT_MS: Readonly<Record<string, number>> = { '': 1000, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The sum of sleep's arguments, as GNU's sleep adds them; an unknown argument counts as 0. */
function sleepOf(words: readonly string[]): number {
  let sum = 0;
  for (const word of words) {
    if (/^(?:inf|infinity)$/.test(word)) return Number.POSITIVE_INFINITY;
    const [, amount, unit = ''] = /^(\d+(?:\.\d*)?|\.\d+)([smhd]?)$/.exec(word) ?? [];
    if (amount !== undefined) sum += Number(amount) * (UNIT_MS[unit] ?? 0);
  }
  return sum;
}
