import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { kubeClient } from '../../shared/kubernetes/api/client.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { WatchEnd } from '../../shared/kubernetes/api/watch-stream.ts';
import { loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
import { kubernetesPodSource } from '../../shared/kubernetes/pods/pod-source.ts';
import type { PodEvent } from '../../shared/ports/ports.ts';
import { systemClock } from '../../shared/system/clock.ts';
import { testbed } from './bed.ts';

const skip = process.env['RESTOREHOOKS_TEST_CLUSTER'] === '1' ? false : 'needs a cluster: RESTOREHOOKS_TEST_CLUSTER=1';
const namespace = `watch-test-${process.pid}`;

describe('kubernetesPodSource against a real API server', { skip }, () => {
  let client: KubeClient;
  const stops: (() => void)[] = [];

  before(async () => {
    client = kubeClient(loadKubeConfig({ env: process.env }));
    await client.create(paths.namespaces(), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  });
  after(async () => {
    for (const stop of stops) stop();
    await client.delete(paths.namespaces(namespace));
    client.close();
  });

  /** Pods that no node accepts: they exist, but nothing runs. */
  async function createPod(name: string, label: string): Promise<string> {
    const made = await client.create(paths.pods(namespace), {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { run: label } },
      spec: { nodeSelector: { no: 'such-node' }, containers: [{ name: 'c', image: 'none' }] },
    });
    return (made['metadata'] as { uid: string }).uid;
  }
  const remove = (name: string) => client.delete(paths.pods(namespace, name), { gracePeriodSeconds: 0 });

  function follow(label: string, counting: KubeClient = client) {
    const events: PodEvent[] = [];
    const stop = kubernetesPodSource(counting, { labelSelector: `run=${label}`, clock: systemClock }).start((event) =>
      events.push(event),
    );
    stops.push(stop);
    return {
      events,
      stop,
      async until(what: string, found: (event: PodEvent) => boolean, ms = 20_000): Promise<void> {
        for (let left = ms / 20; left > 0; left -= 1) {
          if (events.some(found)) return;
          await delay(20);
        }
        assert.fail(`not told within ${ms / 1000}s: ${what}; told: ${JSON.stringify(events)}`);
      },
    };
  }
  const observed = (uid: string) => (event: PodEvent) => event.type === 'podObserved' && event.pod.uid === uid;
  const deleted = (uid: string) => (event: PodEvent) => event.type === 'podDeleted' && event.uid === uid;
  const listed = (event: PodEvent) => event.type === 'podsListed';

  it('tells of pods that are there, come, go, and come back under their name', async () => {
    const first = await createPod('a', 'basic');
    const { events, until } = follow('basic');
    await until('the list', listed);
    assert.ok(observed(first)(events[0] as PodEvent));
    const second = await createPod('b', 'basic');
    await until('b', observed(second));
    await until(
      'b unschedulable',
      (event) => event.type === 'podObserved' && event.pod.containers['c']?.reason === 'Unschedulable',
    );
    await remove('a');
    await until('a deleted', deleted(first));
    const again = await createPod('a', 'basic');
    await until('a again', observed(again));
  });

  it('goes on with a pod that lost its label, also when it gets it back, until it is really gone', async () => {
    const uid = await createPod('l', 'label');
    const { events, until } = follow('label');
    await until('the list', listed);
    await client.patch(paths.pods(namespace, 'l'), { metadata: { labels: { run: 'other' } } }, 'merge');
    await delay(1500);
    assert.ok(!events.some(deleted(uid)), 'a label is not a pod');
    const before = events.length;
    await until('polled', () => events.length > before);
    await client.patch(paths.pods(namespace, 'l'), { metadata: { labels: { run: 'label' } } }, 'merge');
    await client.patch(paths.pods(namespace, 'l'), { metadata: { labels: { run: 'other' } } }, 'merge');
    await delay(500);
    await remove('l');
    await until('deleted', deleted(uid));
  });

  it('gets bookmarks from the server, and resumes a watch that ended where it ended', async () => {
    const uid = await createPod('r', 'resume');
    let watches = 0;
    let lists = 0;
    const from: unknown[] = [];
    const { events, until } = follow('resume', {
      ...client,
      list: (...given) => {
        lists += 1;
        return client.list(...given);
      },
      watch: (path, query, ...rest) => {
        watches += 1;
        from.push(query['resourceVersion']);
        return client.watch(path, { ...query, timeoutSeconds: 3 }, ...rest);
      },
    });
    await until('the list', listed);
    await delay(1000);
    // No selected pod changes while other objects do, so only bookmarks carry the newer resourceVersion.
    await createPod('unrelated', 'unrelated');
    await until('the third watch', () => watches >= 3, 30_000);
    assert.equal(lists, 1);
    assert.ok(Number(from[2]) > Number(from[0]), `from ${from}`);
    const later = await createPod('r2', 'resume');
    await until('r2', observed(later));
    assert.equal(events.filter(observed(uid)).length >= 1, true);
  });

  it('is told 410 for a resourceVersion that the server has forgotten', async () => {
    const end = await new Promise<WatchEnd>((resolve) => {
      client.watch(paths.pods(namespace), { resourceVersion: '1', timeoutSeconds: 5 }, () => {}, resolve);
    });
    assert.equal(kubeApiError(end.error)?.status, 410);
  });

  it('loses the pods, and says so, where a user may not watch them', async () => {
    const forbidden = kubeClient(loadKubeConfig({ env: process.env, as: 'nobody-in-particular' }));
    const { events, until } = follow('x', forbidden);
    await until('podsLost', (event) => event.type === 'podsLost' && event.error.code === 'FORBIDDEN');
    assert.deepEqual(
      events.map(({ type }) => type),
      ['podsLost'],
    );
  });

  it('survives a restart of the API server, and tells what happened meanwhile', async () => {
    const stays = await createPod('stays', 'restart');
    const goes = await createPod('goes', 'restart');
    const { events, until } = follow('restart');
    await until('the list', listed);
    await testbed('kill', 'apiserver');
    await delay(1500);
    await testbed('start', 'apiserver');
    await retry(() => remove('goes'));
    await until('goes deleted', deleted(goes), 40_000);
    const comes = await retry(() => createPod('comes', 'restart'));
    await until('comes', observed(comes), 40_000);
    await testbed('waken');
    assert.ok(!events.some((event) => event.type === 'podsLost' || deleted(stays)(event)));
    assert.equal(events.filter(listed).length, 1);
  });
});

async function retry<T>(act: () => Promise<T>): Promise<T> {
  for (let left = 40; ; left -= 1) {
    try {
      return await act();
    } catch (error) {
      if (left === 0) throw error;
      await delay(250);
    }
  }
}
