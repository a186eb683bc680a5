export type { Inner } from './collect/subjects.ts';

import type { Given } from './collect/collect.ts';
import { collect } from './collect/collect.ts';
import type { Subjects } from './collect/subjects.ts';
import { annotationRules } from './rules/annotations.ts';
import { commandRules } from './rules/commands.ts';
import { entryRules } from './rules/entries.ts';
import { fieldRules } from './rules/fields.ts';
import { initRules } from './rules/init.ts';
import { modifierRules } from './rules/modifiers.ts';
import { podRules } from './rules/pods.ts';
import { restoreRules } from './rules/restores.ts';
import type { Finding, Rule, Severity } from './rules/rule.ts';
import { SEVERITIES } from './rules/rule.ts';
import { scriptRules } from './rules/scripts.ts';
import { valueRules } from './rules/values.ts';

export { isLookedAt } from './collect/collect.ts';

/** All rules, in the order of docs/lint.md. */
export const RULES: readonly Rule[] = [
  ...annotationRules,
  ...commandRules,
  ...scriptRules,
  ...valueRules,
  ...podRules,
  ...initRules,
  ...entryRules,
  ...fieldRules,
  ...restoreRules,
  ...modifierRules,
];

/**
 * What is wrong with the hooks of these objects, or probably not as it was meant. Restores, RestoreHooks, Pods and
 * workloads with templates are checked, other objects are skipped. The findings are sorted by object, then by rule.
 */
export function lint(objects: readonly unknown[], { live = false, inner = new Map() }: Partial<Given> = {}): Finding[] {
  const subjects = collect({ objects, live, inner });
  const findings: Finding[] = [];
  for (const rule of RULES) check(rule, subjects[rule.on], findings);
  return findings;
}

function check(rule: Rule, subjects: readonly Subjects[keyof Subjects][], findings: Finding[]): void {
  const { id, severity, reason, fix } = rule;
  for (const subject of subjects) {
    // Each rule gets the subjects that it asks for.
    (rule.check as (subject: unknown, report: Parameters<Rule['check']>[1]) => void)(subject, (place, message, edit) =>
      findings.push({ rule: { id, severity, reason, fix }, place, message, ...(edit ? { edit } : {}) }),
    );
  }
}

export const atLeast = (severity: Severity, least: Severity): boolean =>
  SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least);
