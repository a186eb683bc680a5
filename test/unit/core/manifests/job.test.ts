import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunnerJob } from '../../../../shared/core/manifests/job.ts';
import { runnerJob, traceContext } from '../../../../shared/core/manifests/job.ts';

/** What the runner's Job says of metrics and traces. */

const given: RunnerJob = {
  restore: { namespace: 'velero', name: 'nightly', uid: 'u' },
  runID: 'abcdef',
  image: 'i',
  imagePullSecrets: [],
  serviceAccount: 'restorehooks',
  options: {
    maxConcurrent: 1,
    capture: 'tail',
    failOn: 'fail',
    keepRestorePhase: false,
    onUnknown: 'fail',
    record: false,
  },
  planParts: 1,
};
const runnerOf = (job: RunnerJob) => {
  const [runner] = runnerJob(job).spec.template.spec.containers;
  assert.ok(runner);
  return runner;
};
const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe("the runner's Job", () => {
  // R8.70
  it('names its port of metrics, if there is one', () => {
    assert.ok(!('ports' in runnerOf(given)));
    const { ports, args } = runnerOf({ ...given, options: { ...given.options, metricsPort: 9464 } });
    assert.deepEqual(ports, [{ name: 'metrics', containerPort: 9464, protocol: 'TCP' }]);
    assert.ok(args.includes('--metrics-port=9464'));
  });

  // R8.40, R8.49
  it('is the same without and with one shard, and Indexed with more', () => {
    const withShards = (parallelism: number) => runnerJob({ ...given, options: { ...given.options, parallelism } });
    assert.deepEqual(withShards(1), runnerJob(given));
    const { template: alone, backoffLimit, ...same } = runnerJob(given).spec;
    const { template, ...spec } = withShards(4).spec;
    const shards = { completionMode: 'Indexed', completions: 4, parallelism: 4 };
    assert.deepEqual(spec, { ...same, ...shards, backoffLimitPerIndex: backoffLimit, maxFailedIndexes: 0 });
    const argsOf = ({ spec: { containers } }: typeof alone) => containers[0]?.args;
    assert.deepEqual(argsOf(template), [...(argsOf(alone) ?? []), '--parallelism=4']);
  });

  // R8.76
  it('is given the span that its run belongs to', () => {
    const names = (job: RunnerJob) => runnerOf(job).env.map(({ name }) => name);
    const usual = names(given);
    assert.ok(!usual.some((name) => name.startsWith('TRACE')));
    const trace = traceContext({ TRACEPARENT: PARENT, TRACESTATE: 'a=1', OTEL_EXPORTER_OTLP_HEADERS: 'token=hidden' });
    assert.deepEqual(names({ ...given, trace }), [...usual, 'TRACEPARENT', 'TRACESTATE']);
    assert.ok(!JSON.stringify(runnerJob({ ...given, trace })).includes('hidden'));
  });
});

// R8.76
describe('the trace context of an environment', () => {
  it('is what the W3C makes of it', () => {
    assert.deepEqual(traceContext({ TRACEPARENT: PARENT }), { TRACEPARENT: PARENT });
    assert.deepEqual(traceContext({ TRACEPARENT: PARENT, TRACESTATE: 'a=1\n' }), { TRACEPARENT: PARENT });
  });

  it('is none where there is no such parent', () => {
    for (const TRACEPARENT of [
      undefined,
      '',
      'x',
      `${PARENT}-x`,
      PARENT.toUpperCase(),
      PARENT.replace(/^00/, 'ff'),
      `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
      `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`,
    ]) {
      assert.equal(traceContext({ TRACEPARENT, TRACESTATE: 'a=1' }), undefined, TRACEPARENT);
    }
  });
});
