import type { RestoreHooksError } from '../../shared/core/errors.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { LiveKey, LivePiece, LiveSource } from '../../shared/kubernetes/run/live-output.ts';
import type { Clock } from '../../shared/ports/ports.ts';
import { LiveLines } from './live-lines.ts';

/** Of the runner's pod. */
export const RUNNER_CONTAINER = 'runner';
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10_000;
/** A line may have been written a little before the time that it tells. */
const OVERLAP_MS = 2_000;

export interface LiveListener {
  piece(piece: LivePiece, source: LiveSource): void;
  /** Whether more may come where the log has ended. */
  mayGoOn(): boolean;
  /** Once: nothing more comes from this log, or it can't be read any more. */
  over(error: RestoreHooksError | undefined): void;
}

/**
 * Follows the log of one runner's pod, with one long request. Where that ends although the runner goes on (a rotated log,
 * a load balancer), the log is asked for again from the last line on.
 */
export class LiveLog {
  readonly #client: Pick<KubeClient, 'followText'>;
  readonly #clock: Clock;
  readonly #namespace: string;
  readonly #pod: string;
  readonly #source: LiveSource;
  readonly #lines: LiveLines;
  readonly #listener: LiveListener;
  #pauseMs = FIRST_PAUSE_MS;
  #isOpen = false;
  #isOver = false;
  #stop: () => void = () => undefined;

  constructor(
    { client, namespace }: { readonly client: Pick<KubeClient, 'followText'>; readonly namespace: string },
    clock: Clock,
    key: LiveKey,
    source: LiveSource,
    listener: LiveListener,
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#namespace = namespace;
    this.#pod = key.pod;
    this.#source = source;
    this.#lines = new LiveLines(key, source);
    this.#listener = listener;
    this.#open();
  }

  /** No request is open: all that the log had when the last one ended was read. */
  get isIdle(): boolean {
    return this.#isOver || !this.#isOpen;
  }

  /** The runner's share of its log is used up: the rest comes with the report. */
  get isFull(): boolean {
    return this.#lines.isOver;
  }

  get unreadable(): number {
    return this.#lines.unreadable;
  }

  stop(): void {
    this.#isOver = true;
    this.#stop();
  }

  #open(): void {
    const { lastTime } = this.#lines;
    const since = lastTime === undefined ? Number.NaN : Date.parse(lastTime) - OVERLAP_MS;
    this.#isOpen = true;
    this.#stop = this.#client.followText(
      paths.podLog(this.#namespace, this.#pod),
      {
        container: RUNNER_CONTAINER,
        follow: true,
        sinceTime: Number.isNaN(since) ? undefined : new Date(since).toISOString(),
      },
      { line: (line) => this.#read(line), end: ({ error }) => this.#ended(error) },
    );
  }

  #read(line: string): void {
    const pieces = this.#lines.read(line);
    if (pieces.length > 0) this.#pauseMs = FIRST_PAUSE_MS;
    for (const piece of pieces) this.#listener.piece(piece, this.#source);
    if (this.#lines.isOver) this.#end(undefined);
  }

  #ended(error: RestoreHooksError | undefined): void {
    this.#isOpen = false;
    if (this.#isOver) return;
    const isFinal = error === undefined ? !this.#listener.mayGoOn() : ['FORBIDDEN', 'NOT_FOUND'].includes(error.code);
    if (isFinal) {
      this.#end(error);
      return;
    }
    const cancel = this.#clock.setTimer(this.#pauseMs, () => this.#open());
    this.#stop = cancel;
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  #end(error: RestoreHooksError | undefined): void {
    if (this.#isOver) return;
    this.stop();
    this.#listener.over(error);
  }
}
