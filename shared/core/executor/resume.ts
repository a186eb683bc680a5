import type { HookId, HookOutcome, PlannedHook } from '../hook.ts';
import type { EndedHook, HookState, RunOptions } from './state.ts';

/** What the runners before this one have done of a run, as its journal has it. */
export interface Resumed {
  readonly ended: ReadonlyMap<HookId, EndedHook>;
  /** How often a hook that is pending has been tried. */
  readonly attempts: ReadonlyMap<HookId, number>;
  /** Pending hooks whose command may be running, by the time at which it started at the latest. */
  readonly lost: ReadonlyMap<HookId, number>;
  /** When the wait timeouts of a pod began, by its index. */
  readonly waitingSince: ReadonlyMap<number, number>;
  /** Another runner has had this run: it may have deleted, and created, any pod that was to be created. */
  readonly wasTaken: boolean;
}

export const RUNNER_DIED: HookOutcome = {
  state: 'Unknown',
  reason: 'runner-died',
  message: 'the runner died; the command may have been started',
};

/** It was begun by a runner that is gone: it may have run, and may be running. */
export const isLost = ({ phase, outcome }: HookState & { phase: 'Ended' }): boolean =>
  phase === 'Ended' && outcome.state === 'Unknown' && outcome.reason === 'runner-died';

/** Until when lost commands of a pod may be running (contract §6): for ever where one has no limit. */
export function quietUntil(hooks: readonly PlannedHook[], { ended, resumed }: RunOptions): number | undefined {
  let until: number | undefined;
  for (const hook of hooks) {
    if (hook.kind !== 'exec') continue;
    const { id, execTimeoutMs } = hook;
    const state = ended?.get(id) ?? resumed?.ended.get(id);
    // Without a start that anybody saw, it was before the end that was given to it.
    const since =
      state === undefined ? resumed?.lost.get(id) : isLost(state) ? (state.startedAt ?? state.endedAt) : undefined;
    if (since !== undefined) until = Math.max(until ?? 0, since + (execTimeoutMs ?? Number.POSITIVE_INFINITY));
  }
  return until;
}
