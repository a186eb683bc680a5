import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { DefaultTreeAdapterTypes } from 'parse5';
import { parse } from 'parse5';
import { html } from '../../../../plugin/report/html.ts';
import { STYLE } from '../../../../plugin/report/html-style.ts';
import { filledWith, HOSTILE, planFilledWith, UNSAFE, withoutTimes } from './hostile.ts';
import { at, bigRun, mixedRun, row, runOf } from './runs.ts';

type Element = DefaultTreeAdapterTypes.Element;

/** The page as browsers read it; what the HTML standard calls an error fails the test. */
function elementsOf(page: string): Element[] {
  const document = parse(page, {
    onParseError: ({ code, startLine }) => assert.fail(`${code}: ${page.split('\n')[startLine - 1]?.slice(0, 200)}`),
  });
  const elements: Element[] = [];
  const walk = (node: DefaultTreeAdapterTypes.Node): void => {
    if ('tagName' in node) elements.push(node);
    if ('childNodes' in node) for (const child of node.childNodes) walk(child);
  };
  walk(document);
  return elements;
}

const textOf = (node: DefaultTreeAdapterTypes.Node): string =>
  node.nodeName === '#text' && 'value' in node
    ? node.value
    : 'childNodes' in node
      ? node.childNodes.map(textOf).join('')
      : '';
const named = (elements: readonly Element[], name: string) => elements.filter(({ tagName }) => tagName === name);
const attribute = ({ attrs }: Element, wanted: string) => attrs.find(({ name }) => name === wanted)?.value;
const textsOf = (page: string, name: string): string[] => named(elementsOf(page), name).map(textOf);

/** All elements and attributes that a page is made of: none runs, loads, frames or submits anything. */
const TAGS =
  'a b bdi body caption circle code dd defs details div dl dt footer h1 h2 h3 head header html li line main meta nav p path pattern pre rect section span style summary svg table tbody td text th thead time title tr ul'.split(
    ' ',
  );
const ATTRIBUTES =
  'aria-hidden aria-label aria-labelledby charset class content cx cy d datetime height href http-equiv id lang lengthAdjust name open patternTransform patternUnits preserveAspectRatio r role scope tabindex text-anchor textLength viewBox width x x1 x2 y y1 y2'.split(
    ' ',
  );

function assertHarmless(page: string): void {
  assert.doesNotMatch(page, UNSAFE);
  const elements = elementsOf(page);
  const ids = new Set(elements.flatMap((element) => attribute(element, 'id') ?? []));
  for (const element of elements) {
    assert.ok(TAGS.includes(element.tagName), element.tagName);
    for (const { name, value } of element.attrs) {
      assert.ok(ATTRIBUTES.includes(name), `${element.tagName} ${name}="${value}"`);
      if (name === 'href') assert.ok(value.startsWith('#') && ids.has(value.slice(1)), value);
      if (name === 'class' || name === 'id') assert.match(value, /^[\w -]*$/);
    }
  }
  assert.deepEqual(named(elements, 'style').map(textOf), [STYLE]);
  assert.equal(named(elements, 'h1').length, 1);
}

describe('the HTML report', () => {
  it('allows its own style, by hash, and nothing else', () => {
    const elements = elementsOf(html({ run: mixedRun() }));
    const policy = named(elements, 'meta').find((meta) => attribute(meta, 'http-equiv') === 'Content-Security-Policy');
    const [style = ''] = named(elements, 'style').map(textOf);
    const hash = createHash('sha256').update(style).digest('base64');
    assert.ok(policy);
    assert.equal(
      attribute(policy, 'content'),
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`,
    );
    // A policy in the page counts from where it stands.
    assert.deepEqual(
      elements.slice(0, 5).map(({ tagName }) => tagName),
      ['html', 'head', 'meta', 'meta', 'meta'],
    );
  });

  it('takes hostile text for text wherever it stands (R7.26)', () => {
    for (const text of HOSTILE) {
      const run = filledWith(text);
      assertHarmless(html({ run, plan: planFilledWith(text) }));
      assertHarmless(html({ run: withoutTimes(run, text) }));
    }
  });

  it('takes any text for text', () => {
    const unit = fc.oneof(
      fc.integer({ max: 0xffff, min: 0 }).map((code) => String.fromCharCode(code)),
      fc.constantFrom(...'<>&"\'/=!-\n'),
    );
    fc.assert(
      fc.property(fc.string({ unit }), (text) => assertHarmless(html({ run: filledWith(text) }))),
      { numRuns: 15 },
    );
  });

  it('says how the run ended, what failed by itself first, and what that has printed', () => {
    const page = html({ run: mixedRun() });
    assert.deepEqual(textsOf(page, 'h1'), ['PartiallyFailed']);
    const headings = textsOf(page, 'h3').map((text) => text.replace(/ in container.*/, ''));
    assert.deepEqual(headings, [
      'Failed (exit 3) load-dump (0)',
      'TimedOut (executing) warm-up (1)',
      'Unknown (connection-lost) warm-up (0)',
      'TimedOut (waiting) warm-up (0)',
      'NotExecuted (no-such-container) warm-up (0)',
      'NotExecuted (aborted) analyze (0)',
      'NotExecuted (aborted) analyze (1)',
    ]);
    assert.deepEqual(textsOf(page, 'pre'), [
      'reading dump\nrestoring table orders\n',
      'psql: error: relation "orders" already exists\nline 42: stopped\n',
      'kubectl restorehooks retry nightly -n velero',
    ]);
  });

  it('keeps lines, leading newlines and any script of an output', () => {
    const output = '\n\n  مرحبا <b>\n\ttab & 日本 😀\n';
    const run = runOf([row('web-0', { state: 'Failed', reason: 'exit', exitCode: 1, stdout: output })]);
    assert.equal(textsOf(html({ run }), 'pre')[0], output);
  });

  it('has a row for each hook, with each timeout and where it came from', () => {
    const rows = textsOf(html({ run: mixedRun() }), 'tr').filter((text) => text.includes('2m0s (spec)10m0s (default)'));
    assert.equal(rows.length, 8);
  });

  it('tells what the plan left out, and that a plan is of another run', () => {
    const plan = { ...planFilledWith('x'), skipped: [{ namespace: 'shop', pod: 'old-0', reason: 'older than it' }] };
    const text = textsOf(html({ run: mixedRun(), plan }), 'main').join();
    assert.match(text, /shop\/old-0: older than it/);
    assert.match(text, /the plan that was given is not that of this run/);
    assert.match(
      textsOf(html({ run: mixedRun() }), 'main').join(),
      /The plan is not known \(it was not given to this report\)/,
    );
  });

  it('tells a run that has not ended, and one that has not begun', () => {
    const going = runOf(
      [
        row('web-0', { state: 'Running', startedAt: at(2), finishedAt: undefined }),
        row('web-1', { state: 'Waiting', message: 'waiting for the pod to be ready' }),
      ],
      { phase: 'InProgress', finishedAt: undefined },
    );
    const page = html({ run: going });
    assert.match(textsOf(page, 'header').join(), /The run has not ended. 0\/2 done, 1 running, 1 waiting/);
    assert.match(textsOf(page, 'main').join(), /Not ended yet: 2/);
    const none = html({
      run: {
        apiVersion: 'restorehooks.io/v1',
        kind: 'RestoreHookRun',
        restore: { namespace: 'velero', name: 'n' },
        hooks: [],
      },
    });
    assert.deepEqual(textsOf(none, 'h1'), ['No run yet']);
    assertHarmless(none);
  });

  it('stays under 8 MB with 10,000 hooks, whatever they printed and are called, and says what it left out', () => {
    const succeeded = html({ run: bigRun(5_000, 2, 40) });
    const failed = html({ run: bigRun(10_000, 1, 1) });
    const escaped = html({ run: bigRun(10_000, 1, 1, '<'.repeat(4096)) });
    const long = { ...bigRun(10_000, 1, 1) };
    const named = html({
      run: { ...long, hooks: long.hooks.map((hook, index) => ({ ...hook, name: `${index}${'"'.repeat(300)}` })) },
    });
    for (const page of [succeeded, failed, escaped, named]) assert.ok(Buffer.byteLength(page) < 8_000_000);
    assert.doesNotMatch(succeeded, /left out here: this page/);
    for (const page of [failed, escaped, named]) assert.match(page, /left out here/);
  });
});
