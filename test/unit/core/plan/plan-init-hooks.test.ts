import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pod } from '../../../../shared/core/model/pod.ts';
import { parseRestore, parseRestoreHooks } from '../../../../shared/core/model/restore.ts';
import type { OwnContainer } from '../../../../shared/core/plan/init-containers.ts';
import {
  GENERATED_NAME,
  initContainerPlaces,
  injectInitContainers,
} from '../../../../shared/core/plan/init-containers.ts';
import { planInitHooks } from '../../../../shared/core/plan/plan-init-hooks.ts';
import { planRestoreHooks } from '../../../../shared/core/plan/plan-restore-hooks.ts';
import { hookEntriesOf } from '../../../../shared/core/plan/sources.ts';

const container = (name: string, more: object = {}) => ({ name, image: 'img', command: ['c'], ...more });
const entry = (...containers: object[]) => ({ name: 'e', postHooks: [{ init: { initContainers: containers } }] });

function restoreOf(resources: object[], status?: object) {
  const parsed = parseRestore({
    metadata: { name: 'r1', namespace: 'velero' },
    spec: { hooks: { resources } },
    status,
  });
  return parsed.ok ? parsed.value : assert.fail(JSON.stringify(parsed.problems));
}
function fileOf(resources: object[]) {
  const parsed = parseRestoreHooks({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks', spec: { resources } });
  return parsed.ok ? parsed.value.spec.resources : assert.fail(JSON.stringify(parsed.problems));
}
const podOf = (annotations: Record<string, string> = {}, own: object[] = [], name = 'p') =>
  Pod.parse({
    metadata: { name, namespace: 'shop', annotations },
    spec: { containers: [{ name: 'main' }], initContainers: own },
  });
const annotated = (domain: string, keys: Record<string, string>) =>
  Object.fromEntries(Object.entries(keys).map(([key, value]) => [`init.hook.${domain}/${key}`, value]));
const OURS = annotated('restorehooks.io', { 'container-image': 'ours' });
const VELEROS = annotated('restore.velero.io', { 'container-image': 'veleros' });
const images = (...[pod, entries]: Parameters<typeof planInitHooks>) =>
  planInitHooks(pod, entries).containers.map(({ container: { image } }) => image);

// R1.20
test('the first of the four sources with init hooks is taken, and what it hides is a notice', () => {
  const restore = restoreOf([entry(container('s', { image: 'spec' }))]);
  const spec = hookEntriesOf(restore, undefined);
  const file = hookEntriesOf(restore, fileOf([entry(container('f', { image: 'file' }))]));
  assert.deepEqual(images(podOf({ ...OURS, ...VELEROS }), file), ['ours']);
  assert.deepEqual(images(podOf(VELEROS), file), ['veleros']);
  assert.deepEqual(images(podOf(), file), ['file']);
  assert.deepEqual(images(podOf(), spec), ['spec']);
  const codes = planInitHooks(podOf({ ...OURS, ...VELEROS }), spec).notices.map(({ code }) => code);
  assert.deepEqual(codes, ['annotation-hides-hooks', 'annotation-hides-hooks']);
});

// R1.19
test('each kind of hook chooses its source by itself', () => {
  const exec = { 'post.hook.restore.velero.io/command': 'annotation' };
  const restore = restoreOf([
    { name: 'e', postHooks: [{ exec: { command: ['spec'] } }, { init: { initContainers: [container('s')] } }] },
  ]);
  const entries = hookEntriesOf(restore, undefined);
  const pod = podOf({ ...OURS });
  assert.deepEqual(images(pod, entries), ['ours']);
  const { hooks } = planRestoreHooks({ restore, pods: [pod] });
  assert.deepEqual(
    hooks.map(({ kind, source, command }) => [kind, source, command]),
    [
      ['init', 'annotation', undefined],
      ['exec', 'spec', ['spec']],
    ],
  );
  const [planned] = planInitHooks(podOf(exec), entries).containers;
  assert.deepEqual([planned?.name, planned?.index, planned?.source], ['e', 1, 'spec']);
});

test('what Velero has run hides no init hook: the guard is for starting things', () => {
  const restore = restoreOf([entry(container('s'))], { startTimestamp: '2026-01-01T00:00:00Z' });
  assert.equal(images(podOf(), hookEntriesOf(restore, undefined)).length, 1);
});

// R2.2
test('a container without a name gets one that is the same in each plan, and another in another pod', () => {
  const entries = hookEntriesOf(undefined, undefined);
  const name = (pod: string) => planInitHooks(podOf(OURS, [], pod), entries).containers[0]?.container.name ?? '';
  assert.match(name('p'), GENERATED_NAME);
  assert.equal(name('p'), name('p'));
  assert.notEqual(name('p'), name('q'));
});

// R2.9
test('an init hook has one id, whoever has injected its container and whatever name that bears', () => {
  const unnamed = { image: 'veleros', imagePullPolicy: 'Always' };
  const ids = (own: object[], { uid = 'u', ...options }: { uid?: string; withoutVelerosHooks?: boolean } = {}) => {
    const pod = podOf(VELEROS, own);
    const standing = { ...pod, metadata: { ...pod.metadata, uid } };
    return planRestoreHooks({ restore: restoreOf([]), pods: [standing], ...options }).hooks.map(({ id }) => id);
  };
  // The id must be the same in every version, because runs go on, and results are kept, by the id.
  const [id = ''] = ids([], { uid: '' });
  assert.equal(id, 'shop/p/velero-restore-init-fd6056fd/<from-annotation>/0');
  const [, , name = ''] = id.split('/');
  assert.deepEqual(ids([]), [id], 'not injected');
  for (const there of [name, 'velero-restore-init-0123abcd']) {
    const own = [{ name: there, ...unnamed }];
    assert.deepEqual(ids(own), [id], there);
    assert.deepEqual(ids(own, { withoutVelerosHooks: true }), [id], there);
  }
});

// R2.1, R2.3, R2.6
test('without a command, or with an empty one, the image has its own', () => {
  const entries = hookEntriesOf(undefined, undefined);
  const command = (text?: string) => {
    const keys = { 'container-image': 'i', 'container-name': 'n', ...(text === undefined ? {} : { command: text }) };
    const [planned] = planInitHooks(podOf(annotated('restorehooks.io', keys)), entries).containers;
    return planned?.container;
  };
  for (const text of [undefined, '', '[]']) assert.deepEqual(command(text), { name: 'n', image: 'i' });
  assert.deepEqual(command('["a", "b c"]')?.command, ['a', 'b c']);
  assert.deepEqual(command('a b; c')?.command, ['a b; c']);
});

// R2.4, R2.5
test('restore-wait stays first only where it is first; then the hooks in their order; then the pod', () => {
  const resources = [
    entry(container('s1'), container('s2', { restartPolicy: 'Always', unknown: 1 })),
    entry(container('s3')),
  ];
  const entries = hookEntriesOf(restoreOf(resources), undefined);
  const order = (...own: string[]) => {
    const list = own.map((name) => ({ name }));
    const { containers } = planInitHooks(podOf({}, list), entries);
    assert.deepEqual(containers[1]?.container, container('s2', { restartPolicy: 'Always', unknown: 1 }));
    return injectInitContainers(list, containers).map(({ name }) => name);
  };
  assert.deepEqual(order(), ['s1', 's2', 's3']);
  assert.deepEqual(order('i', 'j'), ['s1', 's2', 's3', 'i', 'j']);
  assert.deepEqual(order('restore-wait', 'i'), ['restore-wait', 's1', 's2', 's3', 'i']);
  assert.deepEqual(order('i', 'restore-wait'), ['s1', 's2', 's3', 'i', 'restore-wait']);
});

// R2.8
test('names that the API server refuses are notices', () => {
  const codes = (names: string[], own: string[] = []) => {
    const entries = hookEntriesOf(restoreOf([entry(...names.map((name) => container(name)))]), undefined);
    return planInitHooks(
      podOf(
        {},
        own.map((name) => ({ name })),
      ),
      entries,
    ).notices.map(({ code }) => code);
  };
  assert.deepEqual(codes(['s1'], ['i']), []);
  for (const name of ['A', 'a_b', '-a', 'a-', 'a.b', 'x'.repeat(64), ' a']) {
    assert.deepEqual(codes([name]), ['container-name-invalid'], name);
  }
  assert.deepEqual(codes(['x'.repeat(63), '0']), []);
  assert.deepEqual(codes(['main']), ['init-container-name-collision']);
  assert.deepEqual(codes(['i'], ['i']), ['init-container-name-collision']);
  assert.deepEqual(codes(['s', 's']), ['init-container-name-collision']);
});

// R2.24
test("an init hook's timeout is kept; 0 and less are none", () => {
  const timeout = (text?: string) => {
    const init = { initContainers: [container('s')], ...(text === undefined ? {} : { timeout: text }) };
    const restore = restoreOf([{ name: 'e', postHooks: [{ init }] }]);
    return planInitHooks(podOf(), hookEntriesOf(restore, undefined)).containers[0]?.timeoutMs;
  };
  assert.deepEqual([timeout(), timeout('0s'), timeout('-1s'), timeout('1m30s')], [null, null, null, 90_000]);
  const entries = hookEntriesOf(undefined, undefined);
  const planned = (text: string) =>
    planInitHooks(podOf({ ...OURS, 'init.hook.restorehooks.io/timeout': text }), entries);
  assert.equal(planned('2m').containers[0]?.timeoutMs, 120_000);
  assert.deepEqual(
    planned('soon').notices.map(({ code }) => code),
    ['wait-timeout-unparsable'],
  );
});

const missing = (own: OwnContainer[], containers: object[], annotations: Record<string, string> = {}) => {
  const entries = hookEntriesOf(restoreOf([entry(...containers)]), undefined);
  const { containers: planned } = planInitHooks(podOf(annotations), entries);
  return initContainerPlaces(own, planned).missing.map(({ at, container: { name } }) => `${at} ${name}`);
};

// R2.11
test('a container that the pod has is not missing, be it filled up by the API server or named by Velero', () => {
  const given = container('s', {
    env: [{ name: 'A', value: '' }],
    args: null,
    resources: { limits: { cpu: 1, memory: '1024Mi', 'ephemeral-storage': '1500k' }, requests: { cpu: '300m' } },
    volumeMounts: [{ name: 'data', mountPath: '/data' }],
  });
  const filledUp = {
    ...container('s', { env: [{ name: 'A' }] }),
    imagePullPolicy: 'IfNotPresent',
    resources: { limits: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '1.5M' }, requests: { cpu: '0.3' } },
    volumeMounts: [
      { name: 'data', mountPath: '/data' },
      { name: 'kube-api-access-x', mountPath: '/var/run/secrets', readOnly: true },
    ],
  };
  assert.deepEqual(missing([filledUp], [given]), []);
  for (const other of [
    { image: 'other' },
    { command: ['c', 'more'] },
    { volumeMounts: [] },
    { resources: { ...filledUp.resources, limits: { cpu: '1', memory: '1G', 'ephemeral-storage': '1.5M' } } },
  ]) {
    assert.deepEqual(missing([{ ...filledUp, ...other }], [given]), ['0 s']);
  }
  assert.deepEqual(missing([{ ...filledUp, name: 't' }], [given]), ['0 s']);
  const velerosName = { name: 'velero-restore-init-0123abcd', image: 'veleros', imagePullPolicy: 'Always' };
  assert.deepEqual(missing([velerosName], [], VELEROS), []);
});

test('what is missing goes behind the hook container before it', () => {
  const [a, b, c] = [container('a'), container('b'), container('c')];
  assert.deepEqual(missing([{ name: 'restore-wait' }, a, c, { name: 'i' }], [a, b, c]), ['2 b']);
  assert.deepEqual(missing([b], [a, b, c]), ['0 a', '1 c']);
  assert.deepEqual(missing([{ name: 'restore-wait' }], [a, b]), ['1 a', '1 b']);
});
