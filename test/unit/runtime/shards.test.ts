import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../shared/core/errors.ts';
import { createRun } from '../../../shared/core/execute/state.ts';
import { instant } from '../../../shared/core/model/instant.ts';
import type { RunStatus } from '../../../shared/core/report/run-status.ts';
import type { ShardStatus } from '../../../shared/core/report/shard-status.ts';
import { unbegunShards } from '../../../shared/core/report/shard-status.ts';
import { Course } from '../../../shared/runtime/course.ts';
import { RunWrites } from '../../../shared/runtime/run-writes.ts';
import { ShardLink, Standings } from '../../../shared/runtime/shards.ts';
import { RunWishes } from '../../../shared/runtime/wishes.ts';
import { Writes } from '../../../shared/runtime/writes.ts';
import { pendingStatus } from '../../sim/run-world.ts';
import { VirtualClock } from '../../sim/virtual-clock.ts';
import { execHook } from './hooks.ts';

/** The second shard of two: its link to the other, and what it tells. */
function bench() {
  const clock = new VirtualClock();
  const hooks = [execHook('p')];
  const run = createRun(hooks, { startedAt: instant(0), maxConcurrent: 1 });
  const tell = (): void => undefined;
  const wishes = new RunWishes(run, clock, tell);
  const course = new Course(run, clock, { tell, stop: tell }, wishes);
  const writes = new RunWrites(new Writes(clock, tell), course);
  const standing = unbegunShards({ hooks, kept: [] }, 2);
  const standings = new Standings({ index: 1, standing, waves: [], openPods: 1, ifUntaken: () => [] });
  const told: ShardStatus[] = [];
  const self = { refuses: undefined as RestoreHooksError | undefined, asked: 0 };
  const board = {
    tell(own: ShardStatus) {
      self.asked += 1;
      if (self.asked > 1_000) throw new Error('it tells again and again');
      if (self.refuses !== undefined) return Promise.reject(self.refuses);
      told.push(own);
      return Promise.resolve(new Map());
    },
    read: () => Promise.resolve(new Map()),
    endUntaken: () => Promise.resolve(new Map()),
  };
  const hold = { whenDurable: (durable: (isDurable: boolean) => void) => durable(true) };
  const link = new ShardLink(standings, { clock, run, board, hold, course, writes, wishes, tell, wasCanceled: false });
  let looks = 0;
  const reporter = (running: number) => ({
    statusNow(): RunStatus {
      looks += 1;
      if (looks > 1_000) throw new Error('it looks again and again');
      const counts = { ...pendingStatus(1).counts, running, waiting: 1 - running };
      return { ...pendingStatus(1), counts };
    },
    noteChange: tell,
  });
  return { clock, link, run, course, told, self, reporter };
}

describe('a shard that could not tell how it stands', () => {
  it('tells it again, also where it stands again as it had told last', async () => {
    const { clock, link, told, self, reporter } = bench();
    await link.tell(reporter(0).statusNow());
    self.refuses = new RestoreHooksError('CLUSTER_UNREACHABLE', 'out of reach');
    await assert.rejects(link.tell(reporter(1).statusNow()));
    self.refuses = undefined;
    const listening = link.listen(reporter(0));
    await clock.runUntilWithPromises(5_000);
    link.stop();
    await clock.runUntilWithPromises(10_000);
    await listening;
    // The write that failed may have been made all the same.
    assert.deepEqual(
      told.map(({ counts }) => counts.running),
      [0, 0],
    );
  });

  it('asks once a second where it is refused', async () => {
    const { clock, link, self, reporter, run } = bench();
    await link.tell(reporter(0).statusNow());
    self.refuses = new RestoreHooksError('DENIED', 'a webhook refuses it');
    run.stop = { reason: 'aborted', message: 'a hook failed' };
    link.stepped();
    const listening = link.listen(reporter(1));
    await clock.runUntilWithPromises(20_000);
    link.stop();
    await clock.runUntilWithPromises(30_000);
    await listening;
    assert.ok(self.asked > 5 && self.asked <= 22, `${self.asked} requests`);
  });

  it('stops where another runner has the run by then', async () => {
    const { clock, link, self, reporter, run, course } = bench();
    await link.tell(reporter(0).statusNow());
    self.refuses = new RestoreHooksError('RUN_BY_ANOTHER', 'taken');
    run.stop = { reason: 'aborted', message: 'a hook failed' };
    link.stepped();
    const listening = link.listen(reporter(1));
    await clock.runUntilWithPromises(5_000);
    await listening;
    assert.equal(course.lost?.code, 'RUN_BY_ANOTHER');
  });
});
