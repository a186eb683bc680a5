import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadAll } from 'js-yaml';
import { lambdaCall } from '../../../runner/lambda-event.ts';
import { setupManifests } from '../../../shared/core/manifests/rbac.ts';
import type { Answer } from '../../aws/lambda.ts';
import { definition, execute } from '../../aws/step-functions.ts';
import type { Loose } from '../../e2e/harness.ts';

const DEPLOY = join(import.meta.dirname, '../../../deploy/lambda');
const text = (file: string): string => readFileSync(join(DEPLOY, file), 'utf8');
const DOCS = readFileSync(join(import.meta.dirname, '../../../docs/lambda.md'), 'utf8');
const ENV = { AWS_REGION: 'eu-central-1' };
const CLUSTER = { name: 'prod' };

describe('the event', () => {
  it('of the example is one, and what it leaves out is as `apply` has it', () => {
    const { config, cluster, mode, margin, execution } = lambdaCall(JSON.parse(text('event.json')), ENV);
    assert.deepEqual([config.restore, config.namespace, config['fail-on']], ['nightly-20260109', 'velero', 'any']);
    assert.deepEqual([config['max-concurrent'], config.capture, config['on-unknown']], [64, 'tail', 'fail']);
    assert.deepEqual(cluster, { name: 'prod', region: 'eu-central-1' });
    assert.deepEqual([mode, margin, execution], ['run', 60_000, undefined]);
  });

  it("takes apply's options, with a list, a number or true", () => {
    const options = {
      only: ['a', 'b'],
      maxConcurrent: 3,
      rerun: true,
      force: false,
      podNamespace: ['x'],
      record: true,
    };
    const { config } = lambdaCall({ restore: 'r', cluster: CLUSTER, ...options }, ENV);
    assert.deepEqual(
      [config.only, config['max-concurrent'], config.rerun, config.force, config['pod-namespace'], config.record],
      [['a', 'b'], 3, true, false, ['x'], true],
    );
  });

  // R8.80
  it('takes the namespace of runs, and refuses what is none', () => {
    const event = { restore: 'r', cluster: CLUSTER };
    assert.equal(lambdaCall({ ...event, runNamespace: 'runs' }, ENV).config['run-namespace'], 'runs');
    assert.throws(() => lambdaCall({ ...event, runNamespace: 'a/b' }, ENV), /--run-namespace: "a\/b" is no name/);
  });

  // R1.40, R1.41, R1.43, R1.44
  it('takes the flags that change a plan, and refuses their mistakes', () => {
    const event = { restore: 'r', cluster: CLUSTER };
    const { config } = lambdaCall(
      { ...event, sources: ['annotations', 'spec'], skip: ['a'], maxExecTimeout: '5m', detach: true },
      ENV,
    );
    assert.deepEqual(
      [config.sources, config.skip, config['max-exec-timeout'], config.detach],
      [['annotations', 'spec'], ['a'], 300_000, true],
    );
    assert.throws(
      () => lambdaCall({ ...event, sources: ['specs'] }, ENV),
      /--sources: expected annotations, spec or file/,
    );
    assert.throws(() => lambdaCall({ ...event, maxExecTimeout: '0s' }, ENV), /expected a duration above 0/);
  });

  it('that names no cluster is for that of the environment, and takes nothing of it where it names one', () => {
    const env = { ...ENV, EKS_CLUSTER_NAME: 'here', EKS_CLUSTER_ENDPOINT: 'https://here', EKS_CLUSTER_CA: 'eA==' };
    assert.deepEqual(lambdaCall({ restore: 'r' }, env).cluster, {
      name: 'here',
      region: 'eu-central-1',
      endpoint: 'https://here',
      certificateAuthority: 'eA==',
    });
    assert.deepEqual(lambdaCall({ restore: 'r', cluster: CLUSTER }, env).cluster, {
      ...CLUSTER,
      region: 'eu-central-1',
    });
  });

  it('with a mistake is refused in one line that names the place', () => {
    const event = { restore: 'r', cluster: CLUSTER };
    for (const [wrong, message] of [
      [undefined, /^the event: /],
      [{ ...event, restore: '' }, /restore: expected the name of a Restore/],
      [{ ...event, plan: '/etc/passwd' }, /Unrecognized key: "plan"/],
      [{ ...event, runId: 'x' }, /Unrecognized key: "runId"/],
      [{ ...event, mode: 'local' }, /mode: expected 'run' or 'job'/],
      [{ ...event, margin: '10' }, /margin: expected a duration such as 1m/],
      [{ ...event, margin: '-1s' }, /margin: expected a duration such as 1m/],
      [{ ...event, maxConcurrent: 0 }, /max-concurrent: expected a whole number from 1/],
      [{ ...event, capture: 'all' }, /capture: expected none, tail, full or full:SIZE/],
      [{ ...event, capture: 'full:17Mi' }, /of at most 16Mi/],
      [
        { ...event, hooks: [{ includeNamespaces: ['shop'] }] },
        /includeNamespaces: unknown field; did you mean included/,
      ],
      [{ ...event, again: true }, /'again' needs 'execution'/],
      [{ ...event, hooks: [{ postHooks: 1 }] }, /^the event's hooks: spec\.resources\[0\]\.postHooks: /],
      [{ ...event, cluster: { name: 'a/../b' } }, /^the cluster: name: expected the name of an EKS cluster/],
      [{ ...event, cluster: { ...CLUSTER, region: 'x.example' } }, /^the cluster: region: expected a region of AWS/],
      [{ ...event, cluster: { ...CLUSTER, endpoint: 'http://x' } }, /endpoint: expected the https URL/],
      [{ ...event, cluster: { ...CLUSTER, certificateAuthority: '%' } }, /certificateAuthority: expected the CA/],
      [{ restore: 'r' }, /^the cluster: name: /],
    ] as const) {
      assert.throws(
        () => lambdaCall(wrong, ENV),
        (error: Error & { exitCode: number }) => {
          assert.match(error.message, message);
          return error.exitCode === 2 && !error.message.includes('\n');
        },
      );
    }
  });

  // R8.23
  it('says of the Job only what it holds, and refuses a patch that no Job can take', () => {
    const event = { restore: 'r', cluster: CLUSTER, mode: 'job' };
    const none = { image: undefined, imagePullSecret: [], serviceAccount: undefined, patches: [] };
    assert.deepEqual(lambdaCall(event, ENV).job, none);
    const jobPatch = { spec: { ttlSecondsAfterFinished: 60 } };
    assert.deepEqual(lambdaCall({ ...event, image: 'x', jobPatch }, ENV).job, {
      ...none,
      image: 'x',
      patches: [{ from: "the event's jobPatch", patch: jobPatch }],
    });
    assert.throws(() => lambdaCall({ ...event, jobPatch: { spec: { parallelism: 2 } } }, ENV), {
      code: 'INVALID_INPUT',
      message: /^the event's jobPatch: spec\.parallelism: a patch can't change this/,
    });
  });

  it("takes a Restore's name for nothing else", () => {
    const restoreOf = (restore: string) => lambdaCall({ restore, cluster: CLUSTER }, ENV).config;
    assert.equal(restoreOf('restore.velero.io/nightly').restore, 'nightly');
    for (const flag of ['--plan', '--plan=/x', '..']) {
      assert.throws(() => restoreOf(flag), { code: 'INVALID_ARGUMENT', message: /is not the name of a Restore$/ });
    }
  });
});

describe('the state machine', () => {
  const run = (answers: readonly Answer[]) => {
    const left = [...answers];
    const events: unknown[] = [];
    const done = execute({ restore: 'r' }, 'nightly-1', async (event) => {
      events.push(event);
      return left.shift() ?? assert.fail('called once too often');
    });
    return done.then((ended) => ({ ...ended, events, left: left.length }));
  };
  const done = (exitCode: number) => ({ payload: { done: true, exitCode } });
  const notDone = { payload: { done: false } };

  it('has only states that lead to others of it, or to an end', () => {
    const names = Object.keys(definition.States);
    const next = Object.values(definition.States).flatMap((state: Loose) => [
      ...(state.Next ? [state.Next] : []),
      ...(state.Default ? [state.Default] : []),
      ...(state.Choices ?? []).map(({ Next }: { Next: string }) => Next),
    ]);
    assert.deepEqual(new Set([definition.StartAt, ...next]), new Set(names));
    assert.ok(definition.TimeoutSeconds > 0);
  });

  it('calls with the same event until it is done, and waits in between', async () => {
    const ended = await run([notDone, notDone, done(0)]);
    assert.deepEqual([ended.status, ended.left, ended.waited], ['SUCCEEDED', 0, 10]);
    const [{ executionStart }] = ended.events as [Loose];
    assert.ok(Date.parse(executionStart) > 0, 'waitForRestore counts from there');
    assert.deepEqual(ended.events, Array(3).fill({ restore: 'r', execution: 'nightly-1', executionStart }));
  });

  it('succeeds only by exit code 0', async () => {
    for (const answer of [done(3), done(10), { payload: { done: true } }, { payload: {} }]) {
      const ended = await run([answer]);
      assert.deepEqual([ended.status, ended.error], ['FAILED', 'HooksNotSucceeded']);
    }
  });

  it('calls again after what may go by, and not after what will not', async () => {
    for (const error of [
      'Sandbox.Timedout',
      'Runtime.ExitError',
      'Lambda.TooManyRequestsException',
      'ClusterUnreachable',
    ])
      assert.equal((await run([{ errorType: error }, notDone, { errorType: error }, done(0)])).status, 'SUCCEEDED');
    for (const error of [
      'InvalidArgument',
      'RestoreNotFound',
      'Forbidden',
      'NoPodMatched',
      'RunByAnother',
      'RunFailed',
    ])
      assert.equal((await run([{ errorType: error }])).error, error);
    assert.equal((await run(Array(11).fill({ errorType: 'ClusterUnreachable' }))).error, 'ClusterUnreachable');
  });
});

describe('deploy/lambda', () => {
  it('has policies that allow one thing each, and nothing everywhere', () => {
    const actions = readdirSync(DEPLOY)
      .filter((file) => file.endsWith('-policy.json'))
      .flatMap((file) => {
        const { Version, Statement } = JSON.parse(text(file));
        assert.deepEqual([Version, Statement.length], ['2012-10-17', 1], file);
        const [{ Effect, Action, Resource, Principal }] = Statement;
        assert.equal(Effect, 'Allow');
        assert.ok(Principal?.Service.endsWith('.amazonaws.com') || !Resource.includes('*'), file);
        return [Action];
      });
    assert.deepEqual(actions.sort(), [
      'eks:DescribeCluster',
      'lambda:InvokeFunction',
      'sts:AssumeRole',
      'sts:AssumeRole',
    ]);
  });

  it('binds the group to the Roles that `setup` makes, and adds to them only to create Jobs', () => {
    const objects = loadAll(text('rbac.yaml')) as Loose[];
    const made = setupManifests({ namespace: 'velero' }).map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    const own = objects.filter(({ kind }) => kind === 'Role');
    assert.deepEqual(
      own.map(({ rules }) => rules),
      [[{ apiGroups: ['batch'], resources: ['jobs'], verbs: ['create'] }]],
    );
    for (const { roleRef, subjects } of objects.filter((object) => object.roleRef)) {
      const role = `${roleRef.kind}/${roleRef.name}`;
      assert.ok([...made, `Role/${own[0].metadata.name}`].includes(role), role);
      assert.deepEqual(
        subjects.map(({ kind, name }: Loose) => `${kind}/${name}`),
        ['Group/restorehooks-lambda'],
      );
    }
  });

  it('is told of in docs/lambda.md, file by file', () => {
    for (const file of readdirSync(DEPLOY)) assert.ok(DOCS.includes(`deploy/lambda/${file}`), file);
  });
});
