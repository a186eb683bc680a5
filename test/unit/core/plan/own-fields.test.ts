import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExecHook } from '../../../../shared/core/model/hook.ts';
import { Pod } from '../../../../shared/core/model/pod.ts';
import { parseRestore, parseRestoreHooks } from '../../../../shared/core/model/restore.ts';
import { hookDocument, plannedHook } from '../../../../shared/core/plan/make-plan-document.ts';
import type { PlanInput } from '../../../../shared/core/plan/plan-restore-hooks.ts';
import { planRestoreHooks } from '../../../../shared/core/plan/plan-restore-hooks.ts';

/** What only our documents and annotations say: waves, tries, runOn, detach. */

const parsed = (resources: readonly object[]) =>
  parseRestoreHooks({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks', spec: { resources } });
function hookFileOf(...resources: readonly object[]) {
  const result = parsed(resources);
  return result.ok ? result.value.spec.resources : assert.fail(JSON.stringify(result.problems));
}
const problemsOf = (...resources: readonly object[]): string[] => {
  const result = parsed(resources);
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
};
const entry = (name: string, fields: object = {}, exec: object = {}) => ({
  name,
  ...fields,
  postHooks: [{ exec: { command: [name], ...exec } }],
});
function restoreOf(resources: readonly object[] = []) {
  const result = parseRestore({ metadata: { name: 'r1', namespace: 'velero' }, spec: { hooks: { resources } } });
  return result.ok ? result.value : assert.fail(JSON.stringify(result.problems));
}
interface PodParts {
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly owner?: string;
  readonly phase?: string;
  readonly deletionTimestamp?: string;
}
const podOf = (name: string, { owner, phase, namespace = 'shop', ...metadata }: PodParts = {}) => {
  const [kind = '', of = ''] = owner?.split('/') ?? [];
  const ownerReferences = owner === undefined ? [] : [{ kind, name: of, controller: true }];
  return Pod.parse({
    metadata: { name, namespace, uid: `uid-${name}`, ...metadata, ownerReferences },
    spec: { containers: [{ name: 'a' }, { name: 'b' }] },
    ...(phase !== undefined && { status: { phase } }),
  });
};
const annotated = (values: Record<string, string>, prefix = 'post.hook.restorehooks.io') =>
  podOf('p', {
    annotations: Object.fromEntries(
      Object.entries({ command: 'c', ...values }).map(([key, value]) => [`${prefix}/${key}`, value]),
    ),
  });
const plan = (input: Partial<PlanInput>) => planRestoreHooks({ restore: restoreOf(), pods: [], ...input });
const execs = (input: Partial<PlanInput>): ExecHook[] =>
  plan(input).hooks.map((hook) => (hook.kind === 'exec' ? hook : assert.fail('an init hook')));
const only = (input: Partial<PlanInput>): ExecHook => execs(input)[0] ?? assert.fail('no hook');
const codes = (input: Partial<PlanInput>) => plan(input).notices.map(({ code }) => code);

// R3.40
describe('a wave', () => {
  test('comes before the order as written, in its container alone', () => {
    const hookFiles = hookFileOf(
      entry('x', { wave: 1 }),
      entry('y', {}, { container: 'b' }),
      entry('z', { wave: -1 }),
      entry('w'),
    );
    const order = (pods: readonly Pod[]) =>
      execs({ hookFiles, pods }).map(({ pod, container, name, wave = 0 }) => `${pod}/${container}/${name} ${wave}`);
    const ofPod = (pod: string) => [`${pod}/a/z -1`, `${pod}/a/w 0`, `${pod}/a/x 1`, `${pod}/b/y 0`];
    assert.deepEqual(order([podOf('p2'), podOf('p1')]), [...ofPod('p1'), ...ofPod('p2')]);
  });

  test('does not change the ids, also of hooks of one name', () => {
    const idsOf = (wave: number) =>
      execs({ hookFiles: hookFileOf(entry('x', { wave }), entry('x', {}, { command: ['other'] })), pods: [podOf('p')] })
        .map(({ id, command }) => `${id} ${command}`)
        .sort();
    assert.deepEqual(idsOf(0), ['shop/p/a/x/0 x', 'shop/p/a/x/0~2 other']);
    assert.deepEqual(idsOf(5), idsOf(0));
  });

  test('0 stands in no document, so that the digests of earlier plans are the same', () => {
    const written = only({
      hookFiles: hookFileOf(entry('x', { wave: 0, runOn: 'all' }, { retry: { attempts: 1 }, detach: false })),
      pods: [podOf('p')],
    });
    assert.deepEqual(
      hookDocument(written),
      hookDocument(only({ hookFiles: hookFileOf(entry('x')), pods: [podOf('p')] })),
    );
    assert.deepEqual(
      Object.keys(hookDocument(written)).filter((key) => /wave|retry|runOn|controller|detach/.test(key)),
      [],
    );
  });

  test('and all else of it has no effect in a Restore, or in an annotation of Velero', () => {
    const restore = restoreOf([entry('x', { wave: 3, runOn: 'one' }, { retry: { attempts: 3 }, detach: true })]);
    const own = ({ wave, retry, runOn, detach }: ExecHook) => [wave, retry, runOn, detach];
    const nothing = [undefined, undefined, undefined, undefined];
    const hooks = execs({ restore, pods: [podOf('p'), podOf('q')] });
    assert.deepEqual(hooks.map(own), [nothing, nothing]);
    const pods = [
      annotated(
        { wave: '3', 'retry-attempts': '3', 'retry-delay': '1s', detach: 'true' },
        'post.hook.restore.velero.io',
      ),
    ];
    assert.deepEqual(own(only({ pods })), nothing);
    const notices = plan({ pods }).notices;
    assert.deepEqual(new Set(notices.map(({ code }) => code)), new Set(['lint-error']));
    assert.equal(notices.length, 4);
    for (const { message } of notices) assert.match(message, /only "post\.hook\.restorehooks\.io\/.+" is read/);
  });
});

describe('a document', () => {
  const file = (fields: object, exec: object = {}) => problemsOf(entry('x', fields, exec));
  const at = 'spec.resources[0]';

  // R1.11, R3.40, R3.50, R3.60
  test('with a bad value is refused with the path, and what was expected', () => {
    const retryAt = `${at}.postHooks[0].exec.retry`;
    for (const wave of [1.5, '1', true])
      assert.deepEqual(file({ wave }), [`${at}.wave: expected a whole number, such as 1 or -1`]);
    assert.deepEqual(file({ runOn: 'any' }), [`${at}.runOn: expected all, one or one-per-controller`]);
    for (const attempts of [0, 101, 2.5, '3', -1]) {
      const problem = `${retryAt}.attempts: expected a whole number from 1 to 100`;
      assert.deepEqual(file({}, { retry: { attempts } }), [problem]);
    }
    for (const delay of ['0s', '-1s']) {
      assert.deepEqual(file({}, { retry: { attempts: 2, delay } }), [
        `${retryAt}.delay: expected a duration above 0, such as "2s"`,
      ]);
    }
    assert.deepEqual(file({}, { retry: { attempts: 2, maxDelay: '2 s' } }), [
      `${retryAt}.maxDelay: expected a duration as Go writes it, such as "30s" or "1m30s"`,
    ]);
    assert.deepEqual(file({}, { retry: { attempts: 2, delay: '30s', maxDelay: '10s' } }), [
      `${retryAt}.delay: expected no more than maxDelay, 10s`,
    ]);
    assert.match(file({}, { detach: 'true' }).join(), /exec\.detach: expected boolean/);
  });

  // R1.11
  test('with a mistyped field is refused with the name that was meant', () => {
    assert.deepEqual(file({ waves: 1 }), [`${at}.waves: unknown field; did you mean wave?`]);
    assert.deepEqual(file({}, { retry: { attemps: 2 } }), [
      `${at}.postHooks[0].exec.retry.attemps: unknown field; did you mean attempts?`,
    ]);
    assert.match(file({}, { wave: 1 }).join(), /exec\.wave: unknown field/);
  });

  // R3.60
  test('with runOn beside an init hook is refused: an init container would run in each pod', () => {
    const init = { initContainers: [{ name: 'i', image: 'x', command: ['c'] }] };
    assert.match(
      problemsOf({ name: 'x', runOn: 'one', postHooks: [{ init }] }).join(),
      /resources\[0\]\.runOn: expected no/,
    );
    assert.deepEqual(problemsOf({ name: 'x', runOn: 'all', wave: 2, postHooks: [{ init }] }), []);
  });
});

// R3.50
describe('retry', () => {
  const retryOf = (retry: object) => {
    const hook = only({ hookFiles: hookFileOf(entry('x', {}, { retry })), pods: [podOf('p')] });
    assert.deepEqual(plannedHook(hookDocument(hook)), hook);
    return hook.retry && [hook.retry.attempts, hook.retry.delayMs, hook.retry.maxDelayMs];
  };

  test('has defaults, which give way to what is written', () => {
    assert.deepEqual(retryOf({ attempts: 5 }), [5, 2_000, 60_000]);
    assert.deepEqual(retryOf({ attempts: 100, delay: '5m' }), [100, 300_000, 300_000]);
    assert.deepEqual(retryOf({ attempts: 2, maxDelay: '500ms' }), [2, 500, 500]);
    assert.deepEqual(retryOf({ attempts: 3, delay: '1s', maxDelay: '10s' }), [3, 1_000, 10_000]);
  });

  test('with one attempt, or with none given, is nothing', () => {
    assert.equal(retryOf({ attempts: 1 }), undefined);
    assert.equal(retryOf({ delay: '1s' }), undefined);
    assert.equal(retryOf({}), undefined);
  });
});

// R3.40, R3.50, R3.64
describe('an annotation', () => {
  const own = (values: Record<string, string>) => {
    const { wave, retry, detach } = only({ pods: [annotated(values)] });
    return [wave, retry?.attempts, retry?.delayMs, detach];
  };

  test('says the same as a document', () => {
    assert.deepEqual(own({}), [undefined, undefined, undefined, undefined]);
    assert.deepEqual(own({ wave: '-2', 'retry-attempts': '7', 'retry-delay': '500ms', detach: 'True' }), [
      -2,
      7,
      500,
      true,
    ]);
    assert.deepEqual(own({ wave: '+1', 'retry-attempts': '2', detach: 'false' }), [1, 2, 2_000, undefined]);
  });

  // R1.9
  test('with a bad value is a notice with the default that is used', () => {
    const bad = { wave: 'one', 'retry-attempts': '101', 'retry-delay': '0s', detach: 'yes' };
    assert.deepEqual(own(bad), [undefined, undefined, undefined, undefined]);
    assert.deepEqual(codes({ pods: [annotated(bad)] }).sort(), [
      'detach-unparsable',
      'retry-attempts-unparsable',
      'retry-delay-unparsable',
      'wave-unparsable',
    ]);
    for (const wave of ['1.0', ' 1', '0x1', '1e3', '99999999999999999999']) {
      assert.deepEqual(codes({ pods: [annotated({ wave })] }), ['wave-unparsable'], wave);
    }
  });

  test('that is mistyped is found', () => {
    const [notice] = plan({ pods: [annotated({ 'retry-attemps': '3' })] }).notices;
    assert.equal(notice?.code, 'lint-error');
    assert.match(notice?.message ?? '', /did you mean "post\.hook\.restorehooks\.io\/retry-attempts"/);
  });
});

// R3.60, R3.61
describe('runOn', () => {
  const hookFiles = (runOn: string) => hookFileOf(entry('migrate', { runOn }));
  const chosen = (runOn: string, pods: readonly Pod[], more: Partial<PlanInput> = {}) =>
    execs({ hookFiles: hookFiles(runOn), pods, ...more }).map(({ namespace, pod, runOn: how, controller = '' }) =>
      [`${namespace}/${pod}`, how, controller].join(' ').trim(),
    );
  const deployment = (name: string, hash: string, of: string) =>
    podOf(name, { owner: `ReplicaSet/${of}-${hash}`, labels: { 'pod-template-hash': hash } });
  const OURS = { annotations: { 'post.hook.restorehooks.io/command': 'own' } };

  test('one is the first pod in plan order, whatever order the pods come in', () => {
    assert.deepEqual(chosen('one', [podOf('q'), podOf('p'), podOf('z', { namespace: 'other' })]), ['other/z one']);
  });

  test('is told apart by the order of the entries where several have one name', () => {
    const entries = [
      entry('migrate', { runOn: 'one' }),
      entry('migrate', {}),
      entry('other', { runOn: 'one' }),
      entry('migrate', { runOn: 'one-per-controller' }),
    ];
    const numbers = execs({ hookFiles: hookFileOf(...entries), pods: [podOf('p')] }).map(({ nthEntry }) => nthEntry);
    assert.deepEqual(numbers, [undefined, undefined, undefined, 2]);
  });

  test('one-per-controller is the first of each workload, of a Deployment whatever its ReplicaSets', () => {
    const pods = [
      deployment('web-77-b', '77', 'web'),
      deployment('web-66-a', '66', 'web'),
      deployment('api-5-x', '5', 'api'),
      podOf('db-1', { owner: 'StatefulSet/db' }),
      podOf('db-0', { owner: 'StatefulSet/db' }),
      podOf('agent-x', { owner: 'DaemonSet/agent' }),
      podOf('load-x', { owner: 'Job/load' }),
      podOf('load-y', { owner: 'Job/load' }),
      podOf('bare-1'),
      podOf('bare-0'),
      podOf('db-0', { owner: 'StatefulSet/db', namespace: 'staging' }),
      podOf('rs-a', { owner: 'ReplicaSet/rs' }),
    ];
    assert.deepEqual(
      chosen('one-per-controller', pods).map((text) => text.replace('one-per-controller ', '')),
      [
        'shop/agent-x shop/DaemonSet/agent',
        'shop/api-5-x shop/Deployment/api',
        'shop/bare-0 shop/Pod/bare-0',
        'shop/bare-1 shop/Pod/bare-1',
        'shop/db-0 shop/StatefulSet/db',
        'shop/load-x shop/Job/load',
        'shop/rs-a shop/ReplicaSet/rs',
        'shop/web-66-a shop/Deployment/web',
        'staging/db-0 staging/StatefulSet/db',
      ],
    );
  });

  test('leaves out a pod in which another source hides the entry, and one that ends if there is another', () => {
    const hidden = podOf('a', OURS);
    const finished = podOf('b', { phase: 'Succeeded' });
    const going = podOf('c', { deletionTimestamp: '2026-01-01T00:00:00Z' });
    const files = (pods: readonly Pod[]) => chosen('one', pods).filter((text) => text.endsWith(' one'));
    assert.deepEqual(files([hidden, finished, going, podOf('d')]), ['shop/d one']);
    assert.deepEqual(files([hidden, finished, going]), ['shop/b one']);
    assert.deepEqual(files([hidden]), []);
  });

  test('is of each entry by itself, and of all its hooks together', () => {
    const files = hookFileOf(
      {
        name: 'two',
        runOn: 'one',
        postHooks: [{ exec: { command: ['1'], container: 'b' } }, { exec: { command: ['2'] } }],
      },
      entry('web', { runOn: 'one', labelSelector: { matchLabels: { app: 'web' } } }),
      entry('all'),
    );
    const pods = [podOf('p'), podOf('q', { labels: { app: 'web' } })];
    assert.deepEqual(
      execs({ hookFiles: files, pods }).map(({ id }) => id),
      ['shop/p/b/two/0', 'shop/p/a/two/1', 'shop/p/a/all/0', 'shop/q/a/web/0', 'shop/q/a/all/0'],
    );
  });
});
