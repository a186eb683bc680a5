import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { withFolder } from '../test/scale/world.ts';
import { measureInChild } from './child.ts';
import { goBuild } from './measured.ts';
import { pods, restore } from './plan-input.ts';
import type { Row } from './row.ts';
import { median, row } from './row.ts';

const VELERO = join(import.meta.dirname, '../node_modules/.cache/restorehooks-velero-plan');
const ROUNDS = 5;

interface Planned {
  readonly ms: number;
  readonly hooks: number;
}

/** Our planner and Velero's own function on the same input, in turns, each time in a fresh process. */
export async function planRows(): Promise<Row[]> {
  process.stderr.write("  building Velero's planning (minutes, once)\n");
  goBuild('bench/velero', VELERO, '.');
  return withFolder(async (folder) => {
    const input = join(folder, 'input.json');
    writeFileSync(input, JSON.stringify({ restore, pods }));
    const ours: Planned[] = [];
    const theirs: Planned[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      // What is compiled on the way counts.
      ours.push(measureInChild<Planned>('plan-child.ts'));
      theirs.push(JSON.parse(execFileSync(join(VELERO, 'bench'), [input], { encoding: 'utf8' })));
    }
    for (const { hooks } of [...ours, ...theirs]) {
      if (hooks !== pods.length) throw new Error(`${hooks} hooks were planned, not ${pods.length}`);
    }
    return [
      row({
        name: 'plan 10,000 pods x 100 entries',
        ours: median(ours.map(({ ms }) => ms)),
        reference: median(theirs.map(({ ms }) => ms)),
        unit: 'ms',
        limit: 0.1,
        source: "Velero 1.18.3's own Go functions in a fresh process, in turns",
      }),
    ];
  });
}
