import { accessSync, constants, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { loadAll } from 'js-yaml';
import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import { codeOf } from './kubeconfig-file.ts';

/** Which credential plugins may be started, by the user's kuberc, as for kubectl. */
export interface PluginPolicy {
  readonly file: string;
  readonly type: 'DenyAll' | 'Allowlist';
  readonly allowed: readonly string[];
}

const Preference = z.object({
  apiVersion: z.enum(['kubectl.config.k8s.io/v1beta1', 'kubectl.config.k8s.io/v1alpha1']),
  kind: z.literal('Preference'),
  credentialPluginPolicy: z.string().nullish(),
  credentialPluginAllowlist: z.array(z.object({ name: z.string().nullish() })).nullish(),
});

/**
 * The policy of `--kuberc`, `$KUBERC` or `~/.kube/kuberc` (kubectl's `pkg/kuberc`); undefined: any plugin may be
 * started. A file that the flag or the variable names must exist and be valid. The default file is ignored if it isn't.
 */
export function pluginPolicy(named: string | undefined, env: NodeJS.ProcessEnv): PluginPolicy | undefined {
  if (env['KUBECTL_KUBERC'] === 'false') return undefined;
  if (env['KUBERC'] === 'off') {
    if (!named) return undefined;
    throw refused('--kuberc and KUBERC=off exclude each other');
  }
  const { file, isNamed } = kubercFile(named, env);
  const preference = read(file, isNamed);
  if (preference?.apiVersion !== 'kubectl.config.k8s.io/v1beta1') return undefined;
  return policyOf(file, preference);
}

/** The file to read, and whether the flag or the variable names it. */
export function kubercFile(named: string | undefined, env: NodeJS.ProcessEnv) {
  const explicit = named || env['KUBERC'];
  const file = explicit || path.join(env['HOME'] || env['USERPROFILE'] || homedir(), '.kube', 'kuberc');
  return { file, isNamed: explicit !== undefined && explicit !== '' };
}

function read(file: string, isNamed: boolean): z.infer<typeof Preference> | undefined {
  try {
    const documents = loadAll(readFileSync(file, 'utf8'));
    const [preference] = documents.flatMap((document) => Preference.safeParse(document).data ?? []);
    if (preference !== undefined) return preference;
  } catch (error) {
    if (isNamed && codeOf(error) !== undefined) throw refused(`kuberc ${file} can't be read (${codeOf(error)})`);
  }
  if (isNamed) throw refused(`kuberc ${file} holds no Preference of kubectl.config.k8s.io/v1beta1`);
  return undefined;
}

function policyOf(file: string, preference: z.infer<typeof Preference>): PluginPolicy | undefined {
  const { credentialPluginPolicy: type, credentialPluginAllowlist: list } = preference;
  if (!type || type === 'AllowAll' || type === 'DenyAll') {
    if (list) throw refused(`kuberc ${file}: credentialPluginAllowlist goes with credentialPluginPolicy: Allowlist`);
    return type === 'DenyAll' ? { file, type, allowed: [] } : undefined;
  }
  if (type !== 'Allowlist') {
    throw refused(`kuberc ${file}: credentialPluginPolicy is ${type}, expected AllowAll, DenyAll or Allowlist`);
  }
  const allowed = (list ?? []).map(({ name }) => name ?? '');
  if (allowed.length === 0) throw refused(`kuberc ${file}: its credentialPluginAllowlist is empty`);
  for (const name of allowed) {
    if (name === '' || path.normalize(name) !== name) {
      throw refused(`kuberc ${file}: credentialPluginAllowlist: "${name}" is no plain name or path of a plugin`);
    }
  }
  return { file, type, allowed };
}

/** Refuse a plugin that kuberc doesn't allow. It is allowed if it is listed as written, or as the PATH resolves it. */
export function requireAllowed(command: string, policy: PluginPolicy | undefined, env: NodeJS.ProcessEnv): void {
  if (policy === undefined) return;
  const found = onPath(command, env);
  const isListed =
    policy.allowed.includes(path.normalize(command)) ||
    policy.allowed.some((name) => {
      if (found === undefined) return false;
      return name === found || (path.basename(name) === path.basename(found) && onPath(name, env) === found);
    });
  if (isListed) return;
  throw new RestoreHooksError('FORBIDDEN', `credential plugin ${command} is not allowed by kuberc ${policy.file}`, {
    hint: `its credentialPluginPolicy is ${policy.type}`,
  });
}

function onPath(command: string, env: NodeJS.ProcessEnv): string | undefined {
  const places = command.includes(path.sep)
    ? [command]
    : (env['PATH'] ?? '').split(path.delimiter).map((folder) => path.join(folder, command));
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const refused = (message: string): RestoreHooksError => new RestoreHooksError('INVALID_ARGUMENT', message);
