import { closest } from '../shared/core/closest.ts';
import { ExitCode, RestoreHooksError } from '../shared/core/errors.ts';
import { restoreName } from '../shared/core/names.ts';
import type { ParsedValue } from '../shared/input/argv.ts';
import { camelCase, indexOfCommand, parseArgv } from '../shared/input/argv.ts';
import { commonArgs, SHOW_REQUESTS, sharedFlags } from './command-line/args.ts';
import type { Command, CommandEntry, CommandList } from './command-line/command.ts';
import { commandHelp, overallHelp, PROGRAM, usageOf } from './command-line/help.ts';
import { withCleanOutput } from './output/clean.ts';
import { isOutputFormat } from './output/view.ts';
import type { Context } from './process/context.ts';

/** Every command, in the order of the help. */
export const allCommands: CommandList = {
  plan: {
    summary: 'Show which hooks would run, where, in what order and with which timeouts',
    load: async () => (await import('./commands/plan.ts')).plan,
  },
  apply: {
    summary: "Run a Restore's hooks and follow the run to its end",
    load: async () => (await import('./commands/apply.ts')).apply,
  },
  retry: {
    summary: "Run the hooks of a Restore's last run that did not succeed",
    load: async () => (await import('./commands/retry.ts')).retry,
  },
  cancel: {
    summary: 'Ask a run to stop: no further hook is started',
    load: async () => (await import('./commands/cancel.ts')).cancel,
  },
  status: {
    summary: "Show how far a Restore's run has come, hook by hook",
    load: async () => (await import('./commands/status.ts')).status,
  },
  logs: {
    summary: 'Show what hooks printed, also while they run',
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  list: {
    summary: 'List Restores with their last runs, the newest first',
    load: async () => (await import('./commands/list.ts')).list,
  },
  report: {
    summary: 'Write a report of a run: a page, Markdown, or JUnit XML',
    load: async () => (await import('./commands/report.ts')).report,
  },
  check: {
    summary: 'Show whether a run could start, and what it lacks',
    load: async () => (await import('./commands/check.ts')).check,
  },
  rehearse: {
    summary: 'Restore a Backup under other names, run its hooks there, and remove it again',
    load: async () => (await import('./commands/rehearse.ts')).rehearse,
  },
  prune: {
    summary: 'Remove what old runs of a Restore have left in the cluster',
    load: async () => (await import('./commands/prune.ts')).prune,
  },
  inject: {
    summary: 'Add the init containers of restore hooks to manifests (a filter)',
    load: async () => (await import('./commands/inject.ts')).inject,
  },
  lint: {
    summary: 'Find mistakes in hooks before they cost a restore',
    load: async () => (await import('./commands/lint.ts')).lint,
  },
  setup: {
    summary: "Print or apply the runner's ServiceAccount and the rights that it needs",
    load: async () => (await import('./commands/setup.ts')).setup,
  },
  completion: {
    summary: 'Show how TAB completes command lines of restorehooks, and whether it does',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
  version: {
    summary: 'Show the versions of this plugin, its image and the cluster',
    load: async () => (await import('./commands/version.ts')).version,
  },
};

/**
 * Run one command line: find its command, run it, print its view, report what it throws.
 * Returns the exit code, and never throws.
 */
export async function main(
  argv: readonly string[],
  process: Context,
  commands: CommandList = allCommands,
): Promise<ExitCode> {
  const context = withCleanOutput(process);
  try {
    return await context.stop.race(() => dispatch(argv, context, commands));
  } catch (error) {
    return report(error, context, argv);
  }
}

async function dispatch(argv: readonly string[], context: Context, commands: CommandList): Promise<ExitCode> {
  const index = indexOfCommand(argv, sharedFlags);
  let name = argv[index];
  let rest = argv.filter((_, position) => position !== index);
  if (name === 'help') {
    const topic = indexOfCommand(rest, sharedFlags);
    name = rest[topic];
    rest = ['--help'];
  }
  if (name === undefined) {
    context.stdout.write(await overallHelp(commands, widthOf(context)));
    return ExitCode.Ok;
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined) throw unknownCommand(name, commands);
  return runCommand(name, entry, rest, context);
}

async function runCommand(
  name: string,
  entry: CommandEntry,
  argv: readonly string[],
  given: Context,
): Promise<ExitCode> {
  const command = await entry.load();
  const flags = { ...command.args, ...commonArgs };
  const { values, positionals } = await hinted(name, async () => parseArgv(argv, flags));
  const context = withOutputFlags(given, values);
  if (values['help'] === true) {
    context.stdout.write(await commandHelp(name, entry.summary, command, flags, widthOf(context)));
    return ExitCode.Ok;
  }
  const args = { ...values, ...named(name, command, positionals, argv) };
  const { view, exit, error } = await hinted(name, () => command.run(args, context));
  if (view !== undefined) {
    const { printView } = await import('./output/render.ts');
    const format = values['output'];
    await printView(view, isOutputFormat(format) ? format : 'table', context);
  }
  if (error !== undefined) return report(error, context, argv);
  return exit ?? ExitCode.Ok;
}

function withOutputFlags(context: Context, { color, v, output }: Readonly<Record<string, ParsedValue>>): Context {
  const isForProgram = typeof output === 'string' && output !== 'wide';
  // Not a copy, which would open stdin.
  return Object.create(context, {
    color: { value: color },
    isVerbose: { value: Number(v) >= SHOW_REQUESTS },
    isForProgram: { value: isForProgram },
  }) as Context;
}

/** The values of the command's positionals, by name: RESTORE as `restore`. `words` are the words that are not flags. */
function named(
  name: string,
  command: Command,
  words: readonly string[],
  argv: readonly string[],
): Readonly<Record<string, ParsedValue>> {
  const values: Record<string, ParsedValue> = {};
  let taken = 0;
  for (const [key, { optional, many }] of Object.entries(command.positionals)) {
    const value = words[taken];
    if (value === undefined && !optional) throw misused(name, command, `${key.toUpperCase()} is missing`);
    // RESTORE may be written as kubectl prints it: restore.velero.io/NAME.
    const read = key === 'restore' && value !== undefined ? restoreName(value) : value;
    values[camelCase(key)] = many ? words.slice(taken) : read;
    taken = many ? words.length : taken + 1;
  }
  const surplus = words[taken];
  if (surplus !== undefined) {
    throw misused(name, command, `unexpected argument ${JSON.stringify(surplus)}`, equalsHint(command, surplus, argv));
  }
  return values;
}

/** A flag that can stand without a value takes one only behind `=`. */
function equalsHint({ args }: Command, word: string, argv: readonly string[]): string | undefined {
  const before = argv[argv.indexOf(word) - 1] ?? '';
  const flag = before.startsWith('--') ? args[before.slice(2)] : undefined;
  return (flag?.type === 'string' || flag?.type === 'duration') && flag.bare !== undefined
    ? `write ${before}=${word}`
    : undefined;
}

/** What is wrong with an argument is told with a hint in any case. */
async function hinted<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isMisused = error instanceof RestoreHooksError && error.code === 'INVALID_ARGUMENT';
    if (!isMisused || error.hint !== undefined) throw error;
    throw new RestoreHooksError(error.code, error.message, { hint: `see the flags: ${PROGRAM} ${name} --help` });
  }
}

function misused(name: string, command: Command, message: string, hint?: string): RestoreHooksError {
  return new RestoreHooksError('INVALID_ARGUMENT', message, { hint: hint ?? `usage: ${usageOf(name, command)}` });
}

function unknownCommand(name: string, commands: CommandList): RestoreHooksError {
  const near = closest(name, Object.keys(commands));
  return new RestoreHooksError('INVALID_ARGUMENT', `unknown command ${JSON.stringify(name)} for "${PROGRAM}"`, {
    hint: near === undefined ? `list the commands: ${PROGRAM} --help` : `did you mean "${near}"?`,
  });
}

/** `-v` of at least 1, as far as it can be told from a command line that may be wrong. */
const isVerbose = (argv: readonly string[]): boolean => /(^|\n)--?v[=\n]?[1-9]/.test(argv.join('\n'));

function report(error: unknown, { stderr, signal }: Context, argv: readonly string[]): ExitCode {
  if (error instanceof RestoreHooksError) {
    stderr.write(`error: ${error.message}\n`);
    if (error.hint !== undefined) stderr.write(`hint: ${error.hint}\n`);
    // R7.65
    if (isVerbose(argv)) stderr.write(`code: ${error.code} (exit code ${error.exitCode}), see docs/errors.md\n`);
    return error.exitCode;
  }
  if (signal.aborted && error instanceof Error && error.name === 'AbortError') {
    stderr.write('error: interrupted\n');
    return ExitCode.Interrupted;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : `thrown: ${String(error)}`;
  stderr.write(`error: ${stack}\nhint: this is a bug in ${PROGRAM}; please report it with the lines above\n`);
  return ExitCode.Bug;
}

/** Help is as wide as the terminal, but at most 120 columns, which can still be read well. */
const widthOf = ({ stdout }: Context): number => Math.max(40, Math.min(stdout.columns ?? 100, 120));
