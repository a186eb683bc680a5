import type { Subjects } from './subjects.ts';

export type Severity = 'error' | 'warning' | 'info';
/** From the least to the worst. */
export const SEVERITIES = ['info', 'warning', 'error'] as const satisfies readonly Severity[];

export type Path = readonly (string | number)[];

/** A value of one of the objects that were given; `key`: its key, not the value itself. */
export interface Place {
  readonly object: number;
  readonly path: Path;
  readonly part?: 'key';
}

/** A key or a string, as it should be: the only changes that are ever made without asking. */
export interface Edit {
  readonly place: Place;
  readonly text: string;
}

/** What all findings of a rule have in common. Ids are API: never renamed or reused. */
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

export const below = ({ object, path }: Place, ...parts: Path): Place => ({ object, path: [...path, ...parts] });
export const keyOf = ({ object, path }: Place): Place => ({ object, path, part: 'key' });
export const quote = (text: unknown): string => JSON.stringify(text) ?? 'nothing';
/** `a`, `b` and 3 more. */
export function some(all: readonly string[]): string {
  const names = [...new Set(all)];
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
