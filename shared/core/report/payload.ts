import * as z from 'zod';
import type { Parsed } from '../model/problem.ts';
import { problemsOf } from '../model/problem.ts';
import { PlanDocument } from './plan-document.ts';
import { RunHook } from './run-document.ts';

/** What the launcher hands to the runner: the plan, and the rows of earlier runs that stand. */
export const Payload = z.strictObject({ version: z.literal(1), plan: PlanDocument, kept: z.array(RunHook) });
export type Payload = z.infer<typeof Payload>;

export function parsePayload(object: unknown): Parsed<Payload> {
  const parsed = Payload.safeParse(object);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, problems: problemsOf(parsed.error) };
}
