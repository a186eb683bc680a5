import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { installed, noPip } from '../../aws/awscli.ts';
import { makePrograms, ROOT, snippetsOf, typed } from '../../snippets.ts';

/** The commands of docs/lambda.md with the real awscli, before a server that only writes down what is asked of AWS. */
describe('the commands that set Lambda up', { skip: noPip }, () => {
  let folder: string;
  let server: Server;
  const asked: { url: string; body: string }[] = [];

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'lambda-setup-'));
    symlinkSync(path.join(ROOT, 'deploy'), path.join(folder, 'deploy'));
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => {
        asked.push({ url: request.url ?? '', body });
        const [, action] = /Action=(\w+)/.exec(body) ?? [];
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
    const [block, ...more] = snippetsOf('docs/lambda.md').filter(({ info }) => info === 'sh');
    assert.deepEqual(more, []);
    const { code, output } = await typed(block?.text ?? '', {
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
      asked.map(({ url, body }) => /Action=(\w+)/.exec(body)?.[1] ?? url),
      ['CreateRole', 'AttachRolePolicy', '/2015-03-31/functions', '/clusters/prod/access-entries'],
    );
    const [role, , made] = asked;
    assert.match(decodeURIComponent(role?.body ?? ''), /lambda\.amazonaws\.com/);
    assert.equal(JSON.parse(made?.body ?? '').Handler, 'lambda.handler');
  });
});
