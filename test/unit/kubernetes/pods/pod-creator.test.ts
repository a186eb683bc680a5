import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { podKey } from '../../../../shared/core/model/hook.ts';
import type { PodToCreate } from '../../../../shared/core/report/payload.ts';
import { refusedByServer } from '../../../../shared/kubernetes/api/api-error.ts';
import { unreachable } from '../../../../shared/kubernetes/api/unreachable.ts';
import { kubernetesPodCreator } from '../../../../shared/kubernetes/pods/pod-creator.ts';
import type { PodCreation } from '../../../../shared/ports/ports.ts';
import { systemClock } from '../../../../shared/system/clock.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';

const server = new URL('https://api.test');
const RESTORE = { namespace: 'velero', name: 'r1', uid: 'restore-uid' };
const manifest = { metadata: { name: 'web-0' }, spec: { initContainers: [{ name: 'load' }] } };
const former = { metadata: { name: 'web-0' }, spec: {} };
const created: PodToCreate = { namespace: 'shop', pod: 'web-0', manifest };
const recreated: PodToCreate = { ...created, replaces: 'old', former };

type Body = { kind?: string; spec?: { initContainers?: object[] } };
const refused = (status: number, reason: string) =>
  refusedByServer({
    status,
    body: JSON.stringify({ kind: 'Status', reason, message: reason, details: { name: 'web-0' } }),
    server,
    request: 'GET /api/v1/namespaces/shop/pods/web-0',
  });

/**
 * An API server with one pod or none. `fails`: the error with which a request is answered once. `create` creates the new
 * manifest, `put-back` the former one, `check` is the dry run.
 */
function serverWith(pod: object | undefined, fails: Readonly<Record<string, unknown>> = {}) {
  let stands = pod as { metadata: { uid: string } } | undefined;
  const left = new Map(Object.entries(fails));
  const asked: string[] = [];
  const ask = (what: string): void => {
    asked.push(what);
    const failure = left.get(what);
    left.delete(what);
    if (failure !== undefined) throw failure;
  };
  const client = {
    async get() {
      ask('get');
      if (stands === undefined) throw refused(404, 'NotFound');
      return stands;
    },
    async create(_: string, object: object, { dryRun = false } = {}) {
      const { kind, spec } = object as Body;
      if (kind === 'Secret') {
        ask('keep');
        return {};
      }
      ask(dryRun ? 'check' : spec?.initContainers ? 'create' : 'put-back');
      if (stands !== undefined) throw refused(409, 'AlreadyExists');
      if (!dryRun) stands = { ...object, metadata: { uid: 'new' } };
      return { ...object, metadata: { uid: 'new' } };
    },
    async delete(_: string, { uid }: { uid?: string } = {}) {
      ask('delete');
      if (stands === undefined) throw refused(404, 'NotFound');
      if (stands.metadata.uid !== uid) throw refused(409, 'Conflict');
      stands = undefined;
      return {};
    },
  };
  const run = (wanted: PodToCreate) =>
    new Promise<PodCreation>((resolve) => {
      kubernetesPodCreator({ client, clock: systemClock }, RESTORE, 'abc123', [wanted]).create(
        podKey('shop', 'web-0'),
        resolve,
      );
    });
  return { run, asked, stands: () => stands };
}
const old = { metadata: { uid: 'old' }, spec: {} };

/** What becomes of a pod that takes so long to go. `isAway`: when the API server is out of reach. */
async function afterDeletion(takesMs: number, isAway: (now: number) => boolean = () => false): Promise<PodCreation> {
  const clock = new VirtualClock();
  let deletedAt: number | undefined;
  let stands: string | undefined = 'old';
  const look = (): void => {
    if (isAway(clock.now())) throw unreachable(server, { code: 'ECONNRESET' });
    if (stands === 'old' && deletedAt !== undefined && clock.now() >= deletedAt + takesMs) stands = undefined;
  };
  const client = {
    async get() {
      look();
      if (stands === undefined) throw refused(404, 'NotFound');
      return { metadata: { uid: stands, deletionGracePeriodSeconds: takesMs / 1_000 } };
    },
    async create(_: string, object: object, { dryRun = false } = {}) {
      look();
      if ((object as Body).kind === 'Secret') return {};
      if (stands !== undefined && !dryRun) throw refused(409, 'AlreadyExists');
      if (!dryRun) stands = 'new';
      return { metadata: { uid: 'new' } };
    },
    async delete() {
      look();
      deletedAt ??= clock.now();
      return {};
    },
  };
  const answered = new Promise<PodCreation>((resolve) => {
    kubernetesPodCreator({ client, clock }, RESTORE, 'abc123', [recreated]).create(podKey('shop', 'web-0'), resolve);
  });
  await clock.runUntilWithPromises(3_600_000);
  return answered;
}

describe('kubernetesPodCreator', () => {
  // R2.18
  it('creates a pod, and finds one that an answer that was lost has created', async () => {
    assert.deepEqual(await serverWith(undefined).run(created), { created: true, uid: 'new' });
    const injected = { metadata: { uid: 'there' }, spec: manifest.spec };
    assert.deepEqual(await serverWith(injected).run(created), { created: true, uid: 'there' });
    const lost = serverWith(undefined, { create: unreachable(server, { code: 'ECONNRESET' }) });
    assert.deepEqual(await lost.run(created), { created: true, uid: 'new' });
    const other = await serverWith({ metadata: { uid: 'theirs' }, spec: {} }).run(created);
    assert.ok(!other.created && other.left === 'another');
  });

  // R2.17
  it('creates it although a request is denied while the deleted pod goes', async () => {
    const denied = { get: refused(403, 'Forbidden') };
    assert.deepEqual(await serverWith(old, denied).run(recreated), { created: true, uid: 'new' });
    const lost = { metadata: { uid: 'there' }, spec: manifest.spec };
    assert.deepEqual(await serverWith(lost, denied).run(created), { created: true, uid: 'there' });
  });

  it('waits for the whole grace period of a pod, and for an API server that is away', async () => {
    const grace = await afterDeletion(900_000);
    assert.deepEqual(grace, { created: true, uid: 'new' });
    const away = await afterDeletion(30_000, (now) => now > 1_000 && now < 661_000);
    assert.ok(!away.created, 'it is not known to be gone');
    assert.match(away.message, /its manifest is in Secret restorehooks-r1-abc123-pod-0$/);
  });

  // R2.15, R2.17
  it('deletes only what could be created again, and keeps it first', async () => {
    const { run, asked } = serverWith(old);
    assert.deepEqual(await run(recreated), { created: true, uid: 'new' });
    assert.deepEqual(asked, ['check', 'keep', 'delete', 'get', 'create']);
    for (const [failing, failure] of [
      ['check', refused(422, 'Invalid')],
      ['check', refused(403, 'Forbidden')],
      ['keep', refused(403, 'Forbidden')],
      ['delete', refused(403, 'Forbidden')],
    ] as const) {
      const { run: again, stands } = serverWith(old, { [failing]: failure });
      const answer = await again(recreated);
      assert.ok(!answer.created && answer.left === 'as-before', failing);
      assert.equal(stands(), old, failing);
    }
  });

  it('deletes this very pod, and no other that has its name by now', async () => {
    const other = { metadata: { uid: 'theirs' }, spec: {} };
    const { run, stands } = serverWith(other);
    const answer = await run(recreated);
    assert.ok(!answer.created && answer.left === 'another');
    assert.equal(stands(), other);
  });

  // R2.17
  it('puts the old pod back where the new one is refused after all; else says where its manifest is', async () => {
    const back = serverWith(old, { create: refused(403, 'Forbidden') });
    const answer = await back.run(recreated);
    assert.ok(!answer.created && answer.left === 'another');
    assert.match(answer.message, /the old pod was created again/);
    assert.deepEqual((back.stands() as Body | undefined)?.spec, {});
    const lost = serverWith(old, { create: refused(403, 'Forbidden'), 'put-back': refused(403, 'Forbidden') });
    const gone = await lost.run(recreated);
    assert.ok(!gone.created && gone.left === 'missing');
    assert.match(gone.message, /its manifest is in Secret restorehooks-r1-abc123-pod-0/);
  });

  it('goes on where a runner before it has deleted the pod', async () => {
    const { run, asked } = serverWith(undefined);
    assert.deepEqual(await run(recreated), { created: true, uid: 'new' });
    assert.deepEqual(asked, ['check', 'keep', 'delete', 'get', 'create']);
  });
});
