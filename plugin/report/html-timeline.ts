import type { Anchors } from './html-parts.ts';
import { cut, scrolling } from './html-parts.ts';
import { Markup, markup } from './markup.ts';
import { briefly, hookName, outcomeOf, podOf, tookMs } from './report.ts';
import type { Bar, Lane, Timeline } from './timeline.ts';

/*
 * A lane for each pod, drawn in parts of the width, so that it fits every page. A bar links to the hook's row; what it
 * is shows on hover and on focus, and stands in the table of all hooks.
 */

const LEGEND = ['Succeeded', 'Failed', 'TimedOut', 'Unknown', 'NotExecuted', 'Running', 'Waiting'] as const;

export function timelineSection(timeline: Timeline | undefined, anchors: Anchors): Markup {
  if (timeline === undefined) {
    return markup`<section aria-labelledby="timeline"><h2 id="timeline">Timeline</h2><p>No hook of this run has started.</p></section>`;
  }
  const { lanes, podsLeft, spanMs } = timeline;
  const left = lanes.reduce((sum, { barsLeft }) => sum + barsLeft, 0);
  const few =
    podsLeft === 0 && left === 0
      ? markup``
      : markup`<p>Drawn are ${lanes.length} of ${lanes.length + podsLeft} pods: those with hooks that did not succeed, then those that ended last.${
          left > 0 ? ` ${left} hooks of these pods are not drawn.` : ''
        } All hooks stand in the table below.</p>`;
  const table = markup`<table class="timeline"><caption>Hooks of each pod over ${briefly(spanMs)}</caption>
<thead><tr><th scope="col">Pod</th><th scope="col" class="axis">Time since the start${axis(spanMs)}</th><th scope="col">Outcome</th></tr></thead>
<tbody>
${load(timeline)}${lanes.map((lane) => laneRow(lane, anchors))}</tbody></table>`;
  return markup`<section aria-labelledby="timeline">
<h2 id="timeline">Timeline</h2>
${few}
<ul class="legend" aria-label="Legend">${LEGEND.filter((state) => isDrawn(state, lanes)).map(legendItem)}</ul>
${PATTERNS}
${scrolling('Timeline of each pod', table)}
</section>`;
}

const isDrawn = (state: (typeof LEGEND)[number], lanes: readonly Lane[]): boolean =>
  state === 'Waiting'
    ? lanes.some(({ waits }) => waits.length > 0)
    : lanes.some(({ bars }) => bars.some(({ rows: [{ state: drawn }] }) => drawn === state));

const legendItem = (state: (typeof LEGEND)[number]): Markup =>
  markup`<li><svg aria-hidden="true" width="28" height="16">${
    state === 'Waiting'
      ? markup`<line class="wait" x1="1" x2="27" y1="8" y2="8"/>`
      : state === 'NotExecuted'
        ? markup`<circle class="bar NotExecuted" cx="14" cy="8" r="5"/>`
        : markup`<rect class="bar ${state}" x="1" y="2" width="26" height="12"/>`
  }</svg> ${state}</li>`;

/** What a state looks like where colours can't be told apart. */
const PATTERNS = new Markup(`<svg class="patterns" aria-hidden="true" width="0" height="0"><defs>
<pattern id="p-Failed" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="Failed" width="6" height="6"/><rect class="gap" width="2" height="6"/></pattern>
<pattern id="p-TimedOut" width="6" height="6" patternUnits="userSpaceOnUse"><rect class="TimedOut" width="6" height="6"/><rect class="gap" width="2" height="6"/></pattern>
<pattern id="p-Unknown" width="6" height="6" patternUnits="userSpaceOnUse"><rect class="Unknown" width="6" height="6"/><circle class="gap" cx="3" cy="3" r="1.5"/></pattern>
</defs></svg>`);

const percent = (part: number): string => `${(part * 100).toFixed(2)}%`;

/** A tick at each quarter. */
const axis = (spanMs: number): Markup =>
  markup`<svg class="ticks" aria-hidden="true">${[0, 0.25, 0.5, 0.75, 1].map(
    (part) =>
      markup`<line x1="${percent(part)}" x2="${percent(part)}" y1="14" y2="20"/><text x="${percent(part)}" y="11" text-anchor="${
        part === 0 ? 'start' : part === 1 ? 'end' : 'middle'
      }">${briefly(spanMs * part)}</text>`,
  )}</svg>`;

const LOAD_HEIGHT = 24;

/** How many hooks ran at once. */
function load({ running }: Timeline): Markup {
  const peak = running.reduce((most, count) => Math.max(most, count), 0);
  if (peak === 0) return markup``;
  const y = (count: number): string => (LOAD_HEIGHT * (1 - count / peak)).toFixed(1);
  const path = running.map((count, step) => `V${y(count)}H${step + 1}`).join('');
  return markup`<tr><th scope="row">All pods</th><td><svg class="load" role="img" aria-label="Hooks that ran at once: at most ${peak}" viewBox="0 0 ${
    running.length
  } ${LOAD_HEIGHT}" preserveAspectRatio="none"><path d="M0 ${LOAD_HEIGHT}${path}V${LOAD_HEIGHT}Z"/></svg></td><td>at most ${peak} at once</td></tr>
`;
}

function laneRow(lane: Lane, anchors: Anchors): Markup {
  const waits = lane.waits.map(
    ({ from, to }) => markup`<line class="wait" x1="${percent(from)}" x2="${percent(to)}" y1="11" y2="11"/>`,
  );
  const pod = cut(lane.pod);
  return markup`<tr><th scope="row" class="w">${pod}</th><td><svg class="lane" role="group" aria-label="Hooks of ${pod}">${waits}${lane.bars.map(
    (bar) => barLink(bar, anchors),
  )}</svg></td><td>${summary(lane)}</td></tr>
`;
}

function summary({ rows }: Lane): Markup {
  const states = [...Map.groupBy(rows, ({ state }) => state)];
  return markup`${states.map(([state, { length }]) => markup`<span class="state ${state}">${length > 1 ? `${length} ` : ''}${state}</span> `)}`;
}

function barLink({ rows, from, to }: Bar, anchors: Anchors): Markup {
  const [first, ...others] = rows;
  const took = tookMs(first);
  const said = [
    cut(podOf(first), 50),
    `${cut(hookName(first), 50)}${others.length > 0 ? ` and ${others.length} more` : ''}`,
    outcomeOf(first),
    ...(took === undefined ? [] : [`ran ${briefly(took)}`]),
  ].join(', ');
  const x = percent(from);
  const shape =
    to === undefined
      ? markup`<circle class="bar ${first.state}" cx="${x}" cy="11" r="5"/>`
      : markup`<rect class="bar ${first.state}" x="${x}" y="3" width="${percent(to - from)}" height="16"/>`;
  return markup`<a href="#${anchors.get(first)}" aria-label="${said}"><title>${said}</title>${shape}${tip(said, from)}</a>`;
}

const CHARACTER = 7.2;

/** Shown on focus: `<title>` shows on hover alone. */
function tip(text: string, at: number): Markup {
  const width = Math.round([...text].length * CHARACTER);
  const left = at > 0.5 ? -width - 12 : 0;
  return markup`<svg class="tip" aria-hidden="true" x="${percent(at)}" y="24"><rect x="${left}" width="${width + 12}" height="22"/><text x="${
    left + 6
  }" y="15" textLength="${width}" lengthAdjust="spacingAndGlyphs">${text}</text></svg>`;
}
