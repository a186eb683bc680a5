import type { HookState } from '../../shared/core/execute/hook-state.ts';
import { phaseOf } from '../../shared/core/execute/run-phase.ts';
import { createRun } from '../../shared/core/execute/state.ts';
import type { HookId } from '../../shared/core/model/hook.ts';
import { instant } from '../../shared/core/model/instant.ts';
import { startEngine } from '../../shared/runtime/engine.ts';
import { execOnly } from './exec-only.ts';
import { Invariants } from './invariants.ts';
import { CALM_AFTER_MS, World } from './world.ts';

/** What became of one world; `broken`: the invariant that did not hold. */
export interface Played {
  readonly broken: string | undefined;
  readonly log: readonly string[];
  readonly virtualMs: number;
}

/** Play one world to its rest with the real engine, an eye on the invariants. */
export function play(seed: number, options: { logged?: boolean } = {}): Played {
  const world = new World(seed, options);
  const { random, clock, hooks, maxConcurrent } = world;
  let broken: string | undefined;
  try {
    const ended = keptOf(world);
    const run = createRun(hooks, { startedAt: instant(0), maxConcurrent, ended });
    const invariants = new Invariants(world, run, () => phaseOf(run), ended);
    world.witness = invariants;
    const { exec, journal, runClock } = world;
    const { tell } = startEngine(
      run,
      { clock: runClock, exec, journal, ...execOnly },
      { stepped: () => invariants.stepped() },
    );
    world.pods.start((event) => {
      if (event.type !== 'podsLost') tell(event);
    });
    const cancel = (): void => {
      world.say('cancel');
      invariants.stopRequested('cancel');
      tell({ type: 'cancelRequested' });
    };
    const drop = (): void => {
      world.say('drop');
      invariants.dropRequested();
      tell({ type: 'dropRequested' });
    };
    if (random.chance(0.2)) {
      const cancelAt = random.time(20_000);
      clock.setTimer(cancelAt, cancel);
      if (random.chance(0.5)) clock.setTimer(cancelAt + 1 + random.time(5_000), drop);
    } else if (seed % 10 === 7) {
      // While nobody knows yet whether a command has started.
      world.onAsked = () => {
        world.onAsked = undefined;
        clock.setTimer(1, () => {
          cancel();
          drop();
        });
      };
    }
    if (random.chance(0.05)) {
      clock.setTimer(random.time(20_000), () => {
        world.say('the Restore is deleted');
        invariants.stopRequested('failure');
        tell({ type: 'runFailed', failure: { code: 'restore-deleted', message: 'the Restore was deleted' } });
      });
    }
    clock.runUntil(CALM_AFTER_MS * 100);
    invariants.atRest();
  } catch (error) {
    broken = error instanceof Error ? error.message : String(error);
    if (error instanceof Error && !/^E\d+ is broken/.test(error.message)) broken = error.stack;
  }
  return { broken, log: world.log ?? [], virtualMs: clock.now() };
}

/** In some worlds the first hooks of a pod ended in an earlier run. */
function keptOf({ random, hooks }: World): Map<HookId, HookState & { phase: 'Ended' }> {
  const kept = new Map<HookId, HookState & { phase: 'Ended' }>();
  if (!random.chance(0.15)) return kept;
  for (const [at, { id, pod }] of hooks.entries()) {
    const before = hooks[at - 1];
    const goesOn = before?.pod !== pod || kept.has(before.id);
    if (!goesOn || random.chance(0.5)) continue;
    if (random.chance(0.6)) {
      kept.set(id, {
        phase: 'Ended',
        outcome: { state: 'Succeeded', exitCode: 0 },
        startedAt: instant(-2),
        endedAt: instant(-1),
      });
    } else if (random.chance(0.5)) {
      const outcome = { state: 'Failed', reason: 'exit', exitCode: 1 } as const;
      kept.set(id, { phase: 'Ended', outcome, startedAt: instant(-2), endedAt: instant(-1) });
    } else {
      kept.set(id, { phase: 'Ended', outcome: { state: 'NotExecuted', reason: 'aborted' }, endedAt: instant(-1) });
    }
  }
  return kept;
}
