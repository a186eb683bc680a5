import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { junit } from '../../../../plugin/report/junit.ts';
import { cleanText } from '../../../../plugin/report/markup.ts';
import type { RunHook } from '../../../../shared/core/report/run-document.ts';
import { filledWith, HOSTILE, planFilledWith, UNSAFE, withoutTimes } from './hostile.ts';
import { bigRun, mixedRun, row, runOf } from './runs.ts';

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

/** The document as XML 1.0 has it; anything else throws. */
function read(xml: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  const parser = new SaxesParser();
  parser.on('error', (error) => assert.fail(error.message));
  parser.on('doctype', () => assert.fail('a doctype'));
  parser.on('opentag', ({ name, attributes }) => {
    const element = { name, attributes, children: [], text: '' };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on('text', (text) => {
    const element = open.at(-1);
    if (element !== undefined) element.text += text;
  });
  parser.on('closetag', () => void open.pop());
  parser.write(xml).close();
  const [only] = root.children;
  assert.ok(only);
  return only;
}

/**
 * What both Jenkins' schema and Surefire's allow: attributes (`?`: need not be there) and children, in this order.
 * `*`: any number of them; others at most once.
 */
const SCHEMA: Readonly<Record<string, { attributes: string; children: string }>> = {
  testsuites: { attributes: 'name tests failures errors', children: 'testsuite*' },
  testsuite: { attributes: 'name tests failures errors skipped time', children: 'properties testcase*' },
  properties: { attributes: '', children: 'property*' },
  property: { attributes: 'name value', children: '' },
  testcase: { attributes: 'classname name time', children: 'failure skipped error system-out system-err' },
  failure: { attributes: 'type message', children: '' },
  error: { attributes: 'type message', children: '' },
  skipped: { attributes: 'message', children: '' },
  'system-out': { attributes: '', children: '' },
  'system-err': { attributes: '', children: '' },
};
/** Elements in which text may stand. */
const WITH_TEXT = ['failure', 'error', 'system-out', 'system-err'];

function assertValid(element: Element): void {
  const rule = SCHEMA[element.name];
  assert.ok(rule, element.name);
  assert.deepEqual(Object.keys(element.attributes), rule.attributes.split(' ').filter(Boolean), element.name);
  if (!WITH_TEXT.includes(element.name)) assert.equal(element.text.trim(), '', element.name);
  if (element.attributes['time'] !== undefined) assert.match(element.attributes['time'], /^\d+\.\d{3}$/);
  const order = rule.children.split(' ').map((child) => child.replace('*', ''));
  const places = element.children.map(({ name }) => order.indexOf(name));
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
  for (const [place, name] of order.entries()) {
    const many = rule.children.split(' ')[place]?.endsWith('*');
    assert.ok(many || places.filter((each) => each === place).length <= 1, `${element.name} ${name}`);
  }
  for (const child of element.children) assertValid(child);
}

/** The results that a reader counts, in an element. */
function counted({ name, children }: Element): Record<string, number> {
  const total = { tests: 0, failures: 0, errors: 0, skipped: 0 };
  if (name === 'testcase') {
    const has = (child: string): number => children.filter((each) => each.name === child).length;
    return { tests: 1, failures: has('failure'), errors: has('error'), skipped: has('skipped') };
  }
  return children
    .map(counted)
    .reduce<Record<string, number>>(
      (sum, each) => Object.fromEntries(Object.entries(sum).map(([key, value]) => [key, value + (each[key] ?? 0)])),
      total,
    );
}

function assertSound(xml: string): Element {
  assert.doesNotMatch(xml, UNSAFE);
  const root = read(xml);
  assertValid(root);
  for (const element of [root, ...root.children]) {
    const { tests, failures, errors, skipped } = element.attributes;
    const told = { tests, failures, errors, ...(skipped === undefined ? {} : { skipped }) };
    const found = Object.entries(counted(element)).filter(([key]) => key in told);
    assert.deepEqual(told, Object.fromEntries(found.map(([key, value]) => [key, String(value)])));
  }
  return root;
}

/** `failure exit`, `skipped`, `passed`: of each test, the run's own first. */
const resultsOf = (root: Element): string[] =>
  root.children.flatMap(({ children }) =>
    children
      .filter(({ name }) => name === 'testcase')
      .map(({ children: told }) => {
        const result = told.find(({ name }) => ['failure', 'error', 'skipped'].includes(name));
        return [result?.name ?? 'passed', result?.attributes['type'] ?? []].flat().join(' ');
      }),
  );

describe('the JUnit report', () => {
  it('takes hostile text for text wherever it stands (R7.26)', () => {
    for (const text of HOSTILE) {
      const run = filledWith(text);
      const root = assertSound(junit({ run, plan: planFilledWith(text) }));
      assertSound(junit({ run: withoutTimes(run, text) }));
      const outputs = root.children.flatMap(({ children }) =>
        children.flatMap((test) => test.children.filter(({ name }) => name === 'system-err')),
      );
      for (const output of outputs) assert.equal(output.text, cleanText(text));
    }
  });

  it('takes any text for text', () => {
    const unit = fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      fc.constantFrom(...'<>&"\']!-\n'),
    );
    fc.assert(
      fc.property(fc.string({ unit }), (text) => void assertSound(junit({ run: filledWith(text) }))),
      {
        numRuns: 100,
      },
    );
  });

  it('has a suite for each pod and a test for each hook, by ids, which stay from run to run', () => {
    const root = assertSound(junit({ run: mixedRun() }));
    assert.deepEqual(
      root.children.map(({ attributes }) => attributes['name']),
      ['Restore velero/nightly', 'shop/db-0', 'shop/web-0', 'shop/web-1', 'shop/web-2', 'shop/web-3'],
    );
    const tests = root.children[1]?.children.map(({ attributes: { classname, name } }) => `${classname} ${name}`);
    assert.deepEqual(tests, [
      'shop.db-0 shop/db-0/postgres/load-dump/0',
      'shop.db-0 shop/db-0/postgres/analyze/0',
      'shop.db-0 shop/db-0/postgres/analyze/1',
    ]);
    assert.deepEqual(resultsOf(root), [
      'failure PartiallyFailed',
      'failure exit',
      'skipped',
      'skipped',
      'passed',
      'failure executing',
      'error connection-lost',
      'failure waiting',
      'error no-such-container',
    ]);
  });

  it('tells a command that failed from one of which nobody knows, and from what was not its turn', () => {
    const of = (state: RunHook['state'], reason?: RunHook['reason']) =>
      resultsOf(read(junit({ run: runOf([row('web-0', { state, ...(reason && { reason }) })]) })))[1];
    assert.equal(of('Succeeded'), 'passed');
    assert.equal(of('Failed', 'exit'), 'failure exit');
    assert.equal(of('Failed', 'error'), 'error error');
    assert.equal(of('Unknown', 'runner-died'), 'error runner-died');
    assert.equal(of('NotExecuted', 'pod-deleted'), 'error pod-deleted');
    for (const reason of ['aborted', 'canceled', 'runner-died'] as const)
      assert.equal(of('NotExecuted', reason), 'skipped');
    for (const state of ['Waiting', 'Running'] as const) assert.equal(of(state), 'skipped');
  });

  it('passes the test of the run only if it ended well, and all its hooks are there (R7.27)', () => {
    const ofRun = (more: Parameters<typeof runOf>[1]) =>
      resultsOf(read(junit({ run: runOf([row('web-0')], more) })))[0];
    assert.equal(ofRun({ phase: 'Completed' }), 'passed');
    assert.equal(ofRun({ phase: 'CompletedWithFailures' }), 'passed');
    assert.equal(ofRun({ phase: 'PartiallyFailed' }), 'failure PartiallyFailed');
    assert.equal(ofRun({ phase: 'Canceled' }), 'failure Canceled');
    for (const phase of ['Failed', 'InProgress', 'Pending'] as const) assert.equal(ofRun({ phase }), `error ${phase}`);
    const { counts, ...run } = runOf([row('web-0')]);
    assert.ok(counts);
    const missing = junit({ run: { ...run, counts: { ...counts, planned: 2 } } });
    assert.match(missing, /1 of 2 hooks are missing here/);
    assert.equal(resultsOf(read(missing))[0], 'error Completed');
    const none = { apiVersion: run.apiVersion, kind: run.kind, restore: run.restore, hooks: [] };
    assert.deepEqual(resultsOf(assertSound(junit({ run: none }))), ['error No run yet']);
  });

  it('says in the failure itself how the output ended, as some readers show nothing else', () => {
    const stderr = Array.from({ length: 50 }, (_, line) => `line ${line}\n`).join('');
    const run = runOf([row('web-0', { state: 'Failed', reason: 'exit', exitCode: 2, message: 'no', stderr })]);
    const failure = read(junit({ run })).children[1]?.children[0]?.children[0];
    assert.equal(failure?.attributes['message'], 'Failed (exit 2): no');
    assert.equal(failure?.text.split('\n').length, 21);
    assert.match(failure?.text ?? '', /^Failed \(exit 2\): no\nline 30\n[\s\S]*\nline 49$/);
  });

  it('has 10,000 tests of 10,000 hooks', () => {
    assert.equal(assertSound(junit({ run: bigRun(5_000, 2, 40) })).attributes['tests'], '10001');
  });
});
