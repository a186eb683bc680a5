import * as z from 'zod';
import type { Parsed } from '../model/problem.ts';
import { problemsOf } from '../model/problem.ts';
import { PlanDocument } from './plan-document.ts';
import { RunHook } from './run-document.ts';

const Manifest = z.record(z.string(), z.unknown());

/** A pod that the run creates. */
export const PodToCreate = z.strictObject({
  namespace: z.string(),
  pod: z.string(),
  /** Of the pod that is deleted for it. */
  replaces: z.string().optional(),
  manifest: Manifest,
  /** What is put back if it can't be created. */
  former: Manifest.optional(),
});
export type PodToCreate = z.infer<typeof PodToCreate>;

/** What the launcher hands to the runner: the plan, the rows of earlier runs that stand, the pods that it creates. */
export const Payload = z.strictObject({
  version: z.literal(1),
  plan: PlanDocument,
  kept: z.array(RunHook),
  pods: z.array(PodToCreate).default([]),
});
export type Payload = z.infer<typeof Payload>;

export function parsePayload(object: unknown): Parsed<Payload> {
  const parsed = Payload.safeParse(object);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, problems: problemsOf(parsed.error) };
}
