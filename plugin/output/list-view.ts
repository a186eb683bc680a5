import { API_VERSION } from '../../shared/core/names.ts';
import type { RunList, RunSummary } from '../../shared/core/report/run-list.ts';
import { progressLine } from '../../shared/core/report/run-status.ts';
import { ageText } from './age.ts';
import type { Color, Column, Table, View } from './view.ts';
import { displayWidth } from './width.ts';

const COLORS: Readonly<Record<string, Color>> = {
  Failed: 'red',
  PartiallyFailed: 'red',
  Canceled: 'yellow',
  CompletedWithFailures: 'yellow',
  Completed: 'green',
};

const COLUMNS: readonly (Column & {
  readonly cell: (item: RunSummary, now: number) => string | number | undefined;
})[] = [
  { title: 'NAMESPACE', cell: ({ restore }) => restore.namespace },
  { title: 'NAME', cell: ({ restore }) => restore.name },
  { title: 'PHASE', color: (cell) => COLORS[cell], cell: phaseText },
  { title: 'PROGRESS', cell: ({ counts }) => counts && progressLine(counts) },
  {
    title: 'AGE',
    cell: ({ restoreCreatedAt: at }, now) => (at === undefined ? undefined : ageText(now - Date.parse(at))),
  },
  { title: 'RUN', wide: true, cell: ({ runID }) => runID },
  { title: 'ATTEMPT', wide: true, cell: ({ attempt }) => attempt },
  { title: 'RUNNER', wide: true, cell: ({ runner }) => runner?.kind },
  { title: 'STARTED', wide: true, cell: ({ startedAt }) => startedAt },
  { title: 'FINISHED', wide: true, cell: ({ finishedAt }) => finishedAt },
  { title: 'BACKUP', wide: true, cell: ({ restore }) => restore.backup },
  { title: 'RESTORE PHASE', wide: true, cell: ({ restorePhase }) => restorePhase },
];

function phaseText({ phase, message }: RunSummary): string | undefined {
  return phase ?? (message === undefined ? undefined : 'unreadable');
}

export interface ListOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** With the namespaces of the Restores. */
  readonly withNamespace: boolean;
}

/** The view of Restores with their last runs. */
export function listView(items: readonly RunSummary[], options: ListOptions): View {
  const list: RunList = { apiVersion: API_VERSION, kind: 'RestoreHookRunList', items: [...items] };
  const human = items.length === 0 ? [] : [listTable(items, options)];
  return { kind: 'document', document: list, human, names: items.map(nameOf) };
}

/** The view of one Restore that has changed: with `-w`, a row below the rows of `before`, as wide as these. */
export function changeView(item: RunSummary, before: readonly RunSummary[], options: ListOptions): View {
  const human = [{ ...listTable([item], options, before), ...(before.length > 0 && { noHeader: true as const }) }];
  return { kind: 'document', document: item, human, names: [nameOf(item)] };
}

/** As `kubectl get -o name` prints it; every command takes it as RESTORE. */
const nameOf = ({ restore }: RunSummary): string => `restore.velero.io/${restore.name}`;

function listTable(
  items: readonly RunSummary[],
  { now, withNamespace }: ListOptions,
  before: readonly RunSummary[] = [],
): Table {
  const columns = COLUMNS.filter(({ title }) => withNamespace || title !== 'NAMESPACE');
  const widthOf = ({ title, cell }: (typeof COLUMNS)[number]): number =>
    Math.max(...[title, ...before.map((item) => String(cell(item, now) ?? '<none>'))].map(displayWidth));
  return {
    columns: columns.map((column) => ({ ...column, width: widthOf(column) })),
    rows: items.map((item) => columns.map(({ cell }) => cell(item, now))),
  };
}
