import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Loose, Ran, Scene } from './harness.ts';
import { entry, exec, hookAnnotations, IMAGE, mark, OWN, sh, startSuite, VELERO } from './harness.ts';
import { assertUntouched } from './untouched.ts';

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;
const at = ['-n', velero];
const noticesOf = ({ notices }: Loose, code: string) => notices.filter((notice: Loose) => notice.code === code);

describe('values that nobody can use', () => {
  const inSpec: readonly [title: string, resources: object[], path: string][] = [
    [
      'exec-duration',
      [entry([exec(mark('a')), exec(mark('b'), { execTimeout: '5 minutes' })])],
      '[0].postHooks[1].exec.execTimeout',
    ],
    [
      'wait-duration',
      [entry(exec(mark('a'))), entry(exec(mark('b'), { waitTimeout: '10' }))],
      '[1].postHooks[0].exec.waitTimeout',
    ],
    [
      'selector',
      [
        entry(exec(mark('a')), {
          labelSelector: { matchExpressions: [{ key: 'app', operator: 'Like', values: ['web'] }] },
        }),
      ],
      '[0].labelSelector.matchExpressions[0].operator',
    ],
  ];
  for (const [title, resources, path] of inSpec) {
    // R1.8
    it(`${title} in the Restore's spec: exit 2 with the path`, async () => {
      const scene = await e2e.scene(title);
      await scene.pod('web-0');
      await scene.restore({ hooks: resources });
      for (const ran of [await scene.apply(), await scene.plan()]) {
        assert.deepEqual([ran.code, ran.stdout], [2, '']);
        assert.ok(ran.stderr.includes(`spec.hooks.resources${path}`), ran.stderr);
        assert.match(ran.stderr, /expected/);
      }
      await assertUntouched(e2e, scene, 'web-0');
      const good = await scene.hooksFile([entry(exec(mark('good')))]);
      const refused = await scene.apply('--hooks', good);
      assert.equal(refused.code, 2, 'the Restore itself has to be mended');
    });

    // R1.8
    it(`${title} in a --hooks file: exit 2 with file, line and path`, async () => {
      const scene = await e2e.scene(`file-${title}`);
      await scene.restore();
      const file = await scene.hooksFile(resources);
      const { code, stdout, stderr } = await scene.apply('--hooks', file);
      assert.deepEqual([code, stdout], [2, '']);
      assert.ok(stderr.startsWith(`error: ${file}:1: spec.resources${path}: expected`), stderr);
      await assertUntouched(e2e, scene);
    });
  }

  // R1.9, R1.10
  it('in annotations: a notice with what is used instead', async () => {
    const scene = await e2e.scene('annotations');
    const bad = {
      'exec-timeout': '5 minutes',
      'wait-timeout': 'soon',
      'wait-for-ready': 'maybe',
      'on-error': 'Ignore',
    };
    await scene.pod('web-0', { annotations: hookAnnotations(VELERO, mark('ran'), bad) });
    await scene.pod('web-1', { annotations: hookAnnotations(OWN, '["sh", "-c"') });
    await scene.restore();
    const plan = (await scene.plan()).json();
    const [hook] = plan.hooks;
    assert.deepEqual(
      [hook.execTimeout, hook.execTimeoutFrom, hook.waitTimeout, hook.waitForReady, hook.onError],
      ['30s', 'default', undefined, false, 'Continue'],
    );
    for (const code of [
      'exec-timeout-unparsable',
      'wait-timeout-unparsable',
      'wait-for-ready-unparsable',
      'on-error-unknown',
    ]) {
      assert.deepEqual(
        noticesOf(plan, code).map(({ pod, message }: Loose) => [pod, /using /.test(message)]),
        [['web-0', true]],
        code,
      );
    }
    const { code, stderr, json } = await scene.apply();
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^notice: \S+\/web-0: post\.hook\.restore\.velero\.io\/exec-timeout is not a duration/m);
    assert.deepEqual(await scene.marks('web-0'), ['ran']);
    const [, broken] = json().hooks;
    assert.deepEqual(
      [broken.command, broken.state, broken.reason],
      [['["sh", "-c"'], 'Failed', 'error'],
      'one argv element, as it stands',
    );
  });

  it('a --hooks file that is none: exit 2 with its name and line', async () => {
    const scene = await e2e.scene('no-file');
    await scene.restore();
    const cases: readonly [text: string, expected: RegExp][] = [
      ['apiVersion: restorehooks.io/v1\nkind: RestoreHooks\nspec: [unclosed\n', /file\.yaml:[34]\b/],
      ['apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n', /file\.yaml:1: .*(apiVersion|kind)/],
      [
        '# a comment\n\napiVersion: restorehooks.io/v1\nkind: RestoreHooks\nspec: {resources: [{postHooks: [{exec: {command: sh}}]}]}\n',
        /file\.yaml:3: spec\.resources\[0\]\.postHooks\[0\]\.exec\.command: expected/,
      ],
    ];
    for (const [text, expected] of cases) {
      await writeFile(join(cluster.folder, 'file.yaml'), text);
      const { code, stdout, stderr } = await scene.apply('--hooks', 'file.yaml');
      assert.deepEqual([code, stdout], [2, ''], stderr);
      assert.match(stderr, expected);
    }
    const missing = await scene.apply('--hooks', 'missing.yaml');
    assert.deepEqual([missing.code, missing.stderr], [2, 'error: missing.yaml: no such file or directory\n']);
    await assertUntouched(e2e, scene);
  });

  it('a command of 200 KiB: that hook fails, the others run, and nobody quotes it', async () => {
    const scene = await e2e.scene('long');
    const filler = 'x'.repeat(200 * 1024);
    await scene.pod('long-0', { annotations: hookAnnotations(VELERO, sh(`echo long >> marks # ${filler}`)) });
    await scene.pod('web-0', { annotations: hookAnnotations(VELERO, mark('short')) });
    await scene.restore();
    const human = await e2e.plugin('plan', scene.name, ...at);
    assert.equal(human.code, 0, human.stderr);
    assert.ok(human.stdout.length < 4096, 'a table stays one');
    const ran = await e2e.plugin('apply', scene.name, ...at);
    assert.equal(ran.code, 0, ran.stderr);
    const [long, short] = (await scene.status()).json().hooks;
    // Linux accepts no argument of 128 KiB or more, and runc reports that with an exit code.
    assert.deepEqual([long.state, short.state], ['Failed', 'Succeeded']);
    assert.ok(['exit', 'error'].includes(long.reason), long.reason);
    assert.ok((long.message ?? '').length < 1024, long.message?.slice(0, 200));
    assert.deepEqual([await scene.marks('long-0'), await scene.marks('web-0')], [[], ['short']]);
    const said = [ran.stdout, ran.stderr, JSON.stringify(await scene.annotations()), await runnerLog(scene)];
    for (const text of said) assert.ok(!text.includes('x'.repeat(100)), text.slice(0, 2000));
  });
});

/** Characters that change a terminal or mislead its reader: C0 except newline, DEL, C1, and marks that reorder text. */
const RAW = /[\0-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const EVIL = '\x1b[2J\x1b]0;owned\x07\x9b31m\u202Egnp\r\nfake: line\ttab';

async function runnerLog(scene: Scene): Promise<string> {
  const job = (await scene.jobs()).at(-1);
  const [pod] = await cluster.list('pods', velero, `batch.kubernetes.io/job-name=${job.metadata.name}`);
  return cluster.log(velero, pod.metadata.name);
}

function assertClean(what: string, ...texts: string[]): void {
  for (const text of texts) {
    const found = RAW.exec(text);
    assert.equal(
      found,
      null,
      `${what}: ${JSON.stringify(text.slice(Math.max(0, (found?.index ?? 0) - 60), (found?.index ?? 0) + 60))}`,
    );
  }
}

describe('control characters and escape sequences', () => {
  // R5.18
  it('reach no terminal, annotation or log from names, annotations, commands and outputs', async () => {
    const scene = await e2e.scene('evil');
    const print = `printf '\\033[31mred\\033[0m\\007 \\302\\2332J\\r\\nnext \\342\\200\\256line'`;
    await scene.pod('web-0');
    await scene.pod('web-1', {
      annotations: hookAnnotations(VELERO, sh(`${print}; exit 1 # ${EVIL}`), {
        container: `main${EVIL}`,
        'on-error': EVIL,
        'exec-timeout': EVIL,
      }),
    });
    await scene.pod('web-2', { annotations: hookAnnotations(OWN, EVIL) });
    await scene.restore({
      hooks: [entry([exec(sh(print)), exec(sh(`${print}; ${print} >&2; exit 7 # ${EVIL}`))], { name: `e${EVIL}/2e%` })],
    });
    const id = `${scene.namespace}/web-0/main/e%1B[2J%1B]0;owned%07%C2%9B31m%E2%80%AEgnp%0D%0Afake:%20line%09tab%2F2e%/`;
    const plans: Ran[] = [];
    for (const format of [[], ['-o', 'wide'], ['-o', 'name'], ['-o', 'json'], ['-o', 'yaml']]) {
      plans.push(await e2e.plugin('plan', scene.name, ...at, ...format));
    }
    plans.push(await e2e.plugin('plan', scene.name, ...at, '--explain', 'web-0'));
    for (const { code, stdout, stderr } of plans) {
      assert.equal(code, 0, stderr);
      assertClean('plan', stdout, stderr);
    }
    const planned = plans[3]?.json();
    assert.equal(planned.hooks[0].id, `${id}0`);
    assert.equal(planned.hooks[0].name, `e${EVIL}/2e%`, 'documents keep what was written, escaped');
    assert.ok(!plans[0]?.stdout.split('\n').some((line) => line.startsWith('fake:')), 'no line of its own');
    const ran = await e2e.plugin('apply', scene.name, ...at);
    assert.equal(ran.code, 0, ran.stderr);
    assertClean('apply', ran.stdout, ran.stderr);
    assert.ok(!ran.stderr.split('\n').some((line) => line.startsWith('fake:')), ran.stderr);
    for (const format of [[], ['-o', 'wide'], ['-o', 'name'], ['-o', 'json'], ['-o', 'yaml']]) {
      const { code, stdout, stderr } = await e2e.plugin('status', scene.name, ...at, ...format);
      assert.equal(code, 0, stderr);
      assertClean('status', stdout, stderr);
    }
    const { hooks } = (await scene.status()).json();
    assert.deepEqual(
      hooks.map(({ state, reason }: Loose) => reason ?? state),
      ['Succeeded', 'exit', 'no-such-container', 'error'],
    );
    assert.equal(hooks[0].stdout, 'red \nnext line', 'what was printed, and nothing else');
    assert.deepEqual([hooks[1].stderr, hooks[1].exitCode], ['red \nnext line', 7]);
    const annotations = Object.values(await scene.annotations());
    assertClean('annotations', ...annotations);
    for (const text of [...annotations, await runnerLog(scene)]) {
      assertClean('log', text);
      for (const secret of ['printf', 'next line']) assert.ok(!text.includes(secret), text);
    }
    const [job] = await scene.jobs();
    assert.ok(!JSON.stringify(job).includes('printf'), 'no command in a pod spec');
    const only = await scene.plan('--only', `${id}1`);
    assert.deepEqual([only.code, only.json().hooks.length], [0, 1], only.stderr);
  });
});

describe('names and selectors', () => {
  // R1.13
  it('a Restore whose name is longer than a label value', async () => {
    const scene = await e2e.scene('long-name');
    const name = `${scene.name}-${'of-a-very-long-name-'.repeat(8)}end`;
    const label = name.slice(0, 57) + createHash('sha256').update(name).digest('hex').slice(0, 6);
    await cluster.create({
      apiVersion: 'velero.io/v1',
      kind: 'Restore',
      metadata: { name, namespace: velero },
      spec: { backupName: 'nightly', hooks: { resources: [entry(exec(mark('long')))] } },
    });
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-0', namespace: scene.namespace, labels: { 'velero.io/restore-name': label } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image: IMAGE, command: ['sleep', '100000'] }],
      },
    });
    const ran = await e2e.plugin('apply', name, ...at, '-o', 'json');
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['long']);
    const runner = ran.json().runner.name;
    assert.ok(runner.length <= 63 && runner.startsWith(`restorehooks-${scene.name}`), runner);
    const [job] = await cluster.list('jobs', velero, `restorehooks.io/restore=${label}`);
    assert.equal(job.metadata.name, runner);
    assert.equal((await e2e.plugin('status', name, ...at, '-w')).code, 0);
  });

  // R1.14
  it('pods by hand: -l needs a place, and finds pods that Velero has not labelled', async () => {
    const scene = await e2e.scene('by-hand');
    const other = await cluster.namespace('e2e-by-hand-2');
    const team = { team: scene.name };
    const manifest = scene.podManifest('web-0', { labels: team });
    delete manifest.metadata.labels['velero.io/restore-name'];
    await cluster.create(manifest);
    await cluster.create({ ...manifest, metadata: { ...manifest.metadata, namespace: other } });
    await scene.restore({ hooks: [entry(exec(mark('by-hand')))] });
    const select = ['-l', `team=${scene.name}`];
    const idsIn = (...namespaces: string[]) => namespaces.sort().map((each) => `${each}/web-0/main/e2e/0`);
    const idsOf = (ran: Ran): string[] => ran.json().hooks.map(({ id }: Loose) => id);

    for (const [wrong, expected] of [
      [select, /--selector needs either --all-namespaces or --pod-namespace/],
      [[...select, '-A', '--pod-namespace', other], /--selector needs either/],
      [['-A'], /go with --selector/],
      [['--pod-namespace', other], /go with --selector/],
    ] as const) {
      const { code, stdout, stderr } = await scene.apply(...wrong);
      assert.deepEqual([code, stdout], [2, ''], stderr);
      assert.match(stderr, expected);
    }
    const broken = await scene.apply('-l', 'a in (', '-A');
    assert.equal(broken.code, 2, broken.stderr);
    const none = await scene.apply();
    assert.equal(none.code, 8, none.stderr);
    const label = `velero.io/restore-name=${scene.name}`;
    assert.match(none.stderr, new RegExp(`: none in any namespace has ${label}$.*--allow-no-match`, 'ms'));
    assert.equal((await scene.apply('--allow-no-match')).code, 0);
    await assertUntouched(e2e, scene, 'web-0');
    assert.deepEqual(idsOf(await scene.plan(...select, '-A')), idsIn(scene.namespace, other));
    assert.deepEqual(
      idsOf(await scene.plan(...select, '--pod-namespace', `${other},${scene.namespace}`)),
      idsIn(scene.namespace, other),
    );
    const ran = await scene.apply(...select, '--pod-namespace', scene.namespace);
    assert.deepEqual([ran.code, idsOf(ran)], [0, idsIn(scene.namespace)], ran.stderr);
    const all = await scene.apply(...select, '-A');
    assert.deepEqual([all.code, idsOf(all)], [0, idsIn(scene.namespace, other)], all.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['by-hand']);
  });
});
