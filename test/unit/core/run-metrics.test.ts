import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { METRICS, metricsOf, metricsText, RunMetrics, sumOf, Tally } from '../../../shared/core/report/run-metrics.ts';

/** Counters and histograms of a run, as its document has them (R8.71, R8.72). */

const DURATION = 'restorehooks_hook_duration_seconds';

describe('a tally', () => {
  it('adds up counters by their labels, and leaves gauges out', () => {
    const tally = new Tally();
    for (const outcome of ['exited', 'exited', 'error']) tally.count('restorehooks_exec_requests_total', { outcome });
    tally.set();
    assert.deepEqual(tally.metrics, {
      restorehooks_exec_requests_total: [
        { labels: { outcome: 'exited' }, value: 2 },
        { labels: { outcome: 'error' }, value: 1 },
      ],
    });
  });

  it('counts in a histogram how many took at most so long, up to the bound that holds all', () => {
    const tally = new Tally();
    for (const seconds of [0.02, 0.02, 0.7, 4]) tally.observe(DURATION, seconds, { state: 'Failed' });
    tally.observe('restorehooks_journal_write_duration_seconds', 99);
    const { [DURATION]: [sample] = [], restorehooks_journal_write_duration_seconds: slow } = tally.metrics;
    assert.deepEqual(
      [sample?.count, sample?.sum, sample?.buckets],
      [4, 4.74, { 0.025: 2, 0.05: 2, 0.1: 2, 0.25: 2, 0.5: 2, 1: 3, 2.5: 3, 5: 4 }],
    );
    assert.deepEqual(slow, [{ count: 1, sum: 99, buckets: {} }]);
  });

  it('goes on with what the runners before have counted, and its other shards, as if it had counted it itself', () => {
    const told: ((tally: Tally) => void)[] = [
      (tally) => tally.count('restorehooks_hook_starts_total'),
      (tally) => tally.observe(DURATION, 0.02, { state: 'Failed' }),
      (tally) => tally.observe(DURATION, 99_999, { state: 'Failed' }),
      (tally) => tally.observe(DURATION, 3, { state: 'Succeeded' }),
      (tally) => tally.observe(DURATION, 0.5, { state: 'Failed' }),
      (tally) => tally.count('restorehooks_hook_starts_total'),
    ];
    const whole = new Tally();
    for (const tell of told) tell(whole);
    for (let first = 0; first <= told.length; first += 1) {
      const [before, after] = [new Tally(), new Tally()];
      for (const tell of told.slice(0, first)) tell(before);
      after.add(RunMetrics.parse(JSON.parse(JSON.stringify(before.metrics))));
      for (const tell of told.slice(first)) tell(after);
      assert.deepEqual(after.metrics, whole.metrics, `${first} before`);
      const [one, other] = [new Tally(), new Tally()];
      for (const [index, tell] of told.entries()) tell(index < first ? one : other);
      assert.deepEqual(sumOf([one.metrics, other.metrics]), whole.metrics, `${first} in another shard`);
    }
  });

  it('passes over metrics that it does not know', () => {
    const tally = new Tally();
    tally.add({ restorehooks_of_another_version_total: [{ value: 1 }], constructor: [{ value: 1 }] });
    assert.deepEqual(tally.metrics, {});
  });
});

describe('the annotation of the metrics', () => {
  it('is read only for the run that it tells of', () => {
    const tally = new Tally();
    tally.count('restorehooks_hook_retries_total');
    const text = metricsText('abcdef', tally.metrics);
    assert.deepEqual(metricsOf(text, 'abcdef'), { restorehooks_hook_retries_total: [{ value: 1 }] });
    assert.equal(metricsOf(text, 'ghijkl'), undefined);
  });

  it('that is missing or was changed by hand counts as none', () => {
    for (const text of [undefined, '', 'x', '{}', '[]', '{"version":1,"runID":"abcdef","metrics":[]}']) {
      assert.equal(metricsOf(text, 'abcdef'), undefined, text);
    }
  });
});

describe('the names of metrics', () => {
  it('say units and kinds as Prometheus asks for, and no label can have very many values', () => {
    const labels = new Set<string>();
    for (const [name, { type, help, ...more }] of Object.entries(METRICS)) {
      assert.match(name, /^restorehooks_[a-z_]+$/);
      assert.equal(name.endsWith('_total'), type === 'counter', name);
      if (type === 'histogram') assert.match(name, /_seconds$/);
      assert.ok(help.length > 10 && !help.endsWith('.'), name);
      if ('labels' in more) for (const label of more.labels) labels.add(label);
    }
    assert.deepEqual([...labels].sort(), [
      ...['code', 'outcome', 'phase', 'reason', 'resource', 'restore', 'restore_namespace', 'run', 'runner', 'shard'],
      ...['state', 'verb', 'version'],
    ]);
  });
});
