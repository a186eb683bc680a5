import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileIncludesExcludes } from '../../../shared/core/model/includes-excludes.ts';
import type { HookEntrySpec } from '../../../shared/core/model/restore.ts';
import { parseRestoreHooks } from '../../../shared/core/model/restore.ts';
import { egressPolicy, namespaceManifest, restoreManifest } from '../../../shared/core/rehearsal/manifests.ts';
import {
  chooseNamespaces,
  mappedEntries,
  mappedNames,
  mappingOf,
  rehearsalID,
  restoreNameOf,
  targetNamespace,
} from '../../../shared/core/rehearsal/rehearsal.ts';

const LONG = 'a-namespace-of-a-name-that-has-just-as-many-letters-as-it-may-x';

describe('the names of a rehearsal', () => {
  // R7.102
  it('are short enough, the same each time, and differ where the originals do', () => {
    assert.equal(targetNamespace('shop', 'k3x9qd'), 'shop-rehearsal-k3x9qd');
    const long = [LONG, `${LONG.slice(0, -1)}y`].map((name) => targetNamespace(name, 'k3x9qd'));
    assert.deepEqual(
      long.map((name) => name.length),
      [63, 63],
    );
    assert.equal(new Set(long).size, 2);
    assert.equal(long[0], targetNamespace(LONG, 'k3x9qd'));
    const restore = restoreNameOf(`${LONG}.${LONG}`, 'k3x9qd');
    assert.equal(restore.length, 63);
    assert.match(restore, /^rehearsal-a-name.*-k3x9qd$/);
  });

  it('end with an id that is a short label', () => {
    assert.equal(rehearsalID('weekly'), 'weekly');
    for (const bad of ['', 'A', 'a.b', '-a', 'a-', 'a'.repeat(21)]) {
      assert.throws(() => rehearsalID(bad), { code: 'INVALID_ARGUMENT' }, bad);
    }
  });
});

// R7.103
describe('the namespaces that are rehearsed', () => {
  const held = new Map(['shop', 'blog', 'velero', 'kube-system', 'shop-rehearsal-abc'].map((name) => [name, 1]));

  it("are all but Velero's own, the cluster's and other rehearsals'", () => {
    assert.deepEqual(chooseNamespaces(held, [], 'velero'), {
      sources: ['blog', 'shop'],
      leftOut: ['kube-system', 'shop-rehearsal-abc', 'velero'],
    });
  });

  it('are those that are asked for, whatever they are', () => {
    assert.deepEqual(chooseNamespaces(held, ['kube-system', 'b*'], 'velero').sources, ['blog', 'kube-system']);
  });

  it('are refused if the backup lacks one, with the nearest name', () => {
    assert.throws(() => chooseNamespaces(held, ['shop', 'blogg'], 'velero'), {
      code: 'INVALID_ARGUMENT',
      message: '--include-namespaces: the backup holds no namespace blogg',
      hint: 'did you mean blog?',
    });
  });
});

// R7.106
describe('what users write of the originals', () => {
  const mapping = mappingOf(['shop', 'blog'], 'x');
  const entryOf = (fields: object): HookEntrySpec => {
    const spec = { resources: [{ postHooks: [{ exec: { command: ['true'] } }], ...fields }] };
    const parsed = parseRestoreHooks({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks', spec });
    assert.ok(parsed.ok);
    return parsed.value.spec.resources[0] as HookEntrySpec;
  };

  it('means the copies: an entry admits the copy of each namespace that it admits, and no other', () => {
    for (const fields of [
      {},
      { includedNamespaces: ['shop'] },
      { includedNamespaces: ['*'] },
      { includedNamespaces: ['s*'], excludedNamespaces: ['shop'] },
      { excludedNamespaces: ['b?og'] },
      { includedNamespaces: ['elsewhere'] },
      { includedNamespaces: ['shop-rehearsal-x'] },
    ]) {
      const entry = entryOf(fields);
      const [mapped] = mappedEntries([entry], mapping) as [HookEntrySpec];
      const admits = ({ includedNamespaces, excludedNamespaces }: HookEntrySpec) =>
        compileIncludesExcludes(includedNamespaces, excludedNamespaces).admits;
      for (const [source, target] of mapping) {
        assert.equal(admits(mapped)(target), admits(entry)(source), `${JSON.stringify(fields)} ${source}`);
      }
    }
  });

  it('names pods and hooks in them', () => {
    assert.deepEqual(mappedNames(['shop/web-0', 'blog/web-0/main/a/0', 'web-0', 'load', 'other/web-0'], mapping), [
      'shop-rehearsal-x/web-0',
      'blog-rehearsal-x/web-0/main/a/0',
      'web-0',
      'load',
      'other/web-0',
    ]);
  });
});

describe('what a rehearsal creates', () => {
  const restore = {
    name: 'r',
    namespace: 'velero',
    backup: 'nightly',
    id: 'x',
    maker: 'm',
    mapping: mappingOf(['shop'], 'x'),
    excluded: ['services', 'cronjobs.batch'],
    denyEgress: false,
  };

  // R7.104
  it('is labelled; a namespace takes over the labels of PodSecurity alone', () => {
    const original = {
      team: 'a',
      'argocd.argoproj.io/instance': 'shop',
      'pod-security.kubernetes.io/enforce': 'baseline',
    };
    assert.deepEqual(
      namespaceManifest('shop-rehearsal-x', { id: 'x', maker: 'm', namespace: 'velero' }, original).metadata.labels,
      {
        'app.kubernetes.io/managed-by': 'restorehooks',
        'pod-security.kubernetes.io/enforce': 'baseline',
        'restorehooks.io/rehearsal': 'x',
      },
    );
    assert.equal(restoreManifest(restore).metadata.labels['restorehooks.io/rehearsal'], 'x');
  });

  // R7.105
  it('is a Restore without hooks, ingresses and cronjobs, and with what volumes of claims need', () => {
    assert.deepEqual(restoreManifest(restore).spec, {
      backupName: 'nightly',
      includedNamespaces: ['shop'],
      namespaceMapping: { shop: 'shop-rehearsal-x' },
      excludedResources: ['ingresses.networking.k8s.io', 'cronjobs.batch', 'services'],
      existingResourcePolicy: 'none',
      preserveNodePorts: false,
    });
  });

  // R7.107
  it('is with --deny-egress a policy for all pods, and no other policy is restored', () => {
    const { spec } = restoreManifest({ ...restore, denyEgress: true }) as { spec: { excludedResources: string[] } };
    assert.ok(spec.excludedResources.includes('networkpolicies.networking.k8s.io'));
    const policy = egressPolicy('shop-rehearsal-x', 'x') as { spec: { egress: { ports?: { port: number }[] }[] } };
    const [within, dns] = policy.spec.egress;
    assert.deepEqual(within, { to: [{ namespaceSelector: { matchLabels: { 'restorehooks.io/rehearsal': 'x' } } }] });
    assert.deepEqual([...new Set(dns?.ports?.map(({ port }) => port))], [53, 5353]);
    assert.equal(policy.spec.egress.length, 2);
  });
});
