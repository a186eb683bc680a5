import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { podKey } from '../../../../shared/core/model/hook.ts';
import { shardOfPods, shardsWithoutPods, shareOf } from '../../../../shared/core/model/shard.ts';

const pods = Array.from({ length: 1_000 }, (_, index) => ({
  namespace: 'shop',
  pod: `web-${index}`,
  podUID: `3f0c51e2-${String(index).padStart(4, '0')}-4d0b-9a4f-0123456789ab`,
}));

// R8.41
describe('the shard of a pod', () => {
  it('is the same for everybody, whatever else the plan has', () => {
    const all = shardOfPods(pods, 7);
    const few = shardOfPods(pods.slice(500).reverse(), 7);
    for (const [key, shard] of few) assert.equal(all.get(key), shard);
    const known = ['web-0', 'web-1', 'web-2'].map((pod) => all.get(podKey('shop', pod)));
    assert.deepEqual(known, [0, 2, 4], 'a run that an older version began is gone on with');
  });

  it('spreads pods evenly', () => {
    const counts = Map.groupBy(shardOfPods(pods, 8).values(), (shard) => shard);
    assert.equal(counts.size, 8);
    for (const [shard, ofShard] of counts) assert.ok(ofShard.length > 90 && ofShard.length < 160, `${shard}`);
  });

  it('is that of the pod for all its hooks, also where only some know its UID', () => {
    const [{ podUID: _, ...unknown } = { podUID: '', namespace: '', pod: '' }, ...others] = pods;
    const known = pods.slice(0, 1);
    const expected = shardOfPods(known, 64);
    assert.deepEqual(shardOfPods([unknown, ...known], 64), expected);
    assert.equal(shardOfPods([unknown, ...others], 64).size, 1_000);
  });
});

// R8.41
it('the shards without pods are told, but never the first one', () => {
  assert.deepEqual(shardsWithoutPods(pods, 8), []);
  const [, , third = { namespace: '', pod: '' }] = pods;
  assert.deepEqual(shardOfPods([third], 7), new Map([[podKey('shop', 'web-2'), 4]]));
  assert.deepEqual(shardsWithoutPods([third], 7), [1, 2, 3, 5, 6]);
});

// R8.44
it('the shards share a limit, and none gets nothing', () => {
  const shares = (limit: number, of: number) => Array.from({ length: of }, (_, index) => shareOf(limit, { index, of }));
  assert.deepEqual(shares(64, 3), [22, 21, 21]);
  assert.deepEqual(shares(4, 4), [1, 1, 1, 1]);
});
