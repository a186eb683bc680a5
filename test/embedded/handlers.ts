import type { IncomingMessage, ServerResponse } from 'node:http';
import { load } from 'js-yaml';
import type { Api } from './api.ts';
import type { Reading } from './decode.ts';
import { assertHasHost, containerName, upgradeRequired } from './exec.ts';
import { createFieldOwners } from './field-owners.ts';
import { syntaxError } from './go-json.ts';
import type { Kubelet } from './kubelet.ts';
import { createLists, tooLargeVersion, versionOf } from './list.ts';
import type { Shape } from './media.ts';
import { readBody, readObject, shaped, shapeOf, typeOf, unknownFormat, warn } from './media.ts';
import type { KubeObject } from './objects.ts';
import { asPod, isRecord, timestamp } from './objects.ts';
import type { Deletion, WriteQuery } from './options.ts';
import { deletion, listQuery, writeQuery } from './options.ts';
import { jsonPatch, mergePatch, strategicMergePatch } from './patch.ts';
import { followLog, logOptions, textOf } from './pod-log.ts';
import type { User } from './rbac.ts';
import type { Resource } from './resources.ts';
import {
  apiVersionOf,
  discovery,
  jobs,
  pods,
  podTemplates,
  resourceQuotas,
  resources,
  serviceAccounts,
} from './resources.ts';
import { review } from './reviews.ts';
import { decodeAs, modelOf } from './schema.ts';
import { selectorOf } from './selectors.ts';
import { ApiError, badRequest, invalid, methodNotAllowed, noSuchResource, notFound, patchedInvalid } from './status.ts';
import type { Store } from './store.ts';
import type { Target } from './target.ts';
import { startWatch } from './watch.ts';

interface Reply {
  readonly status: number;
  readonly body: string | object;
}
const ok = (body: string | object, status = 200): Reply => ({ status, body });

export function send(response: ServerResponse, status: number, body: string | object): void {
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  if (status !== 204 && !response.hasHeader('Content-Type')) {
    response.setHeader('Content-Type', typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json');
  }
  response.writeHead(status, { 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
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
  const owners = createFieldOwners();

  async function handle(
    request: IncomingMessage,
    response: ServerResponse,
    target: Target,
    user: User,
  ): Promise<Reply | undefined> {
    const { path, query, of, namespace, name, attributes } = target;
    if (attributes.path !== undefined) {
      if (request.method !== 'GET') throw methodNotAllowed();
      return informational(path);
    }
    if (of === undefined || target.isTooLong) return noResource(attributes.group, of);
    const { verb, subresource } = attributes;
    if (subresource !== undefined && !(of.subresources ?? []).includes(subresource)) {
      throw of.custom ? notFound(of, name ?? '') : noSuchResource();
    }
    assertMethod(of, target, request.method ?? '');
    if (subresource === 'log') return log(request, response, namespace, name ?? '', query);
    if (subresource === 'token') {
      return ok(tokenRequest(namespace ?? '', name ?? '', (await readObject(request, 'TokenRequest')).body), 201);
    }
    if (subresource === 'exec') {
      const pod = asPod(api.get(pods, namespace, name ?? ''));
      containerName(pod, query.get('container'));
      assertHasHost(pod);
      throw upgradeRequired();
    }
    const shape = shapeOf(request, of);
    if (verb === 'watch') {
      listQuery(query, true);
      watch(response, of, namespace, query, shape);
      return undefined;
    }
    const reply = await answerTo(request, response, target, of, user);
    return typeof reply.body === 'string' ? reply : { ...reply, body: shaped(reply.body, shape) as object };
  }

  async function answerTo(
    request: IncomingMessage,
    response: ServerResponse,
    target: Target,
    of: Resource,
    user: User,
  ): Promise<Reply> {
    const { query, namespace, name = '', attributes } = target;
    const reading = (options: WriteQuery, text: string, asPatch = false): Reading => ({
      fieldValidation: options.fieldValidation,
      text,
      asPatch,
      warn: warn(response),
    });
    switch (attributes.verb) {
      case 'get':
        return ok(getOne(of, namespace, name, query));
      case 'list':
        listQuery(query, false);
        return ok(lists.list(of, namespace, query));
      case 'create': {
        const options = writeQuery(query, 'CreateOptions');
        const { text, body } = await readObject(request, of.kind);
        if (of.review) return ok(review(store, of, body, user, reading(options, text)), 201);
        return ok(api.create(of, namespace, body, { dryRun: options.dryRun, reading: reading(options, text) }), 201);
      }
      case 'update': {
        const options = writeQuery(query, 'UpdateOptions');
        const { text, body } = await readObject(request, of.kind);
        const writing = { dryRun: options.dryRun, reading: reading(options, text) };
        if (of.createdByUpdate && store.get(of, namespace, name) === undefined) {
          return ok(api.create(of, namespace, body, writing), 201);
        }
        return ok(
          api.update(of, namespace, name, () => body, { ...writing, status: attributes.subresource === 'status' }),
        );
      }
      case 'patch':
        return patch(request, response, target, of, name);
      case 'delete':
        return remove(response, of, namespace, name, deletion(await deleteBody(request), query));
      default: {
        const options = deletion(await deleteBody(request), query);
        const selects = selectorOf(query, of);
        const list = lists.list(of, namespace, query);
        for (const { metadata } of store.list(of, namespace).filter(selects)) {
          api.delete(of, metadata.namespace, metadata.name, options, options.dryRun);
        }
        return ok(list);
      }
    }
  }

  function getOne(of: Resource, namespace: string | undefined, name: string, query: URLSearchParams): KubeObject {
    const asked = versionOf(query);
    if (asked > store.version()) throw tooLargeVersion(asked, store.version());
    return api.get(of, namespace, name);
  }

  async function patch(
    request: IncomingMessage,
    response: ServerResponse,
    target: Target,
    of: Resource,
    name: string,
  ): Promise<Reply> {
    const { namespace, query } = target;
    const type = typeOf(request);
    const isApply = type === 'application/apply-patch+yaml';
    const change = {
      'application/json-patch+json': jsonPatch,
      'application/merge-patch+json': mergePatch,
      'application/strategic-merge-patch+json': of.custom ? undefined : strategicMergePatch,
      'application/apply-patch+yaml': mergePatch,
    }[type];
    if (change === undefined) {
      const types = 'application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml';
      if (of.custom) throw new ApiError(415, 'UnsupportedMediaType', unknownFormat(types));
      throw new ApiError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
    }
    const text = await readBody(request);
    const options = writeQuery(query, 'PatchOptions', isApply);
    const reading: Reading = {
      fieldValidation: options.fieldValidation,
      text: isApply || type.includes('json-patch') ? '' : text,
      asPatch: true,
      warn: warn(response),
    };
    const writing = { dryRun: options.dryRun, reading, status: target.attributes.subresource === 'status' };
    if (isApply) return applied(of, namespace, name, text, options, writing);
    if (type.includes('json-patch')) noteUnknownOperations(text, reading);
    return ok(api.update(of, namespace, name, (current) => change(current, text), writing));
  }

  /** Server-side apply. */
  function applied(
    of: Resource,
    namespace: string | undefined,
    name: string,
    text: string,
    { fieldManager, force }: WriteQuery,
    writing: { dryRun: boolean; reading: Reading },
  ): Reply {
    const body = appliedObject(of, name, text);
    const there = store.get(of, namespace, name);
    const reading: Reading = { ...writing.reading, asPatch: false };
    if (there === undefined) {
      const object = api.create(of, namespace, body, { ...writing, reading });
      if (!writing.dryRun) owners.claim(object, fieldManager, body);
      return ok(object, 201);
    }
    const next = owners.apply(there, fieldManager, body, force);
    const object = api.update(of, namespace, name, () => next, { ...writing, reading });
    if (!writing.dryRun) owners.claim(object, fieldManager, body);
    return ok(object);
  }

  function remove(
    response: ServerResponse,
    of: Resource,
    namespace: string | undefined,
    name: string,
    { dryRun, ...options }: Deletion,
  ): Reply {
    const { object, gone } = api.delete(of, namespace, name, options, dryRun);
    if (of === jobs && options.propagationPolicy === undefined) warn(response)(preserved);
    if (!gone || of === pods || of === serviceAccounts || of === podTemplates || of === resourceQuotas)
      return ok(object);
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

  function watch(
    response: ServerResponse,
    of: Resource,
    namespace: string | undefined,
    query: URLSearchParams,
    shape: Shape,
  ): void {
    const events: { type: string; object: unknown }[] = [];
    let open = false;
    let stop = (): void => {};
    const write = (event: { type: string; object: unknown }): void => {
      const object = shaped(event.object, shape);
      if (open) response.write(`${JSON.stringify({ type: event.type, object })}\n`);
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

  function tokenRequest(namespace: string, name: string, body: unknown): object {
    const spec = isRecord(body) && isRecord(body['spec']) ? body['spec'] : {};
    const { expirationSeconds = 3600 } = spec as { expirationSeconds?: number };
    if (expirationSeconds < 600) {
      throw invalid({ group: 'authentication.k8s.io', resource: '', kind: 'TokenRequest' }, '', [
        {
          type: 'Invalid',
          field: 'spec.expirationSeconds',
          value: expirationSeconds,
          detail: 'may not specify a duration less than 10 minutes',
        },
      ]);
    }
    const account = api.get(serviceAccounts, namespace, name);
    return {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace, uid: account.metadata.uid, creationTimestamp: timestamp() },
      spec: { audiences: ['https://kubernetes.default.svc'], expirationSeconds },
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
    const options = logOptions(query, name);
    const pod = asPod(api.get(pods, namespace, name));
    const container = containerName(pod, query.get('container'));
    if (pod.spec.nodeName === undefined) return ok('', 204);
    response.setHeader('Content-Type', 'text/plain');
    const { previous } = options;
    const found = kubelet.log(pod, container, previous);
    if (found === undefined) {
      response.removeHeader('Content-Type');
      if (previous) throw badRequest(`previous terminated container "${container}" in pod "${name}" not found`);
      const statuses = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])];
      const waiting = statuses.find((each) => each.name === container)?.state.waiting?.reason;
      if (waiting === undefined) return ok('');
      const broken = ['ErrImagePull', 'ImagePullBackOff', 'CreateContainerConfigError'].includes(waiting);
      const why = broken ? `trying and failing to pull image` : waiting;
      throw badRequest(`container "${container}" in pod "${name}" is waiting to start: ${why}`);
    }
    if (!options.follow || found.ended) return ok(textOf(found, options));
    followLog(request, response, found, options);
    return undefined;
  }

  return { handle, expireLists: lists.expire };
}

const preserved =
  'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning';

async function deleteBody(request: IncomingMessage): Promise<unknown> {
  const text = await readBody(request);
  if (text === '') return undefined;
  const wrong = syntaxError(text);
  if (wrong !== undefined) throw badRequest(`couldn't get version/kind; json parse error: ${wrong}`);
  return JSON.parse(text);
}

/** Which methods a resource, one of its objects or a subresource has. */
function assertMethod(of: Resource, { attributes, namespace, name }: Target, method: string): void {
  const { verb, subresource } = attributes;
  const isCollection = name === undefined;
  const fits =
    ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].includes(method) &&
    (subresource === 'log' ? verb === 'get' : true) &&
    (subresource === undefined || subresource === 'status'
      ? (verb === 'create') === (isCollection && verb === 'create')
      : true) &&
    !(isCollection && ['update', 'patch'].includes(verb)) &&
    !(verb === 'deletecollection' && of.keepsCollection) &&
    !(of.review && verb !== 'create') &&
    !(of.namespaced && namespace === undefined && !['list', 'watch'].includes(verb));
  if (!fits) throw methodNotAllowed();
}

/** The applied object. Its syntax and names are checked before anything else. */
function appliedObject(of: Resource, name: string, text: string): Record<string, unknown> {
  let body: unknown;
  try {
    body = load(text);
  } catch {
    const why = 'yaml: line 1: did not find expected node content';
    throw badRequest(`error decoding YAML: error converting YAML to JSON: ${why}`);
  }
  const object = isRecord(body) ? body : {};
  const { apiVersion = '', kind = '' } = object;
  if (apiVersion !== apiVersionOf(of) || kind !== of.kind) {
    const [group, version] = String(apiVersion).includes('/') ? String(apiVersion).split('/') : ['', apiVersion];
    throw badRequest(`invalid object type: ${group}/${version}, Kind=${kind}`);
  }
  const metadata = isRecord(object['metadata']) ? object['metadata'] : {};
  if (metadata['managedFields'] !== undefined) throw badRequest('metadata.managedFields must be nil');
  const { unknown } = of.custom ? { unknown: [] } : decodeAs(modelOf(of), object);
  if (unknown.length > 0) {
    const [field] = unknown;
    const what = `/${name}; ${of.group}/${of.version}, Kind=${of.kind}`;
    throw new ApiError(
      500,
      '',
      `failed to create typed patch object (${what}): .${field}: field not declared in schema`,
    );
  }
  const own = metadata['name'] ?? name;
  if (own !== name) throw badRequest(`the name of the object (${own}) does not match the name on the URL (${name})`);
  return { ...object, metadata: { ...metadata, name } };
}

/** Warns of unknown keys in the operations of a JSON Patch. */
function noteUnknownOperations(text: string, { fieldValidation, warn: note }: Reading): void {
  if (fieldValidation === 'Ignore' || syntaxError(text) !== undefined) return;
  const operations: unknown = JSON.parse(text);
  const known = ['op', 'path', 'from', 'value'];
  const unknown = (Array.isArray(operations) ? operations : []).flatMap((each, index) =>
    Object.keys(isRecord(each) ? each : {})
      .filter((key) => !known.includes(key))
      .map((key) => `json patch unknown field "[${index}].${key}"`),
  );
  if (fieldValidation === 'Warn') for (const each of unknown) note(each);
  else if (unknown.length > 0) throw patchedInvalid({}, `strict decoding error: ${unknown.join(', ')}`);
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

function noResource(group: string, of: Resource | undefined): Reply {
  const served = resources.filter((each) => each.group === group);
  if (of === undefined && (served.length === 0 || served.every((each) => each.custom)))
    return ok('404 page not found\n', 404);
  throw noSuchResource();
}
