import type { HookId, PodKey } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import type { PodIndex } from '../model/position.ts';
import type { EndedHook } from './hook-state.ts';
import type { Elsewhere } from './protocol.ts';

/** What the runners before this one have done of a run, as its journal has it. */
export interface Resumed {
  readonly ended: ReadonlyMap<HookId, EndedHook>;
  /** How often a hook that is pending has been tried. */
  readonly tries: ReadonlyMap<HookId, number>;
  /** How often a hook was started in this run, where that is over and it was, or is, started again. */
  readonly starts?: ReadonlyMap<HookId, number>;
  /** How the last start of a hook ended that waits for the next one. */
  readonly last?: ReadonlyMap<HookId, EndedHook>;
  /** Detached commands that may be running, and are attached to. */
  readonly begun?: ReadonlyMap<HookId, BegunCommand>;
  /** Pending hooks whose command may be running, by the time at which it started at the latest. */
  readonly lost: ReadonlyMap<HookId, Instant>;
  /** When the wait timeouts of a pod began, by its index. */
  readonly waitingSince: ReadonlyMap<PodIndex, Instant>;
  /** Another runner has had this run: it may have deleted, and created, any pod that was to be created. */
  readonly wasTaken: boolean;
}

/** A detached command that an earlier runner has started, or may have. */
export interface BegunCommand {
  readonly tries: number;
  /** When this runner has found it in the journal. */
  readonly since: Instant;
  readonly startedAt?: Instant | undefined;
  readonly podUID?: string | undefined;
  readonly containerID?: string | undefined;
  /** By which it was started, where that isn't this run's own. */
  readonly key?: string | undefined;
}

/** What a run begins with. */
export interface RunStart {
  readonly startedAt: Instant;
  readonly maxConcurrent: number;
  /** Hooks that ended in an earlier run of the Restore, and keep their result. */
  readonly ended?: ReadonlyMap<HookId, EndedHook> | undefined;
  /** What the runners before this one have done of this very run. */
  readonly resumed?: Resumed | undefined;
  /** How often earlier runs have started the hooks that are run again. */
  readonly startsBefore?: ReadonlyMap<HookId, number> | undefined;
  /** Until when commands of earlier runs may be running in a pod, whether or not this plan has their hooks. */
  readonly quiet?: ReadonlyMap<PodKey, Instant> | undefined;
  /** This is one shard of several: how the others stand. */
  readonly elsewhere?: Elsewhere | undefined;
}
