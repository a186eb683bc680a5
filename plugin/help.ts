import type { Command, CommandList, Flag, Flags, Positionals } from './command.ts';

/** What it is called on the command line. */
export const PROGRAM = 'kubectl restorehooks';

/** `plan RESTORE [flags]` */
export function usageOf(name: string, { positionals }: Pick<Command, 'positionals'>): string {
  return [PROGRAM, name, ...positionalUsage(positionals), '[flags]'].join(' ');
}

function positionalUsage(positionals: Positionals): string[] {
  return Object.entries(positionals).map(([key, { optional, many }]) => {
    const name = `${key.toUpperCase()}${many ? '...' : ''}`;
    return optional ? `[${name}]` : name;
  });
}

export function overallHelp(commands: CommandList, width: number): string {
  const rows = Object.entries(commands).map(([name, { summary }]) => [name, summary] as const);
  return [
    'Run the hooks of Velero restores with a plan, a report and a second chance.',
    '',
    'Usage:',
    `  ${PROGRAM} COMMAND [flags]`,
    '',
    'Commands:',
    ...columns(rows, width),
    '',
    `Use "${PROGRAM} COMMAND --help" for more about a command.`,
    '',
  ].join('\n');
}

export function commandHelp(name: string, summary: string, command: Command, flags: Flags, width: number): string {
  const lines = [...wrap(`${summary}.`, width)];
  for (const paragraph of command.details?.split('\n\n') ?? []) lines.push('', ...wrap(paragraph, width));
  lines.push('', 'Usage:', `  ${usageOf(name, command)}`);
  const positionals = Object.entries(command.positionals).map(
    ([key, { description }]) => [key.toUpperCase(), description] as const,
  );
  if (positionals.length > 0) lines.push('', 'Arguments:', ...columns(positionals, width));
  if (command.examples.length > 0) {
    lines.push('', 'Examples:');
    for (const [line, what] of command.examples) {
      lines.push(...wrap(what, width - 4).map((part) => `  # ${part}`), `  ${PROGRAM} ${line}`);
    }
  }
  const shown = Object.entries(flags).filter(([, { hidden }]) => !hidden);
  lines.push('', 'Flags:', ...columns(shown.map(flagRow), width), '');
  return lines.join('\n');
}

function flagRow([name, flag]: readonly [string, Flag]): readonly [string, string] {
  const short = flag.short === undefined ? '   ' : `-${flag.short}${flag.short === name ? '' : ','}`;
  const long = flag.short === name ? '' : ` --${name}`;
  return [`${short}${long}${valuePart(flag)}`, `${flag.description}${defaultPart(flag)}`];
}

function valuePart(flag: Flag): string {
  if (flag.type === 'boolean') return '';
  const value = flag.value ?? flag.type.toUpperCase();
  return flag.type === 'string' && flag.bare !== undefined ? `[=${value}]` : ` ${value}`;
}

function defaultPart(flag: Flag): string {
  if (flag.type === 'strings' || flag.type === 'list' || flag.type === 'duration') return '';
  return flag.default === undefined || flag.default === false || flag.default === 0
    ? ''
    : ` (default: ${flag.default})`;
}

/** Two columns; the second is wrapped, and stands below the first where there is no room beside it. */
function columns(rows: readonly (readonly [string, string])[], width: number): string[] {
  const first = Math.min(Math.max(0, ...rows.map(([left]) => left.length)), 34);
  const room = width - first - 4;
  return rows.flatMap(([left, right]) => {
    if (room < 24) return [`  ${left}`, ...wrap(right, width - 6).map((line) => `      ${line}`)];
    const [head = '', ...rest] = wrap(right, room);
    const indent = ' '.repeat(first + 4);
    const below = rest.map((line) => indent + line);
    return left.length > first
      ? [`  ${left}`, indent + head, ...below]
      : [`  ${left.padEnd(first)}  ${head}`.trimEnd(), ...below];
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
