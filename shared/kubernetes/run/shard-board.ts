import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import { objectsNamespace, runMetadata } from '../../core/manifests/run-objects.ts';
import type { Shard } from '../../core/model/shard.ts';
import { boardName, runName } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import { ShardStatus } from '../../core/report/shard-status.ts';
import { pause } from '../../ports/pause.ts';
import type { Clock, ShardBoard } from '../../ports/ports.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import type { Asked } from '../api/refused-request.ts';
import { describeRefusal } from '../api/refused-request.ts';
import { createOnce } from './run-store.ts';

/*
 * The board of a run is a ConfigMap in which each shard has two keys: how it stands, and a token that each of its writes
 * replaces. A write is a JSON patch that tests the token of the write before. So writes of different shards never conflict,
 * and a runner whose shard another runner has taken can't write any more, nor can a write of its own that comes late
 * (R8.43).
 */

type BoardClient = Pick<KubeClient, 'get' | 'create' | 'patch'>;

export interface BoardPlace {
  readonly restore: RestoreReference;
  readonly runID: string;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2_000;
const TRIES = 6;

const BoardObject = z.object({ data: z.record(z.string(), z.string()).nullish() });

const tokenKey = (index: number): string => `token-${index}`;
const statusKey = (index: number): string => `shard-${index}`;

const boardPath = ({ restore, runID }: BoardPlace): string =>
  paths.configMaps(objectsNamespace(restore), boardName(runName(restore.name, runID)));

/** What stands on the board of a run. */
export interface BoardRead {
  /** The shards that a runner has taken. */
  readonly taken: ReadonlySet<number>;
  readonly standing: ReadonlyMap<number, ShardStatus>;
  readonly tokens: ReadonlyMap<number, string>;
}

/** Undefined: there is none yet. */
export async function readBoard(client: Pick<KubeClient, 'get'>, place: BoardPlace): Promise<BoardRead | undefined> {
  try {
    return boardIn(await client.get(boardPath(place)));
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

function boardIn(object: KubeObject): BoardRead {
  const { data } = BoardObject.parse(object);
  const tokens = new Map<number, string>();
  const standing = new Map<number, ShardStatus>();
  for (const [key, text] of Object.entries(data ?? {})) {
    const [, kind, number] = /^(token|shard)-(\d+)$/.exec(key) ?? [];
    if (kind === 'token') tokens.set(Number(number), text);
    if (kind === 'shard') standing.set(Number(number), shardStatusIn(text, key));
  }
  const taken = new Set([...tokens].flatMap(([index, token]) => (token === '' ? [] : [index])));
  return { taken, standing, tokens };
}

function shardStatusIn(text: string, key: string): ShardStatus {
  try {
    return ShardStatus.parse(JSON.parse(text));
  } catch (error) {
    throw new RestoreHooksError('RUN_FAILED', `what ${key} of the run says of itself can't be read`, {
      hint: 'go on with the run: kubectl restorehooks apply, or retry',
      cause: error,
    });
  }
}

/** Make the board of a run, unless there is one. */
export async function createBoard(client: BoardClient, place: BoardPlace, of: number): Promise<void> {
  const { restore, runID } = place;
  try {
    await createOnce(client, paths.configMaps(objectsNamespace(restore)), {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: boardName(runName(restore.name, runID)), ...runMetadata(restore, runID) },
      data: Object.fromEntries(Array.from({ length: of }, (_, index) => [tokenKey(index), ''])),
    });
  } catch (error) {
    throw describeRefusal(asked(place, 'create'), error);
  }
}

const asked = ({ restore, runID }: BoardPlace, verb: string): Asked => ({
  verb,
  group: '',
  resource: 'configmaps',
  namespace: objectsNamespace(restore),
  name: boardName(runName(restore.name, runID)),
});

/** One shard's place on the board, written by one runner. */
export class KubernetesShardBoard implements ShardBoard {
  readonly #client: BoardClient;
  readonly #clock: Clock;
  readonly #place: BoardPlace;
  readonly #shard: Shard;
  readonly #writer = randomBytes(6).toString('hex');
  #writes = 0;
  #token: string;

  private constructor(client: BoardClient, clock: Clock, place: BoardPlace, shard: Shard, token: string) {
    this.#client = client;
    this.#clock = clock;
    this.#place = place;
    this.#shard = shard;
    this.#token = token;
  }

  /** Take a shard's place. After this the runner that had it can't write there any more. */
  static async take(client: BoardClient, clock: Clock, place: BoardPlace, shard: Shard) {
    const read = await readBoard(client, place);
    const token = read?.tokens.get(shard.index);
    if (token === undefined) throw gone(place);
    const board = new KubernetesShardBoard(client, clock, place, shard, token);
    return { board, read: await board.#write([]) };
  }

  async tell(own: ShardStatus): Promise<ReadonlyMap<number, ShardStatus>> {
    const path = `/data/${statusKey(this.#shard.index)}`;
    return (await this.#write([{ op: 'add', path, value: JSON.stringify(own) }])).standing;
  }

  async endUntaken(index: number, end: ShardStatus): Promise<ReadonlyMap<number, ShardStatus>> {
    const ops = [
      { op: 'test', path: `/data/${tokenKey(index)}`, value: '' },
      { op: 'add', path: `/data/${statusKey(index)}`, value: JSON.stringify(end) },
    ];
    try {
      return boardIn(await this.#client.patch(boardPath(this.#place), ops, 'json')).standing;
    } catch (error) {
      if (kubeApiError(error)?.status === 422) return this.read();
      throw describeRefusal(asked(this.#place, 'patch'), error);
    }
  }

  async read(): Promise<ReadonlyMap<number, ShardStatus>> {
    const read = await readBoard(this.#client, this.#place);
    if (read === undefined) throw gone(this.#place);
    return read.standing;
  }

  /** A write without an answer may have been made, or may still be: the token shows which write was the last. */
  async #write(changes: readonly object[]): Promise<BoardRead> {
    const path = `/data/${tokenKey(this.#shard.index)}`;
    for (let tries = 1, pauseMs = FIRST_RETRY_MS; ; tries += 1, pauseMs = Math.min(2 * pauseMs, LONGEST_RETRY_MS)) {
      this.#writes += 1;
      const token = `${this.#writer}.${this.#writes}`;
      const ops = [{ op: 'test', path, value: this.#token }, { op: 'replace', path, value: token }, ...changes];
      try {
        const read = boardIn(await this.#client.patch(boardPath(this.#place), ops, 'json'));
        this.#token = token;
        return read;
      } catch (error) {
        const status = kubeApiError(error)?.status;
        const told = describeRefusal(asked(this.#place, 'patch'), error);
        if (!(told instanceof RestoreHooksError)) throw told;
        if (told.code === 'NOT_FOUND') throw gone(this.#place);
        if (status === 403 || tries >= TRIES) throw told;
        await this.#lookAgain();
      }
      await pause(this.#clock, pauseMs);
    }
  }

  async #lookAgain(): Promise<void> {
    const read = await readBoard(this.#client, this.#place).catch((error: unknown) => {
      if (error instanceof RestoreHooksError && error.code === 'CLUSTER_UNREACHABLE') return 'unknown' as const;
      throw error;
    });
    if (read === 'unknown') return;
    const token = read?.tokens.get(this.#shard.index);
    if (token === undefined) throw gone(this.#place);
    if (token !== this.#token && !token.startsWith(`${this.#writer}.`)) {
      const { restore, runID } = this.#place;
      const which = `shard ${this.#shard.index} of run ${runID} of Restore ${restore.name}`;
      throw new RestoreHooksError('RUN_BY_ANOTHER', `another runner has taken over ${which}`);
    }
    this.#token = token;
  }
}

/** Without it nobody knows what the other shards do, so this one stops. */
const gone = ({ restore, runID }: BoardPlace): RestoreHooksError =>
  new RestoreHooksError(
    'RUN_BY_ANOTHER',
    `the ConfigMap ${boardName(runName(restore.name, runID))}, in which the run's shards tell each other how they stand, is gone`,
  );
