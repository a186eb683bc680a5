import type { RestoreHooksError } from '../../core/errors.ts';
import type { Clock } from '../../ports/ports.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import type { WatchEnd, WatchEvent } from '../api/watch-stream.ts';

const SHORTEST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 30_000;
/** The API server sends a bookmark every minute. */
const SILENCE_MS = 75_000;

/**
 * Watches one Restore for whoever follows its run, so that changes are known at once. It only makes polling faster:
 * where it is forbidden or broken, `isOn` is false, and the follower polls more often (R7.39).
 */
export class RestoreWatch {
  readonly #client: Pick<KubeClient, 'watch'>;
  readonly #clock: Pick<Clock, 'setTimer'>;
  readonly #restore: { readonly namespace: string; readonly name: string };
  /** Called with the Restore as it is now; without it if it must be read. */
  readonly #onChange: (object: KubeObject | undefined) => void;
  #stop: (() => void) | undefined;
  #isOver = false;
  #isOn = false;
  #backoffMs = SHORTEST_BACKOFF_MS;
  #version = '';

  constructor(
    client: Pick<KubeClient, 'watch'>,
    clock: Pick<Clock, 'setTimer'>,
    restore: { readonly namespace: string; readonly name: string },
    onChange: (object: KubeObject | undefined) => void,
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#restore = restore;
    this.#onChange = onChange;
  }

  /** The watch has answered and has not ended since. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** The Restore was read in this version; the first time, the watch begins there. */
  seen(resourceVersion: string): void {
    this.#version = resourceVersion;
    if (this.#stop === undefined && !this.#isOver) this.#start();
  }

  stop(): void {
    this.#isOver = true;
    this.#isOn = false;
    this.#stop?.();
  }

  #start(): void {
    const { namespace, name } = this.#restore;
    const query = {
      fieldSelector: `metadata.name=${name}`,
      resourceVersion: this.#version,
      allowWatchBookmarks: 'true',
    };
    this.#stop = this.#client.watch(
      paths.restores(namespace),
      query,
      (event) => this.#heard(event),
      (end) => this.#ended(end),
      { silenceMs: SILENCE_MS },
    );
  }

  #heard({ type, object }: WatchEvent): void {
    this.#isOn = true;
    this.#backoffMs = SHORTEST_BACKOFF_MS;
    const { resourceVersion } = (object['metadata'] ?? {}) as { resourceVersion?: string };
    if (resourceVersion !== undefined) this.#version = resourceVersion;
    if (type === 'BOOKMARK') return;
    this.#onChange(type === 'DELETED' ? undefined : object);
  }

  #ended({ error }: WatchEnd): void {
    this.#isOn = false;
    if (this.#isOver || isRefused(error)) {
      this.#isOver = true;
      return;
    }
    // The version that the next poll reads counts: this one may be forgotten (410).
    this.#stop = this.#clock.setTimer(this.#backoffMs, () => {
      this.#stop = undefined;
    });
    this.#backoffMs = Math.min(LONGEST_BACKOFF_MS, this.#backoffMs * 2);
  }
}

/** The user may not watch, or somebody between here and the API server knows no watches: polling does as well. */
function isRefused(error: RestoreHooksError | undefined): boolean {
  const status = kubeApiError(error)?.status;
  return status !== undefined && status >= 400 && status < 500 && ![401, 410, 429].includes(status);
}
