import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import type { Anchors } from './html-parts.ts';
import { Budget, cut, fitting, LONGEST_SENTENCE, moment } from './html-parts.ts';
import { lines, Markup, markup } from './markup.ts';
import type { FailureGroup } from './report.ts';
import { briefly, failureGroups, podOf, tookMs } from './report.ts';

const BYTES = 3_000_000;
/** So many are open at first: what is closed is not painted. */
const MOST_OPEN = 6;

/** What did not succeed, with all that is known of it, by hook and outcome. */
export function failureSection(run: RunDocument, anchors: Anchors): Markup {
  const groups = failureGroups(run);
  if (groups.length === 0) return markup``;
  const budget = new Budget(BYTES);
  let shown = 0;
  const parts = groups.map((group) => {
    const { content, left } = fitting(group.rows, budget, (row) => failure(row, anchors, shown++ < MOST_OPEN));
    return groupPart(group, content, left);
  });
  const all = groups.reduce((sum, { rows }) => sum + rows.length, 0);
  const { content, left } = fitting(parts, new Budget(BYTES + 500_000), (part) => part);
  return markup`<section aria-labelledby="failures">
<h2 id="failures">${all} ${all === 1 ? 'hook' : 'hooks'} did not succeed</h2>
${content}${left > 0 ? markup`<p>${left} more kinds of failure are left out here. They stand in the table of all hooks.</p>` : markup``}
</section>`;
}

function groupPart({ outcome, hook, container, rows }: FailureGroup, content: Markup, left: number): Markup {
  const pods = new Set(rows.map(podOf)).size;
  const [state = ''] = outcome.split(' ');
  const rest =
    left > 0
      ? markup`<p>${left} more are left out here: this page would be too long. They stand in the table of all hooks, and their output in <code>status -o json</code>.</p>`
      : markup``;
  return markup`<section class="group">
<h3><span class="state ${state}">${outcome}</span> <bdi>${cut(hook)}</bdi> in container <bdi>${cut(container)}</bdi>${pods > 1 ? `, ${pods} pods` : ''}</h3>
${content}${rest}
</section>
`;
}

function failure(row: RunHook, anchors: Anchors, isOpen: boolean): Markup {
  const took = tookMs(row);
  const about = [
    ...(row.startedAt === undefined ? [markup`never started`] : [markup`started ${moment(row.startedAt)}`]),
    ...(row.finishedAt === undefined ? [] : [markup`ended ${moment(row.finishedAt)}`]),
    ...(took === undefined ? [] : [markup`took ${briefly(took)}`]),
    ...(row.kind === 'exec' ? [markup`onError: ${row.onError}`] : []),
  ].flatMap((part, index) => (index === 0 ? [part] : [markup`, `, part]));
  const dropped = row.outputDropped
    ? markup`<p>Its output was left out: the run printed more than a report holds.</p>`
    : markup``;
  return markup`<details${new Markup(isOpen ? ' open' : '')}><summary><bdi>${cut(podOf(row))}</bdi></summary>
${row.message === undefined ? markup`` : markup`<p class="message"><bdi>${cut(row.message, LONGEST_SENTENCE)}</bdi></p>`}
<p class="about">${about}. <a href="#${anchors.get(row)}">Its row</a></p>
${dropped}${stream('stdout', row)}${stream('stderr', row)}</details>
`;
}

function stream(name: 'stdout' | 'stderr', row: RunHook): Markup {
  const text = row[name];
  if (text === undefined || text.trim() === '') return markup``;
  const label = `${name} of ${cut(podOf(row), 60)}, ${cut(row.name, 60)} (${row.index})`;
  // The parser drops one newline behind <pre>.
  return markup`<p class="stream">${name}</p><pre tabindex="0" role="region" aria-label="${label}">
${lines(text)}</pre>
`;
}
