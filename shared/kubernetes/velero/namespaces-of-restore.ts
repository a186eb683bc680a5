import { compileIncludesExcludes } from '../../core/model/includes-excludes.ts';
import type { Restore } from '../../core/model/restore.ts';
import { DNS_LABEL } from '../../core/names.ts';
import { restoreSelector } from '../../core/plan/pods-of-restore.ts';
import { targetOf } from '../../core/plan/restored-pod.ts';
import type { KubeClient } from '../api/client.ts';
import { listPods } from './restores.ts';

/**
 * The namespaces that a Restore restores to: those that it names, after its namespaceMapping. If it names none, or only
 * patterns, they are those in which its pods are (R8.86).
 */
export async function namespacesOfRestore(
  client: Pick<KubeClient, 'list'>,
  { metadata, spec }: Restore,
): Promise<string[]> {
  const { includedNamespaces, excludedNamespaces } = spec;
  const isNamed = includedNamespaces.length > 0 && includedNamespaces.every((name) => DNS_LABEL.test(name));
  if (isNamed) {
    const { admits } = compileIncludesExcludes(includedNamespaces, excludedNamespaces);
    return [...new Set(includedNamespaces.filter(admits).map((name) => targetOf(spec, name)))];
  }
  const { pods } = await listPods(client, restoreSelector(metadata.name), undefined);
  return [...new Set(pods.map((pod) => pod.metadata.namespace))].sort();
}
