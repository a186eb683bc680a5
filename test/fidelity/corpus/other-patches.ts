import type { Case, Scene } from '../corpus.ts';
import {
  account,
  configMap,
  coordination,
  core,
  lease,
  pod,
  rbac,
  restore,
  role,
  secret,
  template,
  velero,
} from '../corpus.ts';

const map = configMap('a', { x: '1', y: '2' }, { labels: { l: '1' }, annotations: { n: '1' } });
const merge = (name: string, body: unknown, more: object = {}): Case => ({
  name,
  given: [map],
  ask: { send: `PATCH ${core}/configmaps/a`, type: 'merge', body, ...more },
});
const r = restore('r', {
  spec: { backupName: 'b', list: [1, null, 2], nested: { a: 1, b: { c: 2 } } },
  status: { phase: 'Completed' },
});
const mergeRestore = (name: string, body: unknown): Case => ({
  name,
  given: [r],
  ask: { send: `PATCH ${velero}/restores/r`, type: 'merge', body },
});
const l = lease('l', {
  spec: { holderIdentity: 'me', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.000000Z' },
});
const mergeLease = (name: string, body: unknown): Case => ({
  name,
  given: [l],
  ask: { send: `PATCH ${coordination}/leases/l`, type: 'merge', body },
});
const versions: readonly (readonly [string, unknown])[] = [
  ['empty', ''],
  ['"0"', '0'],
  ['null', null],
  ['stale', '1'],
  ['garbage', 'x'],
  ['in the future', '999999999999'],
  ['a number', 1],
];
const withVersion = (value: unknown, more: object) => ({ metadata: { resourceVersion: value }, ...more });
const own = (name: string) => `$(${name}.metadata.resourceVersion)`;

const two = pod('p', {
  initContainers: [{ name: 'i', image: 'testbed.local/busybox:1', env: [{ name: 'A', value: '1' }] }],
  containers: [
    {
      name: 'c',
      image: 'testbed.local/busybox:1',
      ports: [{ containerPort: 80 }, { containerPort: 81, name: 'b' }],
      env: [{ name: 'A', value: '1' }],
    },
    { name: 'd', image: 'testbed.local/busybox:1' },
  ],
  volumes: [{ name: 'v', emptyDir: {} }],
});
const strategicPod = (
  name: string,
  body: unknown,
  compare = ['spec.initContainers', 'spec.containers', 'metadata'],
): Case => ({
  name,
  given: [two],
  ask: { send: `PATCH ${core}/pods/p`, type: 'strategic', body, compare: [...compare, 'message', 'details'] },
});
/** Patches of a PodTemplate, in which every field may change. */
const strategicTemplate = (name: string, spec: unknown): Case => ({
  name,
  given: [
    template('t', {
      initContainers: [
        { name: 'i', image: 'x' },
        { name: 'i2', image: 'x' },
      ],
      containers: [
        {
          name: 'c',
          image: 'x',
          ports: [{ containerPort: 80 }, { containerPort: 81, protocol: 'UDP' }],
          args: ['a', 'b'],
          volumeMounts: [{ name: 'v', mountPath: '/v' }],
        },
        { name: 'd', image: 'x' },
      ],
      volumes: [{ name: 'v', emptyDir: {} }],
      tolerations: [{ key: 'a', operator: 'Exists' }],
      nodeSelector: { a: 'b' },
    }),
  ],
  ask: {
    send: `PATCH ${core}/podtemplates/t`,
    type: 'strategic',
    body: { template: { spec } },
    compare: ['template.spec', 'message', 'details'],
  },
});

const apply = (name: string, body: unknown, query = '?fieldManager=me', given = [map]): Case => ({
  name,
  given,
  ask: { send: `PATCH ${core}/configmaps/a${query}`, type: 'apply', body },
});
const whole = (more: object = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, ...more });

export const otherPatchScenes: readonly Scene[] = [
  {
    name: 'merge patch',
    cases: [
      merge('a key more, a key less', { data: { x: null, z: '3' } }),
      merge('null for what is missing', { data: { no: null }, binaryData: null }),
      merge('null for all data', { data: null }),
      merge('nothing', {}),
      merge('no change', { data: { x: '1' } }),
      merge('a number for a text', { data: { x: 1 } }),
      merge('a list for a record', { data: ['x'] }),
      merge('an unknown field', { unknown: { a: 1 } }),
      merge(
        'an unknown field, strictly',
        { unknown: { a: 1 } },
        { send: `PATCH ${core}/configmaps/a?fieldValidation=Strict` },
      ),
      merge(
        'an unknown field, without a word',
        { unknown: { a: 1 } },
        { send: `PATCH ${core}/configmaps/a?fieldValidation=Ignore` },
      ),
      merge('fieldValidation that is none', {}, { send: `PATCH ${core}/configmaps/a?fieldValidation=Hard` }),
      merge('a key twice', '{"data":{"x":"3","x":"4"}}'),
      merge('a key twice, strictly', '{"data":{"x":"3","x":"4"}}', {
        send: `PATCH ${core}/configmaps/a?fieldValidation=Strict`,
      }),
      merge('a list', []),
      merge('a text', '"x"'),
      merge('null', 'null'),
      merge('garbage', '{"data"'),
      merge('an empty body', ''),
      merge('metadata null', { metadata: null }),
      merge('labels null', { metadata: { labels: null } }),
      merge('an annotation with all kinds of characters', { metadata: { annotations: { n: '<>&"\\\u2028 é 😀' } } }),
      merge('the name changed', { metadata: { name: 'b' } }),
      merge('the namespace changed', { metadata: { namespace: 'b' } }),
      merge('another UID', { metadata: { uid: 'b' } }),
      merge('its own UID', { metadata: { uid: '$(a.metadata.uid)' }, data: { x: '3' } }),
      merge('the kind changed', { kind: 'ServiceAccount' }),
      merge('the apiVersion changed', { apiVersion: 'v2' }),
      merge('generation is the server’s', { metadata: { generation: 7 } }),
      merge('null in a list of texts', { metadata: { finalizers: ['a.io/b', null] } }),
      merge('ownerReferences without uid', {
        metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o' }] },
      }),
      merge('two controllers', {
        metadata: {
          ownerReferences: ['1', '2'].map((uid) => ({
            apiVersion: 'v1',
            kind: 'ConfigMap',
            name: 'o',
            uid,
            controller: true,
          })),
        },
      }),
      merge('a dry run', { data: { x: '3' } }, { send: `PATCH ${core}/configmaps/a?dryRun=All` }),
      merge('dryRun that is none', { data: { x: '3' } }, { send: `PATCH ${core}/configmaps/a?dryRun=yes` }),
      merge('force without apply', { data: {} }, { send: `PATCH ${core}/configmaps/a?force=true` }),
      merge(
        'a fieldManager that is too long',
        { data: {} },
        { send: `PATCH ${core}/configmaps/a?fieldManager=${'x'.repeat(129)}` },
      ),
      merge('a fieldManager', { data: { x: '3' } }, { send: `PATCH ${core}/configmaps/a?fieldManager=me` }),
      merge(
        'answered with metadata alone',
        { data: { x: '3' } },
        {
          headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json' },
        },
      ),
      merge(
        'Content-Type with a charset',
        { data: { x: '3' } },
        { type: 'application/merge-patch+json; charset=utf-8' },
      ),
      merge('an unknown type of patch', { data: { x: '3' } }, { type: 'application/json' }),
      merge('no such type', { data: { x: '3' } }, { type: 'text/x-patch' }),
      {
        name: 'of what is not there',
        ask: { send: `PATCH ${core}/configmaps/no`, type: 'merge', body: { data: { x: '1' } } },
      },
      {
        name: 'of no name',
        ask: { send: `PATCH ${core}/configmaps`, type: 'merge', body: {} },
      },
      {
        name: 'an immutable ConfigMap',
        given: [{ ...map, immutable: true }],
        ask: [
          { send: `PATCH ${core}/configmaps/a`, type: 'merge', body: { data: { x: '2' } } },
          { send: `PATCH ${core}/configmaps/a`, type: 'merge', body: { immutable: false } },
          { send: `PATCH ${core}/configmaps/a`, type: 'merge', body: { immutable: null, data: { z: '1' } } },
          { send: `PATCH ${core}/configmaps/a`, type: 'merge', body: { metadata: { labels: { a: 'b' } } } },
        ],
      },
      {
        name: 'an immutable Secret, another type',
        given: [secret('s', { immutable: true, data: { a: 'eA==' } })],
        ask: [
          { send: `PATCH ${core}/secrets/s`, type: 'merge', body: { data: { b: 'eA==' } } },
          { send: `PATCH ${core}/secrets/s`, type: 'merge', body: { stringData: { b: 'x' } } },
          { send: `PATCH ${core}/secrets/s`, type: 'merge', body: { type: 'other' } },
          {
            send: `PATCH ${core}/secrets/s`,
            type: 'merge',
            body: { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u' }] } },
          },
        ],
      },
      ...versions.map(([name, value]) => merge(`resourceVersion ${name}`, withVersion(value, { data: { x: '3' } }))),
      merge('its own resourceVersion', withVersion(own('a'), { data: { x: '3' } })),
    ],
  },
  {
    name: 'merge patch of a Lease',
    cases: [
      ...versions.map(([name, value]) =>
        mergeLease(`resourceVersion ${name}`, withVersion(value, { spec: { holderIdentity: 'you' } })),
      ),
      mergeLease('its own resourceVersion', withVersion(own('l'), { spec: { holderIdentity: 'you' } })),
      mergeLease('a time of whole seconds', { spec: { renewTime: '2026-01-01T00:00:00Z' } }),
      mergeLease('a time of milliseconds', { spec: { renewTime: '2026-01-01T00:00:00.000Z' } }),
      mergeLease('a time of microseconds', { spec: { renewTime: '2026-01-01T00:00:00.123456Z' } }),
      mergeLease('leaseDurationSeconds 0', { spec: { leaseDurationSeconds: 0 } }),
      mergeLease('leaseDurationSeconds 1.5', { spec: { leaseDurationSeconds: 1.5 } }),
      mergeLease('leaseTransitions -1', { spec: { leaseTransitions: -1 } }),
      mergeLease('no holder', { spec: { holderIdentity: null, renewTime: null } }),
      mergeLease('an empty holder', { spec: { holderIdentity: '' } }),
      mergeLease('an unknown field', { spec: { unknown: 1 } }),
    ],
  },
  {
    name: 'merge patch of a Restore',
    cases: [
      ...versions.map(([name, value]) =>
        mergeRestore(`resourceVersion ${name}`, withVersion(value, { spec: { a: 1 } })),
      ),
      mergeRestore('its own resourceVersion', withVersion(own('r'), { spec: { a: 1 } })),
      mergeRestore('null in a list', { spec: { list: [1, null, 3], records: [{ a: null, b: 1 }], deep: [[null]] } }),
      mergeRestore('null below what is new', { spec: { fresh: { a: null, b: 1 } } }),
      mergeRestore('null below what is there', { spec: { nested: { a: null, b: { d: null, e: 1 } } } }),
      mergeRestore('a record for a number', { spec: { nested: { a: { b: 1 } } } }),
      mergeRestore('a number for a record', { spec: { nested: 1 } }),
      mergeRestore('spec null', { spec: null }),
      mergeRestore('the status, which is no subresource', { status: { phase: 'Failed' } }),
      mergeRestore('an unknown field beside spec', { unknown: 1 }),
      mergeRestore('an annotation that is a number', { metadata: { annotations: { a: 1 } } }),
      mergeRestore('an unknown field in metadata', { metadata: { unknown: 1 } }),
      mergeRestore('another name', { metadata: { name: 'x' } }),
      mergeRestore('another UID', { metadata: { uid: 'x' } }),
      mergeRestore('no change', { spec: { backupName: 'b' } }),
      mergeRestore('metadata alone, then spec', { metadata: { labels: { a: 'b' } } }),
      mergeRestore('generation is the server’s', { metadata: { generation: 7 } }),
      mergeRestore('a large number', '{"spec":{"n":9007199254740993,"f":1.0,"e":1e3}}'),
      {
        name: 'a strategic one',
        given: [r],
        ask: { send: `PATCH ${velero}/restores/r`, type: 'strategic', body: {} },
      },
      {
        name: 'to its status',
        given: [r],
        ask: { send: `PATCH ${velero}/restores/r/status`, type: 'merge', body: { status: { phase: 'x' } } },
      },
    ],
  },
  {
    name: 'strategic merge patch',
    cases: [
      strategicPod('a label, an annotation', { metadata: { labels: { a: 'b' }, annotations: { c: 'd' } } }),
      strategicPod('an image of a container by name', {
        spec: { containers: [{ name: 'd', image: 'testbed.local/busybox:2' }] },
      }),
      strategicPod('another container', { spec: { containers: [{ name: 'e', image: 'testbed.local/busybox:2' }] } }),
      strategicPod('an init container', {
        spec: { initContainers: [{ name: 'j', image: 'testbed.local/busybox:2' }] },
      }),
      strategicPod('a variable', { spec: { containers: [{ name: 'c', env: [{ name: 'B', value: '2' }] }] } }),
      strategicPod('a container without a name', { spec: { containers: [{ image: 'x' }] } }),
      strategicPod('ownerReferences', {
        metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u' }] },
      }),
      strategicPod('a finalizer', { metadata: { finalizers: ['a.io/b'] } }),
      strategicPod('finalizers as a directive', { metadata: { '$deleteFromPrimitiveList/finalizers': ['a.io/b'] } }),
      strategicPod('a directive that is none', { metadata: { $patch: 'no' } }),
      strategicTemplate('new init containers', {
        initContainers: [
          { name: 'n', image: 'y' },
          { name: 'm', image: 'y' },
        ],
      }),
      strategicTemplate('new and known init containers', {
        initContainers: [
          { name: 'n', image: 'y' },
          { name: 'i2', image: 'z' },
        ],
      }),
      strategicTemplate('new containers', {
        containers: [
          { name: 'n', image: 'y' },
          { name: 'c', image: 'z' },
        ],
      }),
      strategicTemplate('a container taken away', { containers: [{ name: 'd', $patch: 'delete' }] }),
      strategicTemplate('containers replaced', { containers: [{ $patch: 'replace' }, { name: 'n', image: 'y' }] }),
      strategicTemplate('an order of containers', {
        '$setElementOrder/containers': [{ name: 'd' }, { name: 'c' }],
        containers: [{ name: 'c', image: 'z' }],
      }),
      strategicTemplate('ports: a new one', { containers: [{ name: 'c', ports: [{ containerPort: 82 }] }] }),
      strategicTemplate('ports: the same number', {
        containers: [{ name: 'c', ports: [{ containerPort: 80, name: 'web' }] }],
      }),
      strategicTemplate('ports: the same number, another protocol', {
        containers: [{ name: 'c', ports: [{ containerPort: 80, protocol: 'UDP' }] }],
      }),
      strategicTemplate('args are replaced', { containers: [{ name: 'c', args: ['x'] }] }),
      strategicTemplate('null takes a list away', { containers: [{ name: 'c', ports: null, args: null }] }),
      strategicTemplate('a mount by path', {
        containers: [
          {
            name: 'c',
            volumeMounts: [
              { name: 'v', mountPath: '/w' },
              { name: 'v', mountPath: '/v', readOnly: true },
            ],
          },
        ],
      }),
      strategicTemplate('a volume that becomes another kind', { volumes: [{ name: 'v', configMap: { name: 'm' } }] }),
      strategicTemplate('a volume that is replaced', {
        volumes: [{ name: 'v', $patch: 'replace', configMap: { name: 'm' } }],
      }),
      strategicTemplate('$retainKeys', {
        volumes: [{ name: 'v', $retainKeys: ['name', 'configMap'], configMap: { name: 'm' } }],
      }),
      strategicTemplate('a toleration', { tolerations: [{ key: 'b', operator: 'Exists' }] }),
      strategicTemplate('a variable more, before and after', {
        containers: [
          {
            name: 'c',
            env: [
              { name: 'Z', value: '1' },
              { name: 'B', value: '2' },
            ],
          },
        ],
      }),
      strategicTemplate('a node selector', { nodeSelector: { c: 'd' } }),
      strategicTemplate('a record that is replaced', { nodeSelector: { $patch: 'replace', c: 'd' } }),
      strategicTemplate('a record that is taken away', { nodeSelector: { $patch: 'delete' } }),
      strategicTemplate('imagePullSecrets', { imagePullSecrets: [{ name: 'a' }] }),
      {
        name: 'of a ConfigMap',
        given: [map],
        ask: [
          { send: `PATCH ${core}/configmaps/a`, type: 'strategic', body: { data: { x: null, z: '3' } } },
          { send: `PATCH ${core}/configmaps/a`, type: 'strategic', body: { metadata: { resourceVersion: '1' } } },
          { send: `PATCH ${core}/configmaps/a`, type: 'strategic', body: { data: { $patch: 'replace', q: '1' } } },
          { send: `PATCH ${core}/configmaps/a`, type: 'strategic', body: '[' },
          { send: `PATCH ${core}/configmaps/a`, type: 'strategic', body: [] },
          { send: `PATCH ${core}/configmaps/a`, type: 'strategic', body: { unknown: 1 } },
        ],
      },
      {
        name: 'of a Role, whose rules are replaced, and of a ServiceAccount, whose secrets are merged',
        given: [
          role('ro', { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] }),
          account('sa', { imagePullSecrets: [{ name: 'a' }] }),
        ],
        ask: [
          {
            send: `PATCH ${rbac}/roles/ro`,
            type: 'strategic',
            body: { rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }] },
          },
          { send: `PATCH ${core}/serviceaccounts/sa`, type: 'strategic', body: { imagePullSecrets: [{ name: 'b' }] } },
        ],
      },
    ],
  },
  {
    name: 'server-side apply',
    cases: [
      {
        name: 'makes what is not there',
        ask: { send: `PATCH ${core}/configmaps/a?fieldManager=me`, type: 'apply', body: whole({ data: { x: '1' } }) },
      },
      apply('adds to what is there', whole({ data: { z: '3' } })),
      apply('the same value of another', whole({ data: { x: '1' } })),
      apply('another value of another: a conflict', whole({ data: { x: '2' } })),
      apply('by force', whole({ data: { x: '2' } }), '?fieldManager=me&force=true'),
      apply('without a fieldManager', whole({ data: { x: '2' } }), ''),
      apply('as YAML', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {z: "3"}\n'),
      apply('garbage', '{'),
      apply('without kind', { data: { x: '1' } }),
      apply('another kind', { ...whole(), kind: 'Secret' }),
      apply('another name', { ...whole(), metadata: { name: 'b' } }),
      apply('with managedFields', whole({ metadata: { name: 'a', managedFields: [] } })),
      apply('a stale resourceVersion', whole({ metadata: { name: 'a', resourceVersion: '1' } })),
      apply('an unknown field', whole({ unknown: 1 })),
      apply('a dry run', whole({ data: { z: '3' } }), '?fieldManager=me&dryRun=All'),
      {
        name: 'what it no longer names goes',
        ask: [
          {
            send: `PATCH ${core}/configmaps/a?fieldManager=me`,
            type: 'apply',
            body: whole({ data: { x: '1', y: '2' } }),
          },
          { send: `PATCH ${core}/configmaps/a?fieldManager=me`, type: 'apply', body: whole({ data: { y: '2' } }) },
          {
            send: `PATCH ${core}/configmaps/a?fieldManager=you`,
            type: 'apply',
            body: whole({ data: { y: '2', z: '1' } }),
          },
          { send: `PATCH ${core}/configmaps/a?fieldManager=me`, type: 'apply', body: whole({ data: {} }) },
        ],
      },
      {
        name: 'a Role',
        ask: [
          {
            send: `PATCH ${rbac}/roles/ro?fieldManager=me&force=true`,
            type: 'apply',
            body: {
              apiVersion: 'rbac.authorization.k8s.io/v1',
              kind: 'Role',
              metadata: { name: 'ro', labels: { a: 'b' } },
              rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
            },
          },
          {
            send: `PATCH ${rbac}/roles/ro?fieldManager=me&force=true`,
            type: 'apply',
            body: {
              apiVersion: 'rbac.authorization.k8s.io/v1',
              kind: 'Role',
              metadata: { name: 'ro' },
              rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }],
            },
          },
        ],
      },
      {
        name: 'to a namespace that is not there',
        ask: { send: 'PATCH /api/v1/namespaces/no-such/configmaps/a?fieldManager=me', type: 'apply', body: whole() },
      },
    ],
  },
];
