import type { ShellCall } from './shell.ts';
import { baseName, shellCall, shown } from './shell.ts';

/** Finds out whether a script reads its arguments: `$1`, `$@`, `${2:-x}`, `shift`. */
const READS_ARGUMENTS = /\$(?:[0-9@*#]|\{[#!]?[0-9@*])|\b(?:shift|getopts)\b|\bfor\s+\w+\s*(?:;|\n|do\b)/;
/** Words that people write as a placeholder for `$0`. */
const NAME_FOR_ZERO = /^(?:--|-|_|(?:\S*\/)?(?:ba|da|a|k|z)?sh|(?:[\w-]+-)?(?:hook|script)|inline|main|init)$/;

/** What is wrong with the arguments of a shell: it would ignore some of them, or run something else than was meant. */
export function shellMistake(argv: readonly string[]): string | undefined {
  const call = shellCall(argv);
  if (call === undefined) return undefined;
  return call.script === undefined ? noScript(call, argv) : lostArguments(call);
}

function lostArguments({ shell, script = '', rest }: ShellCall): string | undefined {
  const [first] = rest;
  if (first === undefined || READS_ARGUMENTS.test(script)) return undefined;
  if (rest.length === 1 && NAME_FOR_ZERO.test(first)) return undefined;
  return `${baseName(shell)} -c runs ${shown(script)} alone: ${shown(first)} and what follows are arguments that it doesn't read`;
}

function noScript({ shell, at, rest }: ShellCall, argv: readonly string[]): string | undefined {
  const name = baseName(shell);
  const file = argv[at];
  const asked = argv.slice(0, at).some((option) => /^-[A-Za-z]*c[A-Za-z]*$/.test(option));
  if (file === undefined) {
    if (/^-[A-Za-z]*s/.test(argv[at - 1] ?? '')) return undefined;
    return asked
      ? `${name} -c has no command to run`
      : `${name} alone reads commands from its input, and there is none`;
  }
  if (/\s/.test(file.trim()) && !/^\S*\/[^|&;<>$]*$/.test(file)) {
    return `${name} takes ${shown(file)} as the name of a file: without -c it runs no command`;
  }
  const option = rest.find((part) => /^-[a-z]*c$/.test(part));
  return option !== undefined && !file.includes('/') && !/\.\w+$/.test(file)
    ? `${name} takes ${shown(file)} as the name of a file, and ${shown(option)} as its argument`
    : undefined;
}
