import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ContainerLog } from './kubelet.ts';
import { integer } from './options.ts';
import type { Fault } from './status.ts';
import { badRequest, invalid } from './status.ts';

export interface LogOptions {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly lines: number;
  readonly bytes: number;
  /** In milliseconds since the epoch. */
  readonly since: number;
}

/** Reads the query of a request for the log of a pod, with the API server's checks. */
export function logOptions(query: URLSearchParams, pod: string): LogOptions {
  const [lines, bytes, seconds] = ['tailLines', 'limitBytes', 'sinceSeconds'].map((name) => integer(query, name));
  const time = query.get('sinceTime') || undefined;
  const since = time === undefined ? Number.NEGATIVE_INFINITY : Date.parse(time);
  if (Number.isNaN(since)) {
    const quoted = JSON.stringify(time);
    throw badRequest(`parsing time ${quoted} as "2006-01-02T15:04:05Z07:00": cannot parse ${quoted} as "2006"`);
  }
  const faults: Fault[] = [];
  const wrong = (field: string, value: number, detail: string): void =>
    void faults.push({ type: 'Invalid', field, value, detail });
  if (lines !== undefined && lines < 0) wrong('tailLines', lines, 'must be greater than or equal to 0');
  if (bytes !== undefined && bytes < 1) wrong('limitBytes', bytes, 'must be greater than 0');
  if (seconds !== undefined && time !== undefined) {
    const detail = 'at most one of `sinceTime` or `sinceSeconds` may be specified';
    faults.push({ type: 'Forbidden', field: '[]', detail });
  } else if (seconds !== undefined && seconds < 1) wrong('sinceSeconds', seconds, 'must be greater than 0');
  if (faults.length > 0) throw invalid({ group: '', resource: '', kind: 'PodLogOptions' }, pod, faults);
  return {
    follow: query.get('follow') === 'true',
    previous: query.get('previous') === 'true',
    lines: lines ?? Number.POSITIVE_INFINITY,
    bytes: bytes ?? Number.POSITIVE_INFINITY,
    since: seconds === undefined ? since : Date.now() - seconds * 1000,
  };
}

/** What a log has by now of what is asked for. */
export function textOf(log: ContainerLog, { lines, bytes, since }: LogOptions): string {
  const from = log.times.findIndex((at) => at >= since);
  if (from < 0) return '';
  const all = Buffer.concat(log.chunks.slice(from))
    .toString()
    .split(/(?<=\n)/);
  return all
    .slice(Math.max(0, all.length - lines))
    .join('')
    .slice(0, bytes);
}

/** Sends what a log has, and then what comes, until the container has ended or so many bytes are sent. */
export function followLog(
  request: IncomingMessage,
  response: ServerResponse,
  log: ContainerLog,
  options: LogOptions,
): void {
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  response.flushHeaders();
  let left = options.bytes;
  const write = (chunk: Buffer | undefined): void => {
    if (chunk !== undefined && chunk.length > 0) response.write(chunk.subarray(0, left));
    left -= chunk?.length ?? 0;
    if (chunk === undefined || left <= 0) response.end();
    if (left <= 0) log.listeners.delete(write);
  };
  log.listeners.add(write);
  request.on('close', () => log.listeners.delete(write));
  write(Buffer.from(textOf(log, options)));
}
