import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Suite } from '../e2e/harness.ts';
import { entry, exec, gated, isReal, sh, startSuite } from '../e2e/harness.ts';

/** The lines of docs/operations.md, with the real kubectl. */
const page = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');
const line = (start: string): string => {
  const found = page.split('\n').find((each) => each.startsWith(start));
  assert.ok(found, `${start} in docs/operations.md`);
  return found;
};

describe('kubectl wait on the annotations', { skip: !isReal && 'needs kubectl and a cluster' }, () => {
  let e2e: Suite;
  before(async () => {
    e2e = await startSuite();
  });
  after(() => e2e?.close());

  /** Run a line of the page for a Restore, with the times shortened. */
  const run = (command: string, name: string, timeout = '60s') => {
    const script = command
      .replaceAll('nightly', name)
      .replaceAll('-n velero', `-n ${e2e.velero}`)
      .replace(/--timeout=\w+/, `--timeout=${timeout}`);
    return new Promise<{ code: number; output: string }>((resolve) => {
      execFile('bash', ['-c', script], { encoding: 'utf8' }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
      });
    });
  };

  it('waits for Completed, and runs into its timeout for another end', async () => {
    const scene = await e2e.scene('wait-completed');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(gated(), { execTimeout: '5m' }))] });
    const waiting = run(line('kubectl wait'), scene.name);
    assert.equal((await scene.apply('--no-wait')).code, 0);
    await scene.runStatus(({ counts }) => counts.running === 1);
    await scene.open('web-0');
    const waited = await waiting;
    assert.deepEqual([waited.code, /condition met/.test(waited.output)], [0, true], waited.output);

    const failed = await e2e.scene('wait-failed');
    await failed.pod('web-0');
    await failed.restore({ hooks: [entry(exec(sh('exit 3'), { onError: 'Fail' }))] });
    assert.equal((await failed.apply()).code, 3);
    const timedOut = await run(line('kubectl wait'), failed.name, '3s');
    assert.deepEqual([timedOut.code, /timed out/.test(timedOut.output)], [1, true], timedOut.output);
  });

  it('waits for any end with the status, as the page says', async () => {
    const scene = await e2e.scene('wait-any');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(gated('exit 3'), { onError: 'Fail', execTimeout: '5m' }))] });
    assert.equal((await scene.apply('--no-wait')).code, 0);
    const waiting = run(line('until kubectl get'), scene.name);
    await scene.runStatus(({ counts }) => counts.running === 1);
    await scene.open('web-0');
    const waited = await waiting;
    assert.equal(waited.code, 0, waited.output);
    assert.equal((await scene.runStatus()).phase, 'PartiallyFailed');
  });
});
