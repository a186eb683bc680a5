import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecOutcome } from '../../../../shared/core/model/hook.ts';
import {
  isProtocolRefused,
  outcomeOfRefusal,
  outcomeOfStatus,
} from '../../../../shared/kubernetes/exec/exec-outcome.ts';

const request = { namespace: 'app', pod: 'db-0', container: 'c', command: ['sh', '-c', 'PW=hunter2; mysqldump'] };
const status = (said: object) => JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', ...said });

const notFound = (details: object) => status({ message: 'pods "db-0" not found', reason: 'NotFound', details });

const rows: [status: number, body: string, kind: ExecOutcome['kind'], why: string][] = [
  [401, status({ message: 'Unauthorized', reason: 'Unauthorized' }), 'forbidden', 'credentials'],
  [403, status({ message: 'pods "db-0" is forbidden', reason: 'Forbidden' }), 'forbidden', 'rights'],
  [404, notFound({ name: 'db-0', kind: 'pods' }), 'podDeleted', 'a Status that names the pod'],
  [404, notFound({ name: 'db-0' }), 'podDeleted', 'a Status that names the pod'],
  [404, notFound({ name: 'db-1', kind: 'pods' }), 'notStarted', 'another pod'],
  [404, notFound({ name: 'db-0', kind: 'services' }), 'notStarted', 'another kind'],
  [404, notFound({ kind: 'pods' }), 'notStarted', 'a Status that names nothing'],
  [404, status({ reason: 'NotFound' }), 'notStarted', 'a Status that names nothing'],
  [404, '404 page not found', 'notStarted', 'a proxy, or an API server that is starting'],
  [404, '<html>Not Found</html>', 'notStarted', 'a proxy'],
  [404, 'pod does not exist', 'notStarted', 'a kubelet that has just been started'],
  [
    404,
    status({ message: 'nodes "n" not found', details: { kind: 'nodes' } }),
    'notStarted',
    'the node has gone first',
  ],
  [400, status({ message: 'container c is not valid for pod db-0' }), 'noSuchContainer', ''],
  [400, status({ message: 'pod db-0 does not have a host assigned' }), 'error', 'other 4xx'],
  [405, '', 'error', 'other 4xx'],
  [414, '', 'error', 'other 4xx'],
  [431, '431 Request Header Fields Too Large', 'error', 'other 4xx'],
  [429, '', 'notStarted', 'too many'],
  [429, status({ reason: 'TooManyRequests' }), 'notStarted', 'too many'],
  [500, 'container not found ("c")', 'notStarted', "kubelet's text"],
  [500, 'unable to upgrade connection: container not found ("c")', 'notStarted', "kubelet's text"],
  [500, 'rpc error: code = Unavailable desc = connection error', 'notStarted', 'containerd is down'],
  [
    500,
    status({ message: 'error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused' }),
    'notStarted',
    '',
  ],
  [500, status({ message: 'Internal error occurred: etcd', reason: 'InternalError' }), 'notStarted', 'API server'],
  [503, status({ message: 'not now', reason: 'ServiceUnavailable' }), 'notStarted', 'API server'],
  [500, status({ message: 'unexpected EOF' }), 'connectionLost', 'the kubelet took the request and died'],
  [500, status({ message: 'EOF' }), 'connectionLost', 'the same'],
  [
    500,
    status({ message: 'read tcp 1.2.3.4:5->6.7.8.9:10250: read: connection reset by peer' }),
    'connectionLost',
    'the same',
  ],
  [500, 'read tcp 127.0.0.1:5: connection reset by peer', 'connectionLost', 'the same by the kubelet'],
  [500, '<html>Internal Server Error</html>', 'connectionLost', 'somebody else in between'],
  [503, '<html>no backend</html>', 'connectionLost', 'somebody else in between'],
  [502, '', 'connectionLost', ''],
  [504, status({ reason: 'Timeout' }), 'connectionLost', ''],
  [501, '', 'connectionLost', 'anything else'],
  [200, 'hello', 'connectionLost', 'anything else'],
  [302, '', 'connectionLost', 'anything else'],
];

for (const [code, body, kind, why] of rows) {
  // R4.8, R4.9, R4.10, R4.11, R4.12, R4.15, R4.17
  test(`HTTP ${code} ${body.slice(0, 70)} is ${kind} ${why && `(${why})`}`, () => {
    assert.equal(outcomeOfRefusal({ status: code, body }, request).kind, kind);
  });
}

test('Retry-After is kept, from the header or from the Status', () => {
  assert.deepEqual(outcomeOfRefusal({ status: 429, body: '', retryAfterMs: 3000 }, request), {
    kind: 'notStarted',
    why: 'HTTP 429 in answer to the exec request',
    retryAfterMs: 3000,
  });
  const body = status({ message: 'slow down', details: { retryAfterSeconds: 2 } });
  assert.deepEqual(outcomeOfRefusal({ status: 429, body }, request), {
    kind: 'notStarted',
    why: 'slow down',
    retryAfterMs: 2000,
  });
});

test('a Retry-After of a day is one of a minute', () => {
  const refusal = { status: 429, body: '', retryAfterMs: 86_400_000 };
  assert.deepEqual(outcomeOfRefusal(refusal, request), {
    kind: 'notStarted',
    why: 'HTTP 429 in answer to the exec request',
    retryAfterMs: 60_000,
  });
});

test('what the server says is kept, unless it repeats the command', () => {
  const said = (message: string) => {
    const outcome = outcomeOfRefusal({ status: 403, body: status({ message }) }, request);
    return outcome.kind === 'forbidden' ? outcome.message : '';
  };
  assert.equal(said('pods "db-0" is \x1b[31mforbidden'), 'pods "db-0" is forbidden');
  assert.equal(said('denied: ["sh","-c","PW=hunter2; mysqldump"]'), 'HTTP 403 in answer to the exec request');
  assert.equal(said('Post "https://n/exec?command=true": no'), 'HTTP 403 in answer to the exec request');
});

test('only an answer without a Status is taken for a refused protocol', () => {
  assert.ok(isProtocolRefused({ status: 403, body: '' }));
  assert.ok(isProtocolRefused({ status: 400, body: 'websocket: unsupported protocol' }));
  assert.ok(!isProtocolRefused({ status: 403, body: status({ reason: 'Forbidden' }) }));
  assert.ok(!isProtocolRefused({ status: 403, body: 'Forbidden (user=x, verb=create, resource=nodes)' }));
  assert.ok(!isProtocolRefused({ status: 404, body: '' }));
});

const frame = (said: object | string) => Buffer.from(typeof said === 'string' ? said : JSON.stringify(said));
const exited = (code: string) => ({
  status: 'Failure',
  reason: 'NonZeroExitCode',
  message: `command terminated with exit code ${code}: sh -c PW=hunter2`,
  details: { causes: [{ reason: 'ExitCode', message: code }] },
});
const internal = (message: string) => ({
  status: 'Failure',
  reason: 'InternalError',
  message: `Internal error occurred: error executing command in container: failed to exec in container: ${message}`,
  details: { causes: [{ message }] },
  code: 500,
});
const startFailed = (why: string) =>
  internal(
    `failed to start exec "dc46": OCI runtime exec failed: exec failed: unable to start container process: ${why}`,
  );

test('the exit code is the cause, and nothing else', () => {
  assert.deepEqual(outcomeOfStatus(frame({ metadata: {}, status: 'Success' }), 'v4', ['c']), {
    kind: 'exited',
    exitCode: 0,
  });
  for (const code of [1, 3, 126, 127, 137, 255]) {
    assert.deepEqual(outcomeOfStatus(frame(exited(String(code))), 'v4', ['c']), { kind: 'exited', exitCode: code });
  }
  for (const code of ['0', '', 'x', '1.5']) {
    assert.equal(outcomeOfStatus(frame(exited(code)), 'v4', ['c']).kind, 'connectionLost', `cause "${code}"`);
  }
});

test('under v5 an exit is not proven', () => {
  assert.deepEqual(outcomeOfStatus(frame({ status: 'Success' }), 'v5', ['c']), {
    kind: 'exited',
    exitCode: 0,
    unproven: true,
  });
  assert.deepEqual(outcomeOfStatus(frame(exited('3')), 'v5', ['c']), { kind: 'exited', exitCode: 3, unproven: true });
});

// R4.16
test('a command that did not run is an error, in words of our own', () => {
  const message = (why: string) => {
    const outcome = outcomeOfStatus(frame(startFailed(why)), 'v4', ['c']);
    assert.equal(outcome.kind, 'error');
    return outcome.message;
  };
  assert.equal(
    message('exec: "/secret": stat /secret: no such file or directory: unknown'),
    'no such command in the container',
  );
  assert.equal(
    message('exec: "secret": executable file not found in $PATH: unknown'),
    'no such command in the container',
  );
  assert.equal(message('exec: "/etc": permission denied: unknown'), 'the command is not executable in the container');
  assert.match(
    message('error executing setns process: exit status 1: unknown'),
    /^the container runtime could not start the command/,
  );
});

// R4.16, R4.19
test('no such command says where one string was meant as a JSON array, or as several words, without quoting it', () => {
  const said = (...command: string[]) => {
    const status = startFailed('exec: "secret": executable file not found in $PATH: unknown');
    const outcome = outcomeOfStatus(frame(status), 'v4', command);
    assert.equal(outcome.kind, 'error');
    assert.doesNotMatch(outcome.message, /hunter2/);
    return outcome.message;
  };
  assert.equal(said('psql', '[hunter2 '), 'no such command in the container');
  assert.equal(
    said('["sh", "-c", \'hunter2\']'),
    "no such command in the container: it begins with [ but is no JSON array of strings, so it is taken as one program's name (at character 14 string 3 is in single quotes; JSON needs double quotes)",
  );
  assert.equal(
    said('psql --password hunter2'),
    'no such command in the container: its first string has spaces in it and is taken as one program\'s name; give each argument a string of its own, or use a shell: ["sh", "-c", "…"]',
  );
});

// R4.16
test('an internal error that does not say that the command did not run is a lost connection', () => {
  // This is the status with v4 if the shim is killed while a command runs.
  const shim = internal('failed while waiting for exec "eef5": ttrpc: closed: unknown');
  for (const said of [
    shim,
    internal('boom'),
    { status: 'Failure', reason: 'Timeout' },
    { status: 'Failure' },
    {},
    'x',
    '[]',
  ]) {
    assert.equal(outcomeOfStatus(frame(said), 'v4', ['c']).kind, 'connectionLost', JSON.stringify(said));
  }
  const dialing = {
    ...internal('x'),
    message: 'Internal error occurred: error sending request: Post "https://n": dial tcp',
  };
  assert.equal(outcomeOfStatus(frame(dialing), 'v5', ['c']).kind, 'connectionLost');
});

// R5.19
test('nothing of a Status that quotes the command gets out', () => {
  for (const said of [
    exited('3'),
    exited('x'),
    internal('PW=hunter2'),
    startFailed('exec: "PW=hunter2": no such file or directory'),
  ]) {
    assert.doesNotMatch(JSON.stringify(outcomeOfStatus(frame(said), 'v4', ['c'])), /hunter2/);
  }
});
