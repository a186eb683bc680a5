import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Pod } from '../../../../shared/core/model/pod.ts';
import { parseRestore, parseRestoreHooks } from '../../../../shared/core/model/restore.ts';
import { plannedHook } from '../../../../shared/core/plan/make-plan-document.ts';
import { nothingToRun } from '../../../../shared/core/plan/nothing-to-run.ts';
import { parsePlanDocument } from '../../../../shared/core/plan/parse-plan-document.ts';
import type { PlanInput } from '../../../../shared/core/plan/plan-restore-hooks.ts';
import { planRestoreHooks } from '../../../../shared/core/plan/plan-restore-hooks.ts';
import { planRun, refuseWhileBusy } from '../../../../shared/core/plan/plan-run.ts';

const entry = (name: string, command: string, exec: object = {}) => ({
  name,
  postHooks: [{ exec: { command: [command], ...exec } }],
});
function restoreOf(resources: object[], status?: object) {
  const parsed = parseRestore({
    metadata: { name: 'r1', namespace: 'velero' },
    spec: { hooks: { resources } },
    status,
  });
  return parsed.ok ? parsed.value : assert.fail(JSON.stringify(parsed.problems));
}
function hooksFileOf(resources: object[]) {
  const parsed = parseRestoreHooks({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks', spec: { resources } });
  return parsed.ok ? parsed.value.spec.resources : assert.fail(JSON.stringify(parsed.problems));
}
const podOf = (name: string, annotations: Record<string, string> = {}, namespace = 'shop') =>
  Pod.parse({
    metadata: { name, namespace, uid: `uid-${name}`, annotations },
    spec: { containers: [{ name: 'a' }, { name: 'b' }] },
  });
const OURS = { 'post.hook.restorehooks.io/command': 'ours' };
const VELEROS = { 'post.hook.restore.velero.io/command': 'veleros' };
const commands = (input: PlanInput) => planRestoreHooks(input).hooks.map(({ command = [] }) => command.join(' '));
const codes = (input: PlanInput) => planRestoreHooks(input).notices.map(({ code }) => code);

// R1.19, R1.20
test('the first of the four sources that says anything is taken, what it hides is a notice', () => {
  const restore = restoreOf([entry('s', 'spec')]);
  const hookFiles = hooksFileOf([entry('f', 'file')]);
  assert.deepEqual(commands({ restore, pods: [podOf('p', { ...OURS, ...VELEROS })], hookFiles }), ['ours']);
  assert.deepEqual(commands({ restore, pods: [podOf('p', VELEROS)], hookFiles }), ['veleros']);
  assert.deepEqual(commands({ restore, pods: [podOf('p')], hookFiles }), ['file']);
  assert.deepEqual(commands({ restore, pods: [podOf('p')] }), ['spec']);
  assert.deepEqual(codes({ restore, pods: [podOf('p', { ...OURS, ...VELEROS })] }), [
    'annotation-hides-hooks',
    'annotation-hides-hooks',
  ]);
});

// R1.21
test('what Velero has run is left out, and is a notice; ours is planned', () => {
  const restore = restoreOf([entry('s', 'spec')]);
  const guarded = { restore, withoutVelerosHooks: true };
  assert.deepEqual(commands({ ...guarded, pods: [podOf('p', { ...OURS, ...VELEROS })] }), ['ours']);
  assert.deepEqual(commands({ ...guarded, pods: [podOf('p', VELEROS)] }), []);
  assert.deepEqual(codes({ ...guarded, pods: [podOf('p')] }), ['velero-has-run']);
  const hookFiles = hooksFileOf([entry('f', 'file')]);
  assert.deepEqual(commands({ ...guarded, pods: [podOf('p', VELEROS)], hookFiles }), ['file']);
});

// R7.24
test('IDs hold encoded parts, and a repeated one gets ~2', () => {
  const twice = restoreOf([entry('a/b c', 'one'), entry('a/b c', 'two'), entry('a/b c', 'three')]);
  assert.deepEqual(
    planRestoreHooks({ restore: twice, pods: [podOf('p')] }).hooks.map(({ id }) => id),
    ['shop/p/a/a%2Fb%20c/0', 'shop/p/a/a%2Fb%20c/0~2', 'shop/p/a/a%2Fb%20c/0~3'],
  );
});

// R7.24
test('IDs of one plan are never the same, whatever the names', () => {
  const name = fc.string({ unit: fc.constantFrom('a', '~', '2', '0', '/', '%', 'F', ' ', '\n'), maxLength: 4 });
  fc.assert(
    fc.property(fc.array(name, { maxLength: 6 }), (names) => {
      const restore = restoreOf(names.map((each) => entry(each, 'c')));
      const ids = planRestoreHooks({ restore, pods: [podOf('p')] }).hooks.map(({ id }) => id);
      assert.equal(new Set(ids).size, names.length);
    }),
  );
});

// R3.13
test('the plan is the same in whatever order the pods come', () => {
  const restore = restoreOf([
    entry('x', 'one', { container: 'b' }),
    entry('y', 'two'),
    entry('z', 'three', { container: 'b' }),
  ]);
  const pods = ['p1', 'p10', 'p2'].flatMap((name) => [
    podOf(name),
    podOf(name, VELEROS, 'other'),
    podOf(name, OURS, 'Z'),
  ]);
  const plan = planRestoreHooks({ restore, pods });
  assert.deepEqual(
    plan.hooks.slice(-3).map(({ namespace, pod, container }) => `${namespace}/${pod}/${container}`),
    ['shop/p2/b', 'shop/p2/b', 'shop/p2/a'],
  );
  fc.assert(
    fc.property(fc.shuffledSubarray(pods, { minLength: pods.length }), (shuffled) => {
      assert.deepEqual(planRestoreHooks({ restore, pods: shuffled }), plan);
    }),
  );
});

const exec = (timeouts: object) => {
  const { hooks, notices } = planRestoreHooks({ restore: restoreOf([entry('x', 'c', timeouts)]), pods: [podOf('p')] });
  const [hook] = hooks;
  assert.ok(hook?.kind === 'exec');
  return [hook?.execTimeoutMs, hook?.execTimeoutFrom, hook?.waitTimeoutMs, hook?.waitTimeoutFrom, notices[0]?.code];
};

// R3.1, R3.6
test('each timeout says where it comes from', () => {
  assert.deepEqual(exec({}), [30_000, 'default', null, 'default', undefined]);
  assert.deepEqual(exec({ execTimeout: '0s' }), [30_000, 'default', null, 'default', undefined]);
  assert.deepEqual(exec({ execTimeout: '-1s' }), [null, 'spec', null, 'default', 'exec-timeout-unlimited']);
  assert.deepEqual(exec({ waitTimeout: '0s' }), [30_000, 'default', null, 'spec', 'wait-timeout-zero']);
  assert.deepEqual(exec({ waitTimeout: '-1s' }), [30_000, 'default', null, 'spec', 'wait-timeout-negative']);
  assert.deepEqual(exec({ execTimeout: '1m30s', waitTimeout: '5m' }), [90_000, 'spec', 300_000, 'spec', undefined]);
});

const request = (options: object = {}, status?: object) => ({
  restore: restoreOf([entry('x', 'one'), entry('y', 'two')], status),
  namespace: 'velero',
  pods: [podOf('p1'), podOf('p2')],
  selector: { labelSelector: 'l=r1' },
  rerun: false,
  only: [],
  ...options,
});

// R1.23
test('--only takes hook IDs, pods and namespace/pods, and refuses what is neither', () => {
  const count = (...only: string[]) => planRun(request({ only })).hooks.length;
  assert.deepEqual(
    [count(), count('p1'), count('shop/p2'), count('shop/p1/a/x/0'), count('p1', 'p2')],
    [4, 2, 2, 1, 4],
  );
  assert.throws(() => count('p1', 'p3'), { code: 'INVALID_ARGUMENT' });
});

// R1.26
test('a Restore that Velero works on is refused, unless forced', () => {
  for (const phase of ['New', 'InProgress', 'WaitingForPluginOperations', 'Finalizing', 'FinalizingPartiallyFailed']) {
    const restore = restoreOf([], { phase });
    assert.throws(() => refuseWhileBusy(restore, false), { code: 'RUN_BY_ANOTHER' });
    refuseWhileBusy(restore, true);
  }
  for (const phase of ['Completed', 'PartiallyFailed', 'Failed', '']) refuseWhileBusy(restoreOf([], { phase }), false);
});

// R1.15, R1.21, R1.30
test('nothing to run is exit 9 after Velero, 8 where no pod matched, and nothing else', () => {
  const code = (options: object, status?: object, allowNoMatch = false) => {
    const asked = request(options, status);
    return nothingToRun(planRun(asked), asked, allowNoMatch)?.code;
  };
  const worked = { phase: 'Completed', startTimestamp: '2026-01-01T00:00:00Z' };
  assert.equal(code({}), undefined);
  assert.equal(code({}, worked), 'RUN_BY_ANOTHER');
  assert.equal(code({ rerun: true }, worked), undefined);
  assert.equal(code({}, { hookStatus: { hooksAttempted: 1 } }), 'RUN_BY_ANOTHER');
  assert.equal(code({ pods: [] }), 'NO_POD_MATCHED');
  assert.equal(code({ pods: [] }, undefined, true), undefined);
  assert.equal(code({ pods: [], restore: restoreOf([]) }), 'NO_POD_MATCHED', 'annotations are not known');
  assert.equal(code({ restore: restoreOf([]) }), undefined);
});

// R6.30, R7.6
test('a plan that is written and read is the same plan; one that was changed is refused', () => {
  const { hooks, document } = planRun(request());
  const read = parsePlanDocument(JSON.parse(JSON.stringify(document)));
  assert.ok(read.ok);
  assert.deepEqual(read.value.hooks.map(plannedHook), hooks);
  const changed = structuredClone(document);
  changed.hooks[0]?.command?.push('more');
  assert.equal(parsePlanDocument(changed).ok, false);
  assert.equal(parsePlanDocument({ ...document, notices: [] }).ok, true);
});

test('any timeout survives a plan document', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e12 }), (us) => {
      const restore = restoreOf([entry('x', 'c', { execTimeout: `${us}us`, waitTimeout: `${us}us` })]);
      const { hooks, document } = planRun(request({ restore }));
      assert.deepEqual(document.hooks.map(plannedHook), hooks);
    }),
  );
});

test('what lint calls an error of a hook is a notice, with its rule', () => {
  const restore = restoreOf([{ name: 's', postHooks: [{ exec: { command: ['sh', '-c', 'cat', '-u', 'x'] } }] }]);
  const annotated = podOf('q', {
    'post.hook.restore.velero.io/command': '["a",',
    'post.hook.restore.velero.io/onerror': 'Fail',
    'pre.hook.backup.velero.io/comand': 'x',
  });
  const { notices, hooks } = planRestoreHooks({ restore, pods: [podOf('p'), annotated] });
  assert.equal(hooks.length, 2);
  assert.deepEqual(
    notices
      .filter(({ code }) => code === 'lint-error')
      .map(({ pod, message }) => [pod, /\(([a-z-]+)\)$/.exec(message)?.[1]]),
    [
      [undefined, 'shell-arguments'],
      ['q', 'annotation-key-unknown'],
      ['q', 'command-json-invalid'],
    ],
  );
});
