import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../shared/kubernetes/api/paths.ts';
import { connections } from '../shared/kubernetes/connect/connection.ts';
import { loadKubeConfig } from '../shared/kubernetes/connect/kubeconfig.ts';
import { kubernetesHookExec } from '../shared/kubernetes/exec/exec.ts';
import { auditOf, tally } from '../test/e2e/audit.ts';
import type { Loose, Scene, Suite } from '../test/e2e/harness.ts';
import { entry, exec, isReal, sh, startSuite } from '../test/e2e/harness.ts';

/*
 * How soon a line that a hook prints is seen, by the way that `logs -f` takes and by two that it could have taken, and
 * what that costs: the figures of docs/adr/0005-live-output-through-the-log.md.
 *
 *   bash test/cluster/run.sh -- node bench/live-output.ts
 */

const LINES = 60;
/** Prints when it prints, by the kernel's clock, which all of one machine share. */
const clockLines = (seconds: number): string[] =>
  sh(`i=0; while [ $i -lt ${LINES} ]; do : >now; stat -c %y now; i=$((i+1)); sleep ${seconds}; done`);
const timeOf = (line: string): number =>
  Date.parse(line.replace(/^.*?(\d{4}-\d\d-\d\d) ([\d:]+\.\d{3})\d* .*$/, '$1T$2Z'));

const say = (line: string): void => void process.stdout.write(`${line}\n`);
function told(what: string, latencies: readonly number[]): void {
  const sorted = latencies.toSorted((one, other) => one - other);
  const at = (share: number): number => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN);
  say(`${what}: ${sorted.length} lines, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`);
}

/** The latencies of the lines of a text that comes in pieces. */
function stopwatch() {
  const latencies: number[] = [];
  let rest = '';
  return {
    latencies,
    add(text: string): void {
      const now = Date.now();
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (/\d{4}-\d\d-\d\d /.test(line)) latencies.push(now - timeOf(line));
    },
  };
}

async function byLog(e2e: Suite, scene: Scene, what: string): Promise<void> {
  const { cluster, velero } = e2e;
  const user = await e2e.userWith([
    { apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get'], namespace: velero },
    { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'], namespace: velero },
    { apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get'], namespace: velero },
  ]);
  const before = new Set((await cluster.list('serviceAccounts', velero)).map(({ metadata }: Loose) => metadata.name));
  const name = [...before].filter((each) => each.startsWith('user-')).at(-1);
  const run = e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json');
  await scene.runStatus(({ counts }) => counts.running === 1);
  const asked = auditOf(cluster);
  const from = Date.now();
  const following = user.start('logs', scene.name, '-n', velero, '-f', '--prefix');
  const watch = stopwatch();
  following.child.stdout?.on('data', (text: string) => watch.add(text));
  const said = await following.done;
  const seconds = (Date.now() - from) / 1000;
  await run.done;
  // What was printed before the follower was up says nothing of latency.
  told(`logs -f, by the log, ${what}`, watch.latencies.slice(5));
  const requests = asked?.([`system:serviceaccount:${velero}:${name}`]) ?? [];
  say(
    `  ${(requests.length / seconds).toFixed(2)} requests a second: ${tally(requests).join(', ')} in ${seconds.toFixed(0)} s`,
  );
  say(`  printed ${said.stdout.trimEnd().split('\n').length} of ${LINES} lines`);
  const [job] = await scene.jobs();
  const [pod] = await cluster.list('pods', velero, `batch.kubernetes.io/job-name=${job.metadata.name}`);
  const lines = (await cluster.log(velero, pod.metadata.name)).split('\n').filter((line) => line.includes('"live"'));
  say(`  ${lines.length} lines in the log, ${lines.reduce((sum, line) => sum + line.length, 0)} bytes`);
}

async function byExec(scene: Scene): Promise<void> {
  const connected = connections(loadKubeConfig({ env: process.env }));
  const watch = stopwatch();
  const request = { namespace: scene.namespace, pod: 'web-0', container: 'main', command: clockLines(1) };
  await new Promise<void>((resolve) => {
    kubernetesHookExec(connected).start(request, {
      started() {},
      printed: ({ text }) => watch.add(text),
      ended: () => resolve(),
    });
  });
  connected.close();
  told('by an exec of its own', watch.latencies);
}

async function bySecrets({ cluster, velero }: Suite, scene: Scene): Promise<void> {
  const nameOf = (part: number): string => `${scene.name}-part-${part}`;
  let isOver = false;
  const write = async (): Promise<void> => {
    for (let part = 0; part < LINES; part += 1) {
      const data = { line: Buffer.from(new Date().toISOString()).toString('base64') };
      const metadata = { name: nameOf(part), namespace: velero };
      await cluster.client.create(paths.secrets(velero), { apiVersion: 'v1', kind: 'Secret', metadata, data });
      await delay(1_000);
    }
    isOver = true;
  };
  const latencies: number[] = [];
  const read = async (): Promise<void> => {
    for (let part = 0; part < LINES && !isOver; ) {
      if (await cluster.exists('secrets', velero, nameOf(part))) {
        const { data } = await cluster.get('secrets', velero, nameOf(part));
        latencies.push(Date.now() - Date.parse(Buffer.from(data.line, 'base64').toString()));
        part += 1;
      }
      await delay(1_000);
    }
  };
  await Promise.all([write(), read()]);
  // The runner gathers for a second what it writes.
  told('by Secrets each second, polled each second (and up to 1000 ms to gather)', latencies);
  for (let part = 0; part < LINES; part += 1) await cluster.remove('secrets', velero, nameOf(part));
}

if (!isReal) throw new Error('this needs a real cluster: bash test/cluster/run.sh -- node bench/live-output.ts');
const e2e = await startSuite();
try {
  const scenes: Scene[] = [];
  for (const seconds of [1, 0.3]) {
    const scene = await e2e.scene(`live-${scenes.length}`);
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(clockLines(seconds), { execTimeout: '5m' }))] });
    await byLog(e2e, scene, `a line each ${seconds} s`);
    scenes.push(scene);
  }
  const [scene] = scenes as [Scene];
  await byExec(scene);
  await bySecrets(e2e, scene);
} finally {
  await e2e.close();
}
process.exit();
