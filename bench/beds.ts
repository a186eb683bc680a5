import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { buildPeer } from './measured.ts';
import type { MeasuredRow } from './row.ts';

/** Where a suite is measured: `cluster` is the test bed with a real kubelet, `scale` the one with thousands of pods. */
export type Bed = 'none' | 'cluster' | 'scale';

const SCRIPTS = { cluster: 'test/cluster/run.sh', scale: 'test/scale/run.sh' };
const ROOT = join(import.meta.dirname, '..');

/** The bed that this process runs in. */
export function thisBed(): Bed {
  if (process.env['RESTOREHOOKS_SCALE_BED'] === '1') return 'scale';
  return process.env['RESTOREHOOKS_TEST_CLUSTER'] === '1' ? 'cluster' : 'none';
}

/** Boots a bed and runs this program in it. The bed is taken down at the end. */
export async function measureIn(bed: Exclude<Bed, 'none'>, asked: readonly string[]): Promise<MeasuredRow[]> {
  // The peers' modules can't be downloaded from within a bed.
  buildPeer();
  const command = [process.execPath, 'bench/main.ts', '-o', 'json', ...asked];
  const child = spawn('bash', [SCRIPTS[bed], '--', ...command], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  const stopped = (signal: NodeJS.Signals) => {
    child.kill(signal);
    child.once('close', () => process.exit(130));
  };
  process.once('SIGINT', stopped).once('SIGTERM', stopped);
  const ended = once(child, 'close');
  const printed = await text(child.stdout);
  const [code] = await ended;
  if (printed === '') throw new Error(`the ${bed} bed measured nothing (exit code ${code})`);
  if (code !== 0) process.exitCode = 1;
  return JSON.parse(printed);
}
