import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { kubeApiError } from '../../../../shared/kubernetes/api/api-error.ts';
import type { KubeClientOptions } from '../../../../shared/kubernetes/api/client.ts';
import { kubeClient } from '../../../../shared/kubernetes/api/client.ts';
import { paths } from '../../../../shared/kubernetes/api/paths.ts';
import { selfSignedCertificate } from '../../../embedded/certificate.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

async function serve(t: TestContext, answer: Answer, options: KubeClientOptions = {}, proxyUrl?: string) {
  const seen: IncomingMessage[] = [];
  let sockets = 0;
  const server = createServer(async (request, response) => {
    seen.push(request);
    answer(request, response, await text(request));
  });
  server.on('connection', () => {
    sockets += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = kubeClient(
    {
      cluster: {
        name: 'c',
        server: `http://127.0.0.1:${port}/prefix`,
        skipTLSVerify: false,
        ...(proxyUrl !== undefined && { proxyUrl }),
      },
      user: { name: 'u', token: 'SECRET', impersonate: { user: 'me', groups: ['a', 'b'], extra: {} } },
      env: {},
    },
    options,
  );
  t.after(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  return { client, seen, sockets: () => sockets };
}

const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) =>
  response.writeHead(status, headers).end(JSON.stringify(body));
const failure = (code: number, reason: string, message: string) => ({
  kind: 'Status',
  code,
  reason,
  message,
  details: { name: 'n' },
});

const failureOf = (promise: Promise<unknown>): Promise<RestoreHooksError> =>
  promise.then(
    () => assert.fail('it succeeded'),
    (error) => error,
  );

describe('kubeClient', () => {
  it('passes on what the API server warns of, in the UTF-8 that it is written in', async (t) => {
    const warnings: string[] = [];
    const { client } = await serve(
      t,
      (_, response) => {
        const text = Buffer.from('299 - "müßte \\"x\\" 日本", 299 - "two"').toString('latin1');
        response.writeHead(201, { warning: text }).end('{}');
      },
      { onWarning: (text) => warnings.push(text) },
    );
    await client.create(paths.jobs('velero'), {});
    assert.deepEqual(warnings, ['müßte "x" 日本', 'two']);
  });

  it('sends credentials, impersonation with each group by itself, and query, over one kept-alive connection', async (t) => {
    const { client, seen, sockets } = await serve(t, (_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"kind":"Pod"}')),
    );
    assert.deepEqual(await client.get(paths.pods('n s', 'p'), { a: 'b c', no: undefined }), { kind: 'Pod' });
    await client.get('/api');
    assert.equal(seen[0]?.url, '/prefix/api/v1/namespaces/n%20s/pods/p?a=b+c');
    assert.equal(seen[0]?.headers.authorization, 'Bearer SECRET');
    assert.deepEqual(seen[0]?.headersDistinct['impersonate-group'], ['a', 'b']);
    assert.equal(sockets(), 1);
  });

  it('turns the answers of the API server into errors, the answer kept, no token in them', async (t) => {
    let status = failure(0, '', '');
    const { client } = await serve(t, (_, response) => json(response, status.code, status), { maxRetries: 0 });
    for (const [code, reason, expected] of [
      [401, 'Unauthorized', 'FORBIDDEN'],
      [403, 'Forbidden', 'FORBIDDEN'],
      [404, 'NotFound', 'NOT_FOUND'],
      [409, 'AlreadyExists', 'WRITE_CONFLICT'],
      [422, 'Invalid', 'INVALID_INPUT'],
      [429, 'TooManyRequests', 'CLUSTER_UNREACHABLE'],
      [500, 'InternalError', 'CLUSTER_UNREACHABLE'],
    ] as const) {
      status = failure(code, reason, `said ${code}`);
      const error = await failureOf(client.delete('/api/v1/x/n'));
      assert.equal(error.code, expected);
      assert.deepEqual(kubeApiError(error), {
        status: code,
        reason,
        message: `said ${code}`,
        name: 'n',
        hasDetails: true,
      });
      assert.doesNotMatch(`${error.message} ${error.hint}`, /SECRET/);
    }
    assert.equal(kubeApiError(new Error('other')), undefined);
  });

  // R4.18
  it('believes a 404 where a Status names the object that was asked for, or its namespace', async (t) => {
    let body: unknown = '';
    const answered: string[] = [];
    const { client } = await serve(t, ({ url = '' }, response) => {
      answered.push(url);
      json(response, 404, body);
    });
    const named = (details: object) => ({ kind: 'Status', code: 404, reason: 'NotFound', message: 'no', details });
    const pod = paths.pods('shop', 'db-0');
    for (const [what, ask, isBelieved] of [
      [named({ name: 'db-0', kind: 'pods' }), () => client.delete(pod), true],
      [named({ name: 'db-0', kind: 'pods' }), () => client.getText(paths.podLog('shop', 'db-0')), true],
      [
        named({ name: 'r.1', group: 'velero.io', kind: 'restores' }),
        () => client.get(paths.restores('v', 'r.1')),
        true,
      ],
      [named({ name: 'shop', kind: 'namespaces' }), () => client.create(paths.pods('shop'), {}), true],
      [named({ name: 'shop', kind: 'namespaces' }), () => client.get(paths.namespaces('shop')), true],
      [named({ name: 'other', kind: 'namespaces' }), () => client.create(paths.pods('shop'), {}), false],
      [named({ name: 'db-1', kind: 'pods' }), () => client.delete(pod), false],
      [named({ name: 'db-0', kind: 'services' }), () => client.delete(pod), false],
      [named({}), () => client.delete(pod), false],
      ['404 page not found', () => client.delete(pod), false],
      [{ error: 'no such route' }, () => client.delete(pod), false],
    ] as const) {
      body = what;
      const error = await failureOf(ask());
      assert.equal(error.code, isBelieved ? 'NOT_FOUND' : 'CLUSTER_UNREACHABLE', JSON.stringify(what));
      assert.equal(kubeApiError(error)?.status, 404);
    }
    answered.length = 0;
    assert.equal((await failureOf(client.get(pod))).code, 'CLUSTER_UNREACHABLE');
    assert.equal(answered.length, 3, 'a read is tried again');
  });

  it('tries again what was not done: reads on 429 and 503, writes on 429 only', async (t) => {
    let answers: number[] = [];
    const { client, seen } = await serve(t, (_, response) => {
      const code = answers.shift() ?? 200;
      json(response, code, code === 200 ? {} : failure(code, '', 'busy'), code === 200 ? {} : { 'retry-after': '0' });
    });
    answers = [429, 503];
    await client.get('/x');
    assert.equal(seen.length, 3);
    answers = [429];
    await client.create('/x', {});
    assert.equal(seen.length, 5);
    answers = [503];
    await assert.rejects(client.create('/x', {}), { code: 'CLUSTER_UNREACHABLE' });
    assert.equal(seen.length, 6);
  });

  it('waits as long as a 429 asks for, in seconds or until a date of its clock, and within its own limit', async (t) => {
    const asked: string[] = [];
    const waits: number[] = [];
    const { client } = await serve(
      t,
      (_, response) => {
        const after = asked.shift();
        const headers = after === undefined ? {} : { 'retry-after': after, date: 'Thu, 01 Jan 2026 00:00:00 GMT' };
        json(response, after === undefined ? 200 : 429, after === undefined ? {} : failure(429, '', 'busy'), headers);
      },
      { onWait: (ms) => void waits.push(ms) },
    );
    for (const after of ['Thu, 01 Jan 2026 00:00:01 GMT', '1']) {
      asked.push(after);
      const sentAt = performance.now();
      await client.get('/x');
      assert.ok(performance.now() - sentAt >= 990, after);
    }
    assert.deepEqual(waits, []);
    asked.push('3600');
    const limited = client.patch('/x', {}, 'merge', { timeoutMs: 5_000 });
    await assert.rejects(limited, { code: 'CLUSTER_UNREACHABLE', message: /is too busy \(HTTP 429\): busy$/ });
    assert.deepEqual(waits, [], 'a wait that is longer than the limit is not begun');
  });

  // R7.21
  it('tells a write that is refused to somebody who has the right from one for want of it', async (t) => {
    let allowed = true;
    const reviews: unknown[] = [];
    const { client } = await serve(t, (request, response, body) => {
      if (!request.url?.includes('selfsubjectaccessreviews'))
        return json(response, 403, failure(403, 'Forbidden', 'no'));
      reviews.push(JSON.parse(body).spec.resourceAttributes);
      return json(response, 201, { status: { allowed } });
    });
    const path = '/apis/batch/v1/namespaces/a/jobs';
    await assert.rejects(client.create(path, {}), { code: 'DENIED', exitCode: 10, message: 'no' });
    allowed = false;
    await assert.rejects(client.delete(`${path}/x`), { code: 'FORBIDDEN', exitCode: 5 });
    await assert.rejects(client.get(`${path}/x`), { code: 'FORBIDDEN' });
    assert.deepEqual(reviews, [
      { group: 'batch', resource: 'jobs', verb: 'create', namespace: 'a' },
      { group: 'batch', resource: 'jobs', verb: 'delete', namespace: 'a', name: 'x' },
    ]);
  });

  // R7.21
  it('waits for the answer about the right as long as for any other', async (t) => {
    for (const requestTimeoutMs of [0, 60_000]) {
      const { client } = await serve(
        t,
        (request, response) => {
          if (!request.url?.includes('reviews')) return json(response, 403, failure(403, 'Forbidden', 'no'));
          return setTimeout(() => json(response, 201, { status: { allowed: true } }), 50);
        },
        { requestTimeoutMs },
      );
      await assert.rejects(client.create('/apis/batch/v1/namespaces/a/jobs', {}), { code: 'DENIED' });
    }
  });

  it('reads a refused credential again, once', async (t) => {
    const { client, seen } = await serve(t, (_, response) => json(response, 401, failure(401, 'Unauthorized', 'no')));
    await assert.rejects(client.get('/x'), { code: 'FORBIDDEN' });
    assert.equal(seen.length, 2);
  });

  it('writes with the right content types, dry run and preconditions', async (t) => {
    const sent: unknown[] = [];
    const { client } = await serve(t, (request, response, body) => {
      sent.push([request.method, request.url, request.headers['content-type'], JSON.parse(body)]);
      json(response, 200, {});
    });
    await client.create('/x', { a: 1 }, { dryRun: true, fieldValidation: 'Strict' });
    await client.patch('/x/n', [{ op: 'test' }], 'json');
    await client.patch('/x/n', {}, 'apply', { fieldManager: 'me', force: true });
    await client.delete('/x/n', { uid: 'U', propagationPolicy: 'Background', dryRun: true });
    assert.deepEqual(sent, [
      ['POST', '/prefix/x?fieldValidation=Strict&dryRun=All', 'application/json', { a: 1 }],
      ['PATCH', '/prefix/x/n', 'application/json-patch+json', [{ op: 'test' }]],
      ['PATCH', '/prefix/x/n?fieldManager=me&force=true', 'application/apply-patch+yaml', {}],
      [
        'DELETE',
        '/prefix/x/n',
        'application/json',
        {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: 'Background',
          preconditions: { uid: 'U' },
          dryRun: ['All'],
        },
      ],
    ]);
  });

  it('lists page by page, and anew in larger pages, then in one, when a continuation has expired', async (t) => {
    let expired = false;
    const { client, seen } = await serve(t, (request, response) => {
      const query = new URL(request.url ?? '', 'http://x').searchParams;
      if (query.get('continue') && expired) return json(response, 410, failure(410, 'Expired', 'too old'));
      const next = query.get('limit') && !query.get('continue') ? 'next' : '';
      return json(response, 200, {
        metadata: { resourceVersion: '5', continue: next },
        items: next ? [{ n: 1 }] : [{ n: 2 }],
      });
    });
    assert.deepEqual(await client.listAll('/x', { labelSelector: 'a=b' }), {
      items: [{ n: 1 }, { n: 2 }],
      resourceVersion: '5',
    });
    expired = true;
    assert.deepEqual(await client.listAll('/x'), { items: [{ n: 2 }], resourceVersion: '5' });
    assert.deepEqual(
      seen.map(({ url }) => url),
      [
        '/prefix/x?labelSelector=a%3Db&limit=500',
        '/prefix/x?labelSelector=a%3Db&limit=500&continue=next',
        '/prefix/x?limit=500',
        '/prefix/x?limit=500&continue=next',
        '/prefix/x?limit=5000',
        '/prefix/x?limit=5000&continue=next',
        '/prefix/x',
      ],
    );
  });

  it('keeps to --request-timeout, also while the body comes, and names it', async (t) => {
    const { client } = await serve(t, (_, response) => response.writeHead(200).write('{'), { requestTimeoutMs: 50 });
    await assert.rejects(client.get('/x'), {
      code: 'CLUSTER_UNREACHABLE',
      message: /within 0.05s \(--request-timeout\)$/,
    });
  });

  it('gives one write less time than the others, where that is asked for', async (t) => {
    const { client, seen } = await serve(t, () => undefined);
    await assert.rejects(client.patch('/x', {}, 'merge', { timeoutMs: 2_000 }), { message: /within 2s/ });
    assert.deepEqual(
      seen.map(({ url }) => url),
      ['/prefix/x'],
    );
  });

  it('says of a server whose certificate has expired that it has', async (t) => {
    const certificate = selfSignedCertificate(Date.now() - 1000);
    const server = createTlsServer(certificate).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const caData = Buffer.from(certificate.cert).toString('base64');
    const client = kubeClient({
      cluster: { name: 'c', server: `https://127.0.0.1:${port}`, skipTLSVerify: false, caData },
      user: { name: '' },
      env: {},
    });
    await assert.rejects(client.get('/x'), {
      code: 'CLUSTER_UNREACHABLE',
      message: `the API server at 127.0.0.1:${port} can't be reached: its certificate has expired (CERT_HAS_EXPIRED)`,
      hint: "renew it there, or set this machine's clock right",
    });
  });

  it('says so when nobody listens, when the answer is a login page, and passes warnings on', async (t) => {
    const warnings: string[] = [];
    const { client } = await serve(
      t,
      (request, response) =>
        request.url?.endsWith('/warn')
          ? json(response, 200, {}, { warning: '299 - "would \\"violate\\" PodSecurity"' })
          : response.end('<html>'),
      { onWarning: (text) => warnings.push(text) },
    );
    await assert.rejects(client.get('/x'), { code: 'CLUSTER_UNREACHABLE', message: /not JSON/ });
    await client.get('/warn');
    assert.deepEqual(warnings, ['would "violate" PodSecurity']);
    const nobody = kubeClient({
      cluster: { name: 'c', server: 'http://127.0.0.1:1', skipTLSVerify: false },
      user: { name: '' },
      env: {},
    });
    await assert.rejects(nobody.get('/x'), {
      code: 'CLUSTER_UNREACHABLE',
      message: "the API server at 127.0.0.1:1 can't be reached: connection refused",
    });
  });
});

describe('a proxy', () => {
  it('is asked for the whole URL of a plain server, with connections kept alive', async (t) => {
    const asked: (string | undefined)[] = [];
    const from = new Set<number | undefined>();
    const proxy = createServer((request, response) => {
      asked.push(request.url);
      from.add(request.socket.remotePort);
      json(response, 200, { kind: 'Pod' });
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    t.after(() => proxy.close());
    const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const { client, seen } = await serve(t, (_, response) => json(response, 200, { kind: 'Pod' }), {}, proxyUrl);
    assert.deepEqual(await client.get('/x'), { kind: 'Pod' });
    await client.get('/x');
    const url = `http://${client.server.host}/prefix/x`;
    assert.deepEqual([asked, from.size, seen.length], [[url, url], 1, 0]);
  });

  it('that is no URL of a proxy is said so, without its password', async (t) => {
    const { client } = await serve(t, (_, response) => json(response, 200, {}), {}, 'nonsense SECRET');
    await assert.rejects(client.get('/x'), { code: 'INVALID_ARGUMENT', message: /^the proxy of cluster "c" is not/ });
    client.close();
  });
});

describe('watch', () => {
  it('tells events that come in pieces, several in a chunk, and the ordinary end', async (t) => {
    const { client } = await serve(t, (_, response) => {
      response.write('{"type":"ADDED","object":{"n":"ü');
      setTimeout(() => response.end('"}}\n{"type":"BOOKMARK","object":{}}\n'), 20);
    });
    const told: unknown[] = [];
    const end = await new Promise((resolve) => client.watch('/x', {}, (event) => told.push(event), resolve));
    assert.deepEqual(
      [told, end],
      [
        [
          { type: 'ADDED', object: { n: 'ü' } },
          { type: 'BOOKMARK', object: {} },
        ],
        {},
      ],
    );
  });

  // R8.71
  it('is counted once, with its status, or without one if no answer came', async (t) => {
    const told: unknown[] = [];
    const onAnswer = (method: string, path: string, status: number | undefined) => told.push([method, path, status]);
    const { client } = await serve(
      t,
      ({ url }, response) => (url?.includes('/cut') ? response.destroy() : response.end()),
      {
        onAnswer,
      },
    );
    for (const path of ['/x', '/cut']) await new Promise((resolve) => client.watch(path, {}, () => {}, resolve));
    assert.deepEqual(told, [
      ['WATCH', '/x', 200],
      ['WATCH', '/cut', undefined],
    ]);
  });

  it('is not silent while something comes, if only bookmarks', async (t) => {
    let beats = 0;
    const { client } = await serve(t, (_, response) => {
      const beat = setInterval(() => {
        response.write('{"type":"BOOKMARK","object":{}}\n');
        beats += 1;
        if (beats < 8) return;
        clearInterval(beat);
        response.end();
      }, 50);
    });
    const end = await new Promise((resolve) => client.watch('/x', {}, () => {}, resolve, { silenceMs: 300 }));
    assert.deepEqual([end, beats], [{}, 8]);
  });

  it('ends with the error of a refusal, of an ERROR event, of silence; and tells nothing after stop', async (t) => {
    const { client } = await serve(t, (request, response) => {
      if (request.url?.includes('/gone')) return json(response, 410, failure(410, 'Expired', 'old'));
      if (request.url?.includes('/event'))
        return response.write(`{"type":"ERROR","object":${JSON.stringify(failure(410, 'Expired', 'old'))}}\n`);
      return response.write('{"type":"BOOKMARK","object":{}}\n');
    });
    const ended = (path: string, silenceMs = 0) =>
      new Promise<unknown>((resolve) =>
        client.watch(
          path,
          {},
          () => {},
          ({ error }) => resolve(error),
          { silenceMs },
        ),
      );
    assert.equal(kubeApiError(await ended('/gone'))?.status, 410);
    assert.equal(kubeApiError(await ended('/event'))?.status, 410);
    assert.match(String(await ended('/silent', 50)), /silent/);
    await new Promise<void>((resolve) => {
      const stop = client.watch(
        '/silent',
        {},
        () => {
          stop();
          setTimeout(resolve, 50);
        },
        () => assert.fail('told after stop'),
      );
    });
  });
});
