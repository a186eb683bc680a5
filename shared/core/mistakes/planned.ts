import type { HookSource } from '../model/hook.ts';
import { judgeKey } from './annotation-keys.ts';
import { jsonArrayProblem } from './json-array.ts';
import { shellMistake } from './shell-mistake.ts';

/*
 * Mistakes in planned hooks that lint reports as errors, and that the plan itself doesn't notice. They are separate
 * from lint's rules, which `plan` doesn't need to load.
 */

/** Mistakes in a command, each with the id of its rule. */
export function commandError(command: readonly string[], source: HookSource): string | undefined {
  const [only = ''] = command;
  if (source === 'annotation' && command.length === 1 && /^\s*\[/.test(only)) {
    const problem = jsonArrayProblem(only);
    const what = problem
      ? `is no JSON array of strings: at character ${problem.at} ${problem.what}`
      : 'begins with a space';
    return `its command ${what}, and is taken as one program's name (command-json-invalid)`;
  }
  const mistake = shellMistake(command);
  return mistake && `${mistake} (shell-arguments)`;
}

/** Annotations whose keys were meant to be a hook's, and are misspelled. */
export function keyErrors(annotations: Readonly<Record<string, string>>): string[] {
  return Object.keys(annotations).flatMap((key) => {
    if (!/hook/i.test(key)) return [];
    const verdict = judgeKey(key);
    if (verdict.is === 'pre-restore')
      return [`${JSON.stringify(key)}: there is no pre-restore hook (pre-restore-hook)`];
    if (verdict.is === 'only-ours') return [`${onlyOurs(key, verdict.ours)} (annotation-without-effect)`];
    if (!('meant' in verdict)) return [];
    const hint = verdict.meant === undefined ? '' : `; did you mean ${JSON.stringify(verdict.meant)}?`;
    const rule = verdict.is === 'unknown-name' ? 'annotation-key-unknown' : 'annotation-prefix-unknown';
    return [`${JSON.stringify(key)} is no annotation of a hook${hint} (${rule})`];
  });
}

/** R3.40 */
export const onlyOurs = (key: string, ours: string): string =>
  `${JSON.stringify(key)} has no effect: Velero knows no such key, and only ${JSON.stringify(ours)} is read`;
