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
    downBytesPerSecond,
  }: {
    readonly host?: string;
    readonly records?: boolean;
    readonly fault?: Fault;
    /** Of a network that is slow for what the server sends. */
    readonly downBytesPerSecond?: number;
  } = {},
): Promise<Proxy> {
  const passed: Passed[] = [];
  const links = new Set<Link>();
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
    const upstream = net.connect({ port, host, noDelay: true });
    if (downBytesPerSecond !== undefined) slowDown(upstream, downBytesPerSecond);
    const link = new Link(client, upstream, proxy, records, () => links.delete(link));
    links.add(link);
    if (records) passed.push(link);
    link.open();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(proxy, { port: (server.address() as AddressInfo).port });
}

function slowDown(source: Socket, bytesPerSecond: number): void {
  source.on('data', (bytes: Buffer) => {
    source.pause();
    setTimeout(() => source.resume(), (bytes.length / bytesPerSecond) * 1000);
  });
}

/** One connection through the proxy. */
class Link implements Passed {
  readonly #sides: Readonly<Record<Fault['way'], Socket>>;
  readonly #proxy: Pick<Proxy, 'isDead'>;
  readonly #fault: Fault | undefined;
  readonly #records: boolean;
  readonly #gone: () => void;
  readonly #seen = { up: [] as Buffer[], down: [] as Buffer[] };
  readonly #counts = { up: 0, down: 0 };
  readonly #stopped = { up: false, down: false };

  constructor(
    client: Socket,
    upstream: Socket,
    proxy: Pick<Proxy, 'fault' | 'isDead'>,
    records: boolean,
    gone: () => void,
  ) {
    this.#sides = { up: client, down: upstream };
    this.#proxy = proxy;
    this.#fault = proxy.fault;
    this.#records = records;
    this.#gone = gone;
  }

  get up(): Buffer {
    return Buffer.concat(this.#seen.up);
  }

  get down(): Buffer {
    return Buffer.concat(this.#seen.down);
  }

  open(): void {
    const { up, down } = this.#sides;
    this.#pipe('up', up, down);
    this.#pipe('down', down, up);
    const fault = this.#fault;
    if (fault?.at === 0 && fault.does !== 'delay') this.#strike(this.#sides[fault.way], () => undefined);
  }

  close(by: 'reset' | 'finish'): void {
    this.#gone();
    for (const socket of Object.values(this.#sides)) {
      if (by === 'reset' && !socket.connecting) socket.resetAndDestroy();
      else if (by === 'reset') socket.destroy();
      else socket.end();
    }
  }

  #pipe(way: Fault['way'], source: Socket, target: Socket): void {
    source.on('data', (bytes: Buffer) => this.#received(way, source, target, bytes));
    source.on('end', () => {
      if (!this.#stopped[way] && !this.#proxy.isDead) target.end();
    });
    source.on('error', () => {
      if (!this.#stopped.up && !this.#stopped.down) this.close('reset');
    });
    source.on('close', () => {
      if (!this.#stopped[way] && !target.writableEnded) target.destroy();
      if (target.destroyed) this.#gone();
    });
  }

  #received(way: Fault['way'], source: Socket, target: Socket, bytes: Buffer): void {
    const fault = this.#fault;
    if (this.#proxy.isDead) this.#stop('up', 'down');
    if (this.#stopped[way]) return;
    const left = fault?.way === way ? fault.at - this.#counts[way] : Number.POSITIVE_INFINITY;
    const isHere = left >= 0 && left <= bytes.length;
    if (!isHere || (left === bytes.length && fault?.does === 'delay')) {
      this.#pass(way, source, target, bytes);
      return;
    }
    this.#pass(way, source, target, bytes.subarray(0, left));
    this.#strike(source, () => this.#pass(way, source, target, bytes.subarray(left)));
  }

  #pass(way: Fault['way'], source: Socket, target: Socket, bytes: Buffer): void {
    if (bytes.length === 0 || target.destroyed) return;
    this.#counts[way] += bytes.length;
    if (this.#records) this.#seen[way].push(bytes);
    if (!target.write(bytes)) {
      source.pause();
      target.once('drain', () => source.resume());
    }
  }

  #strike(source: Socket, pass: () => void): void {
    const fault = this.#fault;
    if (fault?.does === 'reset' || fault?.does === 'finish') this.close(fault.does);
    else if (fault?.does === 'stall') this.#stop(fault.way);
    else if (fault?.does === 'dead') this.#stop('up', 'down');
    else if (fault?.does === 'delay') {
      source.pause();
      setTimeout(() => {
        source.resume();
        pass();
      }, DELAY_MS);
    }
  }

  #stop(...ways: Fault['way'][]): void {
    for (const way of ways) this.#stopped[way] = true;
  }
}
