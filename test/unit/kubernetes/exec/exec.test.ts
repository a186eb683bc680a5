import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import http from 'node:http';
import type https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import type { ExecOutcome } from '../../../../shared/core/model/hook.ts';
import type { HookExecOptions } from '../../../../shared/kubernetes/exec/exec.ts';
import { kubernetesHookExec } from '../../../../shared/kubernetes/exec/exec.ts';
import type { Found, PodIdentity } from '../../../../shared/kubernetes/pods/pod-identity.ts';
import type { Output } from '../../../../shared/ports/ports.ts';

const request = { namespace: 'app', pod: 'db-0', container: 'c', command: ['sh', '-c', 'echo a&b +%é'] };
const quick = { timing: { connectMs: 1_000, answerMs: 1_000, deniedMs: 0, pingMs: 40 } };

type Api = ReturnType<typeof kubernetesHookExec>;

function execAt(
  port: number,
  options: HookExecOptions = quick,
  more: { agent?: http.Agent; forget?: () => void } = {},
): Api {
  const agent = more.agent ?? new http.Agent();
  const open = async () => ({
    server: new URL(`http://127.0.0.1:${port}/prefix`),
    headers: { authorization: 'Bearer t' },
    agent,
    tls: {},
  });
  return kubernetesHookExec({ open, forget: more.forget ?? (() => {}) }, options);
}

interface Ran {
  readonly outcome: ExecOutcome;
  readonly output: Output;
  readonly started: number;
}

/** Runs an exec to its end, then waits a little, in case a second outcome comes. */
async function run(exec: Api, asked = request): Promise<Ran> {
  let started = 0;
  const ended: [ExecOutcome, Output][] = [];
  await new Promise<void>((resolve) => {
    exec.start(asked, {
      started: () => {
        started += 1;
      },
      ended: (outcome, output) => {
        ended.push([outcome, output]);
        resolve();
      },
    });
  });
  await delay(20);
  const [only] = ended;
  assert.ok(only && ended.length === 1, 'answered once');
  assert.ok(started <= 1, 'started once');
  return { outcome: only[0], output: only[1], started };
}

async function listening(t: TestContext, server: net.Server): Promise<number> {
  const sockets = new Set<Duplex>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A server that speaks the protocols it is given, and lets `serve` play the kubelet. */
async function kubelet(
  t: TestContext,
  serve: (ws: WebSocket, request: IncomingMessage) => void,
  speaks = ['v4.channel.k8s.io'],
): Promise<{ port: number; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => [...offered].find((one) => speaks.includes(one)) ?? false,
  });
  const server = http.createServer();
  server.on('upgrade', (incoming, socket, head) => {
    asked.push(incoming);
    const offered = String(incoming.headers['sec-websocket-protocol']);
    if (speaks.length > 0 && !speaks.includes(offered))
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
    else sockets.handleUpgrade(incoming, socket, head, (ws) => serve(ws, incoming));
  });
  return { port: await listening(t, server), asked };
}

const send = (ws: WebSocket, channel: number, bytes: string | Buffer = '') =>
  ws.send(Buffer.concat([Buffer.from([channel]), Buffer.from(bytes as string)]));
const success = JSON.stringify({ metadata: {}, status: 'Success' });
const failure = (code: number, message = '') =>
  JSON.stringify({
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message,
    details: { causes: [{ reason: 'ExitCode', message: `${code}` }] },
  });

function finish(ws: WebSocket, status: string): void {
  send(ws, 3, status);
  ws.close(1000);
}

/** A server that gives the same HTTP answer to every request. */
const refusing = (t: TestContext, answer: string) =>
  listening(
    t,
    http.createServer().on('upgrade', (_request, socket) => socket.end(answer)),
  );
const httpAnswer = (head: string, body = '') =>
  `HTTP/1.1 ${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

test('asks for v4 with the whole command, below the path of the server, with its headers', async (t) => {
  const { port, asked } = await kubelet(t, (ws) => {
    send(ws, 1);
    send(ws, 1, 'out\n');
    send(ws, 2, 'err');
    finish(ws, success);
  });
  const { outcome, output, started } = await run(execAt(port));
  assert.deepEqual(outcome, { kind: 'exited', exitCode: 0 });
  assert.deepEqual(output, { stdout: 'out\n', stderr: 'err' });
  assert.equal(started, 1);
  const [incoming] = asked;
  const url = new URL(incoming?.url ?? '', 'http://x');
  assert.equal(url.pathname, '/prefix/api/v1/namespaces/app/pods/db-0/exec');
  assert.deepEqual(url.searchParams.getAll('command'), request.command);
  assert.deepEqual([url.searchParams.get('container'), url.searchParams.get('stdin')], ['c', null]);
  assert.equal(incoming?.headers['sec-websocket-protocol'], 'v4.channel.k8s.io');
  assert.equal(incoming?.headers['sec-websocket-extensions'], undefined);
  assert.equal(incoming?.headers['authorization'], 'Bearer t');
});

test('an exit code is taken from a status frame of 2 MiB', async (t) => {
  const { port } = await kubelet(t, (ws) => finish(ws, failure(3, 'x'.repeat(2 * 1024 * 1024))));
  assert.deepEqual((await run(execAt(port))).outcome, { kind: 'exited', exitCode: 3 });
});

test('20 MiB of output leave the last 4 KiB of each stream', async (t) => {
  const { port } = await kubelet(t, (ws) => {
    for (let i = 0; i < 640; i++) send(ws, 1 + (i % 2), Buffer.alloc(32 * 1024, i % 2 === 0 ? 'o' : 'e'));
    send(ws, 1, Buffer.from('€').subarray(0, 1));
    send(ws, 1, Buffer.from('€').subarray(1));
    send(ws, 2, '\x1b[1mend\x1b[0m');
    finish(ws, success);
  });
  const { output } = await run(execAt(port, {}));
  assert.equal(output.stdout, `${'o'.repeat(4093)}€`);
  assert.match(output.stderr ?? '', /^e+end$/);
});

test('with capture none nothing is kept', async (t) => {
  const { port } = await kubelet(t, (ws) => {
    send(ws, 1, 'secret');
    finish(ws, failure(1));
  });
  const { outcome, output } = await run(execAt(port, { capturedBytes: 0 }));
  assert.deepEqual([outcome, output], [{ kind: 'exited', exitCode: 1 }, {}]);
});

test('a second status, output after it and unknown channels change nothing', async (t) => {
  const { port } = await kubelet(t, (ws) => {
    send(ws, 255, Buffer.from([1]));
    send(ws, 9, 'x');
    ws.send(Buffer.alloc(0));
    send(ws, 3);
    send(ws, 3, failure(4));
    send(ws, 1, 'late');
    finish(ws, success);
  });
  const { outcome, output } = await run(execAt(port));
  assert.deepEqual([outcome, output], [{ kind: 'exited', exitCode: 4 }, {}]);
});

for (const [how, end] of [
  ['is closed', (ws: WebSocket) => ws.close(1000)],
  ['breaks', (ws: WebSocket) => ws.terminate()],
  ['gets nonsense', (ws: WebSocket) => (ws as unknown as { _socket: Socket })._socket.write('\xff\xff\xff\xff')],
] as const) {
  // R4.4
  test(`a stream that ${how} without a status is lost`, async (t) => {
    const { port } = await kubelet(t, (ws) => {
      send(ws, 1, 'so far');
      setTimeout(() => end(ws), 10);
    });
    const { outcome, output, started } = await run(execAt(port));
    assert.equal(outcome.kind, 'connectionLost');
    assert.deepEqual([output, started], [{ stdout: 'so far' }, 1]);
  });
}

test('a stream that answers no pings is lost; one that does may be silent', async (t) => {
  const { port } = await kubelet(t, (ws) => (ws as unknown as { _socket: Socket })._socket.pause());
  assert.match(JSON.stringify((await run(execAt(port))).outcome), /connectionLost.*pings/);
  const silent = await kubelet(t, (ws) => setTimeout(() => finish(ws, success), 300));
  assert.equal((await run(execAt(silent.port))).outcome.kind, 'exited');
});

// R4.2
test('a server that refuses v4 is asked for v5 from then on, and its exits are not proven', async (t) => {
  const { port, asked } = await kubelet(
    t,
    (ws) => {
      send(ws, 1, 'x');
      send(ws, 255, Buffer.from([1]));
      finish(ws, success);
    },
    ['v5.channel.k8s.io'],
  );
  const exec = execAt(port);
  for (let i = 0; i < 2; i++) {
    assert.deepEqual((await run(exec)).outcome, { kind: 'exited', exitCode: 0, unproven: true });
  }
  const offered = asked.map(({ headers }) => headers['sec-websocket-protocol']);
  assert.deepEqual(offered, ['v4.channel.k8s.io', 'v5.channel.k8s.io', 'v5.channel.k8s.io']);
});

test('a 101 without a protocol may have started the command: lost, and v5 only from the next one on', async (t) => {
  const { port, asked } = await kubelet(t, (ws) => finish(ws, success), []);
  const exec = execAt(port);
  const { outcome, started } = await run(exec);
  assert.deepEqual([outcome.kind, started], ['connectionLost', 1]);
  await run(exec);
  const offered = asked.map(({ headers }) => headers['sec-websocket-protocol']);
  assert.deepEqual(offered, ['v4.channel.k8s.io', 'v5.channel.k8s.io']);
});

test('an HTTP answer is read, its Retry-After too, and nothing was started', async (t) => {
  const port = await refusing(t, httpAnswer('429 Too Many Requests\r\nRetry-After: 7', 'slow'));
  const { outcome, started } = await run(execAt(port));
  assert.deepEqual(
    [outcome, started],
    [{ kind: 'notStarted', why: 'HTTP 429 in answer to the exec request', retryAfterMs: 7000 }, 0],
  );
  const text = await refusing(t, httpAnswer('500 Internal Server Error', 'container not found ("c")'));
  assert.deepEqual((await run(execAt(text))).outcome, { kind: 'notStarted', why: 'container not found ("c")' });
});

test('an endless answer is not read to its end, and one that stops is not waited for', async (t) => {
  const endless = await listening(
    t,
    http.createServer().on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 502 Bad Gateway\r\n\r\n');
      const writing = setInterval(() => socket.write(Buffer.alloc(16 * 1024)), 1);
      socket.on('close', () => clearInterval(writing)).on('error', () => {});
    }),
  );
  assert.equal((await run(execAt(endless, {}))).outcome.kind, 'connectionLost');
  const stopping = await listening(
    t,
    http
      .createServer()
      .on('upgrade', (_request, socket) => socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nx')),
  );
  // Only the body of a 404 says what was not found.
  assert.equal((await run(execAt(stopping))).outcome.kind, 'notStarted');
});

test('401 is asked once more with fresh credentials', async (t) => {
  let forgotten = 0;
  const port = await refusing(t, httpAnswer('401 Unauthorized'));
  const exec = execAt(port, quick, {
    forget: () => {
      forgotten += 1;
    },
  });
  assert.equal((await run(exec)).outcome.kind, 'forbidden');
  assert.equal(forgotten, 1);
});

// R4.12
test('a denial is taken for a passing one at first, and believed when it lasts', async (t) => {
  const denied = { kind: 'Status', code: 403, reason: 'Forbidden', message: 'pods "db-0" is forbidden' };
  const port = await refusing(t, httpAnswer('403 Forbidden', JSON.stringify(denied)));
  const patient = execAt(port, { timing: { ...quick.timing, deniedMs: 60_000 } });
  assert.equal((await run(patient)).outcome.kind, 'notStarted');
  assert.equal((await run(patient)).outcome.kind, 'notStarted');
  assert.equal((await run(execAt(port))).outcome.kind, 'forbidden');
});

// R4.13
test('a denial although the right is there is a policy: its words are told, without the command', async (t) => {
  const denied = {
    kind: 'Status',
    code: 403,
    reason: 'Forbidden',
    message: `pods "db-0" is forbidden: policy 'no-exec' denied \u001b[31m["sh","-c","echo a&b +%é"]: not 'echo a&b +%é'`,
  };
  let asked = 0;
  const port = await listening(
    t,
    net.createServer((socket) =>
      socket.once('data', () => {
        asked += 1;
        socket.end(httpAnswer('403 Forbidden', JSON.stringify(denied)));
      }),
    ),
  );
  const told = (isAllowed: () => Promise<boolean>) => run(execAt(port, { ...quick, isAllowed }));
  assert.deepEqual((await told(async () => true)).outcome, {
    kind: 'error',
    message: `denied by an admission policy: pods "db-0" is forbidden: policy 'no-exec' denied ["sh","-c","…"]: not '…' (HTTP 403)`,
  });
  assert.equal(asked, 2, 'said twice');
  assert.equal((await told(async () => false)).outcome.kind, 'forbidden');
  assert.equal((await told(() => Promise.reject(new Error('no answer')))).outcome.kind, 'notStarted');
});

for (const [status, body] of [
  ['426 Upgrade Required', ''],
  ['200 OK', '<html>log in</html>'],
  ['302 Found', ''],
  ['400 Bad Request', '<html>Bad Request</html>'],
  ['400 Bad Request', JSON.stringify({ kind: 'Status', status: 'Failure', message: 'Upgrade request required' })],
  ['403 Forbidden', ''],
  ['403 Forbidden', '<html>Forbidden</html>'],
  ['405 Method Not Allowed', ''],
  ['501 Not Implemented', ''],
] as const) {
  // R4.14
  test(`${status} ${body.slice(0, 30)} where no stream was ever opened: no WebSocket gets through`, async (t) => {
    const port = await refusing(t, httpAnswer(status, body));
    const { outcome, started } = await run(execAt(port));
    assert.equal(outcome.kind, 'noWebSocket');
    assert.match(JSON.stringify(outcome), new RegExp(`127.0.0.1:${port}.*HTTP ${status.slice(0, 3)}.*--runner=job`));
    assert.equal(started, 0);
    const patient = execAt(port, { timing: { ...quick.timing, deniedMs: 60_000 } });
    assert.equal((await run(patient)).outcome.kind, 'notStarted');
  });
}

test('a server that has opened a stream before is not one without WebSocket', async (t) => {
  let answer: string | undefined;
  const server = http.createServer();
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'v4.channel.k8s.io' });
  server.on('upgrade', (incoming, socket, head) => {
    if (answer !== undefined) socket.end(answer);
    else sockets.handleUpgrade(incoming, socket, head, (ws) => finish(ws, success));
  });
  const exec = execAt(await listening(t, server));
  assert.equal((await run(exec)).outcome.kind, 'exited');
  answer = httpAnswer('200 OK', 'hello');
  assert.equal((await run(exec)).outcome.kind, 'connectionLost');
  answer = httpAnswer('405 No', '');
  assert.equal((await run(exec)).outcome.kind, 'error');
});

// R8.71
test('each request that is over is told, also one that is asked again or dropped', async (t) => {
  const told: string[] = [];
  let refusals = 1;
  const server = http.createServer();
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'v4.channel.k8s.io' });
  server.on('upgrade', (incoming, socket, head) => {
    refusals -= 1;
    if (refusals >= 0) socket.end(httpAnswer('401 Unauthorized', ''));
    else sockets.handleUpgrade(incoming, socket, head, (ws) => incoming.url?.includes('sleep') || finish(ws, success));
  });
  const exec = execAt(await listening(t, server), { ...quick, onOver: (outcome) => told.push(outcome) });
  assert.equal((await run(exec)).outcome.kind, 'exited');
  assert.deepEqual(told, ['asked-again', 'exited']);
  await new Promise<void>((resolve) => {
    const drop = exec.start(
      { ...request, command: ['sleep'] },
      { started: () => setImmediate(() => resolve(drop())), ended: () => assert.fail('it was dropped') },
    );
  });
  assert.deepEqual(told, ['asked-again', 'exited', 'dropped']);
});

// R3.20
test('a silent command is kept alive by data that says nothing, under v4 alone', async (t) => {
  for (const [protocol, gets] of [
    ['v4.channel.k8s.io', true],
    ['v5.channel.k8s.io', false],
  ] as const) {
    const { port } = await kubelet(
      t,
      (ws) => {
        const heard: Buffer[] = [];
        ws.on('message', (frame: Buffer) => heard.push(frame));
        const enough = setInterval(() => {
          if (gets && heard.length < 3) return;
          clearInterval(enough);
          const isSilent = heard.every((frame) => frame.equals(Buffer.of(9)));
          finish(ws, isSilent && heard.length > 0 === gets ? success : failure(1));
        }, 50);
      },
      [protocol],
    );
    const { outcome } = await run(execAt(port, { timing: { ...quick.timing, dataMs: 10 } }));
    assert.equal(outcome.kind === 'exited' && outcome.exitCode, 0, protocol);
  }
});

// R3.28
test('the pod is asked for when the connection stands, before the start and after the end', async (t) => {
  const { port, asked } = await kubelet(t, (ws, { url }) => finish(ws, url?.includes('fails') ? failure(3) : success));
  const told = async (before: ExecOutcome | undefined, found: Found) => {
    const order: string[] = [];
    const identity: PodIdentity = {
      ahead() {},
      before(_, go) {
        order.push('before');
        go(before);
        return () => {};
      },
      after(_, tell) {
        order.push('after');
        tell(found);
        return () => {};
      },
    };
    const exec = execAt(port, { ...quick, identity });
    const outcome = await new Promise<ExecOutcome>((resolve) => {
      exec.start(request, {
        started: () => order.push('started'),
        commandEnded: () => order.push('commandEnded'),
        ended: resolve,
      });
    });
    return [outcome.kind, ...order];
  };
  const all = ['before', 'started', 'commandEnded', 'after'];
  assert.deepEqual(await told(undefined, { kind: 'same' }), ['exited', ...all]);
  assert.deepEqual(await told(undefined, { kind: 'gone' }), ['exited', ...all]);
  assert.deepEqual(await told(undefined, { kind: 'another' }), ['podChanged', ...all]);
  assert.deepEqual(await told(undefined, { kind: 'unknown', why: 'x' }), ['connectionLost', ...all]);
  const { length } = asked;
  assert.deepEqual(await told({ kind: 'podReplaced' }, { kind: 'same' }), ['podReplaced', 'before']);
  assert.equal(asked.length, length, 'nothing was asked for in another pod');
});

test('no connection is not started: refused, no such host, no credentials, a stranger where TLS was', async (t) => {
  const closed = net.createServer();
  const port = await listening(t, closed);
  closed.close();
  assert.match(JSON.stringify((await run(execAt(port))).outcome), /"notStarted".*connection refused/);

  const at = (server: string) => async () => ({
    server: new URL(server),
    headers: {},
    agent: new http.Agent(),
    tls: {},
  });
  const asking = (open: Parameters<typeof kubernetesHookExec>[0]['open']) =>
    run(kubernetesHookExec({ open, forget() {} }, quick));
  assert.equal((await asking(at('https://no-such-host.invalid'))).outcome.kind, 'notStarted');
  assert.match(
    JSON.stringify((await asking(() => Promise.reject(new Error('no token')))).outcome),
    /notStarted.*no token/,
  );

  let heard = '';
  const plain = await listening(
    t,
    net.createServer((socket) =>
      socket.on('data', (data) => {
        heard += data;
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      }),
    ),
  );
  assert.equal((await asking(at(`https://127.0.0.1:${plain}`))).outcome.kind, 'notStarted');
  assert.doesNotMatch(heard, /GET/);
});

test('a server that never answers: not started before the request, lost after it', async (t) => {
  const silent = await listening(
    t,
    net.createServer(() => {}),
  );
  const { outcome, started } = await run(execAt(silent));
  assert.match(JSON.stringify(outcome), /connectionLost.*no answer within 1s/);
  assert.equal(started, 0);
  const open = async () => ({
    server: new URL(`https://127.0.0.1:${silent}`),
    headers: {},
    agent: new http.Agent(),
    tls: {},
  });
  const { outcome: tls } = await run(kubernetesHookExec({ open, forget() {} }, quick));
  assert.match(JSON.stringify(tls), /notStarted.*no connection within 1s/);
});

test('a request that the server cuts counts as written', async (t) => {
  const port = await listening(
    t,
    net.createServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
  );
  assert.equal((await run(execAt(port))).outcome.kind, 'connectionLost');
});

test('a dropped stream is closed and silent, whenever it is dropped', async (t) => {
  const { port, asked } = await kubelet(t, (ws) => {
    const talking = setInterval(() => send(ws, 1, 'x'), 1);
    ws.on('close', () => clearInterval(talking));
    setTimeout(() => ws.readyState === 1 && finish(ws, success), 400);
  });
  let ended = 0;
  const counting = () => {
    ended += 1;
  };
  for (const after of [0, 1, 2, 5, 10, 20]) {
    const drop = execAt(port, {}).start(request, { started() {}, ended: counting });
    if (after > 0) await delay(after);
    drop();
    drop();
    await delay(60);
    assert.equal(ended, 0, `after ${after} ms`);
  }
  await new Promise<void>((resolve) => {
    const started = () => {
      drop();
      resolve();
    };
    const drop = execAt(port, {}).start(request, { started, ended: counting });
  });
  // By then each of them would have ended.
  await delay(500);
  assert.equal(ended, 0);
  await Promise.all(asked.map(({ socket }) => socket.destroyed || once(socket, 'close')));
});

test('a command that no server takes is an error, without asking', async () => {
  const { outcome } = await run(execAt(1), { ...request, command: ['x'.repeat(1024 * 1024 + 4096)] });
  assert.equal(outcome.kind, 'error');
});

test('a start that may not be any more is held back when the connection stands, and not a byte is written', async (t) => {
  let heard = 0;
  const port = await listening(
    t,
    net.createServer((socket) =>
      socket.on('data', () => {
        heard += 1;
      }),
    ),
  );
  const { outcome, started } = await run(execAt(port, { ...quick, mayStart: () => false }));
  assert.deepEqual([outcome.kind, started, heard], ['notStarted', 0, 0]);
});

test('a header that can not be sent is an error', async (t) => {
  const { port } = await kubelet(t, (ws) => finish(ws, success));
  const open = async () => ({
    server: new URL(`http://127.0.0.1:${port}`),
    headers: { authorization: 'a\nb' },
    agent: new http.Agent(),
    tls: {},
  });
  assert.equal((await run(kubernetesHookExec({ open, forget() {} }, quick))).outcome.kind, 'error');
});

test('goes by the proxy where there is one; a proxy that says no is before the start', async (t) => {
  const { port } = await kubelet(t, (ws) => finish(ws, success));
  let tunnels = 0;
  const proxy = http.createServer().on('connect', (_request, client: Duplex) => {
    tunnels += 1;
    const upstream = net.connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    client.on('error', () => upstream.destroy());
  });
  const by = async (proxyPort: number): Promise<http.Agent> => {
    const config = new KubeConfig();
    const cluster = {
      name: 'c',
      server: `http://127.0.0.1:${port}`,
      proxyUrl: `http://127.0.0.1:${proxyPort}`,
      skipTLSVerify: true,
    };
    config.loadFromClusterAndUser(cluster, { name: 'u' });
    const options: https.RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    return options.agent as http.Agent;
  };
  const proxyPort = await listening(t, proxy);
  assert.equal((await run(execAt(port, {}, { agent: await by(proxyPort) }))).outcome.kind, 'exited');
  assert.equal(tunnels, 1);
  const no = await listening(
    t,
    http.createServer().on('connect', (_request, client: Duplex) => client.end('HTTP/1.1 407 No\r\n\r\n')),
  );
  assert.equal((await run(execAt(port, {}, { agent: await by(no) }))).outcome.kind, 'notStarted');
});
