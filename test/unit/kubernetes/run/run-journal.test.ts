import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KubernetesJournal } from '../../../../shared/kubernetes/run/journal.ts';
import { readRunJournal } from '../../../../shared/kubernetes/run/run-journal.ts';
import { createBoard, KubernetesShardBoard } from '../../../../shared/kubernetes/run/shard-board.ts';
import { FakeApi } from '../../../sim/fake-api.ts';
import { Random } from '../../../sim/random.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';

const RESTORE = { namespace: 'velero', name: 'nightly', uid: 'u' };
const HEAD = { runID: 'abcdef', planDigest: 'sha256:1', hooks: 0 };
const OF = 3;

/** A run of three shards, of which only the first one has a journal. */
async function begun(withoutPods: readonly number[]) {
  const clock = new VirtualClock();
  const { calm } = new FakeApi(clock, new Random(1));
  const head = { ...HEAD, shard: { index: 0, of: OF }, withoutPods };
  await KubernetesJournal.take(calm, clock, { restore: RESTORE, head }, [], undefined);
  const place = { restore: RESTORE, runID: HEAD.runID };
  return {
    read: () => readRunJournal(calm, RESTORE, HEAD, OF),
    board: () => createBoard(calm, place, OF),
    take: (index: number) => KubernetesShardBoard.take(calm, clock, place, { index, of: OF }),
  };
}

// R8.48
describe('the journals of a run in shards', () => {
  it('are whole without that of a shard which no runner has taken', async () => {
    const { read, board, take } = await begun([]);
    await board();
    assert.equal((await read())?.batches, 1);
    await take(2);
    await assert.rejects(read(), /its shard 2 is gone/);
  });

  it('are whole without that of a shard which has no pods, also where the board is gone', async () => {
    assert.equal((await (await begun([1, 2])).read())?.batches, 1);
    await assert.rejects((await begun([1])).read(), /its shard 2 is gone/);
  });
});
