import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { leaseName } from '../../shared/core/names.ts';
import { startProxy } from '../proxy.ts';
import { RUNNER } from './cluster.ts';
import type { Loose, Rule, Scene, Started, Suite } from './harness.ts';
import { entry, exec, isReal, mark, sh, startSuite, waitFor } from './harness.ts';
import { assertUntouched } from './untouched.ts';

/** Runs that are refused, that can't start, or that are asked to end before they began. */

const e2e = await startSuite();
after(() => e2e.close());
const onlyEmbedded = isReal && 'needs a server that does as it is told';

async function ownSuite(): Promise<Suite> {
  const suite = await startSuite();
  after(() => suite.close());
  return suite;
}

async function oneHook(suite: Suite, title: string): Promise<Scene> {
  const scene = await suite.scene(title);
  await scene.pod('web-0');
  await scene.restore({ hooks: [entry(exec(mark('warm')))], status: { phase: 'Completed' } });
  return scene;
}

const NO_IMAGE = ['--image', 'no.such.host.invalid/x:1'];
const admission = 'admissionregistration.k8s.io/v1';

/** Makes the API server refuse writes to a resource, as a policy or a webhook does. Returns how to allow them again. */
async function refuse(
  { cluster, velero }: Suite,
  by: 'policy' | 'webhook',
  [group, resource]: readonly [string, string],
  operation: 'CREATE' | 'UPDATE',
): Promise<() => Promise<void>> {
  const message = `${resource} are refused here`;
  const method = operation === 'CREATE' ? 'POST' : 'PATCH';
  if (cluster.embedded !== undefined) {
    const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure' };
    const [code, reason, details] =
      by === 'policy' ? [403, 'Forbidden', { name: 'x' }] : [500, 'InternalError', undefined];
    const body = { ...status, code, reason, message, ...(details && { details }) };
    const stop = cluster.embedded.intercept((request) =>
      request.method === method && request.resource === resource && request.namespace === velero
        ? { status: code, body }
        : undefined,
    );
    return async () => stop();
  }
  const name = `restorehooks-test-${randomUUID().slice(0, 8)}`;
  const rules = [{ apiGroups: [group], apiVersions: ['*'], operations: [operation], resources: [resource] }];
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': velero } };
  const metadata = { name };
  const base = `/apis/${admission}`;
  const made: string[] = [];
  const make = async (path: string, object: object): Promise<void> => {
    await cluster.client.create(`${base}/${path}`, { apiVersion: admission, metadata, ...object });
    made.unshift(`${base}/${path}/${name}`);
  };
  if (by === 'policy') {
    const matchConstraints = { resourceRules: rules, namespaceSelector };
    const validations = [{ expression: 'false', message, reason: 'Forbidden' }];
    const spec = { failurePolicy: 'Fail', matchConstraints, validations };
    await make('validatingadmissionpolicies', { kind: 'ValidatingAdmissionPolicy', spec });
    const bound = { policyName: name, validationActions: ['Deny'] };
    await make('validatingadmissionpolicybindings', { kind: 'ValidatingAdmissionPolicyBinding', spec: bound });
  } else {
    const webhook = {
      name: `${name}.restorehooks.test`,
      // No server listens there.
      clientConfig: { url: 'https://127.0.0.1:1/refuse' },
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Fail',
      timeoutSeconds: 1,
      rules,
      namespaceSelector,
    };
    await make('validatingwebhookconfigurations', { kind: 'ValidatingWebhookConfiguration', webhooks: [webhook] });
  }
  // What is created or deleted here takes effect some moments later.
  const refuses = () => isRefused(cluster, velero, group, resource, operation);
  await waitFor(`${by} to refuse`, refuses);
  return async () => {
    for (const path of made) await cluster.client.delete(path);
    await waitFor(`${by} to allow`, async () => !(await refuses()));
  };
}

/** Whether the API server refuses this operation in a dry run. */
async function isRefused(
  { client }: Suite['cluster'],
  namespace: string,
  group: string,
  resource: string,
  operation: string,
): Promise<boolean> {
  const base = group === '' ? '/api/v1' : `/apis/${group}/v1`;
  const path = `${base}/namespaces/${namespace}/${resource}`;
  const [kind, spec] = PROBES[resource] ?? [];
  const object = { apiVersion: group === '' ? 'v1' : `${group}/v1`, kind, metadata: { name: 'probe' }, ...spec };
  try {
    if (operation === 'CREATE') await client.create(path, object, { dryRun: true });
    else {
      const [first] = (await client.listAll(path)).items as Loose[];
      const patch = { metadata: { annotations: { probe: randomUUID() } } };
      await client.patch(`${path}/${first.metadata.name}`, patch, 'merge', { dryRun: true });
    }
    return false;
  } catch (error) {
    return /refused|denied|failed calling webhook|exceeded quota/.test(String(error));
  }
}

const container = { name: 'x', image: 'x' };
const PROBES: Readonly<Record<string, [kind: string, rest: object]>> = {
  secrets: ['Secret', {}],
  jobs: ['Job', { spec: { template: { spec: { restartPolicy: 'Never', containers: [container] } } } }],
};

/** Exit 10 with the reason and no mention of rights. Only the run's annotations are left, and the next run starts anew. */
async function assertRefused(suite: Suite, scene: Scene, reason: RegExp, allow: () => Promise<void>): Promise<void> {
  const { cluster, velero, plugin } = suite;
  const ran = await plugin('apply', scene.name, '-n', velero);
  assert.equal(ran.code, 10, ran.stderr);
  assert.match(ran.stderr, reason);
  assert.doesNotMatch(ran.stderr, /ask for (this|these) right/);
  const label = `restorehooks.io/restore=${scene.name}`;
  await waitFor('what was made to go', async () => (await cluster.list('secrets', velero, label)).length === 0);
  assert.deepEqual(await scene.jobs(), []);
  const shown = await scene.status();
  assert.deepEqual([shown.code, shown.json().phase], [0, 'Failed'], shown.stdout);
  await allow();
  const again = await scene.apply();
  assert.deepEqual([again.code, again.json().phase], [0, 'Completed'], again.stderr);
  assert.deepEqual(await scene.marks('web-0'), ['warm']);
}

describe('a run that is refused', { concurrency: true }, () => {
  for (const [by, group, resource] of [
    ['policy', 'batch', 'jobs'],
    ['policy', '', 'secrets'],
    ['webhook', 'batch', 'jobs'],
    ['webhook', '', 'secrets'],
  ] as const) {
    // R7.21
    it(`a ${by} refuses its ${resource}: exit 10 with the reason, and nothing is left`, async () => {
      const suite = await ownSuite();
      const scene = await oneHook(suite, `${by}-${resource}`);
      const allow = await refuse(suite, by, [group, resource], 'CREATE');
      await assertRefused(
        suite,
        scene,
        /^error: the run could not start: .*(refused here|failed calling webhook)/m,
        allow,
      );
    });
  }

  it('a policy refuses its status: exit 10, and nothing is written', async () => {
    const suite = await ownSuite();
    const scene = await oneHook(suite, 'policy-status');
    const allow = await refuse(suite, 'policy', ['velero.io', 'restores'], 'UPDATE');
    const ran = await scene.apply();
    assert.equal(ran.code, 10, ran.stderr);
    assert.match(ran.stderr, /refused here/);
    assert.doesNotMatch(ran.stderr, /ask for (this|these) right/);
    await assertUntouched(suite, scene, 'web-0');
    await allow();
    assert.equal((await scene.apply()).code, 0);
  });

  it('a quota refuses its Job, of somebody who may not delete Secrets: its plan goes all the same', {
    skip: !isReal && 'needs a cluster with quotas',
  }, async () => {
    const suite = await ownSuite();
    const { cluster, velero } = suite;
    const scene = await oneHook(suite, 'quota');
    const user = await suite.userWith(launcher(velero));
    const quotas = `/api/v1/namespaces/${velero}/resourcequotas`;
    const spec = { hard: { 'count/jobs.batch': '0' } };
    await cluster.client.create(quotas, { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' }, spec });
    await waitFor('the quota', async () => ((await cluster.client.get(`${quotas}/none`)) as Loose).status?.hard);
    await assertRefused({ ...suite, plugin: user }, scene, /exceeded quota: none/, async () => {
      await cluster.client.delete(`${quotas}/none`);
      await waitFor('the quota to allow', async () => !(await isRefused(cluster, velero, 'batch', 'jobs', 'CREATE')));
    });
  });
});

/** The rights of a user who may launch runs, but not list Events or delete Secrets. */
const launcher = (velero: string): Rule[] =>
  [
    ['velero.io', 'restores', ['get', 'patch']],
    ['', 'secrets', ['create', 'patch', 'get']],
    ['batch', 'jobs', ['create', 'get', 'delete']],
  ]
    .map(([group, resource, verbs]) => ({
      apiGroups: [group as string],
      resources: [resource as string],
      verbs: verbs as string[],
      namespace: velero,
    }))
    .concat([{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }] as never);

describe('a Job that can not start, whom nobody follows', { concurrency: true }, () => {
  const saysWhy = (scene: Scene) =>
    waitFor('status to say why', async () =>
      /doesn't start: (ErrImagePull|ImagePullBackOff)/.test((await scene.status()).json().message),
    );

  /** Runs `apply --no-wait`, and waits until the cluster shows that its Job doesn't start. */
  async function stuck(title: string): Promise<Scene> {
    const scene = await oneHook(e2e, title);
    assert.equal((await scene.apply('--no-wait', ...NO_IMAGE)).code, 0);
    await saysWhy(scene);
    assert.equal((await scene.status()).json().phase, 'Pending');
    return scene;
  }

  // R6.20
  it('status says why, status -w ends and leaves it, cancel ends it, and apply begins anew', async () => {
    const scene = await stuck('stuck');
    const watched = await scene.status('-w');
    assert.equal(watched.code, 10, watched.stderr);
    assert.match(watched.stderr, /^error: the runner doesn't start: (ErrImagePull|ImagePullBackOff)/m);
    assert.equal((await scene.runStatus()).phase, 'Pending');
    const blind = await e2e.userWith(launcher(e2e.velero).slice(0, 1));
    const asked = await blind('cancel', scene.name, '-n', e2e.velero);
    assert.deepEqual([asked.code, asked.stderr], [0, '']);
    assert.match(asked.stdout, / once it has begun; only who may list pods in namespace /);
    const canceled = await e2e.plugin('cancel', scene.name, '-n', e2e.velero);
    assert.deepEqual([canceled.code, canceled.stderr], [0, '']);
    assert.match(canceled.stdout, /had not begun: it is canceled/);
    const after = await scene.status('-w');
    assert.deepEqual([after.code, after.json().phase, after.json().counts.notExecuted], [11, 'Canceled', 1]);
    assert.deepEqual(await scene.jobs(), []);
    const retried = await e2e.plugin('retry', scene.name, '-n', e2e.velero);
    assert.equal(retried.code, 2, retried.stderr);
    assert.match(retried.stderr, /^error: no run of Restore \S+ has begun: there is nothing to retry\nhint: .* apply /);
    const shown = await e2e.plugin('status', scene.name, '-n', e2e.velero);
    assert.match(shown.stdout, /^put it right, then run it: kubectl restorehooks apply /m);
    const again = await scene.apply();
    assert.deepEqual([again.code, again.json().phase], [0, 'Completed'], again.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
  });

  it('apply --again gives it up, and goes on', async () => {
    const scene = await stuck('again');
    const ran = await scene.apply('--again');
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.equal((await scene.jobs()).length, 1);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
  });

  it('retry gives it up, and goes on with the run before it', async () => {
    const scene = await e2e.scene('retry');
    await scene.pod('web-0');
    await scene.restore({
      hooks: [entry(exec(sh('echo tried >> marks; test -e gate')))],
      status: { phase: 'Completed' },
    });
    assert.equal((await scene.apply()).json().phase, 'CompletedWithFailures');
    await scene.open('web-0');
    assert.equal((await scene.apply('--again', '--no-wait', ...NO_IMAGE)).code, 0);
    await saysWhy(scene);
    const ran = await e2e.plugin('retry', scene.name, '-n', e2e.velero, '-o', 'json');
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['tried', 'tried']);
  });

  it('a Job that is suspended: told and waited for, and cancel ends it', async () => {
    const scene = await oneHook(e2e, 'suspended');
    const run = e2e.plugin.start('apply', scene.name, '-n', e2e.velero, ...NO_IMAGE);
    await run.says(/Job .* created/);
    const [job] = await scene.jobs();
    await e2e.cluster.patch('jobs', e2e.velero, job.metadata.name, { spec: { suspend: true } });
    await run.says(/^warning: the runner doesn't start: Suspended: Job .* is suspended/m);
    assert.match((await scene.status()).json().message, /Suspended/);
    assert.equal((await e2e.plugin('cancel', scene.name, '-n', e2e.velero)).code, 0);
    const ran = await run.done;
    assert.equal(ran.code, 11, ran.stderr);
    assert.deepEqual(await scene.jobs(), []);
  });

  it('no pod, of somebody who may not list Events: says so and where it is told, and is given up', async () => {
    const suite = await ownSuite();
    const { cluster, velero } = suite;
    const scene = await oneHook(suite, 'no-events');
    const user = await suite.userWith(launcher(velero));
    const run = user.start('apply', scene.name, '-n', velero, ...NO_IMAGE);
    await run.says(/Job .* created/);
    // Without its ServiceAccount the Job can't get another pod.
    await cluster.remove('serviceAccounts', velero, 'restorehooks');
    for (const pod of await cluster.list('pods', velero)) await cluster.remove('pods', velero, pod.metadata.name);
    await run.says(
      /^warning: the runner doesn't start: NoPod: Job .* has no pod; its Events say why, and you may not list them/m,
    );
    const ran = await run.done;
    assert.equal(ran.code, 10, ran.stderr);
    assert.deepEqual(await scene.jobs(), []);
    assert.equal((await scene.annotations())['phase'], 'Failed');
  });

  it('a container that others have put into its pod', { skip: onlyEmbedded }, async () => {
    const scene = await oneHook(e2e, 'injected');
    const run = e2e.plugin.start('apply', scene.name, '-n', e2e.velero, ...NO_IMAGE);
    await run.says(/Job .* created/);
    const pod = await waitFor(
      'the runner',
      async () => (await e2e.cluster.list('pods', e2e.velero, `restorehooks.io/restore=${scene.name}`))[0],
    );
    const state = { waiting: { reason: 'ErrImagePull', message: 'no mesh here' } };
    const status = {
      name: 'istio-init',
      image: 'x',
      imageID: '',
      ready: false,
      restartCount: 0,
      started: false,
      state,
      lastState: {},
    };
    const runner = { ...status, name: 'runner', state: { waiting: { reason: 'PodInitializing' } } };
    e2e.cluster.embedded?.pods.setStatus(e2e.velero, pod.metadata.name, {
      initContainerStatuses: [status],
      containerStatuses: [runner],
    });
    await run.says(/^warning: .*: ErrImagePull: container istio-init of its pod: no mesh here$/m);
    run.kill('SIGKILL');
    await run.done;
    assert.equal((await e2e.plugin('cancel', scene.name, '-n', e2e.velero)).code, 0);
  });
});

describe('what exists is believed', { concurrency: true, skip: onlyEmbedded }, () => {
  const failure = (code: number, reason: string) => ({
    status: code,
    body: {
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      code,
      reason,
      message: 'etcdserver: request timed out',
    },
  });
  for (const [title, method, resource, does] of [
    ["the plan's owner can not be changed", 'PATCH', 'secrets', failure(500, 'InternalError')],
    ["the Job's creation got no answer", 'POST', 'jobs', { drop: 'after' }],
    ["the plan's creation got no answer", 'POST', 'secrets', { drop: 'after' }],
    ["the status's first write got no answer", 'PATCH', 'restores', { drop: 'after' }],
  ] as const) {
    it(`${title}: the run is followed, and nothing runs twice`, async () => {
      const suite = await ownSuite();
      const scene = await oneHook(suite, 'believed');
      const isOurs = (agent: string): boolean => agent.startsWith('kubectl-restorehooks/');
      const stop = suite.cluster.embedded?.intercept((request) =>
        request.method === method && request.resource === resource && isOurs(request.userAgent) ? does : undefined,
      );
      const ran = await scene.apply();
      stop?.();
      assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
      assert.equal((await scene.apply()).code, 0);
      assert.deepEqual(await scene.marks('web-0'), ['warm']);
    });
  }

  for (const [title, does] of [
    ['401', failure(401, 'Unauthorized')],
    ['403', failure(403, 'Forbidden')],
    ['a 404 that names nothing', { status: 404, body: '404 page not found\n' }],
    ['503', { status: 503, body: 'upstream connect error' }],
  ] as const) {
    it(`a follower that is answered ${title} goes on`, async () => {
      const suite = await ownSuite();
      const scene = await oneHook(suite, 'goes-on');
      let left = 3;
      const run = suite.plugin.start('apply', scene.name, '-n', suite.velero, '-o', 'json');
      await run.says(/Job .* created/);
      suite.cluster.embedded?.intercept(({ method, resource, userAgent }) => {
        const isPoll = method === 'GET' && resource === 'restores' && userAgent.startsWith('kubectl-restorehooks/');
        left -= isPoll ? 1 : 0;
        return isPoll && left >= 0 ? does : undefined;
      });
      const ran = await run.done;
      assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    });
  }
});

describe('asked to end before anything was written', { concurrency: true }, () => {
  /** A user whose requests get no answer after `hang` was called. */
  async function hanging() {
    const user = await e2e.cluster.userWith(e2e.velero, [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]);
    const config: Loose = JSON.parse(readFileSync(user, 'utf8'));
    const server = new URL(config.clusters[0].cluster.server);
    const proxy = await startProxy(Number(server.port) || 443, { host: server.hostname });
    after(() => proxy.close());
    proxy.isDead = true;
    server.port = String(proxy.port);
    config.clusters[0].cluster.server = server.href;
    await writeFile(`${user}.hanging`, JSON.stringify(config));
    return { proxy, plugin: e2e.plugin.with({ kubeconfig: `${user}.hanging` }) };
  }

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 130],
  ] as const) {
    // R6.27
    it(`${signal}, at a server that hangs: every command ends with ${code}, nothing is written`, async () => {
      const scene = await oneHook(e2e, `hangs-${signal.toLowerCase()}`);
      const { proxy, plugin } = await hanging();
      const at = [scene.name, '-n', e2e.velero];
      const all: Started[] = [
        ['apply', ...at],
        ['apply', ...at, '--runner=local'],
        ['retry', ...at],
        ['plan', ...at],
        ['status', ...at],
        ['status', ...at, '-w'],
        ['cancel', ...at],
        ['lint', ...at],
        ['setup', '--apply', '-n', e2e.velero],
        ['version'],
      ].map((args) => plugin.start(...args));
      await waitFor('all of them to ask', () => proxy.connections() >= all.length);
      for (const each of all) each.kill(signal);
      for (const each of all) {
        const ran = await each.done;
        assert.equal(ran.code, code, `${each.child.spawnargs.slice(2)}: ${ran.stderr}`);
        assert.match(ran.stderr, /^error: .*nothing has been changed$/m);
      }
      await assertUntouched(e2e, scene, 'web-0');
    });
  }

  it('--timeout and --request-timeout, at a server that hangs: exit codes 7 and 6', async () => {
    const scene = await oneHook(e2e, 'hangs-timeout');
    const { plugin } = await hanging();
    const at = [scene.name, '-n', e2e.velero];
    const [timeout, request] = await Promise.all([
      plugin('apply', ...at, '--timeout=1s'),
      plugin('apply', ...at, '--request-timeout=1s'),
    ]);
    assert.equal(timeout.code, 7, timeout.stderr);
    assert.match(timeout.stderr, /^error: --timeout is over; nothing has been changed$/m);
    assert.equal(request.code, 6, request.stderr);
    assert.match(request.stderr, /no answer within 1s \(--request-timeout\)/);
    await assertUntouched(e2e, scene, 'web-0');
  });
});

describe('a runner that is asked to end', () => {
  it('while it waits for the Lease: ends with 143, and starts nothing', async () => {
    const { cluster, velero } = e2e;
    const scene = await oneHook(e2e, 'sigterm');
    await cluster.create({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: leaseName(scene.name), namespace: velero },
      spec: {
        holderIdentity: 'somebody',
        leaseDurationSeconds: 60,
        renewTime: new Date().toISOString().replace('Z', '000Z'),
      },
    });
    const child = spawn(process.execPath, [RUNNER, scene.name, '-n', velero], {
      env: { ...process.env, KUBECONFIG: cluster.kubeconfig, POD_NAME: 'runner-x' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await waitFor('the runner to wait', () => said.includes('waiting for somebody to end'));
    child.kill('SIGTERM');
    assert.equal(await ended, 143, said);
    assert.match(said, /asked to end before anything was started/);
    await assertUntouched(e2e, scene, 'web-0');
  });
});
