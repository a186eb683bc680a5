import type * as z from 'zod/mini';

/** One thing that is wrong with an object from outside: where, and what was expected. */
export interface Problem {
  readonly code: 'decode-error' | 'validation-error';
  /** As in `spec.hooks.resources[0].postHooks[1].exec.execTimeout`. */
  readonly path: string;
  readonly message: string;
}

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: Problem[] };

/** `spec.hooks.resources[0].name`, for people. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}

/** All issues of a failed parse; a value's own text is never repeated (it can hold a secret). */
export function problemsOf(error: z.core.$ZodError): Problem[] {
  return error.issues.map((issue) => ({
    code: 'decode-error',
    path: formatPath(issue.path),
    message: issue.message.replace(/^Invalid input: /, ''),
  }));
}

export const problemLine = ({ path, message }: Problem): string => (path === '' ? message : `${path}: ${message}`);
