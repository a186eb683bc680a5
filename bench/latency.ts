import process from 'node:process';
import WebSocket from 'ws';
import { paths } from '../shared/kubernetes/api/paths.ts';
import { connections } from '../shared/kubernetes/connect/connection.ts';
import { loadKubeConfig } from '../shared/kubernetes/connect/kubeconfig.ts';
import { inGroups } from '../test/e2e/crowd.ts';
import type { Loose, Scene, Suite } from '../test/e2e/harness.ts';
import { entry, exec, IMAGE, sh, startSuite, waitFor } from '../test/e2e/harness.ts';
import type { Row } from './row.ts';
import { row } from './row.ts';

/** Until all pods are made, and wait for their turn; and a second more for each pair of pods. */
const MADE_WITHIN_S = 20;
/** Says when it was started, by the kernel's clock, which all of one machine share. */
export const NOW = ': > now; stat -c %y now';

/**
 * Pods come up in pairs, one for a run of ours in its Job and one for a client that does nothing but open a WebSocket
 * when the same watch that both are measured by says that the container runs.
 */
export async function latencyRows(pods = 100): Promise<Row[]> {
  const e2e = await startSuite();
  try {
    return await rowsIn(e2e, await e2e.scene('latency'), pods);
  } finally {
    await e2e.close();
  }
}

async function rowsIn(e2e: Suite, scene: Scene, pods: number): Promise<Row[]> {
  const connected = connections(loadKubeConfig({ env: process.env }));
  const connection = await connected.open();
  const running = new Map<string, number>();
  const bare: Promise<number>[] = [];
  const ask = (pod: string, from: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const query = new URLSearchParams({ container: 'main', stdout: 'true', stderr: 'true' });
      for (const argument of sh(NOW)) query.append('command', argument);
      const url = new URL(`${paths.podExec(scene.namespace, pod)}?${query}`, connection.server);
      const headers = connection.headers as Record<string, string>;
      const ws = new WebSocket(url, ['v4.channel.k8s.io'], { ...connection.tls, headers, perMessageDeflate: false });
      let printed = '';
      ws.on('message', (frame: Buffer) => {
        if (frame[0] === 1) printed += frame.subarray(1).toString();
      });
      ws.on('error', reject);
      ws.on('close', () => resolve(timeOf(printed) - from));
    });
  const stop = e2e.cluster.client.watch(
    paths.pods(scene.namespace),
    {},
    ({ object }) => {
      const { metadata, status } = object as Loose;
      if (running.has(metadata.name) || !status.containerStatuses?.[0]?.state?.running) return;
      const now = Date.now();
      running.set(metadata.name, now);
      if (metadata.name.startsWith('bare')) bare.push(ask(metadata.name, now));
    },
    () => undefined,
  );
  try {
    await scene.restore({ hooks: [entry(exec(sh(NOW)))] });
    const first = Math.ceil(Date.now() / 1000) + MADE_WITHIN_S + pods;
    const turns = Array.from({ length: pods }, (_, turn) => turn);
    await inGroups(turns, 10, async (turn) => {
      await makePod(e2e, scene, `ours-${turn}`, first + turn, true);
      await makePod(e2e, scene, `bare-${turn}`, first + turn, false);
    });
    const ran = await scene.apply();
    if (ran.json().phase !== 'Completed') throw new Error(`the run of the benchmark: ${ran.stderr}`);
    await waitFor('the other pods', () => bare.length === pods, 300_000);
    const ours = ran.json().hooks.map(({ pod, stdout }: Loose) => timeOf(stdout) - (running.get(pod) ?? Number.NaN));
    const theirs = await Promise.all(bare);
    return [50, 99].map((percent) =>
      row({
        name: `running to started, p${percent}`,
        ours: percentile(ours, percent),
        reference: percentile(theirs, percent),
        unit: 'ms',
        limit: 1.3,
        source: `a bare WebSocket client, ${pods} pods each in turns`,
      }),
    );
  } finally {
    stop();
    connected.close();
  }
}

/** A pod whose container comes up at a given second. */
async function makePod(e2e: Suite, scene: Scene, name: string, second: number, ofRestore: boolean): Promise<void> {
  const wait = sh(`left=$((${second} - $(date +%s))); [ $left -lt 1 ] || sleep $left`);
  const manifest = scene.podManifest(name, {
    spec: { initContainers: [{ name: 'turn', image: IMAGE, command: wait }] },
  });
  if (!ofRestore) manifest.metadata.labels = { app: 'bare' };
  await e2e.cluster.create(manifest);
}

/** Milliseconds of what `stat -c %y` prints. */
/** Milliseconds since 1970, as `NOW` prints them. */
export function timeOf(printed: string): number {
  const [, day, time, zone] = /^(\S+) (\d+:\d+:\d+\.\d{3})\d* ([+-]\d{4})/.exec(printed) ?? [];
  return Date.parse(`${day}T${time}${zone}`);
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? Number.NaN;
}
