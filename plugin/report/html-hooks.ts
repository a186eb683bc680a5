import { wavesOf } from '../../shared/core/report/open-wave.ts';
import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import type { Anchors } from './html-parts.ts';
import { Budget, cut, fitting, outcome, scrolling } from './html-parts.ts';
import { Markup, markup } from './markup.ts';
import { briefly, hookName, instantOf, isFailure, isOpen, podOf, tookMs } from './report.ts';

const BYTES = 4_000_000;
const LONGEST_COMMAND = 80;
/** Longer tables are closed at first. */
const MOST_OPEN = 100;

/** The plan beside what became of it: a row for each hook, with each timeout and where it came from. */
export function hookSection(run: RunDocument, anchors: Anchors): Markup {
  const budget = new Budget(BYTES);
  const parts = [
    ['Did not succeed', run.hooks.filter(isFailure)],
    ['Not ended yet', run.hooks.filter(isOpen)],
    ['Succeeded', run.hooks.filter((row) => !isFailure(row) && !isOpen(row))],
  ] as const;
  return markup`<section aria-labelledby="hooks">
<h2 id="hooks">All hooks, as planned</h2>
${parts.flatMap(([title, rows]) => (rows.length === 0 ? [] : [tableOf(title, rows, { run, anchors, budget })]))}${
  run.hooks.length === 0 ? markup`<p>None.</p>` : markup``
}
</section>`;
}

interface Around {
  readonly run: RunDocument;
  readonly anchors: Anchors;
  readonly budget: Budget;
}

const COLUMNS = [
  'Pod',
  'Container',
  'Hook',
  'Wave',
  'Outcome',
  'Start',
  'Took',
  'On error',
  'Exec timeout',
  'Wait timeout',
  'Source',
  'Command',
];

function tableOf(title: string, rows: readonly RunHook[], { run, anchors, budget }: Around): Markup {
  const hasWaves = wavesOf(run.hooks).length > 0;
  const { content, left } = fitting(rows, budget, (row) => line(row, run, anchors, hasWaves));
  const columns = hasWaves ? COLUMNS : COLUMNS.filter((column) => column !== 'Wave');
  const heads = columns.map((column) => markup`<th scope="col">${column}</th>`);
  const table = markup`<table><caption>${title}: ${rows.length}</caption>
<thead><tr>${heads}</tr></thead>
<tbody>
${content}</tbody></table>`;
  const more =
    left > 0
      ? markup`<p>${left} more are left out here: this page would be too long. See <code>status -o json</code>.</p>`
      : markup``;
  return markup`<details${new Markup(rows.length > MOST_OPEN ? '' : ' open')}><summary>${title}: ${rows.length}</summary>
${scrolling(title, table)}
${more}</details>
`;
}

function line(row: RunHook, run: RunDocument, anchors: Anchors, hasWaves: boolean): Markup {
  const took = tookMs(row);
  const [from, start] = [instantOf(run.startedAt), instantOf(row.startedAt)];
  const after = from === undefined || start === undefined || start < from ? undefined : `+${briefly(start - from)}`;
  const exec = row.kind === 'exec' ? row : undefined;
  const what = row.kind === 'exec' ? row.command.join(' ') : `init: ${row.image}`;
  return markup`<tr id="${anchors.get(row)}"><th scope="row" class="w">${cut(podOf(row))}</th><td class="w">${cut(row.container)}</td><td class="w">${cut(
    hookName(row),
  )}</td>${hasWaves ? markup`<td class="n">${exec && String(exec.wave ?? 0)}</td>` : ''}<td class="state ${row.state}">${outcome(run, row)}</td><td class="n">${after}</td><td class="n">${
    took === undefined ? '' : briefly(took)
  }</td><td>${exec?.onError}</td><td>${exec && timeout(exec.execTimeout, exec.execTimeoutFrom)}</td><td>${timeout(
    row.waitTimeout,
    row.waitTimeoutFrom,
  )}</td><td>${row.source === 'annotation' ? `annotation (${row.origin})` : row.source}</td><td class="c w">${cut(what, LONGEST_COMMAND)}</td></tr>
`;
}

const timeout = (value: string | undefined, from: string): string => `${cut(value ?? 'none')} (${from})`;
