import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Loose, PodOptions, Scene } from './harness.ts';
import { IMAGE, isReal, sh, startSuite, waitFor } from './harness.ts';

/*
 * The recipes of docs/hooks.md, as they stand in examples/recipes. The pods have scripts that stand for an application's
 * own: each leaves its name and arguments in `marks`.
 */

const e2e = await startSuite();
after(() => e2e.close());

const withRecipe = (name: string): string[] => [
  '--hooks',
  join(import.meta.dirname, `../../examples/recipes/${name}.yaml`),
];

/** A container with a script of this name. `then`: what the script does after it has left its mark. */
const withScript = (script: string, then = ':') => ({
  name: 'main',
  image: IMAGE,
  command: sh(`printf '%s\\n' 'echo ${script} $1 >> marks' '${then}' > ${script}; chmod +x ${script}; sleep 100000`),
});

async function podWith(
  scene: Scene,
  name: string,
  script: string,
  then?: string,
  more: PodOptions = {},
): Promise<void> {
  await scene.pod(name, { containers: [withScript(script, then)], ...more });
  await waitFor(`the scripts of ${name}`, async () => (await scene.marks(name, 'main', script)).length > 0);
}

const endsOf = ({ hooks }: Loose): string[] =>
  hooks.map(({ pod, state, reason, attempt }: Loose) =>
    [pod, state, ...(reason === undefined ? [] : [reason]), ...(attempt === 1 ? [] : [`attempt ${attempt}`])].join(' '),
  );

describe('the recipe', { concurrency: 2 }, () => {
  // R3.41, R3.70
  it('load-database warms the web pods up when the dump is loaded, and not before', async () => {
    const scene = await e2e.scene('load');
    await podWith(scene, 'database-0', 'load-dump.sh', 'while [ ! -f gate ]; do sleep 0.1; done');
    await podWith(scene, 'web-0', 'warm-up.sh');
    await podWith(scene, 'web-1', 'warm-up.sh');
    await scene.restore();
    const applied = scene.apply(...withRecipe('load-database'));
    await scene.runStatus(({ counts }) => counts.running === 1);
    assert.deepEqual([await scene.marks('database-0'), await scene.marks('web-0')], [['load-dump.sh'], []]);
    await scene.open('database-0');
    const ran = await applied;
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(endsOf(ran.json()), ['database-0 Succeeded', 'web-0 Succeeded', 'web-1 Succeeded']);
    assert.deepEqual([await scene.marks('web-0'), await scene.marks('web-1')], [['warm-up.sh'], ['warm-up.sh']]);
  });

  // R3.60
  it('leave-maintenance tells one pod of each application', async () => {
    const scene = await e2e.scene('leave');
    await scene.restore();
    const names = await replicasOf(scene, ['blog', 'shop']);
    const ran = await scene.apply(...withRecipe('leave-maintenance'));
    assert.equal(ran.code, 0, ran.stderr);
    const told = names.map(([first = '']) => first);
    assert.deepEqual(
      endsOf(ran.json()),
      told.map((pod) => `${pod} Succeeded`),
    );
    for (const name of names.flat()) {
      assert.deepEqual(await scene.marks(name), told.includes(name) ? ['maintenance.sh off'] : [], name);
    }
  });

  // R3.41, R3.51
  it('check-before-traffic lets traffic in when the check has come true', async () => {
    const scene = await e2e.scene('check');
    await podWith(scene, 'api-0', 'is-healthy.sh', '[ $(grep -c . marks) -ge 3 ]');
    await podWith(scene, 'gateway-0', 'open-traffic.sh');
    await scene.restore();
    const ran = await scene.apply(...withRecipe('check-before-traffic'));
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(endsOf(ran.json()), ['api-0 Succeeded attempt 3', 'gateway-0 Succeeded']);
    assert.equal((await scene.marks('api-0')).length, 3);
  });
});

/** Two pods of each Deployment, by name. The embedded server has no controllers: there the pods are made with their owners. */
async function replicasOf(scene: Scene, apps: readonly string[]): Promise<string[][]> {
  const labels = (app: string) => ({ app, tier: 'frontend' });
  const options = { containers: [withScript('maintenance.sh')] };
  for (const app of apps) {
    if (isReal) {
      const { metadata, spec } = scene.podManifest(`${app}-0`, { ...options, labels: labels(app) });
      const { name: _, namespace: __, ...ofPods } = metadata;
      await e2e.cluster.create({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: app, namespace: scene.namespace },
        spec: { replicas: 2, selector: { matchLabels: { app } }, template: { metadata: ofPods, spec } },
      });
      continue;
    }
    const ownLabels = { ...labels(app), 'pod-template-hash': '5d9c7' };
    const name = `${app}-5d9c7`;
    // It knows no ReplicaSets, and deletes what has no owner: another object of that name stands for it.
    const { metadata: of } = await e2e.cluster.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: scene.namespace },
    });
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name, uid: of.uid, controller: true };
    for (const pod of [`${name}-aaaaa`, `${name}-bbbbb`]) {
      const manifest = scene.podManifest(pod, { ...options, labels: ownLabels });
      await e2e.cluster.create({ ...manifest, metadata: { ...manifest.metadata, ownerReferences: [owner] } });
    }
  }
  return Promise.all(
    apps.map((app) =>
      waitFor(`the pods of ${app}`, async () => {
        const pods = await e2e.cluster.list('pods', scene.namespace, `app=${app}`);
        const running = pods.filter(({ status }) => status.containerStatuses?.[0]?.state.running !== undefined);
        return running.length === 2 && running.map(({ metadata }) => metadata.name as string).sort();
      }),
    ),
  );
}
