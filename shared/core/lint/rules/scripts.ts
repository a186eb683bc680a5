import { shown } from '../../mistakes/shell.ts';
import { shellMistake } from '../../mistakes/shell-mistake.ts';
import { formatDuration, parseDurationMs } from '../../model/duration.ts';
import { placeholderInCommand, placeholderInName } from '../collect/placeholder.ts';
import type { Field, LintedInit } from '../collect/subjects.ts';
import { heldOpen, joinedArgument, sleeps } from '../shell/scripts.ts';
import type { Rule } from './rule.ts';

const DEFAULT_EXEC_MS = 30_000;

/** The command and the args of an init container, as far as they are lists. */
function initArgv({ fields: { command, args } }: LintedInit): readonly string[] {
  const value = typeof command?.value === 'string' ? listIn(command.value) : command?.value;
  const parts: unknown[] = [value, args?.value].flatMap((list) => (Array.isArray(list) ? list : []));
  return parts.filter((part): part is string => typeof part === 'string');
}

function listIn(text: string): unknown {
  try {
    return text.startsWith('[') ? JSON.parse(text) : [];
  } catch {
    return [];
  }
}

const timeoutOf = (field: Field | undefined): number => {
  const ms = typeof field?.value === 'string' ? parseDurationMs(field.value) : undefined;
  return ms || DEFAULT_EXEC_MS;
};

export const scriptRules: readonly Rule[] = [
  {
    id: 'shell-arguments',
    severity: 'error',
    on: 'exec',
    reason:
      'A shell runs the one argument behind -c, and nothing else: without -c it runs a file, without both nothing, and succeeds.',
    fix: 'Write the whole command as one string: ["/bin/sh", "-c", "command with its arguments"].',
    check({ fields: { command }, argv, title, place }, report) {
      const mistake = shellMistake(argv);
      if (mistake !== undefined) report(command?.place ?? place, `${title}: ${mistake}`);
    },
  },
  {
    id: 'init-shell-arguments',
    severity: 'error',
    on: 'init',
    reason:
      'A shell runs the one argument behind -c, and nothing else: without -c it runs a file, without both nothing, and succeeds.',
    fix: 'Write the whole command as one string: ["/bin/sh", "-c", "command with its arguments"].',
    check(init, report) {
      const { command } = init.fields;
      const mistake = command && shellMistake(initArgv(init));
      if (mistake) report(command.place, `${init.title}: ${mistake}`);
    },
  },
  {
    id: 'argument-with-space',
    severity: 'warning',
    on: 'exec',
    reason:
      'An option and its value in one element are one argument, with a space in it: most programs do not know it.',
    fix: 'Write them as two elements.',
    check({ fields: { command }, argv, title, place }, report) {
      const joined = joinedArgument(argv);
      if (joined !== undefined) report(command?.place ?? place, `${title}: ${shown(joined)} is one argument`);
    },
  },
  {
    id: 'background-holds-output',
    severity: 'warning',
    on: 'exec',
    reason:
      'An exec ends when the last process has closed its output, so a child in the background keeps the hook running until its exec timeout.',
    fix: 'Send its output elsewhere (>/dev/null 2>&1 &), or wait for it.',
    check({ fields: { command }, argv, title, place }, report) {
      const held = heldOpen(argv);
      if (held !== undefined) report(command?.place ?? place, `${title}: ${held} keeps the hook's output open`);
    },
  },
  {
    id: 'sleep-fills-timeout',
    severity: 'warning',
    on: 'exec',
    reason: 'A command that sleeps as long as its exec timeout is cut off before it has done anything else.',
    fix: 'Make the exec timeout (30s, if none is set) longer than the sleep and the work together.',
    check({ fields: { command, execTimeout }, argv, title, place }, report) {
      const limit = timeoutOf(execTimeout);
      const asleep = sleeps(argv);
      if (limit < 0 || asleep < limit) return;
      const length = Number.isFinite(asleep) ? `for ${formatDuration(asleep)}` : 'for ever';
      report(command?.place ?? place, `${title}: sleeps ${length}, and may take ${formatDuration(limit)}`);
    },
  },
  {
    id: 'placeholder-left',
    severity: 'warning',
    on: 'text',
    reason: 'What should have been replaced is still there, and is taken as it stands.',
    fix: 'Replace it; of a chart, lint what it makes: helm template CHART | kubectl restorehooks lint -f -.',
    check({ value, place, title, isCommand }, report) {
      const found = isCommand ? placeholderInCommand(value) : placeholderInName(value);
      if (found !== undefined) report(place, `${title}: ${shown(found)} looks like a placeholder`);
    },
  },
];
