import { readFile } from 'node:fs/promises';
import process from 'node:process';
import { auditOf, tally } from '../test/e2e/audit.ts';
import type { Suite } from '../test/e2e/harness.ts';
import { waitFor } from '../test/e2e/harness.ts';
import type { Took } from './measured.ts';
import { measure } from './measured.ts';
import type { Row } from './row.ts';
import { median, row } from './row.ts';

/** What one program took, and how many requests a hook it made. */
export interface Measured extends Took {
  readonly requests: number;
}

/** A program for so many hooks, which runs as a user of its own, so that its requests can be told from others'. */
export async function programOf(
  { cluster, velero }: Suite,
  hooks: number,
  command: readonly string[],
): Promise<() => Promise<Measured>> {
  const kubeconfig = await cluster.userWith(velero, [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]);
  const { contexts } = JSON.parse(await readFile(kubeconfig, 'utf8'));
  // `apply` starts a Job, whose requests are those of the runner's account.
  const users = [contexts[0].context.user, 'restorehooks'].map((name) => `system:serviceaccount:${velero}:${name}`);
  return async () => {
    const audited = auditOf(cluster);
    const took = await measure(command, kubeconfig);
    const requests = audited?.(users) ?? [];
    process.stderr.write(`  ${tally(requests).join(', ')}\n`);
    return { ...took, requests: requests.length / hooks };
  };
}

export function requestRow(
  what: string,
  ours: readonly Measured[],
  theirs: readonly Measured[],
  limit: number,
  source: string,
): Row {
  const of = (all: readonly Measured[]): number => median(all.map(({ requests }) => requests));
  return row({ name: `${what}, requests a hook`, ours: of(ours), reference: of(theirs), unit: '', limit, source });
}

/** Deletes a namespace and waits until its pods are gone: they would slow down what is measured next. */
export async function gone({ cluster }: Suite, namespace: string): Promise<void> {
  await cluster.remove('namespaces', undefined, namespace);
  const isGone = async () => !(await cluster.exists('namespaces', undefined, namespace));
  await waitFor(`namespace ${namespace} to go`, isGone, 600_000);
}
