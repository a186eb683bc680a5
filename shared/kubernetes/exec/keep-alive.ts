import type WebSocket from 'ws';

/** How many pings may stay without an answer. */
const UNANSWERED_AT_MOST = 2;
/** A frame for a channel that v4 doesn't have: the kubelet and the runtimes ignore it (R3.20). */
const SAYS_NOTHING = Buffer.of(9);

export interface KeepAliveTimes {
  /** Between pings; two without an answer mean that the connection is dead. */
  readonly pingMs: number;
  /** Between empty frames: a runtime ends a stream on which no message came for its idle timeout. */
  readonly dataMs: number;
}

/** Keeps an open stream alive, and calls `onSilent` where nobody answers any more. The returned function ends both. */
export function keepAlive(
  ws: Pick<WebSocket, 'on' | 'ping' | 'send'>,
  { pingMs, dataMs }: KeepAliveTimes,
  // Only v4 reaches the runtime, whose idle timeout counts messages and not pings.
  reachesRuntime: boolean,
  onSilent: () => void,
): () => void {
  let unanswered = 0;
  ws.on('pong', () => {
    unanswered = 0;
  });
  const pings = setInterval(() => {
    if (unanswered >= UNANSWERED_AT_MOST) return onSilent();
    unanswered += 1;
    ws.ping();
  }, pingMs);
  const data = reachesRuntime ? setInterval(() => ws.send(SAYS_NOTHING), dataMs) : undefined;
  return () => {
    clearInterval(pings);
    clearInterval(data);
  };
}
