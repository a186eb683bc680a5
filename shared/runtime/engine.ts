import { commandKey } from '../core/execute/detached.ts';
import type { Effect, Fact } from '../core/execute/protocol.ts';
import type { PodRun, RunState } from '../core/execute/state.ts';
import type { Step } from '../core/execute/step.ts';
import { step } from '../core/execute/step.ts';
import type { Hook, HookId } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import type {
  Clock,
  Detached,
  Hold,
  HookExec,
  Journal,
  LogReader,
  Output,
  PodCreator,
  Printed,
} from '../ports/ports.ts';
import { ExecStreams } from './exec-streams.ts';
import { Forgetting } from './forgetting.ts';
import { PodTimers } from './pod-timers.ts';

export interface EnginePorts {
  readonly clock: Clock;
  readonly exec: HookExec;
  readonly journal: Journal;
  readonly logs: LogReader;
  readonly creator: PodCreator;
  /** Without it nothing is known to be durable, and what is kept of detached commands stays in their containers. */
  readonly hold?: Pick<Hold, 'whenDurable'>;
}

/** Told of each step; can't influence the run. */
export interface Observer {
  /** Before it is made. */
  stepping?(facts: readonly Fact[], at: Instant): void;
  /** `touched`: the pods that may have changed, as they stood before. */
  stepped?(touched: Step['touched'], effects: readonly Effect[]): void;
  /** What a command printed, told before its end is. */
  printed?(hook: HookId, output: Output): void;
  /** What a command prints, as it comes. */
  printing?(hook: HookId, piece: Printed): void;
}

export interface Engine {
  tell(fact: Fact): void;
  /** Nothing more happens: streams and timers are dropped, facts fall on deaf ears, nothing is recorded. */
  stop(): void;
}

/** Carries facts to the core and its effects to the ports: one step at a time, facts that arrive together in one. */
export function startEngine(run: RunState, ports: EnginePorts, observer: Observer, runID = ''): Engine {
  const { clock } = ports;
  let facts: Fact[] = [];
  let stopped = false;

  const tell = (fact: Fact): void => {
    if (!stopped && facts.push(fact) === 1) clock.soon(drain);
  };
  const printed = (hook: HookId, output: Output): void => observer.printed?.(hook, output);
  const timers = new PodTimers(clock, (key) => tell({ type: 'timerFired', key }));
  const printing = (hook: HookId, piece: Printed): void => observer.printing?.(hook, piece);
  const streams = new ExecStreams(ports.exec, tell, printed, printing);
  const forgetting = new Forgetting(clock, ports.hold);
  const perform = performer({ run, runID, ports, timers, streams, forgetting, tell, printed });

  function drain(): void {
    const batch = facts;
    facts = [];
    if (stopped) return;
    const at = clock.now();
    observer.stepping?.(batch, at);
    const { effects, touched } = step(run, batch, at);
    for (const effect of effects) perform(effect);
    observer.stepped?.(touched, effects);
  }

  return {
    tell,
    stop() {
      stopped = true;
      timers.clearAll();
      streams.dropAll();
      forgetting.flush();
    },
  };
}

interface Performing {
  readonly run: RunState;
  readonly runID: string;
  readonly ports: EnginePorts;
  readonly timers: PodTimers;
  readonly streams: ExecStreams;
  readonly forgetting: Forgetting;
  readonly tell: (fact: Fact) => void;
  readonly printed: (hook: HookId, output: Output) => void;
}

/** Does what an effect says; what comes of it is told as a fact. */
const performer =
  ({ run, runID, ports, timers, streams, forgetting, tell, printed }: Performing) =>
  (effect: Effect): void => {
    const { journal } = ports;
    switch (effect.type) {
      case 'recordIntent': {
        const { hook, attempt, containerID } = effect;
        const recorded = () => tell({ type: 'intentRecorded', hook });
        journal.intent(hook, { attempt, podUID: podOf(run, hook).uid, containerID }, recorded);
        return;
      }
      case 'recordNotStarted':
        journal.notStarted(effect.hook);
        return;
      case 'recordStarted':
        journal.started(effect.hook, effect.at);
        return;
      case 'recordTried':
        journal.tried(effect.hook, effect.result);
        return;
      case 'recordResult':
        journal.result(effect.hook, effect.result);
        return;
      case 'startExec': {
        const hook = hookOf(run, effect.hook);
        if (hook.kind === 'exec') streams.start(hook, podOf(run, effect.hook).uid, detachedOf(run, runID, effect.hook));
        return;
      }
      case 'dropExec':
        streams.drop(effect.hook);
        return;
      case 'endExec':
        streams.end(effect.hook);
        return;
      case 'forgetExec':
        forgetting.add(streams.over(effect.hook));
        return;
      case 'readLog':
        ports.logs.read(hookOf(run, effect.hook), (output) => {
          printed(effect.hook, output);
          tell({ type: 'logRead', hook: effect.hook });
        });
        return;
      case 'createPod': {
        const { key } = effect;
        ports.creator.create(key, ({ created, ...creation }) =>
          tell({ type: created ? 'podCreated' : 'podNotCreated', key, ...creation } as Fact),
        );
        return;
      }
      case 'setTimer':
        timers.set(effect.key, effect.at);
        return;
      case 'clearTimer':
        timers.clear(effect.key);
        return;
    }
  };

function detachedOf(run: RunState, runID: string, id: HookId): Detached | undefined {
  const state = podOf(run, id).states[run.places.get(id)?.at ?? -1];
  if (state?.phase !== 'Starting' || state.detached === undefined) return undefined;
  const { containerID, begun } = state.detached;
  const key = begun?.key ?? commandKey(runID, id, state.starts);
  return { key, containerID, isBegun: begun !== undefined, wasStarted: begun?.startedAt !== undefined };
}

function podOf(run: RunState, id: HookId): PodRun {
  const pod = run.pods[run.places.get(id)?.pod ?? -1];
  if (pod === undefined) throw new Error(`no hook ${id} in this run`);
  return pod;
}

function hookOf(run: RunState, id: HookId): Hook {
  const hook = podOf(run, id).hooks[run.places.get(id)?.at ?? -1];
  if (hook === undefined) throw new Error(`no hook ${id} in this run`);
  return hook;
}
