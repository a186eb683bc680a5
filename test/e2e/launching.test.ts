import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { loadAll } from 'js-yaml';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, isReal, jobByHand, mark, sh, startSuite, waitFor } from './harness.ts';
import { assertUntouched } from './untouched.ts';

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;
const at = ['-n', velero];

async function sceneWith(title: string, postHooks: readonly object[], ...pods: string[]): Promise<Scene> {
  const scene = await e2e.scene(title);
  await Promise.all(pods.map((pod) => scene.pod(pod)));
  await scene.restore({ hooks: [entry(postHooks)], status: { phase: 'Completed' } });
  return scene;
}

async function saved(name: string, plan: Loose): Promise<string> {
  const file = join(cluster.folder, name);
  await writeFile(file, typeof plan === 'string' ? plan : JSON.stringify(plan));
  return file;
}

describe('a saved plan', () => {
  // R7.1, R7.6
  it('is run as it was reviewed', async () => {
    const scene = await sceneWith('saved', [exec(mark('a')), exec(mark('b'))], 'web-0', 'web-1');
    const id = `${scene.namespace}/web-0/main/e2e/1`;
    const plan = await scene.plan();
    const file = await saved('plan.json', plan.stdout);
    const shown = await e2e.plugin('plan', '-f', file, '-o', 'name');
    assert.deepEqual([shown.code, shown.stdout.split('\n').length], [0, 5], shown.stderr);
    const part = await saved('part.json', (await scene.plan('--only', id)).stdout);
    const without = await e2e.plugin('apply', '-f', part);
    assert.equal(without.code, 2, 'the same flags are needed again');
    assert.match(without.stderr, /hint: give apply the flags that plan had/);
    const narrowed = await e2e.plugin('apply', '-f', part, '--only', id, '-o', 'json');
    assert.deepEqual(
      [narrowed.code, narrowed.json().planDigest],
      [0, JSON.parse((await scene.plan('--only', id)).stdout).digest],
      narrowed.stderr,
    );
    const ran = await e2e.plugin.with({ stdin: plan.stdout })('apply', '-f', '-', scene.name, '-o', 'json');
    assert.deepEqual(
      [ran.code, ran.json().phase, ran.json().planDigest],
      [0, 'Completed', plan.json().digest],
      ran.stderr,
    );
    assert.deepEqual(
      [await scene.marks('web-0'), await scene.marks('web-1')],
      [
        ['b', 'a'],
        ['a', 'b'],
      ],
    );
  });

  // R7.6
  it('is refused where it no longer fits, naming the difference', async () => {
    const scene = await sceneWith('unfit', [exec(mark('a'))], 'web-0', 'web-1');
    const file = await saved('old.json', (await scene.plan()).stdout);
    await scene.removePod('web-1');
    await scene.pod('web-1');
    await scene.pod('web-2');
    const { code, stdout, stderr } = await e2e.plugin('apply', '-f', file);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /^error: the saved plan no longer fits/);
    assert.match(stderr, new RegExp(`^\\+ ${scene.namespace}/web-2/main/e2e/0$`, 'm'));
    assert.match(stderr, new RegExp(`^~ ${scene.namespace}/web-1/main/e2e/0$`, 'm'));
    assert.doesNotMatch(stderr, /web-0/);
    await assertUntouched(e2e, scene, 'web-0', 'web-1', 'web-2');
  });

  it('is refused where somebody changed it, or where it is of another Restore', async () => {
    const scene = await sceneWith('tampered', [exec(mark('a'))], 'web-0');
    const plan = (await scene.plan()).json();
    const evil = { ...plan, hooks: [{ ...plan.hooks[0], command: mark('evil') }] };
    const cases: readonly [Loose, string[], RegExp][] = [
      [evil, [], /digest: expected the digest of its hooks: the plan was changed after it was made/],
      [{ ...plan, hooks: [] }, [], /digest: expected/],
      [{ ...plan, digest: undefined }, [], /digest/],
      [{ ...plan, hooks: [{ ...plan.hooks[0], surprise: 1 }] }, [], /surprise/],
      [plan, ['nightly'], new RegExp(`the plan is of Restore ${scene.name}, not of nightly`)],
      [{ ...plan, kind: 'RestoreHookRun' }, [], /saved plan|no Restore/],
      ['{"apiVersion": ', [], /tampered\.json:1/],
    ];
    for (const [document, more, expected] of cases) {
      const { code, stdout, stderr } = await e2e.plugin('apply', '-f', await saved('tampered.json', document), ...more);
      assert.deepEqual([code, stdout], [2, ''], stderr);
      assert.match(stderr, expected);
      assert.match(stderr, /^error: /);
    }
    const elsewhere = await e2e.plugin('apply', '-f', await saved('good.json', plan), '-n', 'default');
    assert.equal(elsewhere.code, 4, elsewhere.stderr);
    await assertUntouched(e2e, scene, 'web-0');
  });
});

describe('--dry-run', () => {
  // R7.5
  it('client: prints manifests that run by themselves once they are created', async () => {
    const scene = await sceneWith(
      'manifests',
      [exec(mark('by-itself')), exec(sh('exit 3'), { onError: 'Fail' })],
      'web-0',
    );
    const before = (await scene.current()).metadata.resourceVersion;
    const dry = await e2e.plugin('apply', scene.name, ...at, '--dry-run=client');
    assert.equal(dry.code, 0, dry.stderr);
    const json = await scene.apply('--dry-run');
    assert.deepEqual(
      json.json().items.map(({ kind }: Loose) => kind),
      ['Secret', 'Job'],
      json.stderr,
    );
    await assertUntouched(e2e, scene, 'web-0');
    assert.equal((await scene.current()).metadata.resourceVersion, before);
    const manifests = loadAll(dry.stdout) as Loose[];
    assert.ok(!JSON.stringify(manifests.filter(({ kind }) => kind === 'Job')).includes('by-itself'));
    await createAll(dry.stdout);
    const annotations = await ended(scene);
    assert.equal(annotations['phase'], 'PartiallyFailed');
    assert.deepEqual(await scene.marks('web-0'), ['by-itself']);
    const code = await exitCodeOf(manifests.find(({ kind }) => kind === 'Job').metadata.name);
    assert.equal(code, 3);
    const status = await scene.status('-w');
    assert.deepEqual([status.code, status.json().attempt, status.json().counts.planned], [3, 1, 2], status.stderr);
    const again = await scene.apply();
    assert.deepEqual([again.code, again.json().runID], [3, status.json().runID]);
  });

  // R7.5
  it('server: has them checked, and changes nothing', async () => {
    const scene = await sceneWith('checked', [exec(mark('a'))], 'web-0');
    const before = (await scene.current()).metadata.resourceVersion;
    const dry = await scene.apply('--dry-run=server');
    assert.deepEqual([dry.code, dry.json().items.length], [0, 2], dry.stderr);
    await assertUntouched(e2e, scene, 'web-0');
    assert.equal((await scene.current()).metadata.resourceVersion, before);
    const local = await scene.apply('--dry-run=server', '--runner=local');
    assert.deepEqual([local.code, local.stdout], [2, '']);
  });

  it('settles nothing of a run whose runner died', async () => {
    const scene = await sceneWith('unsettled', [exec(sh('echo started >> marks; sleep 60'))], 'web-0');
    assert.equal((await scene.apply('--no-wait')).code, 0);
    await waitFor('the hook to start', async () => (await scene.marks('web-0')).length > 0);
    const [job] = await scene.jobs();
    await cluster.remove('jobs', velero, job.metadata.name);
    await waitFor('the run to be dead', async () => (await scene.status()).json().phase === 'Failed');
    const dry = await scene.apply('--dry-run=client');
    assert.equal(dry.code, 10, dry.stderr);
    assert.equal((await scene.annotations())['phase'], 'InProgress', 'nobody has written it down');
    assert.deepEqual(await scene.jobs(), []);
  });
});

describe('a Job by hand', () => {
  const job = (name: string, args: readonly string[]) => jobByHand(velero, name, args);

  // R8.6
  it('plans for itself, is seen while it runs, ends with the exit code of the run, and runs once', async () => {
    const script = 'echo started >> marks; while [ ! -e go ]; do sleep 0.1; done; exit 4';
    const scene = await sceneWith('by-hand', [exec(sh(script), { onError: 'Fail' })], 'web-0');
    const one = `${scene.name}-1`;
    await cluster.create(job(one, [scene.name, ...at]));
    await waitFor('the hook to start', async () => (await scene.marks('web-0')).length > 0);
    const going = await scene.status();
    assert.deepEqual(
      [going.json().phase, going.json().runner],
      ['InProgress', { kind: 'job', name: one }],
      going.stdout,
    );
    const follower = e2e.plugin.start('apply', scene.name, ...at, '-o', 'json');
    await follower.says(/is going already; following it/);
    assert.equal((await scene.apply('--again')).code, 9);
    await cluster.create(job(`${scene.name}-2`, [scene.name, ...at]));
    assert.equal(await exitCodeOf(`${scene.name}-2`), 9, 'while another is at it');
    await cluster.exec(scene.namespace, 'web-0', 'main', ['touch', 'go']);
    assert.equal(await exitCodeOf(one), 3);
    const followed = await follower.done;
    assert.deepEqual([followed.code, followed.json().phase], [3, 'PartiallyFailed'], followed.stderr);
    await cluster.create(job(`${scene.name}-3`, [scene.name, ...at]));
    assert.equal(await exitCodeOf(`${scene.name}-3`), 3, 'it has been run');
    assert.deepEqual(await scene.marks('web-0'), ['started']);
  });

  it('says by its exit code why it does nothing', async () => {
    const busy = await sceneWith('busy', [exec(mark('a'))], 'web-0');
    await cluster.patch('restores', velero, busy.name, { status: { phase: 'InProgress' } });
    const nomatch = await sceneWith('nomatch', [exec(mark('a'))]);
    // Two Restores, because a Restore that has had a run shows it instead of being refused.
    const [refused, ran] = await Promise.all([
      sceneWith('velero-ran', [exec(mark('a'))], 'web-0'),
      sceneWith('velero-ran-too', [exec(mark('a'))], 'web-0'),
    ]);
    for (const { name } of [refused, ran]) {
      await cluster.patch('restores', velero, name, { status: { startTimestamp: '2026-11-23T01:18:55Z' } });
    }
    const empty = await sceneWith('nothing', [], 'web-0');
    const cases: readonly [name: string, args: string[], code: number][] = [
      ['missing', ['nightlx', ...at], 4],
      ['usage', [], 2],
      ['unknown-flag', [busy.name, ...at, '--frobnicate'], 2],
      ['still-busy', [busy.name, ...at], 9],
      ['no-match', [nomatch.name, ...at], 8],
      ['no-match-allowed', [nomatch.name, ...at, '--allow-no-match'], 0],
      ['velero', [refused.name, ...at], 9],
      ['no-hooks', [empty.name, ...at], 0],
      ['rerun', [ran.name, ...at, '--rerun', '--fail-on=any'], 0],
    ];
    const codes = await Promise.all(
      cases.map(async ([name, args, code]) => {
        await cluster.create(job(`${name}-${busy.name}`, args));
        return [name, await exitCodeOf(`${name}-${busy.name}`), code];
      }),
    );
    assert.deepEqual(
      codes.map(([name, code]) => [name, code]),
      cases.map(([name, , code]) => [name, code]),
    );
    assert.deepEqual([await ran.marks('web-0'), await busy.marks('web-0')], [['a'], []]);
    for (const scene of [busy, nomatch, empty]) assert.deepEqual(await scene.annotations(), {});
  });
});

/** Creates the objects as `kubectl create -f -` does; on a real cluster kubectl itself does it. */
async function createAll(text: string): Promise<void> {
  if (!isReal) {
    for (const manifest of loadAll(text) as Loose[]) await cluster.create(manifest);
    return;
  }
  const created = promisify(execFile)('kubectl', ['create', '-f', '-'], {
    env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
  });
  created.child.stdin?.end(text);
  await created;
}

const ended = (scene: Scene): Promise<Record<string, string>> =>
  waitFor('the run to end', async () => {
    const annotations = await scene.annotations();
    return /Completed|Failed|Canceled/.test(annotations['phase'] ?? '') && annotations;
  });

/** The exit code of the Job's only pod. */
const exitCodeOf = (job: string): Promise<number> =>
  waitFor(`Job ${job} to end`, async () => {
    const pods = await cluster.list('pods', velero, `batch.kubernetes.io/job-name=${job}`);
    const codes = pods.flatMap(({ status }) =>
      (status?.containerStatuses ?? []).map(({ state }: Loose) => state.terminated?.exitCode),
    );
    return codes.length === 1 && codes[0] !== undefined ? { code: codes[0] as number } : false;
  }).then(({ code }) => code);
