import { RestoreHooksError } from '../../core/errors.ts';
import { kubeApiError } from './api-error.ts';
import type { HttpRequest } from './http.ts';

/** The longest Retry-After of a 5xx that a read still waits for. A 429 is waited for as long as it says. */
const LONGEST_RETRY_AFTER_MS = 30_000;
const FIRST_BACKOFF_MS = 250;
/** How often a read is sent again after a 404 that names no object. */
const VAGUE_RETRIES = 2;

/**
 * How long to wait before the same request is sent again; undefined: it must not be sent again. `tries`: how often it
 * was sent again before. A write is sent again only after a 429, because nothing else proves that it was not done.
 */
export function resendDelayMs(
  { method }: Pick<HttpRequest, 'method'>,
  error: unknown,
  tries: number,
): number | undefined {
  const isRead = method === 'GET';
  const backoff = FIRST_BACKOFF_MS * 2 ** tries * (0.75 + Math.random() / 2);
  const answer = kubeApiError(error);
  if (answer === undefined) return isRead && tries === 0 && wasDropped(error) ? 0 : undefined;
  // A 404 that names no object may come from a proxy, or from an API server that is still starting.
  const isVague = answer.status === 404 && error instanceof RestoreHooksError && error.code === 'CLUSTER_UNREACHABLE';
  if (isVague) return isRead && tries < VAGUE_RETRIES ? backoff : undefined;
  const wait = Math.max(answer.retryAfterMs ?? 0, backoff);
  if (answer.status === 429) return wait;
  const isPassing = answer.status === 503 || (answer.status >= 500 && answer.retryAfterMs !== undefined);
  return isRead && isPassing && wait <= LONGEST_RETRY_AFTER_MS ? wait : undefined;
}

/** Whether the connection broke, as a kept-alive one does that the server closes just when it is used again. */
function wasDropped(error: unknown): boolean {
  const cause = error instanceof RestoreHooksError ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE');
}
