import type { below, Rule } from '../rule.ts';
import { needsShell } from '../shell.ts';

const isArgv = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((part) => typeof part === 'string');
  } catch {
    return false;
  }
};

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
      // What is no list at all has a finding of its own.
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
  command: { value: unknown; place: Parameters<typeof below>[0] } | undefined,
  title: string,
  report: Parameters<Rule['check']>[1],
): void {
  if (source !== 'annotation' || typeof command?.value !== 'string' || !looksLikeJson(command.value)) return;
  const trimmed = command.value.trim();
  if (isArgv(command.value) && command.value.startsWith('[')) return;
  const edit = isArgv(trimmed) ? { place: command.place, text: trimmed } : undefined;
  const what = edit ? 'begins with a space' : 'is no JSON array of strings';
  report(command.place, `${title}: its command ${what}, and would be taken as one program's name`, edit);
}
