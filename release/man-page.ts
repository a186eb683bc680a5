import { allCommands } from '../plugin/cli.ts';
import { commonArgs, kubeArgs } from '../plugin/command-line/args.ts';
import type { Command } from '../plugin/command-line/command.ts';
import { defaultPart, EXIT_CODES, usageOf, valuePart } from '../plugin/command-line/help.ts';
import { VERSION } from '../shared/core/version.ts';
import type { Flag, Flags } from '../shared/input/flags.ts';

/** kubectl-restorehooks(1), made of the definitions that --help is made of (R9.14). */
export async function manPage(): Promise<string> {
  const commands = await Promise.all(
    Object.entries(allCommands).map(async ([name, { summary, load }]) => commandPart(name, summary, await load())),
  );
  return [
    `.TH KUBECTL\\-RESTOREHOOKS 1 "" "restorehooks ${VERSION}" "User Commands"`,
    section('NAME', 'kubectl\\-restorehooks \\- run the hooks of Velero restores with a plan and a report'),
    section('SYNOPSIS', bold('kubectl restorehooks'), italic('COMMAND'), '[flags]'),
    section(
      'DESCRIPTION',
      escaped(
        'Shows which hooks a Velero restore would run in the restored pods, runs them from a Job in the cluster, and records the result of each one on the Restore. kubectl runs this program when it is called with "restorehooks" and finds it on the PATH.',
      ),
    ),
    section('COMMANDS', ...commands),
    section(
      'GLOBAL FLAGS',
      escaped("Every command that talks to a cluster has these, with kubectl's meaning."),
      flagParts({ ...kubeArgs, ...commonArgs }),
    ),
    section('EXIT STATUS', ...Object.entries(EXIT_CODES).map(([code, text]) => item(bold(code), escaped(text)))),
    section('ENVIRONMENT', ...ENVIRONMENT.map(([name, text]) => item(bold(name), escaped(text)))),
    section('SEE ALSO', '.BR kubectl (1)'),
    '',
  ].join('\n');
}

const ENVIRONMENT = [
  ['KUBECONFIG', 'the kubeconfig files, as for kubectl'],
  ['VELERO_NAMESPACE', "the Restore's namespace where --namespace names none"],
  ['NO_COLOR', 'if it is set, nothing is coloured unless --color=always'],
] as const;

function commandPart(name: string, summary: string, command: Command): string {
  const { args, positionals, examples, details } = command;
  const shared: Flags = { ...kubeArgs, ...commonArgs };
  const own = Object.fromEntries(Object.entries(args).filter(([key, flag]) => shared[key] !== flag));
  return [
    `.SS ${escaped(name)}`,
    escaped(`${summary}.`),
    ...(details === undefined ? [] : details.split('\n\n').map((text) => `.PP\n${escaped(text)}`)),
    `.PP\n${bold(usageOf(name, command))}`,
    ...Object.entries(positionals).map(([key, { description }]) => item(bold(key.toUpperCase()), escaped(description))),
    flagParts(own),
    '.PP\nExamples:',
    ...examples.map(([line, what]) => item(bold(`kubectl restorehooks ${line}`), escaped(what))),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

const flagParts = (flags: Flags): string =>
  Object.entries(flags)
    .filter(([, { hidden }]) => !hidden)
    .map(([name, flag]) => item(bold(flagName(name, flag)), escaped(`${flag.description}${defaultPart(flag)}`)))
    .join('\n');

const flagName = (name: string, flag: Flag): string =>
  `${flag.short === undefined ? '' : `-${flag.short}, `}--${name}${valuePart(flag)}`;

const section = (title: string, ...parts: readonly string[]): string => [`.SH ${title}`, ...parts].join('\n');
const item = (term: string, text: string): string => `.TP\n${term}\n${text}`;
const bold = (text: string): string => `\\fB${inLine(text)}\\fR`;
const italic = (text: string): string => `\\fI${inLine(text)}\\fR`;

/**
 * roff takes a backslash for a command, and - for a hyphen, which can't be pasted into a shell. It knows other characters
 * than ASCII's by their numbers. A terminal that has only ASCII can't show …, so that is three dots.
 */
const inLine = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('\n', ' ')
    .replaceAll('…', '...')
    .replace(
      /[^\x00-\x7f]/gu,
      (one) => `\\[u${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    );

/** And it takes a line for a request that begins with a dot or a quote. */
const escaped = (text: string): string => inLine(text).replace(/^(?=[.'])/, '\\&');
