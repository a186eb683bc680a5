import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Start } from '../../../../plugin/run/begin-run.ts';
import { writeRunDown } from '../../../../plugin/run/begin-run.ts';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import { parseRestore } from '../../../../shared/core/model/restore.ts';
import { ANNOTATION } from '../../../../shared/core/names.ts';
import { statusText } from '../../../../shared/core/report/run-status.ts';
import { refusedByServer } from '../../../../shared/kubernetes/api/api-error.ts';
import { newStatus } from '../../../../shared/kubernetes/run/claim.ts';

const object = {
  apiVersion: 'velero.io/v1',
  kind: 'Restore',
  metadata: { namespace: 'velero', name: 'nightly', annotations: {} },
  spec: {},
};
const parsed = parseRestore(object);
assert.ok(parsed.ok);
const restore = parsed.value;
const status = newStatus(restore, {
  runID: 'abcdef',
  planned: { document: { restore: {}, digest: 'd', hooks: [] } as never },
  runner: { kind: 'job', name: 'j' },
  options: { failOn: 'fail' },
  now: instant(0),
});
const written = { ...object.metadata, annotations: { [ANNOTATION.status]: statusText(status) } };

/** The API server answers the write with this code; `stands`: the status is there all the same. */
function refused(code: number, { stands = false, why }: { stands?: boolean; why?: RestoreHooksError } = {}) {
  const client = {
    patch: async () => {
      const request = 'PATCH /apis/velero.io/v1/namespaces/velero/restores/nightly';
      throw refusedByServer({ request, status: code, body: '{}', server: new URL('https://example.com') });
    },
    get: async () => ({ ...object, metadata: stands ? written : object.metadata }),
  };
  const session = { client, namespace: 'velero', cluster: 'c' };
  return writeRunDown({ session, name: 'nightly', context: { stop: { why } } } as unknown as Start, restore, status);
}

describe('writeRunDown', () => {
  it('rejects with the conflict if somebody else has written, so that it is decided again', async () => {
    await assert.rejects(refused(409), { code: 'WRITE_CONFLICT' });
  });

  it('rejects a conflict with the reason to end, if the command is asked to: it decides no more', async () => {
    const why = new RestoreHooksError('INTERRUPTED', 'interrupted');
    await assert.rejects(refused(409, { why }), why);
  });

  it('could not start the run if the server refuses the status', async () => {
    await assert.rejects(refused(403), { code: 'FORBIDDEN', message: /^the run could not start: / });
    await assert.rejects(refused(422), { code: 'RUN_FAILED', message: /^the run could not start: / });
  });

  it('goes on if the status stands although the answer was an error', async () => {
    await refused(500, { stands: true });
    await assert.rejects(refused(500), { code: 'CLUSTER_UNREACHABLE' });
  });
});
