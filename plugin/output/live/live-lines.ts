import { formatDuration, parseDurationMs } from '../../../shared/core/model/duration.ts';
import { openWaveText } from '../../../shared/core/report/open-wave.ts';
import type { RunHook } from '../../../shared/core/report/run-document.ts';
import { progressLine } from '../../../shared/core/report/run-status.ts';
import { sanitizeLine } from '../../../shared/core/sanitize.ts';
import { colored } from '../color.ts';
import { groupDetails, groupLine, inOrder } from '../failures.ts';
import type { Color } from '../view.ts';
import { displayWidth, padEnd, truncate } from '../width.ts';
import type { Counts, LiveRun } from './live-run.ts';
import { waitOf } from './live-run.ts';

export interface LiveScreen {
  readonly columns: number;
  readonly rows: number;
  /** ms since 1970. */
  readonly now: number;
  readonly color: boolean;
  /** What was printed beside the run, the last line last. */
  readonly notes: readonly string[];
  /** What Ctrl-C does. */
  readonly footer: string;
}

/** A line's parts, beside each other. Text may come from outside: it is made safe when it is fitted. */
type Line = readonly (string | readonly [text: string, color: Color | undefined])[];

const MOST_NOTES = 3;
const MOST_OUTPUT = 4;
/** How many pods of a group are named where there is room. */
const MOST_PODS = 20;
/** With fewer rows than this, only verdict, bar and counts, and what fits of the rest without spacing. */
const ROOMY = 14;

/** A run so far, on one screen: at most `rows` lines of at most `columns` cells (R7.36). */
export function liveLines(run: LiveRun, screen: LiveScreen): string[] {
  const { columns, rows, now, color } = screen;
  const isRoomy = rows >= ROOMY;
  const head = headLines(run, screen);
  const notes = screen.notes.slice(-Math.min(MOST_NOTES, Math.max(0, rows - head.length - 1)));
  const top: Line[] = [...head, ...notes.map((note): Line => [[note, 'yellow']])];
  const bottom: Line[] = isRoomy ? [[], [[screen.footer, 'dim']]] : [];
  const left = Math.max(0, rows - top.length - bottom.length);
  const all = [failureSection(run, left, columns), runningSection(run, left, now), waitingSection(run, left)];
  const sections = all.filter(({ total }) => total > 0);
  const body = layOut(sections, left, isRoomy);
  return [...top, ...body, ...bottom].slice(0, rows).map((line) => fitted(line, columns, color));
}

function headLines(run: LiveRun, { columns, now }: LiveScreen): Line[] {
  const { status, counts } = run;
  const name = `${run.namespace}/${run.name}`;
  if (status === undefined || counts === undefined) return [[[name, undefined], '  reading the run']];
  const startedAt = Date.parse(status.startedAt ?? status.createdAt);
  const elapsed = formatDuration(Math.max(0, Math.floor((now - startedAt) / 1000) * 1000));
  const verdict = verdictSoFar(run, counts);
  const lines: Line[] = [
    [verdict, `  ${name}  ${elapsed}  run ${status.runID}`],
    [...bar(counts, Math.min(40, columns - 52)), progressLine(counts)],
  ];
  if (status.openWave !== undefined) lines.push([`wave ${openWaveText(status.openWave)}`]);
  const { endsBy } = run;
  if (endsBy !== undefined && endsBy > now) {
    const left = formatDuration(Math.ceil((endsBy - now) / 1000) * 1000);
    const at = new Date(endsBy + 60_000 - 1).toTimeString().slice(0, 5);
    lines.push([`ends by ${at} at the latest: in ${left} the last timeout of its hooks is over`]);
  }
  const { suspendedAt, failure, deadline } = status;
  if (deadline !== undefined && failure === undefined) lines.push(deadlineLine(Date.parse(deadline) - now, deadline));
  if (failure !== undefined) lines.push([[failure.message, 'red']]);
  else if (suspendedAt !== undefined) lines.push([[`suspended at ${suspendedAt}`, 'yellow']]);
  return lines;
}

function deadlineLine(leftMs: number, deadline: string): Line {
  if (leftMs <= 0)
    return [[`its deadline ${deadline} has passed: nothing more starts, running hooks may end`, 'yellow']];
  return [`its deadline is in ${formatDuration(Math.ceil(leftMs / 1000) * 1000)}: then nothing more starts`];
}

const notSucceeded = ({ failed, timedOut, unknown, notExecuted }: Counts): number =>
  failed + timedOut + unknown + notExecuted;

function verdictSoFar({ status }: LiveRun, counts: Counts): readonly [string, Color | undefined] {
  const failed = notSucceeded(counts);
  const so = failed === 0 ? 'no failure so far' : `${failed} not succeeded so far`;
  return [`${status?.phase}: ${so}`, failed === 0 ? 'green' : 'red'];
}

/** `[=====x>>...]`: what has succeeded, what has not, what runs, what waits. Nothing where there is no room for it. */
function bar({ planned, succeeded, waiting, running }: Counts, width: number): Line {
  if (width < 10 || planned === 0) return [];
  const inside = width - 2;
  const failed = planned - succeeded - waiting - running;
  const cells = (count: number): number => Math.floor((count / planned) * inside);
  // A failure among many is seen all the same.
  const bad = failed === 0 ? 0 : Math.max(1, cells(failed));
  const good = Math.min(cells(succeeded), inside - bad);
  const busy = Math.min(running === 0 ? 0 : Math.max(1, cells(running)), inside - bad - good);
  return [
    '[',
    ['='.repeat(good), 'green'],
    ['x'.repeat(bad), 'red'],
    '>'.repeat(busy),
    ['.'.repeat(inside - good - bad - busy), 'dim'],
    `] ${Math.floor(((planned - waiting - running) / planned) * 100)}%  `,
  ];
}

interface Section {
  /** In capitals, and how many hooks it is about. */
  readonly title: string;
  /** Each item is kept or left out whole: its first line, and lines that may be left out. At most as many as can fit. */
  readonly items: readonly { readonly line: Line; readonly details: readonly Line[] }[];
  /** How many items there would be on an endless screen, and what they are. */
  readonly total: number;
  readonly what: string;
  /** So many lines it may have before the sections below get any more than their least. */
  readonly least: number;
}

function failureSection(run: LiveRun, most: number, columns: number): Section {
  const groups = inOrder(run.failed, firstOf);
  const pods = Math.max(1, Math.min(MOST_PODS, Math.floor(columns / 20)));
  const items = groups.slice(0, most).map((group) => {
    const about = { rows: group.values(), size: group.size };
    const color = firstOf(group).state === 'NotExecuted' ? 'yellow' : 'red';
    const details = groupDetails({ rows: group.values(), size: group.size }, MOST_OUTPUT);
    return {
      line: ['  ', [groupLine(about, pods), color]] as Line,
      details: details.map((text): Line => [`      ${text}`]),
    };
  });
  const count = run.counts === undefined ? 0 : notSucceeded(run.counts);
  return { title: `NOT SUCCEEDED ${count}`, items, total: groups.length, what: 'kinds of failures', least: 4 };
}

function runningSection(run: LiveRun, most: number, now: number): Section {
  const total = run.counts?.running ?? run.knownRunning;
  const rows: RunHook[] = [];
  for (const row of run.running) {
    if (rows.length >= Math.min(most, total)) break;
    rows.push(row);
  }
  const times = rows.map((row) => timeOf(row, now));
  const width = Math.max(0, ...times.map((time) => displayWidth(time.text)));
  const items = rows.map((row, index) => {
    const { text = '', color } = times[index] ?? {};
    const line: Line = ['  ', [padEnd(text, width), color], `  ${row.namespace}/${row.pod}  ${hookOf(row)}`];
    return { line, details: [] };
  });
  return { title: `RUNNING ${total}${asOf(run)}`, items, total, what: 'running', least: 3 };
}

/** The runner reports its rows less often than its counts. */
const asOf = (run: LiveRun): string => (run.isBehind ? ', as last reported' : '');

/** A hook that has used up so much of its timeout is worth a look. */
const NEARLY = 0.8;

function timeOf(row: RunHook, now: number): { readonly text: string; readonly color?: Color } {
  const { startedAt } = row;
  const timeout = row.kind === 'exec' ? row.execTimeout : row.waitTimeout;
  const limit = timeout === undefined ? '' : ` / ${timeout}`;
  if (startedAt === undefined) return { text: `starting${limit}` };
  const seconds = Math.max(0, Math.floor((now - Date.parse(startedAt)) / 1000));
  const text = `${formatDuration(seconds * 1000)}${limit}`;
  const limitMs = timeout === undefined ? undefined : parseDurationMs(timeout);
  return limitMs !== undefined && seconds * 1000 > limitMs * NEARLY ? { text, color: 'yellow' } : { text };
}

function waitingSection(run: LiveRun, most: number): Section {
  // Rows may be behind the counts: what they wait for is over.
  const groups = run.counts?.waiting === 0 ? [] : run.waiting;
  const items = groups.slice(0, most).map(([reason, rows]) => {
    const row = firstOf(rows);
    const { until } = waitOf(row);
    const which = `${row.namespace}/${row.pod}  ${hookOf(row)}${until === undefined ? '' : `, until ${clockTime(until)}`}`;
    return { line: [`  ${String(rows.size).padStart(5)}  for ${reason}: `, [which, 'dim']] as Line, details: [] };
  });
  return {
    title: `WAITING ${run.counts?.waiting ?? 0}${asOf(run)}`,
    items,
    total: groups.length,
    what: 'reasons',
    least: 3,
  };
}

const firstOf = (rows: ReadonlyMap<string, RunHook>): RunHook => rows.values().next().value as RunHook;
const hookOf = ({ container, name, index }: RunHook): string => `${container}  ${name} (${index})`;
const clockTime = (instant: string): string => new Date(Date.parse(instant)).toTimeString().slice(0, 8);

/**
 * The sections below each other in at most `room` lines. Each gets its least first, in their order, then what is left;
 * details go before rows do, and rows that don't fit are counted.
 */
function layOut(sections: readonly Section[], room: number, isRoomy: boolean): Line[] {
  const frame = isRoomy ? 2 : 1;
  const wanted = sections.map(
    ({ items, total }) =>
      frame + items.reduce((sum, { details }) => sum + 1 + details.length, total > items.length ? 1 : 0),
  );
  const given = sections.map(() => 0);
  let left = room;
  const give = (index: number, upTo: number): void => {
    const more = Math.min(left, Math.max(0, Math.min(upTo, wanted[index] ?? 0) - (given[index] ?? 0)));
    given[index] = (given[index] ?? 0) + more;
    left -= more;
  };
  sections.forEach(({ least }, index) => void give(index, frame + least));
  sections.forEach((_, index) => void give(index, room));
  return sections.flatMap((section, index) => sectionLines(section, given[index] ?? 0, isRoomy));
}

function sectionLines({ title, items, total, what }: Section, room: number, isRoomy: boolean): Line[] {
  const frame: Line[] = [...(isRoomy ? [[]] : []), [title]];
  if (room <= frame.length) return frame.slice(0, room);
  let left = room - frame.length;
  const shown = items.length <= left && total <= items.length ? items.length : Math.max(0, left - 1);
  const kept = items.slice(0, shown);
  const isCut = kept.length < total;
  left -= kept.length + (isCut ? 1 : 0);
  const lines = kept.flatMap(({ line, details }) => {
    const more = details.slice(Math.max(0, details.length - left));
    left -= more.length;
    return [line, ...more];
  });
  return [...frame, ...lines, ...(isCut ? [[[`  … ${total - kept.length} more ${what}`, 'dim']] as Line] : [])];
}

/** One line of text for a terminal: cut to its width, then coloured. */
function fitted(line: Line, columns: number, color: boolean): string {
  let left = columns;
  let text = '';
  for (const part of line) {
    const [raw, paint] = typeof part === 'string' ? [part, undefined] : part;
    const clean = truncate(sanitizeLine(raw), left);
    left -= displayWidth(clean);
    text += color && paint !== undefined && clean !== '' ? colored(clean, paint) : clean;
    if (clean.length < sanitizeLine(raw).length) break;
  }
  return text;
}
