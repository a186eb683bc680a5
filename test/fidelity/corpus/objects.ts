import type { Ask, Case, Scene } from '../corpus.ts';
import {
  account,
  batch,
  configMap,
  coordination,
  core,
  job,
  lease,
  pod,
  rbac,
  restore,
  role,
  secret,
  velero,
} from '../corpus.ts';

const at = `${core}/configmaps`;
const a = configMap('a', { x: '1' });
const ask = (name: string, send: string, more: Partial<Ask> = {}, given = [a]): Case => ({
  name,
  given,
  ask: { send, ...more },
});
const create = (name: string, body: unknown, path = at, more: Partial<Ask> = {}): Case => ({
  name,
  ask: { send: `POST ${path}`, body, ...more },
});
const map = (metadata: object, more: object = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata, ...more });
const named = (name: string) => create(`name ${JSON.stringify(name).slice(0, 40)}`, map({ name }));
const labelled = (key: string, value: unknown) =>
  create(`label ${key.slice(0, 20)}: ${String(value).slice(0, 20)}`, map({ name: 'b', labels: { [key]: value } }));
const annotated = (key: string, value: unknown) =>
  create(
    `annotation ${key.slice(0, 20)}: ${String(value).slice(0, 20)}`,
    map({ name: 'b', annotations: { [key]: value } }),
    at,
    {
      compare: ['metadata.annotations', 'message', 'details', 'reason'],
    },
  );
const put = (name: string, body: unknown, more: Partial<Ask> = {}): Case => ask(name, `PUT ${at}/a`, { body, ...more });
const versions: readonly (readonly [string, unknown])[] = [
  ['empty', ''],
  ['"0"', '0'],
  ['null', null],
  ['stale', '1'],
  ['garbage', 'x'],
  ['in the future', '999999999999'],
];
const owner = (more: object = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u', ...more });

export const objectScenes: readonly Scene[] = [
  {
    name: 'get',
    cases: [
      ask('an object', `GET ${at}/a`),
      ask('no such object', `GET ${at}/no`),
      ask('no such object, another group', `GET ${batch}/jobs/no`),
      ask('no such Restore', `GET ${velero}/restores/no`),
      ask('no such Lease', `GET ${coordination}/leases/no`),
      ask('in no such namespace', 'GET /api/v1/namespaces/no-such/configmaps/a'),
      ask('no such namespace', 'GET /api/v1/namespaces/no-such'),
      ask('no such type', `GET ${core}/things/a`),
      ask('no such type, of a list', `GET ${core}/things`),
      ask('no such type in a group', `GET ${batch}/things/a`),
      ask('no such group', 'GET /apis/no.such.io/v1/namespaces/$(ns)/things/a'),
      ask('no such version', 'GET /apis/batch/v7/namespaces/$(ns)/jobs/a'),
      ask('no such type in the group of a custom resource', `GET ${velero}/things/a`),
      ask('no such version of a custom resource', 'GET /apis/velero.io/v7/namespaces/$(ns)/restores/a'),
      ask('no such path', 'GET /nothing'),
      ask('no such path below a group', 'GET /apis/batch/v1/namespaces/$(ns)/jobs/a/b/c'),
      ask('no such subresource', `GET ${at}/a/status`),
      ask('a name with a space', `GET ${at}/a%20b`),
      ask('a name with a slash', `GET ${at}/a%2Fb`),
      ask('a namespace with a space', 'GET /api/v1/namespaces/a%20b/configmaps/a'),
      ask('a slash too many', `GET ${core}/configmaps/a/`),
      ask('resourceVersion 0', `GET ${at}/a?resourceVersion=0`),
      ask('resourceVersion garbage', `GET ${at}/a?resourceVersion=x`),
      ask('resourceVersion 0 of a Restore', `GET ${velero}/restores/r?resourceVersion=0`, {}, [
        restore('r', { spec: { backupName: 'b' } }),
      ]),
      ask('an unknown query', `GET ${at}/a?why=not`),
      ask('as metadata alone', `GET ${at}/a`, {
        headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' },
      }),
      ask('as metadata alone, or as it is', `GET ${at}/a`, {
        headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json' },
      }),
      ask('as anything', `GET ${at}/a`, { headers: { accept: '*/*' } }),
      ask('as text', `GET ${at}/a`, { headers: { accept: 'text/plain' } }),
      ask('a Restore as text', `GET ${velero}/restores/no`, { headers: { accept: 'text/plain' } }),
      ask('the version', 'GET /version', { compare: ['major', 'minor'] }),
      ask('readiness', 'GET /readyz'),
      ask('a HEAD', `HEAD ${at}/a`),
      ask('an OPTIONS', `OPTIONS ${at}/a`),
    ],
  },
  {
    name: 'create',
    cases: [
      create('a ConfigMap', map({ name: 'b', labels: { a: 'b' }, annotations: { c: 'd' } }, { data: { k: 'v' } })),
      create('one without kind', { metadata: { name: 'b' } }),
      create('another kind', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'b' } }),
      create('another apiVersion', { apiVersion: 'v2', kind: 'ConfigMap', metadata: { name: 'b' } }),
      create(
        'another kind of Restore',
        { apiVersion: 'velero.io/v1', kind: 'Backup', metadata: { name: 'b' } },
        `${velero}/restores`,
      ),
      create(
        'a Restore of another version',
        { apiVersion: 'velero.io/v2', kind: 'Restore', metadata: { name: 'b' } },
        `${velero}/restores`,
      ),
      create('a Restore without kind', { metadata: { name: 'b' } }, `${velero}/restores`),
      create('garbage', '{"apiVersion"'),
      create('an empty body', ''),
      create('a list', '[]'),
      create('a text', '"x"'),
      create('null', 'null'),
      create('a Restore of garbage', '{"apiVersion"', `${velero}/restores`),
      create('a Restore of nothing', '', `${velero}/restores`),
      create('YAML', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n', at, { type: 'application/yaml' }),
      create('YAML that says it is JSON', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n'),
      create('of a type that is none', map({ name: 'b' }), at, { type: 'text/plain' }),
      create('protobuf that is none', 'x', at, { type: 'application/vnd.kubernetes.protobuf' }),
      create(
        'a body that is too large',
        `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"data":{"a":"${'x'.repeat(3_200_000)}"}}`,
      ),
      create('more than 1 MiB of data', map({ name: 'b' }, { data: { a: 'x'.repeat(1_048_577) } })),
      create('annotations of more than 256 KiB', map({ name: 'b', annotations: { a: 'x'.repeat(262_144) } })),
      create('a name on the URL', map({ name: 'b' }), `${at}/b`),
      create('in no such namespace', map({ name: 'b' }), '/api/v1/namespaces/no-such/configmaps'),
      create(
        'a Restore in no such namespace',
        { apiVersion: 'velero.io/v1', kind: 'Restore', metadata: { name: 'b' } },
        '/apis/velero.io/v1/namespaces/no-such/restores',
      ),
      create('in another namespace than its own', map({ name: 'b', namespace: 'other' })),
      create(
        'a Restore in another namespace than its own',
        { apiVersion: 'velero.io/v1', kind: 'Restore', metadata: { name: 'b', namespace: 'other' } },
        `${velero}/restores`,
      ),
      create('in no namespace', map({ name: 'b' }), '/api/v1/configmaps'),
      create('with a resourceVersion', map({ name: 'b', resourceVersion: '5' })),
      create(
        'a Restore with a resourceVersion',
        { apiVersion: 'velero.io/v1', kind: 'Restore', metadata: { name: 'b', resourceVersion: '5' } },
        `${velero}/restores`,
      ),
      create(
        'with a UID and times of its own',
        map({
          name: 'b',
          uid: 'u',
          creationTimestamp: '2001-01-01T00:00:00Z',
          deletionTimestamp: '2001-01-01T00:00:00Z',
          generation: 7,
          selfLink: '/x',
        }),
      ),
      create('with a time that is none', map({ name: 'b', creationTimestamp: 'yesterday' })),
      create('without a name', map({})),
      create('without metadata', { apiVersion: 'v1', kind: 'ConfigMap' }),
      create('metadata null', { apiVersion: 'v1', kind: 'ConfigMap', metadata: null }),
      create('metadata as a text', { apiVersion: 'v1', kind: 'ConfigMap', metadata: 'x' }),
      create(
        'a Restore without a name',
        { apiVersion: 'velero.io/v1', kind: 'Restore', metadata: {} },
        `${velero}/restores`,
      ),
      create('generateName', map({ generateName: 'gen-' })),
      create('generateName beside a name', map({ generateName: 'gen-', name: 'b' })),
      create('a long generateName', map({ generateName: `${'x'.repeat(260)}` }), at, {
        compare: ['kind', 'metadata.labels', 'reason', 'details.causes.*.field'],
      }),
      create('a bad generateName', map({ generateName: 'Gen_' }), at, {
        compare: ['reason', 'code', 'details.kind', 'details.causes.*.reason', 'details.causes.*.field'],
      }),
      create('a name that is a number', map({ name: 5 })),
      create('a dry run', map({ name: 'b' }), `${at}?dryRun=All`),
      create('a dry run that is none', map({ name: 'b' }), `${at}?dryRun=true`),
      create('an empty dryRun', map({ name: 'b' }), `${at}?dryRun=`),
      create('a fieldManager', map({ name: 'b' }), `${at}?fieldManager=me`),
      create('a fieldManager that cannot be printed', map({ name: 'b' }), `${at}?fieldManager=%07`),
      create('a fieldManager that is too long', map({ name: 'b' }), `${at}?fieldManager=${'x'.repeat(129)}`),
      create('unknown fields', map({ name: 'b', unknown: 1 }, { dta: {}, data: { x: '1' } })),
      create(
        'unknown fields, strictly',
        map({ name: 'b', unknown: 1 }, { dta: {}, data: { x: '1' } }),
        `${at}?fieldValidation=Strict`,
      ),
      create(
        'unknown fields, without a word',
        map({ name: 'b', unknown: 1 }, { dta: {}, data: { x: '1' } }),
        `${at}?fieldValidation=Ignore`,
      ),
      create('fieldValidation that is none', map({ name: 'b' }), `${at}?fieldValidation=Hard`),
      create(
        'a field twice',
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"data":{"x":"1","x":"2"}}',
      ),
      create(
        'a field twice, strictly',
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"data":{"x":"1","x":"2"}}',
        `${at}?fieldValidation=Strict`,
      ),
      create('a field in another case', map({ name: 'b' }, { Data: { x: '1' } })),
      create(
        'a Restore with unknown fields',
        {
          apiVersion: 'velero.io/v1',
          kind: 'Restore',
          metadata: { name: 'b', unknown: 1 },
          unknown: 1,
          spec: { any: 1 },
        },
        `${velero}/restores`,
      ),
      create(
        'a Restore with unknown fields, strictly',
        {
          apiVersion: 'velero.io/v1',
          kind: 'Restore',
          metadata: { name: 'b', unknown: 1 },
          unknown: 1,
          spec: { any: 1 },
        },
        `${velero}/restores?fieldValidation=Strict`,
      ),
      create(
        'a Restore whose spec is a text',
        { apiVersion: 'velero.io/v1', kind: 'Restore', metadata: { name: 'b' }, spec: 'x' },
        `${velero}/restores`,
      ),
      create(
        'a Restore whose spec is null',
        { apiVersion: 'velero.io/v1', kind: 'Restore', metadata: { name: 'b' }, spec: null, status: null },
        `${velero}/restores`,
      ),
      create(
        'a Restore with a status',
        {
          apiVersion: 'velero.io/v1',
          kind: 'Restore',
          metadata: { name: 'b' },
          spec: { backupName: 'b' },
          status: { phase: 'New' },
        },
        `${velero}/restores`,
      ),
      create('data of numbers', map({ name: 'b' }, { data: { x: 1 } })),
      create('data of null', map({ name: 'b' }, { data: { x: null } })),
      create('data that is null', map({ name: 'b' }, { data: null })),
      create('data that is a list', map({ name: 'b' }, { data: ['x'] })),
      ...['a b', '..', '.', '..a', '', 'a/b'].map((key) =>
        create(`a key ${JSON.stringify(key)}`, map({ name: 'b' }, { data: { [key]: '1' } })),
      ),
      create('a key in data and in binaryData', map({ name: 'b' }, { data: { x: '1' }, binaryData: { x: 'eA==' } })),
      create('binaryData that is no base64', map({ name: 'b' }, { binaryData: { x: '!' } })),
      create('owners', map({ name: 'b', ownerReferences: [owner()], finalizers: ['a.io/b'] })),
      create('an owner without uid', map({ name: 'b', ownerReferences: [owner({ uid: '' })] })),
      create('an owner without kind', map({ name: 'b', ownerReferences: [owner({ kind: '' })] })),
      create('an owner that is no owner of anything', map({ name: 'b', ownerReferences: [owner({ kind: 'Event' })] })),
      create('a finalizer that is none', map({ name: 'b', finalizers: ['not valid!'] })),
      create('a finalizer without a domain', map({ name: 'b', finalizers: ['x'] })),
      {
        name: 'what is there already',
        given: [a, restore('r', { spec: {} })],
        ask: [
          { send: `POST ${at}`, body: map({ name: 'a' }) },
          { send: `POST ${at}?dryRun=All`, body: map({ name: 'a' }) },
          { send: `POST ${velero}/restores`, body: restore('r') },
          {
            send: 'POST /api/v1/namespaces',
            body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: '$(ns)' } },
          },
        ],
      },
      ...['a.b-c.d', 'A', '-a', 'a_b', 'a..b', '', 'a/b', 'a%b', '..', 'x'.repeat(253), 'x'.repeat(254)].map(named),
      create('a Role of a free name', role('a:B_c'), `${rbac}/roles`),
      create('a Role whose name has a slash', role('a/b'), `${rbac}/roles`),
      create(
        'a namespace whose name is none',
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a.b' } },
        '/api/v1/namespaces',
      ),
      ...(
        [
          ['a', 'b'],
          ['a', ''],
          ['a.io/b', 'c'],
          ['a', 'not valid'],
          ['a', 'x'.repeat(64)],
          ['a', 1],
          ['a', null],
          ['-a', 'b'],
          ['a/b/c', 'd'],
          ['A.io/b', 'c'],
          ['', 'x'],
          [`${'x'.repeat(64)}`, 'y'],
        ] as const
      ).map(([key, value]) => labelled(key, value)),
      ...(
        [
          ['a', '<>&"\\\u2028\u0000\u001b é 😀'],
          ['A.io/B', 'c'],
          ['a b', 'c'],
          ['a', 1],
          ['a', true],
          ['a', null],
          ['a', { b: 'c' }],
        ] as const
      ).map(([key, value]) => annotated(key, value)),
    ],
  },
  {
    name: 'create: Secrets, Leases, ServiceAccounts, Events',
    cases: [
      create(
        'a Secret of stringData',
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 's' },
          data: { a: 'eA==', b: 'eA==' },
          stringData: { b: 'y', c: 'ä' },
        },
        `${core}/secrets`,
      ),
      create(
        'a Secret that is no base64',
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { a: '!' } },
        `${core}/secrets`,
      ),
      create(
        'a Secret whose base64 is not padded',
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { a: 'eHg' } },
        `${core}/secrets`,
      ),
      create(
        'a Secret of null',
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { a: null } },
        `${core}/secrets`,
      ),
      create(
        'a Secret that is too large',
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 's' },
          data: { a: Buffer.alloc(1_048_577).toString('base64') },
        },
        `${core}/secrets`,
      ),
      create(
        'a Secret of a type of its own',
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, type: 'restorehooks.io/report', immutable: true },
        `${core}/secrets`,
      ),
      create(
        'a Secret of a bad key',
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { 'a b': 'eA==' } },
        `${core}/secrets`,
      ),
      create(
        'a Lease',
        lease('l', {
          spec: { holderIdentity: 'me', leaseDurationSeconds: 15, acquireTime: '2026-01-01T00:00:00.000000Z' },
        }),
        `${coordination}/leases`,
      ),
      create(
        'a Lease whose time is of milliseconds',
        lease('l', { spec: { renewTime: '2026-01-01T00:00:00.000Z' } }),
        `${coordination}/leases`,
      ),
      create(
        'a Lease whose duration is a text',
        lease('l', { spec: { leaseDurationSeconds: '15' } }),
        `${coordination}/leases`,
      ),
      create(
        'a Lease whose duration is -1',
        lease('l', { spec: { leaseDurationSeconds: -1 } }),
        `${coordination}/leases`,
      ),
      create('a Lease without a spec', lease('l'), `${coordination}/leases`),
      create('a ServiceAccount', account('sa'), `${core}/serviceaccounts`),
      create(
        'an Event',
        {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name: 'e' },
          involvedObject: { kind: 'Pod', name: 'p', namespace: '$(ns)' },
          reason: 'R',
          message: 'm',
          type: 'Normal',
        },
        `${core}/events`,
      ),
      create(
        'a Role whose rule has no verbs',
        { ...role('r'), rules: [{ apiGroups: [''], resources: ['pods'] }] },
        `${rbac}/roles`,
      ),
      create(
        'a RoleBinding without a role',
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'RoleBinding',
          metadata: { name: 'b' },
          subjects: [{ kind: 'ServiceAccount', name: 'x', namespace: '$(ns)' }],
        },
        `${rbac}/rolebindings`,
      ),
      create(
        'a RoleBinding',
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'RoleBinding',
          metadata: { name: 'b' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'x' },
          subjects: [{ kind: 'User', name: 'x' }],
        },
        `${rbac}/rolebindings`,
      ),
      {
        name: 'a token of a ServiceAccount',
        given: [account('sa')],
        ask: [
          {
            send: `POST ${core}/serviceaccounts/sa/token`,
            body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
            compare: [
              'kind',
              'apiVersion',
              'metadata.name',
              'metadata.namespace',
              'spec.expirationSeconds',
              'spec.audiences',
            ],
          },
          {
            send: `POST ${core}/serviceaccounts/no/token`,
            body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
          },
          {
            send: `POST ${core}/serviceaccounts/sa/token`,
            body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 10 } },
          },
        ],
      },
    ],
  },
  {
    name: 'update',
    cases: [
      put('the same', map({ name: 'a' }, { data: { x: '1' } })),
      put('other data', map({ name: 'a' }, { data: { y: '2' } })),
      put('no data', map({ name: 'a' })),
      put('another name', map({ name: 'b' })),
      put('no name', map({})),
      put('another namespace', map({ name: 'a', namespace: 'b' })),
      put('another kind', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' } }),
      put('its UID', map({ name: 'a', uid: '$(a.metadata.uid)' })),
      put('another UID', map({ name: 'a', uid: 'b' })),
      put('a dry run', map({ name: 'a' }, { data: { y: '2' } }), { send: `PUT ${at}/a?dryRun=All` }),
      put('unknown fields', map({ name: 'a' }, { unknown: 1 })),
      put('labels that are none', map({ name: 'a', labels: { a: 'b c' } })),
      put(
        'its own resourceVersion',
        map({ name: 'a', resourceVersion: '$(a.metadata.resourceVersion)' }, { data: { y: '2' } }),
      ),
      ...versions.map(([name, resourceVersion]) =>
        put(`resourceVersion ${name}`, map({ name: 'a', resourceVersion }, { data: { y: '2' } })),
      ),
      put('garbage', '{'),
      put('a type that is none', 'x', { type: 'text/plain' }),
      ask('what is not there', `PUT ${at}/no`, { body: map({ name: 'no' }) }),
      ask('what is not there, with a UID', `PUT ${at}/no`, {
        body: map({ name: 'no', uid: 'u', resourceVersion: '5' }),
      }),
      ask('a Restore that is not there', `PUT ${velero}/restores/no`, { body: restore('no') }),
      ask('a Lease that is not there: it is made', `PUT ${coordination}/leases/no`, {
        body: lease('no', { spec: {} }),
      }),
      ask('a Role that is not there', `PUT ${rbac}/roles/no`, { body: role('no') }),
      ask('without a name on the URL', `PUT ${at}`, { body: map({ name: 'a' }) }),
      ...versions.map(
        ([name, resourceVersion]): Case => ({
          name: `a Restore, resourceVersion ${name}`,
          given: [restore('r', { spec: { a: 1 }, status: { phase: 'New' } })],
          ask: { send: `PUT ${velero}/restores/r`, body: restore('r', { spec: { a: 2 } }, { resourceVersion }) },
        }),
      ),
      {
        name: 'a Restore without a resourceVersion, and with its own',
        given: [restore('r', { spec: { a: 1 }, status: { phase: 'New' } })],
        ask: [
          { send: `PUT ${velero}/restores/r`, body: restore('r', { spec: { a: 2 } }) },
          {
            send: `PUT ${velero}/restores/r`,
            body: restore('r', { spec: { a: 2 } }, { resourceVersion: '$(r.metadata.resourceVersion)' }),
          },
        ],
      },
      ...versions.map(
        ([name, resourceVersion]): Case => ({
          name: `a Lease, resourceVersion ${name}`,
          given: [lease('l', { spec: { holderIdentity: 'me' } })],
          ask: {
            send: `PUT ${coordination}/leases/l`,
            body: lease('l', { spec: { holderIdentity: 'you' } }, { resourceVersion }),
          },
        }),
      ),
      {
        name: 'an immutable Secret',
        given: [secret('s', { immutable: true, data: { a: 'eA==' } })],
        ask: [
          { send: `PUT ${core}/secrets/s`, body: secret('s', { immutable: true, data: { a: 'eQ==' } }) },
          { send: `PUT ${core}/secrets/s`, body: secret('s', { immutable: true, type: 'x', data: { a: 'eA==' } }) },
          { send: `PUT ${core}/secrets/s`, body: secret('s', { data: { a: 'eA==' } }) },
        ],
      },
      {
        name: 'the roleRef of a RoleBinding',
        given: [
          {
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'RoleBinding',
            metadata: { name: 'b' },
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'x' },
          },
        ],
        ask: {
          send: `PUT ${rbac}/rolebindings/b`,
          body: {
            apiVersion: 'rbac.authorization.k8s.io/v1',
            kind: 'RoleBinding',
            metadata: { name: 'b' },
            roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'y' },
          },
        },
      },
      {
        name: 'a pod’s spec',
        given: [pod('p')],
        ask: {
          send: `PUT ${core}/pods/p`,
          body: pod('p', { terminationGracePeriodSeconds: 5 }),
          compare: [
            'reason',
            'code',
            'details.kind',
            'details.name',
            'details.causes.*.reason',
            'details.causes.*.field',
          ],
        },
      },
      {
        name: 'a Job’s template',
        given: [job('j', { suspend: false }, { schedulerName: 'nobody' })],
        ask: {
          send: `PATCH ${batch}/jobs/j`,
          type: 'merge',
          body: { spec: { template: { spec: { restartPolicy: 'OnFailure' } } } },
          compare: [
            'reason',
            'code',
            'details.kind',
            'details.name',
            'details.causes.*.reason',
            'details.causes.*.field',
          ],
        },
      },
    ],
  },
  {
    name: 'methods that there are not',
    cases: [
      ask('POST to an object', `POST ${at}/a`, { body: {} }),
      ask('DELETE of all namespaces', 'DELETE /api/v1/namespaces'),
      ask('GET of a review', 'GET /apis/authorization.k8s.io/v1/selfsubjectaccessreviews'),
      ask('PUT to a log', `PUT ${core}/pods/p/log`, { body: {} }),
      ask('a method that is none', `LINK ${at}/a`),
      ask('PATCH of a log', `PATCH ${core}/pods/p/log`, { type: 'merge', body: {} }),
      ask('POST to a path', 'POST /version', { body: {} }),
    ],
  },
];
