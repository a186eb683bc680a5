import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { REHEARSAL_LABEL, REHEARSAL_MAKER } from '../../../../shared/core/rehearsal/rehearsal.ts';
import { refusedByServer } from '../../../../shared/kubernetes/api/api-error.ts';
import type { DeleteOptions } from '../../../../shared/kubernetes/api/requests.ts';
import { removeRehearsal } from '../../../../shared/kubernetes/rehearsal/objects.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';

const RESTORE = '/apis/velero.io/v1/namespaces/velero/restores/r';
const NAMESPACE = '/api/v1/namespaces/shop-rehearsal-x';
const VOLUMES = '/api/v1/persistentvolumes';
const LIMIT_MS = 300_000;

interface Stood {
  labels: Record<string, string>;
  maker?: string;
  version: number;
  deleting: boolean;
  phase?: string;
  message?: string;
}
const stood = (more: Partial<Stood> = {}): Stood => ({
  labels: { [REHEARSAL_LABEL]: 'x' },
  version: 1,
  deleting: false,
  ...more,
});

interface World {
  readonly objects: Map<string, Stood>;
  readonly deleted: [path: string, at: number, options: DeleteOptions][];
  isAway: boolean;
  readonly volumes: object[];
  /** What happens to an object whose deletion was asked for; by default it goes at once. */
  readonly onDelete: (world: World, path: string, object: Stood) => void;
}
const goesAtOnce: World['onDelete'] = ({ objects }, path) => void objects.delete(path);
const setAway = (world: World, isAway: boolean): void => {
  world.isAway = isAway;
};
const stays: World['onDelete'] = () => undefined;

const refused = (status: number, path: string) => {
  const name = path.split('/').at(-1) ?? '';
  const body = JSON.stringify({ kind: 'Status', code: status, details: { name } });
  return refusedByServer({ status, body, server: new URL('http://server'), request: `GET ${path}` });
};
const shown = (path: string, { labels, maker, version, deleting, phase, message }: Stood) => ({
  metadata: {
    ...{ name: path.split('/').at(-1), uid: path, resourceVersion: String(version), labels },
    creationTimestamp: '2026-03-01T00:00:00Z',
    ...(maker && { annotations: { [REHEARSAL_MAKER]: maker } }),
    ...(deleting && { deletionTimestamp: '2026-03-01T00:01:00Z' }),
  },
  ...(path === RESTORE && { spec: { namespaceMapping: { shop: 'shop-rehearsal-x' } } }),
  status: { phase, ...(message && { conditions: [{ type: 'Content', status: 'True', message }] }) },
});

function clientOf(world: World, clock: VirtualClock, afterListing: (path: string) => void) {
  return {
    async listAll(path: string, { labelSelector }: { labelSelector?: string } = {}) {
      if (world.isAway) throw refused(503, path);
      if (path === VOLUMES) return { items: world.volumes, resourceVersion: '1' };
      const found = [...world.objects].filter(
        ([each, { labels }]) =>
          each.startsWith(`${path}/`) && (labelSelector === undefined || REHEARSAL_LABEL in labels),
      );
      const items = found.map(([each, object]) => shown(each, object));
      afterListing(path);
      return { items, resourceVersion: '1' };
    },
    async delete(path: string, options: DeleteOptions = {}) {
      const found = world.objects.get(path);
      if (found === undefined) throw refused(404, path);
      if (options.uid !== path || options.resourceVersion !== String(found.version)) throw refused(409, path);
      world.deleted.push([path, clock.now(), options]);
      found.deleting = true;
      world.onDelete(world, path, found);
      return {};
    },
  };
}

/** Removes rehearsal `x` from a cluster that is played. `at`: what happens meanwhile, and when. */
async function removing(
  objects: Readonly<Record<string, Stood>>,
  at: readonly (readonly [ms: number, (world: World, hurry: () => void) => void])[] = [],
  onDelete = goesAtOnce,
  afterListing: (path: string) => void = () => undefined,
  maker?: string,
) {
  const clock = new VirtualClock();
  const hurry = new AbortController();
  const world: World = {
    objects: new Map(Object.entries(objects)),
    deleted: [],
    isAway: false,
    volumes: [],
    onDelete,
  };
  const client = clientOf(world, clock, afterListing);
  for (const [ms, change] of at) {
    const happens = (): void => change(world, () => hurry.abort());
    if (ms === 0) happens();
    else clock.setTimer(ms, happens);
  }
  const told: string[] = [];
  let left: string[] | undefined;
  const removal = {
    velero: 'velero',
    id: 'x',
    ...(maker !== undefined && { maker }),
    limitMs: LIMIT_MS,
    hurry: hurry.signal,
    tell: (line: string) => void told.push(line),
  };
  const done = removeRehearsal(client as never, clock, removal).then((lines) => {
    left = lines;
    return clock.now();
  });
  await clock.runUntilWithPromises(LIMIT_MS + 60_000);
  return { left, at: await done, deleted: world.deleted.map(([path, ms]) => [path, ms]), told, world };
}

describe('what a rehearsal has left', () => {
  const all = () => ({ [RESTORE]: stood(), [NAMESPACE]: stood() });

  // R7.108
  it('is deleted, all of it, and is then gone', async () => {
    const { left, deleted } = await removing(all());
    assert.deepEqual(left, []);
    assert.deepEqual(deleted.map(([path]) => path).sort(), [NAMESPACE, RESTORE].sort());
  });

  it('is deleted once Velero is done with the Restore: Velero would make it anew, or hold up other Restores', async () => {
    const { left, deleted, told } = await removing({ ...all(), [RESTORE]: stood({ phase: 'Finalizing' }) }, [
      [30_500, ({ objects }) => void objects.set(RESTORE, stood({ phase: 'Completed' }))],
    ]);
    assert.deepEqual(left, []);
    assert.deepEqual(
      deleted.map(([, ms]) => ms),
      [31_000, 31_000],
    );
    assert.equal(told.length, 1);
  });

  it('stays if Velero is not done with the Restore in time: it would come back without its label', async () => {
    const { left, deleted, at } = await removing({ ...all(), [RESTORE]: stood({ phase: 'Finalizing' }) }, [], stays);
    assert.deepEqual(deleted, []);
    assert.equal(at, LIMIT_MS);
    assert.deepEqual(left, [
      'Namespace shop-rehearsal-x stays until Velero is done with the Restore, which would make it anew',
      'Restore velero/r stays until Velero is done with it: is its server running?',
    ]);
  });

  it('stays if Velero takes the Restore up between the listing and its deletion', async () => {
    const restore = stood();
    const { left, deleted } = await removing(
      { [RESTORE]: restore, [NAMESPACE]: stood() },
      [[20_000, () => void Object.assign(restore, { phase: 'Completed', version: 3 })]],
      goesAtOnce,
      (path) => {
        if (path.endsWith('/restores') && restore.version === 1)
          Object.assign(restore, { phase: 'InProgress', version: 2 });
      },
    );
    assert.deepEqual(left, []);
    assert.ok(
      deleted.every(([, ms]) => Number(ms) >= 20_000),
      JSON.stringify(deleted),
    );
  });

  it('stays if another process has made it, under the same id', async () => {
    const mine = stood({ maker: 'me' });
    const { left, deleted } = await removing(
      { [RESTORE]: stood({ maker: 'other' }), [NAMESPACE]: mine },
      [],
      goesAtOnce,
      undefined,
      'me',
    );
    assert.deepEqual([left, deleted], [[], [[NAMESPACE, 0]]]);
  });

  // R7.110
  it('is named if it is a volume that outlives its claim, also where the Restore is gone already', async () => {
    const spec = { persistentVolumeReclaimPolicy: 'Retain', claimRef: { namespace: 'shop-rehearsal-x' } };
    const { left, deleted } = await removing({ [NAMESPACE]: stood() }, [
      [0, ({ volumes }) => void volumes.push({ metadata: { name: 'kept' }, spec })],
    ]);
    assert.deepEqual(deleted, [[NAMESPACE, 0]]);
    assert.match(left?.join() ?? '', /^PersistentVolume kept is kept/);
  });

  it('is named if it has a name of the rehearsal and no label, although no Restore tells of it', async () => {
    const { left, deleted } = await removing({ [NAMESPACE]: stood({ labels: {} }) });
    assert.deepEqual(deleted, []);
    assert.match(left?.join() ?? '', /^Namespace shop-rehearsal-x lacks our label/);
  });

  it('is named if it is a volume that outlives its claim', async () => {
    const volume = (name: string, policy: string, namespace: string) => ({
      metadata: { name },
      spec: { persistentVolumeReclaimPolicy: policy, claimRef: { namespace } },
    });
    const { left } = await removing(all(), [
      [
        0,
        ({ volumes }) => {
          volumes.push(volume('kept', 'Retain', 'shop-rehearsal-x'), volume('goes', 'Delete', 'shop-rehearsal-x'));
          volumes.push(volume('of-another', 'Retain', 'shop'), { metadata: { name: 'free' }, spec: {} });
        },
      ],
    ]);
    assert.deepEqual(left, [
      'PersistentVolume kept is kept by its reclaim policy: look, then kubectl delete persistentvolume kept',
    ]);
  });

  it('stays if it has lost its label since it was listed', async () => {
    const kept = stood();
    const { left, deleted } = await removing({ ...all(), [NAMESPACE]: kept }, [], goesAtOnce, () =>
      Object.assign(kept, { labels: {}, version: 2 }),
    );
    assert.deepEqual(deleted, [[RESTORE, 0]]);
    assert.match(left?.join() ?? '', /Namespace shop-rehearsal-x lacks our label/);
  });

  it('without the label is named, and never deleted', async () => {
    const { left, deleted } = await removing({ [RESTORE]: stood(), [NAMESPACE]: stood({ labels: { team: 'a' } }) });
    assert.deepEqual(deleted, [[RESTORE, 0]]);
    assert.match(left?.join() ?? '', /Namespace shop-rehearsal-x lacks our label/);
  });

  // R7.110
  it('that hangs is named after five minutes, with what keeps it', async () => {
    const message = 'Some content has finalizers remaining';
    const { left, at, deleted } = await removing({ [NAMESPACE]: stood({ message }) }, [], stays);
    assert.equal(at, LIMIT_MS);
    assert.deepEqual(left, [`Namespace shop-rehearsal-x is still going (${message})`]);
    assert.equal(deleted.length, 1, 'asked for once');
  });

  // R7.112
  it('is asked to go at once in a hurry, and not waited for', async () => {
    const busy = { ...all(), [RESTORE]: stood({ phase: 'InProgress' }) };
    const { left, deleted, at } = await removing(busy, [[4_500, (_, hurry) => hurry()]], stays);
    assert.deepEqual(deleted, [], 'Velero would make the namespace anew');
    assert.equal(at, 4_500);
    assert.equal(left?.length, 2);
  });

  it('is removed once the API server can be reached again', async () => {
    const { left, deleted } = await removing(all(), [
      [0, (world) => setAway(world, true)],
      [60_000, (world) => setAway(world, false)],
    ]);
    assert.deepEqual([left, deleted.map(([, ms]) => ms)], [[], [60_000, 60_000]]);
  });
});
