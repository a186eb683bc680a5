import { unreadableJournal } from '../../core/journal/batch.ts';
import type { JournalHead } from '../../core/journal/entry.ts';
import type { RecordedJournal } from '../../core/ledger/run-record.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import type { KubeClient } from '../api/client.ts';
import { journalsOf, readJournal } from './journal-reader.ts';
import { readBoard } from './shard-board.ts';

/**
 * Read the journal of a run; those of several shards are joined, as each names only its own hooks (R8.48). Undefined: the
 * run has not begun. Throws if a journal can't be read, and if that of a shard is gone which a runner had taken.
 */
export async function readRunJournal(
  client: Pick<KubeClient, 'get'>,
  restore: RestoreReference,
  head: JournalHead,
  shards: number,
): Promise<RecordedJournal | undefined> {
  const read = await Promise.all(journalsOf(restore, head, shards).map((place) => readJournal(client, place)));
  // The first shard begins the run, so without its journal there is no other.
  if (read[0] === undefined) return undefined;
  const { withoutPods } = read[0];
  const missing = [...read.keys()].filter((index) => read[index] === undefined && !withoutPods.includes(index));
  if (missing.length > 0) {
    const board = await readBoard(client, { restore, runID: head.runID });
    const lost = missing.find((index) => board === undefined || board.taken.has(index));
    if (lost !== undefined) throw unreadableJournal(`that of its shard ${lost} is gone`);
  }
  const journals = read.filter((journal) => journal !== undefined);
  return {
    hooks: new Map(journals.flatMap(({ replay }) => [...replay.hooks])),
    lost: new Map(journals.flatMap(({ replay }) => [...replay.lost])),
    starts: new Map(journals.flatMap(({ replay }) => [...replay.starts])),
    claimedAt: read[0].replay.claimedAt,
    batches: journals.reduce((sum, { end }) => sum + end.batches, 0),
  };
}
