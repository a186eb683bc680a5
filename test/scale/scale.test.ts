import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { auditOf, tally } from '../e2e/audit.ts';
import { RUNNER } from '../e2e/cluster.ts';
import { startFront } from '../e2e/front.ts';
import { entry, exec, hooksDocument } from '../e2e/harness.ts';
import { pluginWith } from '../e2e/plugin.ts';
import type { Crowd, Fault, Part, SeenExec } from './world.ts';
import { COMMAND, environmentOf, indexOf, inLanes, kubelet, ScaleWorld, VELERO, withFolder } from './world.ts';

/*
 * `npm run test:scale [-- --pods 10000]`, in the scale bed: real API server and etcd, pods that only kwok plays, and a
 * kubelet that counts the execs that reach it. What a report says is compared with what the kubelet counted.
 */
const PODS = Number(process.env['RESTOREHOOKS_SCALE_PODS'] || 2000);
const AT_ONCE = 64;
const WAVES = 5;

const world = await ScaleWorld.open();
after(() => world.close());

/** The rows of the last run, by pod, as `status` reads them. */
async function rowsOf({ name }: Crowd): Promise<Map<string, { state: string; reason?: string; exitCode?: number }>> {
  const plugin = pluginWith({ kubeconfig: world.cluster.kubeconfig }, new Set());
  const status = await plugin('status', name, '-n', VELERO, '-o', 'json');
  assert.equal(status.code, 0, status.stderr);
  return new Map(status.json().hooks.map((row: { pod: string }) => [row.pod, row]));
}

const byPod = (execs: readonly SeenExec[]): Map<string, SeenExec[]> => Map.groupBy(execs, ({ pod }) => pod);

/** Compare two lists of which most should be the same. A failure shows the first differences. */
const same = (pods: Iterable<string>, of: (pod: string) => string, expected: (pod: string) => string): void => {
  const wrong = [...pods].filter((pod) => of(pod) !== expected(pod));
  const shown = wrong.slice(0, 10).map((pod) => `${pod}: ${of(pod)}, expected ${expected(pod)}`);
  assert.deepEqual(shown, [], `${wrong.length} pods are wrong`);
};

describe(`${PODS} pods with a hook each`, () => {
  it('have each hook run once, never more than 64 at once, over one watch', async (t) => {
    await kubelet.setLatency(5, 50);
    const crowd = await world.crowd('calm', PODS);
    await world.allRun(crowd);
    const user = await world.user();
    const audited = auditOf(world.cluster);
    const child = spawn(process.execPath, [RUNNER, crowd.name, '-n', VELERO], {
      env: environmentOf(user.kubeconfig),
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    assert.deepEqual(await once(child, 'exit'), [0, null]);

    const execs = await kubelet.execs(crowd.namespace);
    const seen = byPod(execs);
    same(
      crowd.pods,
      (pod) => `${seen.get(pod)?.length ?? 0} execs`,
      () => '1 execs',
    );
    const most = execs.reduce((top, { running }) => Math.max(top, running), 0);
    assert.ok(most <= AT_ONCE, `${most} at once`);
    const rows = await rowsOf(crowd);
    same(
      crowd.pods,
      (pod) => rows.get(pod)?.state ?? 'not there',
      () => 'Succeeded',
    );

    const requests = audited?.([user.name]) ?? [];
    t.diagnostic(
      `${(requests.length / PODS).toFixed(3)} requests a hook, at most ${most} commands at once: ${tally(requests).join(', ')}`,
    );
    const count = (kind: string) => requests.filter(({ verb, resource }) => `${verb} ${resource}` === kind).length;
    assert.equal(count('get pods/exec') + count('create pods/exec'), PODS);
    assert.equal(count('watch pods'), 1);
  });

  // R3.41
  it('go in five waves, a quarter of them, none of which begins before the last command of the one before has ended', async () => {
    await kubelet.setLatency(5, 50);
    const waveOf = (index: number) => index % WAVES;
    const crowd = await world.crowd('waves', PODS / 4, {
      hooksAPod: 0,
      labelsOf: (index) => ({ wave: String(waveOf(index)) }),
    });
    await world.allRun(crowd);
    const resources = Array.from({ length: WAVES }, (_, wave) => ({
      ...entry(exec(COMMAND), { name: `wave-${wave}`, labelSelector: { matchLabels: { wave: String(wave) } } }),
      wave,
    }));
    await withFolder(async (folder) => {
      const file = join(folder, 'hooks.yaml');
      await writeFile(file, hooksDocument(resources));
      const plugin = pluginWith({ kubeconfig: world.cluster.kubeconfig }, new Set());
      const { code, stderr } = await plugin('apply', crowd.name, '-n', VELERO, '--runner=local', '--hooks', file);
      assert.equal(code, 0, stderr.slice(-2000));
    });

    const execs = await kubelet.execs(crowd.namespace);
    const waves = execs.map(({ pod }) => waveOf(indexOf(pod)));
    assert.deepEqual(waves, waves.toSorted());
    assert.deepEqual(execs.map(({ pod }) => pod).sort(), crowd.pods.toSorted());
    for (let wave = 0; wave < WAVES; wave += 1) {
      const running = execs.filter(({ pod }) => waveOf(indexOf(pod)) === wave).map((each) => each.running);
      // The first to start is alone only if all of the wave before have ended.
      assert.equal(Math.min(...running), 1, `wave ${wave}`);
    }
  });

  it('are each told as they ended, whatever happens to pods, watches and streams', async (t) => {
    await kubelet.setLatency(5, 50);
    const crowd = await world.crowd('rough', PODS, {
      hook: { waitForReady: true, execTimeout: '10s' },
      partOf: (index) => lifeOf(index).part ?? {},
    });
    const faults = crowd.pods.map((pod, index) => [`${crowd.namespace}/${pod}`, lifeOf(index).faults ?? []] as const);
    await kubelet.setFaults(Object.fromEntries(faults));
    const front = await startFront((await world.user()).kubeconfig);
    try {
      const plugin = pluginWith({ kubeconfig: front.kubeconfig }, new Set());
      const applied = plugin.start('apply', crowd.name, '-n', VELERO, '--runner=local');
      // Pods of the last kind become ready long after that.
      const replaced = crowd.pods.filter((_, index) => lifeOf(index) === LIVES.replaced);
      const bursts = cutInBursts(front, applied.done);
      await applied.says(/Succeeded/);
      await inLanes(replaced, async (pod) => {
        await world.cluster.remove('pods', crowd.namespace, pod);
        while (await world.cluster.exists('pods', crowd.namespace, pod)) await delay(100);
        await crowd.create(pod);
      });
      const { code, stderr } = await applied.done;
      t.diagnostic(`watches were cut ${await bursts} times`);
      assert.equal(code, 0, stderr.slice(-2000));
    } finally {
      front.close();
    }

    const seen = byPod(await kubelet.execs(crowd.namespace));
    const rows = await rowsOf(crowd);
    const told = (pod: string): string => {
      const { state = 'not there', reason, exitCode } = rows.get(pod) ?? {};
      // A runner that has to list the pods again sees only the pod after.
      const why = reason === 'pod-replaced' ? 'pod-deleted' : reason;
      return [state, why, state === 'Failed' && exitCode].filter(Boolean).join(' ');
    };
    const started = (pod: string) => (seen.get(pod) ?? []).filter(({ fault }) => fault !== 'refuse').length;
    const lifeOfPod = (pod: string) => lifeOf(indexOf(pod));
    same(
      crowd.pods,
      (pod) => `${told(pod)}, started ${started(pod)}`,
      (pod) => lifeOfPod(pod).ends,
    );
    const counts = [...Map.groupBy(crowd.pods, told)].map(([words, { length }]) => `${length} ${words}`);
    t.diagnostic(counts.join(', '));
  });
});

/** What happens to a pod and its hook, and how the hook must end. */
interface Life {
  readonly part?: Part;
  readonly faults?: readonly Fault[];
  readonly ends: string;
}

const ranOnce = 'Succeeded, started 1';
const LIVES = {
  calm: { ends: ranOnce },
  starts: { part: { 'start-after': '5s' }, ends: ranOnce },
  becomesReady: { part: { 'ready-after': '8s' }, ends: ranOnce },
  crashes: { part: { 'crash-after': '2s', 'restart-after': '3s', 'ready-after': '4s' }, ends: ranOnce },
  replaced: { part: { 'ready-after': '10m' }, ends: 'NotExecuted pod-deleted, started 0' },
  dropped: { faults: ['drop'], ends: 'Unknown connection-lost, started 1' },
  refused: { faults: ['refuse', 'refuse'], ends: ranOnce },
  fails: { faults: ['exit 3'], ends: 'Failed exit 3, started 1' },
  hangs: { faults: ['hang'], ends: 'TimedOut executing, started 1' },
} as const satisfies Record<string, Life>;

/** Of each 40 pods. */
function lifeOf(index: number): Life {
  const { calm, starts, becomesReady, crashes, replaced, dropped, refused, fails, hangs } = LIVES;
  const rare = [replaced, replaced, dropped, dropped, refused, refused, fails, hangs];
  return rare[index % 40] ?? [calm, starts, becomesReady, crashes][index % 4] ?? calm;
}

/** Cut all watches, five times in a second, and again after a while, until a run has ended. */
async function cutInBursts(front: { cutWatches(): void }, run: Promise<unknown>): Promise<number> {
  let isOver = false;
  const over = run.then(() => {
    isOver = true;
  });
  let cuts = 0;
  while (!isOver) {
    for (let cut = 0; cut < 5; cut += 1) {
      front.cutWatches();
      cuts += 1;
      await delay(200);
    }
    await Promise.race([over, delay(4_000)]);
  }
  return cuts;
}
