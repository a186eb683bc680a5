import { RestoreHooksError } from '../core/errors.ts';
import { restoreOwner } from '../core/manifests/job.ts';
import { ANNOTATION, reportSecretName, runLabels, runName } from '../core/names.ts';
import { cancelOf } from '../core/report/cancel-request.ts';
import type { RestoreReference } from '../core/report/plan-document.ts';
import type { ReportPart as ReportPartDocument, RunHook } from '../core/report/run-document.ts';
import { joinReport, ReportPart } from '../core/report/run-document.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { parseRunStatus, progressLine, statusText } from '../core/report/run-status.ts';
import type { RunStore, Wishes } from '../ports/ports.ts';
import { kubeApiError } from './api-error.ts';
import type { KubeClient, KubeObject } from './client.ts';
import { compressRows, decompress } from './compressed-parts.ts';
import { paths } from './paths.ts';

export const MANAGER = 'kubectl-restorehooks';
const REPORT_KEY = 'report.json.gz';

/**
 * Where one run is written down by the runner that has claimed it (`status` is what it wrote then, `runner` which one of
 * the run's runners it is): annotations on its Restore, its report in Secrets beside it. `RUN_BY_ANOTHER` where the
 * status is another's by now.
 */
export function kubernetesRunStore(
  client: Pick<KubeClient, 'get' | 'patch' | 'create'>,
  restore: RestoreReference,
  status: RunStatus,
  runner: number,
  selector: ReportPartDocument['selector'],
): RunStore {
  const path = paths.restores(restore.namespace, restore.name);
  const run = runName(restore.name, status.runID);
  let parts = status.reportParts;
  /** What stands in the status, as far as this runner knows. */
  let text: string | undefined = statusText(status);
  const unchanged = () => (text === undefined ? [] : [{ op: 'test', path: pointer(ANNOTATION.status), value: text }]);
  return {
    async annotate(annotations) {
      for (let tries = 1; ; tries += 1) {
        try {
          const patch = [...unchanged(), ...Object.entries(annotations).map(annotationChange)];
          const object = await client.patch(path, patch, 'json', { fieldManager: MANAGER });
          text = annotations[ANNOTATION.status] ?? text;
          return wishesOf(object, status.runID);
        } catch (error) {
          if (kubeApiError(error)?.status !== 422 || tries >= OWN_TRIES) throw error;
          text = await ownText();
        }
      }
    },
    async addToReport(rows) {
      const wrap = (some: readonly RunHook[]): ReportPartDocument => ({
        version: 1,
        runID: status.runID,
        part: parts,
        runner,
        ...(parts === 0 && selector ? { selector } : {}),
        hooks: [...some],
      });
      for (const bytes of compressRows(rows, wrap)) {
        // That a part is there already is the doing of the runner before, or of a try that got no answer.
        while (!(await isCreated(bytes))) parts += 1;
        parts += 1;
      }
      return parts;
    },
    async setRestorePhase(from, to, annotations) {
      const changes = Object.entries(annotations).map(([key, value]) => {
        return annotationChange([key, value]);
      });
      const phase = '/status/phase';
      const test = [
        ...unchanged(),
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
      const object = await client.get(path);
      const { metadata } = object as { metadata?: { uid?: string; deletionTimestamp?: string } };
      if (metadata?.deletionTimestamp || (restore.uid !== undefined && metadata?.uid !== restore.uid)) {
        throw new RestoreHooksError('NOT_FOUND', `Restore ${restore.name} is being deleted`);
      }
      requireOwn(annotationsOf(object)[ANNOTATION.status]);
      return wishesOf(object, status.runID);
    },
  };

  /** The status as it stands, if it is this runner's own, or nobody's; so that a write without an answer is no riddle. */
  async function ownText(): Promise<string | undefined> {
    return requireOwn(annotationsOf(await client.get(path))[ANNOTATION.status]);
  }

  function requireOwn(standing: string | undefined): string | undefined {
    if (standing === undefined || standing === text) return standing;
    const parsed = parseRunStatus(standing);
    const { claimedBy } = status.runner;
    if (parsed.ok && parsed.value.runID === status.runID && parsed.value.runner.claimedBy === claimedBy)
      return standing;
    throw new RestoreHooksError('RUN_BY_ANOTHER', `another runner has claimed Restore ${restore.name}`);
  }

  /** False: there is a part of that number. */
  async function isCreated(bytes: Buffer): Promise<boolean> {
    try {
      await client.create(paths.secrets(restore.namespace), {
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
      return true;
    } catch (error) {
      if (kubeApiError(error)?.reason !== 'AlreadyExists') throw error;
      return false;
    }
  }
}

/** Create an object whose name nobody else uses: that it is there already means that an earlier try got through. */
export async function createOnce(client: Pick<KubeClient, 'create'>, path: string, object: object): Promise<void> {
  try {
    await client.create(path, object);
  } catch (error) {
    if (kubeApiError(error)?.reason !== 'AlreadyExists') throw error;
  }
}

const OWN_TRIES = 3;

const pointer = (annotation: string): string =>
  `/metadata/annotations/${annotation.replaceAll('~', '~0').replaceAll('/', '~1')}`;

const annotationChange = ([key, value]: readonly [string, string | null]) =>
  value === null ? { op: 'remove', path: pointer(key) } : { op: 'add', path: pointer(key), value };

const annotationsOf = (object: KubeObject): Readonly<Record<string, string | undefined>> =>
  (object['metadata'] as { annotations?: Record<string, string> } | undefined)?.annotations ?? {};

function wishesOf(object: KubeObject, runID: string): Wishes {
  const cancel = cancelOf(annotationsOf(object)[ANNOTATION.cancelRequested], runID);
  return cancel === undefined ? {} : { cancel };
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
