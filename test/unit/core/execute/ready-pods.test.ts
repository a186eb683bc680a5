import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { ReadyPods } from '../../../../shared/core/execute/ready-pods.ts';
import type { PodIndex } from '../../../../shared/core/model/position.ts';

it('takes the lowest index first, and holds each index once', () => {
  const added = fc.array(fc.nat({ max: 20 }));
  fc.assert(
    fc.property(added, added, (some, more) => {
      const ready = new ReadyPods();
      for (const index of some) ready.add(index as PodIndex);
      const first = ready.takeFirst();
      for (const index of more) ready.add(index as PodIndex);
      const expected = new Set([...some.filter((index) => index !== first), ...more]);
      assert.equal(ready.size, expected.size);
      const taken = Array.from(expected, () => ready.takeFirst());
      assert.deepEqual([first, taken], [some.length === 0 ? undefined : Math.min(...some), sorted(expected)]);
      assert.equal(ready.takeFirst(), undefined);
    }),
  );
});

const sorted = (indexes: Iterable<number>): number[] => [...indexes].sort((a, b) => a - b);
