import * as z from 'zod';
import { API_VERSION } from '../names.ts';
import { hookDocumentWith, PlanDocument, RestoreReference } from '../plan/plan-document.ts';
import { RunMetrics } from './run-metrics.ts';

const instant = z.string().describe('RFC 3339 with milliseconds');

export const ResultFields = z.strictObject({
  state: z.enum(['Waiting', 'Running', 'Succeeded', 'Failed', 'TimedOut', 'NotExecuted', 'Unknown']),
  reason: z
    .enum([
      'exit',
      'error',
      'waiting',
      'executing',
      'aborted',
      'canceled',
      'no-such-container',
      'empty-command',
      'pod-deleted',
      'pod-replaced',
      'pod-finished',
      'not-injected',
      'connection-lost',
      'container-restarted',
      'runner-died',
    ])
    .optional(),
  exitCode: z.int().optional(),
  unproven: z.literal(true).optional().describe('A success over a protocol that calls a dead kubelet a success'),
  message: z.string().optional(),
  startedAt: instant.optional(),
  finishedAt: instant.optional(),
  run: z.int().describe('The run of this Restore that it belongs to, from 1'),
  attempt: z
    .int()
    .describe(
      'Which start of the hook it is, from 1, counted over all runs of this Restore; not started: which it would be',
    ),
  stdout: z.string().optional().describe('What was kept of it (--capture), control characters stripped'),
  stderr: z.string().optional().describe('What was kept of it (--capture), control characters stripped'),
  stdoutBytes: z.int().optional().describe('How many bytes it had in all; absent: stdout is all of it'),
  stderrBytes: z.int().optional().describe('How many bytes it had in all; absent: stderr is all of it'),
  outputDropped: z.literal(true).optional().describe('Left out: the run printed more than a report holds'),
});
export type ResultFields = z.infer<typeof ResultFields>;

/** One row of a run: the planned hook and what became of it. */
export const RunHook = z.preprocess(withRun, hookDocumentWith(ResultFields.shape));
export type RunHook = z.infer<typeof RunHook>;

/** Before rows had a `run`, it was their `attempt` that told it (R3.49). */
function withRun(row: unknown): unknown {
  const { run, attempt } = (row ?? {}) as { readonly run?: unknown; readonly attempt?: unknown };
  return run === undefined && attempt !== undefined ? { ...(row as object), run: attempt } : row;
}

export const Counts = z.strictObject({
  planned: z.int(),
  succeeded: z.int(),
  failed: z.int(),
  timedOut: z.int(),
  notExecuted: z.int(),
  unknown: z.int(),
  waiting: z.int(),
  running: z.int(),
});

/** The open wave of a run that has several, and what holds it (R3.46). */
export const OpenWave = z.strictObject({
  version: z.literal(1),
  number: z.int(),
  place: z.int().describe('Which of the waves it is, from 1'),
  of: z.int().describe('How many waves the plan has'),
  left: z.int().describe('How many of its hooks have not ended'),
  first: z.string().describe('The first of these in plan order'),
  message: z.string().describe('What that one does, or waits for'),
});
export type OpenWave = z.infer<typeof OpenWave>;

export const Phase = z.enum([
  'Pending',
  'InProgress',
  'Failed',
  'PartiallyFailed',
  'Canceled',
  'CompletedWithFailures',
  'Completed',
]);

/** `kind: RestoreHookRun` (R7.22). Without a run there is no run ID and no phase, and `hooks` is empty. */
export const RunDocument = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('RestoreHookRun'),
  restore: RestoreReference,
  runID: z.string().optional(),
  attempt: z.int().optional(),
  planDigest: z.string().optional(),
  shards: z.int().optional().describe('Into how many shards the run is divided, if more than one'),
  phase: Phase.optional(),
  message: z.string().optional().describe('Why the run failed, or does not go on'),
  startedAt: instant.optional(),
  finishedAt: instant.optional(),
  deadline: instant.optional().describe('Until when the run may go on'),
  runner: z.strictObject({ kind: z.enum(['job', 'local']), name: z.string() }).optional(),
  counts: Counts.optional(),
  openWave: OpenWave.optional().describe(
    'While it goes on, where it has several waves: which one is open, and what holds it',
  ),
  notices: z.array(z.string()).optional().describe('What has to be known of the result'),
  metrics: RunMetrics.optional().describe('Once a runner has left the run: what its runners have counted and measured'),
  hooks: z.array(RunHook),
});
export type RunDocument = z.infer<typeof RunDocument>;

/** What a report says of its run: for readers who find the run, and no annotation that tells of it. */
export const ReportedRun = z.strictObject({
  attempt: z.int(),
  planDigest: z.string(),
  /** How many hooks the plan has. */
  planned: z.int(),
  runner: z.strictObject({ kind: z.enum(['job', 'local']), name: z.string() }),
  createdAt: z.string(),
  failOn: z.enum(['fail', 'any']),
  /** The plan was narrowed (`--only`): the Restore has hooks that it doesn't name. */
  narrowed: z.literal(true).optional(),
  /** Whatever was known of its hooks before was set aside (`--again`). */
  startedOver: z.literal(true).optional(),
  /** A `Fail` hook of the Restore that the plan doesn't name had not succeeded. */
  leavesFailHooks: z.literal(true).optional(),
});
export type ReportedRun = z.infer<typeof ReportedRun>;

/** A piece of a hook's output. */
const OutputBefore = z.strictObject({ id: z.string(), stdout: z.string().optional(), stderr: z.string().optional() });
export type OutputBefore = z.infer<typeof OutputBefore>;

/** One part of a report as a Secret holds it: the hooks that are new or changed since the part before. */
export const ReportPart = z.strictObject({
  version: z.literal(1),
  runID: z.string(),
  part: z.int(),
  /**
   * Which of the run's, or the shard's, runners has written it, from 1: what a runner says that was taken over is no longer
   * heard. 0: how the hooks of all shards stood before any of them.
   */
  runner: z.int().optional(),
  /** Of a run with several shards: whose report it is a part of. */
  shard: z.strictObject({ index: z.int(), of: z.int() }).optional(),
  /** In the first part: by what the run's pods are selected. */
  selector: PlanDocument.shape.selector.optional(),
  /** In the first part, too. */
  run: ReportedRun.optional(),
  hooks: z.array(RunHook),
  /**
   * What stands before the output that a row has so far, for rows whose output is too long for one part: its end comes
   * first, so that what is there is a whole end also where a later part is missing.
   */
  before: z.array(OutputBefore).optional(),
});
export type ReportPart = z.infer<typeof ReportPart>;
/** What stands in the first part alone. */
export type ReportHead = Pick<ReportPart, 'selector' | 'run'>;

/** A report's parts, joined in their order: the last word on each hook counts, plan order stays that of the first (R5.13). */
export class JoinedReport {
  readonly #rows = new Map<string, { readonly row: RunHook; readonly runner: number }>();

  get rows(): RunHook[] {
    return [...this.#rows.values()].map(({ row }) => row);
  }

  /** Returns the rows that it changes. What it adds to the output of a row is in `rows`. */
  add({ hooks, runner = 0, before = [] }: ReportPart): RunHook[] {
    const changed = hooks.flatMap((said) => {
      const known = this.#rows.get(said.id);
      if (known !== undefined && known.runner > runner) return [];
      const row = known === undefined ? said : withOutput(said, known.row);
      this.#rows.set(said.id, { row, runner });
      return known !== undefined && row === known.row ? [] : [row];
    });
    for (const piece of before) {
      const known = this.#rows.get(piece.id);
      if (known?.runner === runner) this.#rows.set(piece.id, { runner, row: withBefore(known.row, piece) });
    }
    return changed;
  }
}

export function joinReport(parts: readonly ReportPart[]): RunHook[] {
  const joined = new JoinedReport();
  for (const part of parts) joined.add(part);
  return joined.rows;
}

const withBefore = (row: RunHook, { stdout = '', stderr = '' }: OutputBefore): RunHook => ({
  ...row,
  ...(row.stdout !== undefined && { stdout: stdout + row.stdout }),
  ...(row.stderr !== undefined && { stderr: stderr + row.stderr }),
});

/** A runner that goes on knows a result from the journal, which holds no text: what was said of it before stays. */
function withOutput(said: RunHook, known: RunHook): RunHook {
  const isSame = said.finishedAt !== undefined && said.finishedAt === known.finishedAt && said.state === known.state;
  if (!isSame) return said;
  if (said.stdout === undefined && said.stderr === undefined && said.message === undefined) return known;
  const both = { ...known, ...said };
  // Both the outline of a run with shards and its shard's first report tell of rows that are kept.
  return JSON.stringify(both) === JSON.stringify(known) ? known : both;
}
