import { RestoreHooksError } from '../../core/errors.ts';
import { restoreOwner } from '../../core/manifests/job.ts';
import { ANNOTATION, reportSecretName, runLabels, runName } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import { cancelOf } from '../../core/report/cancel-request.ts';
import type { ReportHead, ReportPart as ReportPartDocument, RunHook } from '../../core/report/run-document.ts';
import { joinReport, ReportPart } from '../../core/report/run-document.ts';
import type { RunStatus } from '../../core/report/run-status.ts';
import { parseRunStatus, progressLine, statusText } from '../../core/report/run-status.ts';
import type { RunStore, Wishes } from '../../ports/ports.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import { describeRefusal } from '../api/refused-request.ts';
import { sideBySide } from '../api/side-by-side.ts';
import { compressRows, decompress } from './compressed-parts.ts';

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
  head: ReportHead,
): RunStore {
  const { runID } = status;
  const own = claimedRestore(client, restore, status);
  let parts = status.reportParts;
  return {
    async annotate(annotations) {
      return wishesOf(requireStaying(await own.change(() => ({ annotations }))), runID);
    },
    async addToReport(rows) {
      const wrap = (some: readonly RunHook[]): ReportPartDocument => ({
        version: 1,
        runID,
        part: parts,
        runner,
        ...(parts === 0 ? head : {}),
        hooks: [...some],
      });
      for (const bytes of compressRows(rows, wrap)) {
        // That a part is there already is the doing of the runner before, or of a try that got no answer.
        while (!(await createReportPart(client, restore, runID, parts, bytes))) parts += 1;
        parts += 1;
      }
      return parts;
    },
    async setRestorePhase(from, to, annotations) {
      // A phase that is another one by now isn't ours to change (R5.5).
      await own.change(({ phase }) => (phase === from ? { annotations, status: { phase: to } } : undefined));
    },
    async checkRestore() {
      return wishesOf(requireStaying(await own.read()), runID);
    },
  };

  function requireStaying(standing: Standing): Standing {
    if (!standing.isBeingDeleted) return standing; // R5.2
    throw new RestoreHooksError('NOT_FOUND', `Restore ${restore.name} is being deleted`);
  }
}

/** A Restore as its run's runner looks at it. */
interface Standing {
  readonly resourceVersion: string;
  readonly isBeingDeleted: boolean;
  readonly annotations: Readonly<Record<string, string | undefined>>;
  readonly phase: string | undefined;
}

/** What is set of a Restore; null takes an annotation away. */
interface Change {
  readonly annotations: Readonly<Record<string, string | null>>;
  readonly status?: { readonly phase: string };
}

/** Velero writes a Restore at most once a second: somebody who writes it more often has to be waited for. */
const CONFLICTS_AT_MOST = 10;

/**
 * The Restore of a run (R5.10), read and written while the run is still this runner's. Every write is a merge patch that holds
 * the resourceVersion of what was decided on. (A JSON Patch `test` won't do: the API server compares texts as Go's JSON
 * has them, in which `<`, `>` and `&` are escaped.) Velero and users write the same object: on a conflict it is read
 * again, and decided again.
 */
function claimedRestore(
  client: Pick<KubeClient, 'get' | 'patch' | 'create'>,
  restore: RestoreReference,
  status: RunStatus,
) {
  const path = paths.restores(restore.namespace, restore.name);
  const { namespace, name } = restore;
  const asked = (verb: 'get' | 'patch') => ({ verb, group: 'velero.io', resource: 'restores', namespace, name });
  /** Undefined: to be read before the next write. */
  let last: Standing | undefined;
  return {
    async read(): Promise<Standing> {
      const object = await client.get(path).catch((error: unknown) => {
        throw describeRefusal(asked('get'), error);
      });
      last = requireOwn(standingOf(object, restore));
      return last;
    },
    /** `decide` answers what to change, undefined for nothing. Returns how the Restore stands then. */
    async change(decide: (standing: Standing) => Change | undefined): Promise<Standing> {
      for (let tries = 1; ; tries += 1) {
        const standing: Standing = last ?? (await this.read());
        const change = decide(standing);
        if (change === undefined) return standing;
        // Nobody knows how it stands after a write without an answer.
        last = undefined;
        const { annotations, ...rest } = change;
        const body = { metadata: { resourceVersion: standing.resourceVersion, annotations }, ...rest };
        try {
          last = standingOf(await client.patch(path, body, 'merge', { fieldManager: MANAGER }), restore);
          return last;
        } catch (error) {
          const isConflict = error instanceof RestoreHooksError && error.code === 'WRITE_CONFLICT';
          if (!isConflict || tries >= CONFLICTS_AT_MOST) throw describeRefusal(asked('patch'), error);
        }
      }
    },
  };

  /** The status is this runner's own, or somebody took it away. */
  function requireOwn(standing: Standing): Standing {
    const text = standing.annotations[ANNOTATION.status];
    if (text === undefined) return standing;
    const parsed = parseRunStatus(text);
    const { claimedBy } = status.runner;
    if (parsed.ok && parsed.value.runID === status.runID && parsed.value.runner.claimedBy === claimedBy)
      return standing;
    throw new RestoreHooksError('RUN_BY_ANOTHER', `another runner has claimed Restore ${restore.name}`);
  }
}

function standingOf(object: KubeObject, { name, uid }: RestoreReference): Standing {
  const { metadata, status } = object as {
    metadata?: { uid?: string; resourceVersion?: string; deletionTimestamp?: string };
    status?: { phase?: string };
  };
  if (uid !== undefined && metadata?.uid !== uid) {
    throw new RestoreHooksError('NOT_FOUND', `Restore ${name} was deleted, and another Restore has its name now`);
  }
  return {
    resourceVersion: metadata?.resourceVersion ?? '',
    isBeingDeleted: metadata?.deletionTimestamp !== undefined,
    annotations: annotationsOf(object),
    phase: status?.phase,
  };
}

/** Create one part of a run's report. False: there is a part of that number. */
async function createReportPart(
  client: Pick<KubeClient, 'create'>,
  restore: RestoreReference,
  runID: string,
  part: number,
  bytes: Buffer,
): Promise<boolean> {
  const { namespace } = restore;
  const name = reportSecretName(runName(restore.name, runID), part);
  try {
    await client.create(paths.secrets(restore.namespace), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name,
        namespace,
        labels: runLabels(restore.name, runID),
        ownerReferences: [restoreOwner(restore)],
      },
      type: 'restorehooks.io/report',
      immutable: true, // R5.13
      data: { [REPORT_KEY]: bytes.toString('base64') },
    });
    return true;
  } catch (error) {
    if (kubeApiError(error)?.reason === 'AlreadyExists') return false;
    throw describeRefusal({ verb: 'create', group: '', resource: 'secrets', namespace, name }, error);
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

const annotationsOf = (object: KubeObject): Readonly<Record<string, string | undefined>> =>
  (object['metadata'] as { annotations?: Record<string, string> } | undefined)?.annotations ?? {};

function wishesOf({ annotations }: Standing, runID: string): Wishes {
  const cancel = cancelOf(annotations[ANNOTATION.cancelRequested], runID);
  return cancel === undefined ? {} : { cancel };
}

/**
 * The status of the Restore's run (R6.1.3), or undefined where there has been none: also where the annotation is that of another
 * Restore, of which this one is a copy.
 */
export function runStatusOf(restore: {
  metadata: { name: string; uid?: string | null | undefined; annotations: Readonly<Record<string, string>> };
}): RunStatus | undefined {
  const { name, uid, annotations } = restore.metadata;
  const text = annotations[ANNOTATION.status];
  if (text === undefined) return undefined;
  const parsed = parseRunStatus(text);
  if (parsed.ok) return parsed.value.restoreUID === (uid || undefined) ? parsed.value : undefined;
  throw new RestoreHooksError('INVALID_INPUT', `the annotation ${ANNOTATION.status} of Restore ${name} can't be read`, {
    hint: 'if a newer version wrote it, use that version; if it was changed by hand, remove it',
  });
}

/**
 * Write the status of a run (R5.9), where the Restore is still the one that was read. Rejects with `WRITE_CONFLICT` where it
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
  const parts = Array.from({ length: Math.max(0, reportParts - from) }, (_, index) => from + index);
  return sideBySide(parts, async (part) => {
    const name = reportSecretName(run, part);
    return reportPartIn(await client.get(paths.secrets(restore.namespace, name)), name);
  });
}

export const REPORT_TYPE = 'restorehooks.io/report';

/** The part of a report that a Secret holds. */
export function reportPartIn(secret: KubeObject, name: string): ReportPartDocument {
  const { data } = secret as { data?: Record<string, string> };
  const value = decompress(Buffer.from(data?.[REPORT_KEY] ?? '', 'base64'), `Secret ${name}`);
  const parsed = ReportPart.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RestoreHooksError('INVALID_INPUT', `Secret ${name} is not a report that this version can read`);
}

export const readReport = async (...args: Parameters<typeof readReportParts>): Promise<RunHook[]> =>
  joinReport(await readReportParts(...args));
