import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { auditOf } from './audit.ts';
import type { Plugin, Scene } from './harness.ts';
import { entry, exec, gated, hooksOf, isReal, mark, sh, startSuite, waitFor } from './harness.ts';

/** What hooks have printed is shown: while they run, and afterwards; whole, once, and to nobody else. */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

const logs = (scene: Scene, ...args: string[]) => e2e.plugin('logs', scene.name, '-n', velero, ...args);
const follow = (scene: Scene, plugin: Plugin = e2e.plugin, ...args: string[]) =>
  plugin.start('logs', scene.name, '-n', velero, '-f', ...args);
const apply = (scene: Scene, ...args: string[]) =>
  e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', ...args);
/** A hook that prints a line each time the test makes a file `step-N`, up to `steps`. */
const stepwise = (steps: number, word = 'step') =>
  sh(
    `i=1; while [ $i -le ${steps} ]; do while [ ! -f step-$i ]; do sleep 0.1; done; echo ${word} $i; i=$((i+1)); done`,
  );
/** What a reader of the report may do, and what `kubectl logs` of the runner's pod takes. */
const reader = () =>
  e2e.userWith([
    { apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get'], namespace: velero },
    { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'], namespace: velero },
    { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get'], namespace: velero },
  ]);

describe('after a run, logs', () => {
  let scene: Scene;
  const id = (pod: string, name: string, index: number) => `${scene.namespace}/${pod}/main/${name}/${index}`;

  // R7.32
  it('print what each hook printed, in plan order, with its end above it', async () => {
    scene = await e2e.scene('after');
    await scene.pod('a-0');
    await scene.pod('b-0');
    await scene.restore({
      hooks: [
        hooksOf('a', exec(sh('echo loaded 12 tables; echo slow disk >&2')), exec(mark('silent'))),
        hooksOf('b', exec(sh("printf 'no newline'; exit 3"))),
      ],
    });
    const ran = await scene.apply();
    assert.equal(ran.json().phase, 'CompletedWithFailures', ran.stderr);
    const said = await logs(scene);
    assert.equal(
      said.stdout,
      `==> ${id('a-0', 'a', 0)} stdout, Succeeded <==
loaded 12 tables

==> ${id('a-0', 'a', 0)} stderr, Succeeded <==
slow disk

==> ${id('b-0', 'b', 0)} stdout, Failed (exit 3) <==
no newline
`,
    );
    assert.equal(said.stderr, `no output: ${id('a-0', 'a', 1)} (printed nothing, or nothing was kept)\n`);
    assert.equal(said.code, 0);
  });

  it('of some hooks only, by id, name, pod, and outcome', async () => {
    const printedBy = async (...args: string[]) => {
      const { stdout, code, stderr } = await logs(scene, '--prefix', ...args);
      assert.equal(code, 0, stderr);
      return stdout.split('\n').filter(Boolean);
    };
    const [a, b] = [id('a-0', 'a', 0), id('b-0', 'b', 0)];
    assert.deepEqual(await printedBy('--hook', a), [`[${a}] loaded 12 tables`, `[${a} stderr] slow disk`]);
    assert.deepEqual(await printedBy('--hook', 'b'), [`[${b}] no newline`]);
    assert.deepEqual(await printedBy('--pod', 'b-0'), [`[${b}] no newline`]);
    assert.deepEqual(await printedBy('--pod', `${scene.namespace}/b-0`, '--failed'), [`[${b}] no newline`]);
    assert.deepEqual(await printedBy('--failed'), [`[${b}] no newline`]);
    assert.deepEqual(await printedBy('--failed', '--pod', 'a-0'), []);
    assert.deepEqual(await printedBy('--since', '1ms'), []);
    assert.equal((await printedBy('--since', '1h')).length, 3);
  });

  it('a line a JSON object, or with the time of its end', async () => {
    const { hooks } = (await scene.status()).json();
    const json = await logs(scene, '-o', 'json', '--pod', 'a-0');
    const place = { hook: id('a-0', 'a', 0), namespace: scene.namespace, pod: 'a-0', container: 'main' };
    assert.deepEqual(
      json.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      [
        { time: hooks[0].finishedAt, ...place, stream: 'stdout', text: 'loaded 12 tables' },
        { time: hooks[0].finishedAt, ...place, stream: 'stderr', text: 'slow disk' },
      ],
    );
    const timed = await logs(scene, '--timestamps', '--prefix', '--hook', 'b');
    assert.equal(timed.stdout, `[${id('b-0', 'b', 0)}] ${hooks[2].finishedAt} no newline\n`);
  });

  // R7.34
  it('refuse names that the run does not have, and say which was meant', async () => {
    for (const [args, message, hint] of [
      [['--pod', 'a-O'], /--pod "a-O" is no pod of the run/, /did you mean "a-0"\?/],
      [['--hook', 'warmup'], /--hook "warmup" is no hook of the run/, /status \S+ -n \S+ -o name/],
      [['--hook', id('a-0', 'a', 7)], /is no hook of the run/, /did you mean/],
      [['--hook', 'a', '--pod', 'b-0'], /no hook of the run is named by both/, /-o name/],
      [['--since', 'yesterday'], /--since: expected a duration/, /^/],
    ] as const) {
      const said = await logs(scene, ...args);
      assert.deepEqual([said.code, said.stdout], [2, ''], args.join(' '));
      assert.match(said.stderr, message);
      assert.match(said.stderr, hint);
    }
    const none = await e2e.plugin('logs', 'no-such', '-n', velero);
    assert.equal(none.code, 4, none.stderr);
  });

  it('of a Restore without a run say so', async () => {
    const fresh = await e2e.scene('fresh');
    await fresh.restore();
    for (const args of [[], ['-f']]) {
      const said = await logs(fresh, ...args);
      assert.deepEqual([said.code, said.stdout], [0, '']);
      assert.match(said.stderr, /no run of Restore .* yet/);
    }
  });

  // R7.29
  it('are there although the annotations of the Restore are gone', async () => {
    const scene = await e2e.scene('lost');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(sh('echo still there')))] });
    await scene.apply();
    await cluster.patch('restores', velero, scene.name, { metadata: { annotations: null } });
    const said = await logs(scene);
    assert.equal(said.stdout, `==> ${scene.namespace}/web-0/main/e2e/0 stdout, Succeeded <==\nstill there\n`);
    assert.match(said.stderr, /^warning: the annotations of run .* are gone/);
  });

  it('have no control characters, whatever a hook prints', async () => {
    const hostile = await e2e.scene('hostile');
    await hostile.pod('web-0');
    const script = String.raw`printf 'a\033[2J\033]0;title\007b\rc\tz\342\200\256d\n\377\n==> fake <==\n'`;
    await hostile.restore({ hooks: [entry(exec(sh(script)))] });
    await hostile.apply();
    const said = await logs(hostile, '--prefix');
    const at = `[${hostile.namespace}/web-0/main/e2e/0]`;
    assert.equal(said.stdout, ['ab', 'c\tzd', '\ufffd', '==> fake <=='].map((line) => `${at} ${line}\n`).join(''));
  });
});

describe('what is kept', () => {
  // R5.16
  it('is also the output of a hook that timed out', async () => {
    const scene = await e2e.scene('slow');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry([exec(sh('echo locked by pid 7; sleep 100000'), { execTimeout: '2s' })])] });
    const ran = await scene.apply();
    const [hook] = ran.json().hooks;
    assert.deepEqual([hook.state, hook.reason, hook.stdout], ['TimedOut', 'executing', 'locked by pid 7\n']);
  });

  // R5.13, R5.16
  it('is all of it with --capture=full:3Mi, in the report, in its documents and in logs', async () => {
    const scene = await e2e.scene('full');
    await scene.pod('web-0');
    // About 3.2 MB that gzip can't make small.
    const print = sh(
      'head -c 2359296 /dev/urandom | base64 >out; cat out; wc -c <out >&2; tail -c 3145728 out | sha256sum >&2',
    );
    await scene.restore({ hooks: [entry([exec(print), exec(sh('cat out out'))])] });
    const ran = await scene.apply('--capture=full:3Mi');
    assert.equal(ran.json().phase, 'Completed', ran.stderr);
    const [first, second] = (await scene.status()).json().hooks;
    const [size, digest] = first.stderr.match(/\w+/g);
    assert.equal(first.stdout.length, 3 * 1024 * 1024);
    assert.equal(createHash('sha256').update(first.stdout).digest('hex'), digest, 'the last 3 MiB, byte by byte');
    assert.deepEqual([first.stdoutBytes, second.stdoutBytes], [Number(size), 2 * Number(size)]);
    assert.ok(second.stdout === first.stdout);
    const said = await logs(scene, '--hook', second.id);
    assert.ok(said.stdout.endsWith(second.stdout));
    assert.match(said.stderr, /left out here: 3\.\d MiB of the stdout of/);
    const report = await e2e.plugin('report', scene.name, '-n', velero, '-o', 'json');
    assert.ok(report.json().hooks[0].stdout === first.stdout);
    for (const secret of await cluster.list('secrets', velero, `restorehooks.io/restore=${scene.name}`)) {
      assert.ok(JSON.stringify(secret.data ?? {}).length < 1.4 * 1024 * 1024, secret.metadata.name);
    }
  });

  it('is refused with a size that no report could hold', async () => {
    const said = await e2e.plugin('apply', 'any', '-n', velero, '--capture=full:17Mi');
    assert.equal(said.code, 2);
    assert.match(said.stderr, /--capture: expected none, tail, full or full:SIZE, .* at most 16Mi/);
  });
});

describe('logs -f', () => {
  // R5.19, R5.25, R7.33
  it('prints lines while their hook runs, for who may read the report and the log, and shows them to nobody else', async () => {
    const scene = await e2e.scene('live');
    await scene.pod('web-0');
    const secret = randomUUID();
    await scene.restore({ hooks: [entry(exec(stepwise(5, secret), { execTimeout: '5m' }))] });
    const run = apply(scene);
    await scene.runStatus(({ counts }) => counts.running === 1);
    const asked = auditOf(cluster);
    const user = await reader();
    const following = follow(scene, user, '--prefix');
    for (const step of [1, 2, 3]) {
      await scene.open('web-0', 'main', `step-${step}`);
      await following.says(new RegExp(`${secret} ${step}`));
    }
    assert.equal((await scene.runStatus()).counts.running, 1, 'it still runs');
    for (const step of [4, 5]) await scene.open('web-0', 'main', `step-${step}`);
    await run.done;
    const said = await following.done;
    assert.equal(said.code, 0, said.stderr);
    const at = `[${scene.namespace}/web-0/main/e2e/0]`;
    assert.equal(said.stdout, [1, 2, 3, 4, 5].map((step) => `${at} ${secret} ${step}\n`).join(''));
    assert.match(said.stderr, /^\S+Z Succeeded /m);
    assert.match(said.stderr, /Completed: 1\/1 done\n$/);
    assert.ok(asked !== undefined);
    const [pod] = await scene.runners();
    const log = await cluster.log(velero, pod.metadata.name);
    assert.match(log, /"live":"/);
    for (const text of [log, JSON.stringify(pod), JSON.stringify(await scene.annotations())]) {
      assert.ok(!text.includes(secret));
      for (const [, live = ''] of text.matchAll(/"live":"([^"]+)"/g)) {
        assert.ok(!Buffer.from(live, 'base64').toString('latin1').includes(secret));
      }
    }
  });

  it('shows what has been printed up to now, also without -f', async () => {
    const scene = await e2e.scene('snapshot');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry([exec(sh('echo first')), exec(stepwise(2), { execTimeout: '5m' })])] });
    const run = apply(scene);
    await scene.runStatus(({ counts }) => counts.running === 1);
    await scene.open('web-0', 'main', 'step-1');
    const at = `${scene.namespace}/web-0/main/e2e`;
    const said = await waitFor('the line', async () => {
      const now = await logs(scene);
      return now.stdout.includes('step 1') && now;
    });
    const ended = said.stdout.replace(', Succeeded <==', ' <==');
    assert.equal(ended, `==> ${at}/0 stdout <==\nfirst\n\n==> ${at}/1 stdout <==\nstep 1\n`);
    await scene.open('web-0', 'main', 'step-2');
    await run.done;
  });

  it('goes on with the next runner, where the first one was killed', async () => {
    const scene = await e2e.scene('killed');
    await scene.pod('web-0');
    const hooks = [exec(stepwise(2), { execTimeout: isReal ? '25s' : '5s' }), exec(sh('echo after the other'))];
    await scene.restore({ hooks: [entry(hooks)] });
    const run = apply(scene);
    await scene.runStatus(({ counts }) => counts.running === 1);
    const following = follow(scene);
    await scene.open('web-0', 'main', 'step-1');
    await following.says(/step 1/);
    await scene.killRunner();
    await run.done;
    const said = await following.done;
    const at = `${scene.namespace}/web-0/main/e2e`;
    assert.equal(said.code, 0, said.stderr);
    assert.equal(said.stdout, `==> ${at}/0 stdout <==\nstep 1\n\n==> ${at}/1 stdout <==\nafter the other\n`);
    assert.match(said.stderr, /^\S+Z Unknown .*runner-died/m);
    await scene.open('web-0', 'main', 'step-2');
  });

  // R7.33
  it('loses nothing between what came live and the report, and prints nothing twice', async () => {
    const scene = await e2e.scene('joined');
    for (const pod of ['a-0', 'b-0', 'c-0']) await scene.pod(pod);
    const count = sh(
      'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $HOSTNAME $i; [ $((i%50)) = 0 ] && sleep 0.4; done; true',
    );
    await scene.restore({ hooks: [entry([exec(count), exec(count)])] });
    const run = apply(scene, '--capture=full');
    await scene.runStatus(({ runner }) => runner.claimedBy !== undefined);
    const said = await follow(scene, e2e.plugin, '-o', 'json').done;
    await run.done;
    const byHook = Map.groupBy(
      said.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      ({ hook }) => hook,
    );
    assert.equal(byHook.size, 6);
    for (const [hook, lines] of byHook) {
      assert.equal(lines.length, 300, hook);
      assert.deepEqual(
        lines.map(({ text }) => Number(text.split(' ')[1])),
        Array.from({ length: 300 }, (_, i) => i + 1),
      );
    }
  });

  it('says so where nothing comes live, and shows output when its hook has ended', async () => {
    for (const [args, why] of [
      [['--runner=local'], /the runner is no Job, whose log could be followed/],
      [['--capture=none'], /this runner writes no live output/],
    ] as const) {
      const scene = await e2e.scene(`not-live-${args[0].slice(2, 5)}`);
      await scene.pod('web-0');
      await scene.restore({ hooks: [entry([exec(sh('echo first')), exec(gated(), { execTimeout: '5m' })])] });
      const run = apply(scene, ...args);
      await scene.runStatus(({ counts }) => counts.succeeded === 1);
      const following = follow(scene);
      await following.says(why);
      await scene.open('web-0');
      await run.done;
      const said = await following.done;
      assert.equal(said.code, 0, said.stderr);
      assert.equal(said.stderr.match(new RegExp(why, 'g'))?.length, 1);
      assert.equal(said.stdout.includes('first'), args[0] === '--runner=local');
    }
  });

  it('without the right to the log shows what the report has, and says which right is missing', async () => {
    const scene = await e2e.scene('no-log');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry([exec(sh('echo first')), exec(gated(), { execTimeout: '5m' })])] });
    const user = await e2e.userWith([
      { apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get'], namespace: velero },
      { apiGroups: [''], resources: ['secrets'], verbs: ['get'], namespace: velero },
    ]);
    const run = apply(scene);
    await scene.runStatus(({ counts }) => counts.succeeded === 1);
    const following = follow(scene, user);
    await following.says(/log can't be read, so output is shown when a hook has ended: .*pods\/log/);
    await following.says(/first/);
    await scene.open('web-0');
    await run.done;
    assert.equal((await following.done).code, 0);
    const nobody = await e2e.userWith([
      { apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get'], namespace: velero },
    ]);
    const refused = await nobody('logs', scene.name, '-n', velero);
    assert.deepEqual([refused.code, refused.stdout], [5, '']);
    assert.match(refused.stderr, /secrets/);
  });

  it('ends with Ctrl-C, and the run goes on', async () => {
    const scene = await e2e.scene('stopped');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(stepwise(2), { execTimeout: '5m' }))] });
    const run = apply(scene);
    await scene.runStatus(({ counts }) => counts.running === 1);
    const following = follow(scene);
    await scene.open('web-0', 'main', 'step-1');
    await following.says(/step 1/);
    following.kill('SIGINT');
    const said = await following.done;
    assert.equal(said.code, 130);
    assert.match(said.stderr, /stopped following; the run goes on/);
    await scene.open('web-0', 'main', 'step-2');
    assert.equal((await run.done).code, 0);
  });
});
