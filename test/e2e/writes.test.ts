import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import { noCounts } from '../../shared/core/execute/state.ts';
import type { HookId } from '../../shared/core/model/hook.ts';
import { ANNOTATION } from '../../shared/core/names.ts';
import { cancelText } from '../../shared/core/report/cancel-request.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { parseRunStatus, progressLine, statusText } from '../../shared/core/report/run-status.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { claimRun, versionOf } from '../../shared/kubernetes/run/claim.ts';
import { KubernetesJournal } from '../../shared/kubernetes/run/journal.ts';
import { readJournal } from '../../shared/kubernetes/run/journal-reader.ts';
import { takeLease } from '../../shared/kubernetes/run/lease.ts';
import { kubernetesRunStore, readReport, writeStatus } from '../../shared/kubernetes/run/run-store.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import { systemClock } from '../../shared/system/clock.ts';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, gated, hookAnnotations, isReal, mark, sh, startSuite, VELERO, waitFor } from './harness.ts';

/** Writes to a Restore succeed with any text in them, and while others write the same object. */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

/** Go's JSON encoder escapes some of these characters, and other encoders don't. */
const AWKWARD = '<from> & "quotes" \'\\ / ~1 \u2028 \u2029 \u0085 é 漢 \u{1f600} %3C \ud800';
const LONG = `${AWKWARD} `.repeat(3_000);

const statusOf = (runID: string, more: Partial<RunStatus> = {}): RunStatus => ({
  version: 1,
  runID,
  attempt: 1,
  planDigest: `sha256:${AWKWARD}`,
  phase: 'Pending',
  runner: { kind: 'local', name: `runner ${AWKWARD}` },
  createdAt: '2026-01-01T00:00:00.000Z',
  failOn: 'fail',
  counts: { ...noCounts(1), waiting: 1 },
  failures: [],
  reportParts: 0,
  ...more,
});

const annotationsOf = (status: RunStatus) => ({
  [ANNOTATION.phase]: status.phase,
  [ANNOTATION.progress]: progressLine(status.counts),
  [ANNOTATION.status]: statusText(status),
});

const row = (name: string, more: Pick<RunHook, 'message' | 'stdout'> = {}): RunHook => ({
  id: `ns/p/c/${name}/0`,
  kind: 'exec',
  namespace: 'ns',
  pod: 'p',
  container: 'c',
  source: 'spec',
  origin: 'velero',
  name,
  index: 0,
  command: ['true'],
  onError: 'Continue',
  execTimeout: '30s',
  execTimeoutFrom: 'default',
  waitTimeoutFrom: 'default',
  waitForReady: false,
  state: 'Failed',
  reason: 'error',
  run: 1,
  attempt: 1,
  ...more,
});

/** A Restore whose run has been claimed, and the store of the runner that has it. */
async function claimed(title: string, client: Pick<KubeClient, 'get' | 'patch' | 'create'> = cluster.client) {
  const scene = await e2e.scene(title);
  const { metadata } = await scene.restore({ status: { phase: 'Completed' } });
  const reference = { namespace: velero, name: scene.name, uid: metadata.uid as string };
  const found = await getRestore(cluster.client, velero, scene.name);
  await writeStatus(cluster.client, versionOf(found, velero), statusOf('abcdef', { restoreUID: reference.uid }));
  const at = { namespace: velero, name: scene.name, runID: 'abcdef' };
  const { status } = await claimRun(cluster.client, at, `pod ${AWKWARD}`, () => assert.fail('it is written down'));
  return { scene, reference, status, store: kubernetesRunStore(client, reference, status, 1, {}) };
}

/** A client that first makes another write to the Restore before each of its own, as long as `writes` has one. */
function contended(scene: () => Scene, writes: object[]): Pick<KubeClient, 'get' | 'patch' | 'create'> {
  return {
    get: (...args) => cluster.client.get(...args),
    create: (...args) => cluster.client.create(...args),
    async patch(path, ...args) {
      const body = writes.shift();
      if (body !== undefined) await cluster.patch('restores', velero, scene().name, body);
      return cluster.client.patch(path, ...args);
    },
  };
}

const annotation = (key: string, value: string | null) => ({ metadata: { annotations: { [key]: value } } });
const rejectsWith = (code: string) => (error: unknown) => error instanceof RestoreHooksError && error.code === code;

/** The largest size of an object's annotations that the API server accepts, in bytes. */
const MOST_ANNOTATIONS = 256 * 1024;
const FILLER = 'example.com/filler';

/** Fills the annotations so that the run's end doesn't fit in. */
async function fill(scene: Scene): Promise<void> {
  const { annotations } = (await scene.current()).metadata;
  const used = Object.entries(annotations as Record<string, string>).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  await cluster.patch(
    'restores',
    velero,
    scene.name,
    annotation(FILLER, 'x'.repeat(MOST_ANNOTATIONS - used - FILLER.length)),
  );
}

const POLICIES = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';

/** Creates an admission policy that refuses the end of this run. Returns how to delete it. */
async function denyTheEnd(scene: Scene): Promise<() => Promise<void>> {
  const { client } = cluster;
  const name = scene.namespace;
  const of = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name } };
  const resourceRules = [
    { apiGroups: ['velero.io'], apiVersions: ['*'], operations: ['UPDATE'], resources: ['restores'] },
  ];
  const phase = `object.metadata.annotations['${ANNOTATION.phase}']`;
  const expression = `object.metadata.name != '${scene.name}' || ${phase} in ['Pending', 'InProgress']`;
  await client.create(POLICIES, {
    ...of,
    kind: 'ValidatingAdmissionPolicy',
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: { resourceRules },
      validations: [{ expression, message: 'no ends on a Sunday', reason: 'Forbidden' }],
    },
  });
  await client.create(`${POLICIES.slice(0, -3)}ybindings`, {
    ...of,
    kind: 'ValidatingAdmissionPolicyBinding',
    spec: { policyName: name, validationActions: ['Deny'] },
  });
  await waitFor('the policy to hold', () =>
    client.patch(paths.restores(velero, scene.name), annotation(ANNOTATION.phase, 'X'), 'merge', { dryRun: true }).then(
      () => false,
      (error: unknown) => rejectsWith('DENIED')(error),
    ),
  );
  return async () => {
    await client.delete(`${POLICIES.slice(0, -3)}ybindings/${name}`);
    await client.delete(`${POLICIES}/${name}`);
  };
}

/** A run whose hook is running; it ends when the gate is opened. */
async function running(title: string, ...args: string[]) {
  const scene = await e2e.scene(title);
  await scene.pod('web-0');
  await scene.restore({ hooks: [entry(exec(gated()))] });
  const going = scene.apply(...args);
  await scene.runStatus(({ counts }) => counts.running === 1);
  return { scene, going };
}

describe('writes', { concurrency: 6 }, () => {
  it("ends a run in which an annotation's hook fails while others run", async () => {
    const scene = await e2e.scene('annotated');
    const names = ['a-0', 'b-0', 'c-0', 'd-0', 'e-0'];
    const command = (pod: string) => (pod === 'c-0' ? sh('exit 7') : gated());
    await Promise.all(
      names.map((pod) => scene.pod(pod, { annotations: hookAnnotations(VELERO, command(pod), { container: 'main' }) })),
    );
    await scene.restore();
    const going = scene.apply();
    const { failures } = await scene.runStatus(({ counts }) => counts.failed === 1 && counts.running === 4);
    assert.deepEqual(failures, [
      { id: `${scene.namespace}/c-0/main/<from-annotation>/0`, state: 'Failed', reason: 'exit', exitCode: 7 },
    ]);
    for (const pod of names) if (pod !== 'c-0') await scene.open(pod);
    const ran = await going;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.equal((await scene.annotations())['progress'], '5/5 done, 1 failed');
    for (const pod of names) if (pod !== 'c-0') assert.deepEqual(await scene.marks(pod), ['begun', 'ended']);
  });

  it('ends a run whose hooks have awkward and long names, canceled while others write its Restore', async () => {
    const scene = await e2e.scene('names');
    await scene.pod('web-0');
    const hooks = [AWKWARD.slice(0, -2), `long ${LONG.slice(0, 4_000)}`].map((name) =>
      entry([exec(sh('exit 3')), exec(gated()), exec(mark('never'))], { name }),
    );
    await scene.restore({ hooks });
    const going = scene.apply();
    await scene.runStatus(({ counts }) => counts.failed === 1 && counts.running === 1);
    let writing = true;
    const writer = (async () => {
      for (let each = 0; writing; each += 1) {
        await cluster.patch('restores', velero, scene.name, annotation('example.com/others', `${AWKWARD} ${each}`));
      }
    })();
    const canceled = await e2e.plugin('cancel', scene.name, '-n', velero);
    assert.equal(canceled.code, 0, canceled.stderr);
    await scene.runStatus(({ counts }) => counts.notExecuted > 0);
    writing = false;
    await writer;
    await scene.open('web-0');
    const ran = await going;
    assert.deepEqual([ran.code, ran.json().phase], [11, 'Canceled'], ran.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended']);
    assert.equal((await scene.current()).metadata.annotations['example.com/others'].startsWith('<from> & "'), true);
  });

  it('writes every text that can get into a status, a report, a Lease and a journal', async () => {
    const { scene, reference, status, store } = await claimed('texts');
    const failures = [AWKWARD, LONG, 'plain'].map((id) => ({ id, state: 'Failed', reason: 'error' }) as const);
    const said: RunStatus = {
      ...status,
      counts: { ...noCounts(3), failed: 3 },
      failures,
      notices: [AWKWARD, LONG],
      failure: { code: 'error', message: LONG },
    };
    for (const more of [{}, { failures: failures.slice(0, 1) }, { phase: 'PartiallyFailed' as const }]) {
      await store.annotate(annotationsOf({ ...said, ...more }));
      const standing = parseRunStatus((await scene.annotations())['status'] ?? '');
      assert.ok(standing.ok && standing.value.runner.claimedBy?.startsWith('pod <from> & "'));
    }
    await store.setRestorePhase('Completed', 'PartiallyFailed', { [ANNOTATION.formerPhase]: AWKWARD });
    assert.equal((await scene.current()).status.phase, 'PartiallyFailed');
    await store.setRestorePhase('PartiallyFailed', 'Completed', { [ANNOTATION.formerPhase]: null });
    const { status: restored } = await scene.current();
    assert.deepEqual([restored.phase, (await scene.annotations())['former-phase']], ['Completed', undefined]);

    const rows = [row(AWKWARD.slice(0, -2), { message: LONG, stdout: LONG }), row('plain')];
    const reportParts = await store.addToReport(rows);
    const report = await readReport(cluster.client, reference, { runID: 'abcdef', reportParts });
    const withSize = [{ ...rows[0], stdoutBytes: Buffer.byteLength(LONG) }, rows[1]];
    assert.deepEqual(JSON.parse(JSON.stringify(report)), JSON.parse(JSON.stringify(withSize)));

    const place = { restore: reference, runID: 'abcdef', holder: `holder ${AWKWARD}` };
    for (let taken = 0; taken < 2; taken += 1) {
      const lease = await takeLease(cluster.client, systemClock, place, { isOver: async () => false });
      await lease?.release();
    }
    const head = { runID: 'abcdef', planDigest: `sha256:${AWKWARD.slice(0, -2)}`, hooks: 1 };
    const at = { restore: reference, head };
    const hooks = [{ id: AWKWARD as HookId }];
    const journal = await KubernetesJournal.take(cluster.client, systemClock, at, hooks, undefined);
    const intent = { attempt: 1, at: 1, podUID: AWKWARD };
    await new Promise<void>((recorded) => journal.intent(AWKWARD as HookId, intent, recorded));
    const read = await readJournal(cluster.client, at);
    await KubernetesJournal.close(cluster.client, systemClock, at, read, `by ${AWKWARD}`);
    assert.ok((await readJournal(cluster.client, at))?.replay.closedBy?.startsWith('by <from> & "'));
  });

  // R5.10
  it('loses no cancel request to a conflict, and no write of others', async () => {
    let scene: Scene | undefined;
    const writes = [
      annotation('example.com/one', AWKWARD),
      annotation(ANNOTATION.cancelRequested, cancelText('abcdef', 5_000)),
      { status: { phase: 'Finalizing' } },
      annotation('example.com/one', 'last'),
    ];
    const made = await claimed(
      'contended',
      contended(() => scene as Scene, writes),
    );
    scene = made.scene;
    const failures = [{ id: 'a/b/c/<from-annotation>/0', state: 'Failed', reason: 'exit', exitCode: 7 } as const];
    assert.deepEqual(await made.store.annotate(annotationsOf({ ...made.status, failures })), {
      cancel: { graceMs: 5_000 },
    });
    assert.deepEqual(writes, []);
    const { metadata, status } = await scene.current();
    assert.deepEqual([metadata.annotations['example.com/one'], status.phase], ['last', 'Finalizing']);
    assert.deepEqual(JSON.parse(metadata.annotations[ANNOTATION.status]).failures, failures);
    assert.deepEqual(await made.store.checkRestore(), { cancel: { graceMs: 5_000 } });
  });

  it('decides again after a conflict: a phase that is another one by now stays', async () => {
    let scene: Scene | undefined;
    const made = await claimed(
      'moved',
      contended(() => scene as Scene, [{ status: { phase: 'Failed' } }]),
    );
    scene = made.scene;
    await made.store.setRestorePhase('Completed', 'PartiallyFailed', { [ANNOTATION.formerPhase]: 'Completed' });
    const { metadata, status } = await scene.current();
    assert.deepEqual([status.phase, metadata.annotations[ANNOTATION.formerPhase]], ['Failed', undefined]);
  });

  it("decides again after a conflict: another runner's status stays as it is", async () => {
    let scene: Scene | undefined;
    const others = statusText(statusOf('others', { runner: { kind: 'local', name: 'o', claimedBy: 'o' } }));
    const made = await claimed(
      'taken',
      contended(() => scene as Scene, [annotation(ANNOTATION.status, others)]),
    );
    scene = made.scene;
    await assert.rejects(made.store.annotate(annotationsOf(made.status)), rejectsWith('RUN_BY_ANOTHER'));
    await assert.rejects(made.store.checkRestore(), rejectsWith('RUN_BY_ANOTHER'));
    assert.equal((await scene.annotations())['status'], others);
  });

  it('writes again what somebody took away, and nothing on another Restore of the name', async () => {
    const { scene, status, store } = await claimed('anew');
    await cluster.patch('restores', velero, scene.name, { metadata: { annotations: null } });
    await store.annotate(annotationsOf(status));
    assert.equal((await scene.annotations())['status'], statusText(status));
    await cluster.remove('restores', velero, scene.name);
    await waitFor('the Restore to go', async () => !(await cluster.exists('restores', velero, scene.name)));
    await scene.restore();
    await assert.rejects(store.annotate(annotationsOf(status)), rejectsWith('NOT_FOUND'));
    await assert.rejects(store.checkRestore(), rejectsWith('NOT_FOUND'));
    assert.deepEqual(await scene.annotations(), {});
  });

  it('ends a Job whose last word is refused for good, and status tells why; the next apply goes on', async () => {
    const { scene, going } = await running('full');
    await fill(scene);
    await scene.open('web-0');
    const why =
      /exit code 10: the run has ended \(Completed: 1\/1 done\), which could not be written: patch restores\.velero\.io \S+: .*Too long.*HTTP 422/;
    const ran = await going;
    assert.deepEqual([ran.code, ran.json().phase], [10, 'Failed'], ran.stderr);
    assert.match(ran.json().message, why);
    const told = (await scene.status()).json();
    assert.match(told.message, why);
    assert.deepEqual([told.phase, told.hooks[0].state, told.counts.succeeded], ['Failed', 'Succeeded', 1]);
    await cluster.patch('restores', velero, scene.name, annotation(FILLER, null));
    const next = await scene.apply();
    assert.deepEqual([next.json().hooks[0].state, await scene.marks('web-0')], ['Succeeded', ['begun', 'ended']]);
  });

  it("ends a run of the plugin's own whose last word is refused for good", async () => {
    const { scene, going } = await running('full-local', '--runner=local');
    await fill(scene);
    await scene.open('web-0');
    const ran = await going;
    assert.equal(ran.code, 10, ran.stderr);
    assert.match(ran.stderr, /warning: the last status could not be written: patch restores\.velero\.io/);
    assert.match(ran.stderr, /error: the run has ended \(Completed: 1\/1 done\), which could not be written/);
    await cluster.patch('restores', velero, scene.name, annotation(FILLER, null));
    await scene.apply();
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended']);
  });

  it('takes the word of an admission policy for no missing right', {
    skip: !isReal && 'the embedded server has no admission policies',
  }, async () => {
    const { scene, going } = await running('denied');
    const allow = await denyTheEnd(scene);
    try {
      await scene.open('web-0');
      const ran = await going;
      assert.deepEqual([ran.code, ran.json().phase], [10, 'Failed'], ran.stderr);
      assert.match(ran.json().message, /exit code 10: .*patch restores\.velero\.io .*no ends on a Sunday.*HTTP 403/);
    } finally {
      await allow();
    }
  });

  it('ends at a Restore that is being deleted', async () => {
    const { scene, status, store } = await claimed('going');
    const finalizers = { metadata: { finalizers: ['example.com/held'] } };
    await cluster.patch('restores', velero, scene.name, finalizers);
    await cluster.remove('restores', velero, scene.name);
    try {
      await assert.rejects(store.annotate(annotationsOf(status)), rejectsWith('NOT_FOUND'));
      await assert.rejects(store.checkRestore(), rejectsWith('NOT_FOUND'));
    } finally {
      await cluster.patch('restores', velero, scene.name, { metadata: { finalizers: null } } as Loose);
    }
  });
});
