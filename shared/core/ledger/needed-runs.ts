import type { Ledger } from './ledger.ts';

/**
 * The runs whose journals and reports the ledger needs (R6.1.7): those with the last result of a hook (the run that it is
 * of, and the last one that tells it), with a command that may still be running, or of which it isn't known what they did. The
 * last run is always needed. All others can be removed, and nothing is known less.
 */
export function neededRuns({ last, runs, results, commandsLeft }: Ledger): ReadonlySet<string> {
  const needed = new Set<string>();
  const byNumber = new Map(runs.map(({ record }) => [record.attempt, record.runID]));
  const need = (runID: string | undefined) => runID !== undefined && needed.add(runID);
  need(last?.standing.runID);
  need(runs.at(-1)?.record.runID);
  for (const { row, toldBy } of results.values()) {
    need(byNumber.get(row.run));
    need(byNumber.get(toldBy));
  }
  for (const { runID } of commandsLeft) need(runID);
  for (const { record, isWhole } of runs) if (!isWhole) need(record.runID);
  return needed;
}

/** The runs that can be removed where the last `keep` stay, the oldest first. */
export function runsToRemove(ledger: Ledger, keep: number): string[] {
  const needed = neededRuns(ledger);
  const old = keep === 0 ? ledger.records : ledger.records.slice(0, -keep);
  return old.map(({ runID }) => runID).filter((runID) => !needed.has(runID));
}
