import { readFileSync } from 'node:fs';
import path from 'node:path';
import { load, YAML11_SCHEMA } from 'js-yaml';
import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';

/** An empty string counts as absent, as in Go. */
const text = z
  .string()
  .nullish()
  .transform((value) => (value ? value : undefined));

const ExecPlugin = z.object({
  apiVersion: text,
  command: text,
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: text, value: text })).nullish(),
  installHint: text,
  interactiveMode: text,
  provideClusterInfo: z.boolean().nullish(),
});
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
  'auth-provider': z.object({ name: text, config: z.record(z.string(), z.string()).nullish() }).nullish(),
});
const ContextEntry = z.object({ cluster: text, user: text, namespace: text });
const KubeConfigFile = z
  .object({
    apiVersion: text,
    kind: text,
    clusters: z.array(z.object({ name: z.string(), cluster: ClusterEntry.nullish() })).nullish(),
    users: z.array(z.object({ name: z.string(), user: UserEntry.nullish() })).nullish(),
    contexts: z.array(z.object({ name: z.string(), context: ContextEntry.nullish() })).nullish(),
    'current-context': text,
  })
  .nullish();

export type ClusterEntry = z.infer<typeof ClusterEntry>;
export type UserEntry = z.infer<typeof UserEntry>;
export type ContextEntry = z.infer<typeof ContextEntry>;

/** All kubeconfig files, merged. */
export interface Merged {
  currentContext: string | undefined;
  readonly clusters: Map<string, ClusterEntry>;
  readonly users: Map<string, UserEntry>;
  readonly contexts: Map<string, ContextEntry>;
}

/**
 * Read kubeconfig files as kubectl does: for each name, and for the current context, the first file that has it counts;
 * a missing file is skipped; a relative path is relative to the file that contains it.
 */
export function readKubeConfigs(files: readonly string[]): Merged {
  const merged: Merged = { currentContext: undefined, clusters: new Map(), users: new Map(), contexts: new Map() };
  for (const file of files) {
    const content = parse(file);
    merged.currentContext ??= content?.['current-context'];
    const entries = (kind: 'cluster' | 'user' | 'context') => named(file, kind, content);
    for (const [name, entry] of entries('context')) addFirst(merged.contexts, name, ContextEntry.parse(entry ?? {}));
    for (const [name, entry] of entries('cluster')) {
      addFirst(merged.clusters, name, withPaths(file, ClusterEntry.parse(entry ?? {}), ['certificate-authority']));
    }
    for (const [name, entry] of entries('user')) {
      const user = withPaths(file, UserEntry.parse(entry ?? {}), ['client-certificate', 'client-key', 'tokenFile']);
      addFirst(merged.users, name, user.exec ? { ...user, exec: withPlugin(file, user.exec) } : user);
    }
  }
  return merged;
}

const LISTS = { cluster: 'clusters', user: 'users', context: 'contexts' } as const;

/**
 * The entries by their names. A name that occurs twice in one file is an error, because only one entry could be used.
 */
function named(
  file: string,
  kind: keyof typeof LISTS,
  content: z.infer<typeof KubeConfigFile>,
): Map<string, object | null | undefined> {
  const entries = new Map<string, object | null | undefined>();
  for (const entry of content?.[LISTS[kind]] ?? []) {
    if (entries.has(entry.name)) throw invalid(file, `${LISTS[kind]}: the name "${entry.name}" stands twice`);
    entries.set(entry.name, (entry as { [key in typeof kind]?: object | null })[kind]);
  }
  return entries;
}

function addFirst<T>(map: Map<string, T>, name: string, value: T): void {
  if (!map.has(name)) map.set(name, value);
}

function withPaths<T extends Readonly<Record<string, unknown>>>(file: string, entry: T, keys: readonly (keyof T)[]): T {
  const paths = keys.flatMap((key) => {
    const value = entry[key];
    return typeof value === 'string' ? [[key, path.resolve(path.dirname(file), value)]] : [];
  });
  return { ...entry, ...Object.fromEntries(paths) };
}

/** A plugin's command without a slash is searched on the PATH, so it stays as it is. */
function withPlugin(file: string, plugin: z.infer<typeof ExecPlugin>): z.infer<typeof ExecPlugin> {
  return plugin.command?.includes(path.sep) ? withPaths(file, plugin, ['command']) : plugin;
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
  const parsed = KubeConfigFile.safeParse(firstDocument(file, content));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(file, `${issue?.path.join('.') || 'it'}: ${issue?.message}`);
  }
  const { apiVersion = 'v1', kind = 'Config' } = parsed.data ?? {};
  if (apiVersion !== 'v1' || kind !== 'Config')
    throw invalid(file, `it is a ${kind} of ${apiVersion}, not a Config of v1`);
  return parsed.data;
}

/**
 * The first document only, because kubectl ignores the others. If a key occurs twice, the last value counts, as in
 * kubectl.
 */
function firstDocument(file: string, content: string): unknown {
  const lines = content.replace(/^\uFEFF/, '').split('\n');
  const start = lines.findIndex((line) => !/^\s*(#.*)?$/.test(line));
  const end = lines.findIndex((line, index) => index > start && /^(---|\.\.\.)(\s|$)/.test(line));
  const first = lines.slice(0, end === -1 ? undefined : end).join('\n');
  try {
    return first.trim() === '' ? undefined : load(first, { schema: YAML11_SCHEMA, json: true });
  } catch {
    // The parser's message is left out: it quotes the file, which contains secrets.
    throw new RestoreHooksError('INVALID_ARGUMENT', `kubeconfig ${file} is not valid YAML`, { hint: SEE });
  }
}

const invalid = (file: string, why: string): RestoreHooksError =>
  new RestoreHooksError('INVALID_ARGUMENT', `kubeconfig ${file} is not valid: ${why}`, { hint: SEE });

const SEE = 'kubectl config view --kubeconfig FILE says more; get the file again, or give another with --kubeconfig';

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
