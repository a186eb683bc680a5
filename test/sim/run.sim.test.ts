import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecHook, HookId, PodKey } from '../../shared/core/model/hook.ts';
import type { PodSource, RunStore } from '../../shared/ports/ports.ts';
import { startRun } from '../../shared/runtime/run.ts';
import { size } from '../size.ts';
import { execOnly } from './exec-only.ts';
import { firmHold, forgetfulJournal } from './forgetful-journal.ts';
import { pendingStatus, playRun } from './run-world.ts';
import { VirtualClock } from './virtual-clock.ts';

/**
 * What always holds of how a run is told of, each with the rule of docs/contract.md that it checks:
 *
 * - T1 While it goes on the Restore is annotated at most once a second, and a refused write is tried again (R5.11).
 * - T2 The last annotations are those of the end, and hold the counts of the rows (R5.11, R4.7).
 * - T3 The report's parts, joined, are the rows (R5.13); there are at most 200 of them (R5.14).
 * - T4 A Restore that is gone stops the run: nothing starts, what waits is aborted, its phase is `Failed` (R5.2).
 * - T5 `PartiallyFailed` moves the Restore's own phase, `keepRestorePhase` leaves it (R5.5), a later success moves it back
 *      (R5.6).
 * - T6 The same seed gives the same story: the executor takes no time and no chance but those that it is given.
 * - T7 Once a cancel is seen nothing starts (R6.18), and what runs is dropped when its grace is over, counted from then
 *      (R6.19).
 * - T8 Once the deadline has passed nothing starts, what runs has its grace, and a run that has hooks left then ends
 *      `Failed` (R7.82).
 */
const worlds = size(150, 10_000, 'SIM_RUN_SEEDS');
const seed = process.env['SIM_SEED'];

test(`no world breaks what is promised of the report (${worlds.title})`, { skip: seed !== undefined }, async () => {
  for (let each = 1; each <= worlds.count; each += 1) {
    const { broken } = await playRun(each);
    assert.equal(broken, undefined, `seed ${each}; to see it: SIM_SEED=${each} node --test test/sim/run.sim.test.ts`);
  }
});

test('the same seed gives the same story', { skip: seed !== undefined }, async () => {
  for (let each = 1; each <= 10; each += 1) {
    const { log } = await playRun(each, { logged: true });
    assert.ok(log.length > 0);
    assert.deepEqual((await playRun(each, { logged: true })).log, log);
  }
});

test('one world, with its log', { skip: seed === undefined }, async (t) => {
  const { broken, log } = await playRun(Number(seed), { logged: true });
  for (const line of log) t.diagnostic(line);
  assert.equal(broken, undefined);
});

test('a run of two days is reported at most 200 times, and to its end', { skip: seed !== undefined }, async () => {
  const clock = new VirtualClock();
  const key = 'ns/p' as PodKey;
  const hook: ExecHook = {
    id: 'ns/p/a/h/0' as HookId,
    kind: 'exec',
    namespace: 'ns',
    pod: 'p',
    container: 'a',
    source: 'spec',
    origin: 'velero',
    name: 'h',
    index: 0,
    command: ['true'],
    onError: 'Continue',
    execTimeoutMs: 30_000,
    execTimeoutFrom: 'default',
    waitTimeoutMs: 2 * 86_400_000,
    waitTimeoutFrom: 'spec',
    waitForReady: false,
  };
  const writes: number[] = [];
  const store: RunStore = {
    annotate: () => Promise.resolve({}),
    addToReport: () => Promise.resolve(writes.push(clock.now())),
    setRestorePhase: () => Promise.resolve(),
    checkRestore: () => Promise.resolve({}),
  };
  const pods: PodSource = {
    start(tell) {
      // Each sight says another reason, so there is always something to report.
      let stopped = false;
      const see = (serial: number): void => {
        if (stopped) return;
        const a = { running: false, ready: false, reason: `Reason${serial}` };
        tell({ type: 'podObserved', pod: { key, uid: 'u', phase: 'Pending', containers: { a } } });
        clock.setTimer(11_000, () => see(serial + 1));
      };
      see(0);
      return () => {
        stopped = true;
      };
    },
  };
  const exec = { start: () => assert.fail('nothing is up') };
  const journal = { ...forgetfulJournal, intent: () => assert.fail('nothing is up') };
  const request = {
    hooks: [hook],
    kept: [],
    status: pendingStatus(1),
    maxConcurrent: 64,
    keepRestorePhase: false,
    formerPhase: undefined,
  };
  const run = startRun(request, { clock, exec, journal, pods, store, hold: firmHold, ...execOnly });
  await clock.runUntilWithPromises(3 * 86_400_000);
  const { status } = await run.done;
  assert.equal(status.phase, 'CompletedWithFailures');
  assert.ok(writes.length > 100 && writes.length <= 200, `${writes.length} reports`);
  assert.equal(writes.at(-1), hook.waitTimeoutMs);
});
