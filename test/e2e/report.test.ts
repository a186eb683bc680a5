import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { exec, hookAnnotations, hooksOf, mark, OWN, sh, startSuite } from './harness.ts';

const e2e = await startSuite();
after(() => e2e.close());
const at = ['-n', e2e.velero];

describe('report RESTORE', () => {
  it('tells the last run in each format, and makes the same of what status has printed (R7.25)', async () => {
    const scene = await e2e.scene('report');
    await scene.pod('web-0', { labels: { app: 'web' } });
    await scene.pod('db-0', { labels: { app: 'db' } });
    await scene.restore({
      hooks: [
        hooksOf('web', exec(mark('warm'))),
        hooksOf('db', exec(sh('echo "<b>no</b>" >&2; exit 3'), { onError: 'Fail' })),
      ],
      status: { phase: 'Completed' },
    });
    assert.equal((await scene.apply()).code, 3);
    const status = await scene.status();
    const saved = e2e.plugin.with({ stdin: status.stdout });
    const expected: Record<string, RegExp> = {
      markdown: /^## Restore hooks of `[\w/-]+`: PartiallyFailed\n[\s\S]*^<b>no<\/b>$/m,
      html: /^<!DOCTYPE html>[\s\S]*<pre[^>]*>\n&lt;b&gt;no&lt;\/b&gt;\n<\/pre>/,
      junit: /^<\?xml [\s\S]*<failure type="exit" message="Failed \(exit 3\)">/,
      json: /^\{/,
    };
    for (const [format, text] of Object.entries(expected)) {
      const ran = await e2e.plugin('report', scene.name, ...at, '-o', format);
      assert.equal(ran.code, 0, ran.stderr);
      assert.match(ran.stdout, text, format);
      // A saved run has no plan beside it; the other formats tell of it.
      if (format === 'html' || format === 'markdown') continue;
      assert.equal((await saved('report', '-f', '-', '-o', format)).stdout, ran.stdout, format);
    }
    assert.deepEqual((await e2e.plugin('report', scene.name, ...at, '-o', 'json')).json(), status.json());
  });

  // R7.41
  it('tells what the plan left out, as long as it is in the cluster and may be read', async () => {
    const scene = await e2e.scene('plan-report');
    await scene.pod('web-0', { annotations: hookAnnotations(OWN, mark('warm'), { 'wait-timeout': 'soon' }) });
    await scene.restore({ hooks: [hooksOf('web', exec(mark('hidden')))] });
    assert.equal((await scene.apply()).code, 0);
    const report = async (format: string, plugin = e2e.plugin) => {
      const ran = await plugin('report', scene.name, ...at, '-o', format);
      assert.equal(ran.code, 0, ran.stderr);
      return ran.stdout;
    };
    for (const format of ['html', 'markdown']) assert.match(await report(format), /\(annotation-hides-hooks\)/, format);
    const { runID } = await scene.runStatus();
    await e2e.cluster.remove('secrets', e2e.velero, `restorehooks-${scene.name}-${runID}-plan-0`);
    for (const format of ['html', 'markdown']) assert.match(await report(format), /gone from the cluster/, format);
    const reader = await e2e.userWith([
      { apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get'], namespace: e2e.velero },
      { apiGroups: ['batch'], resources: ['jobs'], verbs: ['get'], namespace: e2e.velero },
    ]);
    assert.match(await report('html', reader), /The plan is not known \(user \S+ may not get secrets in namespace /);
  });

  it('says that there has been no run, and exits 4 where there is no such Restore', async () => {
    const scene = await e2e.scene('no-report');
    await scene.restore({ hooks: [] });
    const none = await e2e.plugin('report', scene.name, ...at);
    assert.deepEqual([none.code, /: No run yet$/m.test(none.stdout)], [0, true], none.stderr);
    const missing = await e2e.plugin('report', 'no-such', ...at, '-o', 'junit');
    assert.deepEqual([missing.code, missing.stdout], [4, '']);
  });
});
