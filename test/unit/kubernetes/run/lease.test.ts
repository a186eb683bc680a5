import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { later } from '../../../../shared/core/model/instant.ts';
import type { HeldLease, LeaseClient } from '../../../../shared/kubernetes/run/lease.ts';
import { holderOf, LEASE_MS, takeLease } from '../../../../shared/kubernetes/run/lease.ts';
import type { Clock } from '../../../../shared/ports/ports.ts';
import { FakeApi, refusal } from '../../../sim/fake-api.ts';
import { Random } from '../../../sim/random.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';

function bench() {
  const clock = new VirtualClock();
  const api = new FakeApi(clock, new Random(1));
  const restore = { namespace: 'velero', name: 'nightly', uid: 'u' };
  const place = (holder: string, runID = 'run1') => ({ restore, runID, holder });
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    let isOver = false;
    const noted = promise.finally(() => {
      isOver = true;
    });
    noted.catch(() => undefined);
    for (let until: number = clock.now(); !isOver; until += 500) await clock.runUntilWithPromises(until);
    return noted;
  };
  /** A runner that can be cut off from the API server. */
  const runner = () => {
    const self = { reaches: true, answersAfterMs: 0, refuses: undefined as number | undefined };
    const guard = <T>(work: () => Promise<T>): Promise<T> =>
      self.reaches ? work() : Promise.reject(new RestoreHooksError('CLUSTER_UNREACHABLE', 'cut off'));
    const client: LeaseClient = {
      get: (path) => guard(() => api.calm.get(path)),
      create: (path, object) => guard(() => api.calm.create(path, object)),
      patch: (path, body, type) =>
        guard(async () => {
          if (self.refuses !== undefined) throw refusal(self.refuses, 'Refused', 'no', 'restorehooks-nightly');
          const answer = await api.calm.patch(path, body, type);
          if (self.answersAfterMs > 0)
            await new Promise<void>((resolve) => clock.setTimer(self.answersAfterMs, resolve));
          return answer;
        }),
    };
    return { self, client };
  };
  /** Moves the virtual clock, which stops when nothing is scheduled. */
  const pass = (ms: number): Promise<void> => {
    const until = clock.now() + ms;
    clock.setTimer(ms, () => undefined);
    return clock.runUntilWithPromises(until);
  };
  const skewed = (ms: number): Clock => ({ ...methods(clock), now: () => later(clock.now(), ms) });
  return { clock, api, restore, place, settled, pass, runner, skewed };
}
const methods = (clock: VirtualClock) => ({
  setTimer: (ms: number, fire: () => void) => clock.setTimer(ms, fire),
  soon: (run: () => void) => clock.soon(run),
});

describe('a Lease', () => {
  test('is taken at once where it is free, and given back', async () => {
    const { clock, place, settled, runner, restore } = bench();
    const one = runner();
    const lease = (await settled(takeLease(one.client, clock, place('one')))) as HeldLease;
    assert.equal(lease.mayStart, true);
    assert.deepEqual(await settled(holderOf(one.client, clock, restore)), { name: 'one', runID: 'run1' });
    await settled(lease.release());
    const from = clock.now();
    assert.equal(await settled(holderOf(one.client, clock, restore)), undefined);
    assert.ok(await settled(takeLease(one.client, clock, place('two', 'run2'))));
    assert.ok(clock.now() - from <= 1_000);
  });

  test('of a living runner of another run is refused, with its name', async () => {
    const { clock, place, settled, runner } = bench();
    await settled(takeLease(runner().client, clock, place('one')));
    await assert.rejects(settled(takeLease(runner().client, clock, place('two', 'run2'))), {
      code: 'RUN_BY_ANOTHER',
      message: 'Restore nightly is being worked on by one (run run1); nothing is started',
    });
  });

  // R6.11
  test('is never held by two, whatever their clocks say: who is cut off stops long before', async () => {
    const { clock, place, settled, runner, skewed } = bench();
    const one = runner();
    const held = (await settled(takeLease(one.client, skewed(-3_600_000), place('one')))) as HeldLease;
    await clock.runUntilWithPromises(clock.now() + 20_000);
    one.self.reaches = false;
    const cutAt = clock.now();
    let stoppedAt: number | undefined;
    const watch = (): void => {
      if (!held.mayStart) stoppedAt ??= clock.now();
      else clock.setTimer(100, watch);
    };
    watch();
    const two = (await settled(takeLease(runner().client, skewed(7_200_000), place('two')))) as HeldLease;
    assert.equal(two.mayStart, true);
    assert.ok(stoppedAt !== undefined && stoppedAt - cutAt <= 10_100, `${stoppedAt}`);
    assert.ok(clock.now() - stoppedAt >= 4_000, `${clock.now() - stoppedAt} ms between the two`);
    const lost: string[] = [];
    held.onLost(({ code }) => lost.push(code));
    one.self.reaches = true;
    await clock.runUntilWithPromises(clock.now() + 5_000);
    assert.deepEqual(lost, ['RUN_BY_ANOTHER']);
    assert.equal(held.mayStart, false);
  });

  // R6.12
  test('whose renewal is answered late starts nothing by it: somebody else may have it by then', async () => {
    const { clock, place, settled, pass, runner } = bench();
    const one = runner();
    const held = (await settled(takeLease(one.client, clock, place('one')))) as HeldLease;
    one.self.answersAfterMs = 30_000;
    await pass(12_000);
    let started = false;
    held.whenHeld(() => {
      started = true;
    });
    const two = (await settled(takeLease(runner().client, clock, place('two')))) as HeldLease;
    assert.equal(two.mayStart, true);
    const lost: string[] = [];
    held.onLost(({ code }) => lost.push(code));
    await pass(60_000);
    assert.deepEqual([started, held.mayStart, lost], [false, false, ['RUN_BY_ANOTHER']]);
  });

  test('whose renewals are answered late, and then in time, is held again', async () => {
    const { clock, place, settled, pass, runner } = bench();
    const one = runner();
    const held = (await settled(takeLease(one.client, clock, place('one')))) as HeldLease;
    one.self.answersAfterMs = 12_000;
    await pass(11_000);
    let started = false;
    held.whenHeld(() => {
      started = true;
    });
    one.self.answersAfterMs = 0;
    await pass(5_000);
    assert.equal(started, false);
    await pass(2_000);
    assert.deepEqual([started, held.mayStart], [true, true]);
  });

  test('whose renewals are refused for good is lost, with the verb and the object', async () => {
    const { clock, place, settled, pass, runner } = bench();
    const one = runner();
    const held = (await settled(takeLease(one.client, clock, place('one')))) as HeldLease;
    const lost: string[] = [];
    held.onLost(({ code, message }) => lost.push(`${code}: ${message}`));
    one.self.refuses = 422;
    await pass(7_000);
    one.self.refuses = undefined;
    await pass(60_000);
    assert.deepEqual([lost, held.mayStart], [[], true], 'what is taken again in time is not lost');
    one.self.refuses = 422;
    await pass(60_000);
    assert.deepEqual(lost, ['RUN_FAILED: patch leases.coordination.k8s.io velero/restorehooks-nightly: no (HTTP 422)']);
    assert.equal(held.mayStart, false);
  });

  test('is not waited for in a namespace that is gone', async () => {
    const { clock, place, settled, runner } = bench();
    const { client } = runner();
    const gone = { ...client, create: () => Promise.reject(new RestoreHooksError('NOT_FOUND', 'no namespace velero')) };
    await assert.rejects(settled(takeLease(gone, clock, place('one'))), { code: 'NOT_FOUND' });
  });

  test('that could not be renewed for a while is held again when it is', async () => {
    const { clock, place, settled, runner } = bench();
    const one = runner();
    const held = (await settled(takeLease(one.client, clock, place('one')))) as HeldLease;
    one.self.reaches = false;
    await clock.runUntilWithPromises(clock.now() + LEASE_MS);
    let started = false;
    held.whenHeld(() => {
      started = true;
    });
    assert.equal(started, false);
    one.self.reaches = true;
    await clock.runUntilWithPromises(clock.now() + 2_000);
    assert.deepEqual([started, held.mayStart], [true, true]);
  });
});
