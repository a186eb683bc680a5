import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { formatYaml } from '../../../../plugin/output/yaml.ts';
import { parseManifests } from '../../../../shared/input/manifests.ts';
import { run, stdinOf } from '../harness.ts';

const EXAMPLE = path.join(import.meta.dirname, '../../../../examples/init-hooks.yaml');
const HOOK = { name: 'h1', image: 'img', command: ['sh', '-c', 'a\nb'] };
const HOOKS = {
  apiVersion: 'restorehooks.io/v1',
  kind: 'RestoreHooks',
  spec: {
    resources: [
      {
        name: 'e',
        labelSelector: { matchLabels: { app: 'web' } },
        postHooks: [{ init: { initContainers: [HOOK, { name: 'h2', image: 'img', command: ['yes'] }] } }],
      },
    ],
  },
};

let cwd = '';
before(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'restorehooks-inject-'));
  await writeFile(path.join(cwd, 'hooks.json'), JSON.stringify(HOOKS));
});
after(() => rm(cwd, { recursive: true }));

const inject = (text: string, ...args: string[]) => run(['inject', ...args], { cwd, stdin: stdinOf(text) });
async function injected(text: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await inject(text, ...(args.length > 0 ? args : ['--hooks', 'hooks.json']));
  assert.equal(code, 0, stderr);
  return stdout;
}
// biome-ignore lint/suspicious/noExplicitAny: manifests of all kinds
const read = (text: string): any[] => parseManifests(text, 'f').map(({ object }) => object);
const initNames = (spec: { initContainers?: { name: string }[] }) => spec.initContainers?.map(({ name }) => name);

const DEPLOYMENT = `# the shop
apiVersion: apps/v1
kind: Deployment   # one of two
metadata: {namespace: shop, name: web}
spec:
  replicas: 0x2
  template:
    metadata:
      labels: {app: web}
    spec:
      # what serves
      containers:
        - name: main
          image: 'main:1'   # pinned
          args: [ "a",  "b" ]
      volumes: []

# the end
`;

describe('inject', () => {
  // R2.28
  it('only inserts lines: comments, order and style of all else are kept', async () => {
    const added = `      initContainers:
        - name: h1
          image: img
          command:
          - sh
          - -c
          - |-
            a
            b
        - name: h2
          image: img
          command:
          - 'yes'
`;
    const expected = DEPLOYMENT.replace('      # what serves\n', `${added}      # what serves\n`);
    const { code, stdout, stderr } = await inject(DEPLOYMENT, '--hooks', 'hooks.json', '-f', '-');
    assert.equal(stdout, expected);
    assert.equal(stderr, 'injected into Deployment shop/web: h1, h2\n');
    assert.equal(code, 0);
    assert.equal(await injected(DEPLOYMENT.replaceAll('\n', '\r\n')), expected.replaceAll('\n', '\r\n'));
  });

  it('passes on byte for byte what nothing matches, and what it has injected before', async () => {
    const others = `---\n{kind: ConfigMap, data: {a: &a 'x', b: *a}}   # \t\n---\n${DEPLOYMENT.replace('app: web', 'app: db')}...`;
    const { stdout, stderr } = await inject(others, '--hooks', 'hooks.json');
    assert.deepEqual([stdout, stderr], [others, 'nothing to inject\n']);
    assert.equal(await injected(''), '');
    const once = await injected(DEPLOYMENT);
    const twice = await inject(once, '--hooks', 'hooks.json');
    assert.deepEqual([twice.stdout, twice.stderr], [once, 'nothing to inject\n']);
  });

  // R2.28
  it('knows the kinds of pods and templates, of their own API groups, in lists too', async () => {
    const metadata = { name: 'web', labels: { app: 'web' } };
    const spec = { containers: [{ name: 'main' }] };
    const template = { metadata, spec };
    const kinds: [string, string, object, (object: ReturnType<typeof read>[number]) => object][] = [
      ['v1', 'Pod', spec, (object) => object.spec],
      ...['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'].map((kind): (typeof kinds)[number] => [
        'apps/v1',
        kind,
        { template },
        (object) => object.spec.template.spec,
      ]),
      ['batch/v1', 'Job', { template }, (object) => object.spec.template.spec],
      [
        'batch/v1',
        'CronJob',
        { jobTemplate: { spec: { template } } },
        (object) => object.spec.jobTemplate.spec.template.spec,
      ],
    ];
    for (const [apiVersion, kind, body, podSpec] of kinds) {
      const object = { apiVersion, kind, metadata, spec: body };
      const [alone] = read(await injected(formatYaml(object)));
      assert.deepEqual(initNames(podSpec(alone)), ['h1', 'h2'], kind);
      const list = { apiVersion: 'v1', kind: 'List', items: [{ kind: 'ConfigMap' }, object] };
      const [, inList] = read(await injected(formatYaml(list)));
      assert.deepEqual(inList, alone, kind);
      const typed = { apiVersion, kind: `${kind}List`, items: [{ metadata, spec: body }] };
      assert.deepEqual(read(await injected(formatYaml(typed))), [alone], kind);
      const foreign = formatYaml({ ...object, apiVersion: 'example.com/v1' });
      assert.equal(await injected(foreign), foreign);
    }
    const rollout = formatYaml({ apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', metadata, spec: { template } });
    assert.deepEqual(initNames(read(await injected(rollout))[0].spec.template.spec), ['h1', 'h2']);
  });

  it('injects into nothing that kubectl does not read, and warns where nothing is injected', async () => {
    const foreign = DEPLOYMENT.replace('app: web', 'app: db');
    for (const [text, other, message] of [
      [`${foreign}...\n${DEPLOYMENT}`, `${foreign}...\n${foreign}`, /kubectl reads nothing of this/],
      [`--- {}\n---\n${DEPLOYMENT}`, `--- {}\n---\n${foreign}`, /more stands on the line of ---/],
      [`%YAML 1.1\n---\n${DEPLOYMENT}`, `%YAML 1.1\n---\n${foreign}`, /YAML directive/],
    ] as const) {
      const refused = await inject(text, '--hooks', 'hooks.json');
      assert.deepEqual([refused.code, refused.stdout], [2, '']);
      assert.match(refused.stderr, message);
      const passed = await inject(other, '--hooks', 'hooks.json');
      assert.deepEqual([passed.code, passed.stdout], [0, other]);
      assert.match(passed.stderr, message);
    }
    assert.equal((await inject(`---${DEPLOYMENT}`)).code, 2);
  });

  it('keeps JSON as JSON, laid out as it was', async () => {
    const [object] = read(DEPLOYMENT);
    const withInit = structuredClone(object);
    const { containers, ...rest } = withInit.spec.template.spec;
    withInit.spec.template.spec = {
      initContainers: [HOOK, HOOKS.spec.resources[0]?.postHooks[0]?.init.initContainers[1]],
      containers,
      ...rest,
    };
    for (const unit of [0, 2, 4, '\t'] as const) {
      const text = `${JSON.stringify(object, null, unit)}\n`;
      assert.equal(await injected(text), `${JSON.stringify(withInit, null, unit)}\n`);
      assert.equal(await injected(text + text), `${JSON.stringify(withInit, null, unit)}\n`.repeat(2));
    }
  });

  it('finds a place wherever and however the list stands', async () => {
    const pod = (spec: string) => `apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\nspec:${spec}`;
    const cases: [string, string[]][] = [
      ['\n  containers: [{name: main}]\n  initContainers: []  # none\n  restartPolicy: Never\n', ['h1', 'h2']],
      ['\n  initContainers:\n  containers: [{name: main}]', ['h1', 'h2']],
      ['\n  initContainers: null # none\n  containers: [{name: main}]', ['h1', 'h2']],
      [
        '\n  containers:\n  - name: main\n  initContainers:\n  # mine\n  - name: i\n    command: [x] # x',
        ['h1', 'h2', 'i'],
      ],
      ['\n  containers:\n  - name: main\n  initContainers:\n  - name: restore-wait', ['restore-wait', 'h1', 'h2']],
      [
        '\n  initContainers:\n  -  name: restore-wait\n     args:\n     - |+\n       x\n       # y\n\n  # i\n  -  name: i\n  containers: []',
        ['restore-wait', 'h1', 'h2', 'i'],
      ],
      ['\n  initContainers: [{name: restore-wait}, {name: i}]\n  containers: []', ['restore-wait', 'h1', 'h2', 'i']],
      ['\n  initContainers: [{name: restore-wait}]\n  containers: []', ['restore-wait', 'h1', 'h2']],
      [' {containers: [{name: main}], initContainers: []}', ['h1', 'h2']],
      [' {containers: [{name: main}]} # x', ['h1', 'h2']],
      [' {}', ['h1', 'h2']],
    ];
    for (const [spec, names] of cases) {
      const text = pod(spec);
      const once = await injected(text);
      const [object] = read(once);
      assert.deepEqual(initNames(object.spec), names, once);
      const comments = text.match(/# \w+/g) ?? [];
      if (spec !== ' {}') for (const comment of comments) assert.ok(once.includes(comment), once);
      const { initContainers, ...rest } = object.spec;
      const { initContainers: own, ...before } = read(text)[0].spec;
      assert.deepEqual(rest, before);
      assert.deepEqual(
        initContainers.filter(({ name }: { name: string }) => !name.startsWith('h')),
        own ?? [],
      );
      assert.equal(await injected(once), once);
    }
  });

  it('writes anew, and says so, where an alias is in the way', async () => {
    const text = `kind: List\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: &m {name: web, labels: {app: web}}\n  spec: &s\n    containers: [{name: main}]\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: db}\n  spec: *s\n`;
    const { code, stdout, stderr } = await inject(text, '--hooks', 'hooks.json');
    assert.equal(code, 0);
    assert.match(stderr, /^warning: stdin: written anew, without its comments/m);
    assert.deepEqual(
      read(stdout).map(({ spec }) => initNames(spec)),
      [['h1', 'h2'], undefined],
    );
    assert.equal(await injected(stdout), stdout);
  });

  it("takes a Restore's hooks, filters and namespaceMapping; --hooks go before its hooks", async () => {
    const restore = {
      apiVersion: 'velero.io/v1',
      kind: 'Restore',
      metadata: { name: 'r' },
      spec: {
        includedNamespaces: ['shop'],
        namespaceMapping: { shop: 'copy' },
        hooks: {
          resources: [
            { includedNamespaces: ['copy'], postHooks: [{ init: { initContainers: [{ ...HOOK, name: 'r1' }] } }] },
          ],
        },
      },
    };
    await writeFile(path.join(cwd, 'restore.json'), JSON.stringify(restore));
    const names = async (text: string, ...args: string[]) =>
      read(await injected(text, '--restore', 'restore.json', ...args)).map(({ spec }) => initNames(spec.template.spec));
    const elsewhere = DEPLOYMENT.replace('namespace: shop', 'namespace: other');
    assert.deepEqual(await names(`${DEPLOYMENT}---\n${elsewhere}`), [['r1'], undefined]);
    assert.deepEqual(await names(DEPLOYMENT, '--hooks', 'hooks.json'), [['h1', 'h2']]);
    assert.deepEqual(await names(DEPLOYMENT.replace('namespace: shop, ', '')), [undefined]);
    assert.deepEqual(await names(DEPLOYMENT.replace('namespace: shop, ', ''), '-n', 'shop'), [['r1']]);
  });

  it('reads the annotations of templates, and names their containers alike each time', async () => {
    const annotated = DEPLOYMENT.replace(
      '      labels:',
      '      annotations: {init.hook.restorehooks.io/container-image: tool}\n      labels:',
    );
    const once = await injected(annotated, '-f', '-');
    const [{ spec }] = read(once);
    const [made] = spec.template.spec.initContainers;
    assert.match(made.name, /^velero-restore-init-[0-9a-f]{8}$/);
    assert.deepEqual(made, { name: made.name, image: 'tool' });
    assert.equal(await injected(once, '-f', '-'), once);
    assert.equal(await injected(annotated, '-f', '-'), once);
  });

  it('joins files and documents to one stream', async () => {
    await writeFile(path.join(cwd, 'a.yaml'), DEPLOYMENT.trimEnd());
    await writeFile(path.join(cwd, 'b.json'), JSON.stringify(read(DEPLOYMENT)[0]));
    for (const files of [
      ['a.yaml', 'b.json'],
      ['b.json', 'a.yaml'],
      ['b.json', 'b.json'],
      ['a.yaml', 'a.yaml'],
    ]) {
      const stdout = await injected('', '--hooks', 'hooks.json', ...files.flatMap((file) => ['-f', file]));
      assert.deepEqual(
        read(stdout).map(({ spec }) => initNames(spec.template.spec)),
        [
          ['h1', 'h2'],
          ['h1', 'h2'],
        ],
      );
      assert.equal(
        stdout.startsWith('{'),
        files.every((file) => file === 'b.json'),
      );
    }
    const two = `---\n${DEPLOYMENT}---\n# none\n---\n${DEPLOYMENT}`;
    assert.equal(await injected(two), two.replaceAll(DEPLOYMENT, await injected(DEPLOYMENT)));
  });

  it('says which names the API server will refuse', async () => {
    const { code, stdout, stderr } = await inject(
      DEPLOYMENT.replace('name: main', 'name: h1'),
      '--hooks',
      'hooks.json',
    );
    assert.equal(code, 0);
    assert.match(stderr, /^warning: stdin:2: Deployment shop\/web: .*several containers named "h1"/m);
    assert.deepEqual(initNames(read(stdout)[0].spec.template.spec), ['h1', 'h2']);
  });

  it('says in a line what it can not take, and writes nothing', async () => {
    const wrong: [string, string[], RegExp][] = [
      ['a: [', [], /^error: stdin:\d+:\d+: /],
      ['- 1', [], /^error: stdin:1:1: expected an object, found a list$/m],
      [
        DEPLOYMENT.replace('name: main', 'nam: main'),
        [],
        /^error: stdin:2: Deployment: spec\.template\.spec\.containers\[0\]\.name: expected string/,
      ],
      [
        DEPLOYMENT.replace('{app: web}', '{app: 1}'),
        [],
        /^error: stdin:2: Deployment: spec\.template\.metadata\.labels\.app: /,
      ],
      [DEPLOYMENT.replace(', name: web', ''), [], /^error: stdin:2: Deployment: metadata\.name: /],
      ['', ['-f', 'none.yaml'], /^error: none\.yaml: no such file/],
      ['', ['--hooks', '-'], /^error: stdin \(-\) can be read only once\n/],
      ['', ['--restore', 'hooks.json'], /^error: --restore names no Restore\n/],
      [
        '',
        ['--hooks', 'bad.yaml'],
        /^error: bad\.yaml:1: spec\.resources\[0\]\.postHooks\[0\]\.init\.initContainers\[0\]\.image: expected an image/,
      ],
    ];
    const bad = {
      ...HOOKS,
      spec: { resources: [{ postHooks: [{ init: { initContainers: [{ ...HOOK, image: '' }] } }] }] },
    };
    await writeFile(path.join(cwd, 'bad.yaml'), formatYaml(bad));
    for (const [text, args, message] of wrong) {
      const { code, stdout, stderr } = await inject(text, ...args);
      assert.match(stderr, message);
      assert.deepEqual([code, stdout], [2, ''], stderr);
    }
  });

  it('injects what the example says', async () => {
    const [object] = read(await injected(DEPLOYMENT, '--hooks', EXAMPLE));
    assert.deepEqual(initNames(object.spec.template.spec), ['fetch-dump']);
  });

  it('twice is once, and all else is as it was, whatever the pod and its layout', async () => {
    const name = fc.constantFrom('restore-wait', 'h1', 'h2', 'i', 'main');
    const container = fc.oneof(
      fc.record({ name, image: fc.constantFrom('img', 'x') }),
      fc.constant(HOOK),
      fc.constant({ ...HOOK, imagePullPolicy: 'Always' }),
      fc.record({ name, args: fc.array(fc.string(), { maxLength: 2 }) }),
    );
    const list = fc.option(fc.array(container, { maxLength: 3 }), { nil: undefined });
    const pods = fc.array(
      fc.record({
        initContainers: list,
        containers: fc.array(fc.record({ name }), { maxLength: 2 }),
        hostname: fc.option(fc.string(), { nil: undefined }),
      }),
      { maxLength: 3 },
    );
    const format = fc.constantFrom(
      formatYaml,
      (object: unknown) => JSON.stringify(object),
      (object: unknown) => `${JSON.stringify(object, null, 3)}\n`,
    );
    await fc.assert(
      fc.asyncProperty(pods, format, fc.boolean(), async (specs, print, asList) => {
        const metadata = { name: 'web', labels: { app: 'web' } };
        const items = specs.map((spec) => ({ apiVersion: 'v1', kind: 'Pod', metadata, spec }));
        const text = asList
          ? print({ apiVersion: 'v1', kind: 'List', items })
          : items.map(print).join(print === formatYaml ? '---\n' : '');
        const once = await inject(text, '--hooks', 'hooks.json');
        assert.equal(once.code, 0, once.stderr);
        assert.doesNotMatch(once.stderr, /written anew/);
        const [was, is] = [read(text), read(once.stdout)];
        assert.equal(is.length, was.length);
        for (const [index, { spec }] of is.entries()) {
          const { initContainers: own = [], ...before } = was[index].spec;
          const { initContainers, ...rest } = spec;
          assert.deepEqual(rest, before);
          const names = initNames(spec) ?? [];
          assert.ok(names.includes('h1') && names.includes('h2'));
          let from = 0;
          for (const each of own) {
            from =
              1 +
              initContainers.findIndex(
                (one: object, at: number) => at >= from && JSON.stringify(one) === JSON.stringify(each),
              );
            assert.ok(from > 0, 'the own containers stay in their order');
          }
        }
        const twice = await inject(once.stdout, '--hooks', 'hooks.json');
        assert.equal(twice.stdout, once.stdout);
      }),
      { numRuns: 60 },
    );
  });
});
