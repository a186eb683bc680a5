import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { describe, it } from 'node:test';
import { dump, load, loadAll } from 'js-yaml';
import { formatYaml } from '../../plugin/output/yaml.ts';
import { launchRights } from '../../plugin/run/preconditions.ts';
import { pruneDeletedRights, pruneRights } from '../../plugin/run/prune.ts';
import { defaultsOf } from '../../shared/core/manifests/defaults.ts';
import type { Right, SetupManifest } from '../../shared/core/manifests/rbac.ts';
import { setupManifests } from '../../shared/core/manifests/rbac.ts';
import { without } from '../needs.ts';
import { snippetsOf } from '../snippets.ts';

const DEPLOY = join(import.meta.dirname, '../../deploy');
const read = (file: string): string => readFileSync(join(DEPLOY, file), 'utf8');
const manifests = (file: string): Loose[] => loadAll(read(file)) as Loose[];

// biome-ignore lint/suspicious/noExplicitAny: manifests as they are written
type Loose = any;

const PLACE = { namespace: 'velero', runNamespace: 'restorehooks' };
const PODS = 'any-namespace-of-pods';
const noKubectl = without('kubectl', spawnSync('kubectl', ['version', '--client']).status === 0);
const HEAD = '# Written by: UPDATE=1 node --test test/unit/deploy-base.test.ts, of what setup prints.\n';

/** What `setup --run-namespace` prints, in two files: once for the cluster, and once for each namespace of pods. */
function printed(): Record<string, string> {
  const { base = [], pods = [] } = Object.groupBy(
    setupManifests({ ...PLACE, podNamespaces: [PODS] }),
    ({ metadata }) => (metadata.namespace === PODS ? 'pods' : 'base'),
  );
  // The overlay says which namespaces these are.
  const without = (field: 'annotations' | 'namespace') => (manifest: SetupManifest) => {
    const { [field]: _, ...metadata } = manifest.metadata;
    return formatYaml({ ...manifest, metadata });
  };
  const file = (documents: readonly string[]): string => `${HEAD}${documents.join('---\n')}`;
  return {
    'base/runner.yaml': file(base.map(without('annotations'))),
    'pods/runner.yaml': file(pods.map(without('namespace'))),
  };
}

/** The rights that Roles give in a namespace, one by one. */
const grantedBy = (roles: readonly Loose[]): string[] =>
  roles.flatMap(({ rules = [] }) =>
    rules.flatMap(({ apiGroups, resources, verbs }: Loose) =>
      apiGroups.flatMap((group: string) =>
        resources.flatMap((resource: string) => verbs.map((verb: string) => `${verb} ${resource}.${group}`)),
      ),
    ),
  );
const text = ({ group, resource, subresource, verb }: Right): string =>
  `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}.${group}`;

// R8.85
describe('the base in deploy', () => {
  for (const [file, wanted] of Object.entries(printed())) {
    it(`has in ${file} exactly what setup prints`, () => {
      if (process.env['UPDATE']) writeFileSync(join(DEPLOY, file), wanted);
      assert.equal(read(file), wanted);
    });
  }

  it('lets people plan, start, follow and prune runs, and neither run a command nor create a pod', () => {
    const rights = [
      ...launchRights(PLACE, [PODS]),
      ...pruneRights(PLACE.runNamespace),
      ...pruneDeletedRights(PLACE.namespace, PLACE.runNamespace),
    ];
    const of = (namespace: string | undefined): Loose[] =>
      [...manifests('base/people.yaml'), ...manifests('pods/people.yaml')].filter(
        ({ kind, metadata }) => kind === 'Role' && metadata.namespace === namespace,
      );
    for (const [place, namespace] of [
      ['velero', 'velero'],
      ['restorehooks', 'restorehooks'],
      [PODS, undefined],
    ] as const) {
      const granted = new Set(grantedBy(of(namespace)));
      const wanted = rights.filter((right) => right.namespace === place).map(text);
      assert.ok(wanted.length > 0, place);
      assert.deepEqual(
        wanted.filter((right) => !granted.has(right)),
        [],
        place,
      );
      assert.deepEqual(
        [...granted].filter((right) => /pods\/exec|create pods|\*/.test(right)),
        [],
      );
    }
    const besideVelero = grantedBy(of('velero')).filter((right) => /^(create|delete|update)|secrets/.test(right));
    assert.deepEqual(besideVelero, []);
  });

  it('has defaults that can be used, with the namespace in which it puts the runner', () => {
    const { runNamespace } = defaultsOf(load(read('base/defaults.yaml')), 'defaults.yaml');
    const [account] = manifests('base/runner.yaml').filter(({ kind }) => kind === 'ServiceAccount');
    assert.deepEqual([runNamespace, account.metadata.namespace], ['restorehooks', 'restorehooks']);
  });

  it('lets spans out with the patch of docs/observing.md in an overlay', { skip: noKubectl }, () => {
    const [snippet, ...more] = snippetsOf('docs/observing.md').filter(({ info }) => info === 'yaml kustomization');
    assert.deepEqual(more, []);
    const folder = mkdtempSync(join(tmpdir(), 'deploy-'));
    try {
      for (const part of ['base', 'pods', 'example'])
        cpSync(join(DEPLOY, part), join(folder, part), { recursive: true });
      const overlay = load(read('example/kustomization.yaml')) as Loose;
      const { patches } = load(snippet?.text ?? '') as Loose;
      const changed = { ...overlay, patches: [...overlay.patches, ...patches] };
      writeFileSync(join(folder, 'example/kustomization.yaml'), dump(changed));
      const { stdout, stderr } = spawnSync('kubectl', ['kustomize', join(folder, 'example')], { encoding: 'utf8' });
      assert.equal(stderr, '');
      const [policy] = (loadAll(stdout) as Loose[]).filter(({ kind }) => kind === 'NetworkPolicy');
      const ports = policy.spec.egress.map((rule: Loose) => rule.ports.map(({ port }: Loose) => port));
      assert.deepEqual(ports, [[443, 6443], [53, 53], [4318]]);
      assert.equal(policy.spec.egress[2].to.length, 1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('has an example whose annotation names its namespaces of pods', () => {
    const { resources, patches } = load(read('example/kustomization.yaml')) as Loose;
    const [, ...pods] = resources;
    const [change] = load(patches[0].patch) as Loose;
    assert.equal(change.value['restorehooks.io/namespaces'], pods.join(','));
    for (const name of pods) {
      assert.equal((load(read(`example/${name}/kustomization.yaml`)) as Loose).namespace, name);
    }
  });
});
