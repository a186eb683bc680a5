import type { Parsed } from '../model/problem.ts';
import { problemsOf } from '../model/problem.ts';
import { planDigest } from './make-plan-document.ts';
import { PlanDocument } from './plan-document.ts';

/** Read a plan that was saved; its digest must be that of its hooks. */
export function parsePlanDocument(object: unknown): Parsed<PlanDocument> {
  const parsed = PlanDocument.safeParse(object);
  if (!parsed.success) return { ok: false, problems: problemsOf(parsed.error) };
  const { digest, restore, hooks } = parsed.data;
  if (digest === planDigest(restore, hooks)) return { ok: true, value: parsed.data };
  const message = 'expected the digest of its hooks: the plan was changed after it was made';
  return { ok: false, problems: [{ code: 'validation-error', path: 'digest', message }] };
}
