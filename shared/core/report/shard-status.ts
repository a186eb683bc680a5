import * as z from 'zod';
import type { Elsewhere } from '../execute/protocol.ts';
import { phaseOf } from '../execute/run-phase.ts';
import type { NotedOutcomes, RunState } from '../execute/state.ts';
import { noCounts, noteOutcome } from '../execute/state.ts';
import { waveOf } from '../execute/waves.ts';
import type { Hook } from '../model/hook.ts';
import { podKey } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { formatInstant, instant } from '../model/instant.ts';
import { shardOfPods } from '../model/shard.ts';
import { countRows } from './dead-run.ts';
import type { HookRow } from './hook-row.ts';
import { isEnded } from './hook-row.ts';
import type { WaveHere } from './open-wave.ts';
import { Counts, OpenWave } from './run-document.ts';
import { RunMetrics } from './run-metrics.ts';
import { failuresOf, RunStatus } from './run-status.ts';

const yes = z.literal(true).optional();

/** How one shard of a run stands: a key of the ConfigMap that the run's shards share (R8.43). */
export const ShardStatus = z.strictObject({
  /** It has told all that it ever will. */
  ended: yes,
  finishedAt: z.string().optional(),
  counts: Counts,
  failHookFailed: yes,
  failHookUnexecuted: yes,
  canceled: yes,
  failure: RunStatus.shape.failure,
  failures: RunStatus.shape.failures,
  /** The lowest of its waves in which a hook has not ended. */
  wave: OpenWave.pick({ number: true, left: true, first: true, message: true }).optional(),
  reportParts: z.int(),
  outputBytes: z.int().optional(),
  notices: z.array(z.string()).optional(),
  /** What its runners have counted, but for the one that has it now. */
  metrics: RunMetrics.optional(),
  /** What the other shards act upon. It is durable. */
  told: z.strictObject({
    openWave: z.int().optional(),
    waveEnds: z.array(z.tuple([z.int(), z.int()])),
    stop: z.string().optional(),
  }),
});
export type ShardStatus = z.infer<typeof ShardStatus>;
/** What a shard tells the others, for them to act upon. */
export type Told = ShardStatus['told'];

/** What a shard has to tell the others, once that is durable. */
export function toldBy({ waves, stop }: Pick<RunState, 'waves' | 'stop'>): Told {
  const openWave = waves.open?.number;
  const isOwnStop = stop?.reason === 'aborted' && !stop.isElsewhere;
  return {
    ...(openWave !== undefined && { openWave }),
    waveEnds: waves.over.flatMap(({ number, lastEnd }) =>
      lastEnd === undefined ? [] : [[number, Math.round(lastEnd)]],
    ),
    ...(isOwnStop && { stop: stop.message }),
  };
}

/** How this shard stands; `status` is that of its own hooks. */
export function shardStatus(
  { counts, failure, failures, finishedAt, reportParts, outputBytes, notices }: RunStatus,
  {
    failHookFailed,
    failHookUnexecuted,
    canceled,
  }: Pick<RunState, 'failHookFailed' | 'failHookUnexecuted' | 'canceled'>,
  wave: WaveHere | undefined,
  told: Told,
  hasEnded: boolean,
): ShardStatus {
  return {
    ...(hasEnded && { ended: true }),
    ...(finishedAt !== undefined && { finishedAt }),
    counts,
    ...(failHookFailed && { failHookFailed }),
    ...(failHookUnexecuted && { failHookUnexecuted }),
    ...(canceled && { canceled }),
    ...(failure && { failure }),
    failures,
    ...(wave && { wave }),
    reportParts,
    ...(outputBytes !== undefined && { outputBytes }),
    ...(notices && { notices }),
    told,
  };
}

/** How each shard of a run stands before it has told anything; one without hooks has ended. */
export function unbegunShards(
  { hooks, kept }: { readonly hooks: readonly Hook[]; readonly kept: readonly HookRow[] },
  of: number,
): ShardStatus[] {
  const shards = shardOfPods(hooks, of);
  const keptRows = new Map(kept.map((row) => [row.hook.id, row]));
  const own = Map.groupBy(hooks, ({ namespace, pod }) => shards.get(podKey(namespace, pod)));
  return Array.from({ length: of }, (_, index): ShardStatus => {
    const mine = own.get(index) ?? [];
    const waves = mine.flatMap((hook) => (keptRows.has(hook.id) ? [] : (waveOf(hook) ?? [])));
    const openWave = waves.length === 0 ? undefined : waves.reduce((one, other) => Math.min(one, other));
    const { failHookFailed, failHookUnexecuted, ...noted } = notedOf(mine.flatMap(({ id }) => keptRows.get(id) ?? []));
    return {
      ...(mine.length === 0 && { ended: true }),
      counts: countRows(mine.map(({ id }) => keptRows.get(id) ?? { state: 'Waiting' })),
      ...(failHookFailed && { failHookFailed }),
      ...(failHookUnexecuted && { failHookUnexecuted }),
      failures: failuresOf(noted),
      reportParts: 0,
      told: { ...(openWave !== undefined && { openWave }), waveEnds: [] },
    };
  });
}

function notedOf(rows: readonly HookRow[]): NotedOutcomes {
  const noted: NotedOutcomes = { unproven: false, failHookFailed: false, failHookUnexecuted: false, firstFailures: [] };
  for (const row of rows) if (isEnded(row)) noteOutcome(noted, row.hook, row);
  return noted;
}

/**
 * The end of a shard that no runner has taken, in a run that is stopped. Its wave stays open: another shard may not know yet
 * that the run is stopped.
 */
export const endUntaken = (
  unbegun: ShardStatus,
  counts: ShardStatus['counts'],
  at: Instant,
  { isCanceled, failure }: WhyUntaken,
): ShardStatus => ({
  ...unbegun,
  ended: true,
  finishedAt: formatInstant(at),
  counts,
  ...(isCanceled && { canceled: true }),
  ...(failure && { failure }),
});

export interface WhyUntaken {
  readonly isCanceled: boolean;
  readonly failure: RunStatus['failure'];
}

/** What a shard has to know of the others. */
export function elsewhere(others: readonly ShardStatus[]): Elsewhere {
  const open = others.flatMap(({ told }) => told.openWave ?? []);
  const ends = new Map<number, number>();
  for (const [wave, endedAt] of others.flatMap(({ told }) => told.waveEnds)) {
    ends.set(wave, Math.max(endedAt, ends.get(wave) ?? 0));
  }
  const stop = others.find(({ told }) => told.stop !== undefined)?.told.stop;
  const failure = others.flatMap((each) => failureToShare(each) ?? [])[0];
  return {
    ...(open.length > 0 && { openWave: Math.min(...open) }),
    waveEnds: [...ends].map(([wave, endedAt]) => [wave, instant(endedAt)] as const),
    ...(stop !== undefined && { stop }),
    ...(failure && { failure }),
  };
}

/** A deadline is that of all shards, and each one sees by itself that it has passed. */
function failureToShare({ failure }: ShardStatus): Elsewhere['failure'] {
  if (failure === undefined || failure.code === 'deadline' || failure.code === 'job') return undefined;
  return { code: failure.code, message: failure.message };
}

const FIRST_FAILURES = 5; // R5.8

/** The status of the whole run (R8.45). `run`: what is the same for all shards; `waves`: those of its plan, or none. */
export function joinedStatus(run: RunStatus, shards: readonly ShardStatus[], waves: readonly number[]): RunStatus {
  const hasEnded = shards.every(({ ended }) => ended);
  const counts = noCounts(0);
  for (const key of Object.keys(counts) as (keyof typeof counts)[]) {
    for (const shard of shards) counts[key] += shard.counts[key];
  }
  const failure = shards.find((shard) => shard.failure !== undefined)?.failure;
  const ends = hasEnded ? shards.flatMap(({ finishedAt }) => finishedAt ?? []).sort() : [];
  const finishedAt = ends.at(-1);
  const output = shards.reduce((sum, { outputBytes = 0 }) => sum + outputBytes, 0);
  const notices = new Set([...(run.notices ?? []), ...shards.flatMap((shard) => shard.notices ?? [])]);
  const openWave = hasEnded ? undefined : joinedWave(shards, waves);
  const { openWave: _, suspendedAt: __, failure: ___, finishedAt: ____, outputBytes: _____, ...same } = run;
  return {
    ...same,
    phase: phaseOf({
      finishedAt: hasEnded ? instant(0) : undefined,
      failure,
      failHookFailed: shards.some(({ failHookFailed }) => failHookFailed),
      failHookUnexecuted: shards.some(({ failHookUnexecuted }) => failHookUnexecuted),
      canceled: shards.some(({ canceled }) => canceled),
      counts,
    }),
    ...(finishedAt !== undefined && { finishedAt }),
    counts,
    ...(openWave && { openWave }),
    failures: shards.flatMap(({ failures }) => failures).slice(0, FIRST_FAILURES),
    reportParts: shards.reduce((sum, { reportParts }) => sum + reportParts, 0),
    shards: shards.map(({ reportParts }) => reportParts),
    ...(output > 0 && { outputBytes: output }),
    ...(notices.size > 0 && { notices: [...notices] }),
    ...(hasEnded && failure && { failure }),
  };
}

/** The open wave of the run is the lowest that is open in any shard; undefined as long as one of these has not said how it stands. */
function joinedWave(shards: readonly ShardStatus[], waves: readonly number[]): OpenWave | undefined {
  const numberOf = ({ wave, told }: ShardStatus): number | undefined => wave?.number ?? told.openWave;
  const number = Math.min(...shards.flatMap((shard) => numberOf(shard) ?? []));
  const open = shards.filter((shard) => numberOf(shard) === number);
  const here = open.flatMap(({ wave }) => wave ?? []);
  const [first, ...others] = here;
  if (first === undefined || here.length < open.length || waves.length === 0) return undefined;
  const left = others.reduce((sum, wave) => sum + wave.left, first.left);
  return { version: 1, ...first, left, place: waves.indexOf(number) + 1, of: waves.length };
}
