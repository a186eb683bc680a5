import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import type { RunnerJob } from '../../../../shared/core/manifests/job.ts';
import { requirePatch, runnerJob } from '../../../../shared/core/manifests/job.ts';

// biome-ignore lint/suspicious/noExplicitAny: a patched Job can have any field.
type Loose = any;

const given: RunnerJob = {
  restore: { namespace: 'velero', name: 'nightly', uid: 'u1' },
  runID: 'abc123',
  image: 'example.com/runner:1',
  imagePullSecrets: ['first'],
  serviceAccount: 'restorehooks',
  options: {
    maxConcurrent: 64,
    capture: 'tail',
    failOn: 'fail',
    keepRestorePhase: false,
    onUnknown: 'fail',
    record: false,
  },
  planParts: 2,
};
const patched = (...patches: Loose[]): Loose =>
  runnerJob({ ...given, patches: patches.map((patch) => ({ from: 'p.yaml', patch })) });
const pod = (spec: object) => ({ spec: { template: { spec } } });
const runner = (container: object) => pod({ containers: [{ name: 'runner', ...container }] });
const refusal = (patch: object): string => {
  try {
    patched(patch);
  } catch (error) {
    assert.ok(error instanceof RestoreHooksError);
    assert.equal(error.exitCode, 2);
    return error.message;
  }
  return 'taken';
};

// R8.20
describe('a patch of the Job', () => {
  const plain = patched();

  it('sets fields of Job and pod, and null removes one', () => {
    const { metadata, spec } = patched({
      metadata: { labels: { team: 'db' }, annotations: { why: 'test' } },
      spec: {
        ttlSecondsAfterFinished: 60,
        template: {
          metadata: { labels: { 'sidecar.istio.io/inject': 'false' }, annotations: { a: 'b' } },
          spec: {
            nodeSelector: { 'kubernetes.io/arch': 'arm64' },
            tolerations: [{ key: 'x', operator: 'Exists' }],
            priorityClassName: 'high',
            securityContext: { runAsUser: null, fsGroup: null },
          },
        },
      },
    });
    assert.deepEqual(metadata.labels, { ...plain.metadata.labels, team: 'db' });
    assert.deepEqual([metadata.annotations, spec.ttlSecondsAfterFinished], [{ why: 'test' }, 60]);
    assert.equal(spec.template.metadata.labels['sidecar.istio.io/inject'], 'false');
    const { securityContext, ...rest } = spec.template.spec;
    assert.deepEqual(securityContext, {
      runAsNonRoot: true,
      runAsGroup: 65_532,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    assert.deepEqual(rest.nodeSelector, { 'kubernetes.io/arch': 'arm64' });
    assert.equal(rest.priorityClassName, 'high');
    assert.deepEqual(rest.containers, plain.spec.template.spec.containers);
  });

  it('adds to the lists whose items have a name, and replaces other lists', () => {
    const { spec } = patched(
      pod({
        imagePullSecrets: [{ name: 'second' }],
        volumes: [{ name: 'ca', configMap: { name: 'ca' } }],
        tolerations: [{ key: 'one' }],
        containers: [
          {
            name: 'runner',
            env: [{ name: 'NO_PROXY', value: '.svc' }],
            resources: { limits: { memory: '1Gi' } },
            volumeMounts: [{ name: 'ca', mountPath: '/etc/ssl/certs' }],
          },
        ],
      }),
      pod({ tolerations: [{ key: 'two' }], containers: [{ name: 'runner', env: [{ name: 'NO_PROXY', value: '*' }] }] }),
    ).spec.template;
    const [{ env, resources, volumeMounts, args }] = spec.containers;
    const [before] = plain.spec.template.spec.containers;
    assert.deepEqual(env, [...before.env, { name: 'NO_PROXY', value: '*' }]);
    assert.deepEqual(resources, { ...before.resources, limits: { memory: '1Gi' } });
    assert.deepEqual([volumeMounts.length, spec.volumes.length, args], [2, 2, before.args]);
    assert.deepEqual(spec.imagePullSecrets, [{ name: 'first' }, { name: 'second' }]);
    assert.deepEqual(spec.tolerations, [{ key: 'two' }]);
  });

  it('may name what it leaves as it is', () => {
    const { apiVersion, kind } = plain;
    const { args } = plain.spec.template.spec.containers[0];
    assert.deepEqual(patched({ apiVersion, kind, ...runner({ args }) }), plain);
  });

  it('that is empty changes nothing', () => assert.deepEqual(patched({}), plain));
});

// R8.21
describe('a patch is refused, with the path,', () => {
  const refused: readonly [title: string, patch: object, told: RegExp][] = [
    ['for args', runner({ args: ['x'] }), /^p\.yaml: spec\.template\.spec\.containers\[runner\]\.args: a patch can't/],
    ['for a command', runner({ command: ['x'] }), /containers\[runner\]\.command: /],
    ['for the image', runner({ image: 'x' }), /containers\[runner\]\.image: .*--image/],
    ['for no image', runner({ image: null }), /containers\[runner\]\.image: /],
    ['for the plan', pod({ volumes: [{ name: 'plan', emptyDir: {} }] }), /spec\.volumes\[plan\]: .*plan/],
    ['for no volumes', pod({ volumes: null }), /spec\.volumes: expected a list/],
    ['for its own environment', runner({ env: [{ name: 'POD_UID', value: 'x' }] }), /env\[POD_UID\]: /],
    ['for a volume over the plan', runner({ volumeMounts: [{ name: 'x', mountPath: '/var/run' }] }), /would hide/],
    [
      'for a volume over the token',
      runner({ volumeMounts: [{ name: 'x', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount/' }] }),
      /would hide/,
    ],
    ['for a volume over the program', runner({ volumeMounts: [{ name: 'x', mountPath: '/x/../app' }] }), /would hide/],
    ['for the account', pod({ serviceAccountName: 'x' }), /serviceAccountName: .*--service-account/],
    ['for no token', pod({ automountServiceAccountToken: false }), /automountServiceAccountToken: .*token/],
    ['for the restart policy', pod({ restartPolicy: 'OnFailure' }), /spec\.restartPolicy: /],
    ['for the grace period', pod({ terminationGracePeriodSeconds: 1 }), /terminationGracePeriodSeconds: /],
    ['for the owner', { metadata: { ownerReferences: null } }, /^p\.yaml: metadata\.ownerReferences: /],
    ['for the name', { metadata: { name: 'x' } }, /metadata\.name: /],
    ['for a label of the run', { metadata: { labels: { 'restorehooks.io/run-id': 'x' } } }, /labels\[restorehooks\.io/],
    ['for no labels', { metadata: { labels: null } }, /labels\[app\.kubernetes\.io\/name\]: /],
    [
      "for a label of the run's pod",
      { spec: { template: { metadata: { labels: { 'restorehooks.io/restore': null } } } } },
      /spec\.template\.metadata\.labels\[restorehooks\.io\/restore\]: /,
    ],
    ...['backoffLimit', 'completions', 'parallelism', 'podReplacementPolicy', 'activeDeadlineSeconds', 'selector'].map(
      (field): [string, object, RegExp] => [
        `for ${field}`,
        { spec: { [field]: 1 } },
        new RegExp(`spec\\.${field}: a patch can't change this`),
      ],
    ),
    ['for the policy of failures', { spec: { podFailurePolicy: { rules: [] } } }, /spec\.podFailurePolicy: /],
    ['for another kind', { kind: 'CronJob' }, /^p\.yaml: kind: /],
    ['for a field of the pod at the top', { nodeSelector: {} }, /^p\.yaml: nodeSelector: .*under spec\.template\.spec/],
    ['for a field of the pod in the Job', { spec: { tolerations: [] } }, /spec\.tolerations: .*spec\.template\.spec/],
    ['for no spec', { spec: null }, /^p\.yaml: spec: expected an object/],
    ['for a text instead of an object', { spec: { template: 'x' } }, /spec\.template: expected an object/],
    ['for containers that are no list', pod({ containers: { runner: {} } }), /containers: expected a list/],
    ['for no containers', pod({ containers: null }), /containers: expected a list/],
    ['for a container without a name', pod({ containers: [{ image: 'x' }] }), /containers\[0\]: expected .* name/],
    ['for an entry of env without a name', runner({ env: ['A=b'] }), /containers\[runner\]\.env\[0\]: expected/],
  ];
  for (const [title, patch, told] of refused) {
    it(title, () => {
      assert.match(refusal(patch), told);
      assert.throws(() => requirePatch({ from: 'p.yaml', patch: patch as Loose }), RestoreHooksError);
    });
  }

  it('naming several mistakes in one line', () => {
    const told = refusal({ spec: { parallelism: 2, ...runner({ args: [], image: 'x' }).spec } });
    assert.match(told, /^[^\n]+$/);
    for (const field of ['parallelism', 'image', 'args']) assert.match(told, new RegExp(`${field}: a patch can't`));
  });

  it('whatever a patch holds, the Job that comes of it is the same run', () => {
    const fixed = ({ apiVersion, kind, metadata, spec }: Loose) => {
      const { template, ttlSecondsAfterFinished: _, suspend: __, ...rest } = spec;
      const { nodeSelector: ___, ...podSpec } = template.spec;
      const [{ image, args, command, env }] = podSpec.containers;
      const keptLabels = (labels: Loose) => Object.keys(runnerJob(given).metadata.labels).map((key) => labels[key]);
      return {
        apiVersion,
        kind,
        names: [metadata.name, metadata.namespace, metadata.ownerReferences],
        labels: [keptLabels(metadata.labels), keptLabels(template.metadata.labels)],
        rest,
        container: [image, args, command, env.slice(0, 4), podSpec.volumes[0]],
        account: [podSpec.serviceAccountName, podSpec.automountServiceAccountToken, podSpec.restartPolicy],
      };
    };
    const paths = [...leavesOf(patched())];
    const value = fc.oneof(fc.constant(null), fc.string(), fc.integer(), fc.constant([]), fc.constant({}));
    let taken = 0;
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.nat(4), value, (path, shorter, leaf) => {
        const cut = path.slice(0, Math.max(1, path.length - shorter));
        let patch: Loose = leaf;
        for (const { name, key } of cut.toReversed()) {
          patch = key === undefined ? { [name]: patch } : [{ [key]: name, ...patch }];
        }
        let job: Loose;
        try {
          job = patched(patch);
        } catch (error) {
          assert.ok(error instanceof RestoreHooksError, String(error));
          return;
        }
        taken += 1;
        assert.deepEqual(fixed(job), fixed(patched()));
      }),
      { numRuns: 2000 },
    );
    assert.ok(taken > 50, `${taken} patches were taken`);
  });
});

interface Part {
  readonly name: string;
  /** The key of a list's items. */
  readonly key?: string;
}

/** The paths of all values in a Job, as a patch would write them. */
function* leavesOf(value: Loose, at: readonly Part[] = []): Generator<readonly Part[]> {
  if (at.length > 0) yield at;
  if (Array.isArray(value)) {
    for (const item of value) {
      const key = ['name', 'mountPath'].find(
        (each) => typeof item?.[each] === 'string' && !(each === 'name' && item.mountPath),
      );
      if (key !== undefined) yield* leavesOf(item, [...at, { name: item[key], key }]);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, child] of Object.entries(value)) yield* leavesOf(child, [...at, { name }]);
  }
}
