import process from 'node:process';
import { RESTORE_NAME_LABEL } from '../shared/core/names.ts';
import type { AuditedRequest } from '../test/e2e/audit.ts';
import { auditOf, tally } from '../test/e2e/audit.ts';
import { RUNNER } from '../test/e2e/cluster.ts';
import type { Crowd } from '../test/scale/world.ts';
import { COMMAND, kubelet, ScaleWorld, VELERO } from '../test/scale/world.ts';
import { etcdWrites, partOf, untilQuiet } from './bed-parts.ts';
import type { Limits, Took } from './measured.ts';
import { measure, PEER, PLUGIN, rowsOf } from './measured.ts';
import type { Row } from './row.ts';
import { median, row } from './row.ts';

/** How often each program runs, in turns. */
const ROUNDS = 3;
const SIZES = [
  { pods: 1_000, limits: { wallS: 1, cpuS: 1, peakMiB: 1.2 } },
  { pods: 10_000, limits: { wallS: 0.6, cpuS: 0.9, peakMiB: 0.6 } },
] as const;
const limitsFor = (asked: number): Limits => (SIZES.findLast(({ pods }) => pods <= asked) ?? SIZES[0]).limits;
const PLAN_LIMITS: Limits = { wallS: 1.5, cpuS: 1.5, peakMiB: 1 };

/** Rows that need the scale bed: `npm run bench -- scale`, or `npm run bench -- scale --pods 100` to try it. */
export async function scaleRows(asked?: number): Promise<Row[]> {
  const world = await ScaleWorld.open();
  const rows: Row[] = [];
  try {
    for (const { pods, limits } of asked === undefined ? SIZES : [{ pods: asked, limits: limitsFor(asked) }]) {
      await kubelet.setLatency(5, 50);
      const crowd = await world.crowd(`bench-${pods}`, pods);
      await world.allRun(crowd);
      await untilQuiet();
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
  const ours: Served[] = [];
  const theirs: Served[] = [];
  let requests: AuditedRequest[][] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const audited = auditOf(world.cluster);
    const again = round > 0 ? ['--again'] : [];
    ours.push(
      await serving(() => measure([process.execPath, RUNNER, name, '-n', VELERO, ...again], runner.kubeconfig)),
    );
    theirs.push(
      await serving(() => measure([PEER, '-l', `${RESTORE_NAME_LABEL}=${name}`, ...COMMAND], peer.kubeconfig)),
    );
    if (audited !== undefined) requests = [runner, peer].map(({ name: user }) => audited([user]));
    const execs = (await kubelet.execs(crowd.namespace)).length;
    if (execs !== 2 * (round + 1) * pods.length) throw new Error(`${execs} execs after round ${round + 1}`);
  }
  const source = 'a client-go program that only lists and execs';
  const what = `run ${pods.length} hooks`;
  const serverMs = (all: readonly Served[]): number => median(all.map(({ serverS }) => (1000 * serverS) / pods.length));
  return [
    ...rowsOf(what, ours, theirs, limits, source),
    ...requestRows(what, requests, pods.length, source),
    row({
      name: `${what}, API server's CPU a hook`,
      ours: serverMs(ours),
      reference: serverMs(theirs),
      unit: 'ms',
      limit: 1.5,
      source,
    }),
  ];
}

/** What a program took, and what the API server's process did meanwhile. */
interface Served extends Took {
  readonly serverS: number;
}

async function serving(program: () => Promise<Took>): Promise<Served> {
  const server = await partOf('apiserver');
  const [before, since] = [await etcdWrites(), server.cpuS()];
  const took = await program();
  const after = await etcdWrites();
  const sent = (after.MiB - before.MiB).toFixed(1);
  const serverS = server.cpuS() - since;
  const writes = after.puts - before.puts;
  process.stderr.write(
    `  meanwhile the API server took ${serverS.toFixed(2)} s of CPU; etcd: ${writes} writes, ${sent} MiB\n`,
  );
  return { ...took, serverS };
}

/** Of the last round. The limit is the exec, and a look at the pod before and after it (R3.28). */
function requestRows(what: string, requests: readonly AuditedRequest[][], hooks: number, source: string): Row[] {
  const [ours, reference] = requests.map((all) => {
    process.stderr.write(`  ${tally(all).join(', ')}\n`);
    return all.length / hooks;
  });
  if (ours === undefined || reference === undefined) return [];
  return [row({ name: `${what}, requests a hook`, ours, reference, unit: 'requests', limit: 3.1, source })];
}

async function planRows(world: ScaleWorld, { name, pods }: Crowd): Promise<Row[]> {
  const { kubeconfig } = await world.user();
  const ours: Took[] = [];
  const theirs: Took[] = [];
  const selector = `${RESTORE_NAME_LABEL}=${name}`;
  for (let round = 0; round < ROUNDS; round += 1) {
    ours.push(
      await serving(() => measure([process.execPath, PLUGIN, 'plan', name, '-n', VELERO, '-o', 'json'], kubeconfig)),
    );
    theirs.push(
      await serving(() => measure(['kubectl', 'get', 'pods', '-A', '-l', selector, '-o', 'json'], kubeconfig)),
    );
  }
  return rowsOf(`plan ${pods.length} pods`, ours, theirs, PLAN_LIMITS, 'kubectl get pods -A -l … -o json');
}
