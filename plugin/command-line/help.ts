import type { Argv } from 'yargs';
import { ExitCode, SUSPENDED_EXIT_CODE } from '../../shared/core/errors.ts';
import type { Flag, Flags } from '../../shared/input/flags.ts';
import { commonArgs, kubeArgs } from './args.ts';
import type { Command, CommandList, Positionals } from './command.ts';

/*
 * The pages of --help. yargs puts flags and what they mean into two columns; it reads no command line:
 * docs/adr/0001-argv-by-pflags-rules.md.
 */

/** What users type to call the plugin. */
export const PROGRAM = 'kubectl restorehooks';

export const EXIT_CODES: Readonly<Record<ExitCode, string>> = {
  [ExitCode.Ok]: 'done',
  [ExitCode.Bug]: 'a bug in this plugin',
  [ExitCode.Usage]: 'a mistake on the command line, or invalid input',
  [ExitCode.HookFailed]: 'a hook did not succeed; of lint: there are findings',
  [ExitCode.NotFound]: 'no such Restore or Backup',
  [ExitCode.Forbidden]: 'forbidden: you or the runner lack a right',
  [ExitCode.Unreachable]: "the API server, or the object store of a backup, can't be reached",
  [ExitCode.Timeout]: '--timeout, --wait-for-restore or --wait has passed; a Job that was started goes on',
  [ExitCode.NoMatch]: 'no pod of the Restore was found, or none matches its hooks',
  [ExitCode.Conflict]: 'another run or Velero is running the hooks, or has run them',
  [ExitCode.RunFailed]: 'the run could not start or go on',
  [ExitCode.Canceled]: 'the run was canceled',
  [ExitCode.LeftBehind]: 'a rehearsal could not be removed: the message says what is left',
  [ExitCode.Interrupted]: 'interrupted; a Job that was started goes on',
  [SUSPENDED_EXIT_CODE]: 'ended by SIGTERM before anything was changed',
};

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
  const list = (await blankPage(width)).usage(
    `Run the hooks of Velero restores with a plan, a report and a second chance.\n\nUsage: ${PROGRAM} COMMAND [flags]`,
  );
  for (const [name, { summary }] of Object.entries(commands)) list.command(name, summary);
  return page([
    await list.getHelp(),
    exitCodes(Object.keys(EXIT_CODES).map((code) => Number(code) as ExitCode)),
    `Use "${PROGRAM} COMMAND --help" for the flags of a command and examples.`,
  ]);
}

export async function commandHelp(
  name: string,
  summary: string,
  command: Command,
  flags: Flags,
  width: number,
): Promise<string> {
  const paragraphs = [`${summary}.`, command.details ?? [], `Usage: ${usageOf(name, command)}`].flat();
  return page([
    await (await blankPage(width)).usage(paragraphs.join('\n\n')).getHelp(),
    // Not wrapped, so that a command can be copied whole.
    ['Examples:', ...command.examples.map(([line, what]) => `  # ${what}\n  ${PROGRAM} ${line}`)].join('\n'),
    await flagColumns(command.positionals, flags, width),
    exitCodes(command.exitCodes ?? [ExitCode.Ok, ExitCode.Usage]),
    `All exit codes: ${PROGRAM} --help`,
  ]);
}

const page = (sections: readonly string[]): string => `${sections.join('\n\n')}\n`;

const exitCodes = (codes: readonly ExitCode[]): string =>
  ['Exit codes:', ...codes.map((code) => `  ${String(code).padEnd(4)} ${EXIT_CODES[code]}`)].join('\n');

/** Arguments and flags in two columns. The command's own flags stand apart from those that kubectl has too. */
async function flagColumns(positionals: Positionals, flags: Flags, width: number): Promise<string> {
  const list = await blankPage(width);
  for (const [key, { description }] of Object.entries(positionals)) {
    list.positional(key.toUpperCase(), { describe: description });
  }
  const { color: _, ...kubectls }: Flags = { ...kubeArgs, ...commonArgs };
  const isOwn = ([key, flag]: readonly [string, Flag]): boolean => kubectls[key] !== flag;
  // Groups stand in the order of their first flags.
  const ordered = Object.entries(flags).sort((one, other) => Number(isOwn(other)) - Number(isOwn(one)));
  for (const [key, flag] of ordered) {
    const { short, hidden = false } = flag;
    const group = isOwn([key, flag]) ? 'Flags:' : "Global flags (as kubectl's):";
    list.option(`${key}${valuePart(flag)}`, {
      group,
      describe: `${flag.description}${defaultPart(flag)}`,
      hidden,
      ...(short !== undefined && { alias: short }),
    });
  }
  return list.getHelp();
}

/** A page without what yargs would add by itself, and with our headings. */
async function blankPage(width: number): Promise<Argv> {
  // yargs is loaded only for help: it takes longer to load than the rest of the plugin.
  const { default: yargs } = await import('yargs');
  return yargs([])
    .scriptName('')
    .detectLocale(false)
    .help(false)
    .version(false)
    .parserConfiguration({ 'camel-case-expansion': false })
    .updateStrings({ 'Positionals:': 'Arguments:' })
    .wrap(width);
}

/** How the value stands behind the flag's name: ` job|local`, ` FILE`, `[=client|server]`. */
export function valuePart(flag: Flag): string {
  if (flag.type === 'boolean') return '';
  const value = valueName(flag);
  return (flag.type === 'string' || flag.type === 'duration') && flag.bare !== undefined ? `[=${value}]` : ` ${value}`;
}

function valueName(flag: Flag): string {
  if (flag.value !== undefined) return flag.value;
  if (flag.type === 'string' && flag.choices !== undefined) return flag.choices.join('|');
  return flag.type === 'integer' ? 'N' : flag.type.toUpperCase();
}

export function defaultPart(flag: Flag): string {
  if (flag.type === 'strings' || flag.type === 'list' || flag.type === 'duration') return '';
  return flag.default === undefined || flag.default === false || flag.default === 0
    ? ''
    : ` (default: ${flag.default})`;
}
