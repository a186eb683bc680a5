import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { runnerConfig } from '../../runner/config.ts';
import { lambdaCall } from '../../runner/lambda-event.ts';
import { ownPlan } from '../../runner/own-plan.ts';
import { systemClock } from '../../shared/system/clock.ts';
import type { Loose, PodOptions, Scene } from './harness.ts';
import { entry, exec, hookAnnotations, IMAGE, mark, OWN, sh, startSuite, VELERO, waitFor } from './harness.ts';
import { assertUntouched } from './untouched.ts';

/** What Velero does besides restoring pods, shown with objects that the test makes; test/cluster has a real Velero. */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const WORKED_ON = { phase: 'Completed', startTimestamp: '2026-01-01T00:00:00Z', hookStatus: {} };
const codesOf = (ran: { json(): Loose }): string[] => ran.json().notices.map(({ code }: Loose) => code);
const noticesOf = (ran: { json(): Loose }, code: string): Loose[] =>
  ran.json().notices.filter((notice: Loose) => notice.code === code);

const isRunning = ({ status }: Loose): boolean => status?.containerStatuses?.every(({ state }: Loose) => state.running);
const running = (scene: Scene, name: string): Promise<Loose> =>
  waitFor(`pod ${name} to run`, async () => {
    const pod = await cluster.get('pods', scene.namespace, name);
    return pod.status?.containerStatuses?.length > 0 && isRunning(pod) && pod;
  });

/** A pod that is at least a second older than what is made after it. */
async function olderPod(scene: Scene, name: string, options: PodOptions): Promise<Loose> {
  const { metadata } = await cluster.create(scene.podManifest(name, options));
  await waitFor('a later second', () => Date.now() >= Date.parse(metadata.creationTimestamp) + 1000);
  return running(scene, name);
}

/** The command that a notice names. */
const commandIn = ({ message }: Loose): string[] =>
  (/kubectl restorehooks (apply .*)$/.exec(message)?.[1] ?? '').split(' ').map((part) => part.replaceAll("'", ''));

describe('pods that no Restore has restored', { concurrency: 4 }, () => {
  const own = { annotations: hookAnnotations(OWN, mark('own')) };

  // R1.16
  it('that were there before the Restore are left out, unless they are asked for', async () => {
    const scene = await e2e.scene('existing');
    await olderPod(scene, 'web-0', own);
    await scene.restore({ spec: { existingResourcePolicy: 'update' }, status: WORKED_ON });
    for (const args of [[], ['--rerun'], ['--only', 'web-0'], ['--runner=local']]) {
      const refused = await scene.apply(...args);
      assert.deepEqual([refused.code, refused.stdout], [8, ''], refused.stderr);
      assert.match(
        refused.stderr,
        /^notice: .*web-0: was there before the Restore .*--include-existing.*not-restored\)$/m,
      );
      assert.match(refused.stderr, new RegExp(`^hint: .*apply ${scene.name} -n ${velero} --include-existing`, 'm'));
    }
    assert.equal((await scene.apply('--allow-no-match')).code, 0);
    await assertUntouched(e2e, scene, 'web-0');
    const plan = await scene.plan('--rerun');
    assert.deepEqual([plan.code, plan.json().hooks, codesOf(plan)], [0, [], ['pod-not-restored']], plan.stderr);

    const explained = await e2e.plugin('plan', scene.name, '-n', velero, '--explain', 'web-0');
    assert.match(explained.stdout, /web-0\n {2}takes no part: was there before the Restore/);
    assert.match(explained.stdout, /\(pod-not-restored\)\n {2}planned: nothing\n/);

    await scene.pod('web-1', own);
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().counts.planned], [0, 1], ran.stderr);
    assert.deepEqual([await scene.marks('web-0'), await scene.marks('web-1')], [[], ['own']]);
    const all = await scene.apply('--include-existing');
    assert.deepEqual([all.code, all.json().counts.planned], [0, 2], all.stderr);
    assert.deepEqual([await scene.marks('web-0'), await scene.marks('web-1')], [['own'], ['own']]);
  });

  it('are left out by a runner that plans for itself, too, and refused beside a Velero that gave up', async () => {
    const scene = await e2e.scene('image');
    await olderPod(scene, 'web-0', own);
    await scene.restore({ spec: { existingResourcePolicy: 'update' }, status: WORKED_ON });
    const told: Loose[] = [];
    const log = { ...SILENT, warn: (_: string, fields: object = {}) => told.push(fields) };
    const plan = (...args: string[]) =>
      ownPlan(cluster.client, systemClock, runnerConfig([scene.name, '-n', velero, ...args], {}), undefined, log);
    await assert.rejects(plan('--rerun'), { code: 'NO_POD_MATCHED' });
    assert.deepEqual(
      told.map(({ code, pod }) => [code, pod]),
      [['pod-not-restored', 'web-0']],
    );
    const event = {
      restore: scene.name,
      namespace: velero,
      includeExisting: true,
      cluster: { name: 'c', region: 'eu-west-1' },
    };
    const calls = [
      plan('--include-existing'),
      ownPlan(cluster.client, systemClock, lambdaCall(event, {}).config, undefined, SILENT),
    ];
    for (const planned of await Promise.all(calls)) assert.ok('plan' in planned && planned.hooks.length === 1);
    const { hookStatus: _, ...gaveUp } = { ...WORKED_ON, completionTimestamp: '2026-01-01T00:10:02Z' };
    const hooks = { resources: [entry(exec(mark('x')))] };
    const status = { hookStatus: null, ...gaveUp };
    await (await e2e.scene('image-told')).restore({ status: WORKED_ON });
    await cluster.patch('restores', velero, scene.name, { spec: { hooks }, status });
    await assert.rejects(plan('--include-existing', '--rerun'), { code: 'RUN_BY_ANOTHER' });
    const forced = await plan('--include-existing', '--force');
    assert.ok('plan' in forced && forced.hooks.length === 1);
  });

  it('and have no hooks leave nothing out', async () => {
    const scene = await e2e.scene('hookless');
    await olderPod(scene, 'web-0', {});
    await scene.restore({ status: WORKED_ON });
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().hooks], [0, []], ran.stderr);
    assert.doesNotMatch(ran.stderr, /pod-not-restored/);
  });

  it('that are selected by hand are all meant', async () => {
    const scene = await e2e.scene('by-hand');
    await olderPod(scene, 'web-0', own);
    await scene.restore({ status: WORKED_ON });
    const ran = await scene.apply('-l', 'app=web', '--pod-namespace', scene.namespace);
    assert.deepEqual([ran.code, await scene.marks('web-0')], [0, ['own']], ran.stderr);
  });

  // R1.15
  it('none at all is never green, whatever hooks the Restore has', async () => {
    for (const hooks of [undefined, [entry(exec(mark('x')))]]) {
      const scene = await e2e.scene(hooks === undefined ? 'none' : 'none-hooked');
      await scene.restore({ ...(hooks && { hooks }), status: WORKED_ON });
      const label = `velero.io/restore-name=${scene.name}`;
      const none = await scene.apply();
      assert.deepEqual([none.code, none.stdout], [8, '']);
      assert.match(none.stderr, new RegExp(`^error: .*: none in any namespace has ${label}$`, 'm'));
      assert.match(
        none.stderr,
        new RegExp(`^the pods of its backup: .*plan ${scene.name} -n ${velero} --from-backup nightly$`, 'm'),
      );
      const byHand = await scene.apply('-l', 'app=web', '--pod-namespace', scene.namespace);
      assert.equal(byHand.code, 8);
      assert.match(byHand.stderr, new RegExp(`^error: .*: none in namespace ${scene.namespace} has app=web$`, 'm'));
      assert.equal((await scene.apply('--only', 'web-0')).code, 8);
      assert.equal((await scene.apply('--allow-no-match')).code, 0);
      assert.equal((await scene.plan()).code, 0, 'a plan can always be shown');
      await assertUntouched(e2e, scene);
    }
  });

  // R1.17
  it('but their controller has made anew are told, with what selects them', async () => {
    const scene = await e2e.scene('anew');
    const owner = await cluster.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'db', namespace: scene.namespace },
    });
    await scene.restore({ status: WORKED_ON });
    const { uid, name } = owner.metadata;
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name, uid, controller: true }];
    const create = async (pod: string, labels: object, annotations = own.annotations) => {
      const manifest = scene.podManifest(pod, { annotations });
      Object.assign(manifest.metadata, { labels, ownerReferences: pod.startsWith('db') ? ownerReferences : [] });
      await cluster.create(manifest);
      await running(scene, pod);
    };
    const label = { 'velero.io/restore-name': scene.name };
    await create('db-0', { app: 'db', ...label });
    await create('db-1', { app: 'db', 'apps.kubernetes.io/pod-index': '1' });
    await create('db-2', { app: 'db', 'velero.io/restore-name': 'later' });
    await create('other-0', { app: 'other', 'velero.io/restore-name': 'later' });
    await create('plain-0', { app: 'db' }, {});
    const plan = await scene.plan();
    assert.deepEqual(
      plan.json().hooks.map(({ pod }: Loose) => pod),
      ['db-0'],
    );
    const [told, ...more] = noticesOf(plan, 'pods-without-label');
    assert.deepEqual(more, [], 'neither those of another Restore, nor those without hooks');
    assert.match(told.message, /: db-1, db-2 \(of Restore later\) \(ConfigMap db\); /);
    const select = `app=db,velero.io/restore-name!=${scene.name}`;
    assert.deepEqual(commandIn(told), [
      'apply',
      scene.name,
      '-n',
      velero,
      '-l',
      select,
      '--pod-namespace',
      scene.namespace,
    ]);
    const ran = await e2e.plugin(...commandIn(told), '-o', 'json');
    assert.deepEqual(
      ran.json().hooks.map(({ pod, state }: Loose) => `${pod} ${state}`),
      ['db-1 Succeeded', 'db-2 Succeeded'],
    );
    assert.deepEqual([await scene.marks('db-0'), await scene.marks('db-1')], [[], ['own']]);
  });

  it('where all labels are gone, the pods are looked for where the Restore restores to', async () => {
    const scene = await e2e.scene('lost');
    await scene.restore({
      spec: { includedNamespaces: ['shop'], namespaceMapping: { shop: scene.namespace } },
      status: WORKED_ON,
    });
    await scene.pod('web-0', { ...own, labels: { 'velero.io/restore-name': 'later' } });
    const none = await scene.apply();
    assert.equal(none.code, 8);
    assert.match(none.stderr, /take no part: web-0 \(of Restore later\); to select them: .* -l 'app=web,/);
  });
});

describe('a run that was made', { concurrency: 2 }, () => {
  // R1.29
  it('is shown, with its code, whatever becomes of labels and pods', async () => {
    const scene = await e2e.scene('made');
    await scene.pod('web-0', { annotations: hookAnnotations(OWN, sh('exit 7'), { 'on-error': 'Fail' }) });
    await scene.restore({ status: WORKED_ON });
    const ran = await scene.apply();
    assert.equal(ran.code, 3, ran.stderr);
    const { runID } = ran.json();
    const isShown = async (what: string) => {
      const again = await scene.apply();
      assert.deepEqual([again.code, again.json().runID, again.json().phase], [3, runID, 'PartiallyFailed'], what);
      assert.match(again.stderr, new RegExp(`^there is nothing to run now.*: this is run ${runID}$`, 'm'));
      assert.equal((await scene.status()).json().runID, runID, what);
      assert.equal((await scene.status('-w')).code, 3, what);
    };
    const label = (value: string | null) =>
      cluster.patch('pods', scene.namespace, 'web-0', { metadata: { labels: { 'velero.io/restore-name': value } } });
    await label('later');
    await isShown('the label of a later Restore');
    await label(null);
    await isShown('no label');
    await label(scene.name);
    await cluster.patch('pods', scene.namespace, 'web-0', { metadata: { annotations: { [`${OWN}/command`]: null } } });
    await isShown('no hooks any more');
    await scene.removePod('web-0');
    await isShown('no pod');
    assert.equal((await scene.jobs()).length, 1);
  });

  it('again by Velero: apply without --rerun shows it', async () => {
    const scene = await e2e.scene('rerun');
    await scene.pod('web-0', { annotations: hookAnnotations(VELERO, mark('v')) });
    await scene.restore({ status: WORKED_ON });
    assert.equal((await scene.apply()).code, 9);
    const { runID } = (await scene.apply('--rerun')).json();
    const again = await scene.apply();
    assert.deepEqual([again.code, again.json().runID], [0, runID], again.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['v']);
  });
});

describe('a Velero that has stopped waiting for its hooks', () => {
  const GAVE_UP = {
    phase: 'PartiallyFailed',
    startTimestamp: '2026-01-01T00:00:00Z',
    completionTimestamp: '2026-01-01T00:10:02Z',
  };

  // R1.24
  it('leaves nothing to run beside it, from no source, unless --force', async () => {
    const scene = await e2e.scene('gave-up');
    await (await e2e.scene('told')).restore({ status: WORKED_ON });
    await scene.restore({
      hooks: [
        entry([exec(mark('spec'), { waitTimeout: '1m', execTimeout: '2m' }), exec(mark('b'), { waitTimeout: '3m' })]),
      ],
      status: GAVE_UP,
    });
    const { metadata } = await scene.pod('web-0', { annotations: hookAnnotations(OWN, mark('own')) });
    await scene.pod('api-0', { annotations: hookAnnotations(VELERO, mark('velero')) });
    const file = await scene.hooksFile([entry(exec(mark('file')))]);
    const until = new Date(Date.parse(metadata.creationTimestamp) + (180 + 120 + 30) * 1000).toISOString();
    for (const args of [[], ['--rerun'], ['--only', 'web-0'], ['--hooks', file], ['--runner=local'], ['--again']]) {
      const refused = await scene.apply(...args);
      assert.deepEqual([refused.code, refused.stdout], [9, ''], refused.stderr);
      assert.match(refused.stderr, /^error: Velero has given up waiting .*no hookStatus\): they may be running/);
      assert.match(refused.stderr, new RegExp(`/web-0: .* e2e \\(0\\), e2e \\(1\\), .* until ${until}$`, 'm'));
      assert.match(refused.stderr, /\/api-0: .*<from-annotation> \(0\), .*without a wait timeout it waits for ever$/m);
      assert.match(refused.stderr, new RegExp(`apply ${scene.name} -n ${velero} --force`));
    }
    await assertUntouched(e2e, scene, 'web-0', 'api-0');
    const plan = await scene.plan('--rerun');
    assert.deepEqual([plan.code, plan.json().hooks, codesOf(plan)], [0, [], ['velero-gave-up', 'velero-gave-up']]);
    const forced = await scene.apply('--force');
    assert.deepEqual([forced.code, forced.json().counts.planned], [0, 1], forced.stderr);
    assert.match(forced.stderr, /\(velero-gave-up\)$/m);
    assert.deepEqual([await scene.marks('web-0'), await scene.marks('api-0')], [['own'], []]);
    const retried = await e2e.plugin('retry', scene.name, '-n', velero);
    assert.equal(retried.code, 9, retried.stderr);
  });

  it('is not told of Restores that have no hooks', async () => {
    const scene = await e2e.scene('no-hooks');
    await (await e2e.scene('told-too')).restore({ status: WORKED_ON });
    await scene.restore({ status: GAVE_UP });
    await scene.pod('web-0', { annotations: hookAnnotations(OWN, mark('own')) });
    const ran = await scene.apply();
    assert.deepEqual([ran.code, await scene.marks('web-0')], [0, ['own']], ran.stderr);
  });

  // R1.25
  it('is a Velero too old to write hookStatus where no Restore has one', async () => {
    const namespace = await cluster.namespace('velero-old');
    const scene = await e2e.scene('old');
    await cluster.create({
      apiVersion: 'velero.io/v1',
      kind: 'Restore',
      metadata: { name: scene.name, namespace },
      spec: { hooks: { resources: [entry(exec(mark('x')))] } },
      status: GAVE_UP,
    });
    await cluster.create(scene.podManifest('web-0'));
    await running(scene, 'web-0');
    const plan = await e2e.plugin('plan', scene.name, '-n', namespace, '-o', 'json', '--rerun');
    assert.deepEqual([plan.json().hooks.length, codesOf(plan)], [1, ['hook-status-unknown']], plan.stderr);
  });
});

describe('a Restore that Velero can not read', () => {
  // R1.28
  it('is named wherever one is met that waits behind it, with the command that frees the queue', async () => {
    const bad = await e2e.scene('one-day');
    const scene = await e2e.scene('behind');
    await bad.restore({ hooks: [entry(exec(mark('x'), { execTimeout: '1d' }))] });
    await scene.restore();
    await scene.pod('web-0', { annotations: hookAnnotations(OWN, mark('own')) });
    const frees = `kubectl delete restore.velero.io ${bad.name} -n ${velero}`;
    const at = ['-n', velero];
    for (const command of ['plan', 'apply', 'status', 'retry', 'cancel']) {
      const met = await e2e.plugin(command, bad.name, ...at);
      assert.equal(met.code, 2, met.stderr);
      assert.ok(met.stderr.includes(`${bad.name}: spec.hooks.resources[0].postHooks[0].exec.execTimeout`), met.stderr);
      assert.ok(met.stderr.endsWith(`: ${frees}\n`), met.stderr);
    }
    for (const command of ['plan', 'status', 'retry', 'cancel']) {
      const { stdout, stderr } = await e2e.plugin(command, scene.name, ...at);
      assert.ok(`${stdout}${stderr}`.includes(frees), `${command}: ${stdout}${stderr}`);
    }
    const ran = await scene.apply();
    assert.deepEqual([ran.code, await scene.marks('web-0')], [0, ['own']], ran.stderr);
    assert.match(ran.stderr, /\(velero-is-stopped\)$/m);
    await cluster.remove('restores', velero, bad.name);
    const { stderr } = await e2e.plugin('status', scene.name, ...at);
    assert.doesNotMatch(stderr, /Velero/);
  });

  // R1.27
  it('is told from one that it has refused, or failed to restore', async () => {
    for (const [phase, more, word] of [
      [
        'FailedValidation',
        { validationErrors: ["can't find backup velero/no"] },
        /FailedValidation.*restored nothing: can't find backup velero\/no/,
      ],
      [
        'Failed',
        { failureReason: 'found a restore with status "InProgress"' },
        /\(Failed\).* a part .*: found a restore/,
      ],
    ] as const) {
      const scene = await e2e.scene(phase.toLowerCase());
      await scene.restore({ hooks: [entry(exec(mark('x')))], status: { phase, ...more } });
      const refused = await scene.apply();
      assert.equal(refused.code, 8, refused.stderr);
      assert.match(refused.stderr, word);
      assert.match((await scene.status()).stderr, word);
    }
  });
});

describe('what can not be seen in a backup', () => {
  // R2.10
  it('is told: resource modifiers, ephemeral containers, restart rules', async () => {
    const scene = await e2e.scene('offline');
    const pod = scene.podManifest('web-0', {
      containers: [
        { name: 'main', restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [9] } }] },
      ],
      spec: { ephemeralContainers: [{ name: 'debugger', image: IMAGE }] },
    });
    const restore = {
      apiVersion: 'velero.io/v1',
      kind: 'Restore',
      metadata: { name: scene.name },
      spec: { resourceModifier: { kind: 'ConfigMap', name: 'mods' }, hooks: { resources: [entry(exec(mark('x')))] } },
    };
    const file = join(cluster.folder, `offline-${randomUUID().slice(0, 8)}.json`);
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [restore, pod] }));
    const plan = await e2e.plugin('plan', '-f', file, '-o', 'json');
    assert.deepEqual(plan.json().hooks.length, 1);
    const expected = ['ephemeral-containers', 'resource-modifier', 'restart-policy-rules', 'restore-without-phase'];
    assert.deepEqual(codesOf(plan).sort(), expected);
  });
});
