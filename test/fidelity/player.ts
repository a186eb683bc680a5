import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { KubeConnection } from '../../shared/kubernetes/connect/connection.ts';
import { isRecord } from '../embedded/objects.ts';
import type { Ask, Case, Given, Scene } from './corpus.ts';
import { types } from './corpus.ts';
import type { Answer } from './normal.ts';
import { at, normal } from './normal.ts';

type Connect = () => Promise<KubeConnection>;
/** The answer as it came, with nothing removed. */
interface Raw {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

/** Play a scene in a namespace of its own; the answers by the cases' names, as JSON has them. */
export async function play(connect: Connect, scene: Scene): Promise<Record<string, Answer[]>> {
  const namespace = `fidelity-${randomBytes(4).toString('hex')}`;
  const server = new Server(connect, namespace);
  await server.need('POST /api/v1/namespaces', { metadata: { name: namespace, labels: scene.labels } });
  try {
    await server.until(`GET /api/v1/namespaces/${namespace}/serviceaccounts/default`, ({ status }) => status === 200);
    for (const object of scene.given ?? []) await server.give(object);
    for (const object of scene.given ?? []) {
      if (object.kind === 'ResourceQuota') {
        await server.until(`GET ${pathOf(object)}`, ({ body }) => at(body, ['status', 'hard']) !== undefined);
      }
    }
    for (const object of scene.given ?? []) if (isToRun(object)) await server.until(`GET ${pathOf(object)}`, isReady);
    for (const ask of scene.ready ?? []) await server.becomesReady(ask);
    const answers: Record<string, Answer[]> = {};
    for (const each of scene.cases)
      answers[each.name] = await server.play(each).catch((error: Error) => {
        throw new Error(`${scene.name}: ${each.name}`, { cause: error });
      });
    return JSON.parse(JSON.stringify(answers)) as Record<string, Answer[]>;
  } finally {
    await server.send({ send: `DELETE /api/v1/namespaces/${namespace}` });
  }
}

const groups: Readonly<Record<string, string>> = {
  ResourceQuota: 'resourcequotas',
  LimitRange: 'limitranges',
  Namespace: 'namespaces',
};
function pathOf({ apiVersion, kind, metadata }: Given, name = metadata.name): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const where = kind === 'Namespace' || kind.startsWith('Cluster') ? '' : '/namespaces/$(ns)';
  return `${root}${where}/${groups[kind] ?? `${kind.toLowerCase()}s`}${name === '' ? '' : `/${name}`}`;
}
const isToRun = ({ kind, spec }: Given): boolean =>
  kind === 'Pod' && isRecord(spec) && spec['schedulerName'] === undefined;
const isReady = ({ body }: Raw): boolean => {
  const statuses = at(body, ['status', 'containerStatuses']);
  // A pod whose image can't be pulled isn't waited for.
  return Array.isArray(statuses) && statuses.every(({ state, image }) => state.running || /no-such/.test(image));
};

class Server {
  readonly #connect: Connect;
  readonly #namespace: string;
  #paths = new Map<string, string>();
  #answers: unknown[] = [];

  constructor(connect: Connect, namespace: string) {
    this.#connect = connect;
    this.#namespace = namespace;
  }

  /** An API server whose watch cache is behind by more than 3 s says so, and wants to be asked again. */
  async play(played: Case): Promise<Answer[]> {
    for (let tries = 1; ; tries += 1) {
      const answers = await this.#play(played);
      if (tries === 5 || !JSON.stringify(answers).includes('"ResourceVersionTooLarge"')) return answers;
    }
  }

  async #play({ given = [], ask }: Case): Promise<Answer[]> {
    const before = new Map(this.#paths);
    this.#answers = [];
    for (const object of given) await this.give(object);
    const answers: Answer[] = [];
    const made = new Set<string>();
    for (const each of [ask].flat()) {
      const raw = await this.#ask(each);
      this.#answers.push(raw.body);
      const { compare } = each;
      const body =
        compare === undefined
          ? raw.body
          : Object.fromEntries(compare.map((path) => [path, at(raw.body, path.split('.'))]));
      answers.push(normal(raw.status, raw.headers, body, this.#namespace));
      if (raw.status === 201) made.add(`${pathOf(raw.body as Given, '')}/${(raw.body as Given).metadata?.name}`);
    }
    for (const path of [...given.map((each) => pathOf(each)), ...made]) await this.#remove(path);
    this.#paths = before;
    return answers;
  }

  /** Creates an object that the cases name, and waits until the API server's watch cache, which is asked for version 0, has it. */
  async give(object: Given): Promise<void> {
    await this.need(`POST ${pathOf(object, '')}`, object);
    await this.until(`GET ${pathOf(object)}?resourceVersion=0`, ({ status }) => status === 200);
    this.#paths.set(object.metadata.name, pathOf(object));
  }

  async need(send: string, body: unknown): Promise<void> {
    const { status, body: answer } = await this.send({ send, body });
    if (status >= 300) throw new Error(`${send}: ${status} ${JSON.stringify(answer)}`);
  }

  async until(send: string, fits: (raw: Raw) => boolean): Promise<Raw> {
    for (let tries = 0; ; tries += 1) {
      const raw = await this.send({ send });
      if (fits(raw)) return raw;
      if (tries > 1200) throw new Error(`waited in vain: ${send} ${JSON.stringify(raw.body)}`);
      await sleep(50);
    }
  }

  async becomesReady(ask: Ask): Promise<void> {
    const { status, body } = await this.#ask(ask);
    if (status !== ask.until) throw new Error(`${ask.send}: not ready, ${status} ${JSON.stringify(body)}`);
  }

  async #ask(ask: Ask): Promise<Raw> {
    if (ask.until === undefined) return this.send(ask);
    for (let tries = 0; ; tries += 1) {
      const raw = await this.send(ask);
      if (raw.status === ask.until || tries > 200) return raw;
      await sleep(50);
    }
  }

  /** Deletes an object at once: without grace, and without its finalizers. */
  async #remove(path: string): Promise<void> {
    const { status, body } = await this.send({
      send: `DELETE ${path}`,
      body: { gracePeriodSeconds: 0, propagationPolicy: 'Background' },
    });
    if (status === 200 && isRecord(body) && body['kind'] !== 'Status') {
      await this.send({ send: `PATCH ${path}`, type: 'merge', body: { metadata: { finalizers: null } } });
    }
    await this.until(`GET ${path}`, (raw) => raw.status !== 200);
  }

  async send(ask: Ask): Promise<Raw> {
    const [method = '', ...rest] = (await this.#filled(ask.send)).split(' ');
    const path = rest.join(' ');
    const { body, type = 'application/json' } = ask;
    const connection = await this.#connect();
    const headers: Record<string, string | string[]> = {
      // A kubelet doesn't answer requests for JSON.
      ...(method === 'EXEC' ? {} : { accept: 'application/json' }),
      ...connection.headers,
      ...(ask.as === undefined ? {} : { 'impersonate-user': ask.as }),
      ...ask.headers,
    };
    const meanwhile = async (): Promise<void> => {
      for (const each of ask.meanwhile ?? []) await this.send(each);
    };
    if (method === 'EXEC') return upgrade(connection, path, headers, ask.protocols ?? ['v4.channel.k8s.io'], meanwhile);
    const text =
      body === undefined ? undefined : await this.#filled(typeof body === 'string' ? body : JSON.stringify(body));
    if (text !== undefined) {
      headers['content-type'] ??= types[type] ?? type;
      headers['content-length'] = String(Buffer.byteLength(text));
    }
    return exchange(connection, { method, path, headers, text }, meanwhile, ask.events);
  }

  /** `$(…)` replaced. */
  async #filled(text: string): Promise<string> {
    let result = '';
    let from = 0;
    for (const match of text.matchAll(/\$\(([^()]+)\)/g)) {
      const [name = '', ...path] = (match[1] ?? '').split('.');
      result += text.slice(from, match.index);
      from = match.index + match[0].length;
      if (name === 'ns') result += this.#namespace;
      else {
        const known = this.#paths.get(name);
        const object =
          known === undefined ? this.#answers[Number(name)] : (await this.send({ send: `GET ${known}` })).body;
        const found = at(object, path);
        if (found === undefined) throw new Error(`nothing at ${match[0]}`);
        result += path.at(-1) === 'continue' ? encodeURIComponent(String(found)) : String(found);
      }
    }
    return result + text.slice(from);
  }
}

/** A server that is silent for this long waits for something that doesn't happen. */
const silenceMs = 60_000;

interface Outgoing {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly text: string | undefined;
}

const addressOf = ({ server, tls }: KubeConnection) => ({
  ...tls,
  host: server.hostname,
  port: server.port || (server.protocol === 'http:' ? 80 : 443),
});

function exchange(
  connection: KubeConnection,
  { method, path, headers, text }: Outgoing,
  meanwhile: () => Promise<void>,
  events: number | undefined,
): Promise<Raw> {
  const { request } = connection.server.protocol === 'http:' ? http : https;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { ...addressOf(connection), agent: connection.agent, method, path, headers },
      (response) => {
        const chunks: Buffer[] = [];
        let lines = 0;
        const all = meanwhile();
        const done = (): void => {
          const body = bodyOf(response, chunks, /[?&]watch=(?!0|false)/.test(path));
          all.then(() => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }), reject);
        };
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          lines += chunk.toString('latin1').split('\n').length - 1;
          if (events === undefined || lines < events) return;
          done();
          response.destroy();
        });
        response.on('end', done);
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.setTimeout(silenceMs, () => {
      resolve({ status: 0, headers: {}, body: 'no answer, or no end of it' });
      outgoing.destroy();
    });
    outgoing.end(text);
  });
}

/** Parses JSON bodies; of a watch, its events. */
function bodyOf(response: IncomingMessage, chunks: readonly Buffer[], isWatch: boolean): unknown {
  const text = Buffer.concat(chunks).toString();
  if (text === '' || !(response.headers['content-type'] ?? '').includes('json')) return text;
  if (isWatch && response.statusCode === 200) {
    return (
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line))
        // The number of bookmarks in a row depends on time, so they count once.
        .filter(({ type }, index, all) => type !== 'BOOKMARK' || all[index + 1]?.type !== 'BOOKMARK')
    );
  }
  return JSON.parse(text);
}

const channels = ['stdin', 'stdout', 'stderr', 'status'];

function upgrade(
  connection: KubeConnection,
  path: string,
  headers: Record<string, string | string[]>,
  protocols: readonly string[],
  meanwhile: () => Promise<void>,
): Promise<Raw> {
  const url = `${connection.server.protocol.replace('http', 'ws')}//${connection.server.host}${path}`;
  const socket = new WebSocket(url, [...protocols], { headers: headers as Record<string, string>, ...connection.tls });
  setTimeout(() => socket.terminate(), silenceMs).unref();
  return new Promise((resolve, reject) => {
    const frames: Buffer[] = [];
    const said: Record<string, unknown> = {};
    socket.on('open', () => {
      said['protocol'] = socket.protocol;
      meanwhile().catch(reject);
    });
    socket.on('message', (data: Buffer) => frames.push(data));
    socket.on('error', (error) => {
      if (socket.readyState === WebSocket.CONNECTING) said['error'] = error.message;
    });
    socket.on('close', (code) => {
      for (const frame of frames) {
        const channel = channels[frame[0] ?? -1] ?? `channel ${frame[0]}`;
        said[channel] = `${said[channel] ?? ''}${frame.subarray(1)}`;
      }
      if (typeof said['status'] === 'string') said['status'] = JSON.parse(said['status']);
      resolve({ status: said['protocol'] === undefined ? 0 : 101, headers: {}, body: { ...said, close: code } });
    });
    socket.on('unexpected-response', (_, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bodyOf(response, chunks, false) }),
      );
    });
  });
}
