import { createReadStream, statSync } from 'node:fs';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { PodKey } from '../../shared/core/model/hook.ts';
import { podKey } from '../../shared/core/model/hook.ts';
import type { Pod } from '../../shared/core/model/pod.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { Notice } from '../../shared/core/plan/notice.ts';
import type { PlanRequest } from '../../shared/core/plan/plan-run.ts';
import { fileError, readInput } from '../../shared/input/files.ts';
import { readHookFiles } from '../../shared/input/hooks.ts';
import { passedOverNotices } from '../../shared/input/objects.ts';
import type { BackupFlags } from '../command-line/backup-args.ts';
import type { KubeArguments, Session } from '../command-line/session.ts';
import { namespaceOf, usage, withCluster } from '../command-line/session.ts';
import { beginWork } from '../output/progress.ts';
import type { Context } from '../process/context.ts';
import type { ArchivedPods, BackupArchive, ManifestObject } from './archive/backup-archive.ts';
import { readPods, wholePods } from './archive/backup-archive.ts';
import { whileReading } from './file-work.ts';
import type { GivenPods } from './given-pods.ts';
import type { PlanFlags, PlanningFlags, PodOfBackup } from './plan-input.ts';
import { hasPods, offlineRequest, podOfBackup, splitByFate, theRestore, unreadablePod } from './plan-input.ts';

/** The archive that the flags name. Only `--from-backup` needs a session. */
export function backupOf(flags: BackupFlags, session: Session | undefined, context: Context): WatchedArchive {
  const { backupArchive, fromBackup } = flags;
  const { cwd, stdin } = context;
  if (backupArchive === '-') return watched(context, 'stdin', async () => asBytes(stdin));
  if (backupArchive !== undefined) {
    const full = path.resolve(cwd, backupArchive);
    return watched(context, backupArchive, async (size) => {
      size(statSync(full, { throwIfNoEntry: false })?.size);
      return fileBytes(backupArchive, full);
    });
  }
  if (fromBackup === undefined || session === undefined) throw new Error('no backup is named');
  return watched(context, `Backup ${fromBackup}`, (size) => download(flags, fromBackup, session, context, size));
}

type TellSize = (bytes: number | undefined) => void;

async function download(
  { backupInsecureSkipTlsVerify, backupCacert }: BackupFlags,
  fromBackup: string,
  { client, namespace }: Session,
  context: Context,
  onSize: TellSize,
): Promise<AsyncIterable<Uint8Array>> {
  const { cwd, env, signal } = context;
  const { backupContents } = await import('../../shared/kubernetes/velero/backup-contents.ts');
  const work = beginWork(context, `waiting for Velero to give away Backup ${fromBackup}`);
  try {
    return await backupContents(client, namespace, fromBackup, {
      env,
      signal,
      insecureSkipTlsVerify: backupInsecureSkipTlsVerify,
      caFile: backupCacert === undefined ? undefined : path.resolve(cwd, backupCacert),
      onSize,
    });
  } finally {
    work.end();
  }
}

/** An archive whose reading is told if it takes long (R7.40). */
interface WatchedArchive extends BackupArchive {
  /** Another pod was read from it. */
  countPod(): void;
}

function watched(
  context: Context,
  name: string,
  open: (size: TellSize) => Promise<AsyncIterable<Uint8Array>>,
): WatchedArchive {
  let total: number | undefined;
  let pods = 0;
  async function* bytes(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const work = beginWork(context, `reading ${name}`);
    let done = 0;
    pods = 0;
    try {
      for await (const chunk of source) {
        done += chunk.length;
        work.at({ done, total, unit: 'bytes', more: pods === 1 ? '1 pod' : `${pods} pods` });
        yield chunk;
      }
    } finally {
      work.end();
    }
  }
  return {
    name,
    countPod() {
      pods += 1;
    },
    open: async () =>
      bytes(
        await open((size) => {
          total = size;
        }),
      ),
  };
}

/** The flags of a plan for a Restore of `-f` and the pods of its backup. */
export type BackupPlanFlags = BackupFlags &
  PlanningFlags &
  Pick<PlanFlags, 'hooks'> &
  KubeArguments & { readonly filename: readonly string[] };

/** The request for a plan of a backup's pods alone. The cluster is asked only for the backup. */
export async function backupInput(flags: BackupPlanFlags, context: Context): Promise<PlanRequest> {
  const hookFiles = await readHookFiles(flags.hooks, context);
  const { restore, notices } = await restoreOfFiles(flags.filename, context);
  const read = async (session?: Session) => {
    const { places: _, ...found } = await podsOfBackup(backupOf(flags, session, context), restore, flags.fromBackup);
    return offlineRequest(
      restore,
      { ...found, notices: [...notices, ...found.notices] },
      { flags, namespace: namespaceOf(flags, context), hookFiles },
    );
  };
  return flags.fromBackup === undefined ? read() : withCluster(flags, context, read);
}

/** The pods of a backup, for a plan that also has live pods. Whole pods are read from the archive a second time. */
export async function givenByBackup(
  flags: BackupFlags,
  session: Session,
  restore: Restore,
  context: Context,
): Promise<GivenPods> {
  const archive = backupOf(flags, session, context);
  const { places, ...found } = await podsOfBackup(archive, restore, flags.fromBackup);
  return {
    ...found,
    async whole(pods) {
      const keys = new Map([...pods].map((key) => [places.get(key) ?? '', key]));
      const manifests = new Map<PodKey, object>();
      if (pods.size === 0) return manifests;
      for await (const { place, result } of wholePods(archive, new Set(keys.keys()))) {
        const key = keys.get(place);
        if (key !== undefined && 'value' in result) manifests.set(key, result.value);
      }
      return manifests;
    },
  };
}

async function restoreOfFiles(files: readonly string[], context: Context) {
  if (files.length === 0) throw usage('a backup needs a RESTORE, or a Restore in -f');
  const { objects, notices } = await whileReading(context, (reading) => readInput(files, reading));
  if (hasPods(objects)) {
    throw usage('the backup gives the pods, so -f must not contain any', 'give only the Restore in -f');
  }
  const given = theRestore(objects, '-f');
  return { restore: given.restore, notices: [...notices, ...given.notices, ...passedOverNotices(objects)] };
}

async function* asBytes(stream: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}

const READ_AT_ONCE = 256 * 1024;

async function* fileBytes(shown: string, full: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(full, { highWaterMark: READ_AT_ONCE });
  } catch (error) {
    throw fileError(shown, error);
  }
}

/** The pods of a backup. */
interface PodsOfBackup extends Omit<GivenPods, 'whole'> {
  /** For each pod that will be restored its file in the archive. The key has its namespace after the restore. */
  readonly places: ReadonlyMap<PodKey, string>;
}

/** How many characters are kept of all pods together. Only an archive made to fill the memory has more. */
const MAX_KEPT = 256 * 1024 * 1024;

/** Read the archive and keep of its pods what a plan needs. `backup`: the Backup's name, if it is known. */
async function podsOfBackup(
  archive: WatchedArchive,
  restore: Restore,
  backup: string | undefined,
): Promise<PodsOfBackup> {
  let kept = 0;
  const specs = new Map<string, Pod['spec']>();
  const { pods, formatVersion } = await read(archive, (object, place) => {
    const pod = podOfBackup(restore, object, place);
    kept += sizeOf(pod);
    if (kept > MAX_KEPT) {
      throw new RestoreHooksError('INVALID_INPUT', `${archive.name}: its pods have more labels than can be kept`);
    }
    return 'pod' in pod ? { ...pod, pod: { ...pod.pod, spec: oneOfEach(specs, pod.pod.spec) } } : pod;
  });
  const places = new Map<PodKey, string>();
  const all = pods.map(({ place, result }): PodOfBackup => {
    if ('problem' in result) return { notice: unreadablePod(place, result.problem) };
    const { value } = result;
    if ('pod' in value) places.set(podKey(value.pod.metadata.namespace, value.pod.metadata.name), place);
    return value;
  });
  const found = splitByFate(all);
  const notices = [...versionNotice(archive, formatVersion), ...backupNotice(restore, backup), ...found.notices];
  return { ...found, notices, places };
}

function read<T>(archive: WatchedArchive, use: (pod: ManifestObject, place: string) => T): Promise<ArchivedPods<T>> {
  // Each parsed pod is garbage soon. Without this flag V8 lets 100 MiB of garbage pile up before it collects any.
  setFlagsFromString('--semi-space-growth-factor=1');
  return readPods(archive, (pod, place) => {
    archive.countPod();
    return use(pod, place);
  });
}

/** Keep equal values once: the pods of one workload have the same spec. */
function oneOfEach<T>(known: Map<string, T>, value: T): T {
  const key = JSON.stringify(value);
  const same = known.get(key);
  if (same !== undefined) return same;
  if (known.size < MOST_ALIKE) known.set(key, value);
  return value;
}

const MOST_ALIKE = 1_000;

function sizeOf(pod: PodOfBackup): number {
  if (!('pod' in pod)) return 0;
  const { metadata, spec } = pod.pod;
  const texts = [
    ...Object.entries(metadata.labels).flat(),
    ...Object.values(metadata.annotations),
    ...spec.containers.map(({ name }) => name),
    ...spec.initContainers.map((container) => JSON.stringify(container)),
  ];
  return texts.reduce((sum, text) => sum + text.length, 0);
}

function versionNotice({ name }: BackupArchive, formatVersion: string | undefined): Notice[] {
  if (formatVersion !== undefined) return [];
  return [{ code: 'archive-without-version', message: `${name}: it has no metadata/version, which Velero writes` }];
}

function backupNotice({ metadata, spec }: Restore, backup: string | undefined): Notice[] {
  if (backup === undefined || !spec.backupName || spec.backupName === backup) return [];
  return [
    {
      code: 'backup-is-another',
      message: `Restore ${metadata.name} restores Backup ${spec.backupName}; these are the pods of ${backup}`,
    },
  ];
}

/** A pod of an archive with the fields that `lint` needs, and its file in the archive. */
export interface PodToLint {
  readonly place: string;
  readonly pod: ManifestObject;
}

export async function podsToLint(archive: WatchedArchive, tell: (line: string) => void): Promise<PodToLint[]> {
  const { pods } = await read(archive, toLint);
  return pods.flatMap(({ place, result }) => {
    if ('value' in result) return [{ place, pod: result.value }];
    tell(`${place}: ${result.problem}; left out`);
    return [];
  });
}

/** Only the fields that `lint` needs: there may be very many pods. */
function toLint({ apiVersion, kind, metadata, spec, status }: ManifestObject): ManifestObject {
  const { name, namespace, labels, annotations } = fieldsOf(metadata);
  const { containers, initContainers, ephemeralContainers, volumes } = fieldsOf(spec);
  const { [LAST_APPLIED]: _, ...kept } = fieldsOf(annotations);
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, labels, annotations: kept },
    spec: {
      containers: containersToLint(containers),
      initContainers: containersToLint(initContainers),
      ephemeralContainers: namesToLint(ephemeralContainers),
      volumes: namesToLint(volumes),
    },
    status: { phase: fieldsOf(status)['phase'] },
  };
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

const namesToLint = (list: unknown): unknown =>
  Array.isArray(list) ? list.map((each) => ({ name: fieldsOf(each)['name'] })) : undefined;

const containersToLint = (containers: unknown): unknown =>
  Array.isArray(containers)
    ? containers.map((container) => {
        const { name, image, readinessProbe, restartPolicy, restartPolicyRules } = fieldsOf(container);
        return { name, image, restartPolicy, restartPolicyRules, readinessProbe: Boolean(readinessProbe) };
      })
    : undefined;

const fieldsOf = (value: unknown): ManifestObject =>
  typeof value === 'object' && value !== null ? (value as ManifestObject) : {};
