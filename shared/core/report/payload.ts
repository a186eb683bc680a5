import * as z from 'zod';
import type { Parsed } from '../model/problem.ts';
import { problemsOf } from '../model/problem.ts';
import { PlanDocument } from '../plan/plan-document.ts';
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

/** What the launcher hands to the runner. */
export const Payload = z.strictObject({
  version: z.literal(1),
  /** That of the plugin that has made it. */
  pluginVersion: z.string().optional(),
  plan: PlanDocument,
  /** The rows of earlier runs that stand. */
  kept: z.array(RunHook),
  /** The pods that the run creates. */
  pods: z.array(PodToCreate).default([]),
  /** Hooks of it whose command an earlier runner may have left running, and since when at the latest. */
  lost: z.array(z.strictObject({ id: z.string(), since: z.string() })).optional(),
  /** Hooks of it whose detached command an earlier run has left: it is attached to. */
  begun: z
    .array(
      z.strictObject({
        id: z.string(),
        key: z.string(),
        podUID: z.string().optional(),
        containerID: z.string().optional(),
        startedAt: z.string().optional(),
      }),
    )
    .optional(),
  /** How often earlier runs have started the hooks that are run again, by their ids. */
  starts: z.record(z.string(), z.int()).optional(),
  /** Pods in which a command of an earlier run may still be running: nothing starts there until then (absent: ever). */
  quiet: z.array(z.strictObject({ namespace: z.string(), pod: z.string(), until: z.string().optional() })).optional(),
  /** Which run of the Restore it is, from 1, where the plan's side has seen more of them than the status tells. */
  attempt: z.int().optional(),
  /** The plan was narrowed (`--only`). */
  narrowed: z.literal(true).optional(),
  /** What was known before was set aside (`--again`). */
  startedOver: z.literal(true).optional(),
  /** A `Fail` hook of the Restore that this plan doesn't name has not succeeded: the Restore's phase isn't put back. */
  leavesFailHooks: z.literal(true).optional(),
  /** The run whose runner died, as its journal was when this was planned: how many batches it had. */
  takesOver: z
    .strictObject({
      runID: z.string(),
      planDigest: z.string(),
      hooks: z.int(),
      /** Into how many shards it was divided, if more than one: the batches are those of all their journals. */
      shards: z.int().optional(),
      batches: z.int(),
    })
    .optional(),
});
export type Payload = z.infer<typeof Payload>;

export function parsePayload(object: unknown): Parsed<Payload> {
  const parsed = Payload.safeParse(object);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, problems: problemsOf(parsed.error) };
}

/** The plugin's version in a payload that this version may not be able to read otherwise. */
export const pluginVersionIn = (object: unknown): string | undefined =>
  z.object({ pluginVersion: z.string() }).safeParse(object).data?.pluginVersion;
