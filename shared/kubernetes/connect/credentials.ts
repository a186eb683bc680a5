import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { load } from 'js-yaml';
import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import { sanitizeLine } from '../../core/sanitize.ts';
import type { KubeCluster } from './kube-cluster.ts';
import type { ExecPlugin, KubeConfig, KubeUser } from './kubeconfig.ts';
import { codeOf } from './kubeconfig-file.ts';
import { requireAllowed } from './kuberc.ts';

/** What a request is authenticated with, at this moment. */
export interface Credential {
  readonly authorization?: string;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

export interface CredentialSource {
  get(): Promise<Credential>;
  /** The API server has refused it: get another one. */
  forget(): void;
}

/** A token in a file is replaced while a run goes on, so it is read again after this time. */
const fileMaxAgeMs = 10_000;
/** A token is renewed so long before it expires, because it must still be valid when the request arrives. */
const expiryMarginMs = 10_000;

export function credentialSource(config: KubeConfig): CredentialSource {
  const { user } = config;
  const { issueToken } = user;
  if (issueToken) {
    return kept(async () => {
      const { token, until } = issueToken();
      return { credential: { authorization: `Bearer ${token}` }, until: until - expiryMarginMs };
    });
  }
  if (user.tokenFile) return kept(() => fromTokenFile(user, user.tokenFile as string));
  if (user.token) return constant(`Bearer ${headerToken(user.token, `user "${user.name}": its token`)}`);
  if (user.username) {
    return constant(`Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`);
  }
  if (user.authProvider) return kept(() => fromAuthProvider(config));
  // kubectl starts no plugin for a user who has a certificate.
  if (user.exec && !(user.certData || user.certFile))
    return kept(() => fromPlugin(user.exec as ExecPlugin, config), FAILURE_LASTS_MS);
  return constant(undefined);
}

function constant(authorization: string | undefined): CredentialSource {
  return { get: async () => (authorization === undefined ? {} : { authorization }), forget: () => {} };
}

interface Fresh {
  readonly credential: Credential;
  /** By the wall clock, as in the token. Absent: it does not expire. */
  readonly until?: number;
}

/** A plugin that has failed may have asked its user something: the next requests of the same command don't run it again. */
const FAILURE_LASTS_MS = 5_000;

/** Fetch a credential once for all callers, and again when it has expired or was refused. */
function kept(fetch: () => Promise<Fresh>, failureLastsMs = 0): CredentialSource {
  let current: Promise<Fresh> | undefined;
  let failure: { readonly error: unknown; readonly at: number } | undefined;
  let since = 0;
  return {
    async get() {
      if (failure !== undefined && Math.abs(performance.now() - failure.at) < failureLastsMs) throw failure.error;
      let asked = current;
      if (asked !== undefined) {
        const { credential, until } = await asked;
        // If the clock was set back, the credential's age is unknown.
        const now = Date.now();
        if (until === undefined || (now >= since && now < until)) return credential;
        if (current === asked) current = undefined;
      }
      if (current === undefined) since = Date.now();
      asked = current ??= fetch();
      try {
        return (await asked).credential;
      } catch (error) {
        if (current === asked) current = undefined;
        failure = { error, at: performance.now() };
        throw error;
      }
    },
    forget() {
      current = undefined;
      failure = undefined;
    },
  };
}

async function fromTokenFile(user: KubeUser, file: string): Promise<Fresh> {
  const token = await readFile(file, 'utf8').then(
    (content) => content.trim(),
    () => '',
  );
  const usable = token || user.token;
  if (!usable) {
    throw new RestoreHooksError('FORBIDDEN', `user "${user.name}": no token could be read from ${file}`, {
      hint: 'log in again, or choose another --context or --user',
    });
  }
  headerToken(usable, `user "${user.name}": the token in ${file}`);
  return { credential: { authorization: `Bearer ${usable}` }, until: Date.now() + fileMaxAgeMs };
}

/** The token, if it can stand in a header. Its text isn't quoted. */
function headerToken(token: string, what: string): string {
  if (!/[^\t\x20-\x7e\x80-\xff]/.test(token)) return token;
  const found = /[\r\n]/.test(token) ? 'a line break' : 'a character that no token has';
  throw new RestoreHooksError('INVALID_ARGUMENT', `${what} has ${found} in it`, {
    hint: 'write the token as one line, or choose another --user',
  });
}

/** The token of an `auth-provider`. The client library does that, and is loaded only for it. */
async function fromAuthProvider({ cluster, user, unattended }: KubeConfig): Promise<Fresh> {
  // It may run programs that nobody could end.
  if (unattended) throw new RestoreHooksError('FORBIDDEN', `user "${user.name}": not without somebody who waits`);
  const { KubeConfig: ClientNodeConfig } = await import('@kubernetes/client-node');
  const config = new ClientNodeConfig();
  config.loadFromClusterAndUser(
    { name: cluster.name, server: cluster.server, skipTLSVerify: true },
    { name: user.name, authProvider: user.authProvider },
  );
  const options: { headers?: Record<string, string> } = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    throw new RestoreHooksError(
      'FORBIDDEN',
      `user "${user.name}": auth-provider "${user.authProvider?.name}" gave no credentials`,
      { hint: 'log in again, or use an exec credential plugin', cause: error },
    );
  }
  const authorization = options.headers?.['Authorization'];
  return { credential: authorization ? { authorization } : {}, until: Date.now() + fileMaxAgeMs };
}

const ExecCredential = z.object({
  apiVersion: z.string(),
  kind: z.literal('ExecCredential'),
  status: z.object({
    token: z.string().nullish(),
    clientCertificateData: z.string().nullish(),
    clientKeyData: z.string().nullish(),
    expirationTimestamp: z.string().nullish(),
  }),
});

/**
 * Run a credential plugin as client-go does: with the cluster's data if its entry asks for that, and with our stderr.
 */
async function fromPlugin(plugin: ExecPlugin, config: KubeConfig): Promise<Fresh> {
  const { user, env } = config;
  requireAllowed(plugin.command, plugin.policy, env);
  const interactive = plugin.interactiveMode !== 'Never' && !config.unattended && process.stdin.isTTY === true;
  if (plugin.interactiveMode === 'Always' && !interactive) {
    throw failedPlugin(plugin, user, 'it is interactive, and there is no terminal');
  }
  const cluster = plugin.provideClusterInfo ? { cluster: await clusterInfo(config.cluster) } : {};
  const info = { kind: 'ExecCredential', apiVersion: plugin.apiVersion, spec: { ...cluster, interactive } };
  const output = await outputOf(plugin, config, interactive, `${JSON.stringify(info)}\n`);
  return freshFrom(output, plugin, user);
}

function outputOf(
  plugin: ExecPlugin,
  { user, env, unattended }: KubeConfig,
  interactive: boolean,
  info: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    if ([plugin.command, ...plugin.args, ...plugin.env.flatMap(({ name, value }) => [name, value])].some(hasNul)) {
      throw failedPlugin(plugin, user, 'its command, arguments or variables contain a NUL character');
    }
    const child = spawn(plugin.command, plugin.args, {
      stdio: [interactive ? 'inherit' : 'ignore', 'pipe', unattended ? 'ignore' : 'inherit'],
      // A session of its own has no terminal, and is ended as a whole.
      detached: unattended !== undefined,
      env: {
        ...env,
        ...(unattended && NO_DISPLAY),
        ...Object.fromEntries(plugin.env.map(({ name, value }) => [name, value])),
        KUBERNETES_EXEC_INFO: info,
      },
    });
    const end = (): void => void child.kill();
    process.once('exit', end);
    const slow = setTimeout(() => {
      if (unattended) return;
      const name = sanitizeLine(plugin.command);
      process.stderr.write(
        `warning: credential plugin ${name} has not answered yet; waiting for it, Ctrl-C ends this\n`,
      );
    }, SLOW_PLUGIN_MS);
    child.on('error', (error) => reject(failedPlugin(plugin, user, startFault(error), error)));
    const { pid } = child;
    if (pid !== undefined) unattended?.addEventListener('abort', () => endSession(pid));
    let written = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      written += chunk;
    });
    child.on('close', (code, signal) => {
      clearTimeout(slow);
      process.off('exit', end);
      return code === 0
        ? resolve(written)
        : reject(failedPlugin(plugin, user, signal ? `it was ended by ${signal}` : `it exited with ${code}`));
    });
  });
}

/** So that no browser opens for a login. */
const NO_DISPLAY = { DISPLAY: undefined, WAYLAND_DISPLAY: undefined, BROWSER: 'false' };

function endSession(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** It may ask its user to log in, so it has no limit. */
const SLOW_PLUGIN_MS = 10_000;

const hasNul = (text: string): boolean => text.includes('\0');

/**
 * Read what a plugin printed. Without a token or a certificate it is refused, because the request would be anonymous.
 */
function freshFrom(output: string, plugin: ExecPlugin, user: KubeUser): Fresh {
  const parsed = ExecCredential.safeParse(parseYaml(output));
  // The message quotes neither the output nor the parser, because both may contain a token.
  if (!parsed.success) throw failedPlugin(plugin, user, 'it printed no ExecCredential with a status');
  const { apiVersion, status } = parsed.data;
  if (apiVersion !== plugin.apiVersion) {
    throw failedPlugin(plugin, user, `it was asked for ${plugin.apiVersion}, and answered in another version`);
  }
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = status;
  if (Boolean(cert) !== Boolean(key))
    throw failedPlugin(plugin, user, 'it gave a certificate without a key, or a key without a certificate');
  if (token) headerToken(token, `user "${user.name}": the token of credential plugin ${plugin.command}`);
  if (!token && !cert) throw failedPlugin(plugin, user, 'it gave neither a token nor a certificate');
  const until = Date.parse(expirationTimestamp ?? '') - expiryMarginMs;
  return {
    credential: { ...(token && { authorization: `Bearer ${token}` }), ...(cert && key && { cert, key }) },
    ...(Number.isFinite(until) && { until }),
  };
}

/**
 * The cluster's data that client-go gives to plugins, in the same order and with `config: null`; a CA file by its
 * content.
 */
async function clusterInfo(cluster: KubeCluster): Promise<Record<string, unknown>> {
  const { caData, caFile } = cluster;
  return {
    server: cluster.server,
    'tls-server-name': cluster.tlsServerName,
    'insecure-skip-tls-verify': cluster.skipTLSVerify || undefined,
    'certificate-authority-data': caData ?? (caFile === undefined ? undefined : await readFile(caFile, 'base64')),
    'proxy-url': cluster.proxyUrl,
    config: cluster.execConfig ?? null,
  };
}

function failedPlugin(plugin: ExecPlugin, user: KubeUser, why: string, cause?: unknown): RestoreHooksError {
  const help = cause === undefined ? LOG_IN : 'install it, or choose another --context or --user';
  return new RestoreHooksError('FORBIDDEN', `user "${user.name}": credential plugin ${plugin.command}: ${why}`, {
    hint: plugin.installHint?.trim().replaceAll(/\s*\n\s*/g, ' ') ?? help,
    cause,
  });
}

const LOG_IN = 'log in with it again (what it printed stands above), or choose another --context or --user';

/** Why it could not be started. */
const startFault = (error: unknown): string => {
  const code = codeOf(error);
  if (code === 'ENOENT') return 'there is no such program, neither at this path nor on the PATH';
  return code === 'EACCES' ? 'it is not executable' : `it could not be started (${code})`;
};

/** client-go accepts JSON and YAML, and JSON is YAML. */
function parseYaml(content: string): unknown {
  try {
    return load(content);
  } catch {
    return undefined;
  }
}
