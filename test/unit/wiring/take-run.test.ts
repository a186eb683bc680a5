import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../shared/core/errors.ts';
import { instant } from '../../../shared/core/model/instant.ts';
import { planDocument } from '../../../shared/core/plan/make-plan-document.ts';
import type { RunInput } from '../../../shared/core/report/run-input.ts';
import type { RunStatus } from '../../../shared/core/report/run-status.ts';
import { paths } from '../../../shared/kubernetes/api/paths.ts';
import { newStatus, versionOf } from '../../../shared/kubernetes/run/claim.ts';
import { readJournal } from '../../../shared/kubernetes/run/journal-reader.ts';
import { holderOf } from '../../../shared/kubernetes/run/lease.ts';
import { runStatusOf, writeStatus } from '../../../shared/kubernetes/run/run-store.ts';
import { getRestore } from '../../../shared/kubernetes/velero/restores.ts';
import type { RunToTake, TakenRun } from '../../../shared/wiring/take-run.ts';
import { journalPlace, takeRun } from '../../../shared/wiring/take-run.ts';
import { FakeApi } from '../../sim/fake-api.ts';
import { Random } from '../../sim/random.ts';
import { VirtualClock } from '../../sim/virtual-clock.ts';
import { execHook } from '../runtime/hooks.ts';

const reference = { namespace: 'velero', name: 'nightly', uid: 'u' };
const hooks = [execHook('p')];
const plan = planDocument({
  restore: reference,
  selector: { labelSelector: 'a=b' },
  hooks,
  skipped: [],
  notices: [],
});

/** A Restore whose run is written down, and runners that take it. */
function bench() {
  const clock = new VirtualClock();
  const api = new FakeApi(clock, new Random(1));
  const client = api.calm;
  api.put(paths.restores('velero', 'nightly'), {
    metadata: { ...reference },
    spec: {},
    status: { phase: 'Completed' },
  });
  /** Time goes on until it is answered: a Lease that is held is waited for. */
  const settled = async <T>(asked: Promise<T>): Promise<T> => {
    let isOver = false;
    const noted = asked.finally(() => {
      isOver = true;
    });
    noted.catch(() => undefined);
    const limit = clock.now() + 600_000;
    for (let until: number = clock.now(); !isOver; until += 500) {
      assert.ok(until <= limit, 'it is not answered in ten minutes');
      clock.setTimer(until - clock.now(), () => undefined);
      await clock.runUntilWithPromises(until);
    }
    return noted;
  };
  const input: RunInput = { plan, hooks, kept: [], pods: [] };
  const restore = () => settled(getRestore(client, 'velero', 'nightly'));
  const status = async () => runStatusOf(await restore());
  const write = async (runID: string, more: Partial<RunStatus> = {}) => {
    const now = await restore();
    const runner = { kind: 'local', name: 'me' } as const;
    const fresh = newStatus(now, {
      runID,
      planned: { document: plan },
      runner,
      options: { failOn: 'fail' },
      now: clock.now(),
    });
    await settled(writeStatus(client, versionOf(now, 'velero'), { ...fresh, ...more }));
  };
  const take = (runID: string, more: Partial<RunToTake> = {}) =>
    settled(
      takeRun(client, clock, {
        runID,
        input,
        claimant: { name: runID, id: runID },
        onUnknown: 'fail',
        unwritten: () => {
          throw new RestoreHooksError('RUN_FAILED', 'it is not written down');
        },
        ...more,
      }),
    );
  const taken = async (...args: Parameters<typeof take>): Promise<TakenRun> => {
    const run = await take(...args);
    assert.ok('lease' in run);
    return run;
  };
  const journal = (runID: string) => settled(readJournal(client, journalPlace(input, runID)));
  const holder = () => settled(holderOf(client, clock, reference));
  const released = (run: TakenRun) => settled(run.lease.release());
  return { clock, api, input, status, write, take, taken, journal, holder, released };
}

describe('taking a run', () => {
  it('takes its Lease and its journal, and then writes whose it is', async () => {
    const { status, write, taken, journal, holder } = bench();
    await write('one');
    const { runner, resumed } = await taken('one');
    assert.deepEqual([runner, resumed.wasTaken], [1, false]);
    assert.equal((await holder())?.runID, 'one');
    assert.equal((await journal('one'))?.replay.claims, 1);
    const { phase, runner: writtenRunner } = (await status()) ?? assert.fail();
    assert.deepEqual([phase, writtenRunner.claimedBy], ['InProgress', 'one']);
  });

  it('goes on from the journal of the runner before, which can write no more', async () => {
    const { write, taken, released } = bench();
    await write('one');
    const first = await taken('one');
    await released(first);
    const { runner, resumed } = await taken('one');
    assert.deepEqual([runner, resumed.wasTaken], [2, true]);
  });

  // R3.88
  it('attaches to the detached commands of a dead run, and so does its next runner', async () => {
    const { input, write, taken, released, clock } = bench();
    const [{ id }] = hooks as [(typeof hooks)[0]];
    const startedAt = '1970-01-01T00:00:00.000Z';
    const command = { key: `zero/${id}/1`, podUID: 'u', containerID: 'c' };
    const more = { input: { ...input, begun: [{ id, ...command, startedAt }] } };
    await write('one');
    const first = await taken('one', more);
    const known = { tries: 1, ...command, startedAt: instant(0) };
    assert.deepEqual(first.resumed.begun?.get(id), { ...known, since: clock.now() });
    await released(first);
    const second = await taken('one', more);
    assert.deepEqual([second.runner, { ...second.resumed.begun?.get(id), since: 0 }], [2, { ...known, since: 0 }]);
    assert.deepEqual(second.resumed.ended, new Map());
  });

  it('that has ended is answered with its status, and leaves the Restore free', async () => {
    const { write, take, holder } = bench();
    await write('one', { phase: 'Completed' });
    const run = await take('one');
    assert.ok('ended' in run);
    assert.deepEqual([run.ended.phase, await holder()], ['Completed', undefined]);
  });

  it('that nobody wrote down is written as `unwritten` says', async () => {
    const { status, taken, clock } = bench();
    const unwritten: RunToTake['unwritten'] = (restore) =>
      newStatus(restore, {
        runID: 'one',
        planned: { document: plan },
        runner: { kind: 'job', name: 'j' },
        options: { failOn: 'any' },
        now: clock.now(),
      });
    await taken('one', { unwritten });
    assert.deepEqual([(await status())?.runID, (await status())?.failOn], ['one', 'any']);
  });

  it('by a process that is asked to end takes nothing', async () => {
    const { write, take, journal, holder, status } = bench();
    await write('one');
    await assert.rejects(take('one', { signal: AbortSignal.abort() }), { code: 'INTERRUPTED' });
    assert.deepEqual(
      [await journal('one'), await holder(), (await status())?.phase],
      [undefined, undefined, 'Pending'],
    );
  });

  it('whose journal is gone is refused, since nobody knows what was run', async () => {
    const { write, take, holder } = bench();
    await write('one', { phase: 'InProgress', runner: { kind: 'local', name: 'me', claimedBy: 'dead' } });
    await assert.rejects(take('one'), { code: 'RUN_FAILED', message: /the journal of run one is gone/ });
    assert.equal(await holder(), undefined);
  });

  it('while another runner of it works waits, and gives up in time', async () => {
    const { clock, write, take, taken } = bench();
    await write('one');
    await taken('one');
    const giveUpAt = clock.now() + 30_000;
    await assert.rejects(take('one', { giveUpAt, claimant: { name: 'other', id: 'other' } }), { code: 'TIMEOUT' });
    assert.ok(clock.now() >= giveUpAt);
  });

  it('that takes over from a dead run closes its journal, unless that has gone on', async () => {
    const { write, taken, take, journal, released, input } = bench();
    await write('one');
    await released(await taken('one'));
    const batches = (await journal('one'))?.end.batches ?? assert.fail();
    const dead = { runID: 'one', planDigest: plan.digest, hooks: 1 };
    const after = (read: number): RunInput => ({ ...input, takesOver: { ...dead, batches: read } });
    await write('two', {});
    await assert.rejects(take('two', { input: after(batches - 1) }), {
      code: 'RUN_BY_ANOTHER',
      message: /has gone on/,
    });
    await write('two', {});
    await released(await taken('two', { input: after(batches) }));
    assert.equal((await journal('one'))?.replay.closedBy, 'two');
    await assert.rejects(take('one'), { code: 'RUN_BY_ANOTHER', message: /run two has taken over/ });
  });

  it('hands on what earlier runs may have left running, and journals it', async () => {
    const { write, taken, journal, input } = bench();
    await write('one');
    const lost = [{ id: execHook('p').id, since: '1970-01-01T00:00:01.000Z' }];
    const { resumed } = await taken('one', { input: { ...input, lost } });
    assert.deepEqual([...resumed.lost], [[execHook('p').id, 1_000]]);
    assert.deepEqual([...((await journal('one'))?.replay.lost ?? [])], [[0, 1_000]]);
  });
});
