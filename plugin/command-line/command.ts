import type { ExitCode, RestoreHooksError } from '../../shared/core/errors.ts';
import type { Flags, FlagValue } from '../../shared/input/flags.ts';
import type { View } from '../output/view.ts';
import type { Context } from '../process/context.ts';

/** `required` by default; `many` takes all that are left. */
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

/** What `run` gets: `--request-timeout` as `requestTimeout`, positionals by their names. */
export type Arguments<F extends Flags, P extends Positionals> = {
  readonly [Name in keyof F & string as CamelCase<Name>]: FlagValue<F[Name]>;
} & { readonly [Name in keyof P & string as CamelCase<Name>]: PositionalValue<P[Name]> };

/** What a command comes to. No view: it has said all there was on stderr. */
export interface CommandResult {
  readonly exit?: ExitCode;
  readonly view?: View;
  /** Reported after the view, where there is something to show all the same; its exit code is the command's. */
  readonly error?: RestoreHooksError;
}

export interface Command {
  readonly args: Flags;
  readonly positionals: Positionals;
  /** Command line without the program's name, and what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Further paragraphs of the command's help. */
  readonly details?: string;
  /** Those that help lists (default: done, and a mistake on the command line). */
  readonly exitCodes?: readonly ExitCode[];
  /** Where to read more. */
  readonly docs?: string;
  // biome-ignore lint/suspicious/noExplicitAny: each command's `run` takes its own arguments; `defineCommand` has checked them
  run(args: any, context: Context): Promise<CommandResult>;
}

/** A command as data. It prints nothing, except progress; it returns its view, and throws what it can't do. */
export function defineCommand<const F extends Flags, const P extends Positionals>(
  command: Omit<Command, 'args' | 'positionals' | 'run'> & {
    readonly args: F;
    readonly positionals: P;
    run(args: Arguments<F, P>, context: Context): Promise<CommandResult>;
  },
): Command {
  return command;
}

/** How a command stands in the list: loaded only when it is asked for, as most of them pull in a lot. */
export interface CommandEntry {
  readonly summary: string;
  load(): Promise<Command>;
}
export type CommandList = Readonly<Record<string, CommandEntry>>;
