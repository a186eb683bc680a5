import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { RESTORE_NAME_LABEL } from '../../shared/core/names.ts';
import type { Front, FrontRequest } from './front.ts';
import { startFront } from './front.ts';
import type { Rule, Scene } from './harness.ts';
import { endings, entry, exec, gated, hooksOf, mark, startSuite, waitFor } from './harness.ts';

/** Commands run only in the planned pod, and answers that aren't the API server's don't mislead a run. */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

const EVERYTHING: Rule = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };
const BUSY = {
  status: 503,
  body: { kind: 'Status', status: 'Failure', code: 503, reason: 'ServiceUnavailable', message: 'busy' },
};
const isWatching = ({ method, path }: FrontRequest): boolean => method === 'GET' && /\/pods$/.test(path);
const isExecOf = (pod: string, { path }: FrontRequest): boolean => path.endsWith(`/pods/${pod}/exec`);

/** Runs a scene's Restore locally, through its own front. */
async function through(
  scene: Scene,
  test: (front: Front, start: (...args: string[]) => ReturnType<typeof e2e.plugin.start>) => Promise<void>,
) {
  const front = await startFront(await cluster.userWith(velero, [EVERYTHING]));
  const plugin = e2e.plugin.with({ kubeconfig: front.kubeconfig });
  try {
    await test(front, (...args) =>
      plugin.start('apply', scene.name, '-n', velero, '-o', 'json', '--runner=local', ...args),
    );
  } finally {
    front.close();
  }
}
const begun = (scene: Scene, pod: string) =>
  waitFor(`the hook in ${pod} to begin`, async () => (await scene.marks(pod)).includes('begun'));

/** Replaces a pod by one of the same name with another Restore's label, so that our watches don't show it. */
async function replace(scene: Scene, pod: string): Promise<void> {
  await cluster.client.delete(`/api/v1/namespaces/${scene.namespace}/pods/${pod}`, { gracePeriodSeconds: 0 });
  await waitFor(`${pod} to go`, async () => !(await cluster.exists('pods', scene.namespace, pod)));
  await scene.pod(pod, { labels: { [RESTORE_NAME_LABEL]: 'of-another' } });
}

describe('whose pod is it', { concurrency: true }, () => {
  for (const [how, blind] of [
    [
      'are refused',
      (front: Front) => {
        front.decide = (request) => (isWatching(request) ? BUSY : undefined);
        front.stallWatches();
      },
    ],
    ['stand still', (front: Front) => front.stallWatches()],
  ] as const) {
    it(`a pod that was replaced while the watches ${how} gets no command that was meant for the other`, async () => {
      const scene = await e2e.scene(`blind-${how.split(' ')[1]}`);
      await Promise.all([scene.pod('a-0'), scene.pod('b-0')]);
      await scene.restore({
        hooks: [hooksOf('a', exec(gated(), { execTimeout: '5m' })), hooksOf('b', exec(mark('ran')), exec(mark('ran')))],
        status: { phase: 'Completed' },
      });
      await through(scene, async (front, start) => {
        const run = start('--max-concurrent=1');
        await begun(scene, 'a-0');
        blind(front);
        await replace(scene, 'b-0');
        await scene.open('a-0');
        const ran = await run.done;
        assert.deepEqual(endings(ran.json()), {
          'a-0 0': 'Succeeded',
          'b-0 0': 'NotExecuted (pod-replaced)',
          'b-0 1': 'NotExecuted (pod-replaced)',
        });
        assert.deepEqual(await scene.marks('b-0'), []);
      });
    });
  }

  // R3.28
  it('a command whose pod was replaced meanwhile has no known end, and the next one does not run', async () => {
    const scene = await e2e.scene('changed');
    await scene.pod('a-0');
    await scene.restore({ hooks: [entry([exec(gated()), exec(mark('next'))])], status: { phase: 'Completed' } });
    await through(scene, async (front, start) => {
      const run = start();
      await begun(scene, 'a-0');
      front.stallWatches();
      // The GET after the hook's end is answered when the other pod exists.
      let isReplaced = (): void => {};
      const replaced = new Promise<void>((resolve) => {
        isReplaced = resolve;
      });
      front.decide = async ({ method, path }) => {
        if (method === 'GET' && path.endsWith('/pods/a-0')) await replaced;
        return undefined;
      };
      await replace(scene, 'a-0');
      isReplaced();
      const ran = await run.done;
      assert.deepEqual(endings(ran.json()), {
        'a-0 0': 'Unknown (pod-replaced)',
        'a-0 1': 'NotExecuted (pod-replaced)',
      });
      assert.deepEqual(await scene.marks('a-0'), []);
    });
  });

  it('a command that has ended keeps its end although the API server can not be asked until its time would be up', async () => {
    const scene = await e2e.scene('unasked');
    await scene.pod('a-0');
    const hook = exec(mark('ran'), { execTimeout: '10s' });
    await scene.restore({ hooks: [entry([hook])], status: { phase: 'Completed' } });
    await through(scene, async (front, start) => {
      let asked = 0;
      let startedAt = 0;
      front.decide = ({ method, path, isUpgrade }) => {
        if (isUpgrade) startedAt = performance.now();
        if (method !== 'GET' || !path.endsWith('/pods/a-0') || startedAt === 0) return undefined;
        asked += 1;
        return performance.now() - startedAt < 11_000 ? BUSY : undefined;
      };
      const ran = await start().done;
      assert.deepEqual(endings(ran.json()), { 'a-0 0': 'Succeeded' }, ran.stderr);
      assert.ok(asked > 1);
      const [{ startedAt: began, finishedAt }] = ran.json().hooks;
      assert.ok(Date.parse(finishedAt) - Date.parse(began) < 10_000, 'it ended when the command did');
    });
  });

  it('a planned pod that lost its label before the first listing is found by its name', async () => {
    const scene = await e2e.scene('unlabelled');
    await Promise.all([scene.pod('a-0'), scene.pod('b-0'), scene.pod('c-0')]);
    await scene.restore({ hooks: [entry([exec(mark('ran'))])], status: { phase: 'Completed' } });
    await through(scene, async (front, start) => {
      let isPlanned = false;
      front.decide = async ({ method, path }) => {
        // At the first write of the Lease the plan is made and no hook has begun.
        if (isPlanned || method === 'GET' || !path.includes('/leases')) return undefined;
        isPlanned = true;
        await cluster.patch('pods', scene.namespace, 'a-0', { metadata: { labels: { [RESTORE_NAME_LABEL]: null } } });
        await scene.removePod('b-0');
        await replace(scene, 'c-0');
        return undefined;
      };
      const ran = await start().done;
      assert.deepEqual(endings(ran.json()), {
        'a-0 0': 'Succeeded',
        'b-0 0': 'NotExecuted (pod-deleted)',
        'c-0 0': 'NotExecuted (pod-replaced)',
      });
      assert.deepEqual(await scene.marks('a-0'), ['ran']);
    });
  });

  // R4.18
  it('a 404 that names no object of ours is a busy server: pods, Restore, journal and Lease are still there', async () => {
    const scene = await e2e.scene('vague');
    await scene.pod('a-0');
    await scene.restore({ hooks: [entry([exec(gated()), exec(mark('next'))])], status: { phase: 'Completed' } });
    await through(scene, async (front, start) => {
      const vague = new Map<string, number>();
      let hasBegun = false;
      const answers = [
        '404 page not found\n',
        { kind: 'Status', status: 'Failure', code: 404, reason: 'NotFound', details: {} },
      ];
      front.decide = ({ method, path }) => {
        const isOurs = /\/(restores|configmaps|leases|pods)(\/|$)/.test(path);
        const key = `${method} ${path}`;
        const times = vague.get(key) ?? 0;
        // The plugin's own writes are spared: it doesn't repeat them, after a 503 neither.
        if (!isOurs || times >= 2 || (method !== 'GET' && !hasBegun)) return undefined;
        vague.set(key, times + 1);
        return { status: 404, body: answers[times % 2] ?? '' };
      };
      const run = start();
      await begun(scene, 'a-0');
      vague.clear();
      hasBegun = true;
      await scene.open('a-0');
      const ran = await run.done;
      assert.deepEqual(endings(ran.json()), { 'a-0 0': 'Succeeded', 'a-0 1': 'Succeeded' }, ran.stderr);
      assert.deepEqual(await scene.marks('a-0'), ['begun', 'ended', 'next']);
      assert.ok([...vague.keys()].some((key) => key.endsWith('/exec')));
    });
  });

  // R4.13
  it("a policy's denial ends its hook with the policy's words, and the run goes on", async () => {
    const scene = await e2e.scene('policy');
    await Promise.all([scene.pod('a-0'), scene.pod('b-0')]);
    const secret = exec(['sh', '-c', 'PW=hunter2; echo ran >> marks']);
    await scene.restore({ hooks: [entry([secret])], status: { phase: 'Completed' } });
    await through(scene, async (front, start) => {
      const message = `pods "a-0" is forbidden: no exec in a \u001b[31m(PW=hunter2; echo ran >> marks)`;
      const body = { kind: 'Status', status: 'Failure', code: 403, reason: 'Forbidden', message };
      front.decide = (request) => (isExecOf('a-0', request) ? { status: 403, body } : undefined);
      const ran = await start().done;
      assert.deepEqual(endings(ran.json()), { 'a-0 0': 'Failed (error)', 'b-0 0': 'Succeeded' });
      const text = 'denied by an admission policy: pods "a-0" is forbidden: no exec in a (…) (HTTP 403)';
      assert.equal(ran.json().hooks[0].message, text);
      assert.equal(ran.json().phase, 'CompletedWithFailures');
    });
  });

  for (const [what, verdict] of [
    ['answers 426', { status: 426, body: '' }],
    ['answers 403', { status: 403, body: '' }],
    ['takes the Upgrade away', 'strip'],
  ] as const) {
    // R4.14
    it(`a proxy that ${what} ends the run once, and says the way out`, async () => {
      const scene = await e2e.scene(`proxy-${what.split(' ')[1]}`);
      await Promise.all(['a-0', 'b-0', 'c-0'].map((pod) => scene.pod(pod)));
      await scene.restore({ hooks: [entry([exec(mark('ran')), exec(mark('ran'))])], status: { phase: 'Completed' } });
      await through(scene, async (front, start) => {
        front.decide = ({ isUpgrade }) => (isUpgrade ? verdict : undefined);
        const ran = await start().done;
        assert.equal(ran.code, 10, ran.stderr);
        assert.equal(ran.json().phase, 'Failed');
        assert.deepEqual([...new Set(Object.values(endings(ran.json())))], ['NotExecuted (aborted)']);
        assert.match(ran.stderr, /lets no WebSocket through.*--runner=job/);
        assert.deepEqual(await scene.marks('a-0'), []);
      });
    });
  }
});
