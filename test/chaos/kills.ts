import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { testbed } from '../cluster/bed.ts';
import { isReal } from '../e2e/cluster.ts';
import { signalRunners } from '../e2e/runners.ts';
import type { Failpoint } from './failpoints.ts';
import { SERVER } from './failpoints.ts';
import type { Part } from './scenario.ts';

/** Tells runners where to die, and kills them there. */
export class FailpointServer {
  readonly #queues = new Map<string, Failpoint[]>();
  readonly #reached = new Map<string, Failpoint[]>();
  readonly #armed = new Map<string, Failpoint>();
  readonly #server: Server = createServer((request, response) => this.#serve(request, response));

  async listen(host = new URL(SERVER).hostname, port = Number(new URL(SERVER).port)): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, host, resolve);
    });
    const address = this.#server.address();
    return `http://${host}:${typeof address === 'object' ? address?.port : port}`;
  }

  /** The Restore's first runner dies at the first of these failpoints, the second runner at the second, and so on. */
  arm(restore: string, failpoints: readonly Failpoint[]): void {
    this.#queues.set(restore, [...failpoints]);
  }

  reached(restore: string): readonly Failpoint[] {
    return this.#reached.get(restore) ?? [];
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #serve({ url = '' }: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, SERVER);
    const [restore = '', pod = ''] = [searchParams.get('restore'), searchParams.get('pod')].map(String);
    if (pathname === '/armed') {
      const failpoint = this.#queues.get(restore)?.shift();
      if (failpoint !== undefined) this.#armed.set(pod, failpoint);
      response.end(JSON.stringify({ failpoint }));
      return;
    }
    const failpoint = this.#armed.get(pod);
    if (failpoint === undefined) return;
    this.#reached.set(restore, [...this.reached(restore), failpoint]);
    if (signalRunners(restore, 'SIGKILL', pod) !== 1) response.writeHead(404).end();
    else response.end();
  }
}

let mended: Promise<void> = Promise.resolve();

/** Start the parts that aren't running: a killed one, and a kubelet that ended because containerd was down. */
function mend(): Promise<void> {
  mended = mended.then(async () => {
    // `testbed start` refuses if the part is running.
    if (isReal) for (const part of IN_ORDER) await testbed('start', part).catch(() => undefined);
  });
  return mended;
}
const IN_ORDER: readonly Part[] = ['etcd', 'containerd', 'apiserver', 'kubelet'];

/** Kills parts of the bed, one at a time, and not while the pods of a run are being created. */
export class Outages {
  #last: Promise<unknown> = Promise.resolve();
  readonly #quiet = new Set<Promise<unknown>>();
  readonly counts = new Map<Part, number>();

  async withoutAny<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const done = before.then(mend).then(work);
    const settled = done.catch(() => undefined);
    this.#quiet.add(settled);
    void settled.then(() => this.#quiet.delete(settled));
    return done;
  }

  async of(part: Part, forMs: number): Promise<void> {
    const turn = Promise.all([this.#last, ...this.#quiet]).then(async () => {
      await testbed('kill', part);
      this.counts.set(part, (this.counts.get(part) ?? 0) + 1);
      await delay(forMs);
      await mend();
    });
    this.#last = turn.catch(() => undefined);
    await turn;
  }
}
