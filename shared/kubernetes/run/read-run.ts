import { RestoreHooksError } from '../../core/errors.ts';
import { parseHead } from '../../core/journal/batch.ts';
import type { RecordedJournal, RunRecord } from '../../core/ledger/run-record.ts';
import { objectsNamespace } from '../../core/manifests/run-objects.ts';
import { journalName, RUN_ID_LABEL, reportSecretName, runName, shardName } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import { parseRow } from '../../core/report/hook-row.ts';
import type { ReportPart } from '../../core/report/run-document.ts';
import { joinReport } from '../../core/report/run-document.ts';
import type { RunStatus } from '../../core/report/run-status.ts';
import { paths } from '../api/paths.ts';
import type { FoundRuns } from './find-runs.ts';
import type { Own, RunsClient } from './own-objects.ts';
import { getOwn } from './own-objects.ts';
import { readRunJournal } from './run-journal.ts';
import { partsByShard, reportPartIn } from './run-store.ts';

const READ_AT_ONCE = 8;

export interface RunsSource {
  readonly client: RunsClient;
  readonly reference: RestoreReference;
  readonly status: RunStatus | undefined;
  readonly found: FoundRuns;
  /** Leave the reports out. */
  readonly journalsAlone: boolean;
}

export interface DatedRun {
  readonly record: RunRecord;
  /** When the first of its objects was created; empty where none was found. */
  readonly createdAt: string;
  /** Its place among the runs that the Lease names, or -1. */
  readonly place: number;
}

/** Read one run: its journal and its report, as far as they are there and can be read. */
export async function readRun(source: RunsSource, runID: string): Promise<DatedRun> {
  const { status, found } = source;
  const place = found.inLease.indexOf(runID);
  const own = status?.runID === runID ? status : undefined;
  const before = status?.before?.runID === runID ? status.before : undefined;
  const expected = own ?? before;
  const expectedParts = expected?.reportParts;
  const [journal, report] = await Promise.all([readOneJournal(source, runID), readReport(source, runID, expected)]);
  const { about, selector } = report;
  const rows = joinReport(report.parts);
  const attempt =
    about?.attempt ?? own?.attempt ?? before?.attempt ?? Math.max(place + 1, ...rows.map((row) => row.run));
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
    shards: journal.shards ?? expected?.shards?.length ?? report.parts[0]?.shard?.of,
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
  readonly shards?: number | undefined;
  readonly createdAt: string;
  readonly unreadable: readonly string[];
}

async function readOneJournal({ client, reference, found }: RunsSource, runID: string): Promise<OneJournal> {
  const run = runName(reference.name, runID);
  const configMapPath = (name: string): string => paths.configMaps(objectsNamespace(reference), name);
  const known = found.journals && new Map(found.journals.map((own) => [configMapPath(own.name), own.object]));
  const get = known ? async (path: string) => known.get(path) ?? missing(path) : client.get;
  const nothing = { read: undefined, createdAt: '', unreadable: [] };
  try {
    const first = await getOwn({ ...client, get }, configMapPath(journalName(run, 0)), reference);
    if (first === undefined) return nothing;
    const { data } = first.object as { data?: Record<string, string> };
    const head = parseHead(data?.['head']);
    const { planDigest, hooks, shard } = head;
    const read = await readRunJournal({ get }, reference, head, shard?.of ?? 1);
    if (read === undefined) return nothing;
    return { read, planDigest, hooks, shards: shard?.of, createdAt: first.createdAt, unreadable: [] };
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
  /** Whether there may be more of the report than what was read. */
  readonly mayStand: boolean;
  readonly unreadable: readonly string[];
}

/** How many parts of a report there should be. */
export type ExpectedReport = Pick<RunStatus, 'reportParts' | 'shards'>;

/** The parts of a run's report, as far as they are there and can be read. */
export async function readReport(
  source: RunsSource,
  runID: string,
  expected: ExpectedReport | undefined,
): Promise<OneReport> {
  const { reference } = source;
  const { reports } = source.found;
  const run = runName(reference.name, runID);
  /** The number of the shard and that of the part that a Secret holds; undefined: it holds none. */
  const placeOf = ({ name }: Own): readonly [shard: number, part: number] | undefined => {
    const [, shard = '0', part] = /^(?:-s(\d+))?-report-(\d+)$/.exec(name.slice(run.length)) ?? [];
    return name.startsWith(run) && part !== undefined ? [Number(shard), Number(part)] : undefined;
  };
  const unreadable: string[] = [];
  if (source.journalsAlone) {
    return { parts: [], about: undefined, selector: undefined, createdAt: '', mayStand: true, unreadable };
  }
  let secrets: readonly Own[] = [];
  try {
    secrets = reports
      ? reports.filter((one) => one.labels[RUN_ID_LABEL] === runID && placeOf(one) !== undefined)
      : await getReport(source, runID, expected);
  } catch (error) {
    unreadable.push(whyUnreadable(error, `the report of run ${runID}`));
  }
  const placed = secrets.map((secret) => ({ secret, place: placeOf(secret) ?? [0, 0] }));
  // The first shard's report begins with all rows in plan order (R8.48).
  const parts = placed
    .sort(({ place: [shard, part] }, { place: other }) => shard - other[0] || part - other[1])
    .flatMap(({ secret }) => {
      try {
        return reportPartIn(secret.object, secret.name);
      } catch (error) {
        unreadable.push(whyUnreadable(error, `the report of run ${runID}`));
        return [];
      }
    });
  const parted = expected?.reportParts ?? 0;
  const gone = parted - secrets.length;
  if (gone > 0 && unreadable.length === 0) {
    unreadable.push(
      `${gone} of the ${parted} Secrets ${reportSecretName(run, 0).slice(0, -1)}<n> of its report are gone`,
    );
  }
  const [first] = parts;
  const about = parts.find(({ run }) => run !== undefined)?.run;
  const createdAt = secrets.map((secret) => secret.createdAt).sort()[0] ?? '';
  const mayStand = reports === undefined && unreadable.length > 0;
  return { parts, about, selector: first?.selector, createdAt, mayStand, unreadable };
}

/** Read a report's Secrets by their names, those of each shard. The first one tells how many shards there are. */
async function getReport(source: RunsSource, runID: string, expected: ExpectedReport | undefined): Promise<Own[]> {
  const run = runName(source.reference.name, runID);
  const counts = expected && partsByShard(expected);
  const first = await getShardReport(source, run, counts?.[0]);
  const [part] = first;
  const of = counts?.length ?? (part && reportPartIn(part.object, part.name).shard?.of) ?? 1;
  const others = Array.from({ length: of - 1 }, (_, index) =>
    getShardReport(source, shardName(run, { index: index + 1 }), counts?.[index + 1]),
  );
  return [...first, ...(await Promise.all(others)).flat()];
}

/** If the number of parts isn't known, the first missing one ends the report. */
async function getShardReport(
  { client, reference }: RunsSource,
  run: string,
  expected: number | undefined,
): Promise<Own[]> {
  const namespace = objectsNamespace(reference);
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

/** Why something can't be read, for a failure that lasts. A failure that another try may not have is thrown. */
function whyUnreadable(error: unknown, what: string): string {
  const isForGood =
    error instanceof RestoreHooksError &&
    ['FORBIDDEN', 'RUN_FAILED', 'INVALID_INPUT', 'NOT_FOUND'].includes(error.code);
  if (!isForGood) throw error;
  return `${what} can't be read: ${error.message}`;
}
