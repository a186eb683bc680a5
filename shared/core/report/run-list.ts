import * as z from 'zod';
import { API_VERSION } from '../names.ts';
import { RestoreReference } from '../plan/plan-document.ts';
import { RunDocument } from './run-document.ts';

const run = RunDocument.shape;

/** A Restore and its last run, without its hooks. Without a run there is no run ID and no phase. */
export const RunSummary = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('RestoreHookRunSummary'),
  restore: RestoreReference,
  restorePhase: z.string().optional().describe("Velero's, of the Restore itself"),
  restoreCreatedAt: z.string().optional(),
  runID: run.runID,
  attempt: run.attempt,
  planDigest: run.planDigest,
  phase: run.phase,
  message: z.string().optional().describe('Why the run failed, or why its status cannot be read'),
  startedAt: run.startedAt,
  finishedAt: run.finishedAt,
  runner: run.runner,
  counts: run.counts,
});
export type RunSummary = z.infer<typeof RunSummary>;

/** `kind: RestoreHookRunList`: what `list -o json` prints, the newest Restore first (R7.55). */
export const RunList = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('RestoreHookRunList'),
  items: z.array(RunSummary),
});
export type RunList = z.infer<typeof RunList>;
