import assert from 'node:assert/strict';
import http from 'node:http';
import type { ExecOutcome } from '../shared/core/model/hook.ts';
import type { KubeConnection, TlsOptions } from '../shared/kubernetes/connect/connection.ts';
import type { ExecTiming } from '../shared/kubernetes/exec/exec.ts';
import { kubernetesHookExec } from '../shared/kubernetes/exec/exec.ts';
import type { ExecRequest, HookExec } from '../shared/ports/ports.ts';
import type { Fault, Passed } from './proxy.ts';
import { startProxy } from './proxy.ts';

/*
 * Makes one exec through a proxy that disturbs it at one byte, and checks its outcome with the starts that the server
 * counted: a hook that was started must never be reported as not started (R4.4, R4.8, R4.17).
 */

/** The API server, on this machine, to which execs go. */
export interface ExecServer {
  readonly host?: string;
  readonly port: number;
  /** With TLS options the server is reached by https, else by http. */
  readonly tls?: TlsOptions;
  readonly headers: KubeConnection['headers'];
}

export interface Told {
  readonly fault: Fault | undefined;
  readonly outcome: ExecOutcome;
  readonly isStarted: boolean;
}

/** Makes execs at a server, each through a new proxy. */
export class ProxiedExec {
  readonly #server: ExecServer;
  readonly #exec: HookExec;
  #port = 0;

  constructor(server: ExecServer, timing: Partial<ExecTiming> = {}) {
    this.#server = server;
    const agent = new http.Agent();
    const open = async (): Promise<KubeConnection> => {
      const scheme = server.tls === undefined ? 'http' : 'https';
      const url = new URL(`${scheme}://127.0.0.1:${this.#port}`);
      return { server: url, headers: server.headers, agent, tls: server.tls ?? {} };
    };
    this.#exec = kubernetesHookExec({ open, forget() {} }, { timing });
  }

  /** Resolves when the end was reported and nothing more comes from this exec. */
  async run(request: ExecRequest, fault?: Fault, records = false): Promise<Told & { readonly passed?: Passed }> {
    const { host, port } = this.#server;
    const proxy = await startProxy(port, {
      records,
      ...(host !== undefined && { host }),
      ...(fault !== undefined && { fault }),
    });
    let starts = 0;
    const ends: ExecOutcome[] = [];
    try {
      await new Promise<void>((resolve) => {
        // The exec reads the port at once, before another exec changes it.
        this.#port = proxy.port;
        this.#exec.start(request, {
          started() {
            starts += 1;
          },
          ended(outcome) {
            ends.push(outcome);
            resolve();
          },
        });
      });
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      await proxy.close();
    }
    const [outcome, ...more] = ends;
    assert.ok(outcome !== undefined && more.length === 0, `told ${ends.length} ends`);
    assert.ok(starts <= 1, `told ${starts} starts`);
    return { fault, outcome, isStarted: starts === 1, ...(proxy.passed[0] && { passed: proxy.passed[0] }) };
  }
}

/** The kinds of outcome that mean that the command was not started. */
const BEFORE: ReadonlySet<ExecOutcome['kind']> = new Set([
  'notStarted',
  'podDeleted',
  'noSuchContainer',
  'forbidden',
  'error',
]);

/** How an outcome breaks the rule; undefined if it doesn't. `starts`: how many the server counted. */
export function breach({ outcome, isStarted }: Told, starts: number, exitCode: number): string | undefined {
  if (starts > 1) return `started ${starts} times`;
  if (BEFORE.has(outcome.kind) && (starts > 0 || isStarted)) return `${outcome.kind}, but it was started`;
  if (outcome.kind === 'exited' && starts === 0) return 'an exit of what was never started';
  if (outcome.kind === 'exited' && outcome.exitCode !== exitCode) return `exit code ${outcome.exitCode}`;
  if (outcome.kind === 'exited' && outcome.unproven) return 'not by v4';
  return undefined;
}

/** Run `work` on all items, `width` at a time. */
export async function inParallel<Item>(
  items: readonly Item[],
  width: number,
  work: (item: Item, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) await work(items[at] as Item, at);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

export const faultsAt = (way: Fault['way'], bytes: number, does: readonly Fault['does'][], stride = 1): Fault[] =>
  does.flatMap((each) =>
    Array.from({ length: Math.ceil((bytes + 1) / stride) }, (_, at) => ({ way, at: at * stride, does: each })),
  );
