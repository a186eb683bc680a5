import { sanitizeLine } from '../../shared/core/sanitize.ts';

/** One word that may be typed next. The shell shows the description beside it. */
export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

/** What is answered to kubectl: words, and a sum of {@link DIRECTIVE}s. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly directive: number;
}

/** cobra's `ShellCompDirective`: what the shell does with the candidates. */
export const DIRECTIVE = {
  /** Complete files if there are no candidates. */
  files: 0,
  noSpace: 2,
  noFiles: 4,
  /** The candidates are the endings of the files to complete. */
  fileEndings: 8,
} as const;

export const NOTHING: Completion = { candidates: [], directive: DIRECTIVE.noFiles };

/** With more candidates than this, only their next part is answered: `shop/`, then `shop/db-0/`. */
const MOST = 200;

/**
 * The candidates that begin with `text`, each once. `lead` is written before each: it stands in the same word, and the
 * shell puts the candidate in place of the whole word.
 */
export function completionOf(all: Iterable<Candidate>, text: string, lead = ''): Completion {
  const byValue = new Map<string, Candidate>();
  for (const candidate of all) {
    if (candidate.value.startsWith(text) && isFit(candidate.value)) byValue.set(candidate.value, candidate);
  }
  const { candidates, directive } = shortened([...byValue.values()], text);
  return { candidates: candidates.map((each) => ({ ...each, value: lead + each.value })), directive };
}

/** The lines that kubectl reads: a candidate each, its description behind a tab, at last the directive. */
export function completionText({ candidates, directive }: Completion): string {
  const lines = candidates.map(({ value, description }) =>
    description ? `${value}\t${sanitizeLine(description)}` : value,
  );
  return [...lines, `:${directive}`, ''].join('\n');
}

/** What a shell acts upon. The name of an annotation's hook is an exception, because every such hook has it. */
const ACTIVE = /[$`"'\\;&|<>()!]/;
export const FROM_ANNOTATION = '<from-annotation>';

/**
 * Whether a name may be put on a command line (R7.61). kubectl's scripts evaluate the line at each TAB, and bash inserts
 * what several candidates have in common without quoting it. So a name that a shell would act upon is never offered.
 */
function isFit(value: string): boolean {
  if (value === '' || value.trim() !== value || sanitizeLine(value) !== value) return false;
  return !ACTIVE.test(value.replaceAll(FROM_ANNOTATION, '')) && !value.startsWith('_activeHelp_');
}

function shortened(candidates: readonly Candidate[], text: string): Completion {
  if (candidates.length <= MOST) return { candidates, directive: DIRECTIVE.noFiles };
  const parts = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const slash = candidate.value.indexOf('/', text.length);
    const part = slash < 0 ? candidate : { value: candidate.value.slice(0, slash + 1) };
    parts.set(part.value, part);
  }
  return { candidates: [...parts.values()], directive: DIRECTIVE.noFiles | DIRECTIVE.noSpace };
}
