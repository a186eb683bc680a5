import type { AuditedRequest } from './audit.ts';
import { auditOf } from './audit.ts';
import type { Loose, Ran, Scene, Suite } from './harness.ts';
import { entry, exec, mark, waitFor } from './harness.ts';

/** How many pods are asked for at once. */
const AT_ONCE = 20;

export async function inGroups<T>(
  items: readonly T[],
  size: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  for (let at = 0; at < items.length; at += size) await Promise.all(items.slice(at, at + size).map(work));
}

/** Many pods that are up, and a Restore with two hooks for each. */
export async function crowd(e2e: Suite, title: string, size: number): Promise<{ scene: Scene; pods: string[] }> {
  const scene = await e2e.scene(title);
  const pods = Array.from({ length: size }, (_, index) => `web-${index}`);
  await inGroups(pods, AT_ONCE, (pod) => scene.pod(pod, { wait: false }));
  const areUp = async () => {
    const all: Loose[] = await e2e.cluster.list('pods', scene.namespace);
    return all.filter(({ status }) => status.phase === 'Running').length === size;
  };
  await waitFor(`${size} pods to be up`, areUp, 400_000);
  await scene.restore({ hooks: [entry([exec(mark('first')), exec(mark('second'))])] });
  return { scene, pods };
}

/** Runs `apply` as a user with all rights. Also returns the requests of that user and of the runner, if they are logged. */
export async function auditedApply(
  e2e: Suite,
  scene: Scene,
): Promise<{ ran: Ran; requests: AuditedRequest[] | undefined }> {
  const everything = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };
  const user = await e2e.userWith([everything]);
  const answer = await user('version', '-o', 'json', '-n', e2e.velero);
  if (answer.code !== 0) throw new Error(answer.stderr);
  const accounts = (await e2e.cluster.list('serviceAccounts', e2e.velero)).map(({ metadata }) => metadata.name);
  const audited = auditOf(e2e.cluster);
  const ran = await user('apply', scene.name, '-n', e2e.velero, '-o', 'json');
  // Both the user and the runner are ServiceAccounts of this namespace.
  const users = accounts.map((name) => `system:serviceaccount:${e2e.velero}:${name}`);
  return { ran, requests: audited?.(users) };
}
