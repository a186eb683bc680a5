import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noCounts } from '../../../../shared/core/execute/state.ts';
import type { ShardStatus } from '../../../../shared/core/report/shard-status.ts';
import { createBoard, KubernetesShardBoard, readBoard } from '../../../../shared/kubernetes/run/shard-board.ts';
import { FakeApi } from '../../../sim/fake-api.ts';
import { Random } from '../../../sim/random.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';

const PLACE = { restore: { namespace: 'velero', name: 'nightly', uid: 'u' }, runID: 'abcdef' };
const status = (reportParts: number, ended?: true): ShardStatus => ({
  ...(ended && { ended }),
  counts: noCounts(1),
  failures: [],
  reportParts,
  told: { waveEnds: [] },
});

/** A board of three shards, as an API server has it that answers everything. */
async function boardOfThree() {
  const clock = new VirtualClock();
  const { calm } = new FakeApi(clock, new Random(1));
  await createBoard(calm, PLACE, 3);
  return {
    take: async (index: number) => (await KubernetesShardBoard.take(calm, clock, PLACE, { index, of: 3 })).board,
    standing: async () => (await readBoard(calm, PLACE))?.standing,
  };
}

// R8.43
describe('what the shards of a run tell each other', () => {
  it('is one status of each, and the answer to each write has those of all', async () => {
    const { take } = await boardOfThree();
    const [first, second] = [await take(0), await take(1)];
    await first.tell(status(1));
    await second.tell(status(2));
    assert.deepEqual(
      await first.tell(status(3)),
      new Map([
        [0, status(3)],
        [1, status(2)],
      ]),
    );
    assert.deepEqual(await second.read(), await first.read());
  });

  it('is not written by a runner whose shard another one has taken', async () => {
    const { take, standing } = await boardOfThree();
    const [former, next] = [await take(1), await take(1)];
    await assert.rejects(former.tell(status(1)), { code: 'RUN_BY_ANOTHER' });
    await next.tell(status(2));
    assert.deepEqual(await standing(), new Map([[1, status(2)]]));
  });

  // R8.45
  it('is told for a shard that no runner has taken, and for no other', async () => {
    const { take, standing } = await boardOfThree();
    const [first] = [await take(0), await take(1)];
    for (const index of [1, 2]) await first.endUntaken(index, status(0, true));
    assert.deepEqual(await standing(), new Map([[2, status(0, true)]]));
    await (await take(2)).tell(status(1));
    assert.deepEqual(await standing(), new Map([[2, status(1)]]));
  });
});
