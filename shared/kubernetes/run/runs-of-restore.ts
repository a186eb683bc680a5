import { RestoreHooksError } from '../../core/errors.ts';
import { parseHead } from '../../core/journal/batch.ts';
import type { RunStanding } from '../../core/ledger/last-run.ts';
import type { RunsOfRestore } from '../../core/ledger/ledger.ts';
import type { RecordedJournal, RunRecord } from '../../core/ledger/run-record.ts';
import type { Restore } from '../../core/model/restore.ts';
import { journalName, RUN_ID_LABEL, reportSecretName, runName, runsSelector } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import { parseRow } from '../../core/report/hook-row.ts';
import type { ReportPart } from '../../core/report/run-document.ts';
import { joinReport } from '../../core/report/run-document.ts';
import type { RunStatus } from '../../core/report/run-status.ts';
import { hasEnded } from '../../core/report/run-status.ts';
import type { Clock } from '../../ports/ports.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import { hasDied, isJobGoing } from './earlier-run.ts';
import { readJournal } from './journal-reader.ts';
import { holderOf, runsOfLease } from './lease.ts';
import { REPORT_TYPE, reportPartIn, runStatusOf } from './run-store.ts';

/*
 * All runs of a Restore, as they stand in the cluster: their journals and reports, found by labels and by the UID of the
 * Restore that owns them, so also where the Restore's annotations are gone, or are those of another Restore. Who may not
 * list these objects reads them by their names: the Restore's Lease and its status name the runs. A runner may read
 * journals, and no Secret (`journalsAlone`).
 */

export type RunsClient = Pick<KubeClient, 'get' | 'listAll'>;

const READ_AT_ONCE = 8;

export async function readRuns(
  client: RunsClient,
  clock: Clock,
  reference: RestoreReference,
  restore: Restore,
  { journalsAlone = false }: { readonly journalsAlone?: boolean } = {},
): Promise<RunsOfRestore> {
  const status = runStatusOf(restore);
  const { namespace, name } = reference;
  const labelSelector = runsSelector(name);
  const [journals, reports] = journalsAlone
    ? []
    : await Promise.all([
        listOwn(client, paths.configMaps(namespace), reference, { labelSelector }),
        listOwn(client, paths.secrets(namespace), reference, { labelSelector, fieldSelector: `type=${REPORT_TYPE}` }),
      ]);
  const named = journals && reports ? [] : await unlessForbidden(runsOfLease(client, reference), []);
  const listed = [...(journals ?? []), ...(reports ?? [])].map(({ labels }) => labels[RUN_ID_LABEL] ?? '');
  const told = [status?.before?.runID, status?.runID].filter((runID) => runID !== undefined);
  const runIDs = [...new Set([...named, ...listed, ...told])];
  const records: Dated[] = [];
  const source = { client, reference, status, journals, reports, journalsAlone };
  for (let from = 0; from < runIDs.length; from += READ_AT_ONCE) {
    const some = runIDs.slice(from, from + READ_AT_ONCE);
    records.push(...(await Promise.all(some.map((runID) => readRun(source, runID, named.indexOf(runID))))));
  }
  const standing = records.filter(({ record }) => told.includes(record.runID) || leftAnything(record));
  standing.sort(byAge(status?.runID));
  const newest = standing.at(-1)?.record;
  const last = await standingOf(client, clock, reference, status, newest, !journalsAlone);
  return { records: standing.map(({ record }) => record), last };
}

/** An object of the Restore's own. */
interface Own {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly object: KubeObject;
}

/** Undefined: they may not be listed. */
async function listOwn(
  client: RunsClient,
  path: string,
  reference: RestoreReference,
  query: { readonly labelSelector: string; readonly fieldSelector?: string },
): Promise<Own[] | undefined> {
  const listed = await unlessForbidden(client.listAll(path, query), undefined);
  return listed?.items.flatMap((object) => ownObject(object, reference) ?? []);
}

async function getOwn(client: RunsClient, path: string, reference: RestoreReference): Promise<Own | undefined> {
  try {
    return ownObject(await client.get(path), reference);
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** A name may be taken by what is left of a Restore that was deleted: the owner's UID tells. */
function ownObject(object: KubeObject, { uid }: RestoreReference): Own | undefined {
  const {
    name = '',
    labels,
    creationTimestamp,
    ownerReferences,
  } = (object['metadata'] ?? {}) as {
    name?: string;
    labels?: Record<string, string>;
    creationTimestamp?: string;
    ownerReferences?: { uid?: string }[];
  };
  if (uid !== undefined && !ownerReferences?.some((owner) => owner.uid === uid)) return undefined;
  return { name, labels: labels ?? {}, createdAt: creationTimestamp ?? '', object };
}

async function unlessForbidden<T, Otherwise>(asked: Promise<T>, otherwise: Otherwise): Promise<T | Otherwise> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'FORBIDDEN') return otherwise;
    throw error;
  }
}

interface Source {
  readonly client: RunsClient;
  readonly reference: RestoreReference;
  readonly status: RunStatus | undefined;
  readonly journals: readonly Own[] | undefined;
  readonly reports: readonly Own[] | undefined;
  readonly journalsAlone: boolean;
}

interface Dated {
  readonly record: RunRecord;
  readonly createdAt: string;
  /** Its place among the runs that the Lease names, or -1. */
  readonly place: number;
}

/** The Lease also names runs that were removed since. */
const leftAnything = ({ journal, report, unreadable }: RunRecord): boolean =>
  journal !== undefined || report.length + unreadable.length > 0;

/** The run that the status is of is the last; else the API server's clock tells, which counts seconds. */
const byAge =
  (last: string | undefined) =>
  (one: Dated, other: Dated): number => {
    const isLast = Number(one.record.runID === last) - Number(other.record.runID === last);
    if (isLast !== 0) return isLast;
    if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? -1 : 1;
    return one.record.attempt - other.record.attempt || one.place - other.place;
  };

async function readRun(source: Source, runID: string, place: number): Promise<Dated> {
  const { status } = source;
  const own = status?.runID === runID ? status : undefined;
  const before = status?.before?.runID === runID ? status.before : undefined;
  const expectedParts = own?.reportParts ?? before?.reportParts;
  const [journal, report] = await Promise.all([
    readOneJournal(source, runID),
    readReport(source, runID, expectedParts),
  ]);
  const { about, selector } = report;
  const rows = joinReport(report.parts);
  const attempt =
    about?.attempt ?? own?.attempt ?? before?.attempt ?? Math.max(place + 1, ...rows.map((row) => row.attempt));
  const claims = journal.read?.claimedAt === undefined ? 0 : 1;
  const isNamed = place >= 0;
  const wasClaimed = own
    ? own.runner.claimedBy !== undefined
    : rows.length + claims > 0 || isNamed || before !== undefined;
  const record: RunRecord = {
    runID,
    attempt,
    planDigest: about?.planDigest ?? journal.planDigest ?? own?.planDigest ?? before?.planDigest,
    planned: about?.planned ?? journal.hooks ?? own?.counts.planned ?? before?.planned,
    report: rows.map(parseRow),
    isReported: report.parts.length > 0 || (expectedParts ?? (report.mayStand && wasClaimed ? 1 : 0)) > 0,
    journal: journal.read,
    wasClaimed,
    about,
    selector,
    unreadable: [...journal.unreadable, ...report.unreadable],
  };
  return { record, place, createdAt: [journal.createdAt, report.createdAt].filter((at) => at !== '').sort()[0] ?? '' };
}

interface OneJournal {
  readonly read: RecordedJournal | undefined;
  readonly planDigest?: string;
  readonly hooks?: number;
  readonly createdAt: string;
  readonly unreadable: readonly string[];
}

async function readOneJournal({ client, reference, journals }: Source, runID: string): Promise<OneJournal> {
  const run = runName(reference.name, runID);
  const pathOf = (name: string): string => paths.configMaps(reference.namespace, name);
  const known = journals && new Map(journals.map((own) => [pathOf(own.name), own.object]));
  const get = known ? async (path: string) => known.get(path) ?? missing(path) : client.get;
  const nothing = { read: undefined, createdAt: '', unreadable: [] };
  try {
    const first = await getOwn({ ...client, get }, pathOf(journalName(run, 0)), reference);
    if (first === undefined) return nothing;
    const { data } = first.object as { data?: Record<string, string> };
    const head = parseHead(data?.['head']);
    const journal = await readJournal({ get }, { restore: reference, head });
    if (journal === undefined) return nothing;
    const { hooks, lost, claimedAt } = journal.replay;
    const read = { hooks, lost, claimedAt, batches: journal.end.batches };
    return { read, planDigest: head.planDigest, hooks: head.hooks, createdAt: first.createdAt, unreadable: [] };
  } catch (error) {
    return { ...nothing, unreadable: [whyUnreadable(error, `the journal of run ${runID}`)] };
  }
}

const missing = (path: string): never => {
  throw new RestoreHooksError('NOT_FOUND', `${path} not found`);
};

interface OneReport {
  readonly parts: readonly ReportPart[];
  readonly about: ReportPart['run'];
  readonly selector: ReportPart['selector'];
  readonly createdAt: string;
  /** False: it is certain that there is no more than what was read. */
  readonly mayStand: boolean;
  readonly unreadable: readonly string[];
}

async function readReport(source: Source, runID: string, expected: number | undefined): Promise<OneReport> {
  const { reference, reports } = source;
  const prefix = reportSecretName(runName(reference.name, runID), 0).slice(0, -1);
  const unreadable: string[] = [];
  if (source.journalsAlone) {
    return { parts: [], about: undefined, selector: undefined, createdAt: '', mayStand: true, unreadable };
  }
  let secrets: readonly Own[] = [];
  try {
    secrets = reports
      ? reports.filter(({ labels, name }) => labels[RUN_ID_LABEL] === runID && name.startsWith(prefix))
      : await getReport(source, runID, expected);
  } catch (error) {
    unreadable.push(whyUnreadable(error, `the report of run ${runID}`));
  }
  const numberOf = ({ name }: Own): number => Number(name.slice(prefix.length));
  const parts = [...secrets]
    .sort((one, other) => numberOf(one) - numberOf(other))
    .flatMap((secret) => {
      try {
        return reportPartIn(secret.object, secret.name);
      } catch (error) {
        unreadable.push(whyUnreadable(error, `the report of run ${runID}`));
        return [];
      }
    });
  const gone = (expected ?? 0) - secrets.length;
  if (gone > 0 && unreadable.length === 0) {
    unreadable.push(`${gone} of the ${expected} Secrets ${prefix}<n> of its report are gone`);
  }
  const [first] = parts;
  const about = parts.find(({ run }) => run !== undefined)?.run;
  const createdAt = secrets.map((secret) => secret.createdAt).sort()[0] ?? '';
  const mayStand = reports === undefined && unreadable.length > 0;
  return { parts, about, selector: first?.selector, createdAt, mayStand, unreadable };
}

/** A report's Secrets one by one; how many there are is told by the first that is missing, where it isn't known. */
async function getReport({ client, reference }: Source, runID: string, expected: number | undefined): Promise<Own[]> {
  const { namespace, name } = reference;
  const run = runName(name, runID);
  const found: Own[] = [];
  for (let from = 0; from < (expected ?? Number.POSITIVE_INFINITY); from += READ_AT_ONCE) {
    const count = Math.min(READ_AT_ONCE, (expected ?? Number.POSITIVE_INFINITY) - from);
    const numbers = Array.from({ length: count }, (_, at) => from + at);
    const some = await Promise.all(
      numbers.map((part) => getOwn(client, paths.secrets(namespace, reportSecretName(run, part)), reference)),
    );
    const standing = some.filter((secret) => secret !== undefined);
    found.push(...standing);
    if (expected === undefined && standing.length < count) break;
  }
  return found;
}

/** What can't be read for good is told, and does without; what could be read by another try is thrown. */
function whyUnreadable(error: unknown, what: string): string {
  const isForGood =
    error instanceof RestoreHooksError &&
    ['FORBIDDEN', 'RUN_FAILED', 'INVALID_INPUT', 'NOT_FOUND'].includes(error.code);
  if (!isForGood) throw error;
  return `${what} can't be read: ${error.message}`;
}

/** How the run that was made last stands: by its status, or without one by its Job and the Restore's Lease. */
async function standingOf(
  client: RunsClient,
  clock: Clock,
  reference: RestoreReference,
  status: RunStatus | undefined,
  newest: RunRecord | undefined,
  patient: boolean,
): Promise<RunStanding | undefined> {
  if (status !== undefined) {
    const { runID } = status;
    if (hasEnded(status)) return { runID, status, state: 'ended' };
    return { runID, status, state: (await hasDied(client, clock, reference, status, patient)) ? 'died' : 'going' };
  }
  if (newest === undefined) return undefined;
  const { runID, planned, report } = newest;
  const isOpen = report.some(({ state }) => state === 'Waiting' || state === 'Running');
  // Its runner and Job may outlive it by some seconds.
  if (!isOpen && report.length > 0 && report.length === planned) return { runID, state: 'ended' };
  const [holder, hasJob] = await Promise.all([
    unlessForbidden(holderOf(client, clock, reference), undefined),
    unlessForbidden(isJobGoing(client, reference, runName(reference.name, runID)), false),
  ]);
  if (holder?.runID === runID || hasJob) return { runID, state: 'going' };
  return { runID, state: isOpen ? 'died' : 'ended' };
}
