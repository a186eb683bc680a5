import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { cleanEnvironment } from './child.ts';
import type { Row } from './row.ts';
import { row } from './row.ts';

const ROOT = join(import.meta.dirname, '..');
const PLUGIN = join(ROOT, 'dist/kubectl-restorehooks');
const RUNS = 25;

type CommandLine = readonly [program: string, ...args: string[]];

const BARE_NODE: CommandLine = [process.execPath, '-e', '0'];

/** How long the built plugin takes, beside kubectl where the testbed has built one, else beside a Node that does nothing. */
export function startUpRows(): Row[] {
  if (!existsSync(PLUGIN)) return left('the plugin is not built: npm run build');
  const folder = mkdtempSync(join(tmpdir(), 'restorehooks-bench-'));
  const file = join(folder, 'input.yaml');
  writeFileSync(file, INPUT);
  const version: CommandLine = [process.execPath, PLUGIN, 'version', '--client'];
  const plan: CommandLine = [process.execPath, PLUGIN, 'plan', '-f', file];
  const single = executable(folder);
  try {
    const kubectl = kubectlOfTestbed();
    // Why plan's limit is not 1.3: docs/adr/0003-one-file-in-pieces.md, "What simplicity costs".
    if (existsSync(kubectl)) {
      return rowsBeside([kubectl, 'version', '--client'], 'kubectl version --client', [
        { name: 'version --client', command: version, limit: 1 },
        { name: 'plan -f FILE', command: plan, limit: 2 },
        { name: 'node -e 0', command: BARE_NODE, limit: 1 },
        ...single.map((each) => ({ ...each, limit: each.name.startsWith('plan') ? 2 : 1 })),
      ]);
    }
    process.stderr.write('no kubectl of the testbed (test/cluster/testbed build): compared with bare Node alone\n');
    return rowsBeside(BARE_NODE, 'node -e 0', [
      { name: 'version --client', command: version, limit: 1.8 },
      { name: 'plan -f FILE', command: plan, limit: 3.2 },
      ...single.map((each) => ({ ...each, limit: each.name.startsWith('plan') ? 3.2 : 1.8 })),
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The executable of the last `npm run release`, if there was one: it needs no more time than the file. */
function executable(folder: string): readonly Omit<Measured, 'limit'>[] {
  const [archive] = globSync(
    join(ROOT, `dist/release/*-linux-${process.arch === 'x64' ? 'amd64' : process.arch}.tar.gz`),
  );
  if (archive === undefined) {
    process.stderr.write('no executable in dist/release (npm run release): left out\n');
    return [];
  }
  spawnSync('tar', ['-C', folder, '-xzf', archive, 'bin/kubectl-restorehooks']);
  const program = join(folder, 'bin/kubectl-restorehooks');
  return [
    { name: 'version --client, executable', command: [program, 'version', '--client'] },
    { name: 'plan -f FILE, executable', command: [program, 'plan', '-f', join(folder, 'input.yaml')] },
  ];
}

/** Where test/cluster/testbed puts the kubectl that it builds. */
function kubectlOfTestbed(): string {
  const { TESTBED_HOME, XDG_CACHE_HOME } = process.env;
  const home = TESTBED_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'kubectl-restorehooks');
  const [, version] =
    /k8s\.io\/kubernetes v([\d.]+)/.exec(readFileSync(join(ROOT, 'test/cluster/go.mod'), 'utf8')) ?? [];
  return join(home, `kubernetes-${version}`, 'kubectl');
}

interface Measured {
  readonly name: string;
  readonly command: CommandLine;
  readonly limit: number;
}

/** The fastest run of each, taken in turns: what else the machine does can only make a run slower. */
function rowsBeside(reference: CommandLine, named: string, measured: readonly Measured[]): Row[] {
  for (const { name, command } of measured) {
    const { status, stderr } = spawn(command);
    if (status !== 0) return left(`start-up is left out, ${name} exits ${status}: ${stderr.split('\n')[0]}`);
  }
  const commands = [reference, ...measured.map(({ command }) => command)];
  const runs = Array.from({ length: RUNS }, () => commands.map((command) => spawn(command).ms));
  const fastest = (index: number): number => Math.min(...runs.map((run) => run[index] ?? Number.NaN));
  const source = `${named}, in turns; the fastest run of each`;
  return measured.map(({ name, limit }, index) =>
    row({ name, ours: fastest(index + 1), reference: fastest(0), unit: 'ms', limit, source }),
  );
}

function spawn([program, ...args]: CommandLine) {
  const from = performance.now();
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8', env: cleanEnvironment() });
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
