import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pod } from '../../../../shared/core/model/pod.ts';
import { parseRestore } from '../../../../shared/core/model/restore.ts';
import { nothingToRun, refuseAfterGivingUp } from '../../../../shared/core/plan/nothing-to-run.ts';
import { planRun } from '../../../../shared/core/plan/plan-run.ts';
import { isOlder, withoutLabel, withoutLabelNotices } from '../../../../shared/core/plan/pods-of-restore.ts';
import { busyPhase, unreadableByVelero } from '../../../../shared/core/plan/velero.ts';

const CREATED = '2026-11-28T20:00:00Z';
const EARLIER = '2026-11-28T19:59:59Z';
const exec = (more: object = {}) => ({ exec: { command: ['x'], ...more } });

function restoreOf(spec: object = {}, status?: object) {
  const parsed = parseRestore({
    metadata: { name: 'r1', namespace: 'velero', creationTimestamp: CREATED },
    spec: { hooks: { resources: [{ name: 'h', postHooks: [exec()] }] }, ...spec },
    status,
  });
  return parsed.ok ? parsed.value : assert.fail(JSON.stringify(parsed.problems));
}

const R1: object = { 'velero.io/restore-name': 'r1' };
const podOf = (
  name: string,
  { labels = R1, owner = '', ...more }: Record<string, unknown> & { labels?: object; owner?: string } = {},
) =>
  Pod.parse({
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      creationTimestamp: CREATED,
      labels,
      ownerReferences: owner === '' ? [] : [{ kind: owner.split('/')[0], name: owner.split('/')[1], controller: true }],
      ...more,
    },
    spec: { containers: [{ name: 'main' }] },
  });

const request = (more: object = {}) => ({
  restore: restoreOf(),
  namespace: 'velero',
  pods: [podOf('p')],
  selector: { labelSelector: 'velero.io/restore-name=r1' },
  rerun: true,
  only: [],
  ...more,
});
const codes = (more: object) => planRun(request(more)).document.notices.map(({ code }) => code);

// R1.16
test('a pod of the same second is restored; one that is older by a second, or is no pod yet, is not asked', () => {
  const restore = restoreOf();
  assert.equal(isOlder(podOf('p'), restore), false);
  assert.equal(isOlder(podOf('p', { creationTimestamp: EARLIER }), restore), true);
  assert.equal(isOlder(podOf('p', { creationTimestamp: EARLIER, uid: undefined }), restore), false);
});

// R1.14
test('older pods take part where they are asked for, or selected by hand', () => {
  const pods = [podOf('old', { creationTimestamp: EARLIER }), podOf('new')];
  const planned = (more: object = {}) => planRun(request({ pods, ...more })).hooks.map(({ pod }) => pod);
  assert.deepEqual(planned(), ['new']);
  assert.deepEqual(planned({ includeExisting: true }), ['new', 'old']);
  assert.deepEqual(planned({ selector: { labelSelector: 'app=web' } }), ['new', 'old']);
  const asked = request({ pods: pods.slice(0, 1), only: ['nobody'] });
  assert.equal(nothingToRun(planRun(asked), asked, false)?.code, 'NO_POD_MATCHED');
});

// R1.17
test('pods of the same workload are told though they are older, others only where they are younger and nobody else has them', () => {
  const other = { 'velero.io/restore-name': 'r2' };
  const hash = (value: string, more: object = {}) => ({ 'pod-template-hash': value, ...more });
  const labelled = [
    podOf('web-1', { owner: 'ReplicaSet/web-aaa', labels: hash('aaa', { 'velero.io/restore-name': 'r1' }) }),
  ];
  const told = (...pods: Pod[]) => withoutLabel(restoreOf(), labelled, pods).map(({ metadata }) => metadata.name);
  assert.deepEqual(told(podOf('web-2', { owner: 'ReplicaSet/web-bbb', labels: hash('bbb') })), ['web-2'], 'a rollout');
  assert.deepEqual(told(podOf('api-1', { owner: 'ReplicaSet/api-bbb', labels: hash('bbb') })), ['api-1']);
  assert.deepEqual(told(podOf('bare', { labels: {}, creationTimestamp: EARLIER })), []);
  assert.deepEqual(told(podOf('bare', { labels: other })), []);
  assert.deepEqual(told(podOf('going', { labels: {}, deletionTimestamp: CREATED })), []);
  assert.deepEqual(withoutLabel(restoreOf(), [], [podOf('bare', { labels: other })]).length, 1, 'all labels are gone');
});

// R1.17
test('one notice a workload, with the labels that all of its pods have', () => {
  const pod = (name: string, labels: object) => podOf(name, { owner: 'StatefulSet/db', labels });
  const pods = [
    pod('db-0', { app: 'db', tier: 'x', 'apps.kubernetes.io/pod-index': '0' }),
    pod('db-1', { app: 'db', tier: 'y', 'apps.kubernetes.io/pod-index': '1' }),
    podOf('bare', { labels: {} }),
  ];
  const [db, bare, ...more] = withoutLabelNotices(restoreOf(), 'velero', pods);
  assert.deepEqual(more, []);
  assert.match(
    db?.message ?? '',
    / db-0, db-1 \(StatefulSet db\); .* -l 'app=db,velero.io\/restore-name!=r1' --pod-namespace shop$/,
  );
  assert.match(bare?.message ?? '', /kubectl label pod bare -n shop velero.io\/restore-name=r1$/);
});

// R1.24
test('until when a Velero that gave up may start hooks', () => {
  const status = { phase: 'PartiallyFailed', startTimestamp: CREATED, completionTimestamp: CREATED };
  const until = (...postHooks: object[]) => {
    const asked = request({ restore: restoreOf({ hooks: { resources: [{ name: 'h', postHooks }] } }, status) });
    const planned = planRun(asked);
    assert.deepEqual(planned.hooks, []);
    assert.throws(() => refuseAfterGivingUp(planned, asked), { code: 'RUN_BY_ANOTHER' });
    refuseAfterGivingUp(planned, { ...asked, force: true });
    return planned.document.notices.find(({ code }) => code === 'velero-gave-up')?.message;
  };
  const waits = (waitTimeout: string, more: object = {}) => exec({ waitTimeout, ...more });
  assert.match(until(waits('1m'), waits('2m', { execTimeout: '10m' })) ?? '', /until 2026-11-28T20:12:30.000Z$/);
  assert.match(until(waits('1m'), exec()) ?? '', /without a wait timeout it waits for ever$/);
  assert.match(until(waits('1m', { execTimeout: '-1s' })) ?? '', /a negative exec timeout is no limit$/);
  const restore = restoreOf({}, { ...status, hookStatus: {} });
  assert.deepEqual(codes({ restore }), [], 'an empty hookStatus is a word');
  assert.deepEqual(codes({ restore: restoreOf({}, status), writesHookStatus: false }), ['hook-status-unknown']);
  assert.deepEqual(codes({ restore: restoreOf({ hooks: undefined }, status) }), [], 'no hooks');
});

test("our own annotations hide nothing from Velero, and Velero's hide its spec", () => {
  const status = { phase: 'PartiallyFailed', startTimestamp: CREATED, completionTimestamp: CREATED };
  const of = (domain: string) =>
    planRun(
      request({
        restore: restoreOf({}, status),
        pods: [podOf('p', { annotations: { [`post.hook.${domain}/command`]: 'x' } })],
      }),
    ).document.notices.map(({ message }) => message);
  assert.match(of('restorehooks.io')[0] ?? '', /Velero may be running h \(0\)/);
  assert.match(of('restore.velero.io')[0] ?? '', /Velero may be running <from-annotation> \(0\)/);
});

// R1.28
test('fields for which Velero can not read a Restore', () => {
  const of = (spec: object) => unreadableByVelero({ spec });
  const hook = (exec: object) => ({ hooks: { resources: [{ postHooks: [{ exec }] }] } });
  assert.deepEqual(of(hook({ execTimeout: '1d' })), ['spec.hooks.resources[0].postHooks[0].exec.execTimeout']);
  assert.deepEqual(of(hook({ waitTimeout: '' })), ['spec.hooks.resources[0].postHooks[0].exec.waitTimeout']);
  assert.deepEqual(of({ itemOperationTimeout: '4 hours' }), ['spec.itemOperationTimeout']);
  assert.deepEqual(of(hook({ execTimeout: '1h30m', waitTimeout: null })), []);
  for (const odd of [{ hooks: 'x' }, { hooks: { resources: {} } }, { hooks: { resources: [null] } }]) {
    assert.deepEqual(of(odd), []);
  }
  assert.deepEqual(unreadableByVelero(null), []);
});

// R1.26
test('the phases in which a Velero is at work', () => {
  assert.equal(busyPhase(restoreOf({}, { phase: 'FinalizingPartiallyFailed' })), 'FinalizingPartiallyFailed');
  for (const phase of ['Completed', 'PartiallyFailed', 'Failed', 'FailedValidation', '']) {
    assert.equal(busyPhase(restoreOf({}, { phase })), undefined);
  }
});
