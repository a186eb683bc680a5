/** One way to configure a cluster and a user. kubectl and the plugin must reach the same, or both refuse. */
export interface Case {
  /** The kubeconfig, as an object or as text; `{{A}}` and the like are the servers' values, `{{DIR}}` the case's folder. */
  readonly config?: object | string;
  /** More files in the case's folder; a name that ends with `*` is executable. */
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** If KUBECONFIG isn't set here, it is the case's `config`. */
  readonly env?: Readonly<Record<string, string>>;
}

interface Parts {
  readonly cluster?: object;
  readonly user?: object | null;
  readonly context?: object;
  /** More at the top. */
  readonly top?: object;
}

const TLS = { server: '{{A}}', 'certificate-authority-data': '{{CA_A}}' };
const TOKEN = { token: 'tok' };

/** One cluster `c`, one user `u`, one context `x`, which is the current one. */
const config = ({ cluster = TLS, user = TOKEN, context = {}, top = {} }: Parts = {}) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster }],
  users: [{ name: 'u', user }],
  contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', ...context } }],
  'current-context': 'x',
  ...top,
});
const user = (entry: object | null): Case => ({ config: config({ user: entry }) });
const cluster = (entry: object): Case => ({ config: config({ cluster: entry }) });

const API = 'client.authentication.k8s.io';
const credential = (status: object, version = 'v1', kind = 'ExecCredential') =>
  JSON.stringify({ kind, apiVersion: `${API}/${version}`, status });
const plugin = (prints: string, more: object = {}) => ({
  exec: {
    apiVersion: `${API}/v1`,
    command: '/bin/sh',
    args: ['-c', `cat <<'END'\n${prints}\nEND`],
    interactiveMode: 'Never',
    ...more,
  },
});
/** A credential plugin that prints a token. */
const says = (script: string, more: object = {}) =>
  plugin('', {
    args: ['-c', `printf '{"kind":"ExecCredential","apiVersion":"${API}/v1","status":{"token":"%s"}}' "${script}"`],
    ...more,
  });
const yaml = (
  users: string,
  clusters = '- name: c\n  cluster: {server: "{{A}}", certificate-authority-data: "{{CA_A}}"}',
) =>
  `apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters:\n${clusters}\ncontexts:\n- name: x\n  context: {cluster: c, user: u}\nusers:\n${users}\n`;
const onB = (top: object = {}) =>
  config({ cluster: { server: '{{B}}', 'certificate-authority-data': '{{CA_B}}' }, user: { token: 'of-b' }, top });
const kuberc = (policy: string) => ({
  rc: `apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n${policy}`,
});
const withKuberc = (policy: string, entry: object = plugin(credential({ token: 'p' }))): Case => ({
  config: config({ user: entry }),
  files: kuberc(policy),
  env: { KUBERC: '{{DIR}}/rc' },
});

export const CASES: Readonly<Record<string, Case>> = {
  // Users
  'a token': user(TOKEN),
  'a token and its file': { ...user({ token: 'old', tokenFile: 'tok' }), files: { tok: 'of-file\n' } },
  'a token file': { ...user({ tokenFile: 'tok' }), files: { tok: ' of-file \n' } },
  'a token file that is missing': user({ tokenFile: 'none' }),
  'a token file that is empty': { ...user({ tokenFile: 'tok' }), files: { tok: '' } },
  'a token and a file that is missing': user({ token: 'tok', tokenFile: 'none' }),
  'a token with a line break': { config: yaml('- name: u\n  user:\n    token: |\n      tok') },
  'an empty token': user({ token: '' }),
  'a name and a password': user({ username: 'ada', password: 'pw' }),
  'a name alone': user({ username: 'ada' }),
  'a password alone': user({ password: 'pw' }),
  'a password with a colon and umlauts': user({ username: 'ada', password: 'p:ü' }),
  'a token and a password': user({ token: 'tok', username: 'ada', password: 'pw' }),
  'a token and a name': user({ token: 'tok', username: 'ada' }),
  'a certificate': user({ 'client-certificate-data': '{{CERT}}', 'client-key-data': '{{KEY}}' }),
  'a certificate in files': {
    ...user({ 'client-certificate': 'c.pem', 'client-key': 'k.pem' }),
    files: { 'c.pem': '{{PEM_CERT}}', 'k.pem': '{{PEM_KEY}}' },
  },
  'a certificate without its key': user({ 'client-certificate-data': '{{CERT}}' }),
  'a key without its certificate': user({ 'client-key-data': '{{KEY}}' }),
  'a certificate, and a token': user({ ...TOKEN, 'client-certificate-data': '{{CERT}}', 'client-key-data': '{{KEY}}' }),
  'a certificate as data and as a file': {
    ...user({ 'client-certificate-data': '{{CERT}}', 'client-certificate': 'c.pem', 'client-key-data': '{{KEY}}' }),
    files: { 'c.pem': '{{PEM_CERT}}' },
  },
  'a key as data and as a file': {
    ...user({ 'client-certificate-data': '{{CERT}}', 'client-key': 'k.pem', 'client-key-data': '{{KEY}}' }),
    files: { 'k.pem': '{{PEM_KEY}}' },
  },
  'a certificate file that is missing': user({ 'client-certificate': 'none', 'client-key-data': '{{KEY}}' }),
  'a certificate that is none': user({ 'client-certificate-data': 'YWJj', 'client-key-data': '{{KEY}}' }),
  'a certificate that is not base64': user({ 'client-certificate-data': '!!', 'client-key-data': '{{KEY}}' }),
  'no credentials': user({}),
  'no user in an entry': user(null),
  'no credentials, on plain http': { config: config({ cluster: { server: '{{PLAIN}}' }, user: {} }) },
  'a token, on plain http': { config: config({ cluster: { server: '{{PLAIN}}' } }) },
  'a user that the context names and nobody has': { config: config({ context: { user: 'gone' } }) },
  'a context without a user': { config: config({ context: { user: '' } }) },
  'an unknown field': user({ ...TOKEN, 'client-key-dat': 'x' }),
  'a token that is a number': { config: yaml('- name: u\n  user: {token: 123}') },
  'a token that is true': { config: yaml('- name: u\n  user: {token: true}') },
  'a token that is null': { config: yaml('- name: u\n  user: {token: null, username: ada, password: pw}') },

  // Acting as somebody else
  'as a user of the file': user({ ...TOKEN, as: 'eve', 'as-uid': '7', 'as-groups': ['g1', 'g2'] }),
  'as, with extra': user({ ...TOKEN, as: 'eve', 'as-user-extra': { 'Example.org/Scope': ['a', 'b'] } }),
  'as, with extra of odd keys': user({ ...TOKEN, as: 'eve', 'as-user-extra': { 'a(b) %ü': ['x'], "q'*": ['y'] } }),
  'as, a name with umlauts': user({ ...TOKEN, as: 'ève' }),
  'groups without a user': user({ ...TOKEN, 'as-groups': ['g'] }),
  'extra without a user': user({ ...TOKEN, 'as-user-extra': { k: ['v'] } }),
  '--as': { ...user(TOKEN), args: ['--as', 'eve'] },
  '--as over the file': { ...user({ ...TOKEN, as: 'bob', 'as-groups': ['g'] }), args: ['--as', 'eve'] },
  '--as, --as-group, --as-uid': { ...user(TOKEN), args: ['--as=eve', '--as-group=g1', '--as-group=g2', '--as-uid=9'] },
  '--as-group alone': { ...user(TOKEN), args: ['--as-group=g1'] },
  '--as-group beside as of the file': { ...user({ ...TOKEN, as: 'bob', 'as-groups': ['g'] }), args: ['--as-group=h'] },

  // Credential plugins
  'a plugin': user(plugin(credential({ token: 'p' }))),
  'a plugin beside a token': user({ ...TOKEN, ...plugin(credential({ token: 'p' })) }),
  'a plugin that fails, beside a token': user({ ...TOKEN, ...plugin('', { args: ['-c', 'exit 3'] }) }),
  'a plugin beside a password': user({ username: 'ada', password: 'pw', ...plugin(credential({ token: 'p' })) }),
  'a plugin beside a token file': {
    ...user({ tokenFile: 'tok', ...plugin(credential({ token: 'p' })) }),
    files: { tok: 'of-file' },
  },
  'a plugin beside a certificate': user({
    'client-certificate-data': '{{CERT}}',
    'client-key-data': '{{KEY}}',
    ...plugin(credential({ token: 'p' })),
  }),
  'a plugin that gives a certificate': user(
    plugin(credential({ clientCertificateData: '{{JSON_CERT}}', clientKeyData: '{{JSON_KEY}}' })),
  ),
  'a plugin that gives a certificate without its key': user(
    plugin(credential({ token: 'p', clientCertificateData: '{{JSON_CERT}}' })),
  ),
  'a plugin that gives both': user(
    plugin(credential({ token: 'p', clientCertificateData: '{{JSON_CERT}}', clientKeyData: '{{JSON_KEY}}' })),
  ),
  'a plugin that gives nothing': user(plugin(credential({}))),
  'a plugin without a status': user(plugin(`{"kind":"ExecCredential","apiVersion":"${API}/v1"}`)),
  'a plugin that prints no JSON': user(plugin('hello')),
  'a plugin that prints nothing': user(plugin('', { args: ['-c', 'true'] })),
  'a plugin that prints YAML': user(plugin(`kind: ExecCredential\napiVersion: ${API}/v1\nstatus: {token: p}`)),
  'a plugin of another version': user(plugin(credential({ token: 'p' }, 'v1beta1'))),
  'a plugin of another kind': user(plugin(credential({ token: 'p' }, 'v1', 'Token'))),
  'a plugin of v1beta1': user(
    plugin(credential({ token: 'p' }, 'v1beta1'), { apiVersion: `${API}/v1beta1`, interactiveMode: undefined }),
  ),
  'a plugin of v1alpha1': user(
    plugin(credential({ token: 'p' }, 'v1alpha1'), { apiVersion: `${API}/v1alpha1`, interactiveMode: undefined }),
  ),
  'a plugin without a version': user(plugin(credential({ token: 'p' }), { apiVersion: undefined })),
  'a plugin without a command': user(plugin(credential({ token: 'p' }), { command: '' })),
  'a plugin of v1 without interactiveMode': user(plugin(credential({ token: 'p' }), { interactiveMode: undefined })),
  'a plugin of an unknown interactiveMode': user(plugin(credential({ token: 'p' }), { interactiveMode: 'Sometimes' })),
  'a plugin that must ask': user(plugin(credential({ token: 'p' }), { interactiveMode: 'Always' })),
  'a plugin that may ask': user(plugin(credential({ token: 'p' }), { interactiveMode: 'IfAvailable' })),
  'a plugin that is missing': user(plugin('', { command: 'no-such-plugin-anywhere' })),
  'a plugin that fails': user(plugin('', { args: ['-c', 'exit 3'] })),
  'a plugin with variables': user(
    says('$WHO-$HOME_OF', {
      env: [
        { name: 'WHO', value: 'w' },
        { name: 'HOME_OF', value: '' },
      ],
    }),
  ),
  'a plugin with a variable without a name': user(says('x', { env: [{ name: '', value: 'w' }] })),
  'a plugin with a variable that is a number': {
    config: yaml(
      '- name: u\n  user:\n    exec: {apiVersion: client.authentication.k8s.io/v1, command: "true", interactiveMode: Never, env: [{name: A, value: 1}]}',
    ),
  },
  'a plugin of the folder': {
    ...user(plugin('', { command: './own', args: [] })),
    files: { 'own*': `#!/bin/sh\necho '${credential({ token: 'own' })}'\n` },
  },
  'a plugin that has ended long ago': user(
    plugin(credential({ token: 'p', expirationTimestamp: '2001-01-01T00:00:00Z' })),
  ),
  'a plugin that is told of no cluster': user(says('$(printf %s "$KUBERNETES_EXEC_INFO" | wc -c)')),
  'a plugin that is told of the cluster': user(
    says(`$(printf %s "$KUBERNETES_EXEC_INFO" | tr -dc a-zA-Z0-9 | cut -c1-80)`, { provideClusterInfo: true }),
  ),
  'a plugin that is told of a CA file': {
    config: config({
      cluster: { server: '{{A}}', 'certificate-authority': 'ca.crt' },
      user: says(`$(printf %s "$KUBERNETES_EXEC_INFO" | grep -c certificate-authority-data)`, {
        provideClusterInfo: true,
      }),
    }),
    files: { 'ca.crt': '{{PEM_A}}' },
  },
  'a plugin and an auth provider': user({
    ...plugin(credential({ token: 'p' })),
    'auth-provider': { name: 'oidc', config: {} },
  }),
  'the auth provider of GCP': user({ 'auth-provider': { name: 'gcp', config: { 'access-token': 'tok' } } }),
  'the auth provider of Azure': user({ 'auth-provider': { name: 'azure', config: { 'access-token': 'tok' } } }),
  'an auth provider that nobody knows': user({ 'auth-provider': { name: 'none', config: {} } }),
  'kuberc denies all plugins': withKuberc('credentialPluginPolicy: DenyAll\n'),
  'kuberc allows all plugins': withKuberc('credentialPluginPolicy: AllowAll\n'),
  'kuberc allows this plugin': withKuberc(
    'credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: /bin/sh}]\n',
  ),
  'kuberc allows this plugin by its name': withKuberc(
    'credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: sh}]\n',
  ),
  'kuberc allows another plugin': withKuberc(
    'credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: aws}]\n',
  ),
  'kuberc has an empty list': withKuberc('credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: []\n'),
  'kuberc has no list': withKuberc('credentialPluginPolicy: Allowlist\n'),
  'kuberc has a list and no policy': withKuberc('credentialPluginAllowlist: [{name: /bin/sh}]\n'),
  'kuberc has an unknown policy': withKuberc('credentialPluginPolicy: Perhaps\n'),
  'kuberc of another version': {
    config: config({ user: plugin(credential({ token: 'p' })) }),
    files: { rc: 'apiVersion: kubectl.config.k8s.io/v1\nkind: Preference\ncredentialPluginPolicy: DenyAll\n' },
    env: { KUBERC: '{{DIR}}/rc' },
  },
  'kuberc of v1alpha1 has no policy': {
    config: config({ user: plugin(credential({ token: 'p' })) }),
    files: { rc: 'apiVersion: kubectl.config.k8s.io/v1alpha1\nkind: Preference\ncredentialPluginPolicy: DenyAll\n' },
    env: { KUBERC: '{{DIR}}/rc' },
  },
  'kuberc is missing': {
    config: config({ user: plugin(credential({ token: 'p' })) }),
    env: { KUBERC: '{{DIR}}/none' },
  },
  'kuberc is off': {
    config: config({ user: plugin(credential({ token: 'p' })) }),
    files: {
      '.kube/kuberc': 'apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: DenyAll\n',
    },
    env: { KUBERC: 'off' },
  },
  'kuberc at its own place denies': {
    config: config({ user: plugin(credential({ token: 'p' })) }),
    files: {
      '.kube/kuberc': 'apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: DenyAll\n',
    },
  },
  'kuberc at its own place is broken': {
    config: config({ user: plugin(credential({ token: 'p' })) }),
    files: { '.kube/kuberc': 'apiVersion: [' },
  },
  'kuberc denies, and a token is there': withKuberc('credentialPluginPolicy: DenyAll\n', TOKEN),
  'kuberc turned off by its feature gate': {
    ...withKuberc('credentialPluginPolicy: DenyAll\n'),
    env: { KUBERC: '{{DIR}}/rc', KUBECTL_KUBERC: 'false' },
  },

  // Clusters and TLS
  'a CA file': { ...cluster({ server: '{{A}}', 'certificate-authority': 'ca.crt' }), files: { 'ca.crt': '{{PEM_A}}' } },
  'a CA file that is missing': cluster({ server: '{{A}}', 'certificate-authority': 'ca.crt' }),
  'a CA as data and as a file': {
    ...cluster({ ...TLS, 'certificate-authority': 'ca.crt' }),
    files: { 'ca.crt': '{{PEM_A}}' },
  },
  'a CA in lines': {
    config: yaml('- name: u\n  user: {token: tok}').replace('"{{CA_A}}"', '"{{CA_A_LINES}}"'),
  },
  'the wrong CA': cluster({ server: '{{A}}', 'certificate-authority-data': '{{CA_B}}' }),
  'a CA that is none': cluster({ server: '{{A}}', 'certificate-authority-data': 'YWJj' }),
  'a CA that is not base64': cluster({ server: '{{A}}', 'certificate-authority-data': '!!' }),
  'no CA': cluster({ server: '{{A}}' }),
  'no CA, and the system has it': {
    ...cluster({ server: '{{A}}' }),
    files: { 'bundle.crt': '{{PEM_A}}' },
    env: { SSL_CERT_FILE: '{{DIR}}/bundle.crt' },
  },
  'no CA, and Node is told not to look': {
    ...cluster({ server: '{{A}}' }),
    env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
  },
  'the wrong CA, and Node is told not to look': {
    ...cluster({ server: '{{A}}', 'certificate-authority-data': '{{CA_B}}' }),
    env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
  },
  'no CA, and Node is told of it': {
    ...cluster({ server: '{{A}}' }),
    files: { 'bundle.crt': '{{PEM_A}}' },
    env: { NODE_EXTRA_CA_CERTS: '{{DIR}}/bundle.crt' },
  },
  'TLS that is not verified': cluster({ server: '{{A}}', 'insecure-skip-tls-verify': true }),
  'TLS that is not verified, as text': cluster({ server: '{{A}}', 'insecure-skip-tls-verify': 'true' }),
  'TLS that is not verified, with a CA': cluster({ ...TLS, 'insecure-skip-tls-verify': true }),
  'a server name': cluster({ ...TLS, 'tls-server-name': 'localhost' }),
  'a server name that does not fit': cluster({ ...TLS, 'tls-server-name': 'example.org' }),
  'a slash at the end': cluster({ ...TLS, server: '{{A}}/' }),
  'a path': cluster({ ...TLS, server: '{{A}}/k8s/clusters/c-1' }),
  'a path with a slash at the end': cluster({ ...TLS, server: '{{A}}/k8s/clusters/c-1/' }),
  'a path, and a query': cluster({ ...TLS, server: '{{A}}/k8s?x=1#y' }),
  'a server without a scheme, with a CA': cluster({ ...TLS, server: '{{A_HOST}}' }),
  'a server without a scheme': cluster({ server: '{{PLAIN_HOST}}' }),
  'a server that is not http': cluster({ server: 'ftp://127.0.0.1' }),
  'a server with white space': cluster({ ...TLS, server: ' {{A}}' }),
  'no server': cluster({ 'certificate-authority-data': '{{CA_A}}' }),
  'an empty cluster': cluster({}),
  'a server where nobody listens': cluster({ server: '{{NOBODY}}', 'insecure-skip-tls-verify': true }),
  'https of a plain server': cluster({ server: 'https://{{PLAIN_HOST}}', 'insecure-skip-tls-verify': true }),

  // Proxies
  'a proxy': cluster({ ...TLS, 'proxy-url': '{{PROXY}}' }),
  'a proxy without a scheme': cluster({ ...TLS, 'proxy-url': '{{PROXY_HOST}}' }),
  'an empty proxy': cluster({ ...TLS, 'proxy-url': '' }),
  'a proxy of an unknown scheme': cluster({ ...TLS, 'proxy-url': 'ftp://127.0.0.1:1' }),
  'a proxy that is not there': cluster({ ...TLS, 'proxy-url': 'http://127.0.0.1:1' }),
  'a SOCKS proxy that is not there': cluster({ ...TLS, 'proxy-url': 'socks5://127.0.0.1:1' }),
  'a proxy for plain http': cluster({ server: '{{PLAIN}}', 'proxy-url': '{{PROXY}}' }),
  'a proxy with a password for plain http': cluster({
    server: '{{PLAIN}}',
    'proxy-url': 'http://ada:pw@{{PROXY_HOST}}',
  }),
  'a proxy with a password': cluster({ ...TLS, 'proxy-url': 'http://ada:pw@{{PROXY_HOST}}' }),
  'the environment names a proxy for plain http, for 127.0.0.1': {
    ...cluster({ server: '{{PLAIN}}' }),
    env: { HTTP_PROXY: 'http://127.0.0.1:1' },
  },
  'the environment names a proxy, for 127.0.0.1': { ...user(TOKEN), env: { HTTPS_PROXY: 'http://127.0.0.1:1' } },

  // Files
  'two files, the first names the context': {
    config: config(),
    files: { second: JSON.stringify(onB()) },
    env: { KUBECONFIG: '{{DIR}}/config:{{DIR}}/second' },
  },
  'two files, a user in both': {
    config: { ...config(), users: [] },
    files: { second: JSON.stringify(onB()) },
    env: { KUBECONFIG: '{{DIR}}/config:{{DIR}}/second' },
  },
  'two files, the second names the context': {
    config: config({ top: { 'current-context': undefined } }),
    files: { second: JSON.stringify(onB()) },
    env: { KUBECONFIG: '{{DIR}}/config:{{DIR}}/second' },
  },
  'two files, a cluster and a context in both, the second first': {
    config: config(),
    files: { second: JSON.stringify(onB()) },
    env: { KUBECONFIG: '{{DIR}}/second:{{DIR}}/config' },
  },
  'a file that is listed twice': {
    config: config({ cluster: { server: '{{A}}', 'certificate-authority': 'sub/../ca.crt' } }),
    files: { 'ca.crt': '{{PEM_A}}', 'sub/x': '' },
    env: { KUBECONFIG: '{{DIR}}/config:{{DIR}}/config' },
  },
  'a missing file first': { config: config(), env: { KUBECONFIG: '{{DIR}}/none:{{DIR}}/config' } },
  'a broken file behind a good one': {
    config: config(),
    files: { second: 'clusters: [' },
    env: { KUBECONFIG: '{{DIR}}/config:{{DIR}}/second' },
  },
  'a folder in KUBECONFIG': { config: config(), env: { KUBECONFIG: '{{DIR}}/config:{{DIR}}' } },
  'an empty KUBECONFIG': { files: { '.kube/config': JSON.stringify(config()) }, env: { KUBECONFIG: '' } },
  'KUBECONFIG of colons': { files: { '.kube/config': JSON.stringify(config()) }, env: { KUBECONFIG: '::' } },
  '--kubeconfig': {
    config: onB(),
    files: { other: JSON.stringify(config()) },
    args: ['--kubeconfig', '{{DIR}}/other'],
  },
  '--kubeconfig of a missing file': { config: config(), args: ['--kubeconfig', '{{DIR}}/none'] },
  '--kubeconfig, empty': { config: config(), args: ['--kubeconfig='] },
  'an empty file': { config: '' },
  'a file of a comment': { config: '# nothing\n' },
  'a file of null': { config: 'null\n' },
  'a file of a list': { config: '[]\n' },
  'a file of HTML': { config: '<!DOCTYPE html><html><body>login</body></html>' },
  'a second document': { config: `---\n${JSON.stringify(config())}\n---\nfoo: bar\n` },
  'a second document that is broken': { config: `${JSON.stringify(config())}\n---\nfoo: [\n` },
  'a second document that is a kubeconfig': { config: `${JSON.stringify(config())}\n---\n${JSON.stringify(onB())}\n` },
  'a first document that is empty': { config: `---\n---\n${JSON.stringify(config())}\n` },
  'tabs in JSON': { config: JSON.stringify(config(), null, '\t') },
  'tabs in YAML': { config: 'apiVersion: v1\n\tkind: Config\n' },
  'a byte order mark': { config: `\uFEFF${JSON.stringify(config())}` },
  'anchors and merge keys': {
    config: yaml('- name: u\n  user: {<<: &t {token: tok}}'),
  },
  'the same key twice': { config: yaml('- name: u\n  user:\n    token: wrong\n    token: tok') },
  'the same key twice in JSON': {
    config: JSON.stringify(config()).replace('"token":"tok"', '"token":"wrong","token":"tok"'),
  },
  'the same user twice': {
    config: {
      ...config(),
      users: [
        { name: 'u', user: { token: '1' } },
        { name: 'u', user: { token: '2' } },
      ],
    },
  },
  'the same cluster twice': {
    config: {
      ...config(),
      clusters: [
        { name: 'c', cluster: TLS },
        { name: 'c', cluster: TLS },
      ],
    },
  },
  'the same context twice': {
    config: { ...config(), contexts: [1, 2].map(() => ({ name: 'x', context: { cluster: 'c', user: 'u' } })) },
  },
  'another kind': { config: config({ top: { kind: 'ConfigMap' } }) },
  'another version': { config: config({ top: { apiVersion: 'v2' } }) },
  'no kind and no version': { config: config({ top: { kind: undefined, apiVersion: undefined } }) },
  'no kind': { config: config({ top: { kind: undefined } }) },
  'no version': { config: config({ top: { apiVersion: undefined } }) },
  'a name that is a number': {
    config: yaml(
      '- name: u\n  user: {token: tok}',
      '- name: 7\n  cluster: {server: "{{A}}", certificate-authority-data: "{{CA_A}}"}',
    ).replace('cluster: c', 'cluster: "7"'),
  },
  'keys in capitals': { config: { ...config(), Users: [{ name: 'u', user: { token: 'caps' } }] } },
  'extensions and preferences': {
    config: config({ top: { preferences: { colors: true }, extensions: [{ name: 'e', extension: { a: 1 } }] } }),
  },
  'lists that are null': { config: config({ top: { extensions: null, preferences: null } }) },
  'YAML of 1.1: yes for a boolean': {
    config: yaml(
      '- name: u\n  user: {token: tok}',
      '- name: c\n  cluster: {server: "{{A}}", insecure-skip-tls-verify: yes}',
    ),
  },

  // Which context
  'no current context': { config: config({ top: { 'current-context': undefined } }) },
  'a current context that nobody has': { config: config({ top: { 'current-context': 'gone' } }) },
  'a cluster that the context names and nobody has': { config: config({ context: { cluster: 'gone' } }) },
  'a context without a cluster': { config: config({ context: { cluster: '' } }) },
  '--context': { config: { ...config(), 'current-context': 'gone' }, args: ['--context=x'] },
  '--context that nobody has': { config: config(), args: ['--context=gone'] },
  '--context, empty': { config: config(), args: ['--context='] },
  '--cluster': {
    config: {
      ...config(),
      clusters: [
        { name: 'c', cluster: TLS },
        { name: 'b', cluster: { server: '{{B}}', 'certificate-authority-data': '{{CA_B}}' } },
      ],
    },
    args: ['--cluster=b'],
  },
  '--cluster that nobody has': { config: config(), args: ['--cluster=gone'] },
  '--user': {
    config: {
      ...config(),
      users: [
        { name: 'u', user: TOKEN },
        { name: 'v', user: { token: 'v' } },
      ],
    },
    args: ['--user=v'],
  },
  '--user that nobody has': { config: config(), args: ['--user=gone'] },
  '--cluster and --user without a context': {
    config: { ...config(), 'current-context': undefined },
    args: ['--cluster=c', '--user=u'],
  },
  'a namespace that is no name': { config: config({ context: { namespace: 'Not A Name' } }) },
  'no kubeconfig at all': { env: { KUBECONFIG: '{{DIR}}/none' } },

  // Flags over the file
  '--server': { ...user(TOKEN), args: ['--server={{B}}', '--insecure-skip-tls-verify'] },
  '--server and its CA': {
    ...user(TOKEN),
    files: { 'b.crt': '{{PEM_B}}' },
    args: ['--server={{B}}', '--certificate-authority={{DIR}}/b.crt'],
  },
  '--server alone, with the CA of the file': { ...user(TOKEN), args: ['--server={{B}}'] },
  '--server clears the server name': {
    ...cluster({ ...TLS, 'tls-server-name': 'localhost' }),
    args: ['--server={{A}}'],
  },
  '--server without a kubeconfig': { env: { KUBECONFIG: '{{DIR}}/none' }, args: ['--server={{PLAIN}}'] },
  '--server and --token without a kubeconfig': {
    env: { KUBECONFIG: '{{DIR}}/none' },
    args: ['--server={{A}}', '--token=t', '--insecure-skip-tls-verify=true'],
  },
  '--token': { ...user(TOKEN), args: ['--token=flag'] },
  '--token over a plugin': { ...user(plugin(credential({ token: 'p' }))), args: ['--token=flag'] },
  '--token over a token file': { ...user({ tokenFile: 'tok' }), files: { tok: 'of-file' }, args: ['--token=flag'] },
  '--token over a password': { ...user({ username: 'ada', password: 'pw' }), args: ['--token=flag'] },
  '--insecure-skip-tls-verify': { ...cluster({ server: '{{A}}' }), args: ['--insecure-skip-tls-verify'] },
  '--insecure-skip-tls-verify over a CA': { ...cluster(TLS), args: ['--insecure-skip-tls-verify'] },
  '--insecure-skip-tls-verify=false over the file': {
    ...cluster({ server: '{{A}}', 'insecure-skip-tls-verify': true }),
    args: ['--insecure-skip-tls-verify=false'],
  },
  '--certificate-authority': {
    ...cluster({ server: '{{A}}' }),
    files: { 'a.crt': '{{PEM_A}}' },
    args: ['--certificate-authority={{DIR}}/a.crt'],
  },
  '--tls-server-name': { ...user(TOKEN), args: ['--tls-server-name=localhost'] },
  '--tls-server-name that does not fit': { ...user(TOKEN), args: ['--tls-server-name=example.org'] },
  '--client-certificate and --client-key': {
    ...user({}),
    files: { 'c.pem': '{{PEM_CERT}}', 'k.pem': '{{PEM_KEY}}' },
    args: ['--client-certificate={{DIR}}/c.pem', '--client-key={{DIR}}/k.pem'],
  },
  '--client-certificate alone': {
    ...user({}),
    files: { 'c.pem': '{{PEM_CERT}}' },
    args: ['--client-certificate={{DIR}}/c.pem'],
  },
  '--as-user-extra': { ...user(TOKEN), args: ['--as=eve', '--as-user-extra=scopes=a', '--as-user-extra=scopes=b'] },
  '--as-user-extra without --as': { ...user(TOKEN), args: ['--as-user-extra=k=v'] },
  '--kuberc': {
    config: config({ user: plugin(credential({ token: 'p' })) }),
    files: kuberc('credentialPluginPolicy: DenyAll\n'),
    args: ['--kuberc={{DIR}}/rc'],
  },
};
