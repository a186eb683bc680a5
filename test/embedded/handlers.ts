import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Api, DeleteOptions } from './api.ts';
import { containerName, upgradeRequired } from './exec.ts';
import type { ContainerLog, Kubelet } from './kubelet.ts';
import { createLists, tooLargeVersion } from './list.ts';
import type { KubeObject } from './objects.ts';
import { asPod, isRecord, timestamp } from './objects.ts';
import { jsonPatch, mergePatch, strategicMergePatch } from './patch.ts';
import type { User } from './rbac.ts';
import { authorize } from './rbac.ts';
import type { Resource } from './resources.ts';
import { apiVersionOf, discovery, namespaces, pods, resources, selfReviews, serviceAccounts } from './resources.ts';
import { selectorOf } from './selectors.ts';
import { ApiError, badRequest, invalid, methodNotAllowed, noSuchResource } from './status.ts';
import type { Store } from './store.ts';
import type { Target } from './target.ts';
import { startWatch } from './watch.ts';

const maxBodyBytes = 3_145_728;

interface Reply {
  readonly status: number;
  readonly body: string | object;
}
const ok = (body: string | object, status = 200): Reply => ({ status, body });

export function send(response: ServerResponse, status: number, body: string | object): void {
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  if (!response.hasHeader('Content-Type')) {
    response.setHeader('Content-Type', typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json');
  }
  response.writeHead(status, { 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const type = request.headers['content-type'] ?? '';
  if (type.includes('protobuf') || type.includes('cbor')) {
    const message = `the embedded server reads JSON only, not ${type}`;
    throw new ApiError(415, 'UnsupportedMediaType', message, {});
  }
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
export function createHandlers({ store, api, kubelet, tokenFor, bookmarkInterval, openWatches }: Parts) {
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
