import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { RESTORE_NAME_LABEL } from '../shared/core/names.ts';
import { auditOf, tally } from '../test/e2e/audit.ts';
import { RUNNER } from '../test/e2e/cluster.ts';
import type { Crowd } from '../test/scale/world.ts';
import { COMMAND, environmentOf, kubelet, ScaleWorld, VELERO, withFolder } from '../test/scale/world.ts';
import type { Row } from './row.ts';
import { median, row } from './row.ts';

const ROOT = join(import.meta.dirname, '..');
const PEER = join(ROOT, 'node_modules/.cache/restorehooks-peer');
const PLUGIN = join(ROOT, 'dist/kubectl-restorehooks');

/** By the kernel's own figures (getrusage). */
interface Took {
  readonly wallS: number;
  readonly cpuS: number;
  readonly peakMiB: number;
}

/** What the ratio to the other program must keep. */
type Limits = Readonly<Record<keyof Took, number>>;

/** How often each program runs, in turns. */
const ROUNDS = 3;
const SIZES: readonly { readonly pods: number; readonly limits: Limits }[] = [
  { pods: 1_000, limits: { wallS: 1, cpuS: 1, peakMiB: 1.2 } },
  { pods: 10_000, limits: { wallS: 0.6, cpuS: 0.9, peakMiB: 0.6 } },
];
const PLAN_LIMITS: Limits = { wallS: 1.5, cpuS: 1.5, peakMiB: 1 };

/** Rows that need the scale bed: `npm run bench:scale`, or `npm run bench:scale -- --pods 100` to try it. */
export async function scaleRows(): Promise<Row[]> {
  if (process.env['RESTOREHOOKS_SCALE_BED'] !== '1') {
    process.stderr.write('scale is left out: npm run bench:scale measures it\n');
    return [];
  }
  buildPeer();
  const asked = Number(process.env['RESTOREHOOKS_SCALE_PODS'] || 0);
  const world = await ScaleWorld.open();
  const rows: Row[] = [];
  try {
    for (const { pods, limits } of asked > 0 ? SIZES.slice(0, 1).map((each) => ({ ...each, pods: asked })) : SIZES) {
      await kubelet.setLatency(5, 50);
      const crowd = await world.crowd(`bench-${pods}`, pods);
      await world.allRun(crowd);
      rows.push(...(await runRows(world, crowd, limits)), ...(await planRows(world, crowd)));
    }
    return rows;
  } finally {
    await world.close();
  }
}

/** The whole run of the image, which makes its own plan, beside a program that lists and execs and does nothing else. */
async function runRows(world: ScaleWorld, crowd: Crowd, limits: Limits): Promise<Row[]> {
  const { name, pods } = crowd;
  const runner = await world.user();
  const peer = await world.user();
  const ours: Took[] = [];
  const theirs: Took[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const audited = auditOf(world.cluster);
    const again = round > 0 ? ['--again'] : [];
    ours.push(await measure([process.execPath, RUNNER, name, '-n', VELERO, ...again], runner.kubeconfig));
    const requests = audited?.([runner.name]) ?? [];
    process.stderr.write(
      `${(requests.length / pods.length).toFixed(3)} requests a hook: ${tally(requests).join(', ')}\n`,
    );
    theirs.push(
      await measure([join(PEER, 'peer'), '-l', `${RESTORE_NAME_LABEL}=${name}`, ...COMMAND], peer.kubeconfig),
    );
    const execs = (await kubelet.execs(crowd.namespace)).length;
    if (execs !== 2 * (round + 1) * pods.length) throw new Error(`${execs} execs after round ${round + 1}`);
  }
  return rowsOf(`run ${pods.length} hooks`, ours, theirs, limits, 'a client-go program that only lists and execs');
}

async function planRows(world: ScaleWorld, { name, pods }: Crowd): Promise<Row[]> {
  const { kubeconfig } = await world.user();
  const ours: Took[] = [];
  const theirs: Took[] = [];
  const selector = `${RESTORE_NAME_LABEL}=${name}`;
  for (let round = 0; round < ROUNDS; round += 1) {
    ours.push(await measure([process.execPath, PLUGIN, 'plan', name, '-n', VELERO, '-o', 'json'], kubeconfig));
    theirs.push(await measure(['kubectl', 'get', 'pods', '-A', '-l', selector, '-o', 'json'], kubeconfig));
  }
  return rowsOf(`plan ${pods.length} pods`, ours, theirs, PLAN_LIMITS, 'kubectl get pods -A -l … -o json');
}

function rowsOf(what: string, ours: readonly Took[], theirs: readonly Took[], limits: Limits, source: string): Row[] {
  const figures = { wallS: ['wall', 's'], cpuS: ['CPU', 's'], peakMiB: ['peak memory', 'MiB'] } as const;
  return Object.entries(figures).map(([key, [title, unit]]) => {
    const of = (all: readonly Took[]): number => median(all.map((took) => took[key as keyof Took]));
    const limit = limits[key as keyof Took];
    return row({ name: `${what}, ${title}`, ours: of(ours), reference: of(theirs), unit, limit, source });
  });
}

/** Runs a command; its output is thrown away. */
function measure(command: readonly string[], kubeconfig: string): Promise<Took> {
  return withFolder(async (folder) => {
    const file = join(folder, 'took.json');
    const env = { ...environmentOf(kubeconfig), ...passedOn() };
    execFileSync(join(PEER, 'measured'), [file, ...command], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const took: Took = JSON.parse(readFileSync(file, 'utf8'));
    process.stderr.write(`${command.slice(0, 3).join(' ')}: ${JSON.stringify(took)}\n`);
    return took;
  });
}

/** To try other flags of Node's by hand. */
function passedOn(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS } = process.env;
  return NODE_OPTIONS === undefined ? {} : { NODE_OPTIONS };
}

function buildPeer(): void {
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/local/go/bin`, GOFLAGS: '-buildvcs=false' };
  const cwd = join(ROOT, 'bench/peer');
  execFileSync('go', ['build', '-trimpath', '-o', `${PEER}/`, '.', './measured'], {
    cwd,
    env,
    stdio: ['ignore', 2, 2],
  });
}
