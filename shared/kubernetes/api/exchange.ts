import { setTimeout as delay } from 'node:timers/promises';
import { RestoreHooksError } from '../../core/errors.ts';
import type { Connections } from '../connect/connection.ts';
import { expiredCredential } from '../connect/expired.ts';
import type { ServerUrl } from '../connect/proxy.ts';
import { kubeApiError, refusedByServer } from './api-error.ts';
import { judgeForbidden } from './forbidden.ts';
import type { HttpRequest } from './http.ts';
import { bodyOf, retryAfterMs, send } from './http.ts';
import type { KubeObject } from './kube-object.ts';
import type { Requests } from './requests.ts';
import { resendDelayMs } from './retry-delay.ts';
import { unreachable } from './unreachable.ts';
import { warningsOf } from './warnings.ts';

/** The path comes without its query: an exec's query holds the command. `method`: also `WATCH`. */
export type OnAnswer = (method: string, path: string, status: number | undefined, ms: number) => void;

export interface ExchangeOptions {
  /** For one request with all its tries; 0 or absent = none. Watches are not limited by it. */
  readonly requestTimeoutMs?: number;
  /** What the API server warns of: deprecations, PodSecurity. */
  readonly onWarning?: (text: string) => void;
  readonly maxRetries?: number;
  /** Called before a long wait that the server has asked for. */
  readonly onWait?: (ms: number) => void;
  /** Called with each answer, and with `undefined` if there is none. */
  readonly onAnswer?: OnAnswer;
}

/** The API server ends a request after 60 s, so a longer silence means that the connection is dead. */
const SILENCE_MS = 75_000;
const LONG_WAIT_MS = 5_000;
/** A longer timer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const MAX_RETRIES = 5;

/**
 * Sends requests to the API server. A request is sent again after a 401, once and with fresh credentials, and where
 * `resendDelayMs` says so. Rejects with the RestoreHooksError of the last try.
 */
export class Exchange {
  readonly #connected: Connections;
  readonly #server: ServerUrl;
  readonly #requests: Requests;
  readonly #options: ExchangeOptions;

  constructor(connected: Connections, server: ServerUrl, requests: Requests, options: ExchangeOptions) {
    this.#connected = connected;
    this.#server = server;
    this.#requests = requests;
    this.#options = options;
  }

  /** The body of the answer. */
  async text(request: HttpRequest): Promise<string> {
    const { maxRetries = MAX_RETRIES, onWait } = this.#options;
    let isRefreshed = false;
    const limitMs = this.#limitOf(request);
    // A credential plugin may ask its user a question: that time does not count against the limit.
    if (limitMs > 0) await this.#connected.open();
    const until = limitMs > 0 ? performance.now() + limitMs : Number.POSITIVE_INFINITY;
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.#once(request, until);
      } catch (error) {
        if (kubeApiError(error)?.status === 401 && !isRefreshed) {
          isRefreshed = true;
          this.#connected.forget();
          continue;
        }
        const wait = resendDelayMs(request, error, tries);
        if (wait === undefined || tries >= maxRetries || performance.now() + wait >= until) {
          if (kubeApiError(error)?.status === 401) throw await this.#unauthorized(error);
          throw await judgeForbidden(error, request, (review) => this.#review(review));
        }
        if (wait >= LONG_WAIT_MS) onWait?.(wait);
        await delay(Math.min(wait, LONGEST_TIMER_MS));
      }
    }
  }

  /** A 401, with the user's name and what has expired. */
  async #unauthorized(error: unknown): Promise<unknown> {
    if (!(error instanceof RestoreHooksError)) return error;
    const expired = expiredCredential(await this.#connected.open());
    const more = expired === undefined ? '' : `: ${expired}`;
    const { code, message, hint, cause } = error;
    return new RestoreHooksError(code, `${message} of user "${this.#connected.user}"${more}`, {
      ...(hint !== undefined && { hint }),
      cause,
    });
  }

  async json(request: HttpRequest): Promise<KubeObject> {
    const object = objectIn(await this.text(request));
    if (object !== undefined) return object;
    const { host, origin } = this.#server;
    throw new RestoreHooksError(
      'CLUSTER_UNREACHABLE',
      `the server at ${host} answered with something that is not JSON`,
      {
        hint: `check that ${origin} is this cluster's API server, and what stands before it (a proxy, a login page)`,
      },
    );
  }

  async #once(request: HttpRequest, until: number): Promise<string> {
    const connection = await this.#connected.open();
    const startedAt = performance.now();
    const limitMs = this.#limitOf(request);
    const wholeMs = limitMs > 0 ? Math.max(1, until - startedAt) : 0;
    const path = request.path.split('?')[0] ?? '';
    const answered = (status?: number): void =>
      this.#options.onAnswer?.(request.method, path, status, performance.now() - startedAt);
    const broken = (error: unknown): Promise<never> => {
      answered();
      return Promise.reject(unreachable(this.#server, error));
    };
    const response = await send(connection, request, { wholeMs, limitMs, silenceMs: SILENCE_MS }).catch(broken);
    const body = await bodyOf(response).catch(broken);
    for (const text of warningsOf(response.headers['warning'])) this.#options.onWarning?.(text);
    const status = response.statusCode ?? 0;
    answered(status);
    if (status >= 200 && status < 300) return body;
    const wait = retryAfterMs(response);
    const refused = { status, body, server: this.#server, request: `${request.method} ${path}` };
    throw refusedByServer({ ...refused, ...(wait !== undefined && { retryAfterMs: wait }) });
  }

  /** An access review is sent once only: without its answer the error is less precise, but still right. */
  async #review({ path, body }: { readonly path: string; readonly body: object }): Promise<KubeObject | undefined> {
    const request = this.#requests.create(path, body);
    return objectIn(await this.#once(request, performance.now() + this.#limitOf(request)));
  }

  #limitOf({ timeoutMs = this.#options.requestTimeoutMs ?? 0 }: HttpRequest): number {
    return timeoutMs;
  }
}

/**
 * The object in an answer; undefined if the text is no JSON object. The parser's error is dropped because it quotes the
 * text.
 */
function objectIn(body: string): KubeObject | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as KubeObject) : undefined;
  } catch {
    return undefined;
  }
}
