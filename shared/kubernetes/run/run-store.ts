import { RestoreHooksError } from '../../core/errors.ts';
import { objectsNamespace, runMetadata } from '../../core/manifests/run-objects.ts';
import type { Shard } from '../../core/model/shard.ts';
import { isFollower } from '../../core/model/shard.ts';
import { ANNOTATION, reportSecretName, runName, shardName } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import { cancelOf } from '../../core/report/cancel-request.ts';
import type { ReportHead, ReportPart as ReportPartDocument, RunHook } from '../../core/report/run-document.ts';
import { joinReport, ReportPart } from '../../core/report/run-document.ts';
import type { RunStatus } from '../../core/report/run-status.ts';
import { hasEnded, parseRunStatus, progressLine, statusText } from '../../core/report/run-status.ts';
import type { RunStore, Wishes } from '../../ports/ports.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import { describeRefusal } from '../api/refused-request.ts';
import { sideBySide } from '../api/side-by-side.ts';
import { decompress } from './compressed-parts.ts';
import type { LiveKey } from './live-output.ts';
import { liveKeyValue, parseLiveKey } from './live-output.ts';
import { compressReport } from './report-pieces.ts';

export const MANAGER = 'kubectl-restorehooks';
/** The key of a report's part in its Secret. */
export const REPORT_KEY = 'report.json.gz';
const LIVE_KEY = 'live.json';

/** The report of one shard. */
export interface ReportOfShard {
  readonly shard?: Shard | undefined;
  /** The rows of the whole plan, some at a time, for the first shard's report to begin with. */
  readonly outline?: (() => Iterable<readonly RunHook[]>) | undefined;
}

/**
 * Writes one run into the cluster, for the runner that has claimed it: annotations on the Restore, and the report in
 * Secrets. `status` is what the runner wrote when it claimed the run, `runner` its number among the run's runners,
 * `live` what opens the output in its log, `sharded` what there is to know where the run has several shards.
 * Rejects with `RUN_BY_ANOTHER` if another runner has claimed the Restore since.
 */
export function kubernetesRunStore(
  client: Pick<KubeClient, 'get' | 'patch' | 'create'>,
  restore: RestoreReference,
  status: RunStatus,
  runner: number,
  head: ReportHead,
  live?: LiveKey,
  { shard, outline = () => [] }: ReportOfShard = {},
): RunStore {
  const { runID } = status;
  const own = claimedRestore(client, restore, status, isFollower(shard));
  const place = { restore, runID, shard };
  let parts = status.reportParts;
  let isKeyWritten = live === undefined;
  let isOutlined = parts > 0;
  return {
    async annotate(annotations) {
      return wishesOf(requireStaying(await own.change(() => ({ annotations }))), runID);
    },
    async addToReport(rows) {
      // Readers find the rows of all shards in plan order, also of those that have not begun (R8.48).
      if (!isOutlined) for (const some of outline()) await add(some, 0);
      isOutlined = true;
      await add(rows, runner);
      return parts;
    },
    async setRestorePhase(from, to, annotations) {
      // Somebody has changed the phase since: leave it (R5.5).
      await own.change(({ phase }) => (phase === from ? { annotations, status: { phase: to } } : undefined));
    },
    async checkRestore() {
      return wishesOf(requireStaying(await own.read()), runID);
    },
  };

  async function add(rows: readonly RunHook[], by: number): Promise<void> {
    const wrap = (some: Pick<ReportPartDocument, 'hooks' | 'before'>): ReportPartDocument => ({
      version: 1,
      runID,
      part: parts,
      runner: by,
      ...(shard && { shard: { index: shard.index, of: shard.of } }),
      ...(parts === 0 ? head : {}),
      ...some,
    });
    for (const bytes of compressReport(rows, wrap)) {
      const isKeyHere = !isKeyWritten && live !== undefined && by === runner;
      const data = { [REPORT_KEY]: bytes.toString('base64'), ...(isKeyHere && { [LIVE_KEY]: liveKeyValue(live) }) };
      // If the part exists, an earlier runner or a try without an answer has created it.
      while (!(await createReportPart(client, place, parts, data))) parts += 1;
      parts += 1;
      isKeyWritten ||= isKeyHere;
    }
  }

  function requireStaying(standing: Standing): Standing {
    if (!standing.isBeingDeleted) return standing; // R5.2
    throw new RestoreHooksError('NOT_FOUND', `Restore ${restore.name} is being deleted`);
  }
}

/** What a runner reads of its Restore. */
interface Standing {
  readonly resourceVersion: string;
  readonly isBeingDeleted: boolean;
  readonly annotations: Readonly<Record<string, string | undefined>>;
  readonly phase: string | undefined;
}

/** What to write to a Restore; null removes an annotation. */
interface Change {
  readonly annotations: Readonly<Record<string, string | null>>;
  readonly status?: { readonly phase: string };
}

/** Velero writes a Restore at most once a second, so more conflicts in a row come from somebody else. */
const CONFLICTS_AT_MOST = 10;

/**
 * Reads and writes the Restore of a run (R5.10), as long as this runner has the run; `isShared`: as long as the run goes on,
 * since another shard has claimed it. Every write is a merge patch with
 * the resourceVersion of the Restore that the decision was made on. Velero and users write the same object, so on a
 * conflict it is read again and decided again. (A JSON Patch `test` doesn't work: the API server compares texts in Go's
 * JSON, in which `<`, `>` and `&` are escaped.)
 */
function claimedRestore(
  client: Pick<KubeClient, 'get' | 'patch' | 'create'>,
  restore: RestoreReference,
  status: RunStatus,
  isShared: boolean,
) {
  const path = paths.restores(restore.namespace, restore.name);
  const { namespace, name } = restore;
  const asked = (verb: 'get' | 'patch') => ({ verb, group: 'velero.io', resource: 'restores', namespace, name });
  /** The Restore as it was read or written last; undefined: read it before the next write. */
  let last: Standing | undefined;
  return {
    async read(): Promise<Standing> {
      const object = await client.get(path).catch((error: unknown) => {
        throw describeRefusal(asked('get'), error);
      });
      last = requireOwn(standingOf(object, restore));
      return last;
    },
    /** Writes what `decide` returns; undefined: nothing to write. Returns the Restore after that. */
    async change(decide: (standing: Standing) => Change | undefined): Promise<Standing> {
      for (let tries = 1; ; tries += 1) {
        const standing: Standing = last ?? (await this.read());
        const change = decide(standing);
        if (change === undefined) return standing;
        // If this write gets no answer, the Restore must be read again.
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

  /** Refuse a status of another run or runner. Without a status this runner goes on: somebody has removed it. */
  function requireOwn(standing: Standing): Standing {
    const text = standing.annotations[ANNOTATION.status];
    if (text === undefined) return standing;
    const parsed = parseRunStatus(text);
    const { claimedBy } = status.runner;
    const isOwn = (now: RunStatus): boolean => (isShared ? !hasEnded(now) : now.runner.claimedBy === claimedBy);
    if (parsed.ok && parsed.value.runID === status.runID && isOwn(parsed.value)) return standing;
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

/** Create one part of a run's report. False: a part of that number exists. */
async function createReportPart(
  client: Pick<KubeClient, 'create'>,
  {
    restore,
    runID,
    shard,
  }: { readonly restore: RestoreReference; readonly runID: string; readonly shard: Shard | undefined },
  part: number,
  data: Readonly<Record<string, string>>,
): Promise<boolean> {
  const namespace = objectsNamespace(restore);
  const name = reportSecretName(shardName(runName(restore.name, runID), shard), part);
  try {
    await client.create(paths.secrets(namespace), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, ...runMetadata(restore, runID) },
      type: 'restorehooks.io/report',
      immutable: true, // R5.13
      data,
    });
    return true;
  } catch (error) {
    if (kubeApiError(error)?.reason === 'AlreadyExists') return false;
    throw describeRefusal({ verb: 'create', group: '', resource: 'secrets', namespace, name }, error);
  }
}

/** Create an object whose name nobody else uses. If it exists, an earlier try has created it. */
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
 * The status of the Restore's last run (R6.1.3); undefined if there was none. The annotation of a Restore that was
 * copied from another one belongs to that other Restore, and doesn't count.
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
 * Write the status of a run (R5.9), if the Restore is unchanged since it was read. Else rejects with `WRITE_CONFLICT`:
 * read it again and decide again.
 */
export async function writeStatus(
  client: Pick<KubeClient, 'patch'>,
  restore: { readonly namespace: string; readonly name: string; readonly resourceVersion: string },
  status: RunStatus,
): Promise<KubeObject> {
  const { kind, name: job } = status.runner;
  const body = {
    metadata: {
      resourceVersion: restore.resourceVersion,
      annotations: {
        [ANNOTATION.phase]: status.phase,
        [ANNOTATION.progress]: progressLine(status.counts),
        [ANNOTATION.status]: statusText(status),
        // Monitoring joins it with the metrics of Jobs (R8.78), and can't read the status.
        [ANNOTATION.job]: kind === 'job' ? `${status.runNamespace ?? restore.namespace}/${job}` : null,
      },
    },
  };
  return client.patch(paths.restores(restore.namespace, restore.name), body, 'merge', { fieldManager: MANAGER });
}

/** How many parts of a run's report stand: those of each shard. */
export const partsByShard = ({ reportParts, shards }: Pick<RunStatus, 'reportParts' | 'shards'>): readonly number[] =>
  shards ?? [reportParts];

/** The names of a report's Secrets, for each shard from the part with the number `from` on. */
export function reportNames(
  restore: Pick<RestoreReference, 'name'>,
  { runID, ...counted }: Pick<RunStatus, 'runID' | 'reportParts' | 'shards'>,
  from: readonly number[] = [],
): string[] {
  const run = runName(restore.name, runID);
  return partsByShard(counted).flatMap((parts, index) => {
    const first = from[index] ?? 0;
    const numbers = Array.from({ length: Math.max(0, parts - first) }, (_, at) => first + at);
    return numbers.map((part) => reportSecretName(shardName(run, { index }), part));
  });
}

/** Read the report's parts, for each shard from the one with the number `from` on. */
export async function readReportParts(
  client: Pick<KubeClient, 'get'>,
  restore: Pick<RestoreReference, 'namespace' | 'runNamespace' | 'name'>,
  status: Pick<RunStatus, 'runID' | 'reportParts' | 'shards'>,
  from: readonly number[] = [],
): Promise<ReportPartRead[]> {
  return sideBySide(reportNames(restore, status, from), (name) => readReportPart(client, restore, name));
}

/** Read the part that this Secret holds. */
export const readReportPart = async (
  client: Pick<KubeClient, 'get'>,
  restore: Pick<RestoreReference, 'namespace' | 'runNamespace'>,
  name: string,
): Promise<ReportPartRead> => reportPartIn(await client.get(paths.secrets(objectsNamespace(restore), name)), name);

export const REPORT_TYPE = 'restorehooks.io/report';

export interface ReportPartRead extends ReportPartDocument {
  /** What opens the output in the log of the runner that has written the part; in the first part of each runner. */
  readonly live?: LiveKey;
}

/** The part of a report that a Secret holds. */
export function reportPartIn(secret: KubeObject, name: string): ReportPartRead {
  const { data } = secret as { data?: Record<string, string> };
  const value = decompress(Buffer.from(data?.[REPORT_KEY] ?? '', 'base64'), `Secret ${name}`);
  const parsed = ReportPart.safeParse(value);
  const live = parseLiveKey(data?.[LIVE_KEY]);
  if (parsed.success) return { ...parsed.data, ...(live && { live }) };
  throw new RestoreHooksError('INVALID_INPUT', `Secret ${name} is not a report that this version can read`);
}

export const readReport = async (...args: Parameters<typeof readReportParts>): Promise<RunHook[]> =>
  joinReport(await readReportParts(...args));
