import { readFileSync } from 'node:fs';
import path from 'node:path';
import { load, YAML11_SCHEMA } from 'js-yaml';
import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';

/** A string that is empty is one that isn't there, as Go has it. */
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

/** What the kubeconfig files say together. */
export interface Merged {
  currentContext: string | undefined;
  readonly clusters: Map<string, ClusterEntry>;
  readonly users: Map<string, UserEntry>;
  readonly contexts: Map<string, ContextEntry>;
}

/**
 * Read kubeconfig files as kubectl does: of each name, and of the current context, the first file that has it counts;
 * a missing file is passed over; a relative path belongs to the file that it stands in.
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

/** A name that stands twice in one file is an error, and not a choice between the two. */
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

/** A plugin that is named without a slash is found on the PATH. */
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

/** kubectl reads no document behind the first, right or wrong, and of a key that stands twice the last value. */
function firstDocument(file: string, content: string): unknown {
  const lines = content.replace(/^\uFEFF/, '').split('\n');
  const start = lines.findIndex((line) => !/^\s*(#.*)?$/.test(line));
  const end = lines.findIndex((line, index) => index > start && /^(---|\.\.\.)(\s|$)/.test(line));
  const first = lines.slice(0, end === -1 ? undefined : end).join('\n');
  try {
    return first.trim() === '' ? undefined : load(first, { schema: YAML11_SCHEMA, json: true });
  } catch {
    // The parser's message quotes the file, which holds secrets.
    throw new RestoreHooksError('INVALID_ARGUMENT', `kubeconfig ${file} is not valid YAML`);
  }
}

const invalid = (file: string, why: string): RestoreHooksError =>
  new RestoreHooksError('INVALID_ARGUMENT', `kubeconfig ${file} is not valid: ${why}`);

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
