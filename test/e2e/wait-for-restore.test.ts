import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { DEFAULT_IMAGE } from '../../shared/core/version.ts';
import type { Loose, Scene, Started } from './harness.ts';
import { entry, exec, mark, startSuite, waitFor } from './harness.ts';

/** `--wait-for-restore`: a run that is asked for before its Restore is there, or is done. */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;
const at = ['-n', velero];

const waiting = (scene: Scene, ...args: string[]): Started =>
  e2e.plugin.start('apply', scene.name, ...at, '-o', 'json', '--wait-for-restore', ...args);
const setPhase = (scene: Scene, phase: string, more: object = {}) =>
  cluster.patch('restores', velero, scene.name, { status: { phase, ...more } });
const hooks = [entry(exec(mark('warm')))];
const lines = (text: string) => text.split('\n').filter((line) => line.startsWith('waiting for Restore'));

// R7.80
describe('apply --wait-for-restore', { concurrency: true }, () => {
  it('waits for the Restore and for Velero, says for what, and then runs the hooks', async () => {
    const scene = await e2e.scene('early');
    const apply = waiting(scene);
    await apply.says(/it doesn't exist yet/);
    await scene.pod('web-0');
    await apply.says(/Velero has not begun it \(it has no phase\)/);
    await setPhase(scene, 'InProgress');
    await apply.says(/Velero is at work on it \(InProgress\)/);
    await scene.restore({ hooks, status: { phase: 'Finalizing' } });
    await apply.says(/Velero is at work on it \(Finalizing\)/);
    assert.deepEqual(await scene.annotations(), {}, 'nothing is written while it waits');
    await setPhase(scene, 'Completed');
    const ran = await apply.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
    assert.equal(lines(ran.stderr).length, 4, ran.stderr);
    assert.match(
      ran.stderr,
      new RegExp(`^waiting for Restore ${velero}/${scene.name}, at most 30m0s: it doesn't`, 'm'),
    );
  });

  it('works for a local run, and with --force waits only until the Restore is there', async () => {
    const scene = await e2e.scene('early-local');
    const apply = waiting(scene, '--runner=local', '--force');
    await apply.says(/it doesn't exist yet/);
    await scene.pod('web-0', { wait: false });
    const ran = await apply.done;
    assert.match(ran.stderr, /no hooks to run|no pod/, 'it is planned at once');
    assert.deepEqual(lines(ran.stderr).length, 1, ran.stderr);
  });

  // R7.81
  it('tells at once of a mistyped name, a refused Restore, one that is deleted, and of its time', async () => {
    const scene = await e2e.scene('typo');
    await scene.restore({ hooks, status: { phase: 'InProgress' } });
    const typo = await e2e.plugin('apply', `${scene.name}x`, ...at, '--wait-for-restore=2s');
    assert.equal(typo.code, 7, typo.stderr);
    assert.match(
      typo.stderr,
      new RegExp(`^warning: there is no Restore ${scene.name}x in namespace ${velero}; did you mean`, 'm'),
    );
    assert.match(typo.stderr, /^error: Restore \S+ was waited for 2s \(--wait-for-restore\): it doesn't exist yet;/m);
    assert.match(typo.stderr, new RegExp(`^hint: did you mean ${scene.name}\\?$`, 'm'));
    const busy = await e2e.plugin('apply', scene.name, ...at, '--wait-for-restore=2s');
    assert.equal(busy.code, 7, busy.stderr);
    assert.match(busy.stderr, /^error: .*: Velero is at work on it \(InProgress\); nothing has been changed$/m);

    const refused = waiting(scene);
    await refused.says(/InProgress/);
    await setPhase(scene, 'FailedValidation', { validationErrors: ['the backup is gone'] });
    const ended = await refused.done;
    assert.equal(ended.code, 10, ended.stderr);
    assert.match(ended.stderr, /^error: Velero has refused Restore .*FailedValidation.*the backup is gone/m);

    await setPhase(scene, 'InProgress');
    const deleted = waiting(scene);
    await deleted.says(/InProgress/);
    await cluster.remove('restores', velero, scene.name);
    const gone = await deleted.done;
    assert.equal(gone.code, 4, gone.stderr);
    assert.match(gone.stderr, /^error: Restore \S+ was deleted while it was waited for$/m);
  });

  it('ends on a signal with nothing written: exit 130', async () => {
    const scene = await e2e.scene('asked');
    await scene.restore({ hooks, status: { phase: 'InProgress' } });
    const apply = waiting(scene);
    await apply.says(/InProgress/);
    apply.kill('SIGINT');
    const ran = await apply.done;
    assert.equal(ran.code, 130, ran.stderr);
    assert.match(ran.stderr, /interrupted \(SIGINT\); nothing has been changed/);
    assert.deepEqual(await scene.annotations(), {});
  });

  it('says before it waits that a right is missing, and what value it takes', async () => {
    const user = await e2e.userWith([
      { apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get'], namespace: velero },
    ]);
    const ran = await user('apply', 'some-day', ...at, '--wait-for-restore');
    assert.equal(ran.code, 5, ran.stderr);
    const spaced = await e2e.plugin('apply', 'some-day', ...at, '--wait-for-restore', '5m');
    assert.equal(spaced.code, 2, spaced.stderr);
    assert.match(spaced.stderr, /^hint: write --wait-for-restore=5m$/m);
  });

  it('polls for whoever may not watch', async () => {
    const scene = await e2e.scene('no-watch');
    const rule = (apiGroups: string[], resources: string[], verbs: string[], namespace?: string) => ({
      ...{ apiGroups, resources, verbs },
      ...(namespace !== undefined && { namespace }),
    });
    const user = await e2e.userWith([
      rule(['velero.io'], ['restores'], ['get', 'patch'], velero),
      rule([''], ['secrets'], ['create', 'patch', 'get'], velero),
      rule(['batch'], ['jobs'], ['create', 'get', 'delete'], velero),
      rule([''], ['pods'], ['list']),
    ]);
    const apply = user.start('apply', scene.name, ...at, '-o', 'json', '--wait-for-restore=5m');
    await apply.says(/it doesn't exist yet/);
    await scene.pod('web-0');
    await scene.restore({ hooks, status: { phase: 'Completed' } });
    const ran = await apply.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
  });
});

describe('a Job by hand that waits for its Restore', () => {
  it('runs its hooks once Velero is done', async () => {
    const scene = await e2e.scene('early-job');
    const container = {
      name: 'runner',
      image: DEFAULT_IMAGE,
      imagePullPolicy: 'IfNotPresent',
      args: [scene.name, ...at, '--wait-for-restore=5m', '--deadline=5m'],
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
    };
    const spec = {
      restartPolicy: 'Never',
      serviceAccountName: 'restorehooks',
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [container],
    };
    await cluster.create({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: scene.name, namespace: velero },
      spec: { backoffLimit: 0, template: { spec } },
    });
    const log = async (): Promise<string> => {
      const [pod] = await cluster.list('pods', velero, `batch.kubernetes.io/job-name=${scene.name}`);
      return pod?.status.phase === 'Running' ? cluster.log(velero, pod.metadata.name) : '';
    };
    await waitFor('the Job to wait', async () => (await log()).includes("it doesn't exist yet"));
    await scene.pod('web-0');
    await scene.restore({ hooks, status: { phase: 'InProgress' } });
    await waitFor('it to see Velero', async () => (await log()).includes('Velero is at work on it'));
    assert.deepEqual(await scene.marks('web-0'), []);
    await setPhase(scene, 'Completed');
    const ended = await scene.runStatus(({ phase }: Loose) => phase === 'Completed');
    assert.ok(ended.deadline !== undefined);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
  });
});
