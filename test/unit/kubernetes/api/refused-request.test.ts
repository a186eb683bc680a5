import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { deniedByAdmission, kubeApiError, refusedByServer } from '../../../../shared/kubernetes/api/api-error.ts';
import { describeRefusal } from '../../../../shared/kubernetes/api/refused-request.ts';

const asked = { verb: 'create', group: '', resource: 'configmaps', namespace: 'a', name: 'j' };
const refused = (status: number, message = 'no', details?: object): RestoreHooksError =>
  refusedByServer({
    status,
    body: JSON.stringify({ kind: 'Status', code: status, message, details }),
    server: new URL('https://api'),
    request: 'PATCH /api/v1/namespaces/a/configmaps/j',
  });
const described = (error: RestoreHooksError): RestoreHooksError => describeRefusal(asked, error) as RestoreHooksError;

describe('a refused request', () => {
  it('is told with its verb and its object, and with what was said', () => {
    const error = refused(422, 'too long');
    const told = described(error);
    assert.equal(told.message, 'create configmaps a/j: too long (HTTP 422)');
    assert.equal(kubeApiError(told), kubeApiError(error));
    assert.ok(described(refused(422, 'x'.repeat(5_000))).message.length < 500);
  });

  it('has a code that says whether another try is worth it', () => {
    const codes: readonly (readonly [RestoreHooksError, string])[] = [
      [deniedByAdmission(refused(403)), 'RUN_FAILED'],
      [refused(422), 'RUN_FAILED'],
      [refused(403), 'FORBIDDEN'],
      [refused(404, 'gone', { name: 'j' }), 'NOT_FOUND'],
      [refused(404, 'no such page'), 'CLUSTER_UNREACHABLE'],
      [refused(408), 'CLUSTER_UNREACHABLE'],
      [refused(503), 'CLUSTER_UNREACHABLE'],
      [refused(409), 'WRITE_CONFLICT'],
    ];
    for (const [error, code] of codes) assert.equal(described(error).code, code, error.code);
  });

  it('is nothing else that went wrong', () => {
    for (const error of [new RestoreHooksError('RUN_BY_ANOTHER', 'x'), new TypeError('x')]) {
      assert.equal(describeRefusal(asked, error), error);
    }
  });
});
