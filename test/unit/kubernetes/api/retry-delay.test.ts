import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { refusedByServer } from '../../../../shared/kubernetes/api/api-error.ts';
import { resendDelayMs } from '../../../../shared/kubernetes/api/retry-delay.ts';
import { unreachable } from '../../../../shared/kubernetes/api/unreachable.ts';

const server = new URL('https://api');
const answered = (status: number, retryAfterMs?: number): RestoreHooksError =>
  refusedByServer({
    status,
    body: '',
    server,
    request: 'GET /api/v1/pods',
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
const broken = (code: string) => unreachable(server, Object.assign(new Error(code), { code }));

describe('the same request is sent again', () => {
  it('whatever it is after a 429, once the time is over that the server asks for', () => {
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE'] as const) {
      assert.equal(resendDelayMs({ method }, answered(429, 600_000), 0), 600_000, method);
      const wait = resendDelayMs({ method }, answered(429), 2) ?? 0;
      assert.ok(wait >= 750 && wait <= 1_250, `${method}: ${wait}`);
    }
  });

  it('where it reads, and the trouble is likely to pass', () => {
    for (const error of [answered(503), answered(500, 1_000), answered(404)]) {
      assert.ok(resendDelayMs({ method: 'GET' }, error, 0) !== undefined, error.message);
      assert.equal(resendDelayMs({ method: 'POST' }, error, 0), undefined, error.message);
    }
    assert.equal(resendDelayMs({ method: 'GET' }, broken('ECONNRESET'), 0), 0);
  });

  it('and not where it would be no use, or is not known to be undone', () => {
    const useless = [answered(500), answered(503, 31_000), answered(403), answered(409), broken('ECONNREFUSED')];
    for (const error of useless) assert.equal(resendDelayMs({ method: 'GET' }, error, 0), undefined, error.message);
    assert.equal(resendDelayMs({ method: 'GET' }, answered(404), 2), undefined);
    assert.equal(resendDelayMs({ method: 'GET' }, broken('ECONNRESET'), 1), undefined);
    assert.equal(resendDelayMs({ method: 'POST' }, broken('ECONNRESET'), 0), undefined);
  });
});
