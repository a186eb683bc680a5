import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorCode } from '../../../shared/core/errors.ts';
import { ExitCode, RestoreHooksError, SUSPENDED_EXIT_CODE } from '../../../shared/core/errors.ts';

// R7.20, R9.1
test('exit codes are those that scripts rely on', () => {
  const codes = { Ok: 0, Bug: 1, Usage: 2, HookFailed: 3, NotFound: 4, Forbidden: 5, Unreachable: 6, Timeout: 7 };
  const others = { NoMatch: 8, Conflict: 9, RunFailed: 10, Canceled: 11, LeftBehind: 12, Interrupted: 130 };
  assert.deepEqual(ExitCode, { ...codes, ...others });
  assert.equal(SUSPENDED_EXIT_CODE, 143);
});

// R7.20, R7.21
test('each error exits with the code of its kind', () => {
  const expected: Readonly<Record<ErrorCode, number>> = {
    INVALID_ARGUMENT: 2,
    INVALID_INPUT: 2,
    RESTORE_NOT_FOUND: 4,
    NOT_FOUND: 4,
    FORBIDDEN: 5,
    DENIED: 10,
    CLUSTER_UNREACHABLE: 6,
    TIMEOUT: 7,
    NO_POD_MATCHED: 8,
    RUN_BY_ANOTHER: 9,
    WRITE_CONFLICT: 9,
    RUN_FAILED: 10,
    LEFT_BEHIND: 12,
    INTERRUPTED: 130,
    TERMINATED: 143,
  };
  for (const [code, exit] of Object.entries(expected)) {
    assert.equal(new RestoreHooksError(code as ErrorCode, 'x').exitCode, exit, code);
  }
});
