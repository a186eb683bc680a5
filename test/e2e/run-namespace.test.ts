import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, gated, isReal, jobByHand, mark, sh, startSuite, waitFor } from './harness.ts';

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero, plugin } = e2e;
const runs = await cluster.namespace('runs', { 'pod-security.kubernetes.io/enforce': 'restricted' });
const at = ['-n', velero];
const IN = `--run-namespace=${runs}`;
const KINDS = ['jobs', 'secrets', 'configMaps', 'leases'];

/** The names of what a Restore's runs have left in a namespace. */
async function left(namespace: string, restore: string): Promise<string[]> {
  const lists = await Promise.all(
    KINDS.map((kind) => cluster.list(kind, namespace, `restorehooks.io/restore=${restore}`)),
  );
  return lists.flatMap((list, kind) => list.map(({ metadata }: Loose) => `${KINDS[kind]} ${metadata.name}`));
}

async function scene(title: string, command: readonly string[]): Promise<Scene> {
  const made = await e2e.scene(title);
  await made.pod('web-0');
  await made.restore({ hooks: [entry(exec(command, { onError: 'Fail' }))], status: { phase: 'Completed' } });
  return made;
}

before(async () => {
  const { code, stderr } = await plugin('setup', '--apply', ...at, IN);
  assert.equal(code, 0, stderr);
});

describe('a run in a namespace of its own', () => {
  let made: Scene;
  before(async () => {
    made = await scene('apart', sh('echo warm >> marks; echo printed; test -f done'));
  });

  // R8.80, R8.82
  it('leaves nothing beside the Restore, and owners only in its own namespace', async () => {
    const ran = await made.apply(IN);
    assert.equal(ran.code, 3, ran.stderr);
    const { restore, phase } = ran.json();
    assert.deepEqual([restore.namespace, restore.runNamespace, phase], [velero, runs, 'PartiallyFailed']);
    assert.deepEqual(await left(velero, made.name), []);
    const [job] = await cluster.list('jobs', runs, `restorehooks.io/restore=${made.name}`);
    assert.equal((await made.annotations())['job'], `${runs}/${job.metadata.name}`); // R8.78
    const { uid } = (await made.current()).metadata;
    for (const kind of KINDS) {
      const objects = await cluster.list(kind, runs, `restorehooks.io/restore-uid=${uid}`);
      assert.ok(objects.length > 0, kind);
      for (const { metadata } of objects) {
        const owners = (metadata.ownerReferences ?? []).map((owner: Loose) => owner.kind);
        assert.ok(
          owners.every((owner: string) => owner === 'Job'),
          `${kind} ${metadata.name}: ${owners}`,
        );
        assert.equal(metadata.labels['restorehooks.io/restore-namespace'], velero);
      }
    }
  });

  // R8.81
  it('is found by its Restore, without the flag', async () => {
    const [status, logs, report] = await Promise.all([
      made.status(),
      plugin('logs', made.name, ...at),
      plugin('report', made.name, ...at),
    ]);
    assert.deepEqual([status.code, status.json().hooks.length, status.stderr], [0, 1, '']);
    assert.match(logs.stdout, /printed/);
    const diff = await made.plan('--diff');
    assert.match(diff.stdout, /"change": ?"unchanged"/, diff.stderr);
    assert.match(report.stdout, /PartiallyFailed/);
    assert.doesNotMatch(report.stdout, /gone from the cluster/);
  });

  // R8.81
  it('is gone on with where it is, also by its id, and another namespace is refused', async () => {
    await made.open('web-0', 'main', 'done');
    const elsewhere = await plugin('retry', made.name, ...at, `--run-namespace=${velero}`);
    assert.equal(elsewhere.code, 2);
    assert.match(
      elsewhere.stderr,
      new RegExp(
        `^error: the runs of Restore ${made.name} are in namespace ${runs}, not in ${velero}\nhint: leave out`,
      ),
    );
    const { runID } = (await made.status()).json();
    const retried = await plugin('retry', made.name, ...at, '-o', 'json');
    assert.deepEqual([retried.code, retried.json().restore.runNamespace], [0, runs], retried.stderr);
    assert.deepEqual(await left(velero, made.name), []);
    const earlier = await made.status('--run', runID);
    assert.equal(earlier.json().phase, 'PartiallyFailed', earlier.stderr);
    assert.match((await plugin('logs', made.name, ...at, '--run', runID)).stdout, /printed/);
  });

  it('is found by the flag if the annotations are gone', async () => {
    const annotations = Object.fromEntries(
      Object.keys((await made.current()).metadata.annotations).map((key) => [key, null]),
    );
    await cluster.patch('restores', velero, made.name, { metadata: { annotations } });
    const { code, stderr, json } = await made.status(IN);
    assert.deepEqual([code, json().phase], [0, 'Completed'], stderr);
    const again = await made.apply(IN);
    assert.deepEqual([again.code, await made.marks('web-0')], [0, ['warm', 'warm']], again.stderr);
  });

  // R8.83
  it('of this process writes there, too', async () => {
    const local = await scene('local', mark('x'));
    const ran = await local.apply(IN, '--runner=local');
    assert.deepEqual([ran.code, ran.json().restore.runNamespace], [0, runs], ran.stderr);
    assert.deepEqual([await left(velero, local.name), (await left(runs, local.name)).length > 2], [[], true]);
    assert.equal((await local.status()).json().hooks[0].state, 'Succeeded');
    assert.equal((await local.annotations())['job'], undefined);
  });

  it('is pruned there', async () => {
    const before = (await left(runs, made.name)).length;
    const { code, stdout, stderr } = await plugin('prune', made.name, ...at, IN);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^removed 1 run /);
    assert.ok((await left(runs, made.name)).length < before);
  });
});

describe('a run of another namespace that is going', () => {
  it('is canceled, and attached to', async () => {
    const made = await scene('going', gated());
    const started = plugin.start('apply', made.name, ...at, IN);
    await waitFor('the hook to begin', async () => (await made.marks('web-0')).includes('begun'));
    const attached = plugin.start('apply', made.name, ...at, IN);
    await attached.says(/is going already/);
    const canceled = await plugin('cancel', made.name, ...at, '--grace=1s', '--wait');
    assert.deepEqual([canceled.code, (await started.done).code, (await attached.done).code], [11, 11, 11]);
  });
});

// R8.82
describe('what a deleted Restore leaves in the namespace of runs', () => {
  it('is taken away by prune --deleted, and nothing else is', async () => {
    const [gone, stays] = [await scene('gone', mark('x')), await scene('stays', mark('x'))];
    for (const each of [gone, stays]) assert.equal((await each.apply(IN)).code, 0);
    await cluster.remove('restores', velero, gone.name);
    const kept = await left(runs, stays.name);
    assert.ok((await left(runs, gone.name)).length > 0);
    const dry = await plugin('prune', '--deleted', ...at, IN, '--dry-run');
    assert.match(dry.stdout, new RegExp(`^would remove \\d+ objects of 1 deleted Restore in namespace ${runs}\n$`));
    assert.ok((await left(runs, gone.name)).length > 0);
    const { code, stdout, stderr } = await plugin('prune', '--deleted', ...at, IN);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^removed \d+ objects of 1 deleted Restore /);
    await waitFor('the objects to go', async () => (await left(runs, gone.name)).length === 0);
    assert.deepEqual(await left(runs, stays.name), kept);
    const again = await plugin('prune', '--deleted', ...at, IN);
    assert.equal(again.stdout, `nothing to remove: no deleted Restore has left anything in namespace ${runs}\n`);
  });

  it('would be deleted at once if it had its Restore as owner', {
    skip: !isReal && 'needs the garbage collector',
  }, async () => {
    const { metadata } = await (await scene('owner', mark('x'))).current();
    const owner = { apiVersion: 'velero.io/v1', kind: 'Restore', name: metadata.name, uid: metadata.uid };
    const name = 'owned-from-elsewhere';
    await cluster.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: runs, ownerReferences: [owner] },
    });
    await waitFor('the ConfigMap to go', async () => !(await cluster.exists('configMaps', runs, name)));
    const events = await cluster.list('events', runs);
    assert.ok(events.some(({ reason }) => reason === 'OwnerRefInvalidNamespace'));
  });

  it('is a run that has stopped, if its Restore is deleted while it goes', async () => {
    const made = await scene('midway', gated());
    const started = plugin.start('apply', made.name, ...at, IN);
    await waitFor('the hook to begin', async () => (await made.marks('web-0')).includes('begun'));
    await cluster.remove('restores', velero, made.name);
    const ran = await started.done;
    assert.deepEqual([ran.code, /was deleted while its hooks were run/.test(ran.stderr)], [10, true], ran.stderr);
    await made.open('web-0');
    await waitFor('the Job to end', async () => {
      const [job] = await cluster.list('jobs', runs, `restorehooks.io/restore=${made.name}`);
      return job?.status?.conditions?.some(({ type }: Loose) => type === 'Failed' || type === 'Complete');
    });
    assert.equal((await plugin('prune', '--deleted', ...at, IN)).code, 0);
    await waitFor('the objects to go', async () => (await left(runs, made.name)).length === 0);
  });

  it('goes when the next run is started', async () => {
    const [gone, next] = [await scene('gone-2', mark('x')), await scene('next', mark('x'))];
    assert.equal((await gone.apply(IN)).code, 0);
    await cluster.remove('restores', velero, gone.name);
    assert.equal((await next.apply(IN)).code, 0);
    await waitFor('the objects to go', async () => (await left(runs, gone.name)).length === 0);
  });

  it('needs the namespace of runs, and takes no Restore', async () => {
    for (const argv of [[], ['--deleted'], ['--deleted', 'nightly', IN], ['--deleted', `--run-namespace=${velero}`]]) {
      const { code, stdout, stderr } = await plugin('prune', ...argv, ...at);
      assert.deepEqual([code, stdout], [2, ''], stderr);
    }
  });
});

// R8.83
describe('the namespace of runs in the defaults', () => {
  before(async () => {
    const file = join(cluster.folder, 'defaults.yaml');
    const document = { apiVersion: 'restorehooks.io/v1', kind: 'RestoreHookDefaults', runNamespace: runs };
    await writeFile(file, JSON.stringify(document));
    const { code, stdout, stderr } = await plugin('setup', '--apply', ...at, '--defaults', file);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`serviceaccount/restorehooks unchanged \\(namespace ${runs}\\)`));
  });
  after(() => cluster.remove('configMaps', velero, 'restorehooks-defaults'));

  it('is that of Restores without a run, and check says so', async () => {
    const made = await scene('default', mark('x'));
    const check = await plugin('check', made.name, ...at);
    assert.match(check.stdout, new RegExp(`runs in namespace ${runs}`));
    const ran = await made.apply();
    assert.deepEqual([ran.code, ran.json().restore.runNamespace], [0, runs], ran.stderr);
    assert.deepEqual(await left(velero, made.name), []);
  });

  it('leaves a Restore where its runs are, and a flag beats it', async () => {
    const made = await scene('beside', mark('x'));
    const ran = await made.apply(`--run-namespace=${velero}`);
    assert.deepEqual([ran.code, ran.json().restore.runNamespace], [0, undefined], ran.stderr);
    const again = await made.apply('--again');
    assert.deepEqual([again.code, again.json().restore.runNamespace], [0, undefined], again.stderr);
    assert.deepEqual(await left(runs, made.name), []);
  });
});

describe('a Job of the image in the namespace of runs', () => {
  // R8.80, R8.6
  it('plans and runs there', async () => {
    const made = await scene('by-hand', mark('x'));
    const job = jobByHand(runs, `by-hand-${made.name}`, [made.name, `--namespace=${velero}`, IN]);
    await cluster.create(job);
    const status = await made.runStatus(({ phase }) => phase === 'Completed');
    assert.deepEqual([status.runNamespace, status.runner.kind], [runs, 'job']);
    assert.deepEqual(await left(velero, made.name), []);
  });
});

describe('apply into a namespace of runs that is not set up', () => {
  it('names the ServiceAccount and the command that makes it, and writes nothing', async () => {
    const made = await scene('typo', mark('x'));
    const { code, stderr } = await made.apply('--run-namespace=no-such-ns');
    assert.equal(code, 10);
    assert.match(stderr, /^error: there is no ServiceAccount restorehooks in namespace no-such-ns$/m);
    assert.match(stderr, new RegExp(`setup --apply -n ${velero} --run-namespace no-such-ns`));
    assert.deepEqual(await made.annotations(), {});
    const bad = await made.apply('--run-namespace=No_name');
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, /^error: "No_name" is no name of a namespace\nhint: give --run-namespace NAMESPACE/);
  });
});
