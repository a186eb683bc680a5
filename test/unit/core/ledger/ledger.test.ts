import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HookRecord } from '../../../../shared/core/journal/replay.ts';
import { decideApply } from '../../../../shared/core/ledger/decide-apply.ts';
import { rowsToRetry } from '../../../../shared/core/ledger/decide-retry.ts';
import { phaseOfRows } from '../../../../shared/core/ledger/last-run.ts';
import { resultOf, unclearRuns } from '../../../../shared/core/ledger/ledger.ts';
import { rowsOfDeadRun } from '../../../../shared/core/ledger/rows-of-run.ts';
import type { RunRecord } from '../../../../shared/core/ledger/run-record.ts';
import type { ExecHook, Hook } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import type { HookRow } from '../../../../shared/core/report/hook-row.ts';
import type { ResultFields } from '../../../../shared/core/report/run-document.ts';
import type { Plain } from '../plain.ts';
import { about, hook, journal, ledger, row, run } from './world.ts';

const one = hook('one');
const two = hook('two');
const stateOf = (found: HookRow | undefined) => found && [found.state, found.reason].filter(Boolean).join(' ');
const succeeded = {
  phase: 'ended',
  outcome: { state: 'Succeeded', exitCode: 0 },
  startedAt: 500,
  endedAt: 900,
} as const;

describe('the results', () => {
  // R6.1.1
  test('are those of all runs, the last one of each hook', () => {
    const known = ledger([
      run(1, [row(one, 1)]),
      run(2, [row(two, 2, { state: 'Failed', reason: 'exit', exitCode: 1 })]),
      run(3, [row(two, 3)]),
    ]);
    assert.deepEqual(
      [one, two].map((each) => resultOf(known, each)?.run),
      [1, 3],
    );
    assert.equal(known.attempts, 3);
  });

  // R6.1.1
  test('are of one pod and one command', () => {
    const known = ledger([run(1, [row(one, 1)])]);
    assert.equal(resultOf(known, hook('one', { podUID: 'another' })), undefined);
    assert.equal(resultOf(known, hook('one', { command: ['another'] })), undefined);
    assert.equal(stateOf(resultOf(known, hook('one', { onError: 'Fail', execTimeoutMs: 1 }))), 'Succeeded');
  });

  test('are not touched by a run that never began', () => {
    const never = run(2, [], { isReported: false, journal: undefined, wasClaimed: false, planned: 1 });
    const known = ledger([run(1, [row(one, 1)]), never]);
    assert.equal(known.runs.length, 1);
    assert.equal(known.last?.run, undefined);
    assert.equal(stateOf(resultOf(known, one)), 'Succeeded');
  });

  test('of a run whose report is gone are those of its journal, where a plan tells which hooks they are', () => {
    const lost = run(1, [], {
      planned: 2,
      journal: journal({ hooks: new Map([[0, succeeded]]) }),
      unreadable: ['gone'],
    });
    const plan = { digest: 'sha256:1', hooks: [one, two] };
    const known = ledger([lost], 'ended', { plan });
    assert.equal(stateOf(resultOf(known, one)), 'Succeeded');
    assert.equal(resultOf(known, two), undefined, 'never begun');
    assert.deepEqual(unclearRuns(known, [one, two]), []);
    // The report of another run with the same plan is enough.
    const retried = run(2, [row(one, 1), row(two, 2)], { planDigest: 'sha256:1' });
    assert.deepEqual(unclearRuns(ledger([lost, retried]), [one]), []);
  });

  test('of a run whose report and plan are gone are unclear, until a later run tells of the hook or starts all over', () => {
    const lost = run(1, [], { planned: 1, journal: journal({ hooks: new Map([[0, succeeded]]) }) });
    const other = { digest: 'sha256:9', hooks: [one] };
    assert.equal(unclearRuns(ledger([lost], 'ended', { plan: other }), [one]).length, 1);
    assert.equal(unclearRuns(ledger([lost, run(2, [row(one, 2)])]), [one]).length, 0);
    assert.equal(unclearRuns(ledger([lost, run(2, [row(one, 2)])]), [two]).length, 1);
    const over = run(2, [row(one, 2)], { about: about({ startedOver: true }) });
    assert.equal(unclearRuns(ledger([lost, over]), [two]).length, 0);
    const idle = run(1, [], { planned: 1, journal: journal() });
    assert.equal(unclearRuns(ledger([idle]), [one]).length, 0, 'its journal says that nothing was begun');
  });

  test('of half a report are not taken for those of another hook', () => {
    const failed = { phase: 'ended', outcome: { state: 'Failed', reason: 'exit', exitCode: 1 }, endedAt: 1 } as const;
    const half = run(1, [row(two, 1, { state: 'Waiting' })], {
      planned: 2,
      journal: journal({
        hooks: new Map<number, Plain<HookRecord>>([
          [0, failed],
          [1, succeeded],
        ]),
      }),
    });
    assert.equal(stateOf(resultOf(ledger([half]), two)), 'Unknown runner-died');
    const plan = { digest: 'sha256:1', hooks: [one, two] };
    assert.equal(stateOf(resultOf(ledger([half], 'ended', { plan }), two)), 'Succeeded');
  });
});

describe('commands that may still be running', () => {
  const lost = (part: Partial<ResultFields>): HookRow =>
    row(one, 1, { state: 'Unknown', reason: 'connection-lost', startedAt: '1970-01-01T00:00:01.000Z', ...part });

  test('are remembered whatever became of the hook, until their own execTimeout is over', () => {
    const records = [run(1, [lost({})]), run(2, [row(two, 2)])];
    assert.deepEqual(
      ledger(records, 'ended', { now: 30_999 }).commandsLeft.map(({ until }) => until),
      [31_000],
    );
    assert.deepEqual(ledger(records, 'ended', { now: 31_000 }).commandsLeft, []);
  });

  test('are for ever without a limit', () => {
    const endless = row(hook('one', { execTimeoutMs: null }), 1, { state: 'Unknown', reason: 'connection-lost' });
    const [left] = ledger([run(1, [endless])]).commandsLeft;
    assert.equal(left?.until, Number.POSITIVE_INFINITY);
  });

  test('of a dead run began before the next run did, not before somebody looks', () => {
    const begun = { phase: 'begun', tries: 1, at: 500 } as const;
    const dead = run(1, [row(one, 1, { state: 'Running' })], { journal: journal({ hooks: new Map([[0, begun]]) }) });
    const next = run(2, [row(two, 2)], { journal: journal({ claimedAt: 2_000 }) });
    assert.deepEqual(
      ledger([dead], 'died', { now: 20_000 }).commandsLeft.map(({ until }) => until),
      [50_000],
    );
    assert.deepEqual(
      ledger([dead, next], 'ended', { now: 20_000 }).commandsLeft.map(({ until }) => until),
      [32_000],
    );
  });

  test('are forgotten by who starts over: of all pods, or of those that --only names', () => {
    const over = (narrowed: boolean, pod = 'p') =>
      run(2, [row(hook('two', { pod }), 2)], { about: about({ startedOver: true, ...(narrowed && { narrowed }) }) });
    assert.equal(ledger([run(1, [lost({})]), over(false, 'q')]).commandsLeft.length, 0);
    assert.equal(ledger([run(1, [lost({})]), over(true, 'p')]).commandsLeft.length, 0);
    assert.equal(ledger([run(1, [lost({})]), over(true, 'q')]).commandsLeft.length, 1);
  });
});

test('an init container of which a dead runner has told nothing is Unknown: its pod may have run it', () => {
  const { command: _, onError: __, execTimeoutMs: ___, execTimeoutFrom: ____, waitForReady: _____, ...both } = one;
  const found: Hook = { ...both, kind: 'init', container: 'load', image: 'i', injection: 'found' };
  const waiting = [found, { ...found, injection: undefined, never: 'not-injected' as const }].map(
    (each): HookRow => ({ hook: each, state: 'Waiting', run: 1, attempt: 1 }),
  );
  assert.deepEqual(rowsOfDeadRun(waiting, journal(), true, instant(0)).map(stateOf), [
    'Unknown runner-died',
    'NotExecuted runner-died',
  ]);
});

test('nothing attaches to a detached command whose journal is gone, and its row promises it no more (R3.88)', () => {
  const running = [row(hook('load', { detach: true }), 1, { state: 'Running' })];
  const hooks = new Map([[0, { phase: 'begun', startedAt: 5 } as const]]);
  const saying = (told: ReturnType<typeof journal> | undefined) =>
    rowsOfDeadRun(running, told, true, instant(9))[0]?.message;
  assert.match(saying(journal({ hooks } as never)) ?? '', /apply and retry attach to it/);
  assert.equal(saying(undefined), 'the command may have been started, and nobody saw its end');
});

test('without a status the phase of a run is that of its rows', () => {
  const fail = hook('fail', { onError: 'Fail' });
  const of = (...rows: HookRow[]) => phaseOfRows(rows, 1);
  assert.equal(of(row(one, 1)), 'Completed');
  assert.equal(of(row(one, 1, { state: 'Failed', reason: 'exit', exitCode: 1 })), 'CompletedWithFailures');
  assert.equal(of(row(fail, 1, { state: 'Failed', reason: 'exit', exitCode: 1 })), 'PartiallyFailed');
  assert.equal(of(row(one, 1), row(fail, 1, { state: 'NotExecuted', reason: 'aborted' })), 'PartiallyFailed');
  assert.equal(of(row(fail, 1, { state: 'NotExecuted', reason: 'canceled' })), 'Canceled');
  assert.equal(of(row(one, 0, { state: 'Unknown', reason: 'canceled' })), 'CompletedWithFailures', 'of an earlier run');
});

test('a hook whose runner died in a pause between two starts has the result of its last start (R3.58)', () => {
  const waiting = [row(hook('h'), 1, { state: 'Waiting', attempt: 3 })];
  const last = { outcome: { state: 'Failed', reason: 'exit', exitCode: 7 }, startedAt: 5, endedAt: 10 } as const;
  const told = journal({
    hooks: new Map([[0, { phase: 'not-started', tries: 0, last }]]),
    starts: new Map([[0, 2]]),
  });
  const [died] = rowsOfDeadRun(waiting, told, true, instant(99));
  assert.ok(died?.state === 'Failed');
  assert.deepEqual([died.exitCode, died.attempt, died.startedAt, died.finishedAt], [7, 2, 5, 10]);
  assert.equal(died.message, 'the run was over before it was started again');
  const saying = (outcome: { readonly state: 'Failed' | 'TimedOut'; readonly reason: 'error' | 'executing' }) => {
    const hooks = new Map([[0, { phase: 'not-started', tries: 0, last: { ...last, outcome } } as const]]);
    const message = `waiting for attempt 3 of 5, at T: the last one ended Failed (error): no such command`;
    const rows = [row(hook('h'), 1, { state: 'Waiting', attempt: 3, message })];
    return rowsOfDeadRun(rows, journal({ hooks, starts: new Map([[0, 2]]) } as never), true, instant(99))[0]?.message;
  };
  assert.match(
    saying({ state: 'Failed', reason: 'error' }) ?? '',
    /^the run was over .* again; it was waiting for attempt .*: no such command$/,
  );
  assert.match(
    saying({ state: 'TimedOut', reason: 'executing' }) ?? '',
    /^its execTimeout .* is over; the run was over before it was started again$/,
  );
});

// R3.63
describe('a hook with runOn', () => {
  const inPod = (pod: string, part: Partial<ExecHook> = {}) =>
    hook('migrate', { id: `ns/${pod}/a/migrate/0` as ExecHook['id'], pod, podUID: `u-${pod}`, runOn: 'one', ...part });
  const first = run(1, [row(inPod('p'), 1)]);
  const failed = { state: 'Failed', reason: 'exit', exitCode: 1 } as const;
  const startedBy = (records: readonly RunRecord[], hooks: readonly Hook[], again = false) => {
    const decision = decideApply(ledger(records), { digest: 'sha256:9', hooks }, { again });
    return decision.action === 'start' ? decision : assert.fail(decision.action);
  };

  test('has one result in any pod, but not with another command or of another controller', () => {
    const before = ledger([first]);
    assert.equal(stateOf(resultOf(before, inPod('q'))), 'Succeeded');
    assert.equal(resultOf(before, inPod('q', { command: ['other'] })), undefined);
    assert.equal(resultOf(before, inPod('q', { runOn: undefined })), undefined);
    const ofController = (pod: string, controller: string) => inPod(pod, { runOn: 'one-per-controller', controller });
    const per = ledger([run(1, [row(ofController('p', 'ns/Deployment/web'), 1)])]);
    assert.equal(stateOf(resultOf(per, ofController('q', 'ns/Deployment/web'))), 'Succeeded');
    assert.equal(resultOf(per, ofController('q', 'ns/Deployment/api')), undefined);
  });

  test('has the last result that was executed, until its own pod tells that it was not', () => {
    const stateAfter = (...rows: HookRow[]) =>
      stateOf(resultOf(ledger([first, ...rows.map((each, at) => run(at + 2, [each]))]), inPod('r')));
    const never = { state: 'NotExecuted', reason: 'aborted' } as const;
    assert.equal(stateAfter(row(inPod('q'), 2, failed)), 'Failed exit');
    assert.equal(stateAfter(row(inPod('q'), 2, never)), 'Succeeded');
    assert.equal(stateAfter(row(inPod('q'), 2, failed), row(inPod('q'), 3, never)), 'NotExecuted aborted');
  });

  test('is run in another pod after its own could not run it again, and its starts are counted on (R3.48)', () => {
    const records = [
      run(1, [row(inPod('p'), 1, failed)]),
      run(2, [row(inPod('p'), 2, { state: 'NotExecuted', reason: 'pod-replaced', attempt: 2 })]),
    ];
    const { kept, starts } = startedBy(records, [inPod('q')]);
    assert.deepEqual([kept, starts], [[], { [inPod('q').id]: 1 }]);
  });

  test('has succeeded where it did after it had failed, also if that pod is chosen again', () => {
    const then = run(2, [row(inPod('q'), 2)]);
    const before = ledger([run(1, [row(inPod('p'), 1, failed)]), then]);
    assert.equal(stateOf(resultOf(before, inPod('p'))), 'Succeeded');
    const { kept, difference } = startedBy([run(1, [row(inPod('p'), 1, failed)]), then], [inPod('p'), hook('new')]);
    assert.deepEqual(kept.map(stateOf), ['Succeeded']);
    assert.equal(difference[0], '~ ns/p/a/migrate/0 (Succeeded in ns/q)');
  });

  test('is not that of another entry of its name', () => {
    assert.equal(resultOf(ledger([first]), inPod('q', { nthEntry: 2 })), undefined);
    const both = [row(inPod('p'), 1, failed), row(inPod('q', { nthEntry: 2 }), 1, failed)];
    assert.equal(rowsToRetry(ledger([run(1, both)])).rows.length, 2);
  });

  test('is kept by apply, which says in which pod it was; --again runs it', () => {
    const hooks = [inPod('q'), hook('new', { pod: 'q' })];
    const { kept, difference } = startedBy([first], hooks);
    assert.deepEqual(
      kept.map((each) => [each.hook.id, each.state, each.attempt]),
      [['ns/q/a/migrate/0', 'Succeeded', 1]],
    );
    assert.deepEqual(difference, ['~ ns/q/a/migrate/0 (Succeeded in ns/p)', '+ ns/p/a/new/0', '- ns/p/a/migrate/0']);
    assert.deepEqual(startedBy([first], hooks, true).kept, []);
  });

  test('that failed is left to retry, which runs it in the pod that was chosen last', () => {
    const { kept } = startedBy([run(1, [row(inPod('p'), 1, failed)])], [inPod('q'), hook('new')]);
    assert.deepEqual(kept.map(stateOf), ['Failed exit']);
    for (const narrowed of [undefined, true] as const) {
      const second = run(2, [...kept], { about: about({ attempt: 2, ...(narrowed && { narrowed }) }) });
      const next = ledger([run(1, [row(inPod('p'), 1, failed)]), second]);
      assert.deepEqual(
        rowsToRetry(next).rows.map((each) => each.hook.id),
        ['ns/q/a/migrate/0'],
      );
    }
  });
});
