import { wavesOf } from '../../shared/core/report/open-wave.ts';
import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import type { Markup } from './markup.ts';
import { joined, lines, markup } from './markup.ts';
import type { ReportInput, Verdict } from './report.ts';
import { isConsequence, isOpen, missingRows, noticesOf, outcomeOf, podOf, tookMs, verdictOf } from './report.ts';

/*
 * JUnit XML in the form that Jenkins' schema (junit-10.xsd) and Surefire's both take: what one of the two forbids, such as
 * `timestamp`, is a property instead. Surefire's has no `testsuites`: each `testsuite` is valid by itself.
 */

type Result = 'passed' | 'failure' | 'error' | 'skipped';

/** `failure`: the command did not do its work. `error`: it could not be run, or nobody knows what became of it. */
function resultOf(hook: RunHook): Result {
  if (isOpen(hook) || isConsequence(hook)) return 'skipped';
  switch (hook.state) {
    case 'Succeeded':
      return 'passed';
    case 'Failed':
      return hook.reason === 'exit' ? 'failure' : 'error';
    case 'TimedOut':
      return 'failure';
    default:
      return 'error';
  }
}

/** The run as a test: it passes if the run ended well, so that a run that died or has not ended is never green (R7.27). */
function resultOfRun(run: RunDocument): Result {
  if (missingRows(run) > 0) return 'error';
  if (run.phase === 'Completed' || run.phase === 'CompletedWithFailures') return 'passed';
  return run.phase === 'PartiallyFailed' || run.phase === 'Canceled' ? 'failure' : 'error';
}

export function junit(input: ReportInput): string {
  const { run } = input;
  const suites = [
    runSuite(input, verdictOf(run)),
    ...[...Map.groupBy(run.hooks, podOf)].map(([pod, hooks]) => podSuite(pod, hooks)),
  ];
  const total = totalOf(suites.flatMap(({ results }) => results));
  return markup`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="${`kubectl restorehooks: ${run.restore.namespace}/${run.restore.name}`}" tests="${total.tests}" failures="${total.failures}" errors="${total.errors}">
${joined(suites.map(({ xml }) => xml))}</testsuites>
`.text;
}

interface Suite {
  readonly results: readonly Result[];
  readonly xml: Markup;
}

function runSuite(input: ReportInput, verdict: Verdict): Suite {
  const { run } = input;
  const result = resultOfRun(run);
  const restore = `${run.restore.namespace}/${run.restore.name}`;
  const sentences = [verdict.sentence, ...noticesOf(input)].join('\n');
  const properties = {
    restore,
    backup: run.restore.backup,
    runID: run.runID,
    attempt: run.attempt,
    phase: run.phase,
    planDigest: run.planDigest,
    waves: wavesOf(run.hooks).join(', ') || undefined,
    startedAt: run.startedAt,
    finishedAt: run.finishedAt,
  };
  const xml = markup`<testcase classname="restorehooks.run" name="${`run of Restore ${restore}`}" time="${seconds(tookMs(run))}">${told(
    result,
    { type: verdict.title, message: verdict.sentence, body: sentences },
  )}</testcase>
`;
  return suite(
    `Restore ${restore}`,
    tookMs(run),
    [result],
    markup`<properties>${propertiesOf(properties)}</properties>
${xml}`,
  );
}

const propertiesOf = (properties: Readonly<Record<string, string | number | undefined>>): Markup[] =>
  Object.entries(properties).flatMap(([name, value]) =>
    value === undefined ? [] : [markup`<property name="${name}" value="${value}"/>`],
  );

function podSuite(pod: string, hooks: readonly RunHook[]): Suite {
  const took = hooks.reduce((sum, hook) => sum + (tookMs(hook) ?? 0), 0);
  return suite(pod, took, hooks.map(resultOf), joined(hooks.map((hook) => testcase(pod, hook))));
}

function suite(name: string, took: number | undefined, results: readonly Result[], content: Markup): Suite {
  const { tests, failures, errors, skipped } = totalOf(results);
  const xml = markup`<testsuite name="${name}" tests="${tests}" failures="${failures}" errors="${errors}" skipped="${skipped}" time="${seconds(took)}">
${content}</testsuite>
`;
  return { results, xml };
}

/** Its name is the hook's id: readers keep a history by class and name, drop duplicates, or show the name alone. */
function testcase(pod: string, hook: RunHook): Markup {
  const message = [outcomeOf(hook), hook.message].filter((text) => text !== undefined).join(': ');
  const result = resultOf(hook);
  const about = { type: hook.reason ?? hook.state, message, body: [message, ...outputEnd(hook)].join('\n') };
  return markup`<testcase classname="${pod.replace('/', '.')}" name="${hook.id}" time="${seconds(tookMs(hook))}">${told(
    result,
    about,
  )}${output('system-out', systemOut(hook))}${output('system-err', hook.stderr)}</testcase>
`;
}

function told(
  result: Result,
  about: { readonly type: string; readonly message: string; readonly body: string },
): Markup {
  if (result === 'passed') return markup``;
  if (result === 'skipped') return markup`<skipped message="${about.message}"/>`;
  const body = lines(about.body);
  return result === 'failure'
    ? markup`<failure type="${about.type}" message="${about.message}">${body}</failure>`
    : markup`<error type="${about.type}" message="${about.message}">${body}</error>`;
}

const LAST_LINES = 20;

/** Some readers show a failure's text and nothing else: it says how the output ended. */
function outputEnd({ stdout = '', stderr = '' }: RunHook): string[] {
  const text = stderr.trim() === '' ? stdout : stderr;
  return text.trimEnd() === '' ? [] : text.trimEnd().split('\n').slice(-LAST_LINES);
}

function systemOut(hook: RunHook): string | undefined {
  if (hook.outputDropped) return '(left out: the run printed more than a report holds)';
  if (!hook.unproven) return hook.stdout;
  return `(not proven: the server speaks only v5.channel.k8s.io)\n${hook.stdout ?? ''}`;
}

function output(element: 'system-out' | 'system-err', text: string | undefined): Markup {
  if (text === undefined || text === '') return markup``;
  const content = lines(text);
  return element === 'system-out'
    ? markup`<system-out>${content}</system-out>`
    : markup`<system-err>${content}</system-err>`;
}

const seconds = (ms = 0): string => (ms / 1000).toFixed(3);

function totalOf(results: readonly Result[]) {
  const count = (wanted: Result): number => results.filter((result) => result === wanted).length;
  return { tests: results.length, failures: count('failure'), errors: count('error'), skipped: count('skipped') };
}
