import type { PlanDocument } from '../../../../shared/core/plan/plan-document.ts';
import type { RunDocument } from '../../../../shared/core/report/run-document.ts';
import { mixedRun, row, runOf } from './runs.ts';

/** What a pod, an image or whoever saved a document could put into a text. */
export const HOSTILE: readonly string[] = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onfocus=alert(1) autofocus x='",
  '</style><style>*{display:none}</style>',
  '</title></pre></details></svg><h1>gone</h1><!--',
  ']]><![CDATA[<a/>',
  '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>&b;',
  '&lt;b&gt; &amp; &#60; &nosuch;',
  '\x1b[31mred\x1b[0m \x00\x08\x0c\x7f\x9b1m \x1b]0;title\x07',
  '\u202egnp.exe\u2066\u061c\u200f\ufeff\u2028',
  'half \ud800 of \udfff a pair',
  '\ufffe\uffff',
  '```\n# heading\n````\n<b>',
  '~~~\n@everyone\n~~~',
  '`a` ``b`` |c| \\|d\\',
  '`',
  '\\',
  '|',
  '@everyone #1 !2 fixes #3 user@example.org https://example.org www.example.org',
  '[a](javascript:alert(1)) ![i](https://example.org/y.png) <https://example.org> [^1]',
  '\n\n# heading\n\n- list\n\n> quote\n\n---\n\n| a |\n| - |\n| b |\n',
  '*bold* _em_ ~~del~~ **b** __b__ $math$ :smile:',
  '\r\n\ttab\r',
  '; rm -rf "$HOME" #',
  'x'.repeat(20_000),
  '<'.repeat(5_000),
  '|'.repeat(5_000),
  '`'.repeat(5_000),
  '`\n'.repeat(2_000),
  '   ',
  '',
];

/** The run with this text wherever a text may stand; times and what is told apart by a fixed list of words stay. */
export function filledWith(text: string): RunDocument {
  const { hooks, ...run } = mixedRun();
  const rows = [
    ...hooks,
    row('x', { state: 'Running', startedAt: run.startedAt, finishedAt: undefined }),
    row('y', { state: 'Waiting', startedAt: undefined, finishedAt: undefined }),
  ].map((each) => ({
    ...each,
    id: text,
    namespace: text,
    pod: text,
    container: text,
    name: text,
    command: [text, text],
    execTimeout: text,
    waitTimeout: text,
    message: text,
    stdout: text,
    stderr: text,
  }));
  const told = runOf(rows, { phase: 'Failed', message: text, runID: text, planDigest: text, notices: [text, text] });
  return {
    ...told,
    restore: { namespace: text, name: text, uid: text, backup: text },
    runner: { kind: 'job', name: text },
  };
}

/** The same with texts for times. */
export const withoutTimes = (run: RunDocument, text: string): RunDocument => ({
  ...run,
  startedAt: text,
  finishedAt: text,
  hooks: run.hooks.map((hook, index) => (index % 2 === 0 ? { ...hook, startedAt: text, finishedAt: text } : hook)),
});

export const planFilledWith = (text: string): PlanDocument => ({
  apiVersion: 'restorehooks.io/v1',
  kind: 'RestoreHookPlan',
  restore: { namespace: text, name: text },
  selector: { labelSelector: text },
  digest: text,
  hooks: [],
  skipped: [{ namespace: text, pod: text, reason: text }],
  notices: [{ code: text, namespace: text, pod: text, message: text }],
});

/** What no format may hold: control characters, marks that reorder text, halves of surrogate pairs, noncharacters. */
export const UNSAFE =
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\p{Surrogate}/u;
