import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { refusedByServer } from '../../../../shared/kubernetes/api/api-error.ts';
import { judgeForbidden } from '../../../../shared/kubernetes/api/forbidden.ts';
import type { KubeObject } from '../../../../shared/kubernetes/api/kube-object.ts';

const refused = (status: number, details?: object): RestoreHooksError =>
  refusedByServer({
    status,
    body: JSON.stringify({ kind: 'Status', code: status, message: 'no', details }),
    server: new URL('https://api'),
    request: 'POST /api/v1/namespaces/a/pods',
  });
const create = { method: 'POST', path: '/api/v1/namespaces/a/pods?dryRun=All' } as const;

async function codeOf(
  error: RestoreHooksError,
  allowed: boolean | Error,
  request: Parameters<typeof judgeForbidden>[1] = create,
) {
  const asked: object[] = [];
  const judged = await judgeForbidden(error, request, async ({ body }): Promise<KubeObject> => {
    asked.push((body as { spec: object }).spec);
    if (allowed instanceof Error) throw allowed;
    return { status: { allowed } };
  });
  assert.ok(judged instanceof RestoreHooksError);
  return [judged.code, asked.length] as const;
}

describe('a 403 to a write', () => {
  it('is admission where the right is there, and the want of it where it is not', async () => {
    assert.deepEqual(await codeOf(refused(403), true), ['DENIED', 1]);
    assert.deepEqual(await codeOf(refused(403), false), ['FORBIDDEN', 1]);
    assert.deepEqual(await codeOf(refused(403), new Error('broken')), ['FORBIDDEN', 1]);
  });

  it('is the want of a right where RBAC refuses to grant what the caller does not have', async () => {
    const role = { method: 'PATCH', path: '/apis/rbac.authorization.k8s.io/v1/namespaces/a/roles/r' } as const;
    assert.deepEqual(await codeOf(refused(403, { name: 'r', kind: 'roles' }), true, role), ['FORBIDDEN', 0]);
    assert.deepEqual(await codeOf(refused(403), true, role), ['DENIED', 1]);
  });

  it('is not asked about for reads, for access reviews, and for other answers', async () => {
    const review = { method: 'POST', path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews' } as const;
    assert.deepEqual(await codeOf(refused(403), true, { method: 'GET', path: create.path }), ['FORBIDDEN', 0]);
    assert.deepEqual(await codeOf(refused(403), true, review), ['FORBIDDEN', 0]);
    assert.deepEqual(await codeOf(refused(409), true), ['WRITE_CONFLICT', 0]);
  });
});
