import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { kubeClient } from '../../shared/kubernetes/api/client.ts';
import { kubernetesPodSource } from '../../shared/kubernetes/pods/pod-source.ts';
import { systemClock } from '../../shared/system/clock.ts';
import { waitFor } from '../e2e/cluster.ts';
import { faultsAt, inParallel } from '../exec-rule.ts';
import type { Fault } from '../proxy.ts';
import { startProxy } from '../proxy.ts';
import { isFull } from '../size.ts';
import type { EmbeddedCluster } from './server.ts';
import { startEmbeddedCluster } from './server.ts';

/** Follows pods through faults of the watch: in the end the reported pods must be those that exist. */

/** An interval without bookmarks: a watch goes on after its last event. */
const NEVER = 2 ** 30;

/** A cluster with frequent bookmarks, which keep a watch from being taken for a silent one. */
async function bed(t: TestContext, bookmarkInterval = 100): Promise<EmbeddedCluster> {
  const cluster = await startEmbeddedCluster({ bookmarkInterval, tls: false });
  t.after(() => cluster.close());
  return cluster;
}

const addPod = (cluster: EmbeddedCluster, name: string, followed = 'yes'): unknown =>
  cluster.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { followed } },
    spec: { containers: [{ name: 'c', image: 'busybox' }] },
  });

interface Followed {
  readonly label: string;
  /** The UIDs of the pods that exist according to the followed events. */
  readonly pods: ReadonlyMap<string, string>;
  readonly isListed: () => boolean;
  stop(): void;
}

/** Follows pods through a proxy. The watch is given up after a short silence. */
function follow(port: number, silenceMs: number, label = 'yes'): Followed {
  const client = kubeClient({
    cluster: { name: 'c', server: `http://127.0.0.1:${port}`, skipTLSVerify: false },
    user: { name: 'admin', token: 'admin' },
    env: {},
  });
  const pods = new Map<string, string>();
  let isListed = false;
  const source = kubernetesPodSource(client, {
    labelSelector: `followed=${label}`,
    clock: systemClock,
    silenceMs,
    random: () => 0,
  });
  const stop = source.start((event) => {
    if (event.type === 'podsListed') isListed = true;
    else if (event.type === 'podObserved') pods.set(event.pod.key, event.pod.uid);
    else if (event.type === 'podDeleted') {
      if (pods.get(event.key) === event.uid) pods.delete(event.key);
    } else assert.fail(event.error.message);
  });
  return {
    label,
    pods,
    isListed: () => isListed,
    stop() {
      stop();
      client.close();
    },
  };
}

const standing = (cluster: EmbeddedCluster, label: string): Record<string, unknown> =>
  Object.fromEntries(
    cluster
      .list('pods', 'default')
      .filter(({ metadata }) => metadata.labels?.['followed'] === label)
      .map(({ metadata }) => [`${metadata.namespace}/${metadata.name}`, metadata.uid]),
  );

const toldAll = (cluster: EmbeddedCluster, { pods, label }: Followed): Promise<unknown> =>
  waitFor('what is told to be what stands', () => {
    const stands = Object.entries(standing(cluster, label));
    return stands.length === pods.size && stands.every(([key, uid]) => pods.get(key) === uid);
  });

describe('a watch', { concurrency: true }, () => {
  it('that only seems to stand is given up, and nothing that happened meanwhile is missed', async (t) => {
    const cluster = await bed(t);
    addPod(cluster, 'stays');
    addPod(cluster, 'goes');
    const proxy = await startProxy(Number(new URL(cluster.url).port));
    t.after(() => proxy.close());
    const followed = follow(proxy.port, 400);
    t.after(() => followed.stop());
    await toldAll(cluster, followed);
    for (const name of ['one', 'two', 'three']) {
      // The network is gone and then back. Events of that time are lost, and no error shows it.
      proxy.isDead = true;
      addPod(cluster, name);
      if (name === 'two') cluster.delete('pods', 'default', 'goes');
      // A watch that is opened meanwhile fails, too.
      const before = proxy.connections();
      await waitFor('another try', () => proxy.connections() > before);
      proxy.isDead = false;
      await toldAll(cluster, followed);
    }
    assert.equal(followed.pods.size, 4);
  });

  it('whose place the server has forgotten, as no bookmark told of a newer one, begins anew', async (t) => {
    const cluster = await bed(t, NEVER);
    const proxy = await startProxy(Number(new URL(cluster.url).port));
    t.after(() => proxy.close());
    addPod(cluster, 'stays');
    addPod(cluster, 'goes');
    const followed = follow(proxy.port, 60_000);
    t.after(() => followed.stop());
    await toldAll(cluster, followed);
    for (const round of [1, 2, 3]) {
      const { length } = cluster.audit;
      proxy.cut();
      proxy.isDead = true;
      addPod(cluster, `round-${round}`);
      if (round === 2) cluster.delete('pods', 'default', 'goes');
      await waitFor('the pod to be gone', () => round !== 2 || !('default/goes' in standing(cluster, 'yes')));
      for (let other = 0; other < 5; other += 1) {
        cluster.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `other-${round}-${other}` } });
      }
      cluster.compact();
      proxy.isDead = false;
      proxy.cut();
      await toldAll(cluster, followed);
      const since = cluster.audit.slice(length).map(({ verb }) => verb);
      assert.ok(since.includes('list'), since.join());
    }
  });

  it('that is cut or falls silent after any byte is taken up where it was', async (t) => {
    const cluster = await bed(t);
    const port = Number(new URL(cluster.url).port);
    let runs = 100;
    /** Lists no pod, and gets one by the watch. */
    const run = async (fault?: Fault, silenceMs = 300) => {
      runs += 1;
      const label = `run-${runs}`;
      const proxy = await startProxy(port, { records: fault === undefined, ...(fault && { fault }) });
      const followed = follow(proxy.port, silenceMs, label);
      try {
        await waitFor('the first connection', () => proxy.connections() > 0);
        proxy.fault = undefined;
        await waitFor('the list', followed.isListed);
        addPod(cluster, label, label);
        await toldAll(cluster, followed);
        cluster.delete('pods', 'default', label);
        await waitFor('the end of the pod', () => standing(cluster, label)[`default/${label}`] === undefined);
        await toldAll(cluster, followed);
        return proxy.passed[0]?.down ?? Buffer.alloc(0);
      } finally {
        followed.stop();
        await proxy.close();
      }
    };
    const down = await run(undefined, 60_000);
    // A list that falls silent is given up after the client's 75 s: here only a watch is waited for. (Its length is nearly
    // the same each time.)
    const list = down.indexOf('HTTP/1.1', 1) + 64;
    assert.ok(list > 64 && down.includes('"ADDED"') && down.includes('"DELETED"'), 'list and watch by one connection');
    const dead = faultsAt('down', down.length - list, ['dead'], isFull ? 101 : 303).map((fault) => ({
      ...fault,
      at: fault.at + list,
    }));
    const faults = [...faultsAt('down', down.length, ['reset', 'finish'], isFull ? 53 : 159), ...dead];
    const breaches: string[] = [];
    await inParallel(faults, 40, (fault) =>
      run(fault).then(
        () => undefined,
        (error: unknown) => void breaches.push(`${JSON.stringify(fault)}: ${String(error)}`),
      ),
    );
    assert.deepEqual(breaches, []);
  });
});
