import type { Place } from '../collect/place.ts';
import type { Subjects } from '../collect/subjects.ts';

export type Severity = 'error' | 'warning' | 'info';
/** From the least to the worst. */
export const SEVERITIES = ['info', 'warning', 'error'] as const satisfies readonly Severity[];

/** A key or a string, as it should be: the only changes that are ever made without asking. */
export interface Edit {
  readonly place: Place;
  readonly text: string;
}

/** What all findings of a rule have in common. Ids are API: never renamed or reused (R7.11, R9.1). */
export interface RuleFacts {
  readonly id: string;
  readonly severity: Severity;
  /** Why it matters, in one sentence. */
  readonly reason: string;
  /** What to do, in one sentence. */
  readonly fix: string;
}

export type Report = (place: Place, message: string, edit?: Edit) => void;

interface RuleOn<On extends keyof Subjects> extends RuleFacts {
  /** What it looks at, one at a time. */
  readonly on: On;
  readonly check: (subject: Subjects[On], report: Report) => void;
}
export type Rule = { [On in keyof Subjects]: RuleOn<On> }[keyof Subjects];

export interface Finding {
  readonly rule: RuleFacts;
  readonly place: Place;
  readonly message: string;
  readonly edit?: Edit;
}
