import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { refusedByServer } from '../../../../shared/kubernetes/api/api-error.ts';
import { awaitRestore } from '../../../../shared/kubernetes/velero/await-restore.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';

type Change = object | 'gone' | 'away' | 'forbidden';
const MINUTE = 60_000;

const restore = (phase?: string, more: object = {}) => ({
  apiVersion: 'velero.io/v1',
  kind: 'Restore',
  metadata: { name: 'r', namespace: 'velero', uid: 'u1', resourceVersion: '7', ...more },
  spec: {},
  ...(phase !== undefined && { status: { phase } }),
});

/** Waits for Restore `r`, which becomes what `changes` say, each from its time on. Nobody may watch. */
async function waiting(
  changes: readonly (readonly [at: number, Change])[],
  {
    limitMs = 30 * MINUTE,
    force = false,
    others = [] as readonly object[] | 'forbidden' | 'away',
    isForVelero = false,
  } = {},
) {
  const clock = new VirtualClock();
  const told: string[] = [];
  const warned: string[] = [];
  const refused = (status: number) =>
    refusedByServer({
      status,
      body: JSON.stringify({ kind: 'Status', code: status, details: { name: 'r', kind: 'restores' } }),
      server: new URL('http://server'),
      request: 'GET /apis/velero.io/v1/namespaces/velero/restores/r',
    });
  const client = {
    get: async (path: string) => {
      if (!path.endsWith('/restores/r')) throw refused(403);
      const now = changes.findLast(([at]) => at <= clock.now())?.[1] ?? 'gone';
      if (now === 'gone') throw refused(404);
      if (now === 'away') throw refused(503);
      if (now === 'forbidden') throw refused(403);
      return now as never;
    },
    async *list() {
      if (others === 'forbidden') throw refused(403);
      if (others === 'away') throw refused(503);
      yield { items: others as never, resourceVersion: '1' } as never;
    },
    watch: (_path: string, _query: object, _event: unknown, ended: (end: { error: RestoreHooksError }) => void) => {
      ended({ error: refused(403) });
      return () => undefined;
    },
  };
  const done = awaitRestore(client, clock, {
    ...{ namespace: 'velero', name: 'r', limitMs, force, isForVelero },
    tell: (waitsFor) => told.push(waitsFor),
    warn: (line) => warned.push(line),
  }).then(
    () => `ready at ${clock.now()}`,
    (error: RestoreHooksError) => error,
  );
  await clock.runUntilWithPromises(limitMs + MINUTE);
  return { end: await done, told, warned };
}

const missing = "it doesn't exist yet";
const busy = (phase: string) => `Velero is at work on it (${phase})`;
const notBegun = 'Velero has not begun it (it has no phase)';

describe('waiting for a Restore', () => {
  // R7.80
  it('ends when it exists and Velero is done with it; what is waited for is told once, and when it changes', async () => {
    const { end, told, warned } = await waiting([
      [10_000, restore()],
      [20_000, restore('InProgress')],
      [40_000, restore('Finalizing')],
      [50_000, restore('Completed')],
    ]);
    assert.equal(end, 'ready at 50000');
    assert.deepEqual(told, [missing, notBegun, busy('InProgress'), busy('Finalizing')]);
    assert.equal(warned.length, 1, 'a name may be mistyped');
  });

  it('is none for one that is ready, whatever became of it', async () => {
    for (const phase of ['Completed', 'PartiallyFailed', 'Failed']) {
      const { end, told } = await waiting([[0, restore(phase)]]);
      assert.deepEqual([end, told], ['ready at 0', []]);
    }
  });

  it('with --force is only for its existence', async () => {
    const { end, told } = await waiting([[10_000, restore('InProgress')]], { force: true });
    assert.deepEqual([end, told], ['ready at 10000', [missing]]);
  });

  it('does not take one for done that Velero has not begun, unless Velero is idle: another tool has made it', async () => {
    const idle = await waiting([[0, restore()]]);
    assert.equal(idle.end, 'ready at 30000');
    const other = restore('InProgress', { name: 'other' });
    for (const others of [[other], 'forbidden', 'away'] as const) {
      const { end } = await waiting([[0, restore()]], { others, limitMs: 5 * MINUTE });
      assert.equal((end as RestoreHooksError).code, 'TIMEOUT');
    }
    const own = await waiting([[0, restore()]], { isForVelero: true, limitMs: 5 * MINUTE });
    assert.equal((own.end as RestoreHooksError).code, 'TIMEOUT', 'a rehearsal has made it for Velero');
  });

  // R7.81
  it('ends with the time, and says what was waited for', async () => {
    const { end } = await waiting([[0, restore('InProgress')]], { limitMs: 2 * MINUTE });
    assert.ok(end instanceof RestoreHooksError);
    assert.deepEqual([end.code, end.exitCode], ['TIMEOUT', 7]);
    assert.equal(
      end.message,
      'Restore velero/r was waited for 2m0s (--wait-for-restore): Velero is at work on it (InProgress); nothing has been changed',
    );
  });

  it('ends at once if Velero refuses it, or if it is deleted or replaced', async () => {
    const refused = { ...restore(), status: { phase: 'FailedValidation', validationErrors: ['no such backup'] } };
    const cases: readonly [Change, string, RegExp][] = [
      [refused, 'RUN_FAILED', /Velero has refused Restore r \(FailedValidation\).*no such backup/],
      ['gone', 'RESTORE_NOT_FOUND', /Restore velero\/r was deleted while it was waited for/],
      [restore('Completed', { uid: 'u2' }), 'RESTORE_NOT_FOUND', /was deleted/],
      [restore('InProgress', { deletionTimestamp: '2026-01-01T00:00:00Z' }), 'RESTORE_NOT_FOUND', /was deleted/],
    ];
    for (const [change, code, message] of cases) {
      const { end } = await waiting([
        [0, restore('InProgress')],
        [10_000, change],
      ]);
      assert.ok(end instanceof RestoreHooksError, String(end));
      assert.equal(end.code, code);
      assert.match(end.message, message);
    }
  });

  it('outlasts an API server that is away, and ends at once for who may not read it', async () => {
    const { end, warned } = await waiting([
      [0, restore('InProgress')],
      [10_000, 'away'],
      [60_000, restore('Completed')],
    ]);
    assert.equal(end, 'ready at 60000');
    assert.equal(warned.length, 1);
    const forbidden = await waiting([[0, 'forbidden']]);
    assert.equal((forbidden.end as RestoreHooksError).code, 'FORBIDDEN');
  });
});
