import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Pod } from '../../../../shared/core/model/pod.ts';
import { parseRestore, parseRestoreHooks } from '../../../../shared/core/model/restore.ts';
import { explain } from '../../../../shared/core/plan/explain.ts';
import type { SourceExplanation } from '../../../../shared/core/plan/explanation-document.ts';
import { ExplanationDocument } from '../../../../shared/core/plan/explanation-document.ts';
import type { PlanRequest } from '../../../../shared/core/plan/plan-run.ts';
import { planRun } from '../../../../shared/core/plan/plan-run.ts';
import { restoreSelector } from '../../../../shared/core/plan/pods-of-restore.ts';

function restoreOf(resources: readonly object[], more: { spec?: object; status?: object; metadata?: object } = {}) {
  const parsed = parseRestore({
    metadata: { name: 'r1', namespace: 'velero', ...more.metadata },
    spec: { ...more.spec, hooks: { resources } },
    status: more.status,
  });
  return parsed.ok ? parsed.value : assert.fail(JSON.stringify(parsed.problems));
}
function hookFileOf(resources: readonly object[]) {
  const parsed = parseRestoreHooks({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks', spec: { resources } });
  return parsed.ok ? parsed.value.spec.resources : assert.fail(JSON.stringify(parsed.problems));
}
const podOf = (name: string, metadata: object = {}, spec: object = {}) =>
  Pod.parse({
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, ...metadata },
    spec: { containers: [{ name: 'a' }, { name: 'b' }], ...spec },
  });
const requestOf = (more: Partial<PlanRequest>): PlanRequest => ({
  restore: restoreOf([]),
  namespace: 'velero',
  pods: [],
  selector: { labelSelector: restoreSelector('r1') },
  rerun: false,
  only: [],
  ...more,
});
const explainAll = (request: PlanRequest) =>
  explain(
    request,
    request.pods.map((pod) => ({ pod, isSelected: true })),
  );
const outcomes = (sources: readonly SourceExplanation[] = []) => sources.map(({ outcome }) => outcome);
const hooksIn = (sources: readonly SourceExplanation[]) =>
  sources.flatMap(({ entries }) => entries.flatMap(({ hooks }) => hooks));

/** What an explanation says is planned, and whether its parts say the same. */
function checkAgainstPlan(request: PlanRequest): void {
  const document = explainAll(request);
  ExplanationDocument.parse(JSON.parse(JSON.stringify(document)));
  const plan = planRun(request);
  assert.equal(document.digest, plan.document.digest);
  assert.deepEqual(
    document.pods.flatMap(({ planned }) => planned).sort(),
    plan.hooks.map(({ id }) => id as string).sort(),
  );
  const byId = new Map<string, object>(plan.document.hooks.map((hook) => [hook.id, hook]));
  for (const pod of document.pods) {
    const hooks = [...hooksIn(pod.init), ...hooksIn(pod.exec)];
    assert.deepEqual(
      hooks.flatMap(({ planned }) => planned.map(({ id }) => id)).sort(),
      [...pod.planned].sort(),
      'the hooks under the sources are those of the pod',
    );
    for (const hook of hooks) assert.equal(hook.outcome === 'planned', hook.planned.length > 0);
    for (const { id, values } of hooks.flatMap(({ planned }) => planned)) {
      const planned = byId.get(id) as Record<string, unknown>;
      for (const { name, value, from, field } of values) {
        const text = planned[name === 'timeout' ? 'waitTimeout' : name];
        assert.equal(value, text === undefined ? undefined : String(text), `${id} ${name}`);
        assert.equal(from === 'default', field === undefined);
        if (planned[`${name}From`] !== undefined) assert.equal(from, planned[`${name}From`], `${id} ${name}`);
      }
    }
    for (const { source, entries } of [...pod.init, ...pod.exec]) {
      if (source === 'annotation') continue;
      for (const { applies, checks, name } of entries) {
        assert.equal(
          applies,
          checks.every(({ admits }) => admits),
          `${name}: ${JSON.stringify(checks)}`,
        );
      }
    }
  }
}

const names = fc.constantFrom('shop', 'blog', 'sh*', '*', 'b?og');
const exec = fc.record(
  {
    command: fc.constantFrom([], ['c'], ['c', 'd']),
    container: fc.constantFrom('a', 'b', 'none', ''),
    onError: fc.constantFrom('Fail', 'Continue', 'Maybe', ''),
    execTimeout: fc.constantFrom('0s', '5s', '-1s'),
    waitTimeout: fc.constantFrom('0s', '90s', '-1s'),
    waitForReady: fc.boolean(),
  },
  { requiredKeys: ['command'] },
);
const init = fc.record(
  {
    initContainers: fc
      .uniqueArray(fc.constantFrom('i', 'j'), { maxLength: 2 })
      .map((list) => list.map((name) => ({ name, image: 'x', command: ['c'] }))),
    timeout: fc.constantFrom('0s', '90s'),
  },
  { requiredKeys: ['initContainers'] },
);
const entries = fc.array(
  fc.record(
    {
      name: fc.constantFrom('x', 'y'),
      includedNamespaces: fc.array(names, { maxLength: 2 }),
      excludedNamespaces: fc.array(fc.constantFrom('blog', 'none', 'b*'), { maxLength: 1 }),
      includedResources: fc.constantFrom(['po'], ['deployments'], ['*']),
      excludedResources: fc.constantFrom(['*'], ['pods'], ['secrets']),
      labelSelector: fc.record(
        {
          matchLabels: fc.constantFrom({}, { app: 'web' }, { app: 'db', tier: '' }),
          matchExpressions: fc.constantFrom(
            [{ key: 'app', operator: 'In', values: ['web', 'x'] }],
            [{ key: 'tier', operator: 'DoesNotExist' }],
            [{ key: 'app', operator: 'NotIn', values: ['db'] }],
          ),
        },
        { requiredKeys: [] },
      ),
      postHooks: fc.array(
        fc.oneof(
          exec.map((hook) => ({ exec: hook })),
          init.map((hook) => ({ init: hook })),
        ),
        { maxLength: 3 },
      ),
    },
    { requiredKeys: ['name', 'postHooks'] },
  ),
  { maxLength: 3 },
);
const annotations = fc.uniqueArray(
  fc
    .tuple(
      fc.constantFrom('post.hook.restorehooks.io', 'post.hook.restore.velero.io', 'init.hook.restore.velero.io'),
      fc.constantFrom('command', 'container', 'container-image', 'on-error', 'exec-timeout', 'wait-for-ready'),
      fc.constantFrom('', 'a', 'Fail', '5s', 'true'),
    )
    .map(([prefix, key, value]) => [`${prefix}/${key}`, value] as const),
  { selector: ([key]) => key, maxLength: 5 },
);
const pods = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('p', 'q', 'r'),
    namespace: fc.constantFrom('shop', 'blog'),
    labels: fc.constantFrom({}, { app: 'web' }, { app: 'db', tier: '' }),
    annotations: annotations.map((list) => Object.fromEntries(list)),
    creationTimestamp: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-03T00:00:00Z'),
  }),
  { selector: ({ name, namespace }) => `${namespace}/${name}`, maxLength: 4 },
);

describe('an explanation is the plan', () => {
  // R7.50
  it('for what was generated: its planned hooks are the plan’s, and so are their values', () => {
    const status = fc.constantFrom(
      undefined,
      { startTimestamp: 'x' },
      { completionTimestamp: 'x', phase: 'Completed' },
    );
    const flags = fc.record({
      rerun: fc.boolean(),
      force: fc.boolean(),
      recreatePods: fc.boolean(),
      includeExisting: fc.boolean(),
    });
    const file = fc.option(entries, { nil: undefined });
    fc.assert(
      fc.property(entries, file, pods, status, flags, fc.boolean(), (ofSpec, ofFile, made, stood, given, isNarrow) => {
        const restore = restoreOf(ofSpec, {
          ...(stood && { status: stood }),
          metadata: { creationTimestamp: '2026-01-02T00:00:00Z' },
        });
        const hookFiles =
          ofFile && hookFileOf(ofFile).map((each, at) => ({ ...each, place: `h.yaml:1 spec.resources[${at}]` }));
        const request = requestOf({
          restore,
          hookFiles,
          ...given,
          pods: made.map(({ name, ...metadata }) => podOf(name, metadata)),
        });
        const [first] = planRun(request).hooks;
        checkAgainstPlan(isNarrow && first ? { ...request, only: [first.id] } : request);
      }),
      { numRuns: 500 },
    );
  });

  it('for every vector of the conformance tests', () => {
    const file = join(import.meta.dirname, '../../../conformance/vectors/plan.json');
    let explained = 0;
    for (const { given } of JSON.parse(readFileSync(file, 'utf8'))) {
      const restore = parseRestore(given.restore ?? { metadata: { name: 'r1', namespace: 'velero' }, spec: {} });
      if (!restore.ok) continue;
      for (const rerun of [false, true]) {
        checkAgainstPlan(
          requestOf({ restore: restore.value, pods: [Pod.parse(given.createdPod ?? given.pod)], rerun }),
        );
      }
      explained += 1;
    }
    assert.ok(explained > 100);
  });
});

const execEntry = (name: string, more: object = {}) => ({ name, postHooks: [{ exec: { command: ['c'] } }], ...more });

// R7.2
describe('an explanation says', () => {
  const VELEROS = { 'post.hook.restore.velero.io/command': 'c' };

  it('of each source, in order, what became of it', () => {
    const restore = restoreOf([execEntry('here')]);
    const [pod] = explainAll(requestOf({ restore, pods: [podOf('p', { annotations: VELEROS })] })).pods;
    assert.deepEqual(outcomes(pod?.init), ['no-hook', 'no-hook', 'not-given', 'no-hook']);
    assert.deepEqual(outcomes(pod?.exec), ['no-hook', 'applies', 'not-given', 'hidden']);
    const hookFiles = hookFileOf([execEntry('file')]);
    const [other] = explainAll(requestOf({ restore, hookFiles, pods: [podOf('p')] })).pods;
    assert.deepEqual(outcomes(other?.exec), ['no-hook', 'no-hook', 'applies', 'not-read']);
  });

  it('which field decided, what stands there, and what the pod has', () => {
    const labelSelector = {
      matchLabels: { 'app.kubernetes.io/name': 'db' },
      matchExpressions: [{ key: 'tier', operator: 'In', values: ['a', 'b'] }],
    };
    const restore = restoreOf([
      execEntry('far', { includedNamespaces: ['blog', 'x*'], labelSelector }),
      execEntry('barred', { excludedNamespaces: ['x', 'sh*'] }),
    ]);
    const labels = { 'app.kubernetes.io/name': 'web' };
    const [pod] = explainAll(requestOf({ restore, pods: [podOf('p', { labels })] })).pods;
    assert.deepEqual(
      pod?.exec[3]?.entries.map(({ applies, checks }) => [applies, checks]),
      [
        [
          false,
          [
            { field: 'spec.hooks.resources[0].includedNamespaces', value: 'blog, x*', pod: 'shop', admits: false },
            {
              field: 'spec.hooks.resources[0].labelSelector.matchLabels["app.kubernetes.io/name"]',
              value: 'db',
              pod: 'web',
              admits: false,
            },
            {
              field: 'spec.hooks.resources[0].labelSelector.matchExpressions[0]',
              value: 'tier In (a, b)',
              admits: false,
            },
          ],
        ],
        [false, [{ field: 'spec.hooks.resources[1].excludedNamespaces[1]', value: 'sh*', pod: 'shop', admits: false }]],
      ],
    );
  });

  it('where each value came from, also where what is written does not count', () => {
    const prefix = 'post.hook.restorehooks.io/';
    const annotated = { [`${prefix}command`]: 'c', [`${prefix}on-error`]: 'Maybe', [`${prefix}wait-timeout`]: '1m' };
    const [pod] = explainAll(requestOf({ pods: [podOf('p', { annotations: annotated })] })).pods;
    const [hook] = pod?.exec[0]?.entries[0]?.hooks ?? [];
    assert.deepEqual(hook?.planned[0]?.values, [
      { name: 'container', value: 'a', from: 'default' },
      { name: 'onError', value: 'Continue', from: 'default' },
      { name: 'execTimeout', value: '30s', from: 'default' },
      { name: 'waitTimeout', value: '1m0s', from: 'annotation', field: `${prefix}wait-timeout` },
      { name: 'waitForReady', value: 'false', from: 'default' },
    ]);
    assert.deepEqual(
      pod?.notices.map(({ code }) => code),
      ['on-error-unknown'],
    );
  });

  it('that annotations without a command say nothing', () => {
    const annotations = { 'post.hook.restore.velero.io/on-error': 'Fail' };
    const [pod] = explainAll(requestOf({ pods: [podOf('p', { annotations })] })).pods;
    assert.match(pod?.exec[1]?.message ?? '', /no annotation .*\/command; without it .*\/on-error says nothing/);
  });

  it('what Velero has run, what --only leaves out, and what a pod without containers lacks', () => {
    const restore = restoreOf([execEntry('x'), execEntry('y')], { status: { startTimestamp: 'x' } });
    const outcomesOf = (more: Partial<PlanRequest>) => {
      const [pod] = explainAll(requestOf({ restore, pods: [podOf('p')], ...more })).pods;
      return hooksIn(pod?.exec ?? []).map(({ outcome }) => outcome);
    };
    assert.deepEqual(outcomesOf({}), ['velero-has-run', 'velero-has-run']);
    assert.deepEqual(outcomesOf({ rerun: true, only: ['shop/p/a/y/0'] }), ['not-in-only', 'planned']);
    assert.deepEqual(outcomesOf({ rerun: true, pods: [podOf('p', {}, { containers: [] })] }), [
      'no-container',
      'no-container',
    ]);
  });

  it('why a pod takes no part, and what it would have had', () => {
    const restore = restoreOf([execEntry('x')], { metadata: { creationTimestamp: '2026-01-02T00:00:00Z' } });
    const old = podOf('old-0', { creationTimestamp: '2026-01-01T00:00:00Z' });
    const young = podOf('old-1', { creationTimestamp: '2026-01-03T00:00:00Z' });
    const stray = podOf('old-2');
    const another = podOf('other', { labels: { 'velero.io/restore-name': 'r2' } });
    const request = requestOf({ restore, pods: [old, young] });
    const document = explain(request, [
      { pod: old, isSelected: true },
      { pod: stray, isSelected: false },
      { pod: another, isSelected: false },
      { skipped: { namespace: 'kube-system', pod: 'm', reason: 'mirror' } },
    ]);
    assert.deepEqual(
      document.pods.map(({ leftOut, planned }) => [leftOut?.code, leftOut?.instead, planned]),
      [
        ['pod-not-restored', undefined, []],
        ['no-restore-label', ['shop/old-0', 'shop/old-1'], []],
        ['label-of-another-restore', undefined, []],
        ['mirror', undefined, []],
      ],
    );
    assert.match(document.pods[2]?.leftOut?.message ?? '', /label of Restore r2/);
    assert.deepEqual(hooksIn(document.pods[0]?.exec ?? []), [
      { index: 0, field: 'spec.hooks.resources[0].postHooks[0].exec', outcome: 'pod-left-out', planned: [] },
    ]);
  });

  // R3.61, R1.16, R1.17
  it('that a pod without the label, or from before the Restore, has no hook where runOn chooses another', () => {
    const created = { metadata: { creationTimestamp: '2026-01-02T00:00:00Z' }, status: { phase: 'Completed' } };
    const migrate = { ...execEntry('migrate'), runOn: 'one' } as const;
    const old = (name: string) => podOf(name, { creationTimestamp: '2026-01-01T00:00:00Z' });
    const toldOf = (entries: readonly object[], pods: readonly Pod[], others: readonly Pod[] = []) => {
      const hookFiles = hookFileOf(entries);
      const request = requestOf({ restore: restoreOf([], created), hookFiles, pods, others });
      const [first] = explain(
        request,
        [...pods, ...others].map((pod) => ({ pod, isSelected: pods.includes(pod) })),
      ).pods;
      return { codes: planRun(request).document.notices.map(({ code }) => code), first };
    };
    const young = podOf('web-0', { creationTimestamp: '2026-01-03T00:00:00Z' });
    const { codes, first } = toldOf([migrate], [old('web-1'), young]);
    assert.deepEqual(codes, []);
    assert.match(first?.leftOut?.message ?? '', /: it has no hook, with --include-existing either$/);
    assert.deepEqual(toldOf([migrate], [old('a-0'), young]).codes, ['pod-not-restored']);
    assert.deepEqual(toldOf([migrate], [young], [podOf('web-1')]).codes, []);
    assert.deepEqual(toldOf([migrate, execEntry('all')], [young], [podOf('web-1')]).codes, ['pods-without-label']);
  });

  it('which of the Restore’s own filters leaves a pod out', () => {
    const spec = { excludedNamespaces: ['kube-*', 'sh*'], namespaceMapping: { shop: 'shop-2' } };
    const request = requestOf({ restore: restoreOf([], { spec }) });
    const live = podOf('p', { namespace: 'shop-2' });
    const document = explain(request, [
      { pod: live, isSelected: false },
      { skipped: { namespace: 'shop', pod: 'p', reason: 'namespace-not-included' } },
    ]);
    for (const { leftOut } of document.pods) {
      assert.match(leftOut?.message ?? '', /spec\.excludedNamespaces\[1\] \(sh\*\) excludes namespace shop/);
    }
  });
});
