import { jsonArrayProblem } from '../../mistakes/json-array.ts';
import { needsShell } from '../../mistakes/shell.ts';
import type { Field } from '../collect/subjects.ts';
import type { Rule } from './rule.ts';

const isArgv = (text: string): boolean => jsonArrayProblem(text) === undefined;

const looksLikeJson = (text: string): boolean => /^\s*\[/.test(text);

export const commandRules: readonly Rule[] = [
  {
    id: 'command-needs-shell',
    severity: 'warning',
    on: 'exec',
    reason: 'A command is run without a shell: spaces, |, &&, > and $ mean nothing to it.',
    fix: 'Write it as ["/bin/sh", "-c", "…"], or as a list of separate arguments.',
    check({ fields: { command }, argv, title }, report) {
      if (
        command === undefined ||
        (typeof command.value === 'string' && looksLikeJson(command.value) && argv.length < 2 && !isArgv(command.value))
      )
        return;
      const why = needsShell(argv);
      if (why !== undefined) report(command.place, `${title}: ${why}`);
    },
  },
  {
    id: 'init-command-needs-shell',
    severity: 'warning',
    on: 'init',
    reason: "An init hook's command string is one program's name: it is never run in a shell.",
    fix: 'Write it as ["/bin/sh", "-c", "…"], or as a list of separate arguments.',
    check({ source, fields: { command }, title }, report) {
      if (source !== 'annotation' || typeof command?.value !== 'string' || looksLikeJson(command.value)) return;
      const why = needsShell([command.value]);
      if (why !== undefined) report(command.place, `${title}: ${why}`);
    },
  },
  {
    id: 'command-json-invalid',
    severity: 'error',
    on: 'exec',
    reason: 'A command that looks like a JSON array of strings and is none is taken as the name of one program.',
    fix: 'Write a JSON array of strings, in double quotes: ["/bin/sh", "-c", "…"].',
    check: ({ source, fields: { command }, title }, report) => checkJson(source, command, title, report),
  },
  {
    id: 'init-command-json-invalid',
    severity: 'error',
    on: 'init',
    reason: 'A command that looks like a JSON array of strings and is none is taken as the name of one program.',
    fix: 'Write a JSON array of strings, in double quotes: ["/bin/sh", "-c", "…"].',
    check: ({ source, fields: { command }, title }, report) => checkJson(source, command, title, report),
  },
  {
    id: 'command-empty',
    severity: 'error',
    on: 'exec',
    reason: 'A hook with an empty command can never run, and counts as not executed.',
    fix: 'Give it a command, or take the hook away.',
    check({ source, fields: { command }, argv, title, place }, report) {
      // A command that is no list has a finding of its own.
      if (command !== undefined && !Array.isArray(command.value) && source === 'entry') return;
      const [first] = argv;
      if (argv.length === 0 || (first !== undefined && first.trim() === '')) {
        report(command?.place ?? place, `${title}: its command is empty`);
      }
    },
  },
];

function checkJson(
  source: 'annotation' | 'entry',
  command: Field | undefined,
  title: string,
  report: Parameters<Rule['check']>[1],
): void {
  if (source !== 'annotation' || typeof command?.value !== 'string' || !looksLikeJson(command.value)) return;
  const problem = jsonArrayProblem(command.value);
  if (problem === undefined && command.value.startsWith('[')) return;
  const where = problem && `is no JSON array of strings: at character ${problem.at} ${problem.what}`;
  const edit = problem ? mended(command, problem.at) : { place: command.place, text: command.value.trim() };
  const what = where ?? "begins with a space, and would be taken as one program's name";
  report(command.place, `${title}: its command ${what}`, edit);
}

/** Remove a trailing comma, which is surely a mistake. */
function mended({ value, place }: Field, at: number): { place: Field['place']; text: string } | undefined {
  const text = String(value);
  const comma = text.slice(0, at - 1).trimEnd();
  if (text[at - 1] !== ']' || !comma.endsWith(',')) return undefined;
  const without = `${comma.slice(0, -1)}${text.slice(at - 1)}`.trim();
  return isArgv(without) ? { place, text: without } : undefined;
}
