import type { Argv, Options } from 'yargs';
import type { Flag, Flags } from '../../shared/input/flags.ts';
import type { Command, CommandList, Positionals } from './command.ts';

/*
 * Our commands as yargs' definitions, for yargs to draw. It reads no command line: docs/adr/0001-argv-by-pflags-rules.md.
 */

/** What it is called on the command line. */
export const PROGRAM = 'kubectl restorehooks';

/** `kubectl restorehooks plan RESTORE [flags]` */
export function usageOf(name: string, { positionals }: Pick<Command, 'positionals'>): string {
  return [PROGRAM, name, ...positionalUsage(positionals), '[flags]'].join(' ');
}

function positionalUsage(positionals: Positionals): string[] {
  return Object.entries(positionals).map(([key, { optional, many }]) => {
    const name = `${key.toUpperCase()}${many ? '...' : ''}`;
    return optional ? `[${name}]` : name;
  });
}

export async function overallHelp(commands: CommandList, width: number): Promise<string> {
  const page = (await blankPage(width))
    .usage(
      `Run the hooks of Velero restores with a plan, a report and a second chance.\n\nUsage: ${PROGRAM} COMMAND [flags]`,
    )
    .epilogue(`Use "${PROGRAM} COMMAND --help" for more about a command.`);
  for (const [name, { summary }] of Object.entries(commands)) page.command(name, summary);
  return draw(page);
}

export async function commandHelp(
  name: string,
  summary: string,
  command: Command,
  flags: Flags,
  width: number,
): Promise<string> {
  const paragraphs = [`${summary}.`, command.details ?? [], `Usage: ${usageOf(name, command)}`].flat();
  const page = (await blankPage(width)).usage(paragraphs.join('\n\n'));
  for (const [key, { description }] of Object.entries(command.positionals)) {
    page.positional(key.toUpperCase(), { describe: description });
  }
  for (const [key, flag] of Object.entries(flags)) page.option(`${key}${valuePart(flag)}`, optionOf(flag));
  // A command stands in a line of its own, where it can be copied whole.
  for (const [line, what] of command.examples) page.example(`# ${what}`, '').example(`${PROGRAM} ${line}`, '');
  return draw(page);
}

/** Nothing that yargs would add by itself, and kubectl's headings. */
async function blankPage(width: number): Promise<Argv> {
  // Loaded only where help is asked for: it takes longer to start than the rest of the plugin.
  const { default: yargs } = await import('yargs');
  return yargs([])
    .scriptName('')
    .detectLocale(false)
    .help(false)
    .version(false)
    .parserConfiguration({ 'camel-case-expansion': false })
    .updateStrings({ 'Options:': 'Flags:', 'Positionals:': 'Arguments:' })
    .wrap(width);
}

const draw = async (page: Argv): Promise<string> => `${await page.getHelp()}\n`;

/** How the value stands behind the flag's name, as kubectl shows it; a name without a value is all that yargs draws. */
function valuePart(flag: Flag): string {
  if (flag.type === 'boolean') return '';
  const value = flag.value ?? flag.type.toUpperCase();
  return flag.type === 'string' && flag.bare !== undefined ? `[=${value}]` : ` ${value}`;
}

function optionOf(flag: Flag): Options {
  return {
    describe: flag.description,
    ...(flag.short !== undefined && { alias: flag.short }),
    ...(flag.hidden && { hidden: true }),
    ...(flag.type === 'string' && flag.choices !== undefined && { choices: flag.choices }),
    ...defaultPart(flag),
  };
}

function defaultPart(flag: Flag): Options {
  if (flag.type === 'strings' || flag.type === 'list' || flag.type === 'duration') return {};
  return flag.default === undefined || flag.default === false || flag.default === 0 ? {} : { default: flag.default };
}
