import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { InitHook } from '../../../shared/core/model/hook.ts';
import { podKey } from '../../../shared/core/model/hook.ts';
import { startRun } from '../../../shared/runtime/run.ts';
import { takesEvents } from '../../sim/exec-only.ts';
import { firmHold, forgetfulJournal } from '../../sim/forgetful-journal.ts';
import { pendingStatus } from '../../sim/run-world.ts';
import { VirtualClock } from '../../sim/virtual-clock.ts';
import { initHook } from './hooks.ts';

// R2.17, R6.19, R7.82
for (const why of ['cancel', 'deadline'] as const) {
  it(`the grace of a ${why} does not end a run between the deletion of a pod and its creation`, async () => {
    const clock = new VirtualClock();
    const hook: InitHook = { ...initHook('p'), injection: 'create' };
    const seen = { createdAt: undefined as number | undefined, endedAt: undefined as number | undefined };
    const wishes = async () => (why === 'cancel' && clock.now() > 2_000 ? { cancel: { graceMs: 5_000 } } : {});
    const deadline = why === 'deadline' ? { deadline: '1970-01-01T00:00:03.000Z' } : {};
    const status = { ...pendingStatus(1), ...deadline };
    const run = startRun(
      { hooks: [hook], kept: [], status, maxConcurrent: 4, keepRestorePhase: false, formerPhase: undefined },
      {
        clock,
        hold: firmHold,
        journal: forgetfulJournal,
        exec: { start: () => assert.fail('there is no command') },
        events: takesEvents,
        logs: { read: (_, read) => read({}) },
        creator: {
          // The old pod is deleted, and takes its time to go.
          create: (_, answer) => {
            clock.setTimer(80_000, () => {
              seen.createdAt = clock.now();
              answer({ created: true, uid: 'new' });
            });
          },
        },
        pods: {
          start: (tell) => {
            const containers = { main: { running: true, ready: true } };
            const pod = {
              key: podKey('ns', 'p'),
              uid: 'p-uid',
              phase: 'Running' as const,
              containers,
              initContainers: {},
            };
            tell({ type: 'podObserved', pod });
            tell({ type: 'podsListed' });
            return () => undefined;
          },
        },
        store: {
          annotate: wishes,
          checkRestore: wishes,
          addToReport: async () => 1,
          setRestorePhase: async () => undefined,
        },
      },
    );
    void run.done.then(() => {
      seen.endedAt = clock.now();
    });
    await clock.runUntilWithPromises(300_000);
    assert.ok(seen.createdAt !== undefined && seen.endedAt !== undefined, JSON.stringify(seen));
    assert.ok(seen.endedAt >= seen.createdAt, JSON.stringify(seen));
  });
}
