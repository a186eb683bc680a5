import { allCommands } from '../plugin/cli.ts';
import { commonArgs, kubeArgs } from '../plugin/command-line/args.ts';
import type { Command } from '../plugin/command-line/command.ts';
import { defaultPart, EXIT_CODES, PROGRAM, usageOf, valuePart } from '../plugin/command-line/help.ts';
import type { Flag, Flags } from '../shared/input/flags.ts';

/** docs/commands.md, made of the definitions that --help is made of. test/documents.test.ts keeps it up to date. */
export async function commandsPage(): Promise<string> {
  const commands = await Promise.all(
    Object.entries(allCommands).map(async ([name, { summary, load }]) => ({ name, summary, command: await load() })),
  );
  return [
    '# Commands',
    'This page is made of the code; `--help` of each command says the same. A flag that takes a list can be repeated.',
    table(
      ['command', 'what it does'],
      commands.map(({ name, summary }) => [`[\`${name}\`](#${name})`, inTable(summary)]),
    ),
    ...commands.flatMap(({ name, summary, command }) => sectionOf(name, summary, command)),
    '## Global flags',
    "Every command that talks to a cluster has these, with kubectl's meaning.",
    flagTable({ ...kubeArgs, ...commonArgs }),
    '## Exit codes of all commands',
    table(
      ['code', 'meaning'],
      Object.entries(EXIT_CODES).map(([code, meaning]) => [code, inTable(meaning)]),
    ),
    '[Results](results.md#exit-codes) says more about them.\n',
  ].join('\n\n');
}

function sectionOf(name: string, summary: string, command: Command): string[] {
  const { args, positionals, examples, details, docs } = command;
  const shared: Flags = { ...kubeArgs, ...commonArgs };
  const own = Object.fromEntries(Object.entries(args).filter(([key, flag]) => shared[key] !== flag));
  const arguments_ = Object.entries(positionals).map(([key, { description }]) => [
    `\`${key.toUpperCase()}\``,
    inTable(description),
  ]);
  return [
    `## ${name}`,
    `${markdown(summary)}.`,
    ...(details === undefined ? [] : [markdown(details)]),
    `\`${usageOf(name, command)}\``,
    ['```sh', ...examples.flatMap(([line, what]) => [`# ${what}`, `${PROGRAM} ${line}`]), '```'].join('\n'),
    ...(arguments_.length === 0 ? [] : [table(['argument', 'what it is'], arguments_)]),
    ...(Object.keys(own).length === 0 ? [] : [flagTable(own)]),
    ...(docs === undefined ? [] : [`More: [${docs}](${docs.replace('docs/', '')})`]),
  ];
}

const flagTable = (flags: Flags): string =>
  table(
    ['flag', 'what it does'],
    Object.entries(flags)
      .filter(([, { hidden }]) => !hidden)
      .map(([name, flag]) => [`\`${flagName(name, flag)}\``, inTable(`${flag.description}${defaultPart(flag)}`)]),
  );

const flagName = (name: string, flag: Flag): string =>
  `${flag.short === undefined ? '' : `-${flag.short}, `}--${name}${valuePart(flag)}`.replaceAll('|', '\\|');

const table = (titles: readonly string[], rows: readonly (readonly string[])[]): string =>
  [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** Markdown has a meaning for some characters of a text. */
const markdown = (text: string): string => text.replace(/[\\`*_<>[\]]/g, '\\$&');
const inTable = (text: string): string => markdown(text).replaceAll('|', '\\|').replaceAll('\n', ' ');
