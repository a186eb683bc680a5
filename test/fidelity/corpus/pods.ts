import type { Ask, Case, Scene } from '../corpus.ts';
import { batch, configMap, core, image, job, pod, quota, runningPod, secret } from '../corpus.ts';

const pods = `${core}/pods`;
const create = (name: string, body: unknown, more: Partial<Ask> = {}): Case => ({
  name,
  ask: { send: `POST ${pods}`, body, ...more },
});
const jobs = `${batch}/jobs`;
const createJob = (name: string, body: unknown, more: Partial<Ask> = {}): Case => ({
  name,
  ask: { send: `POST ${jobs}`, body, ...more },
});
const update = (name: string, body: unknown): Case => ({
  name,
  given: [pod('p', { initContainers: [{ name: 'i', image }], activeDeadlineSeconds: 100 }, { labels: { a: 'b' } })],
  ask: {
    send: `PATCH ${pods}/p`,
    type: 'strategic',
    body,
    compare: [
      'reason',
      'code',
      'details.kind',
      'details.name',
      'details.causes.*.reason',
      'details.causes.*.field',
      'spec.activeDeadlineSeconds',
      'spec.tolerations',
      'spec.containers.*.image',
      'metadata.labels',
      'metadata.generation',
    ],
  },
});

const query = (command: readonly string[], container = 'c', more = 'stdout=true&stderr=true'): string =>
  `?container=${container}&${more}${command.map((each) => `&command=${encodeURIComponent(each)}`).join('')}`;
const exec = (name: string, command: readonly string[], more: Partial<Ask> = {}, at = 'p', container = 'c'): Case => ({
  name,
  ask: { send: `EXEC ${pods}/${at}/exec${query(command, container)}`, ...more },
});
const sh = (script: string) => ['sh', '-c', script];
const log = (name: string, at: string, more: Partial<Ask> = {}): Case => ({
  name,
  ask: { send: `GET ${pods}/${at}`, ...more },
});
const both = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

const restricted = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [
    { name: 'c', image, securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } },
  ],
};
const denied = ['reason', 'code', 'message', 'details', 'kind'];

export const podScenes: readonly Scene[] = [
  {
    name: 'create: pods',
    given: [pod('there')],
    cases: [
      create('a pod', pod('p')),
      create(
        'a pod with all that is filled in',
        pod('p', {
          initContainers: [{ name: 'i', image: 'a/b' }],
          containers: [
            {
              name: 'c',
              image: 'a/b:latest',
              ports: [{ containerPort: 80 }],
              env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
              readinessProbe: { exec: { command: ['true'] } },
              livenessProbe: { httpGet: { port: 80 } },
            },
            {
              name: 'd',
              image: 'a/b@sha256:0123456789012345678901234567890123456789012345678901234567890123',
              resources: { limits: { memory: '1Gi', cpu: '1' } },
            },
          ],
          volumes: [
            { name: 'a' },
            { name: 'b', secret: { secretName: 's' } },
            { name: 'e', configMap: { name: 'm' } },
            { name: 'h', hostPath: { path: '/x' } },
          ],
          tolerations: [{ key: 'x', operator: 'Exists' }],
        }),
      ),
      create('without a token', pod('p', { automountServiceAccountToken: false })),
      create('a sidecar', pod('p', { initContainers: [{ name: 's', image, restartPolicy: 'Always' }] })),
      create(
        'guaranteed',
        pod('p', { containers: [{ name: 'c', image, resources: { limits: { cpu: '1', memory: '1Gi' } } }] }),
      ),
      create('no containers', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: {} }),
      create('no spec', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } }),
      create('no image', pod('p', { containers: [{ name: 'c' }] })),
      create('no name of a container', pod('p', { containers: [{ image }] })),
      create('a bad name of a container', pod('p', { containers: [{ name: 'A_b', image }] })),
      create(
        'a container twice',
        pod('p', {
          containers: [
            { name: 'c', image },
            { name: 'c', image },
          ],
        }),
      ),
      create('an init container by the name of a container', pod('p', { initContainers: [{ name: 'c', image }] })),
      create(
        'a mount without a volume',
        pod('p', { containers: [{ name: 'c', image, volumeMounts: [{ name: 'no', mountPath: '/x' }] }] }),
      ),
      create(
        'an init container’s mount without a volume',
        pod('p', { initContainers: [{ name: 'i', image, volumeMounts: [{ name: 'no', mountPath: '/x' }] }] }),
      ),
      create(
        'two mounts at a path',
        pod('p', {
          containers: [
            {
              name: 'c',
              image,
              volumeMounts: [
                { name: 'v', mountPath: '/x' },
                { name: 'v', mountPath: '/x' },
              ],
            },
          ],
          volumes: [{ name: 'v', emptyDir: {} }],
        }),
      ),
      create(
        'a volume twice',
        pod('p', {
          volumes: [
            { name: 'v', emptyDir: {} },
            { name: 'v', emptyDir: {} },
          ],
        }),
      ),
      create('a restartPolicy that is none', pod('p', { restartPolicy: 'Sometimes' })),
      create('a number for a text', pod('p', { containers: [{ name: 'c', image, command: ['sleep', 5] }] })),
      create('a text for a number', pod('p', { terminationGracePeriodSeconds: '5' })),
      create('a text for a list', pod('p', { containers: [{ name: 'c', image, command: 'sleep' }] })),
      create('a variable without a name', pod('p', { containers: [{ name: 'c', image, env: [{ value: 'x' }] }] })),
      create(
        'a variable that is a number',
        pod('p', { containers: [{ name: 'c', image, env: [{ name: 'A', value: 1 }] }] }),
      ),
      create('unknown fields', pod('p', { unknown: 1, containers: [{ name: 'c', image, comand: ['x'] }] }), {
        compare: ['metadata.name', 'spec.containers.*.command', 'spec.unknown'],
      }),
      create('unknown fields, strictly', pod('p', { unknown: 1, containers: [{ name: 'c', image, comand: ['x'] }] }), {
        send: `POST ${pods}?fieldValidation=Strict`,
      }),
      create('no such ServiceAccount', pod('p', { serviceAccountName: 'no-such' })),
      create('a status of its own', { ...pod('p'), status: { phase: 'Running' } }, { compare: ['status'] }),
      create('what is there', pod('there')),
      create('a negative grace', pod('p', { terminationGracePeriodSeconds: -1 }), {
        compare: ['spec.terminationGracePeriodSeconds', ...denied],
      }),
      create('a generateName', { ...pod('x'), metadata: { generateName: 'gen-' } }, { compare: ['metadata'] }),
      create('an ephemeral container', pod('p', { ephemeralContainers: [{ name: 'e', image }] }), { compare: denied }),
      create('a dry run', pod('p'), { send: `POST ${pods}?dryRun=All`, compare: ['metadata', 'status'] }),
      create('in no such namespace', pod('p'), { send: 'POST /api/v1/namespaces/no-such/pods' }),
    ],
  },
  {
    name: 'update: pods',
    cases: [
      update('a label', { metadata: { labels: { c: 'd' } } }),
      update('an image', { spec: { containers: [{ name: 'c', image: 'other' }] } }),
      update('an init container’s image', { spec: { initContainers: [{ name: 'i', image: 'other' }] } }),
      update('a command', { spec: { containers: [{ name: 'c', command: ['x'] }] } }),
      update('a shorter deadline', { spec: { activeDeadlineSeconds: 50 } }),
      update('a longer deadline', { spec: { activeDeadlineSeconds: 150 } }),
      update('no deadline', { spec: { activeDeadlineSeconds: null } }),
      update('a toleration more', { spec: { tolerations: [{ key: 'x', operator: 'Exists' }] } }),
      update('another grace', { spec: { terminationGracePeriodSeconds: 5 } }),
      update('another restartPolicy', { spec: { restartPolicy: 'Never' } }),
      update('a node', { spec: { nodeName: 'node1' } }),
      update('a container more', { spec: { containers: [{ name: 'd', image }] } }),
      update('an init container more', { spec: { initContainers: [{ name: 'd', image }] } }),
      {
        name: 'its status, through the subresource',
        given: [pod('p')],
        ask: [
          {
            send: `PATCH ${pods}/p/status`,
            type: 'merge',
            body: { status: { message: 'x' }, metadata: { labels: { a: 'b' } } },
            compare: ['status', 'metadata.labels'],
          },
          { send: `GET ${pods}/p/status`, compare: ['kind', 'status'] },
        ],
      },
    ],
  },
  {
    name: 'create and update: Jobs',
    cases: [
      createJob('a Job', job('j')),
      createJob(
        'an indexed one',
        job('j', { completionMode: 'Indexed', completions: 3, parallelism: 2, backoffLimitPerIndex: 0 }),
      ),
      createJob(
        'an indexed one with maxFailedIndexes',
        job('j', { completionMode: 'Indexed', completions: 3, backoffLimitPerIndex: 1, maxFailedIndexes: 1 }),
      ),
      createJob(
        'with a policy of failures',
        job('j', {
          backoffLimit: 3,
          podFailurePolicy: {
            rules: [
              { action: 'FailJob', onExitCodes: { operator: 'NotIn', values: [0] } },
              { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] },
            ],
          },
        }),
      ),
      createJob('with labels of its own', { ...job('j'), metadata: { name: 'j', labels: { a: 'b' } } }),
      createJob('with labels of its template', {
        ...job('j'),
        spec: {
          suspend: true,
          template: {
            metadata: { labels: { a: 'b' }, annotations: { c: 'd' } },
            spec: { restartPolicy: 'Never', containers: [{ name: 'c', image }] },
          },
        },
      }),
      createJob('without restartPolicy', job('j', {}, { restartPolicy: undefined })),
      createJob('restartPolicy Always', job('j', {}, { restartPolicy: 'Always' })),
      createJob('without a template', { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'j' }, spec: {} }),
      createJob('without an image', job('j', {}, { containers: [{ name: 'c' }] })),
      createJob('backoffLimit -1', job('j', { backoffLimit: -1 })),
      createJob('parallelism -1', job('j', { parallelism: -1 })),
      createJob('Indexed without completions', job('j', { completionMode: 'Indexed' })),
      createJob(
        'ttlSecondsAfterFinished, activeDeadlineSeconds',
        job('j', { ttlSecondsAfterFinished: 60, activeDeadlineSeconds: 5 }),
        { compare: ['spec.ttlSecondsAfterFinished', 'spec.activeDeadlineSeconds'] },
      ),
      createJob('a name of 64 characters', job('x'.repeat(64)), { compare: denied }),
      createJob('an unknown field', job('j', { unknown: 1 }), { compare: ['spec.unknown'] }),
      createJob('a dry run', job('j'), { send: `POST ${jobs}?dryRun=All`, compare: ['metadata.name', 'status'] }),
      {
        name: 'what is there',
        given: [job('j')],
        ask: { send: `POST ${jobs}`, body: job('j') },
      },
      ...(
        [
          ['suspend', { suspend: false }],
          ['parallelism', { parallelism: 2 }],
          ['backoffLimit', { backoffLimit: 1 }],
          ['completions', { completions: 5 }],
          ['the deadline', { activeDeadlineSeconds: 5 }],
          ['completionMode', { completionMode: 'Indexed' }],
          ['a template’s container', { template: { spec: { containers: [{ name: 'd', image }] } } }],
          ['a template’s node selector', { template: { spec: { nodeSelector: { a: 'b' } } } }],
        ] as const
      ).map(
        ([name, spec]): Case => ({
          name: `change ${name} of a suspended Job`,
          given: [job('j', {}, { schedulerName: 'nobody' })],
          ask: {
            send: `PATCH ${jobs}/j?dryRun=All`,
            type: 'strategic',
            body: { spec },
            compare: [
              'reason',
              'code',
              'details.kind',
              'details.name',
              'details.causes.*.reason',
              'details.causes.*.field',
              'spec.parallelism',
              'spec.backoffLimit',
              'metadata.generation',
            ],
          },
        }),
      ),
    ],
  },
  {
    name: 'admission: quotas',
    given: [
      quota('q', {
        spec: {
          hard: {
            'count/configmaps': '2',
            pods: '0',
            secrets: '0',
            'count/jobs.batch': '0',
            'count/leases.coordination.k8s.io': '0',
            'count/restores.velero.io': '0',
          },
        },
      }),
    ],
    // The admission plugin reads quotas from a cache of its own, which may be behind what GET answers.
    ready: [{ send: `POST ${core}/secrets?dryRun=All`, body: secret('ready'), until: 403 }],
    cases: [
      {
        name: 'what is used up',
        ask: [
          { send: `POST ${core}/secrets`, body: secret('s') },
          { send: `POST ${pods}`, body: pod('p') },
          { send: `POST ${jobs}`, body: job('j') },
          { send: `POST ${core}/secrets?dryRun=All`, body: secret('s') },
          { send: `POST ${core}/secrets`, body: secret('Bad') },
          { send: `PATCH ${core}/secrets/s?fieldManager=me`, type: 'apply', body: secret('s') },
          { send: `POST ${core}/configmaps`, body: configMap('one') },
          { send: `POST ${core}/configmaps`, body: configMap('two') },
        ],
      },
    ],
  },
  {
    name: 'admission: a quota of CPU',
    given: [quota('q', { spec: { hard: { 'requests.cpu': '1', 'limits.memory': '1Gi' } } })],
    cases: [
      {
        name: 'a pod that says nothing, one that fits, one that does not',
        ask: [
          { send: `POST ${pods}`, body: pod('p'), until: 403 },
          {
            send: `POST ${pods}`,
            body: pod('p', {
              containers: [{ name: 'c', image, resources: { requests: { cpu: '2' }, limits: { memory: '1Mi' } } }],
            }),
            compare: denied,
          },
        ],
      },
    ],
  },
  {
    name: 'admission: limit ranges',
    given: [
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'l' },
        spec: {
          limits: [
            {
              type: 'Container',
              max: { memory: '64Mi' },
              min: { memory: '4Mi' },
              default: { memory: '32Mi' },
              defaultRequest: { memory: '16Mi', cpu: '10m' },
            },
          ],
        },
      },
    ],
    cases: [
      create('resources are filled in', pod('p', { initContainers: [{ name: 'i', image }] }), {
        until: 201,
        compare: [
          'metadata.annotations',
          'spec.containers.*.resources',
          'spec.initContainers.*.resources',
          'status.qosClass',
        ],
      }),
      create(
        'what is asked for stays',
        pod('p', {
          containers: [{ name: 'c', image, resources: { requests: { memory: '8Mi' }, limits: { memory: '64Mi' } } }],
        }),
        { compare: ['metadata.annotations', 'spec.containers.*.resources'] },
      ),
      create('too much', pod('p', { containers: [{ name: 'c', image, resources: { limits: { memory: '65Mi' } } }] }), {
        compare: denied,
      }),
      create(
        'too little',
        pod('p', { containers: [{ name: 'c', image, resources: { requests: { memory: '1Mi' } } }] }),
        { compare: denied },
      ),
    ],
  },
  {
    name: 'admission: PodSecurity restricted',
    labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
    cases: [
      create('a pod that asks for nothing', pod('p'), { compare: denied }),
      create('a pod that is restricted', pod('p', restricted), { compare: ['kind', 'metadata.name'] }),
      create(
        'two containers, an init container',
        pod('p', {
          initContainers: [{ name: 'i', image }],
          containers: [
            { name: 'c', image },
            { name: 'd', image },
          ],
        }),
        { compare: denied },
      ),
      create(
        'one container is at fault',
        pod('p', {
          ...restricted,
          containers: [
            ...restricted.containers,
            { name: 'd', image, securityContext: { allowPrivilegeEscalation: false } },
          ],
        }),
        { compare: denied },
      ),
      create('privileged', pod('p', { containers: [{ name: 'c', image, securityContext: { privileged: true } }] }), {
        compare: denied,
      }),
      create('root', pod('p', { ...restricted, securityContext: { ...restricted.securityContext, runAsUser: 0 } }), {
        compare: denied,
      }),
      create('a volume of the host', pod('p', { ...restricted, volumes: [{ name: 'h', hostPath: { path: '/' } }] }), {
        compare: denied,
      }),
      create('the host’s network', pod('p', { ...restricted, hostNetwork: true }), { compare: denied }),
      create(
        'capabilities',
        pod('p', {
          ...restricted,
          containers: [
            {
              name: 'c',
              image,
              securityContext: {
                allowPrivilegeEscalation: false,
                capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE', 'SYS_ADMIN'] },
              },
            },
          ],
        }),
        { compare: denied },
      ),
      create('a dry run', pod('p'), { send: `POST ${pods}?dryRun=All`, compare: denied }),
      createJob('a Job is made, with a warning', job('j'), { compare: ['kind', 'metadata.name'] }),
      createJob('a Job of a restricted pod, without', job('j', {}, restricted), { compare: ['kind', 'metadata.name'] }),
      createJob('a Job, a dry run', job('j'), { send: `POST ${jobs}?dryRun=All`, compare: ['kind', 'metadata.name'] }),
    ],
  },
  {
    name: 'admission: PodSecurity baseline enforced, restricted warned of',
    labels: {
      'pod-security.kubernetes.io/enforce': 'baseline',
      'pod-security.kubernetes.io/warn': 'restricted',
      'pod-security.kubernetes.io/warn-version': 'v1.30',
    },
    cases: [
      create('a pod that asks for nothing', pod('p'), { compare: ['kind', 'metadata.name'] }),
      create('privileged', pod('p', { containers: [{ name: 'c', image, securityContext: { privileged: true } }] }), {
        compare: denied,
      }),
      create(
        'the host’s network and a port of it',
        pod('p', {
          hostNetwork: true,
          hostPID: true,
          containers: [{ name: 'c', image, ports: [{ containerPort: 80, hostPort: 80 }] }],
        }),
        { compare: denied },
      ),
      createJob('a Job', job('j'), { compare: ['kind', 'metadata.name'] }),
    ],
  },
  {
    name: 'exec',
    given: [
      runningPod('p', [{}, { name: 'absent', image: 'no-such.invalid/image:1' }]),
      pod('pending'),
      runningPod('one', [{}], { initContainers: [{ name: 'i', image, command: ['true'] }] }),
    ],
    cases: [
      exec('succeeds', sh('echo out; echo err >&2')),
      exec('exit code 3', sh('exit 3')),
      exec('exit code 0 by v5', ['true'], { protocols: both }),
      exec('exit code 3 by v5', sh('echo out; exit 3'), { protocols: both }),
      exec('killed by a signal', sh('kill -9 $$')),
      exec('no such command', ['/no/such']),
      exec('no such command in PATH', ['no-such']),
      exec('not executable', ['/etc/passwd']),
      exec('a command of special characters', sh('echo "<>&\\"\u2028é"; exit 4')),
      exec('an empty argument', ['echo', '', 'x']),
      exec('output without a newline', sh('printf x; printf y >&2')),
      exec('only stdout', [], {
        send: `EXEC ${pods}/p/exec${query(sh('echo out; echo err >&2'), 'c', 'stdout=true')}`,
      }),
      exec('only stderr', [], {
        send: `EXEC ${pods}/p/exec${query(sh('echo out; echo err >&2'), 'c', 'stderr=true')}`,
      }),
      exec('stdout=1', [], { send: `EXEC ${pods}/p/exec${query(['true'], 'c', 'stdout=1')}` }),
      exec('no stream', [], { send: `EXEC ${pods}/p/exec${query(['true'], 'c', 'tty=false')}` }),
      exec('no stream, by v5', [], {
        send: `EXEC ${pods}/p/exec${query(['true'], 'c', 'tty=false')}`,
        protocols: both,
      }),
      exec('no command', [], { send: `EXEC ${pods}/p/exec?container=c&stdout=true` }),
      exec('no command, by v5', [], { send: `EXEC ${pods}/p/exec?container=c&stdout=true`, protocols: both }),
      exec('no such pod', ['true'], {}, 'no-such'),
      exec('no such pod, by v5', ['true'], { protocols: both }, 'no-such'),
      exec('no such container', ['true'], {}, 'p', 'zz'),
      exec('no such container, by v5', ['true'], { protocols: both }, 'p', 'zz'),
      exec('a container that is not up', ['true'], {}, 'p', 'absent'),
      exec('a container that is not up, by v5', ['true'], { protocols: both }, 'p', 'absent'),
      exec('an init container that has ended', ['true'], {}, 'one', 'i'),
      exec('a pod without a node', ['true'], {}, 'pending'),
      exec('a pod without a node, by v5', ['true'], { protocols: both }, 'pending'),
      exec('no container named, of two', [], { send: `EXEC ${pods}/p/exec?command=true&stdout=true` }),
      exec('no container named, of one', [], { send: `EXEC ${pods}/one/exec?command=true&stdout=true` }),
      exec('an unknown sub-protocol', ['true'], { protocols: ['x'] }),
      exec('an unknown one beside v4', ['true'], { protocols: ['x', 'v4.channel.k8s.io'] }),
      exec('v3', ['true'], { protocols: ['v3.channel.k8s.io'] }),
      { name: 'without an upgrade', ask: { send: `GET ${pods}/p/exec${query(['true'])}` } },
      { name: 'without an upgrade, by POST', ask: { send: `POST ${pods}/p/exec${query(['true'])}` } },
      { name: 'without an upgrade, no such pod', ask: { send: `POST ${pods}/no-such/exec${query(['true'])}` } },
      { name: 'without an upgrade, no such container', ask: { send: `POST ${pods}/p/exec${query(['true'], 'zz')}` } },
      { name: 'in no such namespace', ask: { send: `EXEC /api/v1/namespaces/no-such/pods/p/exec${query(['true'])}` } },
    ],
  },
  {
    name: 'logs',
    given: [
      runningPod('p', [
        { command: sh('echo one; echo two; echo three; sleep 3600') },
        { name: 'absent', image: 'no-such.invalid/image:1' },
      ]),
      pod('pending'),
      runningPod('one', [{ command: sh('echo one; sleep 3600') }]),
    ],
    // These end when so many bytes were printed, which is later than the containers' start.
    ready: [
      { send: `GET ${pods}/p/log?container=c&follow=true&limitBytes=14`, until: 200 },
      { send: `GET ${pods}/one/log?follow=true&limitBytes=4`, until: 200 },
    ],
    cases: [
      log('all', 'p/log?container=c'),
      log('the last line', 'p/log?container=c&tailLines=1'),
      log('no line', 'p/log?container=c&tailLines=0'),
      log('so many bytes', 'p/log?container=c&limitBytes=5'),
      log('tailLines that are none', 'p/log?container=c&tailLines=x'),
      log('tailLines -1', 'p/log?container=c&tailLines=-1'),
      log('limitBytes 0', 'p/log?container=c&limitBytes=0'),
      log('since a time to come', 'p/log?container=c&sinceTime=2999-01-01T00:00:00Z'),
      log('since a time long ago', 'p/log?container=c&sinceTime=2000-01-01T00:00:00.000Z'),
      log('since a time that is none', 'p/log?container=c&sinceTime=yesterday'),
      log('since a time and for seconds', 'p/log?container=c&sinceTime=2000-01-01T00:00:00Z&sinceSeconds=5'),
      log('for no second', 'p/log?container=c&sinceSeconds=0'),
      log('followed, up to so many bytes', 'p/log?container=c&follow=true&limitBytes=7'),
      log('followed, of no such container', 'p/log?container=zz&follow=true'),
      log('followed, of no such pod', 'no-such/log?follow=true'),
      log('followed, of a pod without a node', 'pending/log?follow=true'),
      log('the one before', 'p/log?container=c&previous=true'),
      log('of no container, of two', 'p/log'),
      log('of no container, of one', 'one/log'),
      log('of no such container', 'p/log?container=zz'),
      log('of a container that is not up', 'p/log?container=absent', { compare: ['reason', 'code', 'kind'] }),
      log('of a pod without a node', 'pending/log'),
      log('of no such pod', 'no-such/log'),
      log('as JSON', 'one/log', { headers: { accept: 'application/json' } }),
      log('as anything', 'one/log', { headers: { accept: '*/*' } }),
    ],
  },
];
