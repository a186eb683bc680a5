import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decideApply } from '../../../../shared/core/ledger/decide-apply.ts';
import { decideRetry, rowsToRetry } from '../../../../shared/core/ledger/decide-retry.ts';
import type { Decision } from '../../../../shared/core/ledger/decision.ts';
import type { Ledger } from '../../../../shared/core/ledger/ledger.ts';
import type { HookId } from '../../../../shared/core/model/hook.ts';
import type { ResultFields } from '../../../../shared/core/report/run-document.ts';
import { about, hook, ids, journal, ledger, row, run } from './world.ts';

const one = hook('one');
const two = hook('two');
const same = { digest: 'sha256:1', hooks: [one] };
const other = { digest: 'sha256:9', hooks: [one, two] };

const started = (decision: Decision) => {
  assert.equal(decision.action, 'start');
  return decision as Decision & { action: 'start' };
};
/** What `apply` runs of these hooks. */
const runs = (known: Ledger, plan = other, options = {}): string[] => {
  const kept = new Set(started(decideApply(known, plan, options)).kept.map(({ hook: { id } }) => id as string));
  return ids(plan.hooks.filter(({ id }) => !kept.has(id)));
};

describe('apply', () => {
  test('starts where nothing has run', () => {
    assert.deepEqual(runs(ledger([])), ['one', 'two']);
  });

  // R6.21
  test('follows a run of the same plan, and refuses beside any other', () => {
    const going = ledger([run(1, [row(one, 1, { state: 'Running' })])], 'going');
    assert.equal(decideApply(going, same).action, 'follow');
    assert.equal(decideApply(going, other).action, 'refuse');
    assert.equal(decideApply(going, same, { again: true }).action, 'refuse');
    const unwritten = ledger([run(1, [row(one, 1, { state: 'Running' })])], 'going', { annotated: false });
    assert.equal(decideApply(unwritten, same).action, 'refuse', 'there is no status to follow');
  });

  // R6.22, R6.24
  test('shows a run of the same plan that has ended, with its annotation or without, and starts over when asked', () => {
    for (const annotated of [true, false]) {
      const ended = ledger([run(1, [row(one, 1)])], 'ended', { annotated });
      assert.equal(decideApply(ended, same).action, 'show');
      assert.deepEqual(runs(ended, same, { again: true }), ['one']);
    }
  });

  // R6.22
  test('starts anew where nothing was executed, and where the last run could not start', () => {
    assert.deepEqual(runs(ledger([run(1, [row(one, 1, { state: 'NotExecuted', reason: 'canceled' })])]), other), [
      'one',
      'two',
    ]);
    const never = run(2, [], { planDigest: 'sha256:1', isReported: false, journal: undefined, wasClaimed: false });
    assert.deepEqual(runs(ledger([run(1, [row(one, 1)]), never]), same), [], 'kept, in a run that can say so');
  });

  // R3.48
  test('counts the starts of the hooks that it runs again, over all runs', () => {
    const waited = row(one, 2, { state: 'TimedOut', reason: 'waiting', attempt: 2 });
    const failed = row(two, 2, { state: 'Failed', reason: 'exit', exitCode: 3, attempt: 3 });
    const known = ledger([run(2, [waited, failed])]);
    assert.deepEqual(started(decideApply(known, other)).starts, { [one.id]: 1 });
    assert.deepEqual(started(decideApply(known, other, { again: true })).starts, { [one.id]: 1, [two.id]: 3 });
    const canceled = row(one, 1, { state: 'NotExecuted', reason: 'canceled' });
    assert.deepEqual(started(decideApply(ledger([run(1, [canceled])]), other)).starts, {});
    const { rows } = rowsToRetry(known);
    const retried = started(decideRetry(known, rows, () => true, 'fail'));
    assert.deepEqual(retried.starts, { [one.id]: 1, [two.id]: 3 });
  });

  test('shows the last run where another plan has its hooks and nothing to run', () => {
    const both = [row(one, 1), row(two, 1, { state: 'Failed', reason: 'exit', exitCode: 3 })];
    assert.equal(decideApply(ledger([run(1, both)]), other).action, 'show');
    assert.deepEqual(runs(ledger([run(1, [row(one, 1), row(two, 1, { state: 'TimedOut', reason: 'waiting' })])])), [
      'two',
    ]);
  });

  test('judges anew what the last run did where another plan has other rules for it', () => {
    const failed = row(one, 1, { state: 'Failed', reason: 'exit', exitCode: 3 });
    const strict = { digest: 'sha256:9', hooks: [hook('one', { onError: 'Fail' })] };
    const decision = started(decideApply(ledger([run(1, [failed])]), strict));
    assert.deepEqual(
      decision.kept.map(({ state, hook: of }) => [state, of.kind === 'exec' && of.onError]),
      [['Failed', 'Fail']],
    );
  });

  test('keeps what succeeded in any earlier run', () => {
    assert.deepEqual(runs(ledger([run(1, [row(one, 1)]), run(2, [row(two, 2)])])), []);
  });

  // R6.1.4
  test('leaves to retry what was executed without success, and runs what was never started', () => {
    const left: Partial<ResultFields>[] = [
      { state: 'Failed', reason: 'exit', exitCode: 1 },
      { state: 'TimedOut', reason: 'executing' },
      { state: 'Unknown', reason: 'connection-lost' },
    ];
    for (const result of left) assert.deepEqual(runs(ledger([run(1, [row(one, 1, result)])])), ['two'], result.reason);
    const never: Partial<ResultFields>[] = [
      { state: 'NotExecuted', reason: 'aborted' },
      { state: 'NotExecuted', reason: 'canceled' },
      { state: 'NotExecuted', reason: 'pod-deleted' },
      { state: 'TimedOut', reason: 'waiting' },
    ];
    for (const result of never) {
      assert.deepEqual(runs(ledger([run(1, [row(one, 1, result)])])), ['one', 'two'], result.reason);
    }
  });

  // R6.23
  test('says what is new to all runs, what has changed, and what the last run had', () => {
    const gone = hook('gone');
    const known = ledger([run(1, [row(one, 1)]), run(2, [row(hook('two', { podUID: 'v' }), 2), row(gone, 2)])]);
    const plan = { digest: 'sha256:9', hooks: [one, two, hook('three')] };
    assert.deepEqual(started(decideApply(known, plan)).difference, [
      '~ ns/p/a/two/0 (another pod)',
      '+ ns/p/a/three/0',
      '- ns/p/a/gone/0',
    ]);
  });

  // R6.26
  test('starts nothing where it is not known what a run did', () => {
    const begun = new Map([[0, { phase: 'begun', tries: 1, at: 0 } as const]]);
    const lost = run(1, [], { planned: 1, journal: journal({ hooks: begun }) });
    assert.equal(decideApply(ledger([lost]), other).action, 'unclear');
    assert.deepEqual(runs(ledger([lost]), other, { again: true }), ['one', 'two']);
  });

  // R6.1.6
  test('holds a pod quiet for a command whose hook the plan has no more, and not another pod of that name', () => {
    const left = { state: 'Unknown', reason: 'connection-lost', startedAt: '1970-01-01T00:00:01.000Z' } as const;
    const known = ledger([run(1, [row(one, 1, left)])]);
    const quiet = [{ namespace: 'ns', pod: 'p', until: '1970-01-01T00:00:31.000Z' }];
    assert.deepEqual(started(decideApply(known, { digest: 'sha256:9', hooks: [two] })).quiet, quiet);
    const moved = { digest: 'sha256:9', hooks: [hook('two', { podUID: 'v' })] };
    assert.deepEqual(started(decideApply(known, moved)).quiet, []);
    assert.deepEqual(started(decideApply(known, other, { again: true })).quiet, []);
  });
});

describe('apply after a runner that died', () => {
  const begun = { phase: 'begun', tries: 1, at: 500, startedAt: 600 } as const;
  const dead = (first: Partial<Parameters<typeof hook>[1]> = {}) =>
    run(1, [row(hook('one', first), 1, { state: 'Running' }), row(two, 1, { state: 'Waiting' })], {
      journal: journal({ hooks: new Map([[0, begun]]), batches: 7 }),
    });
  const plan = { digest: 'sha256:1', hooks: [one, two] };

  test('runs what never started, keeps what may have run, and fences the run off', () => {
    const known = ledger([dead()], 'died');
    assert.deepEqual(runs(known, plan), ['two']);
    const takesOver = { runID: 'run1', planDigest: 'sha256:1', hooks: 2, batches: 7 };
    assert.deepEqual(started(decideApply(known, plan)).takesOver, takesOver);
  });

  test('runs it again with --on-unknown=rerun, and says since when it may be running', () => {
    const decision = started(decideApply(ledger([dead()], 'died'), plan, { onUnknown: 'rerun' }));
    assert.deepEqual(decision.lost, [{ id: one.id, since: '1970-01-01T00:00:00.600Z' }]);
    assert.deepEqual(decision.kept, []);
  });

  test('starts nothing beside a Fail hook that may have failed, unless the plan is another', () => {
    const known = ledger([dead({ onError: 'Fail' })], 'died');
    const fail = { digest: 'sha256:1', hooks: [hook('one', { onError: 'Fail' }), two] };
    assert.equal(decideApply(known, fail).action, 'write-down-dead-run');
    assert.deepEqual(runs(known, { ...fail, digest: 'sha256:9' }), ['two']);
  });
});

// R3.88
describe('a detached command whose runners are all dead', () => {
  const backup = hook('one', { detach: true, onError: 'Fail' });
  const begun = { phase: 'begun', tries: 1, at: 500, startedAt: 600, podUID: 'u', containerID: 'c' } as const;
  const known = { podUID: 'u', containerID: 'c', startedAt: '1970-01-01T00:00:00.600Z' };
  const attached = [{ id: backup.id, key: `run1/${backup.id}/3`, ...known }];
  const plan = { digest: 'sha256:1', hooks: [backup, two] };
  const dead = (record: object = begun, part = {}) =>
    run(1, [row(backup, 1, { state: 'Running', attempt: 3 }), row(two, 1, { state: 'Waiting' })], {
      journal: journal({
        hooks: new Map([[0, record]]) as never,
        starts: new Map([[0, 2]]),
      }),
      ...part,
    });

  test('is attached to by apply and by retry, whatever --on-unknown says, and stops nothing', () => {
    for (const onUnknown of ['fail', 'rerun'] as const) {
      const ledgerNow = ledger([dead()], 'died');
      const { rows } = rowsToRetry(ledgerNow);
      const applied = started(decideApply(ledgerNow, plan, { onUnknown }));
      for (const decision of [applied, started(decideRetry(ledgerNow, rows, () => true, onUnknown))]) {
        const { begun: attaching, kept, lost, quiet, starts } = decision;
        assert.deepEqual({ attaching, kept, lost, quiet }, { attaching: attached, kept: [], lost: [], quiet: [] });
        assert.deepEqual(starts, { [backup.id]: 2 }, 'its start goes on');
      }
    }
  });

  test('is attached to by its first key where a run that had attached to it has died, too', () => {
    const first = dead();
    const second = run(2, [row(backup, 2, { state: 'Running', attempt: 3 })], {
      journal: journal({ hooks: new Map([[0, { ...begun, key: `run1/${backup.id}/3` }]]) as never }),
    });
    const { begun: attaching } = started(decideApply(ledger([first, second], 'died'), plan));
    assert.deepEqual(attaching, attached);
  });

  test('keeps its pod quiet for a plan that does not have its hook', () => {
    const decision = started(decideApply(ledger([dead()], 'died'), { digest: 'sha256:9', hooks: [two] }));
    assert.deepEqual(decision.begun, []);
    assert.equal(decision.quiet.length, 1);
  });

  // R3.63
  test('with runOn is left to retry where the plan has chosen another pod since', () => {
    const inPod = (pod: string) =>
      hook('one', { id: `ns/${pod}/a/one/0` as HookId, pod, podUID: `u-${pod}`, detach: true, runOn: 'one' });
    const [earlier, chosen] = [inPod('p'), inPod('q')];
    const died = run(1, [row(earlier, 1, { state: 'Running' })], {
      journal: journal({ hooks: new Map([[0, begun]]) as never }),
    });
    const ledgerNow = ledger([died], 'died');
    const decision = decideApply(ledgerNow, { digest: 'sha256:9', hooks: [chosen] });
    assert.ok(decision.action === 'refuse' && decision.instead === 'retry');
    assert.match(decision.why, /ns\/p\/a\/one\/0, started by run 1, .* in ns\/p, and the plan has chosen ns\/q/);
    const { begun: attaching } = started(decideRetry(ledgerNow, rowsToRetry(ledgerNow).rows, () => true, 'fail'));
    assert.deepEqual(
      attaching.map(({ id }) => id),
      [earlier.id],
    );
  });

  // R3.82
  test('with runOn is Unknown where its pod was replaced, and what else is planned for the new one runs', () => {
    const inPod = (name: string, podUID: string) => hook(name, { podUID, detach: true, runOn: 'one' });
    const died = run(1, [row(inPod('one', 'u'), 1, { state: 'Running' })], {
      journal: journal({ hooks: new Map([[0, begun]]) as never }),
    });
    const hooks = [inPod('one', 'v'), hook('two', { podUID: 'v' })];
    const { kept, begun: attaching, quiet } = started(decideApply(ledger([died], 'died'), { digest: 'x', hooks }));
    assert.deepEqual([attaching, quiet], [[], []]);
    assert.deepEqual(
      kept.map(({ hook: of, state, reason }) => [of.name, of.podUID, state, reason]),
      [['one', 'v', 'Unknown', 'pod-replaced']],
    );
  });

  // R3.88
  test('holds up nothing once a run that has attached to it tells its end', () => {
    for (const end of [{}, { state: 'Failed', reason: 'exit', exitCode: 3 }] as const) {
      const second = run(2, [
        row(backup, 2, { attempt: 3, ...end }),
        row(two, 2, { state: 'Failed', reason: 'error' }),
      ]);
      const known = ledger([dead(), second]);
      assert.deepEqual(known.commandsLeft, []);
      assert.deepEqual(started(decideRetry(known, rowsToRetry(known).rows, () => true, 'fail')).quiet, []);
    }
    const again = run(2, [row(backup, 2, { attempt: 4 })]);
    assert.equal(ledger([dead(), again]).commandsLeft.length, 1, 'it was another start');
  });

  test('is Unknown where its journal is gone, and nobody knows of it with --again', () => {
    const gone = ledger([dead(begun, { journal: undefined })], 'died');
    assert.equal(decideApply(gone, plan).action, 'write-down-dead-run');
    assert.deepEqual(started(decideApply(ledger([dead()], 'died'), plan, { again: true })).begun, []);
  });
});

// R6.22, R6.23
test('apply takes up what has changed of the rules of hooks that have run', () => {
  const known = ledger([run(1, [row(one, 1, { state: 'Failed', reason: 'exit', exitCode: 1 })])]);
  const action = (change: object) => decideApply(known, { digest: 'x', hooks: [hook('one', change)] }).action;
  const retry = { attempts: 3, delayMs: 1_000, maxDelayMs: 1_000 };
  for (const change of [{ retry }, { wave: 3 }, { detach: true }, { execTimeoutMs: 1 }])
    assert.equal(action(change), 'start', JSON.stringify(change));
  assert.equal(action({}), 'show');
  const all = hook('one', { retry, wave: 3, detach: true, runOn: 'one' });
  const ran = ledger([run(1, [row(all, 1, { state: 'Failed', reason: 'exit', exitCode: 1 })])]);
  assert.equal(decideApply(ran, { digest: 'x', hooks: [all] }).action, 'show');
});

describe('retry', () => {
  const failed = { state: 'Failed', reason: 'exit', exitCode: 1 } as const;
  const retried = (known: Ledger, onUnknown: 'fail' | 'rerun' = 'fail', plan?: Parameters<typeof rowsToRetry>[1]) => {
    const { rows } = rowsToRetry(known, plan);
    const decision = decideRetry(known, rows, () => true, onUnknown);
    if (decision.action !== 'start') return decision.action;
    const kept = new Set(decision.kept.map(({ hook: of }) => of.id));
    return ids(rows.map(({ hook: of }) => of).filter(({ id }) => !kept.has(id)));
  };

  test('runs what did not succeed', () => {
    assert.deepEqual(retried(ledger([run(1, [row(one, 1), row(two, 1, failed)])])), ['two']);
    assert.equal(retried(ledger([run(1, [row(one, 1)])])), 'show');
  });

  // R3.25
  test('runs nothing of a pod that another one has replaced since, and all of that one', () => {
    const inPod = (name: string, podUID: string) => hook(name, { podUID });
    const known = ledger([
      run(1, [row(inPod('one', 'u'), 1, failed), row(inPod('two', 'u'), 1, failed)]),
      run(2, [row(inPod('two', 'v'), 2, failed)], { about: about({ narrowed: true }) }),
    ]);
    assert.deepEqual(retried(known), ['two']);
  });

  test('of a run that --only narrowed also takes what the run before it left', () => {
    const aborted = { state: 'NotExecuted', reason: 'aborted' } as const;
    const narrowed = run(2, [row(one, 2)], { about: about({ narrowed: true }) });
    const known = ledger([run(1, [row(one, 1, failed), row(two, 1, aborted)]), narrowed]);
    assert.deepEqual(retried(known), ['two']);
    const whole = run(2, [row(one, 2)]);
    assert.equal(
      retried(ledger([run(1, [row(one, 1, failed), row(two, 1, aborted)]), whole])),
      'show',
      'two was dropped',
    );
  });

  test('says of each hook since when its command may be running: nothing starts beside it', () => {
    const startedAt = '1970-01-01T00:00:00.500Z';
    const rows = [
      row(one, 1, { state: 'Unknown', reason: 'connection-lost', startedAt }),
      row(two, 1, { state: 'Unknown', reason: 'runner-died' }),
      row(hook('three'), 1, { state: 'TimedOut', reason: 'executing', startedAt }),
      row(hook('four'), 1, { state: 'Unknown', reason: 'canceled', startedAt }),
    ];
    const known = ledger([run(1, rows)]);
    assert.deepEqual(started(decideRetry(known, rows, () => true, 'fail')).lost, [
      { id: one.id, since: startedAt },
      { id: two.id, since: '1970-01-01T00:00:01.000Z' },
      { id: hook('four').id, since: startedAt },
    ]);
  });

  test('takes what a journal calls lost, and nobody began again, for what may have run', () => {
    const dead = (onError: 'Continue' | 'Fail', reported: number) => {
      const rows = [row(hook('one', { onError }), 1, { state: 'Waiting' }), row(two, 1, { state: 'Waiting' })];
      const known = journal({ lost: new Map([[0, 500]]) });
      const plan = { digest: 'sha256:1', hooks: rows.map(({ hook: of }) => of) };
      const part = { journal: known, planned: 2, planDigest: 'sha256:1' };
      return { known: ledger([run(1, rows.slice(0, reported), part)], 'died', { plan }), plan };
    };
    for (const reported of [2, 0]) {
      const { known, plan } = dead('Continue', reported);
      const states = known.runs.flatMap(({ rows }) => rows.map(({ state }) => state));
      assert.equal(states[0], 'Unknown', `${reported} rows reported`);
      assert.deepEqual(retried(known, 'fail', plan), ['two']);
      const failing = dead('Fail', reported);
      assert.equal(retried(failing.known, 'fail', failing.plan), 'write-down-dead-run');
    }
  });

  test('leaves what may have run when the runner died, also once that is written down', () => {
    const rows = [row(one, 1, { state: 'Unknown', reason: 'runner-died' }), row(two, 1, failed)];
    const ended = (code: 'job' | 'error') => ledger([run(1, rows)], 'ended', { failure: { code, message: '' } });
    assert.deepEqual(retried(ended('job')), ['two']);
    assert.deepEqual(retried(ended('job'), 'rerun'), ['one', 'two']);
    assert.deepEqual(retried(ended('error')), ['one', 'two']);
  });

  test('leaves what may have run when the runner died, and all else beside it where that is a Fail hook', () => {
    const begun = new Map([[0, { phase: 'begun', tries: 1, at: 0 } as const]]);
    const dead = (onError: 'Continue' | 'Fail') =>
      ledger(
        [
          run(1, [row(hook('one', { onError }), 1, { state: 'Running' }), row(two, 1, { state: 'Waiting' })], {
            journal: journal({ hooks: begun }),
          }),
        ],
        'died',
      );
    assert.deepEqual(retried(dead('Continue')), ['two']);
    assert.deepEqual(retried(dead('Continue'), 'rerun'), ['one', 'two']);
    assert.equal(retried(dead('Fail')), 'write-down-dead-run');
    assert.deepEqual(retried(dead('Fail'), 'rerun'), ['one', 'two']);
  });
});
