import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import net from 'node:net';

/** A fault of one connection, after a number of bytes in one direction. */
export interface Fault {
  /** `up` is to the server. */
  readonly way: 'up' | 'down';
  readonly at: number;
  /**
   * `reset` and `finish` close both sides, by RST or FIN. `stall`: that way passes nothing more, and nothing is closed;
   * `dead`: neither way does, as where the network is gone. `delay`: what follows passes a moment later.
   */
  readonly does: 'reset' | 'finish' | 'stall' | 'dead' | 'delay';
}

/** What passed through one connection, from its first byte. */
export interface Passed {
  readonly up: Buffer;
  readonly down: Buffer;
}

export interface Proxy {
  readonly port: number;
  /** The fault of connections that begin from now on. 0 is before the first byte. */
  fault: Fault | undefined;
  /** True: from now on nothing passes any connection, as if the network were gone. False: new connections work again. */
  isDead: boolean;
  /** By connection, in the order in which they were made; only where it records. */
  readonly passed: readonly Passed[];
  connections(): number;
  /** Close all that is open, by RST. */
  cut(): void;
  close(): Promise<void>;
}

const DELAY_MS = 20;

/** A TCP proxy to a port, with faults. A connection that went dead stays dead, even when the network is back. */
export async function startProxy(
  port: number,
  {
    host = '127.0.0.1',
    records = false,
    fault,
  }: { readonly host?: string; readonly records?: boolean; readonly fault?: Fault } = {},
): Promise<Proxy> {
  const passed: Passed[] = [];
  const links = new Set<{ close(by: 'reset' | 'finish'): void }>();
  let made = 0;
  const proxy: Proxy = {
    port: 0,
    fault,
    isDead: false,
    passed,
    connections: () => made,
    cut() {
      for (const link of links) link.close('reset');
    },
    async close() {
      proxy.cut();
      server.close();
      if (server.listening) await once(server, 'close');
    },
  };

  const server = net.createServer({ noDelay: true }, (client) => {
    made += 1;
    const { fault } = proxy;
    const upstream = net.connect({ port, host, noDelay: true });
    const seen = { up: [] as Buffer[], down: [] as Buffer[] };
    const counts = { up: 0, down: 0 };
    const stopped = { up: false, down: false };
    if (records) {
      passed.push({
        get up() {
          return Buffer.concat(seen.up);
        },
        get down() {
          return Buffer.concat(seen.down);
        },
      });
    }
    const link = {
      close(by: 'reset' | 'finish') {
        links.delete(link);
        for (const socket of [client, upstream]) {
          if (by === 'reset' && !socket.connecting) socket.resetAndDestroy();
          else if (by === 'reset') socket.destroy();
          else socket.end();
        }
      },
    };
    links.add(link);

    const strike = (source: Socket, pass: () => void): void => {
      switch (fault?.does) {
        case 'reset':
        case 'finish':
          link.close(fault.does);
          return;
        case 'delay':
          source.pause();
          setTimeout(() => {
            source.resume();
            pass();
          }, DELAY_MS);
          return;
        case 'stall':
          stopped[fault.way] = true;
          return;
        case 'dead':
          stopped.up = true;
          stopped.down = true;
      }
    };

    const pipe = (way: Fault['way'], source: Socket, target: Socket): void => {
      const pass = (bytes: Buffer): void => {
        if (bytes.length === 0 || target.destroyed) return;
        counts[way] += bytes.length;
        if (records) seen[way].push(bytes);
        if (!target.write(bytes)) {
          source.pause();
          target.once('drain', () => source.resume());
        }
      };
      source.on('data', (bytes: Buffer) => {
        if (proxy.isDead) {
          stopped.up = true;
          stopped.down = true;
        }
        if (stopped[way]) return;
        const left = fault?.way === way ? fault.at - counts[way] : Number.POSITIVE_INFINITY;
        const isHere = left >= 0 && left <= bytes.length;
        if (!isHere || (left === bytes.length && fault?.does === 'delay')) {
          pass(bytes);
          return;
        }
        pass(bytes.subarray(0, left));
        strike(source, () => pass(bytes.subarray(left)));
      });
      source.on('end', () => {
        if (!stopped[way] && !proxy.isDead) target.end();
      });
      source.on('error', () => {
        if (!stopped.up && !stopped.down) link.close('reset');
      });
      source.on('close', () => {
        if (!stopped[way] && !target.writableEnded) target.destroy();
        if (target.destroyed) links.delete(link);
      });
    };
    pipe('up', client, upstream);
    pipe('down', upstream, client);
    if (fault?.at === 0 && fault.does !== 'delay') strike(fault.way === 'up' ? client : upstream, () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(proxy, { port: (server.address() as AddressInfo).port });
}
