import type { ExitCode, RestoreHooksError } from '../../shared/core/errors.ts';
import type { Flags, FlagValue } from '../../shared/input/flags.ts';
import type { View } from '../output/view.ts';
import type { Context } from '../process/context.ts';

/** A positional is required unless it is `optional`. `many` takes all words that are left. */
export interface Positional {
  readonly description: string;
  readonly optional?: true;
  readonly many?: true;
}
export type Positionals = Readonly<Record<string, Positional>>;

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

type PositionalValue<P extends Positional> = P extends { readonly many: true }
  ? readonly string[]
  : P extends { readonly optional: true }
    ? string | undefined
    : string;

/** The arguments of `run`: `--request-timeout` as `requestTimeout`, positionals by their names. */
export type Arguments<F extends Flags, P extends Positionals> = {
  readonly [Name in keyof F & string as CamelCase<Name>]: FlagValue<F[Name]>;
} & { readonly [Name in keyof P & string as CamelCase<Name>]: PositionalValue<P[Name]> };

/** What a command returns. It has no view if stderr has told everything. */
export interface CommandResult {
  readonly exit?: ExitCode;
  readonly view?: View;
  /** For a command that failed and has something to show all the same. Reported after the view; gives the exit code. */
  readonly error?: RestoreHooksError;
}

export interface Command {
  readonly args: Flags;
  readonly positionals: Positionals;
  /** Command lines without the program's name, and what each does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Further paragraphs of the command's help. */
  readonly details?: string;
  /** The exit codes that help lists (default: 0 and 2). */
  readonly exitCodes?: readonly ExitCode[];
  /** The document that docs/commands.md names for reading more. Help names none: an installation has no documents. */
  readonly docs?: string;
  // biome-ignore lint/suspicious/noExplicitAny: each command's `run` takes its own arguments; `defineCommand` has checked them
  run(args: any, context: Context): Promise<CommandResult>;
}

/** A command as data. `run` prints only progress. It returns a view, and throws an error if it fails. */
export function defineCommand<const F extends Flags, const P extends Positionals>(
  command: Omit<Command, 'args' | 'positionals' | 'run'> & {
    readonly args: F;
    readonly positionals: P;
    run(args: Arguments<F, P>, context: Context): Promise<CommandResult>;
  },
): Command {
  return command;
}

/** A command in the list of all commands. Its code is loaded when it is run: most commands import a lot. */
export interface CommandEntry {
  readonly summary: string;
  load(): Promise<Command>;
}
export type CommandList = Readonly<Record<string, CommandEntry>>;
