import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { run } from '../harness.ts';

const RESTORE = { apiVersion: 'velero.io/v1', kind: 'Restore', metadata: { name: 'r' }, spec: { backupName: 'b' } };
const pod = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', annotations: { 'post.hook.restorehooks.io/command': 'a' } },
  spec: { containers: [{ name: 'main', image: 'x:1' }] },
  ...more,
});
const HOOKS = { apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks' };
const entry = (more: object = {}) => ({ name: 'h', postHooks: [{ exec: { command: ['a'] } }], ...more });

let cwd = '';
before(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'restorehooks-given-'));
});
after(() => rm(cwd, { recursive: true }));

const file = async (name: string, ...objects: (object | string)[]): Promise<string> => {
  await mkdir(path.join(cwd, path.dirname(name)), { recursive: true });
  const texts = objects.map((object) => (typeof object === 'string' ? object : `${JSON.stringify(object)}\n`));
  await writeFile(path.join(cwd, name), texts.join(''));
  return name;
};
const plan = (...argv: string[]) => run(['plan', ...argv], { cwd });
const notices = async (...argv: string[]): Promise<string[]> => {
  const { code, stdout, stderr } = await plan(...argv, '-o', 'json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).notices.map(({ code: id, message }: Record<string, string>) => `${id}: ${message}`);
};

describe('the objects of -f', () => {
  // R1.4
  it('are told by group and kind, and what is passed over is said', async () => {
    const mixed = await file(
      'mixed.json',
      RESTORE,
      pod('a'),
      { ...RESTORE, apiVersion: 'k8up.io/v1' },
      pod('b', { apiVersion: 'example.com/v1' }),
      { spec: {} },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'd' } },
      { ...HOOKS, spec: { resources: [] } },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'shop' },
        spec: { template: pod('x') },
      },
    );
    const told = (await notices('-f', mixed)).filter((line) => line.startsWith('object-passed-over'));
    assert.equal(told.length, 6);
    for (const [index, expected] of [
      /mixed\.json:3: Restore r is of k8up\.io\/v1/,
      /mixed\.json:4: Pod shop\/b is of example\.com\/v1/,
      /mixed\.json:5: has no apiVersion and kind/,
      /mixed\.json:8: RestoreHooks are read from --hooks/,
      /mixed\.json:9: Deployment shop\/web is no pod, but makes some: .*kubectl get pods -n shop/,
      /passed over, as neither Restore nor Pod: 2 ConfigMap$/,
    ].entries()) {
      assert.match(told[index] ?? '', expected);
    }
  });

  it('without a Restore of Velero, or without pods, say so', async () => {
    const foreign = await plan('-f', await file('foreign.json', { ...RESTORE, apiVersion: 'k8up.io/v1' }, pod('a')));
    assert.equal(foreign.code, 2);
    assert.match(foreign.stderr, /-f names no Restore\n.*k8up\.io\/v1/);
    assert.match((await notices('-f', await file('alone.json', RESTORE))).join('\n'), /^pods-missing: /m);
  });

  // R1.5
  it('with a pod that stands twice are refused, naming both places', async () => {
    const [restore, one, other] = [
      await file('r.json', RESTORE),
      await file('one.json', pod('a'), pod('b')),
      await file('other.yaml', '# the same\n', pod('b')),
    ];
    const { code, stdout, stderr } = await plan('-f', restore, '-f', one, '-f', other);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /^error: pod shop\/b stands at one\.json:2 and again at other\.yaml:2\n/);
    const mapped = { ...RESTORE, spec: { namespaceMapping: { shop: 'x', till: 'x' } } };
    const till = pod('a', { metadata: { name: 'a', namespace: 'till' } });
    assert.equal((await plan('-f', await file('mapped.json', mapped, pod('a'), till))).code, 2);
  });

  it('may leave their names to the API server', async () => {
    const unnamed = { ...RESTORE, metadata: { generateName: 'nightly-' } };
    const generated = pod('x', { metadata: { generateName: 'web-', namespace: 'shop' } });
    const told = await notices('-f', await file('generated.json', unnamed, pod('a'), generated));
    assert.ok(
      told.some((line) => /^restore-name-generated: .* planned as nightly-$/.test(line)),
      told.join('\n'),
    );
    assert.ok(told.some((line) => /^pod-unreadable: generated\.json:3: the Pod has a generateName/.test(line)));
  });

  it('that kubectl would not read are a notice', async () => {
    const text = `${JSON.stringify(RESTORE)}\n---\n${JSON.stringify(pod('a'))}\n...\n# none\n---\n${JSON.stringify(pod('b'))}`;
    assert.deepEqual(
      (await notices('-f', await file('ends.yaml', text))).filter((line) => /kubectl/.test(line)),
      [],
    );
    const unread = await file('unread.yaml', text.replace('# none\n---\n', '--- {}\n---\n'));
    assert.ok(
      (await notices('-f', unread)).some((line) => /^kubectl-reads-less: unread\.yaml:5: kubectl refuses/.test(line)),
    );
    const refused = await plan('-f', await file('refused.yaml', '---apiVersion: v1\nkind: Pod\n'));
    assert.deepEqual([refused.code, /refused\.yaml:1:4: kubectl refuses this/.test(refused.stderr)], [2, true]);
  });

  // R1.11
  it('with fields that Velero does not know are a notice each, in a Restore', async () => {
    const restore = { ...RESTORE, spec: { hooks: { resources: [entry({ labelSelectors: {}, post: [] })] } } };
    assert.deepEqual(
      (await notices('-f', await file('fields.json', restore, pod('a')))).filter((line) => /field/.test(line)),
      [
        'restore-field-unknown: fields.json:1: spec.hooks.resources[0].labelSelectors: unknown field; did you mean labelSelector?',
        'restore-field-unknown: fields.json:1: spec.hooks.resources[0].post: unknown field; did you mean postHooks?',
      ],
    );
  });
});

describe('--hooks', () => {
  const withHooks = async (...argv: string[]) =>
    plan('-f', await file('base.json', RESTORE, pod('a', { metadata: { name: 'a', namespace: 'shop' } })), ...argv);

  // R1.11
  it('is refused where a field is not known, with its path and the one that was meant', async () => {
    for (const [resource, expected] of [
      [
        entry({ includeNamespaces: ['shop'] }),
        'spec.resources[0].includeNamespaces: unknown field; did you mean includedNamespaces?',
      ],
      [
        { postHooks: [{ exec: { command: ['a'], timeout: '1m' } }] },
        'spec.resources[0].postHooks[0].exec.timeout: unknown field; did you mean execTimeout?',
      ],
      [{ postHooks: [{ exce: {} }] }, 'spec.resources[0].postHooks[0].exce: unknown field; did you mean exec?'],
      [
        entry({ labelSelector: { matchLabel: {} } }),
        'spec.resources[0].labelSelector.matchLabel: unknown field; did you mean matchLabels?',
      ],
    ] as const) {
      const { code, stderr } = await withHooks(
        '--hooks',
        await file('h.json', { ...HOOKS, spec: { resources: [resource] } }),
      );
      assert.equal(code, 2);
      assert.ok(stderr.includes(`error: h.json:1: ${expected}`), stderr);
    }
    const extra = await withHooks('--hooks', await file('h.json', { ...HOOKS, spec: { resources: [] }, hooks: [] }));
    assert.match(extra.stderr, /h\.json:1: hooks: unknown field/);
  });

  it('takes files of several documents, and directories as a ConfigMap is mounted', async () => {
    const documents = ['one', 'two'].map((name) => ({ ...HOOKS, spec: { resources: [entry({ name })] } }));
    const names = async (source: string) =>
      JSON.parse((await withHooks('--hooks', source, '-o', 'json')).stdout).hooks.map(
        ({ name }: { name: string }) => name,
      );
    assert.deepEqual(await names(await file('several.yaml', ...documents.flatMap((each) => ['---\n', each]))), [
      'one',
      'two',
    ]);
    await file('mounted/..2026/hooks.yaml', documents[0] ?? {});
    await symlink('..2026', path.join(cwd, 'mounted/..data'));
    await symlink('..data/hooks.yaml', path.join(cwd, 'mounted/hooks.yaml'));
    assert.deepEqual(await names('mounted'), ['one']);
  });

  it('is refused where it holds no hooks at all: the Restore has some that would be left out', async () => {
    const empty = await withHooks('--hooks', await file('empty.yaml', '# nothing yet\n'));
    assert.deepEqual([empty.code, /^error: empty\.yaml: no RestoreHooks in it/.test(empty.stderr)], [2, true]);
  });
});
