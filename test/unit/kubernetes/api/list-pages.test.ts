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

  it('begins anew, in one page, where its continuation has expired', async () => {
    const { asked, all } = server(page(['a'], 'p2'), expired, page(['a', 'c']));
    assert.deepEqual((await all()).items, [{ name: 'a' }, { name: 'c' }]);
    assert.deepEqual([asked[2]?.['limit'], asked[2]?.['continue']], [undefined, undefined]);
  });

  it('fails where its first page does, or where the answer is no list', async () => {
    await assert.rejects(server(expired).all(), expired);
    await assert.rejects(server({ kind: 'Pod' }).all(), { message: 'api answered with something that is not a list' });
  });
});
