import { wavesOf } from '../../shared/core/report/open-wave.ts';
import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import { cutText } from '../../shared/core/sanitize.ts';
import { cleanLine, cleanText } from './markup.ts';
import type { FailureGroup, ReportInput } from './report.ts';
import {
  briefly,
  failureGroups,
  hookName,
  isOpen,
  nextCommand,
  noticesOf,
  podOf,
  tookMs,
  verdictOf,
} from './report.ts';

/*
 * Markdown for a pull request or an incident channel: short, whatever the run was. GitHub takes 65,536 characters in a
 * comment. Text from outside stands in code alone, where no markup, mention, reference or link works (R7.26).
 */

const MOST_GROUPS = 15;
const MOST_OPEN = 10;
const MOST_OUTPUTS = 8;
const MOST_LINES = 15;
const MOST_CHARACTERS = 1_500;
/** Of all outputs together, with their fences. */
const OUTPUT_CHARACTERS = 24_000;
const MOST_PODS = 3;
const MOST_NOTICES = 10;
const LONGEST_NAME = 80;
const LONGEST_SENTENCE = 300;

export function markdown(input: ReportInput): string {
  const { run } = input;
  const verdict = verdictOf(run);
  const groups = failureGroups(run);
  const next = nextCommand(run);
  const parts = [
    `## Restore hooks of ${code(`${run.restore.namespace}/${run.restore.name}`)}: ${verdict.title}`,
    prose(verdict.sentence),
    facts(run),
    counts(run),
    leftOut(input),
    failures(groups),
    ...outputs(run, groups),
    unfinished(run),
    next && `${next.why}:\n\n${fenced(next.command, 'sh')}`,
  ];
  return `${parts.filter((part) => part !== undefined).join('\n\n')}\n`;
}

/** A sentence of ours, behind whose colon anybody's words may stand. */
function prose(sentence: string): string {
  const text = cutText(cleanLine(sentence), LONGEST_SENTENCE);
  return /^[\w :;,.()/+-]*$/.test(text) && !/\bwww\.|:\/\//.test(text) ? text : code(text, LONGEST_SENTENCE);
}

function facts(run: RunDocument): string | undefined {
  if (run.runID === undefined) return undefined;
  const took = tookMs(run);
  const said = [
    `run ${code(run.runID)}`,
    `attempt ${run.attempt ?? 1}`,
    ...(run.runner === undefined ? [] : [`${run.runner.kind} ${code(run.runner.name)}`]),
    ...(wavesOf(run.hooks).length === 0 ? [] : [`waves ${wavesOf(run.hooks).join(', ')}`]),
    ...(run.startedAt === undefined ? [] : [`started ${code(run.startedAt)}`]),
    ...(took === undefined ? [] : [`took ${briefly(took)}`]),
  ];
  return said.join(', ');
}

function counts({ counts: of }: RunDocument): string | undefined {
  if (of === undefined) return undefined;
  const all = [
    ['Planned', of.planned],
    ['Succeeded', of.succeeded],
    ['Failed', of.failed],
    ['Timed out', of.timedOut],
    ['Not executed', of.notExecuted],
    ['Unknown', of.unknown],
    ['Running', of.running],
    ['Waiting', of.waiting],
  ] as const;
  const shown = all.filter(([title, count]) => count > 0 || title === 'Planned' || title === 'Succeeded');
  return table(
    shown.map(([title]) => title),
    [shown.map(([, count]) => String(count))],
    '--:',
  );
}

function leftOut(input: ReportInput): string | undefined {
  const { skipped = [], notices = [] } = input.plan ?? {};
  const lines = [
    ...noticesOf(input),
    ...(input.noPlan === undefined ? [] : [`what the plan left out is not known: ${input.noPlan}`]),
    ...notices.map(({ message, namespace, pod, code: id }) => {
      const at = pod === undefined ? '' : `${namespace === undefined ? '' : `${namespace}/`}${pod}: `;
      return `${at}${message} (${id})`;
    }),
    ...skipped.map(({ namespace, pod, reason }) => `skipped ${namespace}/${pod}: ${reason}`),
  ];
  if (lines.length === 0) return undefined;
  const shown = lines.slice(0, MOST_NOTICES).map((line) => `- ${code(line, LONGEST_SENTENCE)}`);
  const more = lines.length - shown.length;
  return ['Notices:', '', ...shown, ...(more > 0 ? [`- ${more} more: see the HTML report, or the plan`] : [])].join(
    '\n',
  );
}

function failures(groups: readonly FailureGroup[]): string | undefined {
  if (groups.length === 0) return undefined;
  const rows = groups.slice(0, MOST_GROUPS).map(({ hook, container, outcome, rows: of }) => {
    const pods = of.slice(0, MOST_PODS).map((row) => code(podOf(row)));
    const more = of.length - pods.length;
    const message = of.find((row) => row.message !== undefined)?.message;
    return [
      code(hook),
      code(container),
      outcome,
      `${pods.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
      message === undefined ? '' : code(message, LONGEST_NAME * 2),
    ];
  });
  const more = groups.slice(MOST_GROUPS).reduce((sum, group) => sum + group.rows.length, 0);
  return [
    '### What did not succeed',
    '',
    table(['Hook', 'Container', 'Outcome', 'Pods', 'Message'], rows, '---'),
    ...(more > 0 ? ['', `And ${more} more hooks.`] : []),
  ].join('\n');
}

/** The output of the first hook of each group that has any. */
function outputs(run: RunDocument, groups: readonly FailureGroup[]): string[] {
  const shown: string[] = [];
  let left = OUTPUT_CHARACTERS;
  for (const row of groups.flatMap(({ rows }) => rows.find(hasOutput) ?? []).slice(0, MOST_OUTPUTS)) {
    const text = outputsOf(row);
    if (text.length > left) continue;
    shown.push(text);
    left -= text.length;
  }
  const more = run.hooks.filter((row) => row.state !== 'Succeeded' && hasOutput(row)).length - shown.length;
  if (more <= 0) return shown;
  return [...shown, `The output of ${more} more hooks that did not succeed is left out: see the HTML report.`];
}

function outputsOf(row: RunHook): string {
  const streams = (['stdout', 'stderr'] as const).flatMap((stream) => {
    const text = row[stream];
    return text === undefined || text.trim() === '' ? [] : [tail(stream, text)];
  });
  return [`#### ${code(podOf(row))}, ${code(hookName(row))}`, ...streams].join('\n\n');
}

const hasOutput = ({ stdout, stderr }: RunHook): boolean => [stdout, stderr].some((text) => text && text.trim() !== '');

/** The last lines of a stream, and how much stood before them. */
function tail(stream: string, text: string): string {
  const all = cleanText(text).trimEnd().split('\n');
  const shown = all.slice(-MOST_LINES).join('\n');
  const end = shown.slice(-MOST_CHARACTERS).replace(/^[\udc00-\udfff]/, '');
  const isCut = all.length > MOST_LINES || end.length < shown.length;
  return `${stream}${isCut ? `, the last ${end.split('\n').length} of ${all.length} lines` : ''}:\n\n${fenced(end, 'text')}`;
}

function unfinished({ hooks }: RunDocument): string | undefined {
  const open = hooks.filter(isOpen);
  if (open.length === 0) return undefined;
  const shown = open
    .slice(0, MOST_OPEN)
    .map((row) => [
      code(podOf(row)),
      code(hookName(row)),
      row.state,
      row.message === undefined ? '' : code(row.message, LONGEST_NAME * 2),
    ]);
  const more = open.length - shown.length;
  return [
    '### What has not ended',
    '',
    table(['Pod', 'Hook', 'State', 'Message'], shown, '---'),
    ...(more > 0 ? ['', `And ${more} more hooks.`] : []),
  ].join('\n');
}

const table = (head: readonly string[], rows: readonly (readonly string[])[], rule: string): string =>
  [head, head.map(() => rule), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** A code span on one line, also in a cell of a table. Text that needs much escaping is cut further. */
function code(text: string, most = LONGEST_NAME): string {
  const line = cleanLine(text).trim();
  for (let length = most; ; length = Math.floor(length / 2)) {
    const span = codeSpan(line.length > length ? `${cutText(line, length - 1)}…` : line);
    if (span.length <= 2 * most) return span;
  }
}

function codeSpan(text: string): string {
  if (text === '') return '` `';
  // In a cell a pipe ends the code as well, and how it can be escaped behind a backslash differs from reader to reader.
  if (text.includes('|')) return `<code>${text.replace(/[^A-Za-z0-9 ]/gu, reference)}</code>`;
  const ticks = '`'.repeat(longestRun(text) + 1);
  const pad = text.startsWith('`') || text.endsWith('`') ? ' ' : '';
  return `${ticks}${pad}${text}${pad}${ticks}`;
}

const reference = (character: string): string => `&#${character.codePointAt(0)};`;

/** A block of code whose fence is longer than any row of backticks in it. */
function fenced(text: string, language: string): string {
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}${language}\n${text}\n${fence}`;
}

const longestRun = (text: string): number =>
  (text.match(/`+/g) ?? []).reduce((longest, run) => Math.max(longest, run.length), 0);
