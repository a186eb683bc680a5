import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { RestoreHooksError } from '../../core/errors.ts';
import type { KubeCluster } from './kube-cluster.ts';
import { requireUsable } from './kubeconfig-check.ts';
import type { ClusterEntry, Merged, UserEntry } from './kubeconfig-file.ts';
import { readKubeConfigs } from './kubeconfig-file.ts';
import type { PluginPolicy } from './kuberc.ts';
import { pluginPolicy } from './kuberc.ts';

/** The cluster, the user and the context that the kubeconfig files and the flags come to. */
export interface KubeConfig {
  /** Absent in a pod and where only `--cluster` or `--server` was given. */
  readonly context?: string;
  readonly namespace?: string;
  readonly cluster: KubeCluster;
  readonly user: KubeUser;
  /** For credential plugins and proxies. */
  readonly env: NodeJS.ProcessEnv;
  /** Nobody waits for a question: a credential plugin gets no terminal, and is ended when this is aborted. */
  readonly unattended?: AbortSignal;
}

/** Where a user has several kinds of credentials, kubectl uses the first of: token, password, certificate, plugin. */
export interface KubeUser {
  readonly name: string;
  readonly certData?: string;
  readonly certFile?: string;
  readonly keyData?: string;
  readonly keyFile?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly exec?: ExecPlugin;
  readonly authProvider?: { readonly name: string; readonly config: Readonly<Record<string, string>> };
  readonly impersonate?: Impersonation;
  /** Makes a token that is valid until `until`, for a user that is not from a kubeconfig file. */
  readonly issueToken?: () => { readonly token: string; readonly until: number };
}

export interface ExecPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly installHint?: string;
  readonly interactiveMode: 'Never' | 'IfAvailable' | 'Always';
  readonly provideClusterInfo: boolean;
  /** Which plugins the user's kuberc allows. */
  readonly policy?: PluginPolicy;
}

export interface Impersonation {
  readonly user: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** kubectl's flags of the same names. */
export interface KubeConfigOptions {
  readonly kubeconfig?: string | undefined;
  readonly kuberc?: string | undefined;
  readonly context?: string | undefined;
  readonly cluster?: string | undefined;
  readonly user?: string | undefined;
  readonly server?: string | undefined;
  readonly token?: string | undefined;
  readonly certificateAuthority?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  readonly insecureSkipTlsVerify?: boolean | undefined;
  readonly tlsServerName?: string | undefined;
  readonly as?: string | undefined;
  readonly asGroup?: readonly string[] | undefined;
  readonly asUid?: string | undefined;
  /** `key=value` each. */
  readonly asUserExtra?: readonly string[] | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** The folder in which a pod finds its ServiceAccount's token and CA. */
  readonly serviceAccountDir?: string;
}

/**
 * Find the cluster and the user to work as, by kubectl's own rules (client-go's `tools/clientcmd`; `test/kubeconfigs`
 * compares with the real kubectl), and refuse what kubectl refuses. Where nothing names a cluster, a pod uses its own
 * cluster and its ServiceAccount. Elsewhere that is an error here, while kubectl would try localhost:8080.
 */
export function loadKubeConfig(options: KubeConfigOptions): KubeConfig {
  const policy = pluginPolicy(options.kuberc, options.env);
  const files = configFiles(options);
  const merged = readKubeConfigs(files);
  const chosen = choose(merged, options);
  const entry = clusterEntry(chosen.cluster, options);
  const user = userEntry(chosen.user, options);
  const isNowhere = Object.values(entry).every((value) => value === undefined || value === null);
  if (isNowhere) return inClusterConfig(options) ?? nowhere(merged, chosen, options, files);
  const cluster = clusterOf(chosen.clusterName ?? '', entry);
  const userName = chosen.userName ?? '';
  requireUsable(cluster, userName, user);
  const all = userOf(userName, user, policy);
  return {
    ...(chosen.contextName !== undefined && { context: chosen.contextName }),
    ...optional('namespace', chosen.namespace),
    cluster,
    // kubectl sends no credentials over plain HTTP.
    user: cluster.server.startsWith('http:') ? { name: userName, ...optional('impersonate', all.impersonate) } : all,
    env: options.env,
  };
}

/** The kubeconfig files, in the order in which they count. A file that `--kubeconfig` names must exist. */
export function configFiles({ kubeconfig, env }: Pick<KubeConfigOptions, 'kubeconfig' | 'env'>): string[] {
  if (kubeconfig) {
    if (existsSync(kubeconfig)) return [kubeconfig];
    throw new RestoreHooksError('INVALID_ARGUMENT', `--kubeconfig ${kubeconfig}: no such file`);
  }
  if (env['KUBECONFIG']) return [...new Set(env['KUBECONFIG'].split(path.delimiter).filter((file) => file !== ''))];
  return [path.join(env['HOME'] || env['USERPROFILE'] || homedir(), '.kube', 'config')];
}

interface Chosen {
  readonly contextName?: string;
  readonly clusterName?: string;
  readonly userName?: string;
  readonly namespace?: string;
  readonly cluster: ClusterEntry | undefined;
  readonly user: UserEntry | undefined;
}

/**
 * A cluster or user that a flag names must exist. One that only the context names may be missing, and counts as empty.
 */
function choose(merged: Merged, options: KubeConfigOptions): Chosen {
  const contextName = options.context || merged.currentContext;
  const context = contextName === undefined ? undefined : merged.contexts.get(contextName);
  if (contextName !== undefined && context === undefined) throw unknown('context', contextName, merged.contexts);
  const clusterName = options.cluster || context?.cluster;
  const userName = options.user || context?.user;
  if (options.cluster && !merged.clusters.has(options.cluster))
    throw unknown('cluster', options.cluster, merged.clusters);
  if (options.user && !merged.users.has(options.user)) throw unknown('user', options.user, merged.users);
  return {
    ...optional('contextName', contextName),
    ...optional('clusterName', clusterName),
    ...optional('userName', userName),
    ...optional('namespace', context?.namespace),
    cluster: clusterName === undefined ? undefined : merged.clusters.get(clusterName),
    user: userName === undefined ? undefined : merged.users.get(userName),
  };
}

function unknown(
  kind: 'context' | 'cluster' | 'user',
  name: string,
  known: ReadonlyMap<string, unknown>,
): RestoreHooksError {
  return new RestoreHooksError('INVALID_ARGUMENT', `${kind} "${name}" does not exist in the kubeconfig`, {
    hint: choice(kind, known),
  });
}

const choice = (kind: 'context' | 'cluster' | 'user', known: ReadonlyMap<string, unknown>): string =>
  known.size === 0
    ? `there are no ${kind}s in it; give another one with --kubeconfig FILE, or set KUBECONFIG`
    : `choose one of: ${namesOf(known)}`;

function nowhere(
  merged: Merged,
  { contextName, clusterName }: Chosen,
  options: KubeConfigOptions,
  files: readonly string[],
): never {
  const where = files.join(', ');
  if (clusterName !== undefined) {
    const of = contextName === undefined || options.cluster ? '' : ` (of context "${contextName}")`;
    const why = merged.clusters.has(clusterName) ? 'names no server' : 'does not exist in the kubeconfig';
    throw new RestoreHooksError('INVALID_ARGUMENT', `cluster "${clusterName}"${of} ${why}`, {
      hint: choice('cluster', merged.clusters),
    });
  }
  if (contextName !== undefined) {
    throw new RestoreHooksError('INVALID_ARGUMENT', `context "${contextName}" names no cluster`);
  }
  if (merged.contexts.size + merged.clusters.size === 0) {
    throw new RestoreHooksError('INVALID_ARGUMENT', `no Kubernetes configuration was found (looked at ${where})`, {
      hint: 'give --kubeconfig FILE, or set KUBECONFIG',
    });
  }
  throw new RestoreHooksError('INVALID_ARGUMENT', `no current context is set in ${where}`, {
    hint: `give --context (${namesOf(merged.contexts)}), or set one with kubectl config use-context`,
  });
}

function namesOf(map: ReadonlyMap<string, unknown>): string {
  const names = [...map.keys()];
  return names.length > 10 ? `${names.slice(0, 10).join(', ')}, … ${names.length - 10} more` : names.join(', ');
}

/** Flags override the file. A flag about certificates overrides everything that the file says about certificates. */
function clusterEntry(entry: ClusterEntry | undefined, options: KubeConfigOptions): Partial<ClusterEntry> {
  const { server, certificateAuthority, insecureSkipTlsVerify, tlsServerName } = options;
  return {
    ...entry,
    ...(server && { server }),
    ...((insecureSkipTlsVerify || certificateAuthority) && {
      'insecure-skip-tls-verify': insecureSkipTlsVerify,
      'certificate-authority': certificateAuthority || undefined,
      'certificate-authority-data': undefined,
    }),
    ...((server || tlsServerName) && { 'tls-server-name': tlsServerName || undefined }),
  };
}

function userEntry(entry: UserEntry | undefined, options: KubeConfigOptions): Partial<UserEntry> {
  const { token, clientCertificate, clientKey, as, asUid, asGroup = [], asUserExtra = [] } = options;
  const extra: Record<string, string[]> = {};
  for (const pair of asUserExtra) {
    const [key = '', ...value] = pair.split('=');
    if (key === '' || value.length === 0) {
      throw new RestoreHooksError('INVALID_ARGUMENT', `--as-user-extra: expected KEY=VALUE, found "${pair}"`);
    }
    extra[key] = [...(extra[key] ?? []), value.join('=')];
  }
  return {
    ...entry,
    ...(token && { token }),
    ...(clientCertificate && { 'client-certificate': clientCertificate, 'client-certificate-data': undefined }),
    ...(clientKey && { 'client-key': clientKey, 'client-key-data': undefined }),
    ...(as && { as }),
    ...(asUid && { 'as-uid': asUid }),
    ...(asGroup.length > 0 && { 'as-groups': [...asGroup] }),
    ...(asUserExtra.length > 0 && { 'as-user-extra': { ...entry?.['as-user-extra'], ...extra } }),
  };
}

function clusterOf(name: string, entry: Partial<ClusterEntry>): KubeCluster {
  if (!entry.server) throw new RestoreHooksError('INVALID_ARGUMENT', `cluster "${name}" names no server`);
  // Without a scheme it is plain HTTP, even if there is a CA.
  const server = entry.server.includes('://') ? entry.server : `http://${entry.server}`;
  if (/\s/.test(server) || !/^https?:$/.test(URL.parse(server)?.protocol ?? '')) {
    throw new RestoreHooksError('INVALID_ARGUMENT', `cluster "${name}": its server is not an http or https URL`, {
      hint: 'write it as https://HOST:PORT',
    });
  }
  const execConfig = entry.extensions?.find((extension) => extension.name === 'client.authentication.k8s.io/exec');
  return {
    name,
    server: server.replace(/\/+$/, ''),
    skipTLSVerify: entry['insecure-skip-tls-verify'] === true,
    ...optional('caData', entry['certificate-authority-data']),
    ...optional('caFile', entry['certificate-authority']),
    ...optional('tlsServerName', entry['tls-server-name']),
    ...optional('proxyUrl', entry['proxy-url']),
    ...optional('execConfig', execConfig?.extension),
  };
}

function userOf(name: string, entry: Partial<UserEntry>, policy: PluginPolicy | undefined): KubeUser {
  const { exec, 'auth-provider': provider } = entry;
  return {
    name,
    ...optional('certData', entry['client-certificate-data']),
    ...optional('certFile', entry['client-certificate']),
    ...optional('keyData', entry['client-key-data']),
    ...optional('keyFile', entry['client-key']),
    ...optional('token', entry.token),
    ...optional('tokenFile', entry.tokenFile),
    ...optional('username', entry.username),
    ...optional('password', entry.password),
    ...optional('exec', exec ? pluginOf(exec, policy) : undefined),
    ...optional('authProvider', provider ? { name: provider.name ?? '', config: provider.config ?? {} } : undefined),
    ...optional('impersonate', impersonation(entry)),
  };
}

/** The credentials of a user that `requireUsable` has accepted. */
function pluginOf(exec: NonNullable<UserEntry['exec']>, policy: PluginPolicy | undefined): ExecPlugin {
  return {
    apiVersion: exec.apiVersion ?? '',
    command: exec.command ?? '',
    args: exec.args ?? [],
    env: (exec.env ?? []).map(({ name = '', value = '' }) => ({ name, value })),
    ...optional('installHint', exec.installHint),
    interactiveMode: (exec.interactiveMode as ExecPlugin['interactiveMode'] | undefined) ?? 'IfAvailable',
    provideClusterInfo: exec.provideClusterInfo === true,
    ...optional('policy', policy),
  };
}

function impersonation(entry: Partial<UserEntry>): Impersonation | undefined {
  const { as: user, 'as-uid': uid, 'as-groups': groups, 'as-user-extra': extra } = entry;
  return user === undefined ? undefined : { user, groups: groups ?? [], extra: extra ?? {}, ...optional('uid', uid) };
}

/**
 * The ServiceAccount of the pod that this runs in, with the file of its token: the kubelet replaces the token every
 * hour.
 */
function inClusterConfig(options: KubeConfigOptions): KubeConfig | undefined {
  const directory = options.serviceAccountDir ?? '/var/run/secrets/kubernetes.io/serviceaccount';
  const host = options.env['KUBERNETES_SERVICE_HOST'];
  const port = options.env['KUBERNETES_SERVICE_PORT'];
  const tokenFile = path.join(directory, 'token');
  if (!host || !port || !existsSync(tokenFile)) return undefined;
  const caFile = path.join(directory, 'ca.crt');
  const namespaceFile = path.join(directory, 'namespace');
  const flags = userEntry(undefined, options);
  requireUsable(undefined, 'in-cluster', { ...flags, token: flags.token ?? 'of the pod' });
  return {
    cluster: {
      name: 'in-cluster',
      server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      skipTLSVerify: false,
      isInside: true,
      ...(existsSync(caFile) && { caFile }),
    },
    user: { ...userOf('in-cluster', flags, undefined), ...(flags.token === undefined && { tokenFile }) },
    ...(existsSync(namespaceFile) && { namespace: readFileSync(namespaceFile, 'utf8').trim() }),
    env: options.env,
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}
