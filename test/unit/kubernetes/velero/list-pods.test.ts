import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../../../../shared/kubernetes/api/kube-object.ts';
import type { Page } from '../../../../shared/kubernetes/api/list-pages.ts';
import { listPods } from '../../../../shared/kubernetes/velero/restores.ts';

const pod = (name: string): KubeObject => ({
  metadata: { name, namespace: 'shop' },
  spec: { containers: [{ name: 'main', image: 'x' }] },
});
const page = (items: readonly KubeObject[], restarted = false): Page => ({ items, resourceVersion: '1', restarted });

/** A client whose lists consist of these pages. */
const clientOf = (...pages: readonly Page[]) => ({
  async *list() {
    yield* pages;
  },
});

describe('the pods of a Restore', () => {
  it('are those of all pages, each with only what a plan needs', async () => {
    const client = clientOf(page([pod('a'), pod('b')]), page([pod('c')]));
    const { pods, notices } = await listPods(client, 'app=web', undefined);
    assert.deepEqual(
      pods.map(({ metadata }) => metadata.name),
      ['a', 'b', 'c'],
    );
    assert.deepEqual(pods[0]?.spec, { containers: [{ name: 'main' }], initContainers: [] });
    assert.deepEqual(notices, []);
  });

  it('are those of the list that began anew, without the pages before', async () => {
    const unreadable = { metadata: { name: 'x', namespace: 'shop' }, spec: { containers: 1 } };
    const client = clientOf(page([pod('a'), unreadable]), page([pod('b'), unreadable], true));
    const { pods, notices } = await listPods(client, 'app=web', undefined);
    assert.deepEqual(
      pods.map(({ metadata }) => metadata.name),
      ['b'],
    );
    assert.deepEqual(
      notices.map(({ code, pod: name }) => [code, name]),
      [['pod-unreadable', 'x']],
    );
  });
});
