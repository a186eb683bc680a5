import * as z from 'zod/mini';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import { string, stringMap } from '../../shared/core/model/schema.ts';
import { API_VERSION } from '../../shared/core/names.ts';
import type { RunSummary } from '../../shared/core/report/run-list.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import type { KubeClient, Query } from '../../shared/kubernetes/api/client.ts';
import type { KubeObject } from '../../shared/kubernetes/api/kube-object.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { pause } from '../../shared/kubernetes/api/pause.ts';
import { runStatusOf } from '../../shared/kubernetes/run/run-store.ts';
import { isOfUnknownType, unknownType } from '../../shared/kubernetes/velero/restores.ts';
import { usage } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';

/** Of a Restore only this is read: one that is wrong elsewhere is listed too. */
const Listed = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: string,
    uid: string,
    creationTimestamp: string,
    annotations: stringMap,
  }),
  spec: z.nullish(z.object({ backupName: z.optional(z.unknown()) })),
  status: z.nullish(z.object({ phase: z.optional(z.unknown()) })),
});

export interface RestoresQuery {
  /** Undefined: all namespaces. */
  readonly namespace: string | undefined;
  readonly selector: string | undefined;
}

export interface ListedRestores {
  /** The newest first. */
  readonly items: readonly RunSummary[];
  readonly resourceVersion: string;
}

/** The Restores with their last runs, as their annotations tell them: no other right is needed than to list them. */
export async function listRestores(client: KubeClient, query: RestoresQuery): Promise<ListedRestores> {
  try {
    const { items, resourceVersion } = await client.listAll(paths.restores(query.namespace), selectorOf(query));
    return { items: items.flatMap((object) => summaryOf(object) ?? []).sort(newestFirst), resourceVersion };
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    if (await isOfUnknownType(client, error, 'velero.io', 'restores')) throw unknownType('restores.velero.io', error);
    if (query.selector !== undefined && kubeApiError(error)?.status === 400) throw noSelector(query.selector, error);
    if (error.code !== 'FORBIDDEN' || query.namespace !== undefined) throw error;
    const hint = 'list one namespace instead: kubectl restorehooks list -n NAMESPACE';
    throw new RestoreHooksError('FORBIDDEN', error.message, { hint, cause: error });
  }
}

const noSelector = (selector: string, { message }: RestoreHooksError): RestoreHooksError =>
  usage(
    `invalid argument ${JSON.stringify(selector)} for -l, --selector: ${message}`,
    "write labels as kubectl does: -l app=web, -l 'app in (web,db)', -l '!old'",
  );

const selectorOf = ({ selector }: RestoresQuery): Query => (selector === undefined ? {} : { labelSelector: selector });

function newestFirst(one: RunSummary, other: RunSummary): number {
  const [a = '', b = ''] = [one.restoreCreatedAt, other.restoreCreatedAt];
  if (a !== b) return a > b ? -1 : 1;
  return keyOf(one) < keyOf(other) ? -1 : 1;
}

export const keyOf = ({ restore }: RunSummary): string => `${restore.namespace}/${restore.name}`;

function summaryOf(object: KubeObject): RunSummary | undefined {
  const parsed = Listed.safeParse(object);
  if (!parsed.success) return undefined;
  const { metadata, spec, status } = parsed.data;
  const { name, namespace, uid, creationTimestamp } = metadata;
  const textOf = (value: unknown): string | undefined =>
    typeof value === 'string' && value !== '' ? value : undefined;
  const [backup, restorePhase] = [textOf(spec?.backupName), textOf(status?.phase)];
  return {
    apiVersion: API_VERSION,
    kind: 'RestoreHookRunSummary',
    restore: { namespace: namespace ?? '', name, ...(uid && { uid }), ...(backup && { backup }) },
    ...(restorePhase && { restorePhase }),
    ...(creationTimestamp && { restoreCreatedAt: creationTimestamp }),
    ...lastRunOf(metadata),
  };
}

function lastRunOf(metadata: z.infer<typeof Listed>['metadata']): Partial<RunSummary> {
  try {
    const status = runStatusOf({ metadata });
    if (status === undefined) return {};
    const { runID, attempt, planDigest, phase, failure, startedAt, finishedAt, runner, counts } = status;
    return {
      runID,
      attempt,
      planDigest,
      phase,
      ...(failure && { message: failure.message }),
      ...(startedAt && { startedAt }),
      ...(finishedAt && { finishedAt }),
      runner: { kind: runner.kind, name: runner.name },
      counts,
    };
  } catch (error) {
    if (error instanceof RestoreHooksError) return { message: error.message };
    throw error;
  }
}

/** Whether there is a run to tell of, readable or not. */
export const hasRun = ({ runID, message }: RunSummary): boolean => runID !== undefined || message !== undefined;

const POLL_MS = 2_000;
/** A watch that is silent for longer is taken for dead; the API server ends one after some minutes. */
const SILENCE_MS = 600_000;

/**
 * Tell each change of a Restore after `from`, until stdout is closed. What ends a watch is followed by a new list. A user
 * who may list and not watch is told changes every two seconds.
 */
export async function watchRestores(
  client: KubeClient,
  query: RestoresQuery,
  from: ListedRestores,
  { clock, outputClosed }: Pick<Context, 'clock' | 'outputClosed'>,
  onChange: (item: RunSummary) => Promise<void>,
): Promise<void> {
  const told = new Map(from.items.map((item) => [keyOf(item), JSON.stringify(item)]));
  const tell = async (item: RunSummary): Promise<void> => {
    const text = JSON.stringify(item);
    if (told.get(keyOf(item)) === text) return;
    told.set(keyOf(item), text);
    await onChange(item);
  };
  let { resourceVersion } = from;
  let mayWatch = true;
  while (!outputClosed.aborted) {
    const end = mayWatch ? await watchOnce(client, query, resourceVersion, outputClosed, tell) : undefined;
    if (end?.code === 'FORBIDDEN') mayWatch = false;
    await pause(clock, mayWatch && end === undefined ? 0 : POLL_MS, outputClosed);
    if (outputClosed.aborted) return;
    try {
      const now = await listRestores(client, query);
      resourceVersion = now.resourceVersion;
      // The oldest first: the last line is of what has changed last.
      for (const item of now.items.toReversed()) await tell(item);
    } catch (error) {
      // The API server is away for a while: as long as nobody ends the command, it is asked again.
      if (!(error instanceof RestoreHooksError) || error.code !== 'CLUSTER_UNREACHABLE') throw error;
    }
  }
}

function watchOnce(
  client: KubeClient,
  query: RestoresQuery,
  resourceVersion: string,
  closed: AbortSignal,
  tell: (item: RunSummary) => Promise<void>,
): Promise<RestoreHooksError | undefined> {
  return new Promise((resolve, reject) => {
    let telling = Promise.resolve();
    const stop = client.watch(
      paths.restores(query.namespace),
      { ...selectorOf(query), resourceVersion, allowWatchBookmarks: true },
      ({ type, object }) => {
        const item = type === 'ADDED' || type === 'MODIFIED' ? summaryOf(object) : undefined;
        if (item !== undefined) telling = telling.then(() => tell(item));
        telling.catch(reject);
      },
      ({ error }) => resolve(error),
      { silenceMs: SILENCE_MS },
    );
    closed.addEventListener('abort', () => {
      stop();
      resolve(undefined);
    });
  });
}
