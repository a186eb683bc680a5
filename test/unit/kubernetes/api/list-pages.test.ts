import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refusedByServer } from '../../../../shared/kubernetes/api/api-error.ts';
import type { KubeObject } from '../../../../shared/kubernetes/api/kube-object.ts';
import { joinPages, listPages } from '../../../../shared/kubernetes/api/list-pages.ts';
import type { Query } from '../../../../shared/kubernetes/api/requests.ts';

const page = (items: string[] | null, next?: string): KubeObject => ({
  metadata: { resourceVersion: '7', ...(next && { continue: next }) },
  items: items?.map((name) => ({ name })) ?? null,
});
const expired = refusedByServer({ status: 410, body: '', server: new URL('https://api'), request: 'GET /api/v1/pods' });

/** Answers one after the other; says what was asked. */
function server(...answers: (KubeObject | Error)[]) {
  const asked: Query[] = [];
  const ask = async (query: Query): Promise<KubeObject> => {
    asked.push(query);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer ?? assert.fail('asked too often');
  };
  const all = async () => joinPages(listPages(ask, { labelSelector: 'a=b' }, 'api'));
  return { asked, all };
}

describe('a list', () => {
  it('is read page by page', async () => {
    const { asked, all } = server(page(['a', 'b'], 'p2'), page(['c'], 'p3'), page(null));
    const { items, resourceVersion } = await all();
    assert.deepEqual([items, resourceVersion], [[{ name: 'a' }, { name: 'b' }, { name: 'c' }], '7']);
    assert.deepEqual(
      asked.map((query) => [query['continue'], query['limit'], query['labelSelector']]),
      [undefined, 'p2', 'p3'].map((next) => [next, 500, 'a=b']),
    );
  });

  it('begins anew in larger pages where its continuation has expired, and in one page where it has again', async () => {
    const { asked, all } = server(page(['a'], 'p2'), expired, page(['a', 'c'], 'p3'), expired, page(['a', 'd']));
    assert.deepEqual((await all()).items, [{ name: 'a' }, { name: 'd' }]);
    assert.deepEqual(
      asked.map((query) => [query['limit'], query['continue']]),
      [
        [500, undefined],
        [500, 'p2'],
        [5_000, undefined],
        [5_000, 'p3'],
        [undefined, undefined],
      ],
    );
  });

  it('keeps all larger pages of a list that has begun anew', async () => {
    const { all } = server(page(['a'], 'p2'), expired, page(['b', 'c'], 'p3'), page(['d']));
    assert.deepEqual((await all()).items, [{ name: 'b' }, { name: 'c' }, { name: 'd' }]);
  });

  it('fails where its first page does, or where the answer is no list', async () => {
    await assert.rejects(server(expired).all(), expired);
    await assert.rejects(server({ kind: 'Pod' }).all(), { message: 'api answered with something that is not a list' });
  });
});
