import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { entry, exec, isReal, mark, startSuite } from './harness.ts';
import { assertUntouched } from './untouched.ts';

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero, plugin } = e2e;

const fileOf = async (name: string, ...objects: object[]): Promise<string> => {
  const file = join(cluster.folder, name);
  await writeFile(file, objects.map((object) => `${JSON.stringify(object)}\n`).join(''));
  return file;
};

describe('a Restore of -f beside the pods', { concurrency: 4 }, () => {
  // R1.6
  it("is the cluster's own by its UID or its hooks; another is exit 2, naming the difference", async () => {
    const scene = await e2e.scene('own');
    const hooks = [entry(exec(mark('a')), { name: 'first' }), entry(exec(mark('b')), { name: 'second' })];
    const created = await scene.restore({ hooks });
    const [pod] = [await scene.pod('web-0')];
    const written = { apiVersion: 'velero.io/v1', kind: 'Restore', metadata: { name: scene.name } };
    const changed = [hooks[0], entry(exec(mark('b'), { onError: 'Fail' }), { name: 'second' }), entry(exec(mark('c')))];
    for (const [restore, expected] of [
      [
        { ...written, spec: { hooks: { resources: changed } } },
        /not as it is in the cluster:\n.*resources\[1\] \(second\): postHooks differs\n.*resources\[2\] \(e2e\): only in the file/,
      ],
      [{ ...written, spec: {} }, /resources\[0\] \(first\): only in the cluster/],
      [
        { ...written, metadata: { name: scene.name, uid: '0-0' }, spec: { hooks: { resources: [] } } },
        /which is another Restore:/,
      ],
    ] as const) {
      const ran = await scene.apply('-f', await fileOf(`${scene.name}.json`, restore, pod));
      assert.deepEqual([ran.code, ran.stdout], [2, ''], ran.stderr);
      assert.match(ran.stderr, expected);
    }
    await assertUntouched(e2e, scene, 'web-0');
    const same = await fileOf(`${scene.name}.json`, { ...written, spec: { hooks: { resources: hooks } } }, pod);
    assert.equal((await scene.plan('-f', same)).code, 0);
    const byUid = { ...created, spec: { ...created['spec'], hooks: { resources: [] } } };
    const ran = await scene.apply('-f', await fileOf(`${scene.name}.json`, byUid, pod));
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['a', 'b']);
  });

  // R1.5
  it('and a pod that stands twice: exit 2 with both places, nothing changed', async () => {
    const scene = await e2e.scene('pod-twice');
    await scene.restore({ hooks: [entry(exec(mark('a')))] });
    const pod = scene.podManifest('web-0');
    const ran = await scene.apply('-f', await fileOf('one.json', pod), '-f', await fileOf('two.json', pod));
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /web-0 stands at .*one\.json:1 and again at .*two\.json:1/);
    await assertUntouched(e2e, scene);
  });
});

describe('RESTORE', { concurrency: 4 }, () => {
  // R1.2
  it('is also what kubectl get -o name prints, for every command', async () => {
    const scene = await e2e.scene('named');
    await scene.restore({ hooks: [entry(exec(mark('a')))] });
    await scene.pod('web-0');
    const at = ['-n', velero];
    for (const [command, prefix] of [
      ['plan', 'restore'],
      ['apply', 'restore.velero.io'],
      ['status', 'restores.velero.io'],
      ['cancel', 'restores'],
      ['retry', 'restore.velero.io'],
      ['lint', 'restore'],
    ] as const) {
      const { code, stderr } = await plugin(command, `${prefix}/${scene.name}`, ...at);
      assert.ok(code === 0 || (command === 'lint' && code === 3), `${command}: ${stderr}`);
      for (const wrong of ['', `backup/${scene.name}`]) {
        const refused = await plugin(command, wrong, ...at);
        assert.deepEqual([refused.code, refused.stdout], [2, ''], `${command} ${wrong}`);
      }
    }
    assert.deepEqual(await scene.marks('web-0'), ['a']);
  });

  it('with a pattern that Velero can not compile: exit 2 with its path, nothing changed', async () => {
    const scene = await e2e.scene('pattern');
    await scene.restore({ hooks: [entry(exec(mark('a')), { excludedNamespaces: ['kube-*', 'team-[a-z0-9]'] })] });
    await scene.pod('web-0');
    for (const ran of [await scene.plan(), await scene.apply()]) {
      assert.deepEqual([ran.code, ran.stdout], [2, '']);
      assert.match(ran.stderr, /spec\.hooks\.resources\[0\]\.excludedNamespaces\[1\]: expected a name or a pattern/);
    }
    await assertUntouched(e2e, scene, 'web-0');
  });

  it('with pods of one namespace that is asked for twice plans each pod once', async () => {
    const scene = await e2e.scene('asked-twice');
    await scene.restore({ hooks: [entry(exec(mark('a')))] });
    await scene.pod('web-0');
    const twice = ['-l', 'app=web', '--pod-namespace', scene.namespace, '--pod-namespace', scene.namespace];
    assert.equal((await scene.plan(...twice)).json().hooks.length, 1);
  });
});

// R1.11
it('a mistyped filter in --hooks runs nothing anywhere: exit 2 with the path and what was meant', async () => {
  const scene = await e2e.scene('mistyped');
  await scene.restore();
  await scene.pod('web-0');
  const file = await scene.hooksFile([entry(exec(mark('wiped')), { includeNamespaces: ['elsewhere'] })]);
  const ran = await scene.apply('--hooks', file);
  assert.deepEqual([ran.code, ran.stdout], [2, '']);
  assert.match(ran.stderr, /spec\.resources\[0\]\.includeNamespaces: unknown field; did you mean includedNamespaces\?/);
  await assertUntouched(e2e, scene, 'web-0');
});

it("shows what the API server warns of when the run's Job is created", {
  skip: !isReal && 'needs policies that warn',
}, async () => {
  const scene = await e2e.scene('warned');
  await scene.restore({ hooks: [entry(exec(mark('a')))] });
  await scene.pod('web-0');
  const name = `warns-${scene.name}`;
  const kind = { apiVersion: 'admissionregistration.k8s.io/v1' };
  await cluster.create({
    ...kind,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      matchConstraints: {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': velero } },
        resourceRules: [{ apiGroups: ['batch'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['jobs'] }],
      },
      validations: [{ expression: 'false', message: 'Jobs müssen „rein“ sein' }],
    },
  });
  await cluster.create({
    ...kind,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name, validationActions: ['Warn'] },
  });
  try {
    // A policy takes effect some time after it was created.
    for (let tries = 0; ; tries += 1) {
      const dry = await scene.apply('--dry-run=server');
      if (/warning: .*Jobs müssen „rein“ sein/.test(dry.stderr)) break;
      assert.ok(tries < 60, dry.stderr);
    }
    const ran = await scene.apply();
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stderr.match(/^warning: .*Jobs müssen „rein“ sein$/gm)?.length, 1, ran.stderr);
  } finally {
    await cluster.remove('validatingAdmissionPolicyBindings', undefined, name);
    await cluster.remove('validatingAdmissionPolicies', undefined, name);
  }
});
