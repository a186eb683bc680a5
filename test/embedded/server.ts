import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api, DeleteOptions } from './api.ts';
import { createApi } from './api.ts';
import type { ExecHandler, ExecProtocol } from './exec.ts';
import { answer, containerName, createExecService, upgradeRequired } from './exec.ts';
import { collectGarbage } from './garbage.ts';
import { createJobController } from './jobs.ts';
import type { ContainerLog, ImageKind, Kubelet } from './kubelet.ts';
import { createKubelet } from './kubelet.ts';
import { createLists, tooLargeVersion } from './list.ts';
import type { KubeObject, Pod, PodStatus } from './objects.ts';
import { asPod, isRecord, timestamp } from './objects.ts';
import { jsonPatch, mergePatch, strategicMergePatch } from './patch.ts';
import { createProcesses } from './processes.ts';
import type { Attributes, User } from './rbac.ts';
import { authorize, defaultRoles, refusalText } from './rbac.ts';
import type { Resource } from './resources.ts';
import {
  apiVersionOf,
  clusterRoleBindings,
  clusterRoles,
  discovery,
  namespaces,
  pods,
  resources,
  selfReviews,
  serviceAccounts,
} from './resources.ts';
import { selectorOf } from './selectors.ts';
import { ApiError, badRequest, forbidden, invalid, methodNotAllowed, noSuchResource } from './status.ts';
import type { Store } from './store.ts';
import { createStore } from './store.ts';
import { startWatch } from './watch.ts';

export interface EmbeddedUser {
  readonly name: string;
  readonly groups?: readonly string[];
  /** Default: the name. */
  readonly token?: string;
}

export interface EmbeddedClusterOptions {
  /** Besides `admin`, who is in `system:masters`. */
  readonly users?: readonly EmbeddedUser[];
  /** Besides `default`, `kube-system` and `velero`. */
  readonly namespaces?: readonly string[];
  /** The image that is the runner, and what is started for it (the container's args follow). */
  readonly runner?: { readonly image: string; readonly entrypoint: readonly string[] };
  /** What an image is; undefined = by default: the runner's, `no-such…`, of a Job but not the runner's (missing), ordinary. */
  readonly imageKind?: (image: string, pod: Pod) => ImageKind | undefined;
  readonly exec?: ExecHandler;
  readonly execProtocols?: readonly ExecProtocol[];
  /** Milliseconds; defaults in brackets: from scheduled to running (20). */
  readonly podStartDelay?: number;
  /** Until a container without a process has stopped (20). */
  readonly terminationDelay?: number;
  /** The first CrashLoopBackOff (10,000). */
  readonly crashBackoff?: number;
  /** Between a Job's failed pod and its next (1,000; a real one waits 10,000). */
  readonly jobPodBackoff?: number;
  /** Between bookmarks of a watch (60,000). */
  readonly bookmarkInterval?: number;
}

/** One request as it came; `status` is 0 until it is answered, and stays so if the connection was dropped. */
export interface AuditEntry {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly userAgent: string;
  user: string;
  status: number;
}

/** What a test does to a request instead of, before or after serving it. */
export interface Interception {
  readonly delay?: number;
  /** Answer this, and don't serve it. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | object;
  /** Close the connection without an answer: `before` it is served, or `after`. */
  readonly drop?: 'before' | 'after';
}

export interface EmbeddedCluster {
  readonly url: string;
  /** A kubeconfig file of the user `admin`. */
  readonly kubeconfigPath: string;
  readonly audit: AuditEntry[];
  /** A kubeconfig of a user, or of `system:serviceaccount:NAMESPACE:NAME`. */
  kubeconfig(user?: string, namespace?: string): string;
  /** The same as a file. */
  writeKubeconfig(user: string, namespace?: string): Promise<string>;
  tokenFor(serviceAccountNamespace: string, name: string): string;
  /** Create any object directly; namespace by its metadata, else `default`. */
  create(object: unknown): KubeObject;
  get(resource: string, namespace: string | undefined, name: string): KubeObject | undefined;
  list(resource: string, namespace?: string): KubeObject[];
  /** Write `change(current)` without a conflict; a status is written too. */
  update(
    resource: string,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject) => unknown,
  ): KubeObject;
  delete(resource: string, namespace: string | undefined, name: string, options?: DeleteOptions): void;
  readonly pods: {
    /** From now on the pod's status is what is set here; the rest of it stays. */
    setStatus(namespace: string, name: string, status: Partial<PodStatus>): Pod;
    /** End a running container's process, as a crash does. */
    endContainer(namespace: string, name: string, container: string, exitCode?: number): void;
    /** Resolve when the pod's status fits; rejects after `timeout` ms (10,000). */
    waitFor(namespace: string, name: string, fits: (pod: Pod) => boolean, timeout?: number): Promise<Pod>;
  };
  /** Script execs; undefined = real local commands again. */
  onExec(handler: ExecHandler | undefined): void;
  intercept(handler: (request: AuditEntry) => Interception | undefined): () => void;
  /** Forget all changes up to now: older watches get 410, continue tokens expire. */
  compact(): void;
  /** End every open watch, as an API server does under load. */
  breakWatches(): void;
  close(): Promise<void>;
}

const maxBodyBytes = 3_145_728;

/** Start an API server in this process, with RBAC, a Job controller and a kubelet of its own, on a free port of 127.0.0.1. */
export async function startEmbeddedCluster(options: EmbeddedClusterOptions = {}): Promise<EmbeddedCluster> {
  const root = await mkdtemp(join(tmpdir(), 'restorehooks-embedded-'));
  const store = createStore();
  const api = createApi(store);
  const processes = createProcesses();
  const users = tokenTable(options.users ?? []);
  const audit: AuditEntry[] = [];
  const interceptors = new Set<(request: AuditEntry) => Interception | undefined>();
  const openWatches = new Set<() => void>();
  const exec = createExecService(
    processes,
    options.execProtocols ?? ['v4.channel.k8s.io', 'v5.channel.k8s.io'],
    options.exec,
  );

  const server = createServer({ keepAliveTimeout: 60_000 });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const kubeconfig = (user = 'admin', namespace?: string): string => {
    const account = /^system:serviceaccount:(.*):(.*)$/.exec(user);
    const token = account === null ? users.tokenOf(user) : users.tokenFor(account[1] ?? '', account[2] ?? '');
    return kubeconfigText(url, user, token, namespace);
  };
  const writeKubeconfig = async (user: string, namespace?: string): Promise<string> => {
    const path = join(root, `kubeconfig-${encodeURIComponent(user)}-${namespace ?? ''}`);
    await writeFile(path, kubeconfig(user, namespace), { mode: 0o600 });
    return path;
  };

  const stopGarbage = collectGarbage(store, api);
  const jobController = createJobController(store, api, { podBackoff: options.jobPodBackoff ?? 1000 });
  const kubelet = createKubelet(store, api, processes, {
    root,
    startDelay: options.podStartDelay ?? 20,
    terminationDelay: options.terminationDelay ?? 20,
    crashBackoff: options.crashBackoff ?? 10_000,
    imageKind: (image, pod) => options.imageKind?.(image, pod) ?? defaultImageKind(image, pod, options.runner?.image),
    runnerEntrypoint: options.runner?.entrypoint ?? [],
    kubeconfigFor: (namespace, account) => writeKubeconfig(`system:serviceaccount:${namespace}:${account}`, namespace),
    tokenFor: users.tokenFor,
  });
  const handlers = createHandlers({
    store,
    api,
    kubelet,
    tokenFor: users.tokenFor,
    bookmarkInterval: options.bookmarkInterval ?? 60_000,
    openWatches,
  });

  seed(api, ['default', 'kube-system', 'velero', ...(options.namespaces ?? [])]);
  await mkdir(join(root, 'pods'));
  const kubeconfigPath = await writeKubeconfig('admin');

  /** What every request goes through: audit, interception, authentication, impersonation, authorization. */
  async function admit(
    request: IncomingMessage,
  ): Promise<{ entry: AuditEntry; target: Target; user: User; after: Interception | undefined } | Interception> {
    const target = parseTarget(request);
    const entry = auditEntry(request, target);
    audit.push(entry);
    let after: Interception | undefined;
    for (const interceptor of interceptors) {
      const interception = interceptor(entry);
      if (interception?.delay !== undefined) await sleep(interception.delay);
      if (interception?.status !== undefined || interception?.drop === 'before') {
        entry.status = interception.status ?? 0;
        return interception;
      }
      after ??= interception;
    }
    try {
      const user = impersonated(store, users.userOf(request), request);
      entry.user = user.name;
      assertAllowed(store, user, target.attributes);
      return { entry, target, user, after };
    } catch (error) {
      if (error instanceof ApiError) entry.status = error.code;
      throw error;
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let entry: AuditEntry | undefined;
    response.setHeader('Audit-Id', randomUUID());
    try {
      const admitted = await admit(request);
      if (!('entry' in admitted)) {
        intercepted(request, response, admitted);
        return;
      }
      entry = admitted.entry;
      const { target, user } = admitted;
      const reply = await handlers.handle(request, response, target, user);
      entry.status = reply?.status ?? 200;
      if (admitted.after?.drop === 'after') request.socket.destroy();
      else if (reply !== undefined) send(response, reply.status, reply.body);
    } catch (error) {
      const failure =
        error instanceof ApiError ? error : new ApiError(500, 'InternalError', `Internal error occurred: ${error}`);
      if (entry !== undefined) entry.status = failure.code;
      if (!response.headersSent) send(response, failure.code, failure.toStatus());
      else response.destroy();
    }
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const admitted = await admit(request);
      if (!('entry' in admitted)) {
        if (admitted.drop === 'before') socket.destroy();
        else answer(socket, admitted.status ?? 500, admitted.body ?? '', admitted.headers);
        return;
      }
      const { entry, target, user } = admitted;
      const { of, name = '', namespace } = target;
      if (of !== pods || target.attributes.subresource !== 'exec') throw badRequest('this address is not for upgrades');
      try {
        const mayCreate = authorize(store, user, { ...target.attributes, verb: 'create' });
        if (!mayCreate.allowed) throw forbidden(pods, name, mayCreate.reason);
        const pod = asPod(api.get(pods, namespace, name));
        const container = (wanted: string) => kubelet.running(pod, wanted);
        entry.status = await exec.serve({
          request,
          socket,
          head,
          query: target.query,
          pod,
          user: user.name,
          container,
        });
      } catch (error) {
        if (error instanceof ApiError) entry.status = error.code;
        throw error;
      }
    } catch (error) {
      const failure =
        error instanceof ApiError ? error : new ApiError(500, 'InternalError', `Internal error occurred: ${error}`);
      answer(socket, failure.code, failure.toStatus());
    }
  }

  server.on('request', (request, response) => void serve(request, response));
  server.on('upgrade', (request, socket, head) => void upgrade(request, socket, head));

  const named = (resource: string): Resource => {
    const of = resources.find((each) => each.resource === resource || each.kind === resource);
    if (of === undefined) throw new Error(`the embedded cluster knows no resource ${resource}`);
    return of;
  };

  const podOf = (namespace: string, name: string): Pod => asPod(api.get(pods, namespace, name));

  return {
    url,
    kubeconfigPath,
    audit,
    kubeconfig,
    writeKubeconfig,
    tokenFor: users.tokenFor,
    create: (object) => {
      const of = named(isRecord(object) ? String(object['kind']) : '');
      const metadata = isRecord(object) && isRecord(object['metadata']) ? object['metadata'] : {};
      return api.create(of, of.namespaced ? String(metadata['namespace'] ?? 'default') : undefined, object);
    },
    get: (resource, namespace, name) => store.get(named(resource), namespace, name),
    list: (resource, namespace) => store.list(named(resource), namespace),
    update: (resource, namespace, name, change) => {
      const of = named(resource);
      const wanted = change(structuredClone(api.get(of, namespace, name))) as KubeObject;
      const { resourceVersion: _, ...metadata } = wanted.metadata;
      const object = api.update(of, namespace, name, () => ({ ...wanted, metadata }));
      return of.statusApart ? (api.setStatus(of, object, wanted['status']) ?? object) : object;
    },
    delete: (resource, namespace, name, deleteOptions) => {
      api.delete(named(resource), namespace, name, deleteOptions);
    },
    pods: {
      setStatus: (namespace, name, status) => {
        const pod = podOf(namespace, name);
        kubelet.release(pod);
        return asPod(api.setStatus(pods, pod, { ...pod.status, ...status }) ?? pod);
      },
      endContainer: (namespace, name, container, exitCode = 137) => {
        const running = kubelet.running(podOf(namespace, name), container);
        if (running === undefined) throw new Error(`container ${container} of pod ${namespace}/${name} is not running`);
        running.end(exitCode);
      },
      waitFor: (namespace, name, fits, timeout = 10_000) =>
        new Promise((resolve, reject) => {
          const check = (): void => {
            const object = store.get(pods, namespace, name);
            if (object === undefined || !fits(asPod(object))) return;
            stop();
            resolve(asPod(object));
          };
          const unsubscribe = store.subscribe(check);
          const timer = setTimeout(() => {
            stop();
            const status = JSON.stringify(store.get(pods, namespace, name)?.['status']);
            reject(new Error(`pod ${namespace}/${name} is not as expected after ${timeout} ms: ${status}`));
          }, timeout);
          const stop = (): void => {
            unsubscribe();
            clearTimeout(timer);
          };
          check();
        }),
    },
    onExec: exec.setHandler,
    intercept: (handler) => {
      interceptors.add(handler);
      return () => interceptors.delete(handler);
    },
    compact: () => {
      store.compact();
      handlers.expireLists();
    },
    breakWatches: () => {
      for (const end of [...openWatches]) end();
    },
    close: async () => {
      stopGarbage();
      jobController.close();
      kubelet.close();
      exec.close();
      processes.killAll();
      for (const end of [...openWatches]) end();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function seed(api: Api, names: readonly string[]): void {
  const roles = defaultRoles();
  for (const role of roles.clusterRoles) api.create(clusterRoles, undefined, role);
  for (const binding of roles.clusterRoleBindings) api.create(clusterRoleBindings, undefined, binding);
  for (const name of new Set(names)) api.create(namespaces, undefined, { metadata: { name } });
}

function defaultImageKind(image: string, pod: Pod, runnerImage: string | undefined): ImageKind {
  if (image === runnerImage) return 'runner';
  if (image.startsWith('no-such') || image.includes('.invalid/')) return 'missing';
  return pod.metadata.ownerReferences?.some((each) => each.kind === 'Job') ? 'missing' : 'ordinary';
}

const kubeconfigText = (server: string, user: string, token: string, namespace: string | undefined): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'embedded',
    clusters: [{ name: 'embedded', cluster: { server } }],
    users: [{ name: user, user: { token } }],
    contexts: [
      { name: 'embedded', context: { cluster: 'embedded', user, ...(namespace === undefined ? {} : { namespace }) } },
    ],
  });

// --- who asks ---

function tokenTable(extra: readonly EmbeddedUser[]) {
  const byToken = new Map<string, User>();
  const tokens = new Map<string, string>();
  const all: readonly EmbeddedUser[] = [{ name: 'admin', groups: ['system:masters'] }, ...extra];
  for (const { name, groups = [], token = name } of all) {
    byToken.set(token, { name, groups: [...groups, 'system:authenticated'] });
    tokens.set(name, token);
  }
  return {
    tokenOf: (name: string): string => {
      const token = tokens.get(name);
      if (token === undefined) throw new Error(`the embedded cluster knows no user ${name}`);
      return token;
    },
    tokenFor: (namespace: string, account: string): string => {
      const name = `system:serviceaccount:${namespace}:${account}`;
      const token = tokens.get(name) ?? `sa-${randomUUID()}`;
      const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
      tokens.set(name, token);
      byToken.set(token, { name, groups });
      return token;
    },
    userOf: (request: IncomingMessage): User => {
      const { authorization } = request.headers;
      if (authorization === undefined) return { name: 'system:anonymous', groups: ['system:unauthenticated'] };
      const user = byToken.get(authorization.replace(/^Bearer\s+/i, ''));
      if (user === undefined) throw new ApiError(401, 'Unauthorized', 'Unauthorized');
      return user;
    },
  };
}

function impersonated(store: Store, user: User, request: IncomingMessage): User {
  const name = request.headers['impersonate-user'];
  if (typeof name !== 'string') return user;
  const groups = request.rawHeaders.filter(
    (_, at) => request.rawHeaders[at - 1]?.toLowerCase() === 'impersonate-group',
  );
  const wanted: [string, string][] = [['users', name], ...groups.map((group): [string, string] => ['groups', group])];
  for (const [resource, value] of wanted) {
    assertAllowed(store, user, { verb: 'impersonate', group: '', resource, name: value });
  }
  return { name, groups: [...groups, 'system:authenticated'] };
}

function assertAllowed(store: Store, user: User, wanted: Attributes): void {
  const decision = authorize(store, user, wanted);
  if (decision.allowed) return;
  const text = refusalText(user, wanted, decision);
  if (wanted.path !== undefined) throw new ApiError(403, 'Forbidden', `forbidden: ${text}`, {});
  throw forbidden({ group: wanted.group, resource: wanted.resource, kind: '' }, wanted.name, text);
}

// --- what is asked ---

interface Target {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly attributes: Attributes;
  readonly of: Resource | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

function parseTarget(request: IncomingMessage): Target {
  const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://localhost');
  const path = decodeURIComponent(pathname);
  const parts = path.split('/').filter((part) => part !== '');
  const isResource = (parts[0] === 'api' && parts.length > 2) || (parts[0] === 'apis' && parts.length > 3);
  if (!isResource) {
    const verb = (request.method ?? 'GET').toLowerCase();
    const attributes: Attributes = { verb, group: '', resource: '', path };
    return { path, query, attributes, of: undefined, namespace: undefined, name: undefined };
  }
  const group = parts[0] === 'api' ? '' : (parts[1] ?? '');
  const version = parts[0] === 'api' ? parts[1] : parts[2];
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const scoped = rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status';
  const [resource = '', name, subresource] = scoped ? rest.slice(2) : rest;
  const namespace = scoped ? rest[1] : undefined;
  const of = resources.find((each) => each.group === group && each.version === version && each.resource === resource);
  const byField = /^metadata\.name==?([^,]+)$/.exec(query.get('fieldSelector') ?? '')?.[1];
  const attributes: Attributes = {
    verb: verbOf(request.method ?? 'GET', name, query),
    group,
    resource,
    subresource,
    namespace: resource === 'namespaces' && name !== undefined ? name : namespace,
    name: name ?? (request.method === 'POST' ? undefined : byField),
  };
  return { path, query, attributes, of, namespace, name };
}

function verbOf(method: string, name: string | undefined, query: URLSearchParams): string {
  const watches = ['1', 'true'].includes(query.get('watch') ?? '');
  switch (method) {
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete';
    default:
      return name !== undefined ? 'get' : watches ? 'watch' : 'list';
  }
}

const auditEntry = (request: IncomingMessage, { path, query, attributes }: Target): AuditEntry => ({
  at: Date.now(),
  method: request.method ?? 'GET',
  path,
  query: query.toString(),
  verb: attributes.verb,
  group: attributes.group,
  resource: attributes.resource,
  subresource: attributes.subresource,
  namespace: attributes.namespace,
  name: attributes.name,
  userAgent: request.headers['user-agent'] ?? '',
  user: '',
  status: 0,
});

// --- what is answered ---

interface Reply {
  readonly status: number;
  readonly body: string | object;
}
const ok = (body: string | object, status = 200): Reply => ({ status, body });

function send(response: ServerResponse, status: number, body: string | object): void {
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  if (!response.hasHeader('Content-Type')) {
    response.setHeader('Content-Type', typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json');
  }
  response.writeHead(status, { 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

function intercepted(request: IncomingMessage, response: ServerResponse, wanted: Interception): void {
  if (wanted.drop === 'before') {
    request.socket.destroy();
    return;
  }
  const { status = 500 } = wanted;
  const reason = { 429: 'TooManyRequests', 500: 'InternalError', 503: 'ServiceUnavailable' }[status] ?? '';
  for (const [name, value] of Object.entries(wanted.headers ?? {})) response.setHeader(name, value);
  send(response, status, wanted.body ?? new ApiError(status, reason, `answered ${status} for a test`).toStatus());
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= maxBodyBytes) chunks.push(chunk);
  }
  if (size > maxBodyBytes) {
    throw new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${maxBodyBytes}`);
  }
  return Buffer.concat(chunks).toString();
}

function parseBody(text: string, kind: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${why}`,
    );
  }
}

interface Parts {
  readonly store: Store;
  readonly api: Api;
  readonly kubelet: Kubelet;
  readonly tokenFor: (namespace: string, account: string) => string;
  readonly bookmarkInterval: number;
  readonly openWatches: Set<() => void>;
}

/** Serve what has been allowed; undefined = the answer is being written. */
function createHandlers({ store, api, kubelet, tokenFor, bookmarkInterval, openWatches }: Parts) {
  const lists = createLists(store);

  async function handle(
    request: IncomingMessage,
    response: ServerResponse,
    target: Target,
    user: User,
  ): Promise<Reply | undefined> {
    const { path, query, of, namespace, name, attributes } = target;
    if (attributes.path !== undefined) return informational(path);
    if (of === undefined) return noResource(attributes.group);
    const { verb, subresource } = attributes;
    const dryRun = query.get('dryRun') === 'All';
    if (subresource !== undefined && !(of.subresources ?? []).includes(subresource)) throw noSuchResource();
    if (of.namespaced && namespace === undefined && !['list', 'watch'].includes(verb)) throw methodNotAllowed();

    if (subresource === 'log') return log(request, response, namespace, name ?? '', query);
    if (subresource === 'token') return ok(tokenRequest(namespace ?? '', name ?? ''), 201);
    if (subresource === 'exec') {
      containerName(asPod(api.get(pods, namespace, name ?? '')), query.get('container'));
      throw upgradeRequired();
    }
    switch (verb) {
      case 'get':
        return ok(getOne(of, namespace, name ?? '', query));
      case 'list':
        return ok(lists.list(of, namespace, query));
      case 'watch':
        watch(response, of, namespace, query);
        return undefined;
      case 'create': {
        if (name !== undefined) throw methodNotAllowed();
        const body = parseBody(await readBody(request), of.kind);
        if (of.review) return ok(review(of, body, user), 201);
        return ok(api.create(of, namespace, body, dryRun), 201);
      }
      case 'update': {
        if (name === undefined) throw methodNotAllowed();
        const body = parseBody(await readBody(request), of.kind);
        return ok(api.update(of, namespace, name, () => body, { status: subresource === 'status', dryRun }));
      }
      case 'patch':
        if (name === undefined) throw methodNotAllowed();
        return patch(request, target, of, name, dryRun);
      case 'delete':
        return remove(of, namespace, name ?? '', await deleteOptions(request, query), dryRun);
      case 'deletecollection': {
        const options = await deleteOptions(request, query);
        const selects = selectorOf(query, of);
        const list = lists.list(of, namespace, query);
        for (const { metadata } of store.list(of, namespace).filter(selects)) {
          api.delete(of, metadata.namespace, metadata.name, options, dryRun);
        }
        return ok(list);
      }
      default:
        throw methodNotAllowed();
    }
  }

  function getOne(of: Resource, namespace: string | undefined, name: string, query: URLSearchParams): KubeObject {
    const asked = Number(query.get('resourceVersion') ?? 0);
    if (asked > store.version()) throw tooLargeVersion(asked, store.version());
    return api.get(of, namespace, name);
  }

  async function patch(
    request: IncomingMessage,
    target: Target,
    of: Resource,
    name: string,
    dryRun: boolean,
  ): Promise<Reply> {
    const { namespace, query } = target;
    const type = (request.headers['content-type'] ?? '').replace(/;.*/, '').trim();
    const change = {
      'application/json-patch+json': jsonPatch,
      'application/merge-patch+json': mergePatch,
      'application/strategic-merge-patch+json': of.custom ? undefined : strategicMergePatch,
      'application/apply-patch+yaml': mergePatch,
    }[type];
    if (change === undefined) {
      throw new ApiError(
        415,
        'UnsupportedMediaType',
        of.custom
          ? 'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml'
          : '415: Unsupported Media Type',
        {},
      );
    }
    const body = parseBody(await readBody(request), of.kind);
    const options = { status: target.attributes.subresource === 'status', dryRun };
    if (type === 'application/apply-patch+yaml') {
      if ((query.get('fieldManager') ?? '') === '') {
        throw invalid({ group: 'meta.k8s.io', resource: 'patchoptions', kind: 'PatchOptions' }, '', [
          { type: 'Required', field: 'fieldManager', detail: 'is required for apply patch' },
        ]);
      }
      if (store.get(of, namespace, name) === undefined) {
        const metadata = isRecord(body) && isRecord(body['metadata']) ? body['metadata'] : {};
        return ok(
          api.create(of, namespace, { ...(isRecord(body) ? body : {}), metadata: { ...metadata, name } }, dryRun),
          201,
        );
      }
    }
    return ok(api.update(of, namespace, name, (current) => change(current, body), options));
  }

  function remove(
    of: Resource,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
    dryRun: boolean,
  ): Reply {
    const { object, gone } = api.delete(of, namespace, name, options, dryRun);
    if (!gone || of === pods || of === namespaces || of === serviceAccounts) return ok(object);
    const { uid } = object.metadata;
    const group = of.group === '' ? {} : { group: of.group };
    return ok({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name, ...group, kind: of.resource, uid },
    });
  }

  function watch(response: ServerResponse, of: Resource, namespace: string | undefined, query: URLSearchParams): void {
    const events: object[] = [];
    let open = false;
    let stop = (): void => {};
    const write = (event: object): void => {
      if (open) response.write(`${JSON.stringify(event)}\n`);
      else events.push(event);
    };
    const end = (): void => {
      stop();
      openWatches.delete(end);
      response.end();
    };
    // A refusal is thrown before the answer has begun.
    stop = startWatch(store, {
      of,
      namespace,
      query,
      bookmarkInterval,
      send: write,
      end: () => setImmediate(end),
    });
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.flushHeaders();
    open = true;
    for (const event of events) write(event);
    openWatches.add(end);
    response.on('close', end);
  }

  function review(of: Resource, body: unknown, user: User): object {
    const spec = isRecord(body) && isRecord(body['spec']) ? body['spec'] : {};
    const wanted = isRecord(spec['resourceAttributes']) ? spec['resourceAttributes'] : {};
    const path = isRecord(spec['nonResourceAttributes']) ? spec['nonResourceAttributes'] : undefined;
    const text = (from: Record<string, unknown>, key: string): string | undefined =>
      typeof from[key] === 'string' && from[key] !== '' ? from[key] : undefined;
    const groups = Array.isArray(spec['groups']) ? spec['groups'].map(String) : [];
    const subject: User = of === selfReviews ? user : { name: String(spec['user'] ?? ''), groups };
    const decision = authorize(store, subject, {
      verb: text(path ?? wanted, 'verb') ?? '',
      group: text(wanted, 'group') ?? '',
      resource: text(wanted, 'resource') ?? '',
      subresource: text(wanted, 'subresource'),
      namespace: text(wanted, 'namespace'),
      name: text(wanted, 'name'),
      path: path === undefined ? undefined : text(path, 'path'),
    });
    return {
      kind: of.kind,
      apiVersion: apiVersionOf(of),
      metadata: {},
      spec,
      status: { allowed: decision.allowed, ...(decision.reason === '' ? {} : { reason: decision.reason }) },
    };
  }

  function tokenRequest(namespace: string, name: string): object {
    const account = api.get(serviceAccounts, namespace, name);
    return {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace, uid: account.metadata.uid, creationTimestamp: timestamp() },
      spec: { expirationSeconds: 3600 },
      status: { token: tokenFor(namespace, name), expirationTimestamp: timestamp(Date.now() + 3_600_000) },
    };
  }

  function log(
    request: IncomingMessage,
    response: ServerResponse,
    namespace: string | undefined,
    name: string,
    query: URLSearchParams,
  ): Reply | undefined {
    const pod = asPod(api.get(pods, namespace, name));
    const container = containerName(pod, query.get('container'));
    const previous = query.get('previous') === 'true';
    const found = kubelet.log(pod, container, previous);
    if (found === undefined) {
      if (previous) throw badRequest(`previous terminated container "${container}" in pod "${name}" not found`);
      const statuses = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])];
      const waiting = statuses.find((each) => each.name === container)?.state.waiting?.reason;
      if (waiting === undefined) return ok('');
      const broken = ['ErrImagePull', 'ImagePullBackOff', 'CreateContainerConfigError'].includes(waiting);
      const why = broken ? `trying and failing to pull image` : waiting;
      throw badRequest(`container "${container}" in pod "${name}" is waiting to start: ${why}`);
    }
    const text = tailOf(Buffer.concat(found.chunks).toString(), query);
    if (query.get('follow') !== 'true' || found.ended) return ok(text);
    follow(request, response, text, found);
    return undefined;
  }

  return { handle, expireLists: lists.expire };
}

function follow(request: IncomingMessage, response: ServerResponse, text: string, log: ContainerLog): void {
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  response.flushHeaders();
  if (text !== '') response.write(text);
  const listener = (chunk: Buffer | undefined): void => {
    if (chunk === undefined) response.end();
    else response.write(chunk);
  };
  log.listeners.add(listener);
  request.on('close', () => log.listeners.delete(listener));
}

function tailOf(text: string, query: URLSearchParams): string {
  const lines = Number(query.get('tailLines') ?? Number.POSITIVE_INFINITY);
  const bytes = Number(query.get('limitBytes') ?? Number.POSITIVE_INFINITY);
  const all = text.split(/(?<=\n)/);
  return all
    .slice(Math.max(0, all.length - lines))
    .join('')
    .slice(0, bytes);
}

async function deleteOptions(request: IncomingMessage, query: URLSearchParams): Promise<DeleteOptions> {
  const text = await readBody(request);
  const body = (text === '' ? {} : parseBody(text, 'DeleteOptions')) as DeleteOptions;
  const grace = query.get('gracePeriodSeconds');
  const policy = query.get('propagationPolicy');
  return {
    ...body,
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
  };
}

function informational(path: string): Reply {
  if (['/healthz', '/livez', '/readyz'].includes(path)) return ok('ok');
  if (path === '/version' || path === '/version/') {
    return ok({
      major: '1',
      minor: '35',
      gitVersion: 'v1.35.4-embedded',
      platform: `${process.platform}/${process.arch}`,
    });
  }
  const document = discovery(path.replace(/\/$/, ''));
  return document === undefined ? ok('404 page not found\n', 404) : ok(document);
}

function noResource(group: string): Reply {
  if (resources.some((each) => each.group === group)) throw noSuchResource();
  return ok('404 page not found\n', 404);
}
