import type { Effect, Fact } from '../core/execute/protocol.ts';
import type { RunState } from '../core/execute/state.ts';
import type { Instant } from '../core/model/instant.ts';
import type { RunStatus } from '../core/report/run-status.ts';

/** What has happened at once, what follows from it, and the run as it stands after that. */
export interface RunStep {
  readonly run: RunState;
  readonly facts: readonly Fact[];
  readonly effects: readonly Effect[];
  readonly at: Instant;
}

/** Told of all that happens in a run. It must change nothing of it. */
export interface StepObserver {
  begun(run: RunState, status: RunStatus, now: Instant): void;
  stepped(step: RunStep): void;
  /** How the run stands when this runner leaves it. */
  ended(status: RunStatus): void;
}
