import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { DEFAULT_IMAGE } from '../../shared/core/version.ts';
import { selfSignedCertificate } from '../embedded/certificate.ts';
import type { Loose, Ran, Scene, Suite } from './harness.ts';
import { entry, exec, IMAGE, isReal, jobByHand, mark, sh, startSuite, waitFor } from './harness.ts';

/** The Job fits a cluster: patches, defaults, sidecars, users, nodes, quotas (R8.20 to R8.29). */

const onlyReal = !isReal && 'needs a real cluster';
const e2e = await startSuite({ imageKind: (image) => (image === IMAGE ? 'ordinary' : undefined) });
after(() => e2e.close());
const { cluster, velero } = e2e;

async function ownSuite(): Promise<Suite> {
  const suite = await startSuite();
  after(() => suite.close());
  return suite;
}

async function oneHook(title: string, suite: Suite = e2e): Promise<Scene> {
  const scene = await suite.scene(title);
  await scene.pod('web-0');
  await scene.restore({ hooks: [entry(exec(mark('warm')))], status: { phase: 'Completed' } });
  return scene;
}

let files = 0;
function file(content: unknown): string {
  files += 1;
  const name = join(cluster.folder, `given-${files}.yaml`);
  writeFileSync(name, typeof content === 'string' ? content : JSON.stringify(content));
  return name;
}
const inPod = (spec: object, metadata: object = {}) => ({ spec: { template: { metadata, spec } } });
const inRunner = (container: object) => inPod({ containers: [{ name: 'runner', ...container }] });
const defaultsFile = (more: object): string =>
  file({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHookDefaults', ...more });

async function runnerPod({ name }: Scene, place = velero): Promise<Loose> {
  const [pod] = await cluster.list('pods', place, `restorehooks.io/restore=${name}`);
  return pod;
}

async function assertNothingMade(scene: Scene, ran: Ran, code: number, told: RegExp): Promise<void> {
  assert.equal(ran.code, code, ran.stderr);
  assert.match(ran.stderr, told);
  assert.deepEqual(await scene.annotations(), {});
  assert.deepEqual(await scene.jobs(), []);
}

/** One check of `check -o json`, as one text. */
function found(ran: Ran, id: string): string {
  const { state, message, whatToDo = '' } = ran.json().checks.find((each: Loose) => each.id === id);
  return `${state}: ${message}; ${whatToDo}`;
}

// R8.20
describe('apply --job-patch', () => {
  it('runs hooks from a Job with labels, a node, a toleration, resources and a proxy that leads nowhere', async () => {
    const scene = await oneHook('patched');
    const patch = {
      spec: {
        ttlSecondsAfterFinished: 600,
        ...inPod(
          {
            nodeSelector: { 'kubernetes.io/os': 'linux' },
            tolerations: [{ key: 'dedicated', operator: 'Exists' }],
            containers: [
              {
                name: 'runner',
                resources: { limits: { memory: '512Mi' } },
                // R8.28
                env: ['HTTPS_PROXY', 'https_proxy'].map((name) => ({ name, value: 'http://127.0.0.1:1' })),
              },
            ],
          },
          { labels: { team: 'db' }, annotations: { 'example.com/why': 'a test' } },
        ).spec,
      },
    };
    // Only the embedded runner reaches its API server by the kubeconfig, and so by the proxy.
    if (!isReal) delete (patch.spec.template.spec as Loose).containers[0].env;
    const ran = await scene.apply('--job-patch', file(patch));
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.match(ran.stderr, /^patch {5}the Job is changed by .*given-\d+\.yaml$/m);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
    const [job] = await scene.jobs();
    assert.equal(job.spec.ttlSecondsAfterFinished, 600);
    const { metadata, spec } = await runnerPod(scene);
    assert.deepEqual([metadata.labels.team, metadata.annotations['example.com/why']], ['db', 'a test']);
    assert.deepEqual(spec.nodeSelector, { 'kubernetes.io/os': 'linux' });
    assert.equal(spec.containers[0].resources.limits.memory, '512Mi');
  });

  it('takes the patch from stdin, and so do check and retry', async () => {
    const scene = await oneHook('stdin');
    const plugin = e2e.plugin.with({ stdin: 'spec: {ttlSecondsAfterFinished: 77}\n' });
    const at = [scene.name, '-n', velero, '-o', 'json', '--job-patch', '-'];
    assert.equal((await plugin('check', ...at)).code, 0);
    assert.equal((await plugin('apply', ...at)).code, 0);
    assert.equal((await scene.jobs()).at(-1)?.spec.ttlSecondsAfterFinished, 77);
    const again = await plugin('retry', ...at);
    assert.equal(again.code, 0, again.stderr);
  });

  // R8.21, R8.22
  it('refuses what a patch may not change, what is no patch, and what the API server takes for a mistake', async () => {
    const scene = await oneHook('refused');
    const refused: [content: unknown, told: RegExp][] = [
      [inRunner({ args: ['x'] }), /^error: .*\.yaml: .*containers\[runner\]\.args: a patch can't change this/],
      ['- a list', /^error: .*given-\d+\.yaml:1: expected a patch in the Job's shape/],
      ['a: [', /^error: .*given-\d+\.yaml:\d+:\d+: /],
      ['# nothing', /expected a patch in the Job's shape, found nothing/],
      ['a: 1\n---\nb: 2', /found 2 documents/],
    ];
    for (const [content, told] of refused) {
      await assertNothingMade(scene, await scene.apply('--job-patch', file(content)), 2, told);
    }
    await assertNothingMade(scene, await scene.apply('--job-patch', '/nowhere.yaml'), 2, /\/nowhere\.yaml: /);
    await assertNothingMade(scene, await scene.apply('--runner=local', '--job-patch=x'), 2, /goes with --runner=job/);
    const mistaken: (readonly [patch: object, told: RegExp])[] = [
      [inPod({ nodeSelectr: {} }), /would refuse the Job: .*unknown field "spec\.template\.spec\.nodeSelectr"/],
      [inPod({ nodeSelector: ['x'] }), /would refuse the Job: .*nodeSelector/],
      [inRunner({ env: [{ name: 'A', value: 1 }] }), /would refuse the Job: /],
      // Only the real server reads quantities.
      ...(isReal ? [[inRunner({ resources: { limits: { memory: 'much' } } }), /would refuse the Job: /] as const] : []),
    ];
    for (const [patch, told] of mistaken) {
      const given = ['--job-patch', file(patch)];
      await assertNothingMade(scene, await scene.apply(...given), 2, told);
      await assertNothingMade(scene, await scene.apply(...given, '--dry-run=server'), 2, told);
      const checked = await e2e.plugin('check', '-n', velero, '-o', 'json', ...given);
      assert.equal(checked.code, 10, checked.stdout);
      assert.match(found(checked, 'dry-run-job'), /^problem: the API server would refuse the Job: /);
    }
    assert.deepEqual(await scene.marks('web-0'), []);
  });

  it('takes every patch that the documents show, and the API server takes what comes of it', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/setup.md'), 'utf8');
    const patches = [...page.matchAll(/^```yaml job-patch\n([\s\S]*?)^```$/gm)].map(([, text]) => text);
    assert.ok(patches.length >= 5, `${patches.length} patches`);
    const scene = await oneHook('documented');
    for (const patch of patches) {
      const dry = await scene.apply('--dry-run=server', '--job-patch', file(patch));
      assert.equal(dry.code, 0, `${patch}: ${dry.stderr}`);
    }
    assert.deepEqual(await scene.annotations(), {});
  });

  // R8.29
  it('lets the image choose the user under PodSecurity restricted', { skip: onlyReal }, async () => {
    const scene = await oneHook('any-user');
    const none = { runAsUser: null, runAsGroup: null, fsGroup: null };
    for (const [context, uid] of [
      [none, undefined],
      [{ ...none, runAsUser: 1_000_670_000 }, 1_000_670_000],
    ] as const) {
      const ran = await scene.apply('--again', '--job-patch', file(inPod({ securityContext: context })));
      assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
      const job = (await scene.jobs()).at(-1);
      assert.equal(job?.spec.template.spec.securityContext.runAsUser, uid);
      assert.equal(job?.spec.template.spec.securityContext.fsGroup, undefined);
    }
    assert.deepEqual(await scene.marks('web-0'), ['warm', 'warm']);
  });

  it('gets a runner onto a node with a taint; without it, apply says why nothing starts', {
    skip: onlyReal,
  }, async () => {
    const [node] = await cluster.list('nodes', undefined);
    const scene = await oneHook('tainted');
    const taint = { key: 'dedicated', value: 'backup', effect: 'NoSchedule' };
    const former = node.spec.taints ?? null;
    const setTaints = (taints: unknown) =>
      cluster.client.patch(`/api/v1/nodes/${node.metadata.name}`, { spec: { taints } }, 'merge');
    await setTaints([...(former ?? []), taint]);
    try {
      const stuck = e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json');
      await stuck.says(/the runner doesn't start: Unschedulable: .*untolerated taint/);
      stuck.kill('SIGINT');
      await stuck.done;
      assert.equal((await e2e.plugin('cancel', scene.name, '-n', velero)).code, 0);
      const { key, value, effect } = taint;
      const patch = inPod({ tolerations: [{ key, operator: 'Equal', value, effect }] });
      const ran = await scene.apply('--job-patch', file(patch), '--again');
      assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    } finally {
      await setTaints(former);
    }
  });

  it('meets a quota that asks for limits, which check names without it', { skip: onlyReal }, async () => {
    const suite = await ownSuite();
    const scene = await oneHook('quota', suite);
    await cluster.create({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'limits', namespace: suite.velero },
      spec: { hard: { 'limits.cpu': '2', 'limits.memory': '1Gi' } },
    });
    await waitFor('the quota to count', async () => {
      const { status } = await cluster.get('resourceQuotas', suite.velero, 'limits');
      return status?.hard !== undefined;
    });
    const without = await suite.plugin('check', '-n', suite.velero, '-o', 'json');
    assert.equal(without.code, 10);
    assert.match(found(without, 'dry-run-pod'), /must specify limits\.cpu.*; .*--job-patch/);
    const stuck = await scene.apply();
    assert.equal(stuck.code, 10, stuck.stderr);
    assert.match(stuck.stderr, /the runner doesn't start: FailedCreate: .*must specify limits/);
    const patch = file(inRunner({ resources: { limits: { cpu: '1', memory: '512Mi' } } }));
    const checked = await suite.plugin('check', '-n', suite.velero, '-o', 'json', '--job-patch', patch);
    assert.equal(checked.code, 0, checked.stdout);
    const ran = await scene.apply('--job-patch', patch);
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
  });

  it('names a priority class that is missing', { skip: onlyReal }, async () => {
    const patch = file(inPod({ priorityClassName: 'no-such-class' }));
    const checked = await e2e.plugin('check', '-n', velero, '-o', 'json', '--job-patch', patch);
    assert.equal(checked.code, 10);
    assert.match(found(checked, 'dry-run-pod'), /no PriorityClass with name no-such-class was found/);
    const scene = await oneHook('priority');
    const ran = await scene.apply('--job-patch', patch);
    assert.equal(ran.code, 10, ran.stderr);
    assert.match(ran.stderr, /the runner doesn't start: FailedCreate: .*no-such-class/);
  });
});

describe('a container beside the runner', () => {
  const sidecar = {
    name: 'sidecar',
    image: IMAGE,
    command: sh('trap "exit 0" TERM; while :; do sleep 0.2; done'),
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  };

  // R8.27
  it('that lives on keeps neither the run nor apply from ending', async () => {
    const scene = await oneHook('sidecar');
    const ran = await scene.apply('--job-patch', file(inPod({ containers: [sidecar] })));
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    await waitFor('the sidecar to be alone', async () => {
      const { status } = await runnerPod(scene);
      const states = status.containerStatuses.map(({ name, state }: Loose) => `${name} ${Object.keys(state)[0]}`);
      return states.sort().join() === 'runner terminated,sidecar running';
    });
    const shown = await scene.status('-w');
    assert.deepEqual([shown.code, shown.json().phase], [0, 'Completed']);
    await cluster.remove('jobs', velero, (await scene.jobs())[0].metadata.name);
  });

  it('that is a native sidecar ends with the runner, and the Job with both', { skip: onlyReal }, async () => {
    const scene = await oneHook('native');
    const patch = file(inPod({ initContainers: [{ ...sidecar, restartPolicy: 'Always' }] }));
    const checked = await e2e.plugin('check', '-n', velero, '-o', 'json', '--job-patch', patch);
    assert.match(found(checked, 'sidecars'), /^ok: sidecar: native/);
    const ran = await scene.apply('--job-patch', patch);
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    await waitFor('the Job to complete', async () => (await scene.jobs())[0].status?.succeeded === 1);
  });

  it('that a webhook adds is seen by check in its dry run, and the run ends beside it', {
    skip: onlyReal,
  }, async () => {
    const suite = await ownSuite();
    const { key, cert } = selfSignedCertificate();
    const containers = [{ op: 'add', path: '/spec/containers/-', value: { ...sidecar, name: 'istio-proxy' } }];
    const patch = Buffer.from(JSON.stringify(containers)).toString('base64');
    const server = createServer({ key, cert }, (request, response) => {
      request.setEncoding('utf8');
      request.toArray().then((parts) => {
        const { uid, object } = JSON.parse(parts.join('')).request;
        const isOut = object.metadata.labels?.['sidecar.istio.io/inject'] === 'false';
        const answer = { uid, allowed: true, ...(!isOut && { patchType: 'JSONPatch', patch }) };
        const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer };
        response.setHeader('content-type', 'application/json').end(JSON.stringify(review));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const name = `inject-${port}.restorehooks.test`;
    const base = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
    await cluster.client.create(base, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name },
      webhooks: [
        {
          name,
          clientConfig: { url: `https://127.0.0.1:${port}/`, caBundle: Buffer.from(cert).toString('base64') },
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
          rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': suite.velero } },
        },
      ],
    });
    try {
      const check = async (...args: string[]) =>
        found(await suite.plugin('check', '-n', suite.velero, '-o', 'json', ...args), 'sidecars');
      await waitFor('the webhook to be asked', async () => /has istio-proxy/.test(await check()));
      const scene = await oneHook('injected', suite);
      const ran = await scene.apply();
      assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
      const [job] = await scene.jobs();
      assert.equal(job.status.active, 1, 'the Job goes on');
      const [, out = ''] = /--job-patch a file with (\{.*\}), or/.exec(await check()) ?? [];
      assert.match(await check('--job-patch', file(out)), /^ok: /);
      const again = await scene.apply('--again', '--job-patch', file(out));
      assert.equal(again.code, 0, again.stderr);
      await waitFor('the Job to complete', async () => (await scene.jobs()).at(-1)?.status?.succeeded === 1);
    } finally {
      await cluster.client.delete(`${base}/${name}`);
      server.close();
    }
  });

  // R8.26
  it('is seen by check, also where only the namespace promises it, with the patch that keeps it out', async () => {
    const args = ['check', '-n', velero, '-o', 'json'];
    assert.match(found(await e2e.plugin(...args), 'sidecars'), /^ok: nothing is known to add a container/);
    const beside = await e2e.plugin(...args, '--job-patch', file(inPod({ containers: [sidecar] })));
    assert.equal(beside.code, 0);
    assert.match(
      found(beside, 'sidecars'),
      /^warning: beside the runner its pod has sidecar: the run ends all the same/,
    );
    const marks: [metadata: Loose, told: RegExp][] = [
      [{ labels: { 'istio-injection': 'enabled' } }, /label istio-injection=enabled.*istio-proxy.*"sidecar\.istio\.io/],
      [{ labels: { 'istio.io/rev': 'stable' } }, /label istio\.io\/rev=stable.*"sidecar\.istio\.io\/inject":"false"/],
      [{ annotations: { 'linkerd.io/inject': 'enabled' } }, /annotation linkerd\.io.*"linkerd\.io\/inject":"disabled"/],
    ];
    for (const [metadata, told] of marks) {
      await cluster.patch('namespaces', undefined, velero, { metadata }, 'merge');
      try {
        const warned = found(await e2e.plugin(...args), 'sidecars');
        assert.match(warned, /^warning: /);
        assert.match(warned, told);
        const [, patch = ''] = /--job-patch a file with (\{.*\}), or/.exec(warned) ?? [];
        const without = await e2e.plugin(...args, '--job-patch', file(patch));
        assert.match(found(without, 'sidecars'), /^ok: /, 'with the patch that it printed');
      } finally {
        const gone = Object.entries(metadata).map(([where, all]) => [
          where,
          Object.fromEntries(Object.keys(all as object).map((key) => [key, null])),
        ]);
        await cluster.patch('namespaces', undefined, velero, { metadata: Object.fromEntries(gone) }, 'merge');
      }
    }
  });
});

// R8.23, R8.24
describe('setup --defaults', () => {
  const isThere = (suite: Suite) => suite.cluster.exists('configMaps', suite.velero, 'restorehooks-defaults');

  it('is read by apply, which says so, and is beaten by flags', async () => {
    const suite = await ownSuite();
    const scene = await oneHook('defaults', suite);
    const image = 'registry.example.com/mirror/runner@sha256:'.padEnd(106, '0');
    const jobPatch = inPod({}, { labels: { team: 'db', tier: 'ops' } });
    const given = defaultsFile({ image, imagePullSecrets: ['mirror'], jobPatch });
    const printed = await suite.plugin('setup', '--defaults', given, '-n', suite.velero);
    assert.match(printed.stdout, /kind: ConfigMap\nmetadata:\n {2}name: restorehooks-defaults\n/);
    const setup = await suite.plugin('setup', '--apply', '--defaults', given, '-n', suite.velero);
    assert.match(setup.stdout, /^configmap\/restorehooks-defaults created \(namespace/m, setup.stderr);
    const jobOf = async (...args: string[]): Promise<[Loose, string]> => {
      const dry = await scene.apply('--dry-run=client', ...args);
      assert.equal(dry.code, 0, dry.stderr);
      return [dry.json().items.find(({ kind }: Loose) => kind === 'Job').spec.template, dry.stderr];
    };
    const [plain, told] = await jobOf();
    assert.match(told, /^runner .*image registry\.example\.com\/mirror.* \(ConfigMap restorehooks-defaults\)$/m);
    assert.match(told, /^patch {5}the Job is changed by ConfigMap restorehooks-defaults$/m);
    assert.deepEqual(plain.spec.imagePullSecrets, [{ name: 'mirror' }]);
    assert.deepEqual([plain.spec.containers[0].image, plain.metadata.labels.team], [image, 'db']);
    const over = ['--image', DEFAULT_IMAGE, '--image-pull-secret', 'mine'];
    const patch = file(inPod({}, { labels: { team: 'web' } }));
    const [flags, toldOver] = await jobOf(...over, '--job-patch', patch);
    assert.match(toldOver, /^runner .*runner:v\S+ \(--image\)$/m);
    assert.deepEqual(flags.spec.imagePullSecrets, [{ name: 'mine' }]);
    const { team, tier } = flags.metadata.labels;
    assert.deepEqual([flags.spec.containers[0].image, team, tier], [DEFAULT_IMAGE, 'web', 'ops']);
    const ran = await scene.apply(...over);
    assert.deepEqual([ran.code, (await scene.jobs())[0].spec.template.metadata.labels.team], [0, 'db'], ran.stderr);
    const checked = await suite.plugin('check', '-n', suite.velero, '-o', 'json');
    assert.match(found(checked, 'defaults'), /^ok: .*image registry\.example\.com.*Secrets mirror, a patch of the Job/);
    assert.match(found(checked, 'image-pull'), /^problem: there is no Secret mirror/);
    const kept = await suite.plugin('setup', '--apply', '-n', suite.velero);
    assert.match(kept.stdout, /^configmap\/restorehooks-defaults unchanged/m);
    const gone = await suite.plugin('setup', '--delete', '-n', suite.velero);
    assert.match(gone.stdout, /^configmap\/restorehooks-defaults deleted/m);
    assert.equal(await isThere(suite), false);
  });

  it('refuses a file with a mistake, and changes nothing', async () => {
    const suite = await ownSuite();
    const refused: [file: string, told: RegExp][] = [
      [defaultsFile({ imag: 'x' }), /imag: unknown field; did you mean image\?/],
      [defaultsFile({ jobPatch: inRunner({ command: ['sh'] }) }), /jobPatch: .*containers\[runner\]\.command: a patch/],
      [defaultsFile({ jobPatch: inPod({ tolerationz: [] }) }), /unknown field "spec\.template\.spec\.tolerationz"/],
      [file('kind: RestoreHooks\napiVersion: restorehooks.io/v1\n'), /kind: expected RestoreHookDefaults/],
    ];
    for (const [given, told] of refused) {
      const ran = await suite.plugin('setup', '--apply', '--defaults', given, '-n', suite.velero);
      assert.equal(ran.code, 2, ran.stderr);
      assert.match(ran.stderr, told);
      assert.equal(await isThere(suite), false);
    }
  });

  it('that is broken stops every start, and check names it; without the right to read it apply warns', async () => {
    const suite = await ownSuite();
    const scene = await oneHook('broken', suite);
    const good = defaultsFile({});
    assert.equal((await suite.plugin('setup', '--apply', '--defaults', good, '-n', suite.velero)).code, 0);
    const broken: [text: string | undefined, told: RegExp][] = [
      ['kind: [', /^error: ConfigMap restorehooks-defaults in namespace \S+, defaults\.yaml: line \d: /],
      ['image: 7', /defaults\.yaml: apiVersion: expected restorehooks\.io\/v1; kind: .*; image: expected/],
      [undefined, /has no key defaults\.yaml/],
    ];
    for (const [text, told] of broken) {
      const data = { 'defaults.yaml': text ?? null };
      await suite.cluster.patch('configMaps', suite.velero, 'restorehooks-defaults', { data }, 'merge');
      await assertNothingMade(scene, await scene.apply(), 2, told);
      const checked = await suite.plugin('check', '-n', suite.velero, '-o', 'json');
      assert.equal(checked.code, 10);
      assert.match(
        found(checked, 'defaults'),
        /^problem: ConfigMap restorehooks-defaults in .*kubectl edit configmap restorehooks-defaults -n /,
      );
    }
    const name = `${scene.name}-by-hand`;
    const dry = await scene.apply('--runner=local', '--timeout=1ns');
    assert.doesNotMatch(dry.stderr, /restorehooks-defaults/, 'a local run has no Job');
    await suite.cluster.create(jobByHand(suite.velero, name, [scene.name, `--namespace=${suite.velero}`]));
    const code = await waitFor('the Job by hand to end', async () => {
      const [pod] = await suite.cluster.list('pods', suite.velero, `batch.kubernetes.io/job-name=${name}`);
      return pod?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode;
    });
    assert.equal(code, 2);
    assert.deepEqual(await scene.marks('web-0'), []);
    assert.ok(await isThere(suite));
  });

  it('that a user may not read is a warning that says what to do', async () => {
    const scene = await oneHook('unread');
    const rules = (apiGroup: string, resources: string[], verbs: string[]) => ({
      apiGroups: [apiGroup],
      resources,
      verbs,
      namespace: velero,
    });
    const user = await e2e.userWith([
      rules('velero.io', ['restores'], ['get', 'patch', 'list', 'watch']),
      rules('', ['secrets'], ['get', 'create', 'patch', 'list', 'delete']),
      rules('batch', ['jobs'], ['get', 'create', 'delete']),
      { apiGroups: [''], resources: ['pods', 'serviceaccounts'], verbs: ['get', 'list'] },
    ]);
    const ran = await user('apply', scene.name, '-n', velero, '-o', 'json');
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.match(ran.stderr, /^warning: you may not read ConfigMap restorehooks-defaults in .*--job-patch\)$/m);
    const checked = await user('check', '-n', velero, '-o', 'json');
    assert.match(found(checked, 'defaults'), /^unchecked: /);
  });
});
