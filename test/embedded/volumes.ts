import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Container, EnvVar, KeyToPath, KubeObject, Pod, VolumeSource } from './objects.ts';
import { isRecord } from './objects.ts';
import { configMaps, secrets } from './resources.ts';
import type { Store } from './store.ts';

/** A Secret or ConfigMap that a pod needs and that isn't there; the text is the kubelet's. */
export class MissingSource extends Error {
  override readonly name = 'MissingSource';
}

/** Write a pod's volumes below `root`, one folder each. */
export async function writeVolumes(store: Store, pod: Pod, root: string, token: () => string): Promise<void> {
  for (const volume of pod.spec.volumes ?? []) {
    const folder = join(root, volume.name);
    await mkdir(folder, { recursive: true });
    try {
      for (const [path, content] of filesOf(store, pod, volume, token)) {
        const file = join(folder, path);
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, content);
      }
    } catch (error) {
      if (!(error instanceof MissingSource)) throw error;
      throw new MissingSource(`MountVolume.SetUp failed for volume "${volume.name}" : ${error.message}`);
    }
  }
}

function filesOf(store: Store, pod: Pod, source: VolumeSource, token: () => string): [string, Buffer][] {
  const { secret, configMap, downwardAPI, serviceAccountToken, projected } = source;
  if (projected !== undefined) return projected.sources.flatMap((each) => filesOf(store, pod, each, token));
  if (serviceAccountToken !== undefined) return [[serviceAccountToken.path, Buffer.from(token())]];
  if (downwardAPI !== undefined) {
    return downwardAPI.items.map((item) => [item.path, Buffer.from(fieldOf(pod, item.fieldRef?.fieldPath ?? ''))]);
  }
  const wanted = secret ?? configMap;
  if (wanted === undefined) return [];
  const name = secret?.secretName ?? wanted.name ?? '';
  const of = secret === undefined ? configMaps : secrets;
  const object = store.get(of, pod.metadata.namespace, name);
  if (object === undefined) {
    if (wanted.optional) return [];
    throw new MissingSource(`${of.singular} "${name}" not found`);
  }
  return pick(dataOf(object), wanted.items);
}

function pick(data: ReadonlyMap<string, Buffer>, items: readonly KeyToPath[] | undefined): [string, Buffer][] {
  if (items === undefined) return [...data];
  return items.map(({ key, path }) => {
    const content = data.get(key);
    if (content === undefined) throw new MissingSource(`references non-existent secret key: ${key}`);
    return [path, content];
  });
}

function dataOf(object: KubeObject): Map<string, Buffer> {
  const encoding = object.kind === 'Secret' ? 'base64' : 'utf8';
  const entries = isRecord(object['data']) ? Object.entries(object['data']) : [];
  return new Map(entries.map(([key, value]) => [key, Buffer.from(String(value), encoding)]));
}

/** The downward API. */
function fieldOf(pod: Pod, path: string): string {
  const keyed = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (keyed !== null) return pod.metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2] ?? ''] ?? '';
  let value: unknown = pod;
  for (const part of path.split('.')) value = isRecord(value) ? value[part] : undefined;
  return value === undefined ? '' : String(value);
}

/** A container's environment with its references resolved; a missing source is thrown. */
export function environmentOf(store: Store, pod: Pod, container: Container): Record<string, string> {
  const result: Record<string, string> = {};
  for (const variable of container.env ?? []) {
    const value = variableValue(store, pod, variable);
    if (value !== undefined) result[variable.name] = expand(value, result);
  }
  return result;
}

function variableValue(store: Store, pod: Pod, { value, valueFrom }: EnvVar): string | undefined {
  if (valueFrom === undefined) return value ?? '';
  if (valueFrom.fieldRef !== undefined) return fieldOf(pod, valueFrom.fieldRef.fieldPath);
  const reference = valueFrom.secretKeyRef ?? valueFrom.configMapKeyRef;
  if (reference === undefined) return '';
  const of = valueFrom.secretKeyRef === undefined ? configMaps : secrets;
  const object = store.get(of, pod.metadata.namespace, reference.name);
  const content = object === undefined ? undefined : dataOf(object).get(reference.key);
  if (content !== undefined || reference.optional) return content?.toString();
  throw new MissingSource(
    object === undefined
      ? `${of.singular} "${reference.name}" not found`
      : `couldn't find key ${reference.key} in ${of.kind} ${pod.metadata.namespace}/${reference.name}`,
  );
}

/** `$(NAME)` in arguments and values, as the kubelet expands it. */
export const expand = (text: string, variables: Readonly<Record<string, string>>): string =>
  text.replace(/\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)/g, (whole, name: string) => variables[name] ?? whole);

/** Replaces mount paths in a text by the folders that stand for them, because nothing is really mounted. */
export function rewritePaths(text: string, container: Container, root: string): string {
  const mounts = [...(container.volumeMounts ?? [])].sort((a, b) => b.mountPath.length - a.mountPath.length);
  for (const { mountPath, name, subPath } of mounts) {
    const path = mountPath.replace(/\/$/, '');
    const [, before = '', rest] = new RegExp(`^((?:[^/]*=)?)${escapeRegExp(path)}($|/.*)`, 's').exec(text) ?? [];
    if (rest !== undefined) return `${before}${join(root, name, subPath ?? '')}${rest}`;
  }
  return text;
}

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
