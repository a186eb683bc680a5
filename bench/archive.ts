import { spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { asVelero, tarEntry, VERSION_FILE } from '../test/archives.ts';
import { Random } from '../test/sim/random.ts';
import { cleanEnvironment } from './child.ts';
import type { Row } from './row.ts';
import { median, row } from './row.ts';

const PLUGIN = join(import.meta.dirname, '../dist/kubectl-restorehooks');
const RUNS = 3;
/** Each pod stands in an archive twice. */
const PODS = { full: 50_000, usual: 12_500 };
const POD_BYTES = 21_000;

/** The built plugin on a backup's archive against who only unpacks it and reads its headers, in turns. */
export async function archiveRows(full: boolean): Promise<Row[]> {
  if (!existsSync(PLUGIN)) throw new Error('the plugin is not built: npm run build');
  const pods = full ? PODS.full : PODS.usual;
  const folder = mkdtempSync(join(tmpdir(), 'restorehooks-bench-'));
  try {
    const archive = join(folder, 'backup.tar.gz');
    const restore = join(folder, 'restore.yaml');
    writeFileSync(restore, RESTORE);
    await pipeline(Readable.from(tarOfPods(pods)), createGzip({ level: 1 }), createWriteStream(archive));
    const ours: { ms: number; peakMiB: number }[] = [];
    const unpacked: number[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      ours.push(plan(restore, archive));
      unpacked.push(unpack(archive));
    }
    const size = `${pods} pods, ${Math.round((2 * pods * POD_BYTES) / 1024 / 1024)} MiB`;
    return [
      row({
        name: `plan --backup-archive, ${size}`,
        ours: median(ours.map(({ ms }) => ms)),
        reference: median(unpacked),
        unit: 'ms',
        limit: 1.5,
        source: 'gzip -dc | tar -t, in turns',
      }),
      row({
        name: `plan --backup-archive, ${size}, peak RSS`,
        ours: Math.max(...ours.map(({ peakMiB }) => peakMiB)),
        reference: 300,
        unit: 'MiB',
        limit: 1,
        source: 'the limit itself; the highest of the runs',
      }),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const TELL_PEAK =
  'import{writeSync}from"node:fs";process.on("exit",()=>writeSync(3,String(process.resourceUsage().maxRSS)))';

function plan(restore: string, archive: string): { ms: number; peakMiB: number } {
  const from = performance.now();
  const { status, output } = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${TELL_PEAK}`, PLUGIN, 'plan', '-f', restore, '--backup-archive', archive],
    { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], env: cleanEnvironment(), encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`plan --backup-archive exits ${status}: ${output[2]}`);
  return { ms: performance.now() - from, peakMiB: Number(output[3]) / 1024 };
}

function unpack(archive: string): number {
  const from = performance.now();
  const { status } = spawnSync('sh', ['-c', 'gzip -dc "$1" | tar -t', 'sh', archive], { stdio: 'ignore' });
  if (status !== 0) throw new Error(`gzip -dc | tar -t exits ${status}`);
  return performance.now() - from;
}

const END = Buffer.alloc(1024);

function* tarOfPods(pods: number): Generator<Buffer> {
  const random = new Random(1);
  yield* tarEntry(VERSION_FILE);
  for (let index = 0; index < pods; index += 1) {
    for (const file of asVelero(pod(index, random))) yield* tarEntry(file);
  }
  yield END;
}

/** A pod such as clusters have them: most of it is what kubectl and the API server keep for themselves. */
function pod(index: number, random: Random) {
  const word = () => random.int(0, 2 ** 31).toString(36);
  const namespace = `ns-${index % 50}`;
  const env: object[] = [];
  const managed: Record<string, object> = {};
  for (let length = 0; length < POD_BYTES - 1_000; length += 240) {
    const name = `VARIABLE_${env.length}`;
    env.push({ name, value: `${word()}-${word()}-${word()}`, valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } });
    managed[`k:{"name":"${name}"}`] = { '.': {}, 'f:name': {}, 'f:valueFrom': { 'f:fieldRef': {} } };
  }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `web-${word()}-${index}`,
      namespace,
      uid: `${word()}-${word()}`,
      labels: { app: `app-${index % 100}`, 'pod-template-hash': word() },
      annotations: index % 10 === 0 ? { 'post.hook.restore.velero.io/command': `["/bin/echo","${index}"]` } : {},
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: word(), controller: true }],
      managedFields: [{ manager: 'kubelet', operation: 'Update', fieldsV1: { 'f:spec': managed } }],
    },
    spec: {
      containers: [
        { name: 'main', image: 'registry.example.com/app:1', env },
        { name: 'proxy', image: 'p' },
      ],
    },
    status: { phase: 'Running', podIP: `10.0.${(index >> 8) & 255}.${index & 255}` },
  };
}

const RESTORE = `apiVersion: velero.io/v1
kind: Restore
metadata: { name: r1, namespace: velero }
spec:
  backupName: b1
  hooks:
    resources:
      - name: warm
        includedNamespaces: ['ns-*']
        postHooks:
          - exec: { container: main, command: [/bin/sh, -c, 'true'], waitTimeout: 5m }
`;
