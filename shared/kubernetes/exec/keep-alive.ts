import type WebSocket from 'ws';

/** How many pings may stay without an answer. */
const UNANSWERED_AT_MOST = 2;
/** A frame for a channel that v4 doesn't have: the kubelet and the runtimes ignore it (R3.20). */
const SAYS_NOTHING = Buffer.of(9);

export interface KeepAliveTimes {
  /** How long nothing has come before a ping; two without an answer mean that the connection is dead. */
  readonly pingMs: number;
  /** How long nothing has come before an empty frame: a runtime ends a stream that is idle for its idle timeout. */
  readonly dataMs: number;
}

/**
 * Keeps an open stream alive, and calls `onSilent` where nobody answers any more. The returned function ends both.
 *
 * Nothing is sent while output comes. The runtime closes its end once it has written all, and what it has written may
 * be on its way for long after. If its system then receives a byte from us, it resets the connection, and the rest of
 * the output is lost with the status (Linux: TCPAbortOnData). Output keeps the runtime from taking the stream for idle,
 * as a frame does.
 */
export function keepAlive(
  ws: Pick<WebSocket, 'on' | 'ping' | 'send'>,
  { pingMs, dataMs }: KeepAliveTimes,
  // Only v4 reaches the runtime, whose idle timeout counts messages and not pings.
  reachesRuntime: boolean,
  onSilent: () => void,
): () => void {
  let unanswered = 0;
  const pings = whenQuiet(pingMs, () => {
    if (unanswered >= UNANSWERED_AT_MOST) return onSilent();
    unanswered += 1;
    ws.ping();
  });
  const data = reachesRuntime ? whenQuiet(dataMs, () => ws.send(SAYS_NOTHING)) : undefined;
  ws.on('pong', () => {
    unanswered = 0;
  });
  ws.on('message', () => {
    unanswered = 0;
    pings.heard();
    data?.heard();
  });
  return () => {
    pings.stop();
    data?.stop();
  };
}

/** Calls `act` whenever nothing was heard for so long. */
function whenQuiet(ms: number, act: () => void): { heard(): void; stop(): void } {
  let heardAt = performance.now();
  let reading: NodeJS.Immediate | undefined;
  let timer = setTimeout(look, ms);
  /** This process may have been busy. What has come meanwhile is read after the timers, and before this immediate. */
  function look(): void {
    reading = setImmediate(() => {
      const leftMs = heardAt + ms - performance.now();
      timer = setTimeout(look, leftMs > 0 ? leftMs : ms);
      if (leftMs <= 0) act();
    });
  }
  return {
    heard() {
      heardAt = performance.now();
    },
    stop() {
      clearTimeout(timer);
      clearImmediate(reading);
    },
  };
}
