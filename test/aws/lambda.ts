import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { requireBuilt } from '../built.ts';
import type { Loose } from '../e2e/harness.ts';

/*
 * Runs the built bundle as Lambda does, with its Runtime API: a process that is started by the first call, stopped after
 * each answer, continued by the next call, and killed if it hasn't answered by its deadline.
 */

export const BUNDLE = join(import.meta.dirname, '../../dist/lambda.cjs');
const BOOTSTRAP = join(import.meta.dirname, 'bootstrap.mjs');

/** A call's result as Step Functions gets it: with an error's name if the call failed. */
export interface Answer {
  readonly payload?: Loose;
  readonly errorType?: string;
  readonly errorMessage?: string;
}

interface Invocation {
  readonly id: string;
  readonly event: unknown;
  readonly deadline: number;
  readonly answer: (answer: Answer) => void;
}

export class LambdaFunction {
  readonly #env: Readonly<Record<string, string>>;
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #child: ChildProcess | undefined;
  #waiting: ServerResponse | undefined;
  #invocation: Invocation | undefined;
  /** Everything that the function has logged. */
  log = '';

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
    requireBuilt(BUNDLE);
  }

  /** Calls run one after another, because an instance of a function handles one at a time. */
  async invoke(event: unknown, timeoutMs: number): Promise<Answer> {
    if (this.#invocation !== undefined) throw new Error('this instance is busy');
    if (!this.#server.listening) await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#invocation = { id: randomUUID(), event, deadline: Date.now() + timeoutMs, answer: resolve };
    const timer = setTimeout(() => this.#end({ errorType: 'Sandbox.Timedout' }), timeoutMs);
    if (this.#child === undefined) this.#start();
    this.#child?.kill('SIGCONT');
    this.#give();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#invocation = undefined;
      this.#child?.kill('SIGSTOP');
    }
  }

  /** Kills the process, as a machine that breaks does. */
  kill(): void {
    this.#end({ errorType: 'Runtime.ExitError' });
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #end(answer: Answer): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
    this.#waiting = undefined;
    this.#invocation?.answer(answer);
  }

  #start(): void {
    const { port } = this.#server.address() as AddressInfo;
    const env = {
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
      AWS_LAMBDA_FUNCTION_NAME: 'restorehooks',
      LAMBDA_BUNDLE: BUNDLE,
      ...this.#env,
    };
    const child = spawn(process.execPath, [BOOTSTRAP], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (more: string) => {
        this.log += more;
      });
    }
    child.once('exit', () => {
      if (this.#child === child) this.#end({ errorType: 'Runtime.ExitError' });
    });
    this.#child = child;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [id, what] = (request.url ?? '').replace('/2018-06-01/runtime/invocation/', '').split('/');
    if (id === 'next') {
      this.#waiting = response;
      this.#give();
      return;
    }
    const body = JSON.parse(await text(request));
    response.writeHead(202).end();
    if (id === this.#invocation?.id) this.#invocation?.answer(what === 'response' ? { payload: body } : body);
  }

  #give(): void {
    if (this.#waiting === undefined || this.#invocation === undefined) return;
    const { id, event, deadline } = this.#invocation;
    const headers = { 'lambda-runtime-aws-request-id': id, 'lambda-runtime-deadline-ms': deadline };
    this.#waiting.writeHead(200, headers).end(JSON.stringify(event));
    this.#waiting = undefined;
  }
}
