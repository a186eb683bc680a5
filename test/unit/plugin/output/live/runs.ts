import type { Counts } from '../../../../../plugin/output/live/live-run.ts';
import { countRows } from '../../../../../shared/core/report/dead-run.ts';
import type { RunHook } from '../../../../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../../../../shared/core/report/run-status.ts';

export const NOW = Date.parse('2026-11-29T03:00:00.000Z');
export const at = (seconds: number): string => new Date(NOW + seconds * 1000).toISOString();

/** An exec hook's row; `more` says how it stands. */
export const row = (pod: string, more: Partial<RunHook> = {}): RunHook =>
  ({
    id: `shop/${pod}/main/warm-up/0`,
    kind: 'exec',
    namespace: 'shop',
    pod,
    container: 'main',
    source: 'spec',
    origin: 'velero',
    name: 'warm-up',
    index: 0,
    command: ['true'],
    onError: 'Fail',
    execTimeout: '2m0s',
    execTimeoutFrom: 'spec',
    waitTimeoutFrom: 'default',
    waitForReady: false,
    run: 1,
    attempt: 1,
    state: 'Waiting',
    message: 'waiting for container main to run (ImagePullBackOff)',
    ...more,
  }) as RunHook;

export const status = (rows: readonly RunHook[], more: Partial<RunStatus> = {}): RunStatus => ({
  version: 1,
  runID: 'abc123',
  attempt: 1,
  planDigest: 'sha256:0',
  phase: 'InProgress',
  runner: { kind: 'job', name: 'restorehooks-nightly-abc123' },
  createdAt: at(-70),
  startedAt: at(-65),
  failOn: 'fail',
  counts: countRows(rows) as Counts,
  failures: [],
  reportParts: 1,
  ...more,
});

/** Text that a pod's name, a message or an output can hold: wide, zero-width, joined, escaping, very long. */
export const HOSTILE = [
  '\x1b[2J\x1b]0;title\x07\x1b[31m',
  'line\nline\r\nline\ttab',
  '語語語語語語語語語語語語語語語語',
  '👩‍👩‍👧‍👦👩‍👩‍👧‍👦🏳️‍🌈',
  'e\u0301\u0301\u0301\u200b\u202eabc',
  `${'x'.repeat(5_000)}`,
];
