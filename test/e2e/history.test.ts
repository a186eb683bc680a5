import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseHistories, replay } from '../histories/history.ts';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, sh, startSuite } from './harness.ts';

const e2e = await startSuite();
after(() => e2e.close());

const SECRET = 'a-secret-of-the-command';

async function failing(title: string): Promise<Scene> {
  const scene = await e2e.scene(title);
  await scene.pod('web-0');
  const hooks = [exec(sh(`echo ${SECRET}; exit 3`)), exec([`/no/such/${SECRET}`]), exec(sh('true'))];
  await scene.restore({ hooks: [entry(hooks)] });
  return scene;
}

/** There must be one history, and it must end as the run did when it is played again. */
function checkHistory(text: string, run: Loose): void {
  const histories = parseHistories(text);
  assert.equal(histories.length, 1);
  for (const history of histories) {
    const { phase, counts, differs } = replay(history);
    assert.deepEqual([history.head.runID, history.head.digest], [run.runID, run.planDigest]);
    assert.deepEqual([phase, counts, differs], [run.phase, run.counts, undefined]);
  }
  assert.ok(!text.includes(SECRET));
}

describe('--record', () => {
  it("writes a Job's history into its log, and says how to get it", async () => {
    const scene = await failing('job');
    const ran = await scene.apply('--record');
    const { runID } = ran.json();
    const command = `kubectl logs -n ${e2e.velero} -l restorehooks.io/run-id=${runID} --tail=-1 > history.jsonl`;
    assert.ok(ran.stderr.includes(command), ran.stderr);
    const [pod] = await e2e.cluster.list('pods', e2e.velero, `restorehooks.io/run-id=${runID}`);
    const log = await e2e.cluster.log(e2e.velero, pod.metadata.name);
    assert.match(log, /"msg":"run claimed"/);
    checkHistory(log, ran.json());
  });

  it("writes a local run's history into a new file, for its owner alone", async () => {
    const scene = await failing('local');
    const file = join(e2e.cluster.folder, 'history.jsonl');
    const ran = await scene.apply('--runner=local', `--record=${file}`);
    checkHistory(readFileSync(file, 'utf8'), ran.json());
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const before = readFileSync(file, 'utf8');
    const again = await scene.apply('--runner=local', '--again', `--record=${file}`);
    assert.deepEqual([again.code, again.stdout], [2, '']);
    assert.match(again.stderr, /^error: --record: .*history\.jsonl is there already\n/m);
    assert.equal(readFileSync(file, 'utf8'), before);
    assert.equal((await scene.status()).json().runID, ran.json().runID);
  });

  it('is refused where it could not be written, before anything is done', async () => {
    const scene = await failing('refused');
    const nowhere = join(e2e.cluster.folder, 'no-such-folder', 'x');
    for (const [args, why] of [
      [['--runner=local', '--record'], /--record needs a file with --runner=local/],
      [['--record=history.jsonl'], /--record=FILE goes with --runner=local\nhint: a Job writes its history/],
      [['--runner=local', `--record=${nowhere}`], /--record: .* can't be written: ENOENT/],
    ] as const) {
      const ran = await scene.apply(...args);
      assert.equal(ran.code, 2, ran.stderr);
      assert.match(ran.stderr, why);
    }
    assert.deepEqual(await scene.annotations(), {});
    assert.ok(!existsSync(nowhere));
  });

  it('is not done without it', async () => {
    const scene = await failing('unrecorded');
    const ran = await scene.apply();
    const [pod] = await e2e.cluster.list('pods', e2e.velero, `restorehooks.io/run-id=${ran.json().runID}`);
    const log = await e2e.cluster.log(e2e.velero, pod.metadata.name);
    assert.throws(() => parseHistories(log), /there is no history in it/);
  });
});
