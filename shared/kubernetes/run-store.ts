import { RestoreHooksError } from '../core/errors.ts';
import { restoreOwner } from '../core/manifests/job.ts';
import { ANNOTATION, reportSecretName, runLabels, runName } from '../core/names.ts';
import type { RestoreReference } from '../core/report/plan-document.ts';
import type { ReportPart as ReportPartDocument, RunHook } from '../core/report/run-document.ts';
import { joinReport, ReportPart } from '../core/report/run-document.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { parseRunStatus, progressLine, statusText } from '../core/report/run-status.ts';
import type { RunStore } from '../ports/ports.ts';
import { kubeApiError } from './api-error.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { compressRows, decompress } from './compressed-parts.ts';
import { paths } from './paths.ts';

export const MANAGER = 'kubectl-restorehooks';
const REPORT_KEY = 'report.json.gz';

/** Where one run is written down: annotations on its Restore, its report in Secrets beside it. */
export function kubernetesRunStore(
  client: Pick<KubeClient, 'get' | 'patch' | 'create'>,
  restore: RestoreReference,
  status: Pick<RunStatus, 'runID' | 'reportParts'>,
): RunStore {
  const path = paths.restores(restore.namespace, restore.name);
  const run = runName(restore.name, status.runID);
  let parts = status.reportParts;
  return {
    async annotate(annotations) {
      await client.patch(path, { metadata: { annotations } }, 'merge', { fieldManager: MANAGER });
    },
    async addToReport(rows) {
      const wrap = (some: readonly RunHook[]): ReportPartDocument => ({
        version: 1,
        runID: status.runID,
        part: parts,
        hooks: [...some],
      });
      for (const bytes of compressRows(rows, wrap)) {
        await createOnce(client, paths.secrets(restore.namespace), {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: {
            name: reportSecretName(run, parts),
            namespace: restore.namespace,
            labels: runLabels(restore.name, status.runID),
            ownerReferences: [restoreOwner(restore)],
          },
          type: 'restorehooks.io/report',
          immutable: true,
          data: { [REPORT_KEY]: bytes.toString('base64') },
        });
        parts += 1;
      }
      return parts;
    },
    async setRestorePhase(from, to, annotations) {
      const changes = Object.entries(annotations).map(([key, value]) => {
        const at = `/metadata/annotations/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        return value === null ? { op: 'remove', path: at } : { op: 'add', path: at, value };
      });
      const phase = '/status/phase';
      const test = [
        { op: 'test', path: phase, value: from },
        { op: 'replace', path: phase, value: to },
      ];
      try {
        await client.patch(path, [...test, ...changes], 'json', { fieldManager: MANAGER });
      } catch (error) {
        // The phase is another one by now: then it isn't ours to change.
        if (kubeApiError(error)?.status !== 422) throw error;
      }
    },
    async checkRestore() {
      const { metadata } = (await client.get(path)) as { metadata?: { uid?: string; deletionTimestamp?: string } };
      if (metadata?.deletionTimestamp || (restore.uid !== undefined && metadata?.uid !== restore.uid)) {
        throw new RestoreHooksError('NOT_FOUND', `Restore ${restore.name} is being deleted`);
      }
    },
  };
}

/** Create an object whose name nobody else uses: that it is there already means that an earlier try got through. */
export async function createOnce(client: Pick<KubeClient, 'create'>, path: string, object: object): Promise<void> {
  try {
    await client.create(path, object);
  } catch (error) {
    if (kubeApiError(error)?.reason !== 'AlreadyExists') throw error;
  }
}

/** The status of the Restore's run, or undefined where there has been none. */
export function runStatusOf(restore: {
  metadata: { name: string; annotations: Readonly<Record<string, string>> };
}): RunStatus | undefined {
  const text = restore.metadata.annotations[ANNOTATION.status];
  if (text === undefined) return undefined;
  const parsed = parseRunStatus(text);
  if (parsed.ok) return parsed.value;
  const { name } = restore.metadata;
  throw new RestoreHooksError('INVALID_INPUT', `the annotation ${ANNOTATION.status} of Restore ${name} can't be read`, {
    hint: 'was it written by a newer version, or by hand? See what stands there, and use that version or remove it',
  });
}

/**
 * Write the status of a run, where the Restore is still the one that was read. Rejects with `WRITE_CONFLICT` where it
 * has changed: read it again and decide again.
 */
export async function writeStatus(
  client: Pick<KubeClient, 'patch'>,
  restore: { readonly namespace: string; readonly name: string; readonly resourceVersion: string },
  status: RunStatus,
): Promise<KubeObject> {
  const body = {
    metadata: {
      resourceVersion: restore.resourceVersion,
      annotations: {
        [ANNOTATION.phase]: status.phase,
        [ANNOTATION.progress]: progressLine(status.counts),
        [ANNOTATION.status]: statusText(status),
      },
    },
  };
  return client.patch(paths.restores(restore.namespace, restore.name), body, 'merge', { fieldManager: MANAGER });
}

/** Read the report's parts from `from` on. */
export async function readReportParts(
  client: Pick<KubeClient, 'get'>,
  restore: Pick<RestoreReference, 'namespace' | 'name'>,
  { runID, reportParts }: Pick<RunStatus, 'runID' | 'reportParts'>,
  from = 0,
): Promise<ReportPartDocument[]> {
  const run = runName(restore.name, runID);
  const parts: ReportPartDocument[] = [];
  for (let part = from; part < reportParts; part += 1) {
    const name = reportSecretName(run, part);
    const { data } = (await client.get(paths.secrets(restore.namespace, name))) as { data?: Record<string, string> };
    const value = decompress(Buffer.from(data?.[REPORT_KEY] ?? '', 'base64'), `Secret ${name}`);
    const parsed = ReportPart.safeParse(value);
    if (!parsed.success) throw new RestoreHooksError('INVALID_INPUT', `Secret ${name} is no report of this version`);
    parts.push(parsed.data);
  }
  return parts;
}

export const readReport = async (...args: Parameters<typeof readReportParts>): Promise<RunHook[]> =>
  joinReport(await readReportParts(...args));
