import { parseJson, parseWithoutLists } from './parse-json.ts';
import type { Entry } from './tar-entries.ts';
import { entriesOf, invalid } from './tar-entries.ts';

/** The contents of a backup as Velero stores them: a gzipped tar of JSON files. */
export interface BackupArchive {
  /** How errors name the archive. */
  readonly name: string;
  /** Read the archive from its start. */
  open(): Promise<AsyncIterable<Uint8Array>>;
}

export type ManifestObject = Readonly<Record<string, unknown>>;

/** A pod of the archive: what `use` returned for it, or why it can't be read. */
export interface ArchivedPod<T> {
  readonly namespace: string;
  readonly name: string;
  /** The path of the pod's file in the archive. */
  readonly place: string;
  readonly result: { readonly value: T } | { readonly problem: string };
}

export interface ArchivedPods<T> {
  readonly pods: readonly ArchivedPod<T>[];
  /** Undefined if the archive doesn't tell it. */
  readonly formatVersion: string | undefined;
}

const MAX_POD = 8 * 1024 * 1024;
/** Three times as many pods as Kubernetes supports in one cluster. */
const MAX_PODS = 500_000;
const MAX_VERSION = 64;

/** Keys whose lists make up most of a pod. Neither a plan nor lint looks at them, so they are not parsed. */
const PASSED_OVER = new Set(['managedFields', 'env', 'volumes', 'volumeMounts', 'conditions', 'containerStatuses']);

/**
 * Read the archive once and call `use` with each pod; only what `use` returns is kept. The lists under `PASSED_OVER`
 * are empty in these pods; {@link wholePods} gives whole pods. An archive holds a pod once for each version of its API;
 * the copy in the cluster's preferred version is used.
 */
export async function readPods<T>(
  archive: BackupArchive,
  use: (pod: ManifestObject, place: string) => T,
): Promise<ArchivedPods<T>> {
  const found = new Map<string, { readonly rank: number; readonly pod: ArchivedPod<T> }>();
  let formatVersion: string | undefined;
  let resources = 0;
  // The copies of a pod follow each other. A copy is parsed once it is clear that no better one follows.
  let held: { readonly path: PodPath; readonly body: Buffer | undefined } | undefined;
  const settle = (): void => {
    if (held === undefined) return;
    const { path, body } = held;
    held = undefined;
    const pod = podOf(path, body, (json) => parseWithoutLists(json, PASSED_OVER), use);
    found.set(path.key, { rank: path.rank, pod });
    if (found.size > MAX_PODS) throw invalid(`${archive.name}: more than ${MAX_PODS} pods`);
  };
  for await (const entry of entriesOf(await archive.open(), archive.name)) {
    if (entry.path === 'metadata/version') {
      formatVersion = await readVersion(entry, archive.name);
      continue;
    }
    if (entry.path.startsWith('resources/')) resources += 1;
    const path = podPath(entry.path);
    if (path === undefined) continue;
    if (held !== undefined && held.path.key !== path.key) settle();
    const best = held?.path.rank ?? found.get(path.key)?.rank ?? 0;
    if (path.rank < best) continue;
    held = { path, body: entry.size > MAX_POD ? undefined : await entry.body() };
  }
  settle();
  if (formatVersion === undefined && resources === 0) {
    throw invalid(`${archive.name}: no Velero backup: it has neither metadata/version nor resources/`);
  }
  return { pods: [...found.values()].map(({ pod }) => pod), formatVersion };
}

/** Read the archive a second time, and give some of its pods whole. `places`: as {@link readPods} named them. */
export async function* wholePods(
  archive: BackupArchive,
  places: ReadonlySet<string>,
): AsyncGenerator<ArchivedPod<ManifestObject>> {
  for await (const entry of entriesOf(await archive.open(), archive.name)) {
    const path = podPath(entry.path);
    if (path === undefined || !places.has(path.place)) continue;
    yield podOf(path, entry.size > MAX_POD ? undefined : await entry.body(), parseJson, (pod) => pod);
  }
}

async function readVersion(entry: Entry, archive: string): Promise<string> {
  const text = entry.size > MAX_VERSION ? '' : (await entry.body()).toString('utf8').trim();
  if (/^1(\.\d+)*$/.test(text)) return text;
  throw invalid(
    `${archive}: a backup of format ${JSON.stringify(text)}, expected 1.x`,
    'a newer kubectl-restorehooks may know it',
  );
}

interface PodPath {
  readonly key: string;
  readonly place: string;
  readonly namespace: string;
  readonly name: string;
  /** Which copy of a pod is used: that of the preferred version, else that of old archives, which have no versions. */
  readonly rank: number;
}

const POD = /^resources\/pods\/(?:([^/]+)\/)?namespaces\/([^/]+)\/([^/]+)\.json$/;

function podPath(place: string): PodPath | undefined {
  const [, version, namespace = '', name = ''] = POD.exec(place) ?? [];
  if (name === '') return undefined;
  const rank = version === undefined ? 2 : version.endsWith('-preferredversion') ? 3 : 1;
  return { key: `${namespace}/${name}`, place, namespace, name, rank };
}

function podOf<T>(
  path: PodPath,
  body: Buffer | undefined,
  parse: (json: Buffer) => unknown,
  use: (pod: ManifestObject, place: string) => T,
): ArchivedPod<T> {
  const { namespace, name, place } = path;
  const pod = (result: ArchivedPod<T>['result']): ArchivedPod<T> => ({ namespace, name, place, result });
  if (body === undefined) return pod({ problem: 'longer than 8 MiB' });
  const value = parse(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return pod({ problem: 'not a JSON object' });
  const object = value as ManifestObject;
  const { name: ownName, namespace: ownNamespace } = (object['metadata'] ?? {}) as ManifestObject;
  if (object['kind'] !== 'Pod' || ownName !== name || ownNamespace !== namespace) {
    return pod({ problem: 'another object than its path says' });
  }
  return pod({ value: use(object, place) });
}
