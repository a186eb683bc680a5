import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadAll } from 'js-yaml';
import type { Setup } from '../../../shared/core/manifests/rbac.ts';
import { setupManifests } from '../../../shared/core/manifests/rbac.ts';
import { installed, noPip } from '../../aws/awscli.ts';
import { makePrograms, ROOT, snippetsOf, typed } from '../../snippets.ts';

const blocksOf = (section: string): string =>
  snippetsOf('docs/lambda.md')
    .filter((block) => block.info === 'sh' && block.section === section)
    .map(({ text }) => text)
    .join('');

/** The commands of docs/lambda.md with the real awscli, before a server that only writes down what is asked of AWS. */
describe('the commands that set Lambda up', { skip: noPip }, () => {
  let folder: string;
  let server: Server;
  const asked: { what: string; body: string }[] = [];

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'lambda-setup-'));
    symlinkSync(path.join(ROOT, 'deploy'), path.join(folder, 'deploy'));
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => {
        const [, action] = /Action=(\w+)/.exec(body) ?? [];
        const target = request.headers['x-amz-target'];
        asked.push({ what: String(action ?? target ?? request.url), body });
        const isQuery = action !== undefined;
        response.setHeader('content-type', isQuery ? 'text/xml' : 'application/json');
        response.end(isQuery ? `<${action}Response><${action}Result/></${action}Response>` : '{}');
      });
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await makePrograms(path.join(folder, 'programs'), {
      aws: `PYTHONPATH='${installed()}' exec python3 -m awscli --endpoint-url ${endpoint} "$@"`,
      npm: 'true',
      zip: 'python3 -m zipfile -c "$2" deploy/lambda/event.json',
      kubectl: 'echo "kubectl $*"',
    });
  });
  after(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are understood by awscli, and ask AWS for what the page says', async () => {
    const { code, output } = await typed(blocksOf('Setting it up'), {
      cwd: folder,
      programs: [path.join(folder, 'programs')],
      env: {
        AWS_ACCESS_KEY_ID: 'key',
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_DEFAULT_REGION: 'eu-central-1',
        AWS_CONFIG_FILE: '/dev/null',
        NO_PROXY: '127.0.0.1',
        HOME: folder,
        PYTHONWARNINGS: 'ignore',
      },
    });
    assert.equal(code, 0, output);
    assert.match(output, /^kubectl apply -f deploy\/lambda\/rbac.yaml$/m);
    assert.deepEqual(
      asked.map(({ what }) => what),
      [
        'CreateRole',
        'AttachRolePolicy',
        'PutRolePolicy',
        '/2015-03-31/functions',
        '/clusters/prod/access-entries',
        'CreateRole',
        'PutRolePolicy',
        'AWSStepFunctions.CreateStateMachine',
        'AWSStepFunctions.StartExecution',
      ],
    );
    const bodies = asked.map(({ body }) => (body.startsWith('{') ? body : decodeURIComponent(body)));
    const [role, , policy, made, , roleOfStates, policyOfStates, , started] = bodies;
    assert.match(role ?? '', /lambda\.amazonaws\.com/);
    assert.match(policy ?? '', /eks:DescribeCluster/);
    assert.equal(JSON.parse(made ?? '').Handler, 'lambda.handler');
    assert.match(roleOfStates ?? '', /states\.amazonaws\.com/);
    assert.match(policyOfStates ?? '', /lambda:InvokeFunction/);
    assert.equal(JSON.parse(JSON.parse(started ?? '').input).namespace, 'velero');
  });
});

describe('the roles that docs/lambda.md and deploy/lambda/rbac.yaml bind', () => {
  const made = (setup: Setup): string[] =>
    setupManifests(setup).flatMap(({ kind, metadata: { name, namespace = '' } }) =>
      kind === 'Role' || kind === 'ClusterRole' ? [`${namespace} ${name}`] : [],
    );
  const namespace = 'velero';
  const podNamespaces = ['shop'];
  const flag = (line: string, name: string): string => new RegExp(` ${name}[ =](\\S+)`).exec(line)?.[1] ?? '';
  const commands = (what: string): string[] =>
    blocksOf('Rights in the cluster')
      .replaceAll('\\\n', '')
      .split('\n')
      .filter((line) => line.startsWith(`kubectl create ${what} `));
  const bound = commands('rolebinding').map((line) => `${flag(line, '-n')} ${flag(line, '--role')}`);
  const own = commands('role').map((line) => `${flag(line, '-n')} ${line.split(' ')[3]}`);

  it('are those that setup makes: of all namespaces in the file, of some in the commands', () => {
    // biome-ignore lint/suspicious/noExplicitAny: manifests as they are written
    const manifests = loadAll(readFileSync(path.join(ROOT, 'deploy/lambda/rbac.yaml'), 'utf8')) as any[];
    const roles = manifests.flatMap(({ metadata, roleRef }) =>
      roleRef && !roleRef.name.endsWith('lambda-job') ? [`${metadata.namespace ?? ''} ${roleRef.name}`] : [],
    );
    assert.deepEqual(roles, made({ namespace }));
    assert.deepEqual(bound.slice(0, 1), made({ namespace, podNamespaces }).slice(1));
  });

  it('are all of those of a namespace of runs, and the two that the commands make themselves', () => {
    const all = [...made({ namespace, podNamespaces, runNamespace: 'restorehooks' }), ...own];
    assert.deepEqual(bound.slice(1).sort(), all.sort());
    assert.equal(own.length, 2);
  });
});
