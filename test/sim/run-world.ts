import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import { ANNOTATION } from '../../shared/core/names.ts';
import type { ReportPart, RunHook } from '../../shared/core/report/run-document.ts';
import { joinReport } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { parseRunStatus } from '../../shared/core/report/run-status.ts';
import type { RunStore, Wishes } from '../../shared/ports/ports.ts';
import type { RunRequest } from '../../shared/runtime/run.ts';
import { startRun } from '../../shared/runtime/run.ts';
import { execOnly } from './exec-only.ts';
import { firmHold } from './forgetful-journal.ts';
import type { Random } from './random.ts';
import { CALM_AFTER_MS, World } from './world.ts';

export const pendingStatus = (planned: number): RunStatus => ({
  version: 1,
  runID: 'abcdef',
  attempt: 1,
  planDigest: 'sha256:0',
  phase: 'Pending',
  runner: { kind: 'local', name: 'sim' },
  createdAt: '1970-01-01T00:00:00.000Z',
  failOn: 'fail',
  counts: { planned, succeeded: 0, failed: 0, timedOut: 0, notExecuted: 0, unknown: 0, waiting: planned, running: 0 },
  failures: [],
  reportParts: 0,
});

/** A Restore, and the report beside it, in memory: slow, at times out of reach, at times deleted. */
export class SimulatedStore implements RunStore {
  readonly parts: ReportPart[] = [];
  readonly annotated: { readonly at: number; readonly done: boolean; readonly status: RunStatus }[] = [];
  phase = 'Completed';
  formerPhase: string | null | undefined;
  deletedAt = Number.POSITIVE_INFINITY;
  readonly #world: World;
  readonly #latencyMs: number;
  readonly #outage: number;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#latencyMs = random.pick([0, 100, 1_500]);
    this.#outage = random.pick([0, 0, 0.2, 0.6]);
  }

  async annotate(annotations: Readonly<Record<string, string | null>>): Promise<Wishes> {
    const status = parseRunStatus(annotations[ANNOTATION.status] ?? '');
    if (!status.ok) throw new Error(JSON.stringify(status.problems));
    assert.equal(annotations[ANNOTATION.phase], status.value.phase);
    const at = this.#world.clock.now();
    let done = false;
    try {
      await this.#answer(`annotate ${annotations[ANNOTATION.progress]}`);
      done = true;
    } finally {
      this.annotated.push({ at, done, status: status.value });
    }
    return {};
  }

  async addToReport(rows: readonly RunHook[]): Promise<number> {
    await this.#answer(`report ${rows.length} rows`);
    return this.parts.push({ version: 1, runID: 'abcdef', part: this.parts.length, hooks: [...rows] });
  }

  async setRestorePhase(from: string, to: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
    await this.#answer(`phase ${from} to ${to}`);
    if (this.phase !== from) return;
    this.phase = to;
    this.formerPhase = annotations[ANNOTATION.formerPhase];
  }

  async checkRestore(): Promise<Wishes> {
    await this.#answer('check');
    return {};
  }

  async #answer(what: string): Promise<void> {
    const { clock, random } = this.#world;
    if (this.#latencyMs > 0) {
      await new Promise<void>((resolve) => clock.setTimer(random.time(this.#latencyMs), resolve));
    }
    const now = clock.now();
    if (now >= this.deletedAt) {
      this.#world.say(`${what}: not found`);
      throw new RestoreHooksError('NOT_FOUND', 'no such Restore');
    }
    if (now < CALM_AFTER_MS && random.chance(this.#outage)) {
      this.#world.say(`${what}: out of reach`);
      throw new RestoreHooksError('CLUSTER_UNREACHABLE', 'out of reach');
    }
    this.#world.say(what);
  }
}

const HORIZON_MS = CALM_AFTER_MS * 10;

/** Play one world through `startRun`; `broken`: what did not hold. */
export async function playRun(seed: number, options: { logged?: boolean } = {}) {
  const world = new World(seed, options);
  const { random, clock, hooks, maxConcurrent } = world;
  const store = new SimulatedStore(world, random);
  if (random.chance(0.1)) store.deletedAt = random.time(60_000);
  const moved = random.chance(0.3);
  if (moved) store.phase = 'PartiallyFailed';
  const request: RunRequest = {
    hooks,
    kept: [],
    status: pendingStatus(hooks.length),
    maxConcurrent,
    keepRestorePhase: random.chance(0.2),
    formerPhase: moved ? 'Completed' : undefined,
  };
  let broken: string | undefined;
  try {
    const { exec, journal, pods, runClock } = world;
    const run = startRun(request, { clock: runClock, exec, journal, pods, store, hold: firmHold, ...execOnly });
    // What is left to wait for ever is canceled, and what never answers dropped.
    clock.setTimer(random.chance(0.2) ? random.time(20_000) : HORIZON_MS / 2, () => run.cancel());
    clock.setTimer(HORIZON_MS / 2 + 10_000, () => run.drop());
    let done: Awaited<typeof run.done> | undefined;
    void run.done.then((result) => {
      done = result;
    });
    await clock.runUntilWithPromises(HORIZON_MS);
    if (done === undefined) throw new Error('R2 is broken: the run has no end');
    checkReport(request, store, done, world.latestTimerMs);
  } catch (error) {
    broken = error instanceof Error ? (/^R\d/.test(error.message) ? error.message : error.stack) : String(error);
  }
  return { broken, log: world.log ?? [] };
}

function checkReport(
  request: RunRequest,
  store: SimulatedStore,
  { status, rows }: { status: RunStatus; rows: readonly RunHook[] },
  late: number,
): void {
  const isGone = status.failure?.code === 'restore-deleted';
  const last = store.annotated.at(-1);
  for (const [index, { at, done, status: said }] of store.annotated.entries()) {
    const next = store.annotated[index + 1];
    // Where there is no Restore any more, nothing is tried again.
    if (next === undefined || next.status.finishedAt !== undefined || at >= store.deletedAt) break;
    check('R1', next.at - at >= 999, () => `annotated at ${at} and ${next.at}`);
    // Refused: tried again at the next time that a run tells of itself, and what the store took to answer.
    const soonEnough = next.at - at <= 5_000 + 1_000 + late + 2 * 1_500;
    check('R1', done || soonEnough, () => `refused at ${at}, tried again at ${next.at} (${said.phase})`);
  }
  check('R3', store.parts.length <= 200, () => `${store.parts.length} parts`);
  const counted = (state: RunHook['state']) => rows.filter((row) => row.state === state).length;
  check('R2', rows.length === request.hooks.length, () => `${rows.length} rows`);
  check('R2', status.counts.succeeded === counted('Succeeded'), () => JSON.stringify(status.counts));
  check('R2', status.counts.notExecuted === counted('NotExecuted'), () => JSON.stringify(status.counts));
  check('R2', status.counts.unknown === counted('Unknown'), () => JSON.stringify(status.counts));
  if (store.deletedAt < Number.POSITIVE_INFINITY) {
    const unseen = Date.parse(status.finishedAt ?? '') <= store.deletedAt + 20_000;
    check('R4', isGone || unseen || status.phase !== 'Completed', () => `${status.phase} without a Restore`);
    if (isGone) check('R4', status.phase === 'Failed', () => status.phase);
    return;
  }
  check('R2', last?.done === true && isDeepStrictEqual(last.status, status), () => JSON.stringify([last, status]));
  check('R3', status.reportParts === store.parts.length, () => `${status.reportParts} of ${store.parts.length} parts`);
  const joined = new Map(joinReport(store.parts).map(({ stdout: _out, stderr: _err, ...row }) => [row.id, row]));
  for (const row of rows) check('R3', isDeepStrictEqual(joined.get(row.id), row), () => `${row.id} is not as reported`);
  check('R3', joined.size === rows.length, () => `${joined.size} rows are reported`);
  check('R5', store.phase === expectedPhase(request, status), () => `${store.phase} after ${status.phase}`);
  const movedBack = request.formerPhase !== undefined && store.phase === 'Completed';
  check('R5', !movedBack || store.formerPhase === null, () => 'the former phase still stands');
}

function expectedPhase({ keepRestorePhase, formerPhase }: RunRequest, { phase }: RunStatus): string {
  const before = formerPhase === undefined ? 'Completed' : 'PartiallyFailed';
  if (keepRestorePhase) return before;
  if (phase === 'PartiallyFailed') return 'PartiallyFailed';
  return phase === 'Completed' || phase === 'CompletedWithFailures' ? 'Completed' : before;
}

function check(invariant: string, holds: boolean, what: () => string): void {
  if (!holds) throw new Error(`${invariant} is broken: ${what()}`);
}
