import type { RestoreHooksError } from '../core/errors.ts';
import type { RunState } from '../core/execute/state.ts';
import type { RunEvent } from '../core/report/run-event.ts';
import { endedEvent, hookFailedEvent, startedEvent } from '../core/report/run-event.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import type { Clock, EventWriter } from '../ports/ports.ts';

/** How long the end of a run waits for the API server to take its events. */
const LAST_EVENTS_MS = 5_000;

export type Warn = (what: string, error: RestoreHooksError) => void;

/**
 * Tells of a run in Kubernetes Events on its Restore (R5.23). Each is tried once, and a failure is told once: it changes
 * nothing of the run (R5.24).
 */
export class RunEvents {
  readonly #clock: Clock;
  readonly #writer: EventWriter;
  readonly #run: RunState;
  readonly #warn: Warn;
  /** The run was stopped before this runner took it: an earlier one has told so. */
  #isStopTold: boolean;
  #open = 0;
  #settled = (): void => undefined;
  #isMute = false;

  constructor(clock: Clock, writer: EventWriter, run: RunState, warn: Warn) {
    this.#clock = clock;
    this.#writer = writer;
    this.#run = run;
    this.#warn = warn;
    this.#isStopTold = run.stop !== undefined;
  }

  /** The first runner of the run is about to start hooks. */
  started(status: RunStatus, openPods = this.#run.pods.filter((pod) => pod.open.isAny).length): void {
    if (!this.#run.wasTaken) this.#write(startedEvent(status, openPods));
  }

  /** Looks whether a hook with `onError: Fail` has stopped the run. */
  stepped(status: Pick<RunStatus, 'runID'>): void {
    const { stop, failure } = this.#run;
    if (stop === undefined || this.#isStopTold || stop.isElsewhere) return;
    this.#isStopTold = true;
    if (stop.reason === 'aborted' && failure === undefined) this.#write(hookFailedEvent(status, stop));
  }

  /** Resolves when all events are written or refused, or after five seconds. */
  async ended(status: RunStatus): Promise<void> {
    this.#write(endedEvent(status));
    if (this.#open === 0) return;
    await new Promise<void>((resolve) => {
      const giveUp = this.#clock.setTimer(LAST_EVENTS_MS, resolve);
      this.#settled = () => {
        giveUp();
        resolve();
      };
    });
    this.#isMute = true;
  }

  #write(event: RunEvent): void {
    this.#open += 1;
    this.#writer.write(event, (error) => {
      this.#open -= 1;
      if (error !== undefined) this.#tell(error);
      if (this.#open === 0) this.#settled();
    });
  }

  #tell(error: RestoreHooksError): void {
    if (this.#isMute) return; // R5.24
    this.#isMute = true;
    const way = error.code === 'FORBIDDEN' ? ' (see how to grant the right: kubectl restorehooks check)' : '';
    this.#warn(`no event could be written on the Restore${way}; the run goes on without`, error);
  }
}
