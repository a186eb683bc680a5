import type { IncomingMessage } from 'node:http';
import { retryAfterMs } from '../api/http.ts';
import type { Refusal } from './exec-outcome.ts';

const MOST_BYTES = 64 * 1024;

/**
 * Reads the HTTP answer that came in place of a stream, and calls `done` once. An answer that is too long, too slow or
 * broken off is used as far as it came: its status alone says much. The returned function stops reading.
 */
export function readRefusal(response: IncomingMessage, withinMs: number, done: (refusal: Refusal) => void): () => void {
  const chunks: Buffer[] = [];
  let length = 0;
  let over = false;
  const stop = (): void => {
    over = true;
    clearTimeout(late);
  };
  const end = (): void => {
    if (over) return;
    stop();
    const wait = retryAfterMs(response);
    const { statusCode: status = 0, complete } = response;
    const body = Buffer.concat(chunks).toString('utf8');
    done({ status, body, isCut: !complete, ...(wait !== undefined && { retryAfterMs: wait }) });
  };
  const late = setTimeout(end, withinMs);
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= MOST_BYTES) end();
  });
  for (const event of ['end', 'error', 'close'] as const) response.on(event, end);
  return stop;
}
