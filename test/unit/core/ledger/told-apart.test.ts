import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRun } from '../../../../shared/core/execute/state.ts';
import { decideApply } from '../../../../shared/core/ledger/decide-apply.ts';
import { decideRetry, rowsToRetry } from '../../../../shared/core/ledger/decide-retry.ts';
import type { Decision, Starting } from '../../../../shared/core/ledger/decision.ts';
import type { Ledger } from '../../../../shared/core/ledger/ledger.ts';
import type { ExecHook, Hook, HookId } from '../../../../shared/core/model/hook.ts';
import { podKey } from '../../../../shared/core/model/hook.ts';
import { instant, parseInstant } from '../../../../shared/core/model/instant.ts';
import { Pod } from '../../../../shared/core/model/pod.ts';
import { parseRestore, parseRestoreHooks } from '../../../../shared/core/model/restore.ts';
import { planRestoreHooks } from '../../../../shared/core/plan/plan-restore-hooks.ts';
import type { EndedRow, HookRow } from '../../../../shared/core/report/hook-row.ts';
import { about, hook, ids, journal, ledger, row, run } from './world.ts';

const one = hook('one');
const two = hook('two');

function started(decision: Decision): Starting {
  assert.equal(decision.action, 'start', JSON.stringify(decision));
  return decision as Starting;
}

const retried = (known: Ledger): Starting => started(decideRetry(known, rowsToRetry(known).rows, () => true, 'fail'));
const hooksOf = (rows: readonly HookRow[]): readonly Hook[] => rows.map(({ hook: each }) => each);

/** Which of these hooks are run. */
function toRun(hooks: readonly ExecHook[], decision: Decision): string[] {
  const kept = new Set('kept' in decision ? hooksOf(decision.kept).map(({ id }) => id) : hooks.map(({ id }) => id));
  return ids(hooks.filter(({ id }) => !kept.has(id)));
}

// R6.1.6, R6.4: a lost command keeps quiet the pod that it may run in, and no other.
describe('the pod of a command whose end nobody saw', () => {
  const inPod = (pod: string, podUID: string, name = 'one', part: Partial<ExecHook> = {}): ExecHook =>
    hook(name, { id: `ns/${pod}/a/${name}/0` as HookId, pod, podUID, execTimeoutMs: null, ...part });
  const lost = { state: 'Unknown', reason: 'connection-lost', startedAt: '1970-01-01T00:00:01.000Z' } as const;

  /** Until when the pods of these hooks are kept quiet by a run that begins so. */
  function quietUntil(hooks: readonly Hook[], { kept, lost: again, quiet }: Starting): (number | undefined)[] {
    const ended = kept.map((each) => {
      const { hook: of, run: _, attempt: __, startedAt, finishedAt = instant(0), ...outcome } = each as EndedRow;
      const state = { phase: 'Ended', outcome, endedAt: finishedAt, ...(startedAt !== undefined && { startedAt }) };
      return [of.id, state] as never;
    });
    const pods = quiet.map(({ namespace, pod, until }) => [podKey(namespace, pod), parseInstant(until ?? '')] as never);
    const made = createRun(hooks, {
      startedAt: instant(100_000),
      maxConcurrent: 4,
      ended: new Map(ended),
      quiet: new Map(pods),
      resumed: {
        ...{ ended: new Map(), tries: new Map(), waitingSince: new Map(), wasTaken: false },
        lost: new Map(again.map(({ id, since }) => [id as HookId, parseInstant(since) ?? instant(0)])),
      },
    });
    return made.pods.map((pod) => pod.quietUntil);
  }

  for (const [what, pod] of [
    ['another pod', 'q'],
    ['another pod of that name', 'p'],
  ] as const) {
    const before = inPod('p', 'u', 'one', { runOn: 'one' });
    const now = inPod(pod, 'v', 'one', { runOn: 'one' });
    const beside = inPod(pod, 'v', 'two');
    const known = ledger([run(1, [row(before, 1, lost)])], 'ended', { now: 50_000 });
    const applied = () => started(decideApply(known, { digest: 'x', hooks: [now, beside] }));

    it(`is not ${what} that runOn has chosen since, for apply`, () => {
      assert.deepEqual(quietUntil([now, beside], applied()), [undefined]);
    });

    it(`is not ${what} that runOn has chosen since, for retry`, () => {
      const second = run(2, [...applied().kept, row(beside, 2)]);
      const after = ledger([...known.records, second], 'ended', { now: 60_000 });
      assert.deepEqual(quietUntil(hooksOf(rowsToRetry(after).rows), retried(after)), [undefined]);
    });
  }

  it('is not the one that has replaced it', () => {
    const old = hook('one', { podUID: 'u', execTimeoutMs: null });
    const failed = row(hook('two', { podUID: 'v' }), 2, { state: 'Failed', reason: 'exit', exitCode: 1 });
    const known = ledger(
      [
        run(1, [row(old, 1, lost), row(hook('two', { podUID: 'u' }), 1)]),
        run(2, [failed], { about: about({ narrowed: true }) }),
      ],
      'ended',
      { now: 50_000 },
    );
    assert.deepEqual(quietUntil(hooksOf(rowsToRetry(known).rows), retried(known)), [undefined]);
  });

  // R3.88
  it('is free once the end of a detached command was seen, also if the later plan does not detach it any more', () => {
    const detached = hook('one', { detach: true, execTimeoutMs: null });
    const begun = { phase: 'begun', tries: 1, at: 500, startedAt: 600, podUID: 'u', containerID: 'c' } as const;
    const died = run(1, [row(detached, 1, { state: 'Running' })], {
      journal: journal({ hooks: new Map([[0, begun]]) }),
    });
    const plain = hook('one', { execTimeoutMs: null });
    assert.equal(started(decideApply(ledger([died], 'died'), { digest: 'x', hooks: [plain] })).begun.length, 1);
    const after = ledger([died, run(2, [row(plain, 2)])]);
    assert.deepEqual(started(decideApply(after, { digest: 'y', hooks: [plain, two] })).quiet, []);
  });
});

// R6.22
it('apply starts a new run of the same plan where the last one has executed nothing', () => {
  for (const result of [
    { state: 'NotExecuted', reason: 'canceled' },
    { state: 'NotExecuted', reason: 'aborted' },
    { state: 'NotExecuted', reason: 'pod-deleted' },
    { state: 'TimedOut', reason: 'waiting' },
  ] as const) {
    const last = run(1, [row(one, 1, result)]);
    const never = run(2, [], { planDigest: 'sha256:1', isReported: false, journal: undefined, wasClaimed: false });
    for (const runs of [[last], [last, never]]) {
      const decision = decideApply(ledger(runs), { digest: 'sha256:1', hooks: [one] });
      assert.deepEqual(toRun([one], decision), ['one'], result.reason);
    }
  }
});

// R6.25
it('a second retry leaves what may have run when the runner of an earlier run died', () => {
  const begun = new Map([[0, { phase: 'begun', tries: 1, at: 0 } as const]]);
  const rows = [row(one, 1, { state: 'Running' }), row(two, 1, { state: 'Waiting' })];
  const first = run(1, rows, { journal: journal({ hooks: begun }) });
  const { kept } = retried(ledger([first], 'died'));
  const second = run(2, [...kept, row(two, 2, { state: 'Failed', reason: 'exit', exitCode: 1 })]);
  assert.deepEqual(ids(hooksOf(retried(ledger([first, second])).kept)), ['one']);
});

// R6.6
it('apply --on-unknown=rerun runs nothing beside a Fail hook that failed in the dead run', () => {
  const fail = hook('fail', { onError: 'Fail' });
  const failed = row(fail, 1, { state: 'Failed', reason: 'exit', exitCode: 1 });
  const rows = [row(one, 1, { state: 'Running' }), failed, row(two, 1, { state: 'Waiting' })];
  const begun = { phase: 'begun', tries: 1, at: 500, startedAt: 600 } as const;
  const died = ledger([run(1, rows, { journal: journal({ hooks: new Map([[0, begun]]) }) })], 'died');
  const decision = decideApply(died, { digest: 'sha256:1', hooks: [one, fail, two] }, { onUnknown: 'rerun' });
  assert.equal(decision.action, 'write-down-dead-run');
});

// R6.26
it('rows that were kept from earlier runs do not make up for rows of a run that are gone', () => {
  const first = run(1, [row(one, 1), row(two, 1)]);
  const done = { phase: 'ended', outcome: { state: 'Succeeded', exitCode: 0 }, startedAt: 1, endedAt: 2 } as const;
  const second = run(2, [row(one, 1), row(two, 1)], {
    ...{ planDigest: 'sha256:two', planned: 3 },
    journal: journal({ hooks: new Map([[2, done]]) }),
  });
  const plan = { digest: 'sha256:new', hooks: [one, two, hook('three'), hook('four')] };
  assert.equal(decideApply(ledger([first, second]), plan).action, 'unclear');
});

// R3.63
describe('a hook with runOn that has succeeded, of two entries of one name', () => {
  const parsed = parseRestore({ metadata: { name: 'r1', namespace: 'velero' }, spec: {} });
  const restore = parsed.ok ? parsed.value : assert.fail();
  const pod = (name: string, labels: Record<string, string>): Pod =>
    Pod.parse({
      metadata: { name, namespace: 'shop', uid: `uid-${name}`, labels },
      spec: { containers: [{ name: 'a' }] },
    });
  const first = pod('db-0', { app: 'db' });
  const second = pod('db-1', { app: 'db', tier: 'x' });
  const entry = (command: string, matchLabels: Record<string, string>, runOn?: string) => ({
    ...{ name: 'migrate', labelSelector: { matchLabels }, postHooks: [{ exec: { command: [command] } }] },
    ...(runOn && { runOn }),
  });

  /** What apply runs of these entries once other pods are there. */
  function again(resources: readonly object[], then: readonly Pod[], now: readonly Pod[]): string[] {
    const file = parseRestoreHooks({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks', spec: { resources } });
    const hookFiles = file.ok ? file.value.spec.resources : assert.fail(JSON.stringify(file.problems));
    const before = planRestoreHooks({ restore, pods: then, hookFiles }).hooks;
    const hooks = planRestoreHooks({ restore, pods: now, hookFiles }).hooks as ExecHook[];
    const known = ledger([
      run(
        1,
        before.map((each) => row(each, 1)),
      ),
    ]);
    return toRun(hooks, decideApply(known, { digest: 'x', hooks }));
  }

  const both = [entry('one', { app: 'db' }, 'one'), entry('two', { tier: 'x' }, 'one')];

  it('is kept where both choose one pod by now', () => {
    assert.deepEqual(again(both, [first, second], [second]), []);
  });

  it('is kept where they choose one pod no more', () => {
    assert.deepEqual(again(both, [second], [first, second]), []);
  });

  it('is kept beside a namesake without runOn', () => {
    const plain = entry('plain', { app: 'db', tier: 'x' });
    assert.deepEqual(again([plain, entry('once', { app: 'db' }, 'one')], [first, second], [second]), []);
  });
});
