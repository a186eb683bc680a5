import type { Place } from '../collect/place.ts';
import type { Subjects } from '../collect/subjects.ts';

export type Severity = 'error' | 'warning' | 'info';
/** In ascending order. */
export const SEVERITIES = ['info', 'warning', 'error'] as const satisfies readonly Severity[];

/** The right spelling of a key or a string. `--fix` makes no other changes. */
export interface Edit {
  readonly place: Place;
  readonly text: string;
}

/** The constant parts of a rule. Its id is part of the API: it is never renamed or reused (R7.11, R9.1). */
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
  /** The kind of subject that it checks, one at a time. */
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
