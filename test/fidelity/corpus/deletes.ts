import type { Ask, Case, Scene } from '../corpus.ts';
import { account, batch, configMap, core, job, pod, restore, secret, velero } from '../corpus.ts';

const at = `${core}/configmaps`;
const a = configMap('a', { x: '1' }, { labels: { l: '1' } });
const held = configMap('a', {}, { finalizers: ['a.io/b'] });
const remove = (name: string, body: unknown, more: Partial<Ask> = {}, given = [a]): Case => ({
  name,
  given,
  ask: { send: `DELETE ${at}/a`, body, ...more },
});
const options = (more: object) => ({ apiVersion: 'v1', kind: 'DeleteOptions', ...more });
const ofJob = (name: string, query: string, body?: object): Case => ({
  name,
  given: [job('j')],
  ask: [
    {
      send: `DELETE ${batch}/jobs/j${query}`,
      ...(body && { body }),
      compare: [
        'kind',
        'details',
        'metadata.finalizers',
        'metadata.deletionGracePeriodSeconds',
        'message',
        'metadata.generation',
      ],
    },
  ],
});

export const deleteScenes: readonly Scene[] = [
  {
    name: 'delete',
    cases: [
      remove('an object', undefined),
      remove('an object, and again', undefined, {}, []),
      {
        name: 'kinds that answer with a Status, and kinds that answer with the object',
        given: [secret('s'), account('sa'), restore('r', { spec: {} })],
        ask: [
          { send: `DELETE ${core}/secrets/s` },
          { send: `DELETE ${core}/serviceaccounts/sa` },
          { send: `DELETE ${velero}/restores/r` },
        ],
      },
      {
        name: 'a pod that nobody has scheduled',
        given: [pod('p')],
        ask: [
          { send: `DELETE ${core}/pods/p`, compare: ['kind', 'metadata', 'details'] },
          { send: `GET ${core}/pods/p` },
        ],
      },
      remove('with options', options({})),
      remove('with options of another kind', { apiVersion: 'v1', kind: 'ConfigMap' }),
      remove('with options of another version', { apiVersion: 'batch/v1', kind: 'DeleteOptions' }),
      remove('with options without a kind', {}),
      remove('with garbage', '{'),
      remove('with unknown options', options({ unknown: 1 })),
      remove('by its UID', options({ preconditions: { uid: '$(a.metadata.uid)' } })),
      remove('by another UID', options({ preconditions: { uid: 'b' } })),
      remove('by an empty UID', options({ preconditions: { uid: '' } })),
      remove(
        'by its resourceVersion',
        options({ preconditions: { resourceVersion: '$(a.metadata.resourceVersion)' } }),
      ),
      remove('by another resourceVersion', options({ preconditions: { resourceVersion: '1' } })),
      remove(
        'by its UID and another resourceVersion',
        options({ preconditions: { uid: '$(a.metadata.uid)', resourceVersion: '1' } }),
      ),
      {
        name: 'a Restore by another UID',
        given: [restore('r', { spec: {} })],
        ask: { send: `DELETE ${velero}/restores/r`, body: options({ preconditions: { uid: 'b' } }) },
      },
      {
        name: 'a pod by another UID',
        given: [pod('p')],
        ask: { send: `DELETE ${core}/pods/p`, body: options({ preconditions: { uid: 'b' } }) },
      },
      remove('a dry run', options({ dryRun: ['All'] })),
      remove('a dry run by query', undefined, { send: `DELETE ${at}/a?dryRun=All` }),
      remove('a dry run that is none', options({ dryRun: ['x'] })),
      remove('propagationPolicy Background', options({ propagationPolicy: 'Background' })),
      remove('propagationPolicy Foreground', options({ propagationPolicy: 'Foreground' }), {
        compare: ['kind', 'status', 'details', 'metadata.finalizers', 'metadata.deletionGracePeriodSeconds'],
      }),
      remove('propagationPolicy Orphan', options({ propagationPolicy: 'Orphan' }), {
        compare: ['kind', 'status', 'details', 'metadata.finalizers', 'metadata.deletionGracePeriodSeconds'],
      }),
      remove('propagationPolicy that is none', options({ propagationPolicy: 'Later' })),
      remove('propagationPolicy by query', undefined, { send: `DELETE ${at}/a?propagationPolicy=Background` }),
      remove('propagationPolicy that is none by query', undefined, { send: `DELETE ${at}/a?propagationPolicy=Later` }),
      remove('orphanDependents beside a policy', options({ propagationPolicy: 'Background', orphanDependents: true })),
      remove('gracePeriodSeconds -1', options({ gracePeriodSeconds: -1 })),
      remove('gracePeriodSeconds 30', options({ gracePeriodSeconds: 30 })),
      remove('gracePeriodSeconds by query, which is no number', undefined, {
        send: `DELETE ${at}/a?gracePeriodSeconds=x`,
      }),
      {
        name: 'with a finalizer: marked, and gone without it',
        given: [held],
        ask: [
          { send: `DELETE ${at}/a` },
          { send: `DELETE ${at}/a` },
          { send: `GET ${at}/a` },
          { send: `PATCH ${at}/a`, type: 'merge', body: { data: { x: '1' } } },
          { send: `PATCH ${at}/a`, type: 'merge', body: { metadata: { finalizers: ['a.io/b', 'c.io/d'] } } },
          { send: `POST ${at}`, body: a },
          { send: `PATCH ${at}/a`, type: 'merge', body: { metadata: { finalizers: [] } } },
          { send: `GET ${at}/a` },
        ],
      },
      {
        name: 'a Restore with a finalizer',
        given: [restore('r', { spec: {} }, { finalizers: ['a.io/b'] })],
        ask: [
          { send: `DELETE ${velero}/restores/r` },
          { send: `PATCH ${velero}/restores/r`, type: 'merge', body: { metadata: { annotations: { a: 'b' } } } },
          { send: `PATCH ${velero}/restores/r`, type: 'merge', body: { metadata: { finalizers: null } } },
        ],
      },
      ofJob('a Job without a policy', ''),
      ofJob('a Job, Background', '?propagationPolicy=Background'),
      ofJob('a Job, Foreground', '', options({ propagationPolicy: 'Foreground' })),
      ofJob('a Job, Orphan', '', options({ propagationPolicy: 'Orphan' })),
      {
        name: 'what is owned goes with its owner',
        given: [a],
        ask: [
          {
            send: `POST ${at}`,
            body: configMap(
              'owned',
              {},
              { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: '$(a.metadata.uid)' }] },
            ),
          },
          { send: `DELETE ${at}/a` },
          { send: `GET ${at}/owned`, until: 404 },
        ],
      },
      {
        name: 'an owner of another name but the right UID: it goes all the same',
        given: [a],
        ask: [
          {
            send: `POST ${at}`,
            body: configMap(
              'owned',
              {},
              { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'other', uid: '$(a.metadata.uid)' }] },
            ),
          },
          { send: `GET ${at}/owned`, until: 404 },
        ],
      },
      {
        name: 'an owner that never was',
        ask: [
          {
            send: `POST ${at}`,
            body: configMap(
              'owned',
              {},
              {
                ownerReferences: [
                  { apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: '00000000-0000-4000-8000-000000000000' },
                ],
              },
            ),
          },
          { send: `GET ${at}/owned`, until: 404 },
        ],
      },
    ],
  },
  {
    name: 'deletecollection',
    cases: [
      {
        name: 'by label',
        given: [a, configMap('b', {}, { labels: { l: '1' } }), configMap('c', {}, { labels: { l: '2' } })],
        ask: [{ send: `DELETE ${at}?labelSelector=l%3D1` }, { send: `GET ${at}?labelSelector=l` }],
      },
      {
        name: 'a dry run',
        given: [a],
        ask: [{ send: `DELETE ${at}?labelSelector=l%3D1&dryRun=All` }, { send: `GET ${at}?labelSelector=l` }],
      },
      { name: 'of nothing', ask: { send: `DELETE ${at}?labelSelector=no%3Dsuch` } },
      { name: 'a bad selector', ask: { send: `DELETE ${at}?labelSelector=%28` } },
      { name: 'of Restores', given: [restore('r', { spec: {} })], ask: { send: `DELETE ${velero}/restores` } },
      { name: 'by somebody who may not', ask: { send: `DELETE ${at}`, as: 'nobody-knows' } },
    ],
  },
  {
    name: 'a namespace that is being deleted',
    given: [configMap('holds', {}, { finalizers: ['a.io/b'] })],
    cases: [
      {
        name: 'takes nothing new, but changes',
        ask: [
          { send: 'DELETE /api/v1/namespaces/$(ns)', compare: ['kind', 'metadata.name', 'spec', 'status.phase'] },
          { send: `POST ${at}`, body: configMap('b') },
          { send: `POST ${core}/pods`, body: pod('p') },
          { send: `POST ${batch}/jobs`, body: job('j') },
          { send: `POST ${velero}/restores`, body: restore('r') },
          { send: `POST ${at}`, body: configMap('Bad_Name') },
          { send: `PATCH ${at}/b?fieldManager=me`, type: 'apply', body: configMap('b') },
          { send: `PATCH ${at}/holds`, type: 'merge', body: { data: { x: '1' } }, compare: ['data', 'code'] },
          {
            send: 'POST /api/v1/namespaces',
            body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: '$(ns)' } },
          },
          { send: 'DELETE /api/v1/namespaces/$(ns)', compare: ['kind', 'metadata.name', 'code', 'reason', 'message'] },
          {
            send: `PATCH ${at}/holds`,
            type: 'merge',
            body: { metadata: { finalizers: null } },
            compare: ['data', 'code'],
          },
          { send: `GET ${at}/holds`, until: 404 },
          { send: 'GET /api/v1/namespaces/$(ns)', until: 404 },
        ],
      },
    ],
  },
];
