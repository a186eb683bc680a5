import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, it } from 'node:test';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, gated, hookAnnotations, mark, OWN, sh, startSuite, waitFor } from './harness.ts';

/** What a failure changes for its hook, for other hooks and for the Restore, and where it is reported. */

const e2e = await startSuite();
after(() => e2e.close());

const results = ({ hooks }: Loose): string[] =>
  hooks.map(({ pod, state, reason, exitCode }: Loose) =>
    [pod, state, reason, exitCode].filter((word) => word !== undefined).join(' '),
  );

/** Pods a-0, b-0, c-0 with an own annotation each; b-0's hook is `Fail`, and succeeds once `ok` is in the container. */
async function failing(title: string): Promise<Scene> {
  const scene = await e2e.scene(title);
  await scene.pod('a-0', { annotations: hookAnnotations(OWN, mark('a')) });
  const command = sh('echo b >> marks; test -f ok');
  await scene.pod('b-0', { annotations: hookAnnotations(OWN, command, { 'on-error': 'Fail' }) });
  await scene.pod('c-0', { annotations: hookAnnotations(OWN, mark('c')) });
  await scene.restore({ status: { phase: 'Completed', startTimestamp: '2026-01-01T00:00:00Z' } });
  return scene;
}

describe('failures', { concurrency: 4 }, () => {
  // R5.4
  it('tells exit codes and commands that are no commands, with --fail-on=any as exit code 3', async () => {
    const scene = await e2e.scene('exits');
    await scene.pod('web-0');
    const commands = [sh('exit 3'), sh('exit 126'), sh('exit 127'), sh('kill -9 $$'), ['no-such-command'], ['/etc']];
    await scene.restore({ hooks: [entry([...commands.map((command) => exec(command)), exec(mark('last'))])] });
    const ran = await scene.apply('--fail-on=any');
    assert.deepEqual([ran.code, ran.json().phase], [3, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual(results(ran.json()), [
      'web-0 Failed exit 3',
      'web-0 Failed exit 126',
      'web-0 Failed exit 127',
      'web-0 Failed exit 137',
      'web-0 Failed error',
      'web-0 Failed error',
      'web-0 Succeeded 0',
    ]);
    assert.deepEqual(await scene.marks('web-0'), ['last']);
    assert.equal((await scene.apply()).code, 3, 'kept with the run');
    assert.equal((await scene.status()).code, 0);
  });

  // R3.21
  it('keeps a failure under Continue in its hook', async () => {
    const scene = await e2e.scene('continue');
    for (const pod of ['a-0', 'b-0']) await scene.pod(pod);
    const failsInA = sh('echo one >> marks; test "$HOSTNAME" != a-0');
    await scene.restore({ hooks: [entry([exec(failsInA), exec(mark('two'))])], status: { phase: 'Completed' } });
    const ran = await scene.apply('--max-concurrent=1');
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    for (const pod of ['a-0', 'b-0']) assert.deepEqual(await scene.marks(pod), ['one', 'two']);
    assert.equal((await scene.current()).status.phase, 'Completed');
    assert.equal((await scene.annotations())['progress'], '4/4 done, 1 failed');
  });

  // R3.22, R5.5, R5.6
  it('stops the rest under Fail, marks the Restore, and unmarks it when a later run succeeds', async () => {
    const scene = await failing('fail');
    const ran = await scene.apply('--max-concurrent=1');
    const run = ran.json();
    assert.deepEqual([ran.code, run.phase], [3, 'PartiallyFailed'], ran.stderr);
    assert.deepEqual(results(run), ['a-0 Succeeded 0', 'b-0 Failed exit 1', 'c-0 NotExecuted aborted']);
    assert.ok(run.hooks[2].message.includes(run.hooks[1].id));
    assert.deepEqual(await scene.marks('c-0'), []);
    const marked = await scene.current();
    assert.deepEqual([marked.status.phase, marked.status.startTimestamp], ['PartiallyFailed', '2026-01-01T00:00:00Z']);
    const { phase, 'former-phase': former, status = '' } = await scene.annotations();
    assert.deepEqual([phase, former], ['PartiallyFailed', 'Completed']);
    assert.deepEqual(JSON.parse(status).failures, [
      { id: run.hooks[1].id, state: 'Failed', reason: 'exit', exitCode: 1 },
    ]);

    const same = await scene.apply();
    assert.deepEqual([same.code, await scene.marks('b-0')], [3, ['b']]);
    await scene.open('b-0', 'main', 'ok');
    const again = await scene.apply('--again');
    assert.deepEqual([again.code, again.json().phase], [0, 'Completed'], `${again.stderr}\n${again.stdout}`);
    assert.equal((await scene.current()).status.phase, 'Completed');
    assert.equal((await scene.annotations())['former-phase'], undefined);
    assert.deepEqual(await scene.marks('b-0'), ['b', 'b']);
    assert.deepEqual(await scene.marks('c-0'), ['c']);
  });

  // R5.5
  it('leaves the Restore alone with --keep-restore-phase', async () => {
    const scene = await failing('keep');
    const ran = await scene.apply('--max-concurrent=1', '--keep-restore-phase');
    assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
    assert.equal((await scene.current()).status.phase, 'Completed');
    const { phase, 'former-phase': former } = await scene.annotations();
    assert.deepEqual([phase, former], ['PartiallyFailed', undefined]);
  });

  // R3.22
  it('lets running hooks end under Fail', async () => {
    const scene = await e2e.scene('running');
    await scene.pod('a-0');
    await scene.pod('b-0');
    const only = (app: string) => ({ labelSelector: { matchLabels: { app } } });
    await scene.restore({
      hooks: [
        entry([exec(gated()), exec(mark('never'))], only('a')),
        entry(exec(gated('exit 4'), { onError: 'Fail' }), only('b')),
      ],
    });
    const going = scene.apply();
    await waitFor('both to begin', async () => {
      const marks = [...(await scene.marks('a-0')), ...(await scene.marks('b-0'))];
      return marks.length === 2;
    });
    await scene.open('b-0');
    await scene.runStatus(({ counts }) => counts.failed === 1);
    await scene.open('a-0');
    const ran = await going;
    assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
    assert.deepEqual(results(ran.json()), ['a-0 Succeeded 0', 'a-0 NotExecuted aborted', 'b-0 Failed exit 4']);
    assert.deepEqual(await scene.marks('a-0'), ['begun', 'ended']);
  });

  // R3.19
  it('says that a command past its execTimeout may still run, and it does', async () => {
    const scene = await e2e.scene('timeout');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry([exec(gated(), { execTimeout: '1s' }), exec(mark('next'))])] });
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual(results(ran.json()), ['web-0 TimedOut executing', 'web-0 Succeeded 0']);
    assert.match(ran.json().hooks[0].message, /may still be running/);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'next']);
    await scene.open('web-0');
    await waitFor('the command to go on', async () => (await scene.marks('web-0')).at(-1) === 'ended');
  });
});

describe('what is told', { concurrency: 4 }, () => {
  const noisy = [
    exec(sh("printf '\\033[31mred\\033[0m\\007 text\\n'; echo aside >&2")),
    exec(sh('i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; done; exit 5')),
  ];

  // R5.16, R5.18
  it('keeps the tails of outputs in the report, without control characters', async () => {
    const scene = await e2e.scene('output');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(noisy)] });
    const ran = await scene.apply();
    const { hooks } = (await scene.status()).json();
    assert.deepEqual(ran.json().hooks, hooks);
    assert.deepEqual([hooks[0].stdout, hooks[0].stderr], ['red text\n', 'aside\n']);
    assert.ok(hooks[1].stdout.endsWith('line 1999\nline 2000\n'));
    assert.ok(hooks[1].stdout.length <= 4096 && hooks[1].stdout.length > 4000, `${hooks[1].stdout.length}`);
    assert.ok(!ran.stderr.includes('red text'));
    assert.deepEqual((await scene.apply()).json().hooks, hooks, 'what is shown again has the outputs, too');
  });

  // R5.16
  it('keeps nothing of them with --capture=none', async () => {
    const scene = await e2e.scene('capture');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(noisy)] });
    const ran = await scene.apply('--capture=none');
    for (const hook of ran.json().hooks) assert.deepEqual([hook.stdout, hook.stderr], [undefined, undefined]);
    assert.deepEqual(results(ran.json()), ['web-0 Succeeded 0', 'web-0 Failed exit 5']);
  });

  // R5.19
  it('shows commands and outputs in the report alone', async () => {
    const scene = await e2e.scene('secret');
    await scene.pod('web-0');
    const [password, printed] = [randomUUID(), randomUUID()];
    const script = (end: string) => sh(`PW=${password}; echo ${printed.slice(0, 18)}''${printed.slice(18)}; ${end}`);
    await scene.restore({ hooks: [entry([exec(script('exit 3')), exec([`/no-such/${password}`])])] });
    const before = JSON.stringify((await scene.current()).spec);
    const ran = await scene.apply('-v9');
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.json().hooks[0].stdout, `${printed}\n`);
    const [job] = await scene.jobs();
    const runners = await e2e.cluster.list('pods', e2e.velero, `batch.kubernetes.io/job-name=${job.metadata.name}`);
    assert.equal(runners.length, 1);
    const log = await e2e.cluster.log(e2e.velero, runners[0].metadata.name);
    assert.match(log, /hook ended/);
    const told = {
      annotations: JSON.stringify(await scene.annotations()),
      job: JSON.stringify(job),
      pod: JSON.stringify(runners),
      log,
      events: JSON.stringify([
        ...(await e2e.cluster.list('events', e2e.velero)),
        ...(await e2e.cluster.list('events', scene.namespace)),
      ]),
      stderr: ran.stderr,
      messages: JSON.stringify(ran.json().hooks.map(({ message }: Loose) => message)),
    };
    for (const [where, text] of Object.entries(told)) {
      assert.ok(!text.includes(password), `the command stands in ${where}`);
      assert.ok(!text.includes(printed), `the output stands in ${where}`);
    }
    assert.equal(JSON.stringify((await scene.current()).spec), before);
  });

  // R7.7
  it('gives the same results with --runner=local', async () => {
    const runs: Loose[] = [];
    for (const runner of ['job', 'local']) {
      const scene = await e2e.scene(`by-${runner}`);
      for (const pod of ['a-0', 'b-0', 'c-0']) await scene.pod(pod);
      const fail = sh('test "$HOSTNAME" != b-0');
      const lacking = exec(mark('x'), { container: 'no-such' });
      await scene.restore({
        hooks: [entry([...noisy, lacking, exec(fail, { onError: 'Fail' }), exec(mark('last'))])],
        status: { phase: 'Completed' },
      });
      const ran = await scene.apply(`--runner=${runner}`, '--max-concurrent=1');
      assert.equal(ran.code, 3, ran.stderr);
      const run = ran.json();
      assert.equal(run.runner.kind, runner);
      assert.deepEqual(run, (await scene.status()).json());
      if (runner === 'local') {
        const begun = run.hooks.filter(({ startedAt }: Loose) => startedAt !== undefined);
        assert.equal(ran.stderr.match(/^\S+Z Running /gm)?.length, begun.length, ran.stderr);
      }
      assert.equal((await scene.jobs()).length, runner === 'job' ? 1 : 0);
      const rows = run.hooks.map(({ pod, container, index, state, reason, exitCode, stdout, stderr }: Loose) => {
        return { pod, container, index, state, reason, exitCode, stdout, stderr };
      });
      const { phase, counts } = run;
      const { progress } = await scene.annotations();
      runs.push({ phase, counts, rows, progress, restore: (await scene.current()).status.phase });
    }
    assert.equal(runs[0].restore, 'PartiallyFailed');
    assert.deepEqual(runs[0], runs[1]);
  });
});
