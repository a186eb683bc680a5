import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '../../../../plugin/command-line/session.ts';
import type { Context } from '../../../../plugin/process/context.ts';
import { asDead } from '../../../../plugin/run/dead-run.ts';
import type { RunStatus } from '../../../../shared/core/report/run-status.ts';
import { systemClock } from '../../../../shared/system/clock.ts';
import { pendingStatus } from '../../../sim/run-world.ts';

// R5.21
test('a run whose runner died says by what that is known', async () => {
  const messageOf = async (kind: RunStatus['runner']['kind']): Promise<string | undefined> => {
    const session = { client: { listAll: async () => ({ items: [] }) } } as unknown as Session;
    const status: RunStatus = { ...pendingStatus(1), phase: 'InProgress', runner: { kind, name: 'x' } };
    const context = { clock: systemClock } as unknown as Context;
    const dead = await asDead(session, context, { namespace: 'velero', name: 'nightly', uid: 'u' }, status, []);
    return dead.status.failure?.message;
  };
  assert.equal(await messageOf('job'), 'the runner died: its Job x is over, the run is not');
  assert.equal(await messageOf('local'), 'the runner died: nobody holds the Lease of the Restore');
});
