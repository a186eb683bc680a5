import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { testbed } from '../test/cluster/bed.ts';
import type { Backup, Restored, World } from '../test/cluster/velero/world.ts';
import { auditOf, tally } from '../test/e2e/audit.ts';
import { inGroups } from '../test/e2e/crowd.ts';
import { entry, exec, sh, waitFor } from '../test/e2e/harness.ts';
import { partOf } from './bed-parts.ts';
import { gone } from './programs.ts';
import type { Row } from './row.ts';
import { median, row } from './row.ts';

const ROUNDS = 2;
const LIMIT_MS = 600_000;
const LINES = ['first', 'second'];

/** How a Restore and its hooks went. */
interface Restoring {
  /** From the last container's start to the last hook's end. */
  readonly afterLastPodS: number;
  /** From the Restore's creation to the last hook's end. */
  readonly wholeS: number;
  /** Of Velero's server. */
  readonly peakMiB: number;
  /** By Velero, and by us. */
  readonly requests: { readonly velero: number; readonly ours: number };
}

/**
 * A real Velero restores the same pods in turns: once it runs the hooks itself, once `apply`, begun with the Restore,
 * runs them. What Velero asks for without hooks is known from the other Restore of the round.
 */
export async function veleroRows(world: World, pods: number, runnerMiB: number): Promise<Row[]> {
  // Otherwise it would give up pods that take longer than half a minute to start.
  await testbed('velero', 'kill');
  await testbed('velero', 'start', '10m');
  const folder = await mkdtemp(join(world.cluster.folder, 'marks-'));
  try {
    const backup = await backedUp(world, pods, folder);
    const theirs: Restoring[] = [];
    const ours: Restoring[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const isVelero of round % 2 === 0 ? [true, false] : [false, true]) {
        (isVelero ? theirs : ours).push(await restoring(world, { round, backup, pods, folder, isVelero }));
      }
    }
    const of = (all: readonly Restoring[], figure: (one: Restoring) => number): number => median(all.map(figure));
    const hooks = LINES.length * pods;
    const asked = of(ours, ({ requests }) => requests.ours) / hooks;
    const whole = of(theirs, ({ requests }) => requests.velero) / hooks;
    const restoringAlone = of(ours, ({ requests }) => requests.velero) / hooks;
    const up = (all: readonly Restoring[]) => of(all, ({ afterLastPodS }) => afterLastPodS);
    const created = (all: readonly Restoring[]) => of(all, ({ wholeS }) => wholeS);
    const figures = [
      ['last pod up to last hook done', 's', 1, up(ours), up(theirs)],
      ['Restore created to last hook done', 's', 1, created(ours), created(theirs)],
      ["requests a hook beside all of Velero's", '', 1 / 6, asked, whole],
      ["requests a hook beside those that Velero's hooks add", '', 1, asked, whole - restoringAlone],
      ['peak memory', 'MiB', 1, runnerMiB, of(theirs, ({ peakMiB }) => peakMiB)],
    ] as const;
    const source = `a real Velero that restores these ${pods} pods and runs the hooks; ${ROUNDS} rounds`;
    return figures.map(([title, unit, limit, mine, reference]) =>
      row({ name: `${pods} restored pods x 2: apply, ${title}`, ours: mine, reference, unit, limit, source }),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Pods that say in a folder of this machine when they come up, as their hooks say when they run. */
async function backedUp(world: World, pods: number, folder: string): Promise<Backup> {
  const source = await world.scene('restored');
  const names = Array.from({ length: pods }, (_, index) => `web-${index}`);
  await inGroups(names, 20, (name) =>
    world.workload(source, name, {
      containers: [
        {
          name: 'main',
          command: [...said('up').slice(0, 2), `${said('up')[2]}; sleep 100000`],
          volumeMounts: [{ name: 'marks', mountPath: '/marks' }],
        },
      ],
      spec: { volumes: [{ name: 'marks', hostPath: { path: folder } }] },
    }),
  );
  await times(folder, 'up', pods);
  const backup = await world.backUp(source);
  await gone(world, source.namespace);
  return backup;
}

const said = (line: string): string[] => sh(`echo > /marks/${line}-$(hostname)`);

interface Round {
  readonly round: number;
  readonly backup: Backup;
  readonly pods: number;
  readonly folder: string;
  readonly isVelero: boolean;
}

async function restoring(world: World, { round, backup, pods, folder, isVelero }: Round): Promise<Restoring> {
  for (const file of await readdir(folder)) await rm(join(folder, file));
  const scene = await backup.into(`${isVelero ? 'by-velero' : 'by-apply'}-${round}`);
  const resources = [entry(LINES.map((line) => exec(said(line))))];
  const server = await partOf('velero');
  server.forgetPeak();
  const audited = auditOf(world.cluster);
  const from = Date.now();
  await scene.begin(isVelero ? { hooks: resources } : {});
  if (!isVelero) await applied(world, scene, resources);
  const done = await Promise.all(LINES.map((line) => times(folder, line, pods)));
  await scene.done();
  const last = Math.max(...done.flat());
  const up = await times(folder, 'up', pods);
  const all = audited?.() ?? [];
  const requests = {
    velero: all.filter(({ agent }) => agent.startsWith('velero')),
    ours: all.filter(({ user }) => user.startsWith(`system:serviceaccount:${world.velero}:`)),
  };
  for (const [who, some] of Object.entries(requests)) process.stderr.write(`  ${who}: ${tally(some).join(', ')}\n`);
  const result = {
    afterLastPodS: (last - Math.max(...up)) / 1000,
    wholeS: (last - from) / 1000,
    peakMiB: server.peakMiB(),
    requests: { velero: requests.velero.length, ours: requests.ours.length },
  };
  process.stderr.write(`  ${isVelero ? 'Velero' : 'apply'}: ${JSON.stringify(result)}\n`);
  await gone(world, scene.namespace);
  return result;
}

async function applied(world: World, scene: Restored, resources: readonly object[]): Promise<void> {
  const file = await scene.hooksFile(resources);
  const user = await world.userWith([{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]);
  const { code, stderr } = await user('apply', scene.name, '-n', world.velero, '--hooks', file, '--wait-for-restore');
  if (code !== 0) throw new Error(`apply of the benchmark: ${stderr}`);
}

/** When each pod left a line: the kernel's times of its files. */
async function times(folder: string, line: string, pods: number): Promise<number[]> {
  const files = await waitFor(
    `${pods} pods to say ${line}`,
    async () => {
      const found = (await readdir(folder)).filter((name) => name.startsWith(`${line}-`));
      return found.length === pods && found;
    },
    LIMIT_MS,
  );
  return Promise.all(files.map(async (name) => (await stat(join(folder, name))).mtimeMs));
}
