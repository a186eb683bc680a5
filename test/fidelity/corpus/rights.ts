import type { Case, Scene } from '../corpus.ts';
import { binding, configMap, core, rbac, restore, role, velero } from '../corpus.ts';

const may = [
  configMap('mine', { x: '1' }),
  configMap('other', { x: '1' }),
  role('r', {
    rules: [
      {
        apiGroups: [''],
        resources: ['configmaps'],
        resourceNames: ['mine'],
        verbs: ['get', 'patch', 'watch', 'list', 'update'],
      },
      { apiGroups: [''], resources: ['pods/exec'], verbs: ['get'] },
      { apiGroups: ['velero.io'], resources: ['restores'], verbs: ['*'] },
      { apiGroups: ['*'], resources: ['*/log'], verbs: ['get'] },
      { apiGroups: ['batch'], resources: ['*'], verbs: ['create'] },
      { apiGroups: [''], resources: ['configmaps'], verbs: ['create'] },
    ],
  }),
  binding('b', 'r', 'jane'),
  binding('dangling', 'no-such', 'joe'),
];
const as = (name: string, send: string, user = 'jane', more: object = {}): Case => ({
  name,
  ask: { send, as: user, ...more },
});
const review = (name: string, spec: object, user = 'jane', kind = 'SelfSubjectAccessReview'): Case => ({
  name,
  ask: {
    send: `POST /apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`,
    as: user,
    body: { apiVersion: 'authorization.k8s.io/v1', kind, spec },
  },
});
const attributes = (more: object) => ({ resourceAttributes: { namespace: '$(ns)', ...more } });

export const rightScenes: readonly Scene[] = [
  {
    name: 'rights',
    given: may,
    cases: [
      as('what is granted by name', `GET ${core}/configmaps/mine`),
      as('another name', `GET ${core}/configmaps/other`),
      as('a list of one name', `GET ${core}/configmaps?fieldSelector=metadata.name%3Dmine`, 'jane', {
        compare: ['kind', 'message', 'items.*.metadata.name'],
      }),
      as('a list of all', `GET ${core}/configmaps`),
      as('a list of all namespaces', 'GET /api/v1/configmaps'),
      as('a watch of one name', `GET ${core}/configmaps?watch=1&fieldSelector=metadata.name%3Dmine`, 'jane', {
        events: 1,
      }),
      as('a watch of all', `GET ${core}/configmaps?watch=1`),
      as('a write', `PATCH ${core}/configmaps/other`, 'jane', { type: 'merge', body: {} }),
      as('a delete', `DELETE ${core}/configmaps/mine`),
      as('a deletecollection', `DELETE ${core}/configmaps`),
      as('a create', `POST ${core}/secrets`, 'jane', { body: {} }),
      as('a subresource', `GET ${core}/pods/p/log`, 'joe'),
      as('a log that is granted, of no pod', `GET ${core}/pods/p/log`),
      as('a status', `GET ${core}/pods/p/status`),
      as('another group', `GET ${velero}/restores/no`),
      as('another group, not granted', `GET ${velero}/restores/no`, 'joe'),
      as('a namespace', 'GET /api/v1/namespaces/$(ns)'),
      as('a cluster-wide list', 'GET /api/v1/namespaces'),
      as('no such type', `GET ${core}/things/a`),
      as('no such group', 'GET /apis/no.such.io/v1/namespaces/$(ns)/things/a'),
      as('no such namespace', 'GET /api/v1/namespaces/no-such/configmaps/a'),
      as('a path', 'GET /metrics'),
      as('the version', 'GET /version', 'jane', { compare: ['major'] }),
      as('discovery', 'GET /apis/batch/v1', 'jane', { compare: ['kind', 'groupVersion'] }),
      as('an update that would create', `PUT ${core}/configmaps/mine2`, 'jane', { body: configMap('mine2') }),
      as('an apply that would create, by name', `PATCH ${core}/configmaps/mine3?fieldManager=x`, 'jane', {
        type: 'apply',
        body: configMap('mine3'),
      }),
      as('an exec', `EXEC ${core}/pods/p/exec?command=true&stdout=true`, 'joe'),
      as('an exec by who may only get it', `EXEC ${core}/pods/p/exec?command=true&stdout=true`),
      as('a Role that grants more than one has', `POST ${rbac}/roles`, 'jane', { body: role('more') }),
      as('of whose role does not exist', `GET ${core}/configmaps/mine`, 'joe'),
      {
        name: 'somebody else’s groups',
        ask: {
          send: `GET ${core}/configmaps/mine`,
          as: 'x',
          headers: { 'impersonate-group': 'system:masters' },
          compare: ['data'],
        },
      },
      {
        name: 'a ServiceAccount',
        ask: { send: `GET ${core}/configmaps/mine`, as: 'system:serviceaccount:$(ns):default' },
      },
      {
        name: 'groups without a user',
        ask: { send: `GET ${core}/configmaps/mine`, headers: { 'impersonate-group': 'a' } },
      },
    ],
  },
  {
    name: 'reviews of rights',
    given: may,
    cases: [
      review('allowed', attributes({ verb: 'get', resource: 'configmaps', name: 'mine' })),
      review('not allowed', attributes({ verb: 'get', resource: 'configmaps' })),
      review('a subresource', attributes({ verb: 'get', resource: 'pods', subresource: 'exec' })),
      review(
        'a subresource of any resource',
        attributes({ verb: 'get', group: 'x.io', resource: 'things', subresource: 'log' }),
      ),
      review('a verb of any', attributes({ verb: 'fly', group: 'velero.io', resource: 'restores' })),
      review('any version', attributes({ verb: 'get', group: 'velero.io', version: '*', resource: 'restores' })),
      review('any verb', attributes({ verb: '*', group: 'velero.io', resource: 'restores' })),
      review('no namespace', { resourceAttributes: { verb: 'get', group: 'velero.io', resource: 'restores' } }),
      review('whose role does not exist', attributes({ verb: 'get', resource: 'configmaps' }), 'joe'),
      review('a path', { nonResourceAttributes: { verb: 'get', path: '/apis' } }),
      review('a path that is not granted', { nonResourceAttributes: { verb: 'get', path: '/metrics' } }),
      review('a resource and a path', {
        nonResourceAttributes: { verb: 'get', path: '/metrics' },
        ...attributes({ verb: 'get', resource: 'pods' }),
      }),
      review('nothing', {}),
      review('an unknown field', { unknown: 1, ...attributes({ verb: 'get', resource: 'pods' }) }),
      review(
        'of another, by who may not',
        { user: 'jane', ...attributes({ verb: 'get', resource: 'configmaps', name: 'mine' }) },
        'jane',
        'SubjectAccessReview',
      ),
      {
        name: 'of another',
        ask: [
          {
            send: 'POST /apis/authorization.k8s.io/v1/subjectaccessreviews',
            body: {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SubjectAccessReview',
              spec: { user: 'jane', ...attributes({ verb: 'get', resource: 'configmaps', name: 'mine' }) },
            },
          },
          {
            send: 'POST /apis/authorization.k8s.io/v1/subjectaccessreviews',
            body: {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SubjectAccessReview',
              spec: {
                user: 'jill',
                groups: ['system:masters'],
                ...attributes({ verb: 'get', resource: 'configmaps' }),
              },
            },
          },
          {
            send: 'POST /apis/authorization.k8s.io/v1/subjectaccessreviews',
            body: {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SubjectAccessReview',
              spec: attributes({ verb: 'get', resource: 'configmaps' }),
            },
          },
          { send: 'POST /apis/authorization.k8s.io/v1/subjectaccessreviews', body: '{' },
          {
            send: 'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
            body: {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SelfSubjectAccessReview',
              metadata: { name: 'x' },
              spec: attributes({ verb: 'get', resource: 'configmaps' }),
            },
          },
          {
            send: 'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews?dryRun=All',
            body: {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SelfSubjectAccessReview',
              spec: attributes({ verb: 'get', resource: 'configmaps' }),
            },
          },
        ],
      },
      {
        name: 'rules',
        ask: [
          {
            send: 'POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
            as: 'jane',
            body: {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SelfSubjectRulesReview',
              spec: { namespace: '$(ns)' },
            },
            compare: [
              'kind',
              'apiVersion',
              'metadata',
              'spec',
              'status.resourceRules',
              'status.incomplete',
              'status.evaluationError',
            ],
          },
          {
            send: 'POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
            as: 'jane',
            body: {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SelfSubjectRulesReview',
              spec: { namespace: 'no-such' },
            },
            compare: ['kind', 'status.resourceRules', 'status.incomplete'],
          },
          {
            send: 'POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
            as: 'joe',
            body: {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SelfSubjectRulesReview',
              spec: { namespace: '$(ns)' },
            },
            compare: ['status.resourceRules', 'status.incomplete', 'status.evaluationError'],
          },
          {
            send: 'POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
            body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: {} },
          },
          {
            send: 'POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
            body: {
              apiVersion: 'authorization.k8s.io/v1',
              kind: 'SelfSubjectRulesReview',
              spec: { namespace: '$(ns)' },
            },
            compare: ['status.incomplete'],
          },
        ],
      },
      {
        name: 'who am I',
        ask: {
          send: 'POST /apis/authentication.k8s.io/v1/selfsubjectreviews',
          as: 'jane',
          body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
          compare: ['kind', 'apiVersion', 'status'],
        },
      },
    ],
  },
  {
    name: 'rights in a Restore’s namespace, by ServiceAccount',
    given: [
      restore('r', { spec: { backupName: 'b' } }),
      role('get', { rules: [{ apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get'] }] }),
      { ...binding('b', 'get', ''), subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: '$(ns)' }] },
    ],
    cases: [
      as('may get', `GET ${velero}/restores/r`, 'system:serviceaccount:$(ns):default'),
      as('may not patch', `PATCH ${velero}/restores/r`, 'system:serviceaccount:$(ns):default', {
        type: 'merge',
        body: {},
      }),
      review(
        'is told so',
        attributes({ verb: 'patch', group: 'velero.io', resource: 'restores' }),
        'system:serviceaccount:$(ns):default',
      ),
    ],
  },
];
