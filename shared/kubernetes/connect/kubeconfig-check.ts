import { accessSync, constants } from 'node:fs';
import { RestoreHooksError } from '../../core/errors.ts';
import type { KubeCluster } from './kube-cluster.ts';
import type { UserEntry } from './kubeconfig-file.ts';
import { codeOf } from './kubeconfig-file.ts';

/** The versions that kubectl speaks with credential plugins. */
const PLUGIN_VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];
const INTERACTIVE_MODES = ['Never', 'IfAvailable', 'Always'];

/**
 * Refuse a cluster and a user that kubectl refuses (R7.14; client-go's `clientcmd/validation.go` and `rest`). If we
 * accepted what kubectl refuses, we might work on another cluster, or as another user, than kubectl would.
 * `cluster` undefined: that of the pod.
 */
export function requireUsable(cluster: KubeCluster | undefined, userName: string, user: Partial<UserEntry>): void {
  if (cluster !== undefined) requireCluster(cluster);
  const of = `user "${userName}"`;
  const { token, tokenFile, username, password, exec, 'auth-provider': provider } = user;
  const isBasic = username !== undefined || password !== undefined;
  if (token !== undefined && isBasic) throw refused(`${of} has both a token and a password`, 'keep one of them');
  requireCertificate(of, user);
  if (exec) requirePlugin(of, exec, provider);
  if (provider) requireProvider(of, provider.name ?? '');
  const { as, 'as-uid': uid, 'as-groups': groups, 'as-user-extra': extra } = user;
  if (as === undefined && (uid !== undefined || groups?.length || Object.keys(extra ?? {}).length > 0)) {
    throw refused('a group, uid or extra can be impersonated only together with a user', 'give --as USER as well');
  }
  const isKnown = token ?? tokenFile ?? username ?? user['client-certificate'] ?? user['client-certificate-data'];
  if (isKnown === undefined && !exec && !provider && !cluster?.server.startsWith('http:')) {
    throw refused(
      userName === '' ? 'the context names no user' : `${of} is not in the kubeconfig, or has no credentials`,
      'kubectl would ask for a name and a password; log in, or choose another --context or --user',
    );
  }
}

function requireCluster({ name, caData, caFile, skipTLSVerify, proxyUrl }: KubeCluster): void {
  const of = `cluster "${name}"`;
  if (caData !== undefined && caFile !== undefined) {
    throw refused(`${of} has both certificate-authority and certificate-authority-data`, 'keep one of them');
  }
  if ((caData ?? caFile) !== undefined && skipTLSVerify) {
    throw refused(`${of} has a certificate authority, and insecure-skip-tls-verify too`, 'keep one of them');
  }
  requireFile(of, caFile);
  if (proxyUrl !== undefined && !/^(https?|socks5h?):$/.test(URL.parse(proxyUrl)?.protocol ?? '')) {
    // The URL itself may hold a password.
    throw refused(`${of}: its proxy-url is not an http, https or socks5 URL`, 'write it as http://HOST:PORT');
  }
}

function requireCertificate(of: string, user: Partial<UserEntry>): void {
  const { 'client-certificate': cert, 'client-certificate-data': certData } = user;
  const { 'client-key': key, 'client-key-data': keyData } = user;
  if ((cert ?? certData) === undefined) return;
  if (cert !== undefined && certData !== undefined) {
    throw refused(`${of} has both client-certificate and client-certificate-data`, 'keep one of them');
  }
  if (key !== undefined && keyData !== undefined) {
    throw refused(`${of} has both client-key and client-key-data`, 'keep one of them');
  }
  if ((key ?? keyData) === undefined)
    throw refused(`${of} has a client certificate, and no key for it`, 'add client-key');
  requireFile(of, cert);
  requireFile(of, key);
}

function requirePlugin(
  of: string,
  exec: NonNullable<UserEntry['exec']>,
  provider: UserEntry['auth-provider'] | undefined,
): void {
  if (provider) throw refused(`${of} has both an exec plugin and an auth-provider`, 'keep one of them');
  if (exec.command === undefined) throw refused(`${of}: exec names no command`, 'add it');
  if (!PLUGIN_VERSIONS.includes(exec.apiVersion ?? '')) {
    const found = exec.apiVersion === undefined ? 'has no apiVersion' : `has apiVersion ${exec.apiVersion}`;
    throw refused(`${of}: exec ${found}, expected ${PLUGIN_VERSIONS.join(' or ')}`, 'update the plugin and its entry');
  }
  if ((exec.env ?? []).some(({ name }) => name === undefined)) throw refused(`${of}: a variable of exec has no name`);
  const { interactiveMode } = exec;
  if (interactiveMode === undefined && exec.apiVersion === PLUGIN_VERSIONS[1]) return;
  if (!INTERACTIVE_MODES.includes(interactiveMode ?? '')) {
    const found = interactiveMode === undefined ? 'is missing' : `is ${interactiveMode}`;
    throw refused(`${of}: exec.interactiveMode ${found}, expected ${INTERACTIVE_MODES.join(', ')}`);
  }
}

function requireProvider(of: string, name: string): void {
  if (name === 'oidc') return;
  const instead: Readonly<Record<string, string>> = { gcp: 'gke-gcloud-auth-plugin', azure: 'kubelogin' };
  const hint = instead[name] && `use the credential plugin ${instead[name]}`;
  throw refused(`${of}: the auth-provider "${name}" is ${hint ? 'no longer supported' : 'not known'}`, hint);
}

function requireFile(of: string, file: string | undefined): void {
  if (file === undefined) return;
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    throw new RestoreHooksError('INVALID_ARGUMENT', `${of}: ${file} can't be read (${codeOf(error)})`, {
      hint: 'check the path: in a kubeconfig it is relative to that file',
      cause: error,
    });
  }
}

const refused = (message: string, hint?: string): RestoreHooksError =>
  new RestoreHooksError('INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });
