import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { RunnerRule } from '../../shared/core/manifests/rbac.ts';
import { runnerRights, runnerRules, setupManifests } from '../../shared/core/manifests/rbac.ts';
import { rightText } from '../../shared/kubernetes/api/access.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { kubeClient } from '../../shared/kubernetes/api/client.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
import type { Loose, Plugin, Scene, Suite } from '../e2e/harness.ts';
import { entry, exec, IMAGE, isReal, mark, sh, startSuite, waitFor } from '../e2e/harness.ts';

/** Runs the runner with exactly the rights of `setup`, on a real authorizer and a real PodSecurity. */

const skip = !isReal && 'needs a cluster: RESTOREHOOKS_TEST_CLUSTER=1';
const group = 'rbac.authorization.k8s.io';

/** A user who may launch runs but not ask for the runner's rights, so that a missing right shows only in the run. */
const launcher = (velero: string) =>
  (
    [
      ['velero.io', 'restores', ['get', 'patch'], velero],
      ['', 'secrets', ['create', 'patch', 'get'], velero],
      ['batch', 'jobs', ['create', 'get', 'delete'], velero],
      ['', 'pods', ['list']],
    ] as const
  ).map(([apiGroup, resource, verbs, namespace]) => ({
    apiGroups: [apiGroup],
    resources: [resource],
    verbs,
    ...(namespace !== undefined && { namespace }),
  }));

/** Each single right of the runner, with the rules that remain without it. */
const withoutOne = runnerRules().flatMap((taken) =>
  // Without the others a run goes on: test/e2e/events.test.ts.
  taken.optional
    ? []
    : taken.verbs.map((verb) => ({
        verb,
        resource: taken.resource,
        rules: runnerRules()
          .map(
            (rule): RunnerRule =>
              rule.resource === taken.resource ? { ...rule, verbs: rule.verbs.filter((each) => each !== verb) } : rule,
          )
          .filter(({ verbs }) => verbs.length > 0),
      })),
);

describe("the runner's rights", { skip }, () => {
  let e2e: Suite;
  let user: Plugin;
  const clusterWide: [string, string][] = [];

  before(async () => {
    e2e = await startSuite();
    user = await e2e.userWith(launcher(e2e.velero));
  });
  after(async () => {
    for (const [resource, name] of clusterWide) await e2e.cluster.remove(resource, undefined, name);
    await e2e?.close();
  });

  /** A ServiceAccount as `setup` makes it, but with these rules. */
  async function account(name: string, rules: readonly RunnerRule[]): Promise<string> {
    for (const manifest of setupManifests({ namespace: e2e.velero, serviceAccount: name }, rules)) {
      await e2e.cluster.create(manifest);
      const { kind, metadata } = manifest;
      if (metadata.namespace === undefined) clusterWide.push([`${kind}s`, metadata.name]);
    }
    return name;
  }
  const applyAs = (scene: Scene, serviceAccount: string) =>
    user.start('apply', scene.name, '-n', e2e.velero, '-o', 'json', '--service-account', serviceAccount);

  // R8.1
  it('are enough for a run in a namespace that enforces PodSecurity restricted', async () => {
    const { metadata } = await e2e.cluster.get('namespaces', undefined, e2e.velero);
    assert.equal(metadata.labels['pod-security.kubernetes.io/enforce'], 'restricted');
    const root = e2e.cluster.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'root', namespace: e2e.velero },
      spec: { containers: [{ name: 'main', image: 'testbed.local/busybox:1' }] },
    });
    await assert.rejects(root, /violates PodSecurity "restricted/);
    const scene = await e2e.scene('enough');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('warm')))] });
    const ran = await applyAs(scene, 'restorehooks').done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.match(ran.stderr, /^rights .*unchecked$/m);
  });

  // R8.7
  describe('end there', () => {
    let runner: KubeClient;
    const secret = { apiVersion: 'v1', kind: 'Secret', stringData: { cloud: 'hunter2' } };
    const refused = (what: Promise<unknown>) => assert.rejects(what, { code: 'FORBIDDEN' });

    before(async () => {
      const metadata = { name: 'cloud-credentials', namespace: e2e.velero };
      await e2e.cluster.create({ ...secret, metadata });
      const as = `system:serviceaccount:${e2e.velero}:restorehooks`;
      runner = kubeClient(loadKubeConfig({ env: process.env, as }));
    });
    after(() => runner?.close());

    it("no other Secret can be read, Velero's cloud credentials among them", async () => {
      const at = paths.secrets(e2e.velero, 'cloud-credentials');
      await refused(runner.get(at));
      await refused(runner.listAll(paths.secrets(e2e.velero)));
      await refused(runner.listAll(paths.secrets(e2e.velero), { fieldSelector: 'metadata.name=cloud-credentials' }));
      await refused(runner.listAll(paths.secrets()));
      await refused(runner.patch(at, { data: null }, 'merge'));
      await refused(runner.delete(at));
      const watch = await new Promise<Loose>((resolve) => {
        runner.watch(paths.secrets(e2e.velero), {}, () => undefined, resolve);
      });
      assert.equal(watch.error?.code, 'FORBIDDEN');
      const kept = await e2e.cluster.get('secrets', e2e.velero, 'cloud-credentials');
      assert.equal(Buffer.from(kept.data.cloud, 'base64').toString(), 'hunter2');
    });

    it('no Restores can be listed, made or deleted, and nothing else be changed', async () => {
      const scene = await e2e.scene('ends');
      await scene.restore();
      await refused(runner.listAll(paths.restores(e2e.velero)));
      await refused(runner.delete(paths.restores(e2e.velero, scene.name)));
      await refused(runner.get(paths.restores('default', scene.name)));
      await refused(runner.create(paths.pods(scene.namespace), scene.podManifest('web-0')));
      await refused(runner.listAll(paths.jobs(e2e.velero)));
      await refused(runner.create(paths.jobs(e2e.velero), { metadata: { name: 'x' } }));
      await refused(runner.listAll(paths.configMaps(e2e.velero)));
      await refused(runner.delete(paths.configMaps(e2e.velero, 'kube-root-ca.crt')));
      await refused(runner.listAll(paths.leases(e2e.velero)));
      await refused(runner.create(paths.secrets('default'), { ...secret, metadata: { name: 'x' } }));
      await runner.get(paths.restores(e2e.velero, scene.name));
    });
  });

  describe('of --create-pods', () => {
    const init = { init: { initContainers: [{ name: 'load', image: IMAGE, command: ['echo', 'loaded'] }] } };
    const recreated = async (title: string, lacking?: { resource: string; verb: string }) => {
      const scene = await e2e.scene(title);
      // Without a grace period the next pod of this name waits while the node still cleans up the old one.
      const spec = { terminationGracePeriodSeconds: 1 };
      const { uid } = (await scene.pod('web-0', { spec })).metadata;
      await scene.restore({ hooks: [entry(init)] });
      const rules = runnerRules(true).map((rule) => ({
        ...rule,
        verbs: rule.verbs.filter((verb) => rule.resource !== lacking?.resource || verb !== lacking.verb),
      }));
      await account(
        title,
        rules.filter(({ verbs }) => verbs.length > 0),
      );
      const ran = await user.start(
        ...['apply', scene.name, '-n', e2e.velero, '-o', 'json', '--service-account', title, '--recreate-pods'],
      ).done;
      const now = await e2e.cluster.get('pods', scene.namespace, 'web-0');
      return { row: ran.json().hooks[0], isSame: now.metadata.uid === uid, ran };
    };

    it('are enough to create a pod anew, and to tell what its init container printed', async () => {
      const { row, isSame, ran } = await recreated('creator');
      assert.deepEqual([row.state, row.stdout, isSame], ['Succeeded', 'loaded\n', false], ran.stderr);
    });
    for (const verb of ['create', 'delete']) {
      it(`without ${verb} pods the pod stays as it is, and the hook says why`, async () => {
        const { row, isSame } = await recreated(`no-${verb}`, { resource: 'pods', verb });
        assert.deepEqual([row.state, row.reason, isSame], ['NotExecuted', 'not-injected', true]);
        assert.match(row.message, new RegExp(` may not ${verb} pods in namespace `));
      });
    }
    it('without get pods/log the outcome is told, without what was printed', async () => {
      const { row } = await recreated('no-log', { resource: 'pods/log', verb: 'get' });
      assert.deepEqual([row.state, row.stdout], ['Succeeded', undefined]);
    });
  });

  for (const { verb, resource, rules } of withoutOne) {
    it(`without ${verb} ${resource} a run breaks, and names it`, async () => {
      const kind = resource.replace('/', '-');
      const scene = await e2e.scene(`no-${verb}-${kind}`);
      // A run that waits for nothing ends before it needs the right to watch.
      const neverReady = { exec: { command: ['false'] } };
      await scene.pod('web-0', { containers: [{ name: 'main', readinessProbe: neverReady }] });
      const waitForReady = resource === 'pods' && verb === 'watch';
      // A Lease is renewed only by a run that takes a while.
      const isSlow = resource === 'leases' && verb === 'patch';
      const first = isSlow ? sh('echo started >> marks; sleep 25') : mark('started');
      const hooks = [exec(first, { execTimeout: '60s', waitForReady }), exec(mark('second'))];
      await scene.restore({ hooks: [entry(hooks)] });
      const serviceAccount = await account(`no-${verb}-${kind}`, rules);

      const checked = await scene.apply('--service-account', serviceAccount);
      assert.deepEqual([checked.code, checked.stdout], [5, '']);
      const [missing] = runnerRights({ namespace: e2e.velero }).filter(
        (right) =>
          right.verb === verb &&
          (right.subresource === undefined ? right.resource : `${right.resource}/${right.subresource}`) === resource,
      );
      assert.ok(missing);
      assert.match(
        checked.stderr,
        new RegExp(`^error: ServiceAccount ${serviceAccount} may not ${rightText(missing)}$`, 'm'),
      );
      assert.deepEqual(await scene.annotations(), {});

      const ran = await applyAs(scene, serviceAccount).done;
      assert.equal(ran.json().phase, 'Failed', ran.stderr);
      const [plural, subresource] = resource.split('/');
      const named = subresource === undefined ? `"${plural}"` : `"${resource}"`;
      const told = new RegExp(`may not ${verb} ${resource}|cannot ${verb} resource ${named}|${plural}.* is forbidden`);
      if (resource === 'restores' || resource === 'jobs') {
        // The runner can't write its status, so its log has the reason.
        assert.equal(ran.code, 10, ran.stderr);
        const [job] = await scene.jobs();
        const [pod] = await e2e.cluster.list('pods', e2e.velero, `batch.kubernetes.io/job-name=${job.metadata.name}`);
        assert.match(await e2e.cluster.log(e2e.velero, pod.metadata.name), /"code":"FORBIDDEN".*(restores|jobs)/);
      } else {
        assert.equal(ran.code, 5, ran.stderr);
        assert.match(ran.json().message, told);
        assert.equal((await scene.annotations())['phase'], 'Failed');
      }
      // A run without the right to write its report may have run all hooks before it fails.
      if (resource !== 'secrets') assert.ok(!(await scene.marks('web-0')).includes('second'));
      await e2e.cluster.remove('serviceAccounts', e2e.velero, serviceAccount);
    });
  }
});

describe('setup --namespaces', { skip }, () => {
  let e2e: Suite;
  before(async () => {
    e2e = await startSuite();
  });
  after(() => e2e?.close());

  it('lets runs reach two namespaces with Roles alone, watches each, and says that the rest is out of reach', async () => {
    const scene = await e2e.scene('limited');
    const [other, beyond] = [await e2e.cluster.namespace('e2e-other'), await e2e.cluster.namespace('e2e-beyond')];
    const setup = await e2e.plugin('setup', '--apply', '-n', e2e.velero, '--namespaces', `${scene.namespace},${other}`);
    assert.equal(setup.code, 0, setup.stderr);
    for (const resource of ['clusterRoles', 'clusterRoleBindings']) {
      const wide = (await e2e.cluster.list(resource, undefined)).map(({ metadata }) => metadata.name);
      assert.ok(!wide.includes(`restorehooks:${e2e.velero}:restorehooks`), resource);
    }
    const roles = await e2e.cluster.client.listAll(`/apis/${group}/v1/roles`);
    const places = (roles.items as Loose[])
      .filter(({ metadata }) => metadata.name === `restorehooks:${e2e.velero}:restorehooks`)
      .map(({ metadata }) => metadata.namespace);
    assert.deepEqual(places.sort(), [scene.namespace, other].sort());

    await scene.pod('web-0');
    for (const namespace of [other, beyond]) {
      const manifest = scene.podManifest('web-0');
      await e2e.cluster.create({ ...manifest, metadata: { ...manifest.metadata, namespace } });
    }
    await scene.restore({ hooks: [entry(exec(mark('warm')))] });
    const planned = await scene.plan();
    assert.deepEqual(planned.json().selector.namespaces, [scene.namespace, other]);
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    const reached = ran.json().hooks.map(({ namespace }: Loose) => namespace);
    assert.deepEqual(reached.sort(), [scene.namespace, other].sort());
    assert.match(ran.stderr, new RegExp(`namespaces ${scene.namespace}, ${other}: pods elsewhere take no part`));
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
    const untouched = await waitFor('the pod beyond to be up', async () => {
      const { outcome, stdout } = await e2e.cluster.exec(beyond, 'web-0', 'main', sh('cat marks 2>/dev/null; true'));
      return outcome.kind === 'exited' && { stdout };
    });
    assert.equal(untouched.stdout, '');

    const log = join(dirname(process.env['KUBECONFIG'] ?? ''), 'audit.log');
    if (!existsSync(log)) return;
    const watched = readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.includes(`system:serviceaccount:${e2e.velero}:restorehooks`))
      .map((line) => JSON.parse(line))
      .filter(({ verb, stage }) => verb === 'watch' && stage === 'ResponseComplete')
      .map(({ objectRef }) => objectRef.namespace);
    assert.deepEqual(watched.sort(), [scene.namespace, other].sort());
  });
});
