import assert from 'node:assert/strict';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import { ANNOTATION } from '../../shared/core/names.ts';
import type { ReportPart, RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { parseRunStatus } from '../../shared/core/report/run-status.ts';
import type { HookExec, RunStore, Wishes } from '../../shared/ports/ports.ts';
import type { RunRequest } from '../../shared/runtime/run.ts';
import { startRun } from '../../shared/runtime/run.ts';
import { execOnly } from './exec-only.ts';
import { firmHold } from './forgetful-journal.ts';
import type { Random } from './random.ts';
import { checkReport } from './run-invariants.ts';
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
  /** Asked for from `at` on, and seen by the run at `heardAt`. */
  cancel: { readonly at: number; readonly graceMs: number | undefined; heardAt?: number } | undefined;
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
    return this.#wishes();
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
    return this.#wishes();
  }

  /** Who asks for a cancel leaves the request where it stands: each look finds it again. */
  #wishes(): Wishes {
    const now = this.#world.clock.now();
    if (this.cancel === undefined || now < this.cancel.at) return {};
    this.cancel.heardAt ??= now;
    const { graceMs } = this.cancel;
    return { cancel: graceMs === undefined ? {} : { graceMs } };
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
const GRACES_MS = [0, 2_000, 12_000, undefined] as const;

/** Play one world through `startRun`; `broken`: what did not hold. */
export async function playRun(seed: number, options: { logged?: boolean } = {}) {
  const world = new World(seed, options);
  const { random, clock, hooks, maxConcurrent } = world;
  const store = new SimulatedStore(world, random);
  if (random.chance(0.1)) store.deletedAt = random.time(60_000);
  // Not drawn, so that other seeds keep their worlds.
  if (seed % 5 === 3) store.cancel = { at: (seed * 7_919) % 30_000, graceMs: GRACES_MS[Math.floor(seed / 5) % 4] };
  const moved = random.chance(0.3);
  if (moved) store.phase = 'PartiallyFailed';
  const deadline = seed % 7 === 2 ? new Date((seed * 7_919) % 40_000).toISOString() : undefined;
  const request: RunRequest = {
    hooks,
    kept: [],
    status: { ...pendingStatus(hooks.length), ...(deadline !== undefined && { deadline }) },
    maxConcurrent,
    keepRestorePhase: random.chance(0.2),
    formerPhase: moved ? 'Completed' : undefined,
  };
  let broken: string | undefined;
  try {
    const { exec, journal, pods, runClock } = world;
    const asked: number[] = [];
    const watched: HookExec = {
      start: (command, answer) => {
        asked.push(clock.now());
        return exec.start(command, answer);
      },
    };
    const ports = { clock: runClock, exec: watched, journal, pods, store, hold: firmHold, ...execOnly };
    const run = startRun(request, ports);
    // What is left to wait for ever is canceled, and what never answers dropped.
    clock.setTimer(random.chance(0.2) ? random.time(20_000) : HORIZON_MS / 2, () => run.cancel());
    clock.setTimer(HORIZON_MS / 2 + 10_000, () => run.drop());
    let done: Awaited<typeof run.done> | undefined;
    void run.done.then((result) => {
      done = result;
    });
    await clock.runUntilWithPromises(HORIZON_MS);
    if (done === undefined) throw new Error('R2 is broken: the run has no end');
    checkReport(request, store, done, { asked, givenUpAt: HORIZON_MS / 2, late: world.latestTimerMs });
  } catch (error) {
    broken = error instanceof Error ? (/^R\d/.test(error.message) ? error.message : error.stack) : String(error);
  }
  return { broken, log: world.log ?? [] };
}
