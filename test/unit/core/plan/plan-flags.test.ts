import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { timeoutText } from '../../../../shared/core/execute/timeout-text.ts';
import { Pod } from '../../../../shared/core/model/pod.ts';
import { parseRestore, parseRestoreHooks } from '../../../../shared/core/model/restore.ts';
import { explain } from '../../../../shared/core/plan/explain.ts';
import { ExplanationDocument } from '../../../../shared/core/plan/explanation-document.ts';
import { nothingToRun } from '../../../../shared/core/plan/nothing-to-run.ts';
import { PlanDocument } from '../../../../shared/core/plan/plan-document.ts';
import type { PlanRequest } from '../../../../shared/core/plan/plan-run.ts';
import { planRun } from '../../../../shared/core/plan/plan-run.ts';

/** The flags that change a plan: --sources, --skip, --max-exec-timeout, --detach. */

const entry = (name: string, fields: object = {}, exec: object = {}) => ({
  name,
  ...fields,
  postHooks: [{ exec: { command: [name], ...exec } }],
});
function hookFileOf(...resources: readonly object[]) {
  const parsed = parseRestoreHooks({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks', spec: { resources } });
  return parsed.ok ? parsed.value.spec.resources : assert.fail(JSON.stringify(parsed.problems));
}
function restoreOf(resources: readonly object[], status?: object) {
  const parsed = parseRestore({
    metadata: { name: 'nightly', namespace: 'velero' },
    spec: { hooks: { resources } },
    status,
  });
  return parsed.ok ? parsed.value : assert.fail(JSON.stringify(parsed.problems));
}
const podOf = (name: string, annotations: Record<string, string> = {}) =>
  Pod.parse({
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, annotations },
    spec: { containers: [{ name: 'a' }] },
  });
const VELEROS = { 'post.hook.restore.velero.io/command': 'annotated' };
const request = (more: Partial<PlanRequest> = {}): PlanRequest => ({
  restore: restoreOf([entry('spec')]),
  namespace: 'velero',
  pods: [podOf('p', VELEROS), podOf('q')],
  selector: { labelSelector: 'l=nightly' },
  rerun: false,
  only: [],
  ...more,
});
const ids = (more: Partial<PlanRequest>) =>
  planRun(request(more)).hooks.map(({ pod, name }) => `${pod} ${name}`.replace('<from-annotation>', 'annotated'));
const notices = (more: Partial<PlanRequest>, ...codes: string[]) =>
  planRun(request(more)).document.notices.flatMap(({ code, message }) => (codes.includes(code) ? [message] : []));
const refused = (more: Partial<PlanRequest>, message: RegExp, hint: RegExp): void => {
  assert.throws(
    () => planRun(request(more)),
    (error: Error & { code: string; hint: string }) => {
      assert.equal(error.code, 'INVALID_ARGUMENT');
      assert.match(error.message, message);
      assert.match(error.hint, hint);
      return true;
    },
  );
};

// R1.40
describe('--sources', () => {
  const hookFiles = hookFileOf(entry('file'));

  test('says which sources are read: one that is not hides nothing', () => {
    assert.deepEqual(ids({}), ['p annotated', 'q spec']);
    assert.deepEqual(ids({ sources: ['annotations', 'spec', 'file'] }), ['p annotated', 'q spec']);
    assert.deepEqual(ids({ sources: ['spec'] }), ['p spec', 'q spec']);
    assert.deepEqual(ids({ sources: ['annotations'] }), ['p annotated']);
    assert.deepEqual(ids({ sources: ['annotations', 'file'], hookFiles }), ['p annotated', 'q file']);
    assert.deepEqual(ids({ sources: ['file'], hookFiles }), ['p file', 'q file']);
    assert.deepEqual(ids({ sources: ['spec', 'file'], hookFiles }), ['p file', 'q file']);
  });

  test('is a notice that names what is not read, and mistakes there are none', () => {
    assert.deepEqual(notices({ sources: ['spec'] }, 'sources-limited'), [
      '--sources leaves out what annotations and file say',
    ]);
    const hooks = hookFileOf(entry('file'));
    const told = notices({ sources: ['annotations', 'file'], hookFiles: hooks }, 'sources-limited');
    assert.deepEqual(told, ['--sources leaves out what spec says']);
    assert.deepEqual(notices({ sources: ['annotations', 'spec', 'file'] }, 'sources-limited'), []);
    const pods = [podOf('p', { 'post.hook.restore.velero.io/comand': 'x' })];
    assert.deepEqual(notices({ sources: ['spec'], pods }, 'lint-error', 'annotation-hides-hooks'), []);
  });

  test('that contradicts --hooks is refused', () => {
    refused({ sources: ['annotations', 'spec'], hookFiles }, /--hooks gives a file/, /--sources=annotations,spec,file/);
    refused({ sources: ['file'] }, /--sources=file needs --hooks FILE/, /give the file/);
  });

  test('that leaves no hook is no error: the Restore has none that are read', () => {
    const asked = request({ sources: ['annotations'], pods: [podOf('q')] });
    assert.equal(nothingToRun(planRun(asked), asked, false), undefined);
  });

  test('is told by --explain', () => {
    const asked = request({ sources: ['spec'] });
    const [pod] = explain(
      asked,
      asked.pods.map((each) => ({ pod: each, isSelected: true })),
    ).pods;
    assert.deepEqual(
      pod?.exec.map(({ source, outcome }) => `${source} ${outcome}`),
      ['annotation not-read', 'annotation not-read', 'file not-given', 'spec applies'],
    );
  });

  test('says nothing of what Velero may be running', () => {
    const restore = restoreOf([entry('spec')], {
      phase: 'Completed',
      startTimestamp: '2026-01-01T00:00:00Z',
      completionTimestamp: '2026-01-01T00:10:00Z',
    });
    const { document } = planRun(request({ restore, sources: ['annotations'] }));
    assert.ok(document.notices.some(({ code }) => code === 'velero-gave-up'));
  });
});

// R1.41, R1.42
// R1.45
describe('an entry of a --hooks file', () => {
  test('that applies to no pod is a notice; one of the Restore is none', () => {
    const restore = restoreOf([]);
    const pods = [podOf('p')];
    const written = [entry('load'), entry('clean', { includedNamespaces: ['other'] })];
    const hookFiles = hookFileOf(...written);
    const code = 'entry-matches-nothing';
    assert.deepEqual(notices({ restore, pods, hookFiles }, code), [
      "entry clean of --hooks (spec.resources[1]) applies to none of the Restore's pods",
    ]);
    assert.deepEqual(notices({ restore: restoreOf(written), pods }, code), []);
  });
});

describe('--skip', () => {
  const restore = restoreOf([entry('load'), entry('warm')]);
  const pods = [podOf('p'), podOf('q')];

  test('leaves out hooks by id and by name, and pods', () => {
    const left = (...skip: string[]) => ids({ restore, pods, skip });
    assert.deepEqual(left(), ['p load', 'p warm', 'q load', 'q warm']);
    assert.deepEqual(left('shop/p/a/load/0'), ['p warm', 'q load', 'q warm']);
    assert.deepEqual(left('load'), ['p warm', 'q warm']);
    assert.deepEqual(left('p', 'warm'), ['q load']);
    assert.deepEqual(left('shop/q'), ['p load', 'p warm']);
  });

  test('narrows what --only leaves, and both take names', () => {
    assert.deepEqual(ids({ restore, pods, only: ['load'], skip: ['q'] }), ['p load']);
    assert.deepEqual(ids({ restore, pods, only: ['warm'] }), ['p warm', 'q warm']);
  });

  test("take a pod's name for the pod, although a hook has it, too", () => {
    const both = [podOf('load'), podOf('q')];
    assert.deepEqual(ids({ restore, pods: both, skip: ['load'] }), ['q load', 'q warm']);
    assert.deepEqual(ids({ restore, pods: both, only: ['load'] }), ['load load', 'load warm']);
  });

  test('is a notice, and changes the digest', () => {
    assert.deepEqual(notices({ restore, pods, skip: ['load', 'q'] }, 'hooks-skipped'), ['--skip leaves out load, q']);
    const digest = (skip: string[]) => planRun(request({ restore, pods, skip })).document.digest;
    assert.notEqual(digest(['load']), digest([]));
  });

  test('refuses what names nothing, and says where to look', () => {
    const list = /list the hooks: kubectl restorehooks plan nightly -n velero -o name/;
    refused({ restore, pods, skip: ['lod'] }, /--skip lod is no hook and no pod of the plan/, /did you mean load\?/);
    refused({ restore, pods, only: ['x9'] }, /--only x9 is no hook and no pod of the plan/, list);
    refused({ restore, pods, skip: ['p', 'q'] }, /--skip leaves no hook of the plan/, list);
  });

  test('is not blamed alone where --only has left out the rest, and the list is of the same plan', () => {
    const hookFiles = hookFileOf(entry('migrate', { runOn: 'one' }), entry('warm'));
    const list = / plan nightly -n velero -o name --hooks FILE --sources=file --rerun$/;
    const narrowed = { hookFiles, pods, sources: ['file'], rerun: true, only: ['q'], skip: ['warm'] };
    refused(narrowed, /^--only and --skip leave no hook of the plan$/, list);
  });

  // R3.61
  test('narrows after runOn has chosen: no other pod is chosen for it', () => {
    const hookFiles = hookFileOf(entry('migrate', { runOn: 'one' }), entry('warm'));
    assert.deepEqual(ids({ hookFiles, pods, skip: ['p'] }), ['q warm']);
    refused({ hookFiles, pods, only: ['shop/q/a/migrate/0'] }, /is no hook and no pod/, /list the hooks/);
  });
});

// R1.43
describe('--max-exec-timeout', () => {
  const restore = restoreOf([
    entry('short', {}, { execTimeout: '5s' }),
    entry('long', {}, { execTimeout: '1h' }),
    entry('unlimited', {}, { execTimeout: '-1s' }),
    entry('default'),
  ]);
  const capped = (maxExecTimeoutMs: number | undefined) =>
    planRun(request({ restore, pods: [podOf('p'), podOf('q')], maxExecTimeoutMs })).document;

  test('caps what is longer, or unlimited, and says so once for each hook', () => {
    const { hooks, notices: told } = capped(10_000);
    assert.deepEqual(
      hooks.flatMap((hook) => (hook.kind === 'exec' ? [[hook.name, hook.execTimeout, hook.execTimeoutFrom]] : [])),
      [...Array(2)].flatMap(() => [
        ['short', '5s', 'spec'],
        ['long', '10s', 'flag'],
        ['unlimited', '10s', 'flag'],
        ['default', '10s', 'flag'],
      ]),
    );
    assert.deepEqual(
      told.flatMap(({ code, message }) => (code.startsWith('exec-timeout') ? [message] : [])),
      [
        'hook "long" (0): its exec timeout is 1h0m0s; --max-exec-timeout makes it 10s',
        'hook "unlimited" (0): its exec timeout is unlimited; --max-exec-timeout makes it 10s',
        'hook "default" (0): its exec timeout is 30s; --max-exec-timeout makes it 10s',
      ],
    );
    PlanDocument.parse(JSON.parse(JSON.stringify(capped(10_000))));
  });

  test('is a part of the plan, if it changes anything', () => {
    assert.notEqual(capped(10_000).digest, capped(undefined).digest);
    const alone = (maxExecTimeoutMs?: number) =>
      planRun(request({ restore: restoreOf([entry('x', {}, { execTimeout: '5s' })]), maxExecTimeoutMs })).document
        .digest;
    assert.equal(alone(60_000), alone());
  });

  // R3.29
  test('is named where the timeout is over, and by --explain', () => {
    const asked = request({ restore, pods: [podOf('p')], maxExecTimeoutMs: 10_000 });
    const hook = planRun(asked).hooks.find(({ name }) => name === 'long') ?? assert.fail('no hook');
    assert.equal(timeoutText(hook, 'execTimeout'), 'its execTimeout of 10s (--max-exec-timeout) is over');
    const [pod] = explain(
      asked,
      asked.pods.map((each) => ({ pod: each, isSelected: true })),
    ).pods;
    const values = pod?.exec.flatMap(({ entries }) => entries[1]?.hooks[0]?.planned[0]?.values ?? []) ?? [];
    assert.deepEqual(
      values.find(({ name }) => name === 'execTimeout'),
      { name: 'execTimeout', value: '10s', from: 'flag', field: '--max-exec-timeout' },
    );
  });
});

// R1.44
test('--detach detaches all commands, and is a notice', () => {
  const hooks = planRun(request({ detach: true })).hooks;
  assert.deepEqual(
    hooks.map((hook) => hook.kind === 'exec' && hook.detach),
    [true, true],
  );
  assert.deepEqual(notices({ detach: true }, 'detach-all'), ['--detach: all commands are detached']);
  assert.deepEqual(notices({}, 'detach-all'), []);
});

// R3.62, R7.71
describe('--explain', () => {
  const hookFiles = hookFileOf(
    {
      name: 'migrate',
      wave: -1,
      runOn: 'one',
      postHooks: [{ exec: { command: ['c'], retry: { attempts: 3, maxDelay: '10s' } } }],
    },
    entry('warm'),
  );
  const explained = (more: Partial<PlanRequest> = {}) => {
    const asked = request({ hookFiles, pods: [podOf('p'), podOf('q')], ...more });
    return ExplanationDocument.parse(
      JSON.parse(
        JSON.stringify(
          explain(
            asked,
            asked.pods.map((pod) => ({ pod, isSelected: true })),
          ),
        ),
      ),
    ).pods.map(({ exec }) => exec.flatMap(({ entries }) => entries.flatMap(({ hooks }) => hooks)));
  };

  test('says which pod runOn has chosen instead', () => {
    const [p = [], q = []] = explained();
    assert.deepEqual(
      [...p, ...q].map(({ outcome, runsIn }) => [outcome, runsIn]),
      [
        ['planned', undefined],
        ['planned', undefined],
        ['runs-in-another-pod', 'shop/p'],
        ['planned', undefined],
      ],
    );
  });

  test('says where each of these values is written', () => {
    const [[hook] = []] = explained({ detach: true });
    const told = hook?.planned[0]?.values.map(({ name, value, from, field }) => [name, value, from, field]);
    const at = 'spec.resources[0]';
    assert.deepEqual(told?.slice(5), [
      ['wave', '-1', 'file', `${at}.wave`],
      ['retry.attempts', '3', 'file', `${at}.postHooks[0].exec.retry.attempts`],
      ['retry.delay', '2s', 'default', undefined],
      ['retry.maxDelay', '10s', 'file', `${at}.postHooks[0].exec.retry.maxDelay`],
      ['runOn', 'one', 'file', `${at}.runOn`],
      ['detach', 'true', 'flag', '--detach'],
    ]);
  });

  test('names the annotation that each of them is written in', () => {
    const prefix = 'post.hook.restorehooks.io/';
    const pod = podOf('p', {
      [`${prefix}command`]: 'c',
      [`${prefix}wave`]: '2',
      [`${prefix}retry-attempts`]: '2',
      [`${prefix}detach`]: 'true',
    });
    const [hooks = []] = explained({ hookFiles: undefined, pods: [pod] });
    const told = hooks[0]?.planned[0]?.values.map(({ name, field }) => [name, field]);
    assert.deepEqual(told?.slice(5), [
      ['wave', `${prefix}wave`],
      ['retry.attempts', `${prefix}retry-attempts`],
      ['retry.delay', undefined],
      ['retry.maxDelay', undefined],
      ['detach', `${prefix}detach`],
    ]);
  });
});
