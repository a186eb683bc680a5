import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import type { ExecOutcome } from '../../../../shared/core/model/hook.ts';
import type { KubeObject } from '../../../../shared/kubernetes/api/kube-object.ts';
import type { Found } from '../../../../shared/kubernetes/pods/pod-identity.ts';
import { podIdentity } from '../../../../shared/kubernetes/pods/pod-identity.ts';

const request = { namespace: 'shop', pod: 'db-0', podUID: 'u1', container: 'c', command: ['true'] };
const pod = (uid: string): KubeObject => ({ metadata: { uid } });
const refused = (code: ConstructorParameters<typeof RestoreHooksError>[0]) => new RestoreHooksError(code, code);

/** A pod's identity check with an API server that gives these answers in order. The test moves its clock. */
function asking(...answers: (KubeObject | RestoreHooksError)[]) {
  const asked: string[] = [];
  let now = 0;
  const identity = podIdentity(
    {
      async get(path) {
        asked.push(path);
        const next = answers.shift();
        assert.ok(next !== undefined, 'asked once too often');
        if (next instanceof RestoreHooksError) throw next;
        return next;
      },
    },
    () => now,
  );
  return {
    asked,
    before: (of = request) => new Promise<ExecOutcome | undefined>((resolve) => void identity.before(of, resolve)),
    after: (of = request) => new Promise<Found>((resolve) => void identity.after(of, resolve)),
    identity,
    later: (ms: number) => {
      now += ms;
    },
  };
}

describe('podIdentity', () => {
  it('asks again for the next try where a GET hangs', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let asked = 0;
    const get = (): Promise<KubeObject> => {
      asked += 1;
      return asked === 1 ? new Promise(() => undefined) : Promise.resolve(pod('u1'));
    };
    const identity = podIdentity({ get }, () => 0);
    const told: (ExecOutcome['kind'] | undefined)[] = [];
    for (let tries = 0; tries < 2; tries += 1) {
      identity.ahead(request);
      identity.before(request, (instead) => void told.push(instead?.kind));
      await new Promise((next) => setImmediate(next));
      t.mock.timers.tick(10_000);
      await new Promise((next) => setImmediate(next));
    }
    assert.deepEqual([asked, told], [2, ['notStarted', undefined]]);
  });

  it('lets an exec start in the pod that is meant, and tells what stands in its place', async () => {
    const { before, asked } = asking(pod('u1'), pod('u2'), refused('NOT_FOUND'));
    assert.equal(await before(), undefined);
    assert.deepEqual(await before({ ...request, podUID: 'u1', pod: 'db-1' }), { kind: 'podReplaced' });
    assert.deepEqual(await before({ ...request, pod: 'db-2' }), { kind: 'podDeleted' });
    assert.deepEqual(
      asked,
      ['db-0', 'db-1', 'db-2'].map((name) => `/api/v1/namespaces/shop/pods/${name}`),
    );
  });

  it('starts nothing where nobody could be asked', async () => {
    const { before } = asking(refused('CLUSTER_UNREACHABLE'), refused('FORBIDDEN'));
    assert.equal((await before())?.kind, 'notStarted');
    assert.equal((await before())?.kind, 'forbidden');
  });

  it('takes the answer after one hook for the one before the next, for a second', async () => {
    const { before, after, later, asked } = asking(pod('u1'), pod('u1'), pod('u2'));
    await before();
    assert.deepEqual(await after(), { kind: 'same' });
    later(999);
    assert.equal(await before(), undefined);
    assert.equal(asked.length, 2);
    later(1);
    assert.deepEqual(await before(), { kind: 'podReplaced' });
    assert.equal(asked.length, 3);
  });

  it('asks after the end until there is an answer', async () => {
    const { after, asked } = asking(refused('CLUSTER_UNREACHABLE'), refused('FORBIDDEN'), pod('u2'));
    assert.deepEqual(await after(), { kind: 'another' });
    assert.equal(asked.length, 3);
    assert.deepEqual(await asking(refused('NOT_FOUND')).after(), { kind: 'gone' });
  });

  it('asks for nothing where no UID is known', async () => {
    const { before, after, asked } = asking();
    const { podUID: _, ...unknown } = request;
    assert.equal(await before(unknown as typeof request), undefined);
    assert.deepEqual(await after(unknown as typeof request), { kind: 'same' });
    assert.deepEqual(asked, []);
  });

  it('asks once where it is asked ahead', async () => {
    const { identity, before, asked } = asking(pod('u1'));
    identity.ahead(request);
    assert.equal(await before(), undefined);
    identity.ahead(request);
    assert.equal(asked.length, 1);
  });

  it('is silent once it is stopped', async () => {
    const { identity } = asking(pod('u1'), pod('u1'));
    let told = 0;
    identity.before(request, () => {
      told += 1;
    })();
    identity.after(request, () => {
      told += 1;
    })();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(told, 0);
  });
});
