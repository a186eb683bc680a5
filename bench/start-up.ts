import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { cleanEnvironment } from './child.ts';
import type { Row } from './row.ts';
import { median, row } from './row.ts';

const PLUGIN = join(import.meta.dirname, '../dist/kubectl-restorehooks');
const RUNS = 15;

/** The built plugin against a Node that does nothing, in turns, so that a busy machine slows both alike. */
export function startUpRows(): Row[] {
  if (!existsSync(PLUGIN)) return left('the plugin is not built: npm run build');
  const folder = mkdtempSync(join(tmpdir(), 'restorehooks-bench-'));
  const file = join(folder, 'input.yaml');
  writeFileSync(file, INPUT);
  try {
    return [
      ...startUpRow('version --client', ['version', '--client']),
      ...startUpRow('plan -f FILE', ['plan', '-f', file]),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function startUpRow(name: string, args: readonly string[]): Row[] {
  const first = spawn([PLUGIN, ...args]);
  if (first.status !== 0) return left(`${name} is left out, it exits ${first.status}: ${first.stderr.split('\n')[0]}`);
  const ours: number[] = [];
  const bare: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    ours.push(spawn([PLUGIN, ...args]).ms);
    bare.push(spawn(['-e', '0']).ms);
  }
  const source = 'node -e 0, in turns';
  return [row({ name, ours: median(ours), reference: median(bare), unit: 'ms', limit: 1.4, source })];
}

function spawn(args: readonly string[]) {
  const from = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env: cleanEnvironment() });
  return { status, stderr, ms: performance.now() - from };
}

function left(why: string): Row[] {
  process.stderr.write(`${why}\n`);
  return [];
}

const INPUT = `apiVersion: velero.io/v1
kind: Restore
metadata: { name: r1, namespace: velero }
spec:
  backupName: b1
  hooks:
    resources:
      - name: warm
        includedNamespaces: [shop]
        postHooks:
          - exec: { container: db, command: [/bin/sh, -c, 'true'], waitTimeout: 5m }
---
apiVersion: v1
kind: Pod
metadata:
  name: db-0
  namespace: shop
  labels: { velero.io/restore-name: r1 }
spec:
  containers: [{ name: db, image: 'registry.k8s.io/pause:3.10' }]
`;
