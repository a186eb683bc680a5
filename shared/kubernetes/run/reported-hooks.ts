import { objectsNamespace } from '../../core/manifests/run-objects.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import type { RunStatus } from '../../core/report/run-status.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';
import { decompress } from './compressed-parts.ts';
import { REPORT_KEY, reportNames } from './run-store.ts';

/** What a hook of a report is called. */
export interface ReportedHook {
  readonly id: string;
  readonly namespace: string;
  readonly pod: string;
  readonly name: string;
}

/**
 * The hooks of a run by its report, for shell completion: only as many parts are read as it takes to know all hooks, and
 * the rest of their rows is not checked.
 */
export async function reportedHooks(
  client: Pick<KubeClient, 'get'>,
  restore: Pick<RestoreReference, 'namespace' | 'runNamespace' | 'name'>,
  status: Pick<RunStatus, 'runID' | 'reportParts' | 'shards' | 'counts'>,
): Promise<ReportedHook[]> {
  const hooks = new Map<string, ReportedHook>();
  for (const secretName of reportNames(restore, status)) {
    if (hooks.size >= status.counts.planned) break;
    const { data } = await client.get(paths.secrets(objectsNamespace(restore), secretName));
    const { [REPORT_KEY]: text = '' } = data as Record<string, string>;
    const report = decompress(Buffer.from(text, 'base64'), `Secret ${secretName}`) as { hooks: ReportedHook[] };
    for (const { id, namespace: where, pod, name: called } of report.hooks) {
      hooks.set(id, { id, namespace: where, pod, name: called });
    }
  }
  return [...hooks.values()];
}
