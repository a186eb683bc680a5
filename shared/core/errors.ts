/** Exit codes of the plugin and of the runner's image (R7.20, R9.1). Stable: never renumbered or reused. */
export const ExitCode = {
  Ok: 0,
  Bug: 1,
  Usage: 2,
  HookFailed: 3,
  NotFound: 4,
  Forbidden: 5,
  Unreachable: 6,
  Timeout: 7,
  NoMatch: 8,
  Conflict: 9,
  RunFailed: 10,
  Canceled: 11,
  LeftBehind: 12,
  Interrupted: 130,
} as const;

/**
 * That of a process that SIGTERM has ended: of a command that was ended before it wrote anything, and of a runner that
 * left its run to the next one. It is no `ExitCode`, as those of a runner end its Job.
 */
export const SUSPENDED_EXIT_CODE = 143;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode] | typeof SUSPENDED_EXIT_CODE;

/** Every failure this tool can explain. A code is never renamed or reused. */
const kinds = {
  INVALID_ARGUMENT: ExitCode.Usage,
  INVALID_INPUT: ExitCode.Usage,
  RESTORE_NOT_FOUND: ExitCode.NotFound,
  NOT_FOUND: ExitCode.NotFound,
  FORBIDDEN: ExitCode.Forbidden,
  /** Refused although the right is there (R7.21): a quota, PodSecurity, LimitRange, a webhook, a namespace that goes. */
  DENIED: ExitCode.RunFailed,
  CLUSTER_UNREACHABLE: ExitCode.Unreachable,
  TIMEOUT: ExitCode.Timeout,
  NO_POD_MATCHED: ExitCode.NoMatch,
  RUN_BY_ANOTHER: ExitCode.Conflict,
  /** The API server refused a write because the object has changed: read it again and decide again. */
  WRITE_CONFLICT: ExitCode.Conflict,
  RUN_FAILED: ExitCode.RunFailed,
  /** What a rehearsal has created could not be removed. */
  LEFT_BEHIND: ExitCode.LeftBehind,
  INTERRUPTED: ExitCode.Interrupted,
  /** By SIGTERM, before anything was written. */
  TERMINATED: SUSPENDED_EXIT_CODE,
} as const satisfies Record<string, ExitCode>;
export type ErrorCode = keyof typeof kinds;

/**
 * A failure that the user can act on: what happened, with the object's name, and what to do.
 * Anything else that is thrown is a bug here, and exits 1.
 */
export class RestoreHooksError extends Error {
  override readonly name = 'RestoreHooksError';
  readonly code: ErrorCode;
  /** What to do next, as one imperative sentence. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }

  get exitCode(): ExitCode {
    return kinds[this.code];
  }
}

export function assertNever(value: never): never {
  throw new Error(`unexpected ${JSON.stringify(value)}`);
}
