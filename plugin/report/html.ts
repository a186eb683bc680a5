import { createHash } from 'node:crypto';
import type { PlanDocument } from '../../shared/core/plan/plan-document.ts';
import { openWaveText, wavesOf } from '../../shared/core/report/open-wave.ts';
import type { RunDocument } from '../../shared/core/report/run-document.ts';
import { VERSION } from '../../shared/core/version.ts';
import { failureSection } from './html-failures.ts';
import { hookSection } from './html-hooks.ts';
import { anchorsOf, cut, LONGEST_SENTENCE, listed, moment } from './html-parts.ts';
import { STYLE } from './html-style.ts';
import { timelineSection } from './html-timeline.ts';
import { joined, Markup, markup } from './markup.ts';
import type { ReportInput } from './report.ts';
import { briefly, isFailure, nextCommand, noticesOf, tookMs, verdictOf } from './report.ts';
import { timelineOf } from './timeline.ts';

/*
 * One page in one file. It has no script, and its policy allows none: what a pod has printed can only be text.
 * The page of 10,000 hooks stays under 8 MB, whatever they printed: what does not fit is counted.
 */

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

export function html(input: ReportInput): string {
  const { run } = input;
  const verdict = verdictOf(run);
  const restore = cut(`${run.restore.namespace}/${run.restore.name}`);
  const anchors = anchorsOf(run);
  return markup`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Markup(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${verdict.title}: restore hooks of ${restore}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header class="${verdict.tone}">
<p class="kind">Restore hooks of <bdi>${restore}</bdi></p>
<h1>${verdict.title}</h1>
<p>${cut(verdict.sentence, LONGEST_SENTENCE)}</p>
${facts(run)}
${contents(input)}
</header>
<main>
${counts(run)}
${noticeSection(noticesOf(input))}
${failureSection(run, anchors)}
${next(run)}
${timelineSection(timelineOf(run), anchors)}
${hookSection(run, anchors)}
${leftOut(input)}
</main>
<footer><p>Made by kubectl restorehooks ${VERSION}. Commands and outputs can hold passwords: pass this page on with care.</p></footer>
</body>
</html>
`.text;
}

function contents({ run }: ReportInput): Markup {
  const parts = [
    ['failures', 'What did not succeed', run.hooks.some(isFailure)],
    ['timeline', 'Timeline', true],
    ['hooks', 'All hooks', true],
    ['left-out', 'What was left out', true],
  ] as const;
  const links = parts.flatMap(([id, title, is]) => (is ? [markup`<a href="#${id}">${title}</a>`] : []));
  return markup`<nav aria-label="Contents">${listed(links)}</nav>`;
}

function facts(run: RunDocument): Markup {
  const took = tookMs(run);
  const { runID, attempt, runner, planDigest, restore, openWave, startedAt, finishedAt } = run;
  const all: (readonly [string, Markup | string | undefined])[] = [
    ['Started', startedAt && moment(startedAt)],
    ['Finished', finishedAt && moment(finishedAt)],
    ['Took', took === undefined ? undefined : briefly(took)],
    ['Run', runID && cut(runID)],
    ['Attempt', attempt?.toString()],
    ['Waves', cut(wavesOf(run.hooks).join(', '))],
    ['Open wave', openWave && cut(openWaveText(openWave), LONGEST_SENTENCE)],
    ['Runner', runner && cut(`${runner.kind} ${runner.name}`)],
    ['Backup', restore.backup && cut(restore.backup)],
    ['Plan', planDigest && cut(planDigest)],
  ];
  const known = all.flatMap(([title, value]) =>
    value === undefined || value === '' ? [] : [markup`<div><dt>${title}</dt><dd>${value}</dd></div>`],
  );
  return markup`<dl class="facts">${known}</dl>`;
}

function counts({ counts: of }: RunDocument): Markup {
  if (of === undefined) return markup``;
  const all = [
    ['Succeeded', 'Succeeded', of.succeeded],
    ['Failed', 'Failed', of.failed],
    ['TimedOut', 'Timed out', of.timedOut],
    ['Unknown', 'Unknown', of.unknown],
    ['NotExecuted', 'Not executed', of.notExecuted],
    ['Running', 'Running', of.running],
    ['Waiting', 'Waiting', of.waiting],
  ] as const;
  const shown = all.filter(([, , count]) => count > 0);
  let at = 0;
  const bars = shown.map(([state, , count]) => {
    const [x, width] = [at, (100 * count) / Math.max(1, of.planned)];
    at += width;
    return markup`<rect class="bar ${state}" x="${x.toFixed(2)}%" y="1" width="${width.toFixed(2)}%" height="14"/>`;
  });
  return markup`<section aria-labelledby="counts">
<h2 id="counts">${of.planned} ${of.planned === 1 ? 'hook' : 'hooks'} planned</h2>
<svg class="share" aria-hidden="true">${bars}</svg>
<ul class="counts">${shown.map(([state, title, count]) => markup`<li class="state ${state}"><b>${count}</b> ${title}</li>`)}</ul>
</section>`;
}

const MOST_NOTICES = 200;

const noticeSection = (notices: readonly string[]): Markup =>
  notices.length === 0
    ? markup``
    : markup`<section aria-labelledby="notices">
<h2 id="notices">Notices</h2>
${notes(notices)}
</section>`;

function notes(notices: readonly string[]): Markup {
  const more = notices.length - MOST_NOTICES;
  return listed([
    ...notices.slice(0, MOST_NOTICES).map((notice) => markup`${cut(notice, LONGEST_SENTENCE)}`),
    ...(more > 0 ? [markup`${more} more`] : []),
  ]);
}

function next(run: RunDocument): Markup {
  const next = nextCommand(run);
  if (next === undefined) return markup``;
  return markup`<section aria-labelledby="next">
<h2 id="next">What to do next</h2>
<p>${next.why}:</p>
<pre class="command"><code>${next.command}</code></pre>
</section>`;
}

/** What the plan says of hooks and pods that are not in the run. */
function leftOut({ run, plan, noPlan = 'it was not given to this report' }: ReportInput): Markup {
  const parts =
    plan === undefined
      ? [
          markup`<p>The plan is not known (${cut(noPlan, LONGEST_SENTENCE)}), so pods and hooks that it left out are not known here. Make the report with <code>-f plan.json</code> to see them.</p>`,
        ]
      : planParts(run, plan);
  return markup`<section aria-labelledby="left-out">
<h2 id="left-out">What was left out, and why</h2>
${joined(parts, '\n')}
</section>`;
}

function planParts(run: RunDocument, plan: PlanDocument): Markup[] {
  const known = new Set(run.hooks.map(({ id }) => id));
  const notRun = plan.hooks.filter(({ id }) => !known.has(id)).map(({ id }) => id);
  const skipped = plan.skipped.map(({ namespace, pod, reason }) => `${namespace}/${pod}: ${reason}`);
  const notices = plan.notices.map(({ code, namespace, pod, message }) => {
    const at = pod === undefined ? '' : `${namespace === undefined ? '' : `${namespace}/`}${pod}: `;
    return `${at}${message} (${code})`;
  });
  const groups = [
    ['Hooks of the plan that are not in the run', notRun],
    ['Pods that were skipped', skipped],
    ['Notices of the plan', notices],
  ] as const;
  const told = groups.filter(([, all]) => all.length > 0);
  if (told.length === 0) return [markup`<p>Nothing: the plan has no notices, and skipped no pod.</p>`];
  return told.map(([title, all]) => markup`<h3>${title}</h3>\n${notes(all)}`);
}
