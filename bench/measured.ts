import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { environmentOf, withFolder } from '../test/scale/world.ts';
import type { Row } from './row.ts';
import { median, row } from './row.ts';

const ROOT = join(import.meta.dirname, '..');
export const PLUGIN = join(ROOT, 'dist/kubectl-restorehooks');
const BUILT = join(ROOT, 'node_modules/.cache/restorehooks-peer');
export const PEER = join(BUILT, 'peer');

/** By the kernel's own figures (getrusage): the peak is that of the largest process. */
export interface Took {
  readonly wallS: number;
  readonly cpuS: number;
  readonly peakMiB: number;
}

/** What the ratio to the other program must keep; what isn't named isn't shown. */
export type Limits = Readonly<Partial<Record<keyof Took, number>>>;

const FIGURES = { wallS: ['wall', 's'], cpuS: ['CPU', 's'], peakMiB: ['peak memory', 'MiB'] } as const;

/** The medians of the rounds. */
export function rowsOf(
  what: string,
  ours: readonly Took[],
  theirs: readonly Took[],
  limits: Limits,
  source: string,
): Row[] {
  return Object.entries(limits).map(([key, limit]) => {
    const of = (all: readonly Took[]): number => median(all.map((took) => took[key as keyof Took]));
    const [title, unit] = FIGURES[key as keyof Took];
    return row({ name: `${what}, ${title}`, ours: of(ours), reference: of(theirs), unit, limit, source });
  });
}

/** Runs a command; what it prints is shown if it fails. */
export function measure(command: readonly string[], kubeconfig: string): Promise<Took> {
  return withFolder(async (folder) => {
    const file = join(folder, 'took.json');
    const env = { ...environmentOf(kubeconfig), ...passedOn() };
    const stdio = ['ignore', 'ignore', 'pipe'] as const;
    execFileSync(join(BUILT, 'measured'), [file, ...command], { env, stdio: [...stdio], maxBuffer: 64 * 1024 ** 2 });
    const took: Took = JSON.parse(readFileSync(file, 'utf8'));
    process.stderr.write(`  ${command.slice(0, 3).join(' ').slice(0, 80)}: ${JSON.stringify(took)}\n`);
    return took;
  });
}

/** To try other flags of Node's by hand. */
function passedOn(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS } = process.env;
  return NODE_OPTIONS === undefined ? {} : { NODE_OPTIONS };
}

export const buildPeer = (): void => goBuild('bench/peer', BUILT, '.', './measured');

/** Builds programs of a Go module of this repository into a folder. */
export function goBuild(module: string, folder: string, ...packages: readonly string[]): void {
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/local/go/bin`, GOFLAGS: '-buildvcs=false' };
  execFileSync('go', ['build', '-trimpath', '-o', `${folder}/`, ...packages], {
    cwd: join(ROOT, module),
    env,
    stdio: ['ignore', 2, 2],
  });
}
