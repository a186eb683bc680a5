import type { RestoreHooksError } from '../../core/errors.ts';
import type { Connections } from '../connect/connection.ts';
import type { ServerUrl } from '../connect/proxy.ts';
import { refusedByServer } from './api-error.ts';
import type { HttpRequest } from './http.ts';
import type { KubeObject } from './kube-object.ts';
import type { StreamEnd } from './line-stream.ts';
import { lineStream } from './line-stream.ts';

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: KubeObject;
}

/** The end of a watch: with an error, or without one where the server ended it in good order. */
export type WatchEnd = StreamEnd;

/**
 * One watch request, from its first byte to its last. It ends with an error on an ERROR event, and after a silence of
 * `silenceMs` (0: none): a connection that is dead without being closed gives no other sign.
 */
export function watchStream(
  connected: Pick<Connections, 'open'>,
  request: HttpRequest,
  silenceMs: number,
  onEvent: (event: WatchEvent) => void,
  onEnd: (end: WatchEnd) => void,
  answered: (status: number) => void = () => undefined,
): () => void {
  const stream = lineStream(connected, request, 'watch', {
    line(line) {
      const event = parseEvent(line);
      if (event === undefined) stream.fail(new Error('the watch was cut in the middle of an event'));
      else if (event.type === 'ERROR') stream.end({ error: errorOf(event.object, stream.server, request) });
      else if (isWatchEvent(event)) onEvent(event);
    },
    answered,
    heard: () => silence?.refresh(),
    end(end) {
      clearTimeout(silence);
      onEnd(end);
    },
  });
  const silence =
    silenceMs > 0 ? setTimeout(() => stream.fail(new Error('the watch went silent')), silenceMs) : undefined;
  return () => {
    clearTimeout(silence);
    stream.stop();
  };
}

interface AnyEvent {
  readonly type?: unknown;
  readonly object?: unknown;
}

/** Undefined: the text is no JSON object, because the stream was cut. */
function parseEvent(line: string): AnyEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isWatchEvent(event: AnyEvent): event is WatchEvent {
  return ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'].includes(event.type as string) && isObject(event.object);
}

const isObject = (value: unknown): value is KubeObject => typeof value === 'object' && value !== null;

/** What an ERROR event says: its object is a Status. */
function errorOf(object: unknown, server: ServerUrl, { path }: HttpRequest): RestoreHooksError {
  const status = Number((object as { code?: unknown } | undefined)?.code ?? 500);
  return refusedByServer({ status, body: JSON.stringify(object), server, request: `watch ${path}` });
}
