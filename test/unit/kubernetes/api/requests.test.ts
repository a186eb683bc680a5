import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kubeRequests } from '../../../../shared/kubernetes/api/requests.ts';

const requests = kubeRequests('me');

describe('a request', () => {
  it('reads compressed, and streams as it comes', () => {
    const { method, path, headers } = requests.get('/pods', { limit: 5, continue: undefined, fieldSelector: 'a=b&c' });
    assert.deepEqual([method, path], ['GET', '/pods?limit=5&fieldSelector=a%3Db%26c']);
    assert.deepEqual(headers, { accept: 'application/json', 'user-agent': 'me', 'accept-encoding': 'gzip' });
    assert.match(requests.get('/pods', {}, { metadataOnly: true }).headers['accept'] ?? '', /PartialObjectMetadata/);
    assert.equal(requests.watch('/pods', {}).path, '/pods?watch=true');
    for (const streamed of [requests.watch('/pods', {}), requests.getText('/log')]) {
      assert.equal(streamed.headers['accept-encoding'], undefined);
    }
  });

  it('writes with its options in the query, and those of a deletion in the body', () => {
    const created = requests.create('/pods', { a: 1 }, { dryRun: true, fieldManager: 'm' });
    assert.deepEqual(
      [created.method, created.path, created.body],
      ['POST', '/pods?fieldManager=m&dryRun=All', '{"a":1}'],
    );
    const patched = requests.patch('/pods/a', {}, 'apply', { force: true, timeoutMs: 9 });
    assert.deepEqual([patched.path, patched.timeoutMs], ['/pods/a?force=true', 9]);
    assert.equal(patched.headers['content-type'], 'application/apply-patch+yaml');
    const { path, body = '' } = requests.delete('/pods/a', { uid: 'u', dryRun: true, gracePeriodSeconds: 0 });
    assert.deepEqual(
      [path, JSON.parse(body)],
      [
        '/pods/a',
        {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          gracePeriodSeconds: 0,
          preconditions: { uid: 'u' },
          dryRun: ['All'],
        },
      ],
    );
  });
});
