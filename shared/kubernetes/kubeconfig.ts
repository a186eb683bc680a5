import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { load } from 'js-yaml';
import * as z from 'zod';
import { RestoreHooksError } from '../core/errors.ts';

/** One cluster, one user and the context that joined them: what is left of all kubeconfig files once flags have chosen. */
export interface KubeConfig {
  /** Absent in a pod and where only `--cluster` was given. */
  readonly context?: string;
  readonly namespace?: string;
  readonly cluster: KubeCluster;
  readonly user: KubeUser;
  /** For credential plugins and proxies. */
  readonly env: NodeJS.ProcessEnv;
}

export interface KubeCluster {
  readonly name: string;
  /** Without a slash at the end. */
  readonly server: string;
  readonly caData?: string;
  readonly caFile?: string;
  readonly skipTLSVerify: boolean;
  readonly tlsServerName?: string;
  readonly proxyUrl?: string;
  /** What the cluster's extension `client.authentication.k8s.io/exec` tells credential plugins. */
  readonly execConfig?: unknown;
}

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
  /** Makes a token, good until `until`; of a user that no kubeconfig file names. */
  readonly issueToken?: () => { readonly token: string; readonly until: number };
}

export interface Impersonation {
  readonly user: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export interface KubeConfigOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly cluster?: string | undefined;
  readonly user?: string | undefined;
  readonly as?: string | undefined;
  readonly asGroup?: readonly string[] | undefined;
  readonly asUid?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Where a pod finds its ServiceAccount. */
  readonly serviceAccountDir?: string;
}

const text = z
  .string()
  .nullish()
  .transform((value) => (value ? value : undefined));
const ExecPlugin = z.object({
  apiVersion: text,
  command: z.string().min(1),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
  installHint: text,
  interactiveMode: text,
  provideClusterInfo: z.boolean().nullish(),
});
export type ExecPlugin = z.infer<typeof ExecPlugin>;
const ClusterEntry = z.object({
  server: text,
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': z.boolean().nullish(),
  'tls-server-name': text,
  'proxy-url': text,
  extensions: z.array(z.object({ name: z.string(), extension: z.unknown() })).nullish(),
});
const UserEntry = z.object({
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  token: text,
  tokenFile: text,
  username: text,
  password: text,
  as: text,
  'as-uid': text,
  'as-groups': z.array(z.string()).nullish(),
  'as-user-extra': z.record(z.string(), z.array(z.string())).nullish(),
  exec: ExecPlugin.nullish(),
  'auth-provider': z.object({ name: z.string(), config: z.record(z.string(), z.string()).nullish() }).nullish(),
});
const ContextEntry = z.object({ cluster: text, user: text, namespace: text });
const KubeConfigFile = z
  .object({
    clusters: z.array(z.object({ name: z.string(), cluster: ClusterEntry.nullish() })).nullish(),
    users: z.array(z.object({ name: z.string(), user: UserEntry.nullish() })).nullish(),
    contexts: z.array(z.object({ name: z.string(), context: ContextEntry.nullish() })).nullish(),
    'current-context': text,
  })
  .nullish();

interface Merged {
  currentContext: string | undefined;
  readonly clusters: Map<string, z.infer<typeof ClusterEntry>>;
  readonly users: Map<string, z.infer<typeof UserEntry>>;
  readonly contexts: Map<string, z.infer<typeof ContextEntry>>;
}

/**
 * Find the cluster and the user to work as, by kubectl's own rules.
 *
 * Of several files in KUBECONFIG the first that defines a name, or the current context, wins; missing ones are ignored,
 * and a relative path belongs to its own file. In a pod without any kubeconfig it is the pod's ServiceAccount. Where
 * kubectl would go to localhost:8080 because nothing is configured, this says so instead.
 */
export function loadKubeConfig(options: KubeConfigOptions): KubeConfig {
  const files = configFiles(options);
  const merged = merge(files);
  if (options.kubeconfig === undefined && merged.clusters.size + merged.contexts.size === 0) {
    const inCluster = inClusterConfig(options);
    if (inCluster !== undefined) return inCluster;
  }
  return select(merged, options, files);
}

function configFiles({ kubeconfig, env }: KubeConfigOptions): string[] {
  if (kubeconfig) {
    if (existsSync(kubeconfig)) return [kubeconfig];
    throw new RestoreHooksError('INVALID_ARGUMENT', `--kubeconfig ${kubeconfig}: no such file`);
  }
  if (env['KUBECONFIG']) return [...new Set(env['KUBECONFIG'].split(path.delimiter).filter((file) => file !== ''))];
  return [path.join(env['HOME'] || env['USERPROFILE'] || homedir(), '.kube', 'config')];
}

function merge(files: readonly string[]): Merged {
  const merged: Merged = { currentContext: undefined, clusters: new Map(), users: new Map(), contexts: new Map() };
  for (const file of files) {
    const content = parse(file);
    const absolute = (name: string | undefined) => name && path.resolve(path.dirname(file), name);
    merged.currentContext ??= content?.['current-context'];
    for (const { name, context } of content?.contexts ?? []) addFirst(merged.contexts, name, context ?? emptyContext);
    for (const { name, cluster } of content?.clusters ?? []) {
      if (!cluster) continue;
      addFirst(merged.clusters, name, {
        ...cluster,
        'certificate-authority': absolute(cluster['certificate-authority']),
      });
    }
    for (const { name, user } of content?.users ?? []) {
      if (!user) continue;
      // A plugin named without a slash is found on the PATH.
      const { exec } = user;
      const command = exec && (exec.command.includes(path.sep) ? absolute(exec.command) : exec.command);
      addFirst(merged.users, name, {
        ...user,
        'client-certificate': absolute(user['client-certificate']),
        'client-key': absolute(user['client-key']),
        tokenFile: absolute(user.tokenFile),
        ...(exec && command && { exec: { ...exec, command } }),
      });
    }
  }
  return merged;
}

const emptyContext = { cluster: undefined, user: undefined, namespace: undefined };

function addFirst<T>(map: Map<string, T>, name: string, value: T): void {
  if (!map.has(name)) map.set(name, value);
}

function parse(file: string): z.infer<typeof KubeConfigFile> {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new RestoreHooksError('INVALID_ARGUMENT', `kubeconfig ${file} can't be read (${codeOf(error)})`, {
      cause: error,
    });
  }
  if (content.trim() === '') return undefined;
  let document: unknown;
  try {
    document = load(content);
  } catch {
    // The parser's message quotes the file, which holds secrets.
    throw new RestoreHooksError('INVALID_ARGUMENT', `kubeconfig ${file} is not valid YAML`);
  }
  const parsed = KubeConfigFile.safeParse(document);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new RestoreHooksError(
    'INVALID_ARGUMENT',
    `kubeconfig ${file} is not valid: ${issue?.path.join('.') || 'it'}: ${issue?.message}`,
  );
}

function select(merged: Merged, options: KubeConfigOptions, files: readonly string[]): KubeConfig {
  const where = files.join(', ');
  const contextName = options.context || merged.currentContext;
  const context = contextName === undefined ? undefined : merged.contexts.get(contextName);
  if (contextName !== undefined && context === undefined)
    throw unknown('context', contextName, merged.contexts, options);
  const clusterName = options.cluster || context?.cluster;
  if (clusterName === undefined) {
    if (merged.contexts.size + merged.clusters.size === 0) {
      throw new RestoreHooksError('INVALID_ARGUMENT', `no Kubernetes configuration was found (looked at ${where})`, {
        hint: 'give --kubeconfig FILE, or set KUBECONFIG',
      });
    }
    throw contextName === undefined
      ? new RestoreHooksError('INVALID_ARGUMENT', `no current context is set in ${where}`, {
          hint: `give --context (${namesOf(merged.contexts)}), or set one with kubectl config use-context`,
        })
      : new RestoreHooksError('INVALID_ARGUMENT', `context "${contextName}" names no cluster`);
  }
  const cluster = merged.clusters.get(clusterName);
  if (cluster === undefined) throw unknown('cluster', clusterName, merged.clusters, options);
  const userName = options.user || context?.user;
  const user = userName === undefined ? undefined : merged.users.get(userName);
  if (userName !== undefined && user === undefined) throw unknown('user', userName, merged.users, options);
  return {
    ...(contextName !== undefined && { context: contextName }),
    ...(context?.namespace && { namespace: context.namespace }),
    cluster: clusterOf(clusterName, cluster),
    user: userOf(userName ?? '', user, options),
    env: options.env,
  };
}

function unknown(
  kind: 'context' | 'cluster' | 'user',
  name: string,
  known: ReadonlyMap<string, unknown>,
  options: KubeConfigOptions,
): RestoreHooksError {
  const from =
    options[kind] !== undefined || kind === 'context' || options.context === undefined
      ? ''
      : ` (of context "${options.context}")`;
  return new RestoreHooksError('INVALID_ARGUMENT', `${kind} "${name}"${from} does not exist in the kubeconfig`, {
    hint: known.size === 0 ? `there are no ${kind}s in it` : `choose one of: ${namesOf(known)}`,
  });
}

function namesOf(map: ReadonlyMap<string, unknown>): string {
  const names = [...map.keys()];
  return names.length > 10 ? `${names.slice(0, 10).join(', ')}, … ${names.length - 10} more` : names.join(', ');
}

function clusterOf(name: string, entry: z.infer<typeof ClusterEntry>): KubeCluster {
  if (!entry.server) throw new RestoreHooksError('INVALID_ARGUMENT', `cluster "${name}" names no server`);
  const skipTLSVerify = entry['insecure-skip-tls-verify'] === true;
  const tls = skipTLSVerify || entry['certificate-authority'] || entry['certificate-authority-data'];
  const server = entry.server.includes('://') ? entry.server : `${tls ? 'https' : 'http'}://${entry.server}`;
  if (!/^https?:$/.test(URL.parse(server)?.protocol ?? '')) {
    throw new RestoreHooksError('INVALID_ARGUMENT', `cluster "${name}": its server is not an http or https URL`);
  }
  const execConfig = entry.extensions?.find((extension) => extension.name === 'client.authentication.k8s.io/exec');
  return {
    name,
    server: server.replace(/\/+$/, ''),
    skipTLSVerify,
    ...optional('caData', entry['certificate-authority-data']),
    ...optional('caFile', entry['certificate-authority']),
    ...optional('tlsServerName', entry['tls-server-name']),
    ...optional('proxyUrl', entry['proxy-url']),
    ...optional('execConfig', execConfig?.extension),
  };
}

function userOf(name: string, entry: z.infer<typeof UserEntry> | undefined, options: KubeConfigOptions): KubeUser {
  const provider = entry?.['auth-provider'];
  return {
    name,
    ...optional('certData', entry?.['client-certificate-data']),
    ...optional('certFile', entry?.['client-certificate']),
    ...optional('keyData', entry?.['client-key-data']),
    ...optional('keyFile', entry?.['client-key']),
    ...optional('token', entry?.token),
    ...optional('tokenFile', entry?.tokenFile),
    ...optional('username', entry?.username),
    ...optional('password', entry?.password),
    ...optional('exec', entry?.exec ?? undefined),
    ...optional('authProvider', provider ? { name: provider.name, config: provider.config ?? {} } : undefined),
    ...optional('impersonate', impersonation(entry, options)),
  };
}

function impersonation(
  entry: z.infer<typeof UserEntry> | undefined,
  options: KubeConfigOptions,
): Impersonation | undefined {
  const user = options.as || entry?.as;
  const uid = options.asUid || entry?.['as-uid'];
  const groups = options.asGroup?.length ? options.asGroup : (entry?.['as-groups'] ?? []);
  const extra = entry?.['as-user-extra'] ?? {};
  if (user !== undefined) return { user, groups, extra, ...optional('uid', uid) };
  if (uid === undefined && groups.length + Object.keys(extra).length === 0) return undefined;
  throw new RestoreHooksError('INVALID_ARGUMENT', 'a group or uid can be impersonated only together with a user', {
    hint: 'give --as USER as well',
  });
}

/** The ServiceAccount of the pod that this runs in. Its token is named, not read: it is exchanged every hour. */
function inClusterConfig(options: KubeConfigOptions): KubeConfig | undefined {
  const directory = options.serviceAccountDir ?? '/var/run/secrets/kubernetes.io/serviceaccount';
  const host = options.env['KUBERNETES_SERVICE_HOST'];
  const port = options.env['KUBERNETES_SERVICE_PORT'];
  const tokenFile = path.join(directory, 'token');
  if (!host || !port || !existsSync(tokenFile)) return undefined;
  const caFile = path.join(directory, 'ca.crt');
  const namespaceFile = path.join(directory, 'namespace');
  return {
    cluster: {
      name: 'in-cluster',
      server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      skipTLSVerify: false,
      ...(existsSync(caFile) && { caFile }),
    },
    user: { ...userOf('in-cluster', undefined, options), tokenFile },
    ...(existsSync(namespaceFile) && { namespace: readFileSync(namespaceFile, 'utf8').trim() }),
    env: options.env,
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
