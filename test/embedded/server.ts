import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api, DeleteOptions } from './api.ts';
import { createApi } from './api.ts';
import type { ExecHandler, ExecProtocol } from './exec.ts';
import { answer, createExecService } from './exec.ts';
import { collectGarbage } from './garbage.ts';
import { createHandlers, send } from './handlers.ts';
import { createJobController } from './jobs.ts';
import type { ImageKind } from './kubelet.ts';
import { createKubelet } from './kubelet.ts';
import type { Listener } from './listener.ts';
import { listen } from './listener.ts';
import type { KubeObject, Pod, PodStatus } from './objects.ts';
import { asPod, isRecord } from './objects.ts';
import { createProcesses } from './processes.ts';
import type { User } from './rbac.ts';
import { authorize, defaultRoles } from './rbac.ts';
import type { Resource } from './resources.ts';
import { clusterRoleBindings, clusterRoles, namespaces, pods, resources } from './resources.ts';
import { ApiError, badRequest, forbidden } from './status.ts';
import { createStore } from './store.ts';
import type { AuditEntry, Target } from './target.ts';
import { auditEntry, parseTarget } from './target.ts';
import type { EmbeddedUser } from './users.ts';
import { assertAllowed, impersonated, tokenTable } from './users.ts';

export type { ExecHandler, ExecProtocol, ExecRequest, ExecScript } from './exec.ts';
export type { ImageKind } from './kubelet.ts';
export { annotations } from './kubelet.ts';
export type { KubeObject, Pod, PodStatus } from './objects.ts';
export type { AuditEntry } from './target.ts';
export type { EmbeddedUser } from './users.ts';

export interface EmbeddedClusterOptions {
  /** Users besides `admin`, who is in `system:masters`. */
  readonly users?: readonly EmbeddedUser[];
  /** Resolves other tokens, as a token webhook does; undefined if the token belongs to nobody. */
  readonly authenticate?: (token: string) => EmbeddedUser | undefined;
  /** True: only TLS; false: only plain HTTP. Default: both. On plain HTTP everybody is an administrator without a token. */
  readonly tls?: boolean;
  /** Namespaces besides `default`, `kube-system` and `velero`. */
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

/** Lets a test answer, delay or drop a request. */
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

/** Start an API server in this process, with RBAC, a Job controller and a kubelet of its own, on a free port of 127.0.0.1. */
export async function startEmbeddedCluster(options: EmbeddedClusterOptions = {}): Promise<EmbeddedCluster> {
  const root = await mkdtemp(join(tmpdir(), 'restorehooks-embedded-'));
  const store = createStore();
  const api = createApi(store);
  const processes = createProcesses();
  const users = tokenTable(options.users ?? [], options.authenticate);
  const audit: AuditEntry[] = [];
  const interceptors = new Set<(request: AuditEntry) => Interception | undefined>();
  const openWatches = new Set<() => void>();
  const exec = createExecService(
    processes,
    options.execProtocols ?? ['v4.channel.k8s.io', 'v5.channel.k8s.io'],
    options.exec,
  );

  const listener = await listen(
    options.tls,
    (request, response) => void serve(request, response),
    (request, socket, head) => void upgrade(request, socket, head),
  );
  const { url } = listener;

  const kubeconfig = (user = 'admin', namespace?: string): string => {
    const account = /^system:serviceaccount:(.*):(.*)$/.exec(user);
    const token = account === null ? users.tokenOf(user) : users.tokenFor(account[1] ?? '', account[2] ?? '');
    return kubeconfigText(listener, user, token, namespace);
  };
  const writeKubeconfig = async (user: string, namespace?: string): Promise<string> => {
    const path = join(root, `kubeconfig-${encodeURIComponent(user)}-${namespace ?? ''}`);
    // Several pods of one account are given the same file: none may read it half written.
    const whole = `${path}.${randomUUID()}`;
    await writeFile(whole, kubeconfig(user, namespace), { mode: 0o600 });
    await rename(whole, path);
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
    response.setHeader('Cache-Control', 'no-cache, private');
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
      await listener.close();
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

function kubeconfigText(
  { secureUrl: server, certificate }: Listener,
  user: string,
  token: string,
  namespace: string | undefined,
): string {
  const trust = { 'certificate-authority-data': Buffer.from(certificate).toString('base64') };
  const context = { cluster: 'embedded', user, ...(namespace === undefined ? {} : { namespace }) };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'embedded',
    clusters: [{ name: 'embedded', cluster: { server, ...trust } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'embedded', context }],
  });
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
