import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { connections } from '../../../../shared/kubernetes/connect/connection.ts';
import type { KubeConfigOptions } from '../../../../shared/kubernetes/connect/kubeconfig.ts';
import { loadKubeConfig } from '../../../../shared/kubernetes/connect/kubeconfig.ts';
import { proxyFor } from '../../../../shared/kubernetes/connect/proxy.ts';

const home = mkdtempSync(path.join(tmpdir(), 'kubeconfig-'));
after(() => rmSync(home, { recursive: true }));

function file(name: string, content: unknown): string {
  const full = path.join(home, name);
  mkdirSync(path.dirname(full), { recursive: true });
  // The files that the entries of `config` name must exist.
  for (const named of ['ca.crt', 'c.pem']) writeFileSync(path.join(path.dirname(full), named), '', { flag: 'a' });
  writeFileSync(full, typeof content === 'string' ? content : JSON.stringify(content));
  return full;
}

const config = (cluster: string, user: object, currentContext?: string, name = 'x') => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name, cluster: { server: `https://${cluster}/`, 'certificate-authority': 'ca.crt' } }],
  users: [{ name, user }],
  contexts: [{ name, context: { cluster: name, user: name, namespace: `ns-${name}` } }],
  ...(currentContext && { 'current-context': currentContext }),
});

const load = (options: Partial<KubeConfigOptions>) => loadKubeConfig({ env: { HOME: home }, ...options });

function refused(options: Partial<KubeConfigOptions>): RestoreHooksError {
  try {
    load(options);
  } catch (error) {
    assert.ok(error instanceof RestoreHooksError, String(error));
    assert.equal(error.code, 'INVALID_ARGUMENT');
    return error;
  }
  assert.fail('it was accepted');
}

describe('loadKubeConfig', () => {
  it('takes each name and the current context from the first file that has it, and skips missing files', () => {
    const a = file('a/config', config('a', { token: 'ta' }));
    const b = file('b/config', { ...config('b', { token: 'tb' }, 'y', 'y'), clusters: [] });
    const c = file('c/config', config('c', { token: 'tc' }, 'x', 'y'));
    const KUBECONFIG = [path.join(home, 'missing'), a, '', b, c].join(path.delimiter);
    const env = { KUBECONFIG };
    assert.deepEqual(load({ env }), {
      context: 'y',
      namespace: 'ns-y',
      cluster: { name: 'y', server: 'https://c', skipTLSVerify: false, caFile: path.join(home, 'c/ca.crt') },
      user: { name: 'y', token: 'tb' },
      env,
    });
    assert.equal(load({ env, context: 'x' }).cluster.caFile, path.join(home, 'a/ca.crt'));
    assert.equal(load({ env, cluster: 'x', user: 'x' }).user.token, 'ta');
  });

  it('resolves certificate, token and plugin paths by their own file, and leaves commands of the PATH alone', () => {
    file('abs-k.pem', '');
    const user = { 'client-certificate': 'c.pem', 'client-key': path.join(home, 'abs-k.pem'), tokenFile: 'tok' };
    const kubeconfig = file('p/config', {
      ...config('a', user, 'x'),
      users: [
        { name: 'x', user },
        { name: 'rel', user: { exec: { apiVersion: 'client.authentication.k8s.io/v1beta1', command: './plugin' } } },
        { name: 'path', user: { exec: { apiVersion: 'client.authentication.k8s.io/v1beta1', command: 'plugin' } } },
      ],
    });
    const { certFile, keyFile, tokenFile } = load({ kubeconfig }).user;
    assert.deepEqual(
      [certFile, keyFile, tokenFile],
      [path.join(home, 'p/c.pem'), path.join(home, 'abs-k.pem'), path.join(home, 'p/tok')],
    );
    assert.equal(load({ kubeconfig, user: 'rel' }).user.exec?.command, path.join(home, 'p/plugin'));
    assert.equal(load({ kubeconfig, user: 'path' }).user.exec?.command, 'plugin');
  });

  it('reads ~/.kube/config when KUBECONFIG is unset or empty', () => {
    const env = { HOME: path.join(home, 'h'), KUBECONFIG: '' };
    file('h/.kube/config', config('home', { token: 't' }, 'x'));
    assert.equal(load({ env }).cluster.server, 'https://home');
  });

  it('says what exists when a context, cluster or user does not', () => {
    const kubeconfig = file('u/config', {
      ...config('a', { token: 't' }, 'x'),
      contexts: [
        { name: 'x', context: { cluster: 'x', user: 'x' } },
        { name: 'broken', context: { cluster: 'gone', user: 'x' } },
      ],
    });
    assert.equal(refused({ kubeconfig, context: 'q' }).message, 'context "q" does not exist in the kubeconfig');
    assert.equal(refused({ kubeconfig, context: 'q' }).hint, 'choose one of: x, broken');
    assert.match(refused({ kubeconfig, cluster: 'q' }).message, /^cluster "q" does not exist/);
    assert.match(refused({ kubeconfig, user: 'q' }).message, /^user "q" does not exist/);
    assert.match(refused({ kubeconfig, context: 'broken' }).message, /^cluster "gone" \(of context "broken"\)/);
  });

  it('explains a missing file, a missing configuration, and a file it cannot read, without quoting it', () => {
    assert.match(refused({ kubeconfig: '/no/such' }).message, /--kubeconfig \/no\/such: no such file/);
    assert.match(
      refused({ env: { KUBECONFIG: '/no/such' } }).message,
      /no Kubernetes configuration was found .*\/no\/such/,
    );
    assert.match(refused({ kubeconfig: file('n/config', config('a', {})) }).message, /no current context is set/);
    assert.match(refused({ kubeconfig: home }).message, /can't be read \(EISDIR\)/);
    const broken = refused({ kubeconfig: file('bad', 'token: [SECRET\n  x: :') });
    assert.match(broken.message, /not valid YAML/);
    assert.doesNotMatch(`${broken.message}${broken.hint}`, /SECRET/);
    assert.match(
      refused({ kubeconfig: file('bad2', { users: [{ name: 'x', user: { token: 7 } }] }) }).message,
      /users\.0\.user\.token/,
    );
  });

  it("takes the pod's ServiceAccount where there is no kubeconfig at all", () => {
    const serviceAccountDir = path.join(home, 'sa');
    file('sa/token', 't');
    file('sa/ca.crt', 'ca');
    file('sa/namespace', 'velero\n');
    const env = { HOME: '/nowhere', KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    assert.deepEqual(load({ env, serviceAccountDir, as: 'me' }), {
      cluster: {
        name: 'in-cluster',
        server: 'https://[fd00::1]:443',
        skipTLSVerify: false,
        isInside: true,
        caFile: `${serviceAccountDir}/ca.crt`,
      },
      user: {
        name: 'in-cluster',
        tokenFile: `${serviceAccountDir}/token`,
        impersonate: { user: 'me', groups: [], extra: {} },
      },
      namespace: 'velero',
      env,
    });
    // R8.28
    const HTTPS_PROXY = 'http://proxy.example:3128';
    const proxied = { ...env, HTTPS_PROXY, https_proxy: HTTPS_PROXY };
    assert.equal(proxyFor(load({ env: proxied, serviceAccountDir }).cluster, proxied), undefined);
    const KUBECONFIG = file('k/config', config('a', { token: 't' }, 'x'));
    assert.equal(load({ env: { ...env, KUBECONFIG }, serviceAccountDir }).cluster.name, 'x');
    // If the requested context doesn't exist, the pod's own cluster must not be used instead.
    for (const flag of ['context', 'cluster', 'user']) {
      assert.match(refused({ env, serviceAccountDir, [flag]: 'prod' }).message, /"prod" does not exist/);
    }
  });
});

describe('credentials and headers', () => {
  it('sends impersonation from the kubeconfig, flags before it, groups repeated', async () => {
    const user = { as: 'u', 'as-uid': '7', 'as-groups': ['a', 'b'], 'as-user-extra': { 'k/1': ['v'] }, token: 't' };
    const kubeconfig = file('i/config', {
      ...config('a', user, 'x'),
      clusters: [{ name: 'x', cluster: { server: 'https://a' } }],
    });
    assert.deepEqual((await connections(load({ kubeconfig })).open()).headers, {
      authorization: 'Bearer t',
      'impersonate-user': 'u',
      'impersonate-uid': '7',
      'impersonate-group': ['a', 'b'],
      'impersonate-extra-k%2F1': ['v'],
    });
    const { headers } = await connections(load({ kubeconfig, as: 'ü', asGroup: ['g'] })).open();
    assert.deepEqual([headers['impersonate-user'], headers['impersonate-group']], ['Ã¼', ['g']]);
    assert.match(
      refused({ kubeconfig: file('g/config', config('a', {}, 'x')), asGroup: ['g'] }).message,
      /only together with a user/,
    );
  });

  it('starts a credential plugin once for parallel calls, again when it expires or is refused, and tells it the cluster', async () => {
    const log = path.join(home, 'plugin.log');
    const plugin = file(
      'e/plugin',
      `#!/bin/sh
echo "$(printf %s "$KUBERNETES_EXEC_INFO") $EXTRA" >> ${log}
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"T'$(wc -l < ${log})'","expirationTimestamp":"'$UNTIL'"}}'
`,
    );
    chmodSync(plugin, 0o755);
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: './plugin',
      interactiveMode: 'Never',
      provideClusterInfo: true,
    };
    const start = (until: string) => {
      rmSync(log, { force: true });
      const env = [
        { name: 'EXTRA', value: 'more' },
        { name: 'UNTIL', value: until },
      ];
      const kubeconfig = file('e/config', {
        ...config('a', { exec: { ...exec, env } }, 'x'),
        clusters: [{ name: 'x', cluster: { server: 'https://a' } }],
      });
      return connections(loadKubeConfig({ kubeconfig, env: process.env }));
    };
    const lasting = start('2999-01-01T00:00:00Z');
    const opened = await Promise.all(Array.from({ length: 20 }, () => lasting.open()));
    assert.deepEqual(new Set(opened.map(({ headers }) => headers['authorization'])), new Set(['Bearer T1']));
    assert.equal(new Set(opened.map(({ agent }) => agent)).size, 1);
    lasting.forget();
    assert.equal((await lasting.open()).headers['authorization'], 'Bearer T2');
    const [info = ''] = readFileSync(log, 'utf8').split('\n');
    assert.match(info, / more$/);
    assert.deepEqual(JSON.parse(info.replace(/ more$/, '')).spec, {
      interactive: false,
      cluster: { server: 'https://a', config: null },
    });
    const expired = start('2001-01-01T00:00:00Z');
    await expired.open();
    assert.equal((await expired.open()).headers['authorization'], 'Bearer T2');
  });

  it('explains a plugin that fails, with its install hint and without its output', async () => {
    const withPlugin = (exec: object) =>
      connections(
        load({
          kubeconfig: file('f/config', {
            ...config('a', { exec: { apiVersion: 'client.authentication.k8s.io/v1beta1', ...exec } }, 'x'),
            clusters: [{ name: 'x', cluster: { server: 'https://a' } }],
          }),
        }),
      );
    await assert.rejects(withPlugin({ command: 'no-such-plugin', installHint: 'install it' }).open(), {
      code: 'FORBIDDEN',
      message:
        'user "x": credential plugin no-such-plugin: there is no such program, neither at this path nor on the PATH',
      hint: 'install it',
    });
    await assert.rejects(withPlugin({ command: '/bin/sh', args: ['-c', 'echo SECRET; exit 3'] }).open(), {
      message: /it exited with 3$/,
    });
    await assert.rejects(withPlugin({ command: '/bin/echo', args: ['SECRET'] }).open(), {
      message: /it printed no ExecCredential with a status$/,
    });
  });

  it('reads a rotated token file again', async () => {
    const tokenFile = file('t/token', 'one\n');
    const { open, forget } = connections(
      load({
        kubeconfig: file('t/config', {
          ...config('a', { tokenFile: 'token', token: 'old' }, 'x'),
          clusters: [{ name: 'x', cluster: { server: 'https://a' } }],
        }),
      }),
    );
    assert.ok(existsSync(tokenFile));
    assert.equal((await open()).headers['authorization'], 'Bearer one');
    writeFileSync(tokenFile, 'two');
    forget();
    assert.equal((await open()).headers['authorization'], 'Bearer two');
  });

  it('reads files again by their age, also where the clock is set back or forward', async (t) => {
    const tokenFile = file('c/token', 'one');
    const caFile = file('c/ca', '-----BEGIN ca-one');
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000_000_000 });
    const { open } = connections(
      load({
        kubeconfig: file('c/config', {
          ...config('a', { tokenFile: 'token' }, 'x'),
          clusters: [{ name: 'x', cluster: { server: 'https://a', 'certificate-authority': 'ca' } }],
        }),
      }),
    );
    const read = async () => {
      const { headers, tls } = await open();
      return [headers['authorization'], String(tls.ca)];
    };
    assert.deepEqual(await read(), ['Bearer one', '-----BEGIN ca-one']);
    for (const hour of [-1, 1, -5]) {
      writeFileSync(tokenFile, `at ${hour}`);
      writeFileSync(caFile, `-----BEGIN ca-${hour}`);
      t.mock.timers.setTime(1_000_000_000_000 + hour * 3_600_000);
      assert.deepEqual(await read(), [`Bearer at ${hour}`, `-----BEGIN ca-${hour}`]);
    }
  });

  it("loads the client library only for kubeconfig's auth-providers", async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const idToken = `${part({ alg: 'none' })}.${part({ exp: 4_000_000_000 })}.`;
    const provider = {
      name: 'oidc',
      config: { 'id-token': idToken, 'client-id': 'c', 'refresh-token': 'r', 'idp-issuer-url': 'https://i' },
    };
    const kubeconfig = file('o/config', {
      ...config('a', { 'auth-provider': provider }, 'x'),
      clusters: [{ name: 'x', cluster: { server: 'https://a' } }],
    });
    assert.equal((await connections(load({ kubeconfig })).open()).headers['authorization'], `Bearer ${idToken}`);
  });
});

describe('proxyFor', () => {
  const by = (server: string, env: NodeJS.ProcessEnv) => proxyFor({ name: 'c', server, skipTLSVerify: false }, env);
  it('reads the environment as Go does', () => {
    const HTTPS_PROXY = 'http://p:1';
    assert.equal(by('https://a.example', { https_proxy: 'p:1' }), 'http://p:1');
    assert.equal(by('https://127.0.0.1:6443', { HTTPS_PROXY }), undefined);
    for (const [server, NO_PROXY, direct] of [
      ['https://10.1.2.3', '10.0.0.0/8', true],
      ['https://11.1.2.3', '10.0.0.0/8', false],
      ['https://a.example', '.example', true],
      ['https://example', '.example', false],
      ['https://a.example', 'example', true],
      ['https://a.example:6443', 'a.example:443', false],
      ['https://a.example', '*', true],
    ] as const) {
      assert.equal(by(server, { HTTPS_PROXY, NO_PROXY }), direct ? undefined : HTTPS_PROXY, `${server} ${NO_PROXY}`);
    }
  });
});
