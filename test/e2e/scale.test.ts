import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { tally } from './audit.ts';
import { auditedApply, crowd, inGroups } from './crowd.ts';
import { isReal, startSuite } from './harness.ts';

const PODS = 200;
const HOOKS = 2 * PODS;

const e2e = await startSuite();
after(() => e2e.close());

describe('200 pods with two hooks each', () => {
  it('runs every hook once and in order, over one watch of pods, with little else asked of the API server', async (t) => {
    const { scene, pods } = await crowd(e2e, 'crowd', PODS);
    const { ran, requests } = await auditedApply(e2e, scene);
    assert.equal(ran.code, 0, ran.stderr);
    const { phase, counts, hooks, startedAt, finishedAt } = ran.json();
    assert.deepEqual([phase, counts.planned, counts.succeeded, hooks.length], ['Completed', HOOKS, HOOKS, HOOKS]);

    let started = 0;
    await inGroups(pods, 8, async (pod) => {
      const marks = await scene.marks(pod);
      assert.deepEqual(marks, ['first', 'second'], pod);
      started += marks.length;
    });
    assert.equal(started, HOOKS);

    if (requests === undefined) return t.diagnostic('this API server keeps no audit log');
    const count = (fits: RegExp) => requests.filter(({ verb, resource }) => fits.test(`${verb} ${resource}`)).length;
    t.diagnostic(
      `${requests.length} requests, ${(requests.length / HOOKS).toFixed(3)} a hook: ${tally(requests).join(', ')}`,
    );
    assert.equal(count(/ pods\/exec$/), HOOKS);
    assert.equal(count(/^watch pods$/), 1);
    // The follower's, of its Restore.
    assert.ok(count(/^watch restores$/) <= 1 + count(/^watch pods$/));
    // On a slow real cluster the run is longer and is polled more often. The benchmark measures that.
    if (isReal) return;
    const journal = count(/^patch configmaps$/);
    assert.ok(journal <= 0.5 * HOOKS, `${journal} journal writes`);
    // Three requests a hook: two GETs of the pod and the exec. Status and report are written and read at intervals.
    const seconds = (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000;
    assert.ok(requests.length - journal <= 3.2 * HOOKS + 2 * seconds, tally(requests).join(', '));
  });
});
