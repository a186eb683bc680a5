import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Front, FrontAnswer } from '../e2e/front.ts';
import { startFront } from '../e2e/front.ts';
import type { Loose, Rule, Suite } from '../e2e/harness.ts';
import { isReal, startSuite, waitFor } from '../e2e/harness.ts';
import { selfSignedCertificate } from '../embedded/certificate.ts';

/*
 * Every error of the API server, and of the way to it, that a user can meet, each with its exit code and its text. What a
 * healthy API server doesn't say by itself (429, 500) comes from a front before it.
 */

const skip = !isReal && 'needs a cluster: RESTOREHOOKS_TEST_CLUSTER=1';
const SECRET = 'hunter2';

let e2e: Suite;
let velero: string;
let base: Loose;
let user: string;
let count = 0;
const servers: Server[] = [];

before(async () => {
  if (skip) return;
  e2e = await startSuite();
  velero = e2e.velero;
  base = JSON.parse(readFileSync(await e2e.cluster.userWith(velero, []), 'utf8'));
  user = base.users[0].name;
});
after(async () => {
  for (const server of servers) server.close();
  await e2e?.close();
});

const write = (text: string): string => {
  count += 1;
  const file = join(e2e.cluster.folder, `error-${count}`);
  writeFileSync(file, text, { mode: 0o755 });
  return file;
};
/** A kubeconfig that is a changed copy of one that works, but has no rights. */
const changed = (change: (parts: { config: Loose; cluster: Loose; user: Loose }) => void): string => {
  const config = structuredClone(base);
  change({ config, cluster: config.clusters[0].cluster, user: config.users[0] });
  return write(JSON.stringify(config));
};
const listen = async <T extends Server>(server: T): Promise<number> => {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

/** A command that fails: its exit code and its two lines, without anything that must not be told. */
async function failure(kubeconfig: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, stdout, stderr } = await e2e.plugin.with({ kubeconfig, env })(...args);
  assert.equal(stdout, '', stderr);
  assert.doesNotMatch(stderr, new RegExp(`${SECRET}|^\\s+at |\\x1b`, 'm'));
  const lines = stderr.trimEnd().split('\n');
  const [error = '', hint = '', ...more] = lines;
  assert.deepEqual(more, [], stderr);
  return { code, error: error.replace(/^error: /, ''), hint: hint.replace(/^hint: /, '') };
}
const statusBy = (kubeconfig: string, env?: Readonly<Record<string, string>>) =>
  failure(kubeconfig, ['status', 'nightly', '-n', velero], env);

// R7.63
describe('a right that is missing', { skip }, () => {
  const restores = (verbs: readonly string[], namespace?: string): Rule => ({
    apiGroups: ['velero.io'],
    resources: ['restores'],
    verbs,
    ...(namespace !== undefined && { namespace }),
  });

  it('says who may not do what and where, and its command grants that right', async () => {
    const file = write(JSON.stringify(base));
    const said = await statusBy(file);
    const name = `${user}:get-restores.velero.io`;
    assert.deepEqual(said, {
      code: 5,
      error: `user system:serviceaccount:${velero}:${user} may not get restores.velero.io in namespace ${velero}`,
      hint:
        `an administrator can grant this: kubectl create role ${name} -n ${velero} --verb=get --resource=restores.velero.io` +
        ` && kubectl create rolebinding ${name} -n ${velero} --role=${name} --serviceaccount=${velero}:${user}`,
    });
    // The role and the binding that these two commands make.
    const group = 'rbac.authorization.k8s.io';
    const rules = [{ apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get'] }];
    const metadata = { name, namespace: velero };
    await e2e.cluster.create({ apiVersion: `${group}/v1`, kind: 'Role', metadata, rules });
    const subjects = [{ kind: 'ServiceAccount', name: user, namespace: velero }];
    const roleRef = { apiGroup: group, kind: 'Role', name };
    await e2e.cluster.create({ apiVersion: `${group}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects });
    await waitFor('the right', async () => (await statusBy(file)).code === 4);
    for (const kind of ['roleBindings', 'roles']) await e2e.cluster.remove(kind, velero, name);
  });

  it('of several, and of the whole cluster, is one line', async () => {
    const scene = await e2e.scene('rights');
    await scene.restore({ status: { phase: 'Completed' } });
    const defaults = { apiGroups: [''], resources: ['configmaps'], verbs: ['get'], namespace: velero };
    const kubeconfig = await e2e.cluster.userWith(velero, [restores(['get'], velero), defaults]);
    const { code, error, hint } = await failure(kubeconfig, ['apply', scene.name, '-n', velero]);
    assert.equal(code, 5);
    assert.match(
      error,
      new RegExp(
        `^user system:serviceaccount:${velero}:user-\\w+ may not list pods in the whole cluster; patch restores\\.velero\\.io in namespace ${velero}; create, patch, get secrets in namespace ${velero}; create, get, delete jobs\\.batch in namespace ${velero}$`,
      ),
    );
    assert.match(hint, /^nothing has been changed; an administrator can grant this: kubectl create clusterrole .*&&/);
  });

  it('of setup says that an administrator can do it', async () => {
    assert.deepEqual(await failure(write(JSON.stringify(base)), ['setup', '--apply', '-n', velero]), {
      code: 5,
      error: `you may not get, patch, create serviceaccounts, roles.rbac.authorization.k8s.io, rolebindings.rbac.authorization.k8s.io in namespace ${velero}; get, patch, create clusterroles.rbac.authorization.k8s.io, clusterrolebindings.rbac.authorization.k8s.io in the whole cluster; nothing was changed`,
      hint: 'an administrator can do it with the same command, or with what it prints without --apply',
    });
  });
});

// R7.64
describe('a Restore that is not there', { skip }, () => {
  it('is found in the namespace where it is, or under a similar name', async () => {
    const other = await e2e.cluster.namespace('velero-dr');
    const name = `dr-${velero}`;
    const create = (namespace: string, restore: string) =>
      e2e.cluster.create({
        apiVersion: 'velero.io/v1',
        kind: 'Restore',
        metadata: { name: restore, namespace },
        spec: {},
      });
    await create(other, name);
    const status = (restore: string, namespace = velero) =>
      failure(e2e.cluster.kubeconfig, ['status', restore, '-n', namespace]);
    assert.deepEqual(await status(name), {
      code: 4,
      error: `there is no Restore ${name} in namespace ${velero}; there is one in namespace ${other}`,
      hint: `use it: -n ${other}`,
    });
    assert.deepEqual(await status(name, 'no-such-ns'), {
      code: 4,
      error: `there is no namespace no-such-ns; there is one in namespace ${other}`,
      hint: `use it: -n ${other}`,
    });
    assert.deepEqual(await status('no-such-restore', 'no-such-ns'), {
      code: 4,
      error: 'there is no namespace no-such-ns',
      hint: "give the Restore's namespace with -n or VELERO_NAMESPACE",
    });
    const lone = await e2e.cluster.namespace('lone');
    assert.equal(
      (await status('no-such-restore', lone)).hint,
      `namespace ${lone} has no Restores: give the Restore's namespace with -n or VELERO_NAMESPACE`,
    );
    await create(velero, 'backup-of-monday');
    assert.deepEqual(await status('backup-of-mondya'), {
      code: 4,
      error: `there is no Restore backup-of-mondya in namespace ${velero}`,
      hint: 'did you mean backup-of-monday?',
    });
  });

  it('is not looked for by who may not look', async () => {
    const kubeconfig = await e2e.cluster.userWith(velero, [
      { apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get'], namespace: velero },
    ]);
    assert.deepEqual(await statusBy(kubeconfig), {
      code: 4,
      error: `there is no Restore nightly in namespace ${velero}`,
      hint: `list them: kubectl get restores.velero.io -n ${velero}`,
    });
  });

  it('nor is a namespace for setup, nor a ServiceAccount for a run', async () => {
    const admin = e2e.cluster.kubeconfig;
    const setup = await failure(admin, ['setup', '--apply', '-n', 'no-such-ns']);
    assert.deepEqual([setup.code, setup.error], [4, 'there is no namespace no-such-ns']);
    const scene = await e2e.scene('account');
    await scene.restore({ status: { phase: 'Completed' } });
    const ran = await failure(admin, ['apply', scene.name, '-n', velero, '--service-account', 'nobody']);
    assert.deepEqual(ran, {
      code: 10,
      error: `there is no ServiceAccount nobody in namespace ${velero}`,
      hint: `make it, with rights on the pods of all namespaces (--namespaces a,b limits them): kubectl restorehooks setup --apply -n ${velero} --service-account nobody`,
    });
  });
});

describe('an answer of the API server', { skip }, () => {
  let front: Front;
  let host: string;
  before(async () => {
    front = await startFront(write(JSON.stringify(base)));
    host = new URL(JSON.parse(readFileSync(front.kubeconfig, 'utf8')).clusters[0].cluster.server).host;
  });
  after(() => front?.close());

  const said = (status: number, reason: string, message: string): FrontAnswer => ({
    status,
    body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason, message },
  });
  const AGAIN = 'try again in a moment; if it stays so, look at the API server and its webhooks';
  const CHECK = (at: string) =>
    `check that http://${at} is this cluster's API server, and what stands before it (a proxy, a login page)`;
  const asked = (status: number) => (at: string) =>
    `the server at ${at} answered GET /apis/velero.io/v1/namespaces/${velero}/restores/nightly with HTTP ${status}`;

  const answers: readonly [string, FrontAnswer, number, (at: string) => string, (at: string) => string][] = [
    [
      'a 409',
      said(409, 'Conflict', 'the object has been modified'),
      9,
      () => 'the object has been modified',
      () => 'somebody has changed it meanwhile: run the command again',
    ],
    [
      'a 422',
      said(422, 'Invalid', 'Restore "nightly" is invalid: spec: Required value'),
      2,
      () => 'Restore "nightly" is invalid: spec: Required value',
      () => 'the API server refuses this request: correct what the message names',
    ],
    [
      'a 429',
      said(429, 'TooManyRequests', 'please try again later'),
      6,
      (at) => `the API server at ${at} is too busy (HTTP 429): please try again later`,
      () => AGAIN,
    ],
    [
      'a 500',
      said(500, 'InternalError', 'etcdserver: leader changed'),
      6,
      (at) => `the API server at ${at} failed (HTTP 500): etcdserver: leader changed`,
      () => AGAIN,
    ],
    ['a 502 of a load balancer', { status: 502, body: '<html>' }, 6, asked(502), () => AGAIN],
    ['a 404 page', { status: 404, body: '<html>' }, 6, asked(404), CHECK],
    ['a redirect', { status: 302, body: '' }, 6, asked(302), CHECK],
    [
      'a login page',
      { status: 200, body: '<html>log in</html>' },
      6,
      (at) => `the server at ${at} answered with something that is not JSON`,
      CHECK,
    ],
  ];
  for (const [title, answer, code, error, hint] of answers) {
    it(title, async () => {
      front.decide = () => answer;
      assert.deepEqual(await statusBy(front.kubeconfig), { code, error: error(host), hint: hint(host) });
    });
  }

  it('that does not come', async () => {
    front.decide = () => 'hang';
    const slow = await failure(front.kubeconfig, ['status', 'nightly', '-n', velero, '--request-timeout=1s']);
    assert.deepEqual(slow, {
      code: 6,
      error: `the API server at ${host} can't be reached: no answer within 1s (--request-timeout)`,
      hint: 'check that the cluster is up and that this is the right --context or --server',
    });
  });
});

describe('credentials', { skip }, () => {
  const LOG_IN = 'log in again, or choose another --context or --user';
  const at = () =>
    `the API server at ${new URL(base.clusters[0].cluster.server).host} did not accept the credentials of user "${user}"`;
  const withToken = (token: string) => changed((parts) => Object.assign(parts.user, { user: { token } }));

  it('that are not accepted', async () => {
    assert.deepEqual(await statusBy(withToken(SECRET)), { code: 5, error: at(), hint: LOG_IN });
  });

  it('that have expired', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'RS256' })}.${part({ exp: 1_790_000_000, sub: SECRET })}.${part({ SECRET })}`;
    const error = `${at()}: the token expired at 2026-09-21T14:13:20Z`;
    assert.deepEqual(await statusBy(withToken(token)), { code: 5, error, hint: LOG_IN });
  });

  it('that can stand in no header', async () => {
    assert.deepEqual(await statusBy(withToken(`${SECRET}\nx`)), {
      code: 2,
      error: `user "${user}": its token has a line break in it`,
      hint: 'write the token as one line, or choose another --user',
    });
  });

  describe('of a plugin', () => {
    const pluginOf = (command: string, more: object = {}) =>
      changed((parts) => {
        const apiVersion = 'client.authentication.k8s.io/v1';
        parts.user.user = { exec: { apiVersion, interactiveMode: 'Never', command, ...more } };
      });
    const AGAIN = 'log in with it again (what it printed stands above), or choose another --context or --user';

    it('that is missing', async () => {
      const error = `user "${user}": credential plugin no-such-plugin: there is no such program, neither at this path nor on the PATH`;
      const hint = 'install it, or choose another --context or --user';
      assert.deepEqual(await statusBy(pluginOf('no-such-plugin')), { code: 5, error, hint });
      const installHint = 'install it with:\n  brew install x\n';
      const told = { code: 5, error, hint: 'install it with: brew install x' };
      assert.deepEqual(await statusBy(pluginOf('no-such-plugin', { installHint })), told);
    });

    it('that fails, which is run once', async () => {
      const runs = write('');
      const command = write(`#!/bin/sh\necho run >> ${runs}\nexit 3\n`);
      for (const [index, args] of [
        ['status', 'nightly'],
        ['plan', 'nightly'],
        ['apply', 'nightly'],
        ['cancel', 'nightly'],
        ['lint', 'nightly'],
        ['report', 'nightly'],
        ['setup', '--apply'],
      ].entries()) {
        assert.deepEqual(
          await failure(pluginOf(command), [...args, '-n', velero]),
          { code: 5, error: `user "${user}": credential plugin ${command}: it exited with 3`, hint: AGAIN },
          args.join(' '),
        );
        assert.equal(readFileSync(runs, 'utf8').trim().split('\n').length, index + 1, args.join(' '));
      }
    });

    it('that prints something else', async () => {
      const command = write(`#!/bin/sh\necho ${SECRET}\n`);
      const error = `user "${user}": credential plugin ${command}: it printed no ExecCredential with a status`;
      assert.deepEqual(await statusBy(pluginOf(command)), { code: 5, error, hint: AGAIN });
    });

    it('that hangs', async () => {
      const kubeconfig = pluginOf(write('#!/bin/sh\nexec sleep 1000\n'));
      const run = e2e.plugin.with({ kubeconfig }).start('status', 'nightly', '-n', velero);
      await run.says(/^warning: credential plugin \S+ has not answered yet; waiting for it, Ctrl-C ends this$/m);
      run.kill('SIGINT');
      const { code, stderr } = await run.done;
      assert.equal(code, 130);
      assert.match(stderr, /^error: interrupted \(SIGINT\); nothing has been changed$/m);
    });
  });
});

describe('TLS', { skip }, () => {
  const host = () => new URL(base.clusters[0].cluster.server).host;
  const withCa = (server: string | undefined, cert: string) =>
    changed(({ config, cluster }) => {
      const ca = Buffer.from(cert).toString('base64');
      config.clusters[0].cluster = { server: server ?? cluster.server, 'certificate-authority-data': ca };
    });

  it('of another authority', async () => {
    const { code, error, hint } = await statusBy(withCa(undefined, selfSignedCertificate().cert));
    assert.equal(code, 6);
    assert.match(
      error.replace(host(), 'HOST'),
      /^the API server at HOST can't be reached: its certificate is not trusted: another authority has signed it \([A-Z_]+\)$/,
    );
    assert.equal(
      hint,
      "the kubeconfig's certificate-authority must be that of this cluster: get the kubeconfig again, or choose another --context",
    );
  });

  it('for another host', async () => {
    const kubeconfig = changed(({ cluster }) => Object.assign(cluster, { 'tls-server-name': 'wrong.example' }));
    const { code, error, hint } = await statusBy(kubeconfig);
    assert.equal(code, 6);
    assert.match(error, / can't be reached: its certificate is not for wrong\.example, but for DNS:kubernetes/);
    assert.equal(hint, 'use one of its names in the kubeconfig, as server or as tls-server-name');
  });

  it('that has expired', async () => {
    const certificate = selfSignedCertificate(Date.now() - 1_000);
    const port = await listen(https.createServer(certificate));
    assert.deepEqual(await statusBy(withCa(`https://127.0.0.1:${port}`, certificate.cert)), {
      code: 6,
      error: `the API server at 127.0.0.1:${port} can't be reached: its certificate has expired (CERT_HAS_EXPIRED)`,
      hint: "renew it there, or set this machine's clock right",
    });
  });

  it('where there is none, and none where there is', async () => {
    const port = await listen(http.createServer());
    const insecure = { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
    const plain = await statusBy(changed(({ config }) => Object.assign(config.clusters[0], { cluster: insecure })));
    assert.deepEqual(
      [plain.code, plain.error],
      [6, `the API server at 127.0.0.1:${port} can't be reached: it does not speak TLS there`],
    );
    const server = base.clusters[0].cluster.server.replace('https:', 'http:');
    const kubeconfig = changed(({ config }) => Object.assign(config.clusters[0], { cluster: { server } }));
    const { code, error, hint } = await statusBy(kubeconfig);
    assert.match(error, /^the server at \S+ speaks HTTPS, and was asked over HTTP$/);
    assert.deepEqual([code, hint], [6, 'the server of the cluster in the kubeconfig must begin with https://']);
  });
});

describe('the way to the API server', { skip }, () => {
  const withServer = (server: string) => changed(({ cluster }) => Object.assign(cluster, { server }));
  const withProxy = (at: string) =>
    changed(({ cluster }) => Object.assign(cluster, { 'proxy-url': `http://me:${SECRET}@${at}` }));
  const CHECK_PROXY = 'check the proxy: proxy-url in the kubeconfig, else HTTPS_PROXY (HTTP_PROXY) and NO_PROXY';
  const by = (at: string) =>
    `the API server at ${new URL(base.clusters[0].cluster.server).host} can't be reached by the proxy http://${at}:`;
  const proxy = async (answer: string): Promise<string> => {
    const server = http.createServer();
    server.on('connect', (_, socket) => socket.end(`HTTP/1.1 ${answer}\r\n\r\n`));
    return `127.0.0.1:${await listen(server)}`;
  };

  it('has no such host', async () => {
    const { code, error, hint } = await statusBy(withServer('https://no-such-host.invalid:6443'));
    assert.equal(code, 6);
    assert.match(
      error,
      /^the API server at no-such-host\.invalid:6443 can't be reached: (no such host no-such-host\.invalid|no name server says where no-such-host\.invalid is \(EAI_AGAIN\))$/,
    );
    assert.equal(hint, "check the server in the kubeconfig, and this machine's network (a VPN)");
  });

  it('is refused', async () => {
    assert.deepEqual(await statusBy(withServer('https://127.0.0.1:1')), {
      code: 6,
      error: "the API server at 127.0.0.1:1 can't be reached: connection refused",
      hint: 'check that the cluster is up and that this is the right --context or --server',
    });
  });

  it('is a proxy that wants a password', async () => {
    const at = await proxy('407 Proxy Authentication Required');
    assert.deepEqual(await statusBy(withProxy(at)), {
      code: 6,
      error: `${by(at)} the proxy wants a user and a password (HTTP 407)`,
      hint: 'put them into the proxy-url of the kubeconfig, else into HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT',
    });
  });

  it('is a proxy that does not come through, or is not there', async () => {
    const at = await proxy('502 Bad Gateway');
    const answered = { code: 6, error: `${by(at)} the proxy answered HTTP 502`, hint: CHECK_PROXY };
    assert.deepEqual(await statusBy(withProxy(at)), answered);
    const refuses = { code: 6, error: `${by('127.0.0.1:1')} the proxy refuses the connection`, hint: CHECK_PROXY };
    assert.deepEqual(await statusBy(withProxy('127.0.0.1:1')), refuses);
  });
});

// R7.14
describe('a kubeconfig that is broken', { skip }, () => {
  const data = Buffer.from('no certificate').toString('base64');
  const broken: readonly [string, () => string, string | RegExp, string | RegExp][] = [
    ['no YAML', () => write(`token: "${SECRET}\n`), / is not valid YAML/, /kubectl config view/],
    [
      'of another kind',
      () => write('apiVersion: v1\nkind: Pod\n'),
      /is a Pod of v1, not a Config of v1$/,
      /kubectl config view/,
    ],
    [
      'empty',
      () => write(''),
      /^no Kubernetes configuration was found \(looked at /,
      /^give --kubeconfig FILE, or set KUBECONFIG$/,
    ],
    ['a list where a map belongs', () => write('clusters: {a: b}\n'), /clusters/, /kubectl config view/],
    [
      'no such context',
      () => changed(({ config }) => Object.assign(config, { 'current-context': 'gone' })),
      'context "gone" does not exist in the kubeconfig',
      'choose one of: e2e',
    ],
    [
      'no current context',
      () => changed(({ config }) => Reflect.deleteProperty(config, 'current-context')),
      /^no current context is set in /,
      'give --context (e2e), or set one with kubectl config use-context',
    ],
    [
      'no such cluster',
      () => changed(({ config }) => Object.assign(config, { clusters: [] })),
      'cluster "e2e" (of context "e2e") does not exist in the kubeconfig',
      'there are no clusters in it; give another one with --kubeconfig FILE, or set KUBECONFIG',
    ],
    [
      'no such user',
      () => changed(({ config }) => Object.assign(config, { users: [] })),
      /^user "user-\w+" is not in the kubeconfig, or has no credentials$/,
      'kubectl would ask for a name and a password; log in, or choose another --context or --user',
    ],
    [
      'a CA file that is missing',
      () => changed(({ cluster }) => Object.assign(cluster, { 'certificate-authority': '/no/such/ca.crt' })),
      'cluster "e2e": /no/such/ca.crt can\'t be read (ENOENT)',
      'check the path: in a kubeconfig it is relative to that file',
    ],
    [
      'a CA that is none',
      () =>
        changed(({ config, cluster: { server } }) => {
          config.clusters[0].cluster = { server, 'certificate-authority-data': data };
        }),
      'cluster "e2e": certificate-authority-data holds no certificate, expected PEM',
      'get the kubeconfig again, or choose another --context or --user',
    ],
    [
      'a client certificate that is none',
      () =>
        changed((parts) => {
          parts.user.user = { 'client-certificate-data': data, 'client-key-data': data };
        }),
      /^user "user-\w+": client-certificate-data is not PEM$/,
      'get the kubeconfig again, or choose another --context or --user',
    ],
    [
      'a server that is no URL',
      () => changed(({ cluster }) => Object.assign(cluster, { server: 'https://a b' })),
      'cluster "e2e": its server is not an http or https URL',
      'write it as https://HOST:PORT',
    ],
    [
      'a proxy that is no URL',
      () => changed(({ cluster }) => Object.assign(cluster, { 'proxy-url': `ftp://me:${SECRET}@a` })),
      'cluster "e2e": its proxy-url is not an http, https or socks5 URL',
      'write it as http://HOST:PORT',
    ],
    [
      'a token beside a password',
      () => changed((parts) => Object.assign(parts.user.user, { username: 'a', password: SECRET })),
      /^user "user-\w+" has both a token and a password$/,
      'keep one of them',
    ],
  ];
  for (const [title, kubeconfig, error, hint] of broken) {
    it(title, async () => {
      const said = await statusBy(kubeconfig());
      assert.equal(said.code, 2, said.error);
      for (const [found, expected] of [
        [said.error, error],
        [said.hint, hint],
      ] as const) {
        if (typeof expected === 'string') assert.equal(found, expected);
        else assert.match(found, expected);
      }
    });
  }
});
