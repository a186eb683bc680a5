import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { entry, exec, mark, startSuite } from './harness.ts';

const e2e = await startSuite();
after(() => e2e.close());

describe('where hooks run', () => {
  it('runs a hook', async () => {
    const scene = await e2e.scene('simple');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('warm')))] });
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
    const nobody = await e2e.userWith([]);
    const refused = await nobody('status', scene.name, '-n', e2e.velero);
    assert.equal(refused.code, 5, refused.stderr);
  });
});
