import type { Ask, Case, Scene } from '../corpus.ts';
import { configMap, coordination, core, lease, pod, restore, secret, velero } from '../corpus.ts';

const at = `${core}/configmaps`;
const labelled = [
  configMap('a', { x: '1' }, { labels: { app: 'web', tier: 'front', set: 's' } }),
  configMap('b', { x: '2' }, { labels: { app: 'db', set: 's' } }),
  configMap('c', {}, { labels: { app: 'web', tier: 'back', set: 's' } }),
  configMap('d', {}, { labels: { set: 's', empty: '' } }),
];
const names = [
  'items.*.metadata.name',
  'metadata.remainingItemCount',
  'metadata.continue',
  'reason',
  'code',
  'message',
  'details',
];
const list = (name: string, query: string, more: Partial<Ask> = {}): Case => ({
  name,
  ask: { send: `GET ${at}?${query}`, compare: names, ...more },
});
const select = (selector: string): Case =>
  list(`labelSelector ${selector}`, `labelSelector=${encodeURIComponent(`${selector}`)}`);
const field = (selector: string, path = at): Case => ({
  name: `fieldSelector ${selector} of ${path.split('/').pop()}`,
  ask: { send: `GET ${path}?fieldSelector=${encodeURIComponent(selector)}`, compare: names },
});
const own = 'labelSelector=set%3Ds';

const event = (query: string, more: Partial<Ask>): Ask => ({ send: `GET ${at}?watch=1&${query}`, ...more });
const make = (name: string, labels: object = { w: '1' }): Ask => ({
  send: `POST ${at}`,
  body: configMap(name, { x: '1' }, { labels }),
});
const change = (name: string, body: object): Ask => ({ send: `PATCH ${at}/${name}`, type: 'merge', body });
const drop = (name: string): Ask => ({ send: `DELETE ${at}/${name}` });

export const listScenes: readonly Scene[] = [
  {
    name: 'list',
    given: [...labelled, pod('p'), secret('s'), lease('l', { spec: {} }), restore('r', { spec: { a: 1 } })],
    cases: [
      { name: 'ConfigMaps', ask: { send: `GET ${at}?${own}` } },
      { name: 'Restores', ask: { send: `GET ${velero}/restores` } },
      { name: 'Leases', ask: { send: `GET ${coordination}/leases` } },
      { name: 'nothing', ask: { send: `GET ${at}?labelSelector=no%3Dsuch` } },
      { name: 'in no such namespace', ask: { send: 'GET /api/v1/namespaces/no-such/configmaps' } },
      { name: 'Restores in no such namespace', ask: { send: 'GET /apis/velero.io/v1/namespaces/no-such/restores' } },
      { name: 'of all namespaces', ask: { send: `GET /api/v1/configmaps?${own}`, compare: ['kind', 'apiVersion'] } },
      {
        name: 'as metadata alone',
        ask: {
          send: `GET ${at}?${own}&limit=1`,
          headers: { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json' },
        },
      },
      {
        name: 'as a table',
        ask: {
          send: `GET ${at}?${own}&limit=1`,
          headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1,application/json' },
          compare: ['kind', 'apiVersion'],
        },
      },
      list('a page', `${own}&limit=3`),
      list('a page that holds all', `${own}&limit=4`),
      list('limit 0', `${own}&limit=0`),
      list('limit -1', `${own}&limit=-1`),
      list('limit x', `${own}&limit=x`),
      list('a limit without a selector', 'limit=2'),
      {
        name: 'page after page',
        ask: [
          { send: `GET ${at}?${own}&limit=2`, compare: names },
          { send: `GET ${at}?${own}&limit=2&continue=$(0.metadata.continue)`, compare: names },
          { send: `GET ${at}?${own}&continue=$(0.metadata.continue)`, compare: names },
          { send: `GET ${at}?${own}&limit=1&continue=$(0.metadata.continue)`, compare: names },
          { send: `GET ${at}?${own}&limit=2&continue=$(0.metadata.continue)&resourceVersion=1`, compare: names },
        ],
      },
      {
        name: 'a page of another list',
        ask: [
          { send: `GET ${at}?${own}&limit=2`, compare: names },
          {
            send: `GET ${core}/secrets?limit=2&continue=$(0.metadata.continue)`,
            compare: ['kind', 'items.*.metadata.name', 'message', 'code'],
          },
        ],
      },
      list('a continue token of garbage', 'continue=x'),
      list('a continue token that is base64 of garbage', 'continue=eHh4'),
      list('a continue token that is base64 of JSON', `continue=${Buffer.from('{"v":"x"}').toString('base64url')}`),
      list(
        'a continue token without a start',
        `continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":1}').toString('base64url')}`,
      ),
      list(
        'a continue token of a version that is compacted',
        `continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"a\\u0000"}').toString('base64url')}`,
        { compare: ['reason', 'code', 'message', 'metadata.continue'] },
      ),
      list(
        'a continue token of a place outside',
        `continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"../x"}').toString('base64url')}`,
      ),
      list('resourceVersion 0', `${own}&resourceVersion=0`),
      list('resourceVersion 1', `${own}&resourceVersion=1`),
      list('resourceVersion garbage', `${own}&resourceVersion=x`),
      list('resourceVersionMatch without a version', `${own}&resourceVersionMatch=Exact`),
      list('resourceVersionMatch Exact of 0', `${own}&resourceVersion=0&resourceVersionMatch=Exact`),
      list('resourceVersionMatch Exact of 1', `${own}&resourceVersion=1&resourceVersionMatch=Exact`),
      list('resourceVersionMatch NotOlderThan', `${own}&resourceVersion=1&resourceVersionMatch=NotOlderThan`),
      list('resourceVersionMatch that is none', `${own}&resourceVersion=1&resourceVersionMatch=x`),
      list('timeoutSeconds', `${own}&timeoutSeconds=30`),
      list('timeoutSeconds that are none', `${own}&timeoutSeconds=x`),
      list('sendInitialEvents without a watch', `${own}&sendInitialEvents=true`),
      ...[
        'app=web',
        'app==web',
        'app = web',
        'app!=web',
        'app in (web,db)',
        'app in (web)',
        'app notin (web)',
        'tier',
        '!tier',
        'app=web,tier=front',
        'app=web,!tier',
        'empty=',
        'empty in ()',
        'empty in (,x)',
        'app in web',
        'app in (web',
        'app=a=b',
        'app=web,',
        ',',
        'app,,tier',
        '=web',
        'app=not valid',
        'app=ä',
        'a/b/c=d',
        '!',
        'app>1',
        'x gt 1',
        'app<',
        'app=(web)',
        'in in (in)',
        'app in (web),set=s',
        'app notin (web,db),set',
        '(',
        `app=${'x'.repeat(64)}`,
        'app in (not valid!)',
      ].map(select),
      ...[
        'metadata.name=a',
        'metadata.name==a',
        'metadata.name!=a',
        'metadata.namespace=$(ns)',
        'data.x=1',
        'metadata.name',
        'metadata.name=a,metadata.namespace=x',
        'metadata.labels=x',
        'metadata.name=a\\,b',
        '=',
        ',',
        'metadata.name=',
        'metadata.uid=x',
      ].map((selector) => field(selector)),
      ...[
        'status.phase=Pending',
        'status.phase!=Pending',
        'spec.nodeName=',
        'spec.restartPolicy=Always',
        'spec.schedulerName=nobody',
        'status.podIP=',
        'spec.hostNetwork=false',
        'status.nominatedNodeName=',
        'spec.containers=x',
        'spec.serviceAccountName=default',
      ].map((selector) => field(selector, `${core}/pods`)),
      ...['type=Opaque', 'type!=Opaque', 'data=x'].map((selector) => field(selector, `${core}/secrets`)),
      ...[
        'involvedObject.name=no',
        'reason=no',
        'type=no',
        'reportingComponent=no',
        'source=no',
        'involvedObject.fieldPath=no',
        'count=1',
      ].map((selector) => field(selector, `${core}/events`)),
      ...['metadata.name=r', 'spec.a=1', 'metadata.namespace=x'].map((selector) =>
        field(selector, `${velero}/restores`),
      ),
      ...['status.successful=0', 'status.active=1'].map((selector) =>
        field(selector, '/apis/batch/v1/namespaces/$(ns)/jobs'),
      ),
    ],
  },
  {
    name: 'watch',
    given: [configMap('a', { x: '1' }, { labels: { w: '1' } })],
    cases: [
      {
        name: 'from nowhere: what stands, then what comes',
        ask: event('labelSelector=w%3D1', {
          meanwhile: [make('b'), change('b', { data: { x: '2' } }), drop('b')],
          events: 4,
        }),
      },
      { name: 'from version 0', ask: event('labelSelector=w%3D1&resourceVersion=0', { events: 1 }) },
      {
        name: 'from a list’s version: only what comes',
        ask: [
          { send: `GET ${at}?labelSelector=w%3D1` },
          event('labelSelector=w%3D1&resourceVersion=$(0.metadata.resourceVersion)', {
            meanwhile: [make('b'), drop('b')],
            events: 2,
          }),
        ],
      },
      {
        name: 'what leaves the selection is deleted, what enters it is added',
        ask: event('labelSelector=w%3D1', {
          meanwhile: [
            make('b'),
            change('b', { metadata: { labels: { w: '2' } }, data: { x: '3' } }),
            change('b', { data: { x: '4' } }),
            change('b', { metadata: { labels: { w: '1' } } }),
            drop('b'),
          ],
          events: 5,
        }),
      },
      {
        name: 'what is deleted while outside says nothing',
        ask: event('labelSelector=w%3D1', {
          meanwhile: [make('b', { w: '2' }), drop('b'), make('c'), drop('c')],
          events: 3,
        }),
      },
      {
        name: 'by name',
        ask: event('fieldSelector=metadata.name%3Dc', {
          meanwhile: [make('b'), make('c'), drop('c'), drop('b')],
          events: 2,
        }),
      },
      {
        name: 'no change is no event',
        ask: event('labelSelector=w%3D1', {
          meanwhile: [change('a', { data: { x: '1' } }), make('b'), drop('b')],
          events: 3,
        }),
      },
      {
        name: 'a finalizer: a change, then the end',
        ask: event('labelSelector=w%3D1', {
          meanwhile: [
            { send: `POST ${at}`, body: configMap('b', {}, { labels: { w: '1' }, finalizers: ['a.io/b'] }) },
            drop('b'),
            change('b', { metadata: { finalizers: null } }),
          ],
          events: 4,
        }),
      },
      { name: 'ended by timeoutSeconds', ask: event('labelSelector=w%3D1&timeoutSeconds=1', {}) },
      {
        name: 'ended by timeoutSeconds, with bookmarks',
        ask: [
          { send: `GET ${at}?labelSelector=w%3D1`, compare: ['kind'] },
          event(
            'labelSelector=w%3D1&timeoutSeconds=3&allowWatchBookmarks=true&resourceVersion=$(0.metadata.resourceVersion)',
            {},
          ),
        ],
      },
      { name: 'timeoutSeconds that are none', ask: event('timeoutSeconds=x', {}) },
      {
        name: 'from version 1',
        ask: event('labelSelector=w%3D1&resourceVersion=1&timeoutSeconds=2', {
          compare: ['0.type', '0.object', 'reason', 'code', 'message'],
        }),
      },
      {
        name: 'Restores from version 1',
        ask: {
          send: `GET ${velero}/restores?watch=1&resourceVersion=1&timeoutSeconds=2`,
          compare: ['0.type', '0.object', 'reason', 'code', 'message'],
        },
      },
      { name: 'from garbage', ask: event('resourceVersion=x', {}) },
      { name: 'from -1', ask: event('resourceVersion=-1', {}) },
      { name: 'Restores from garbage', ask: { send: `GET ${velero}/restores?watch=1&resourceVersion=x` } },
      { name: 'sendInitialEvents without resourceVersionMatch', ask: event('sendInitialEvents=true', {}) },
      {
        name: 'resourceVersionMatch without sendInitialEvents',
        ask: event('resourceVersionMatch=NotOlderThan&resourceVersion=1', {}),
      },
      { name: 'a bad selector', ask: event('labelSelector=%28', {}) },
      { name: 'a bad field selector', ask: event('fieldSelector=a%3Db', {}) },
      { name: 'of an object', ask: { send: `GET ${at}/a?watch=1&timeoutSeconds=1` } },
      { name: 'of no such type', ask: { send: `GET ${core}/things?watch=1` } },
      {
        name: 'in no such namespace',
        ask: { send: 'GET /api/v1/namespaces/no-such/configmaps?watch=1&timeoutSeconds=1' },
      },
      { name: 'by somebody who may not', ask: event('', { as: 'nobody-knows' }) },
      {
        name: 'a watch by its old path',
        ask: { send: `GET /api/v1/watch/namespaces/$(ns)/configmaps?labelSelector=w%3D1&timeoutSeconds=1&watch=1` },
      },
      { name: 'limit and continue say nothing to a watch', ask: event('labelSelector=w%3D1&limit=1', { events: 1 }) },
      { name: 'watch=true', ask: { send: `GET ${at}?watch=true&labelSelector=w%3D1`, events: 1 } },
      { name: 'watch=0 is a list', ask: { send: `GET ${at}?watch=0&labelSelector=w%3D1`, compare: ['kind'] } },
      { name: 'watch=x is a watch', ask: { send: `GET ${at}?watch=x&labelSelector=w%3D1`, events: 1 } },
      {
        name: 'as metadata alone',
        ask: event('labelSelector=w%3D1', {
          events: 1,
          headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' },
        }),
      },
      {
        name: 'Restores',
        ask: {
          send: `GET ${velero}/restores?watch=1`,
          meanwhile: [
            { send: `POST ${velero}/restores`, body: restore('r', { spec: { a: 1 } }) },
            { send: `PATCH ${velero}/restores/r`, type: 'merge', body: { spec: { a: 2 } } },
            { send: `DELETE ${velero}/restores/r` },
          ],
          events: 3,
        },
      },
    ],
  },
];
