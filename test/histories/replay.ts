import { readFileSync } from 'node:fs';
import process from 'node:process';
import { isFinalPhase } from '../../shared/core/execute/run-phase.ts';
import type { Replayed } from './history.ts';
import { HistoryError, parseHistories, replay } from './history.ts';

/**
 * `npm run replay -- FILE…` plays recorded runs with this code. Exits with 1 if a step's effects differ from the recorded
 * ones, and shows the first such step; with 2 if a file is no history.
 */
for (const file of process.argv.slice(2)) {
  try {
    for (const history of parseHistories(readFileSync(file, 'utf8'))) {
      const { runID, version } = history.head;
      process.stdout.write(`${file}: run ${runID}, recorded by ${version}: ${told(replay(history))}\n`);
    }
  } catch (error) {
    if (!(error instanceof HistoryError)) throw error;
    process.stderr.write(`${file}: ${error.message}\n`);
    process.exitCode = 2;
  }
}

function told({ phase, counts, steps, differs }: Replayed): string {
  if (differs === undefined) {
    const left = isFinalPhase(phase) ? '' : `, ${counts.waiting} waiting, ${counts.running} running`;
    return `the same in ${steps} steps, ${phase}${left}`;
  }
  process.exitCode = 1;
  const lines = (effects: readonly object[]) => effects.map((effect) => `\n    ${JSON.stringify(effect)}`).join('');
  return `step ${differs.step} is another now\n  then${lines(differs.then)}\n  now${lines(differs.now)}`;
}
