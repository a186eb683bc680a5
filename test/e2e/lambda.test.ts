import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { after, describe, it } from 'node:test';
import { loadAll } from 'js-yaml';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
import { refusal } from '../aws/authenticator.ts';
import type { Answer } from '../aws/lambda.ts';
import { BUNDLE, LambdaFunction } from '../aws/lambda.ts';
import { execute } from '../aws/step-functions.ts';
import { testbed } from '../cluster/bed.ts';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, gated, isReal, mark, sh, startSuite, waitFor } from './harness.ts';

/** Runs the bundle in Lambda's runtime. The cluster knows it only by its signed token. */

const KEYS = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'IQoJb3JpZ2luX2VjEL//wEaCXVzLWVhc3QtMSJ+/=',
};
const GROUP = 'restorehooks-lambda';
const authenticate = (token: string) =>
  refusal(token, { ...KEYS, cluster: 'prod' }) === undefined
    ? { name: 'arn:aws:sts::111122223333:assumed-role/restorehooks/restorehooks', groups: [GROUP] }
    : undefined;

if (isReal) await trustSignatures();
const e2e = await startSuite({ tls: true, authenticate });
const { cluster, velero } = e2e;
const bindings: string[] = [];
after(async () => {
  for (const name of bindings) await cluster.remove('clusterRoleBindings', undefined, name);
  await e2e.close();
});
for (const object of loadAll(text('deploy/lambda/rbac.yaml')) as Loose[]) {
  if (object.metadata.namespace !== undefined) object.metadata.namespace = velero;
  else object.metadata.name = object.metadata.name.replace(':velero:', `:${velero}:`);
  if (object.roleRef?.kind === 'ClusterRole') object.roleRef.name = `restorehooks:${velero}:restorehooks`;
  await cluster.create(object);
  if (object.kind === 'ClusterRoleBinding') bindings.push(object.metadata.name);
}
const { cluster: at } = loadKubeConfig({ env: { KUBECONFIG: cluster.kubeconfig } });
const ENDPOINT = {
  EKS_CLUSTER_NAME: 'prod',
  EKS_CLUSTER_ENDPOINT: at.server,
  EKS_CLUSTER_CA: at.caData ?? readFileSync(at.caFile ?? '').toString('base64'),
};

/** An API server that asks this process whose token it got, until this file's tests end. */
async function trustSignatures(): Promise<void> {
  const restart = async (...args: string[]) => {
    await testbed('kill', 'apiserver');
    await testbed('start', 'apiserver', ...args);
    await testbed('waken');
  };
  const server = createServer(async (request, response) => {
    const review = (await json(request)) as Loose;
    const user = authenticate(review.spec.token);
    const status =
      user === undefined
        ? { authenticated: false }
        : { authenticated: true, user: { username: user.name, groups: user.groups } };
    response.end(JSON.stringify({ apiVersion: review.apiVersion, kind: review.kind, status }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = await mkdtemp(join(tmpdir(), 'restorehooks-webhook-'));
  const file = join(folder, 'webhook.json');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const context = { name: 'webhook', context: { cluster: 'webhook', user: '' } };
  const clusters = [{ name: 'webhook', cluster: { server: url } }];
  const config = { apiVersion: 'v1', kind: 'Config', clusters, contexts: [context], 'current-context': 'webhook' };
  await writeFile(file, JSON.stringify(config));
  await restart(`--authentication-token-webhook-config-file=${file}`, '--authentication-token-webhook-version=v1');
  after(async () => {
    await restart();
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });
}

function text(file: string): string {
  return readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
}

/** An instance of the function. Its log is checked when the test ends. */
function instance(env: Readonly<Record<string, string>> = {}): LambdaFunction {
  const started = new LambdaFunction({
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
    AWS_SESSION_TOKEN: KEYS.sessionToken,
    ...ENDPOINT,
    ...env,
  });
  after(() => {
    started.close();
    for (const secret of [KEYS.secretAccessKey, KEYS.sessionToken, 'k8s-aws-v1', 'X-Amz-', 'marks']) {
      assert.ok(!started.log.includes(secret), `${secret} is in the log`);
    }
  });
  return started;
}

async function sceneWith(title: string, hooks: readonly object[], ...pods: string[]): Promise<Scene> {
  const scene = await e2e.scene(title);
  await Promise.all(pods.map((pod) => scene.pod(pod)));
  await scene.restore({ hooks: [entry(hooks)], status: { phase: 'Completed' } });
  return scene;
}
const eventOf = (scene: Scene, more: object = {}) => ({ restore: scene.name, namespace: velero, ...more });
const begun = (scene: Scene, pod = 'web-0') =>
  waitFor(`the hook in ${pod} to begin`, async () => (await scene.marks(pod)).includes('begun'));
const summary = ({ payload }: Answer) => [payload?.done, payload?.phase, payload?.exitCode];
const states = async (scene: Scene): Promise<string[]> =>
  (await scene.status())
    .json()
    .hooks.map(({ pod, index, state, reason }: Loose) => [`${pod}/${index}`, state, reason].filter(Boolean).join(' '));
const MINUTES = 300_000;
/** Leaves time for a hook to begin before the margin, and for one to end within it, even on a busy machine. */
const NEAR = 40_000;

describe('the bundle', () => {
  it('is one file of at most 1.5 MB', () => {
    assert.ok(statSync(BUNDLE).size <= 1_500_000, `${statSync(BUNDLE).size} bytes`);
  });
});

describe('a call', { concurrency: true }, () => {
  it('runs the hooks to their end', async () => {
    const scene = await sceneWith('whole', [exec(mark('first')), exec(mark('second'))], 'web-0', 'web-1');
    const answer = await instance().invoke(eventOf(scene), MINUTES);
    assert.deepEqual(summary(answer), [true, 'Completed', 0], answer.errorMessage);
    assert.equal(answer.payload.counts.succeeded, 4);
    for (const pod of ['web-0', 'web-1']) assert.deepEqual(await scene.marks(pod), ['first', 'second']);
  });

  // R8.8
  it('near its deadline starts nothing more, and the next one goes on', async () => {
    const scene = await sceneWith('two-calls', [exec(gated()), exec(mark('next'))], 'web-0');
    const lambda = instance();
    const first = lambda.invoke(eventOf(scene, { margin: '25s' }), NEAR);
    await begun(scene);
    await waitFor('the deadline to be near', () => lambda.log.includes('the deadline is near'));
    await scene.open('web-0');
    const answered = await first;
    assert.deepEqual(summary(answered), [false, 'InProgress', undefined], answered.errorMessage);
    assert.deepEqual([answered.payload.counts.succeeded, answered.payload.counts.waiting], [1, 1]);
    assert.match((await scene.status()).json().message, /^suspended at /);
    const second = await lambda.invoke(eventOf(scene), MINUTES);
    assert.deepEqual(summary(second), [true, 'Completed', 0], second.errorMessage);
    assert.equal(second.payload.runID, answered.payload.runID);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended', 'next']);
  });

  // R7.80
  it('waits for its Restore until its deadline is near, and the next one goes on waiting', async () => {
    const scene = await e2e.scene('early');
    const lambda = instance();
    const event = eventOf(scene, { waitForRestore: true, margin: '25s' });
    const first = await lambda.invoke(event, 30_000);
    assert.deepEqual(
      [first.payload?.done, first.payload?.waitsFor],
      [false, "it doesn't exist yet"],
      first.errorMessage,
    );
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('warm')))], status: { phase: 'Completed' } });
    const second = await lambda.invoke(event, MINUTES);
    assert.deepEqual(summary(second), [true, 'Completed', 0], second.errorMessage);
    const long = { waitForRestore: '10m', executionStart: new Date(Date.now() - 600_000).toISOString() };
    const over = await lambda.invoke({ ...eventOf(scene, long), restore: 'no-such' }, MINUTES);
    assert.equal(over.errorType, 'Timeout', 'the limit is that of the whole execution');
  });

  it('answers before its deadline although a hook still runs, which is Unknown then', async () => {
    const scene = await sceneWith('too-long', [exec(gated(), { execTimeout: '24s' }), exec(mark('next'))], 'web-0');
    const lambda = instance();
    const first = await lambda.invoke(eventOf(scene, { margin: '5s' }), 25_000);
    assert.deepEqual(summary(first), [false, 'InProgress', undefined], first.errorType);
    assert.equal(first.payload.counts.running, 1);
    const second = await lambda.invoke(eventOf(scene), MINUTES);
    assert.deepEqual(summary(second), [true, 'CompletedWithFailures', 0], second.errorMessage);
    assert.deepEqual(await states(scene), ['web-0/0 Unknown runner-died', 'web-0/1 Succeeded']);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'next']);
    await scene.open('web-0');
  });

  it('after one that was killed in mid-hook runs nothing twice, and the lost command is Unknown', async () => {
    const scene = await sceneWith('killed', [exec(gated(), { execTimeout: '5s' }), exec(mark('next'))], 'web-0');
    await scene.pod('done-0');
    await scene.open('done-0');
    const lambda = instance();
    const first = lambda.invoke(eventOf(scene), MINUTES);
    await begun(scene);
    await waitFor('the other pod to be done', async () => (await scene.marks('done-0')).includes('next'));
    await scene.runStatus(({ counts }) => counts.succeeded === 2);
    lambda.kill();
    assert.equal((await first).errorType, 'Runtime.ExitError');
    const second = await lambda.invoke(eventOf(scene), MINUTES);
    assert.deepEqual(summary(second), [true, 'CompletedWithFailures', 0], second.errorMessage);
    assert.deepEqual(await states(scene), [
      'done-0/0 Succeeded',
      'done-0/1 Succeeded',
      'web-0/0 Unknown runner-died',
      'web-0/1 Succeeded',
    ]);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'next']);
    assert.deepEqual(await scene.marks('done-0'), ['begun', 'ended', 'next']);
    await scene.open('web-0');
  });

  it('beside another one waits for it, and starts nothing', async () => {
    const scene = await sceneWith('beside', [exec(gated())], 'web-0');
    const working = instance().invoke(eventOf(scene), MINUTES);
    await begun(scene);
    const waiting = await instance().invoke(eventOf(scene, { margin: '2s' }), 12_000);
    assert.deepEqual(summary(waiting), [false, 'InProgress', undefined], waiting.errorMessage);
    await scene.open('web-0');
    const worked = await working;
    assert.deepEqual(summary(worked), [true, 'Completed', 0], worked.errorMessage);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended']);
  });

  it('once more after the run has ended answers the same, and with again, too, for one execution', async () => {
    const scene = await sceneWith('once-more', [exec(mark('warm'))], 'web-0');
    const lambda = instance();
    const first = await lambda.invoke(eventOf(scene), MINUTES);
    assert.deepEqual(await lambda.invoke(eventOf(scene), MINUTES), first);
    const again = eventOf(scene, { again: true, execution: 'second' });
    const second = await lambda.invoke(again, MINUTES);
    assert.deepEqual(summary(second), [true, 'Completed', 0], second.errorMessage);
    assert.notEqual(second.payload.runID, first.payload.runID);
    await scene.pod('web-1');
    assert.deepEqual(await lambda.invoke(again, MINUTES), second);
    assert.deepEqual(await scene.marks('web-0'), ['warm', 'warm']);
    assert.deepEqual(await scene.marks('web-1'), []);
  });

  it('whose plan is another by now starts nothing, and the plugin goes on', async () => {
    const scene = await sceneWith('changed', [exec(gated(), { execTimeout: '1m' }), exec(mark('next'))], 'web-0');
    const lambda = instance();
    const first = lambda.invoke(eventOf(scene, { margin: '25s' }), NEAR);
    await begun(scene);
    await waitFor('the deadline to be near', () => lambda.log.includes('the deadline is near'));
    await scene.open('web-0');
    assert.deepEqual(summary(await first), [false, 'InProgress', undefined]);
    const none = await lambda.invoke(eventOf(scene, { selector: 'app=none', allowNoMatch: true }), MINUTES);
    assert.equal(none.errorType, 'RunByAnother', JSON.stringify(none));
    await scene.pod('web-1');
    await scene.open('web-1');
    const second = await lambda.invoke(eventOf(scene), MINUTES);
    assert.equal(second.errorType, 'RunByAnother', JSON.stringify(second));
    assert.match(
      second.errorMessage ?? '',
      /^the plan of Restore .* has changed since run \w+ began.*\n.*kubectl restorehooks apply/,
    );
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    for (const pod of ['web-0', 'web-1']) assert.deepEqual(await scene.marks(pod), ['begun', 'ended', 'next']);
  });

  // R8.10
  it('of mode job launches the Job, and is done when its run is', async () => {
    const scene = await sceneWith('job', [exec(gated()), exec(sh('exit 3'), { onError: 'Fail' })], 'web-0');
    const lambda = instance();
    const event = eventOf(scene, { mode: 'job', execution: 'nightly', keepRestorePhase: true });
    const first = await lambda.invoke(event, MINUTES);
    assert.deepEqual(summary(first), [false, 'Pending', undefined], first.errorMessage);
    await begun(scene);
    const second = await lambda.invoke(event, MINUTES);
    assert.deepEqual(summary(second), [false, 'InProgress', undefined], second.errorMessage);
    await scene.open('web-0');
    const last = await waitFor('the run to end', async () => {
      const answer = await lambda.invoke(event, MINUTES);
      return answer.payload?.done !== false && answer;
    });
    assert.deepEqual(summary(last), [true, 'PartiallyFailed', 3], last.errorMessage);
    assert.equal(last.payload.runID, first.payload.runID);
    assert.equal((await scene.jobs()).length, 1);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended']);
  });

  it('of mode job says that its run failed where its Job is gone', async () => {
    const scene = await sceneWith('job-gone', [exec(gated(), { execTimeout: '5s' })], 'web-0');
    const lambda = instance();
    const event = eventOf(scene, { mode: 'job', execution: 'gone' });
    assert.equal((await lambda.invoke(event, MINUTES)).payload?.done, false);
    await begun(scene);
    const [job] = await scene.jobs();
    await cluster.client.delete(paths.jobs(velero, job.metadata.name), { propagationPolicy: 'Orphan' });
    await scene.killRunner();
    const last = await waitFor('the run to end', async () => {
      const answer = await lambda.invoke(event, MINUTES);
      return answer.payload?.done !== false && answer;
    });
    assert.deepEqual([...summary(last), last.payload?.counts.unknown], [true, 'Failed', 10, 1], last.errorMessage);
    assert.deepEqual(await scene.marks('web-0'), ['begun']);
    await scene.open('web-0');
  });

  it('by the state machine is made until the hooks have been run, whatever kills the function', async () => {
    const scene = await sceneWith('machine', [exec(gated(), { execTimeout: '5s' }), exec(mark('next'))], 'web-0');
    const lambda = instance();
    let calls = 0;
    const ended = await execute(eventOf(scene, { margin: '2s', failOn: 'any' }), 'nightly-1', async (event) => {
      calls += 1;
      const answer = lambda.invoke(event, 60_000);
      if (calls === 1) {
        await begun(scene);
        lambda.kill();
      }
      return answer;
    });
    assert.deepEqual([ended.status, ended.error], ['FAILED', 'HooksNotSucceeded'], JSON.stringify(ended));
    const { phase, counts, exitCode } = JSON.parse(ended.cause ?? '');
    assert.deepEqual([phase, counts.unknown, counts.succeeded, exitCode], ['CompletedWithFailures', 1, 1, 3]);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'next']);
    await scene.open('web-0');
  });
});

describe('a call that can not be answered', { concurrency: true }, () => {
  const failing = async (event: object, env: Readonly<Record<string, string>> = {}) => {
    const { payload, errorType, errorMessage } = await instance(env).invoke(event, 20_000);
    assert.equal(payload, undefined);
    return `${errorType}: ${errorMessage}`;
  };

  it('has an error of its own kind, that says what to do', async () => {
    const scene = await sceneWith('errors', [exec(mark('never'))]);
    const margin = { margin: '1s' };
    const said = {
      InvalidArgument: await failing(eventOf(scene, { resotre: 1 })),
      RestoreNotFound: await failing({ restore: 'no-such', namespace: velero, ...margin }),
      NoPodMatched: await failing(eventOf(scene, margin)),
      Forbidden: await failing(eventOf(scene, margin), { AWS_SECRET_ACCESS_KEY: 'another' }),
      ClusterUnreachable: await failing(eventOf(scene, margin), { EKS_CLUSTER_ENDPOINT: 'https://127.0.0.1:9' }),
    };
    for (const [name, text] of Object.entries(said)) assert.match(text, new RegExp(`^${name}: .+\n.+`), name);
    assert.match(said.InvalidArgument, /resotre/);
    assert.match(
      said.Forbidden,
      /did not accept the credentials of user "eks:prod"\nmake the function's role known to the cluster/,
    );
  });

  it('for want of time starts nothing', async () => {
    const scene = await sceneWith('no-time', [exec(mark('never'))], 'web-0');
    assert.match(
      await failing(eventOf(scene)),
      /^InvalidArgument: less than the margin of 60s was left to this call\n/,
    );
    assert.deepEqual(await scene.marks('web-0'), []);
    assert.deepEqual(await scene.annotations(), {});
  });

  it('for a token of another cluster is refused', async () => {
    const scene = await sceneWith('other-cluster', [exec(mark('never'))], 'web-0');
    assert.match(await failing(eventOf(scene, { margin: '1s' }), { EKS_CLUSTER_NAME: 'other' }), /^Forbidden: /);
  });
});
