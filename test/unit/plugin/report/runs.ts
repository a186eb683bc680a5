import type { RunDocument, RunHook } from '../../../../shared/core/report/run-document.ts';

type ExecRow = Extract<RunHook, { kind: 'exec' }>;

const START = Date.parse('2026-03-01T02:00:00.000Z');

/** A time of the run, in seconds from its start. */
export const at = (seconds: number): string => new Date(START + seconds * 1000).toISOString();

/** The row of an exec hook; one that succeeded, where nothing else is said. */
export function row(pod: string, more: Partial<ExecRow> = {}): ExecRow {
  const { namespace = 'shop', container = 'main', name = 'warm-up', index = 0 } = more;
  const hasEnded = more.state === undefined || !['Waiting', 'Running', 'NotExecuted'].includes(more.state);
  return {
    id: `${namespace}/${pod}/${container}/${name}/${index}`,
    kind: 'exec',
    namespace,
    pod,
    container,
    source: 'spec',
    origin: 'velero',
    name,
    index,
    command: ['/bin/sh', '-c', '/opt/warm-up.sh'],
    onError: 'Continue',
    execTimeout: '2m0s',
    execTimeoutFrom: 'spec',
    waitTimeout: '10m0s',
    waitTimeoutFrom: 'default',
    waitForReady: false,
    state: 'Succeeded',
    run: 1,
    attempt: 1,
    ...(hasEnded ? { startedAt: at(1), finishedAt: at(3) } : {}),
    ...more,
  };
}

/** The run of these rows. */
export function runOf(hooks: readonly RunHook[], more: Partial<RunDocument> = {}): RunDocument {
  const count = (state: RunHook['state']): number => hooks.filter((hook) => hook.state === state).length;
  return {
    apiVersion: 'restorehooks.io/v1',
    kind: 'RestoreHookRun',
    restore: { namespace: 'velero', name: 'nightly', uid: 'u-1', backup: 'nightly-20260301' },
    runID: 'k7f3q',
    attempt: 1,
    planDigest: `sha256:${'0'.repeat(64)}`,
    phase: 'Completed',
    startedAt: at(0),
    finishedAt: at(60),
    runner: { kind: 'job', name: 'restorehooks-nightly-k7f3q' },
    counts: {
      planned: hooks.length,
      succeeded: count('Succeeded'),
      failed: count('Failed'),
      timedOut: count('TimedOut'),
      notExecuted: count('NotExecuted'),
      unknown: count('Unknown'),
      waiting: count('Waiting'),
      running: count('Running'),
    },
    hooks: [...hooks],
    ...more,
  };
}

/** A run in which each way to end happens, over some pods. */
export const mixedRun = (): RunDocument =>
  runOf(
    [
      row('db-0', {
        container: 'postgres',
        name: 'load-dump',
        onError: 'Fail',
        state: 'Failed',
        reason: 'exit',
        exitCode: 3,
        startedAt: at(2),
        finishedAt: at(31),
        stdout: 'reading dump\nrestoring table orders\n',
        stderr: 'psql: error: relation "orders" already exists\nline 42: stopped\n',
      }),
      row('db-0', { container: 'postgres', name: 'analyze', ...aborted(31) }),
      row('db-0', { container: 'postgres', name: 'analyze', index: 1, ...aborted(31) }),
      row('web-0', { startedAt: at(4), finishedAt: at(9), stdout: 'warm\n' }),
      row('web-0', { index: 1, state: 'TimedOut', reason: 'executing', startedAt: at(9), finishedAt: at(39) }),
      row('web-1', { state: 'Unknown', reason: 'connection-lost', startedAt: at(5), finishedAt: at(20) }),
      row('web-2', {
        state: 'TimedOut',
        reason: 'waiting',
        message: 'waited for the pod to be ready (ImagePullBackOff)',
        startedAt: undefined,
        finishedAt: at(50),
      }),
      row('web-3', {
        state: 'NotExecuted',
        reason: 'no-such-container',
        message: 'the pod has no container "mian"',
        finishedAt: at(1),
      }),
    ],
    { phase: 'PartiallyFailed', notices: ["the successes of web-0 are not proven: see the runner's log"] },
  );

const aborted = (seconds: number) =>
  ({
    state: 'NotExecuted',
    reason: 'aborted',
    message: 'shop/db-0/postgres/load-dump/0 failed',
    finishedAt: at(seconds),
  }) as const;

/** `pods` pods of `each` hooks, one in so many of which failed, with long outputs. */
export function bigRun(
  pods: number,
  each: number,
  failsEvery: number,
  output = 'line of output\n'.repeat(200),
): RunDocument {
  const hooks = Array.from({ length: pods * each }, (_, number): RunHook => {
    const [pod, index] = [Math.floor(number / each), number % each];
    const started = 1 + (pod % 50) + index * 10 + (pod % 7) / 3;
    const times = { startedAt: at(started), finishedAt: at(started + 3 + (pod % 5)) };
    const failed = number % failsEvery === failsEvery - 1;
    return row(`web-${pod}`, {
      index,
      ...times,
      ...(failed ? { state: 'Failed', reason: 'exit', exitCode: 1 + (pod % 3), stdout: output, stderr: output } : {}),
    });
  });
  return runOf(hooks, { phase: 'CompletedWithFailures', finishedAt: at(90) });
}
