import type { Effect, Fact } from '../core/execute/protocol.ts';
import type { PodRun, RunState } from '../core/execute/state.ts';
import type { Step } from '../core/execute/step.ts';
import { step } from '../core/execute/step.ts';
import type { HookId, PlannedExecHook, PlannedHook, PodKey } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import type { Clock, HookExec, Journal, LogReader, Output, PodCreator } from '../ports/ports.ts';

export interface EnginePorts {
  readonly clock: Clock;
  readonly exec: HookExec;
  readonly journal: Journal;
  readonly logs: LogReader;
  readonly creator: PodCreator;
}

/** Told of each step; can't influence the run. */
export interface Observer {
  /** Before it is made. */
  stepping?(facts: readonly Fact[], at: Instant): void;
  /** `touched`: the pods that may have changed, as they stood before. */
  stepped?(touched: Step['touched'], effects: readonly Effect[]): void;
  /** What a command printed, told before its end is. */
  printed?(hook: HookId, output: Output): void;
}

export interface Engine {
  tell(fact: Fact): void;
  /** Nothing more happens: streams and timers are dropped, facts fall on deaf ears, nothing is recorded. */
  stop(): void;
}

/** Carries facts to the core and its effects to the ports: one step at a time, facts that arrive together in one. */
export function startEngine(run: RunState, ports: EnginePorts, observer: Observer): Engine {
  const { clock, exec, journal, logs, creator } = ports;
  const timers = new Map<PodKey, { readonly at: number; readonly cancel: () => void }>();
  const streams = new Map<HookId, () => void>();
  let facts: Fact[] = [];
  let stopped = false;

  const tell = (fact: Fact): void => {
    if (!stopped && facts.push(fact) === 1) clock.soon(drain);
  };

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

  function perform(effect: Effect): void {
    switch (effect.type) {
      case 'recordIntent':
        journal.intent(effect.hook, { attempt: effect.attempt, podUID: podOf(run, effect.hook).uid }, () =>
          tell({ type: 'intentRecorded', hook: effect.hook }),
        );
        return;
      case 'recordNotStarted':
        journal.notStarted(effect.hook);
        return;
      case 'recordStarted':
        journal.started(effect.hook, effect.at);
        return;
      case 'recordResult':
        journal.result(effect.hook, effect.result);
        return;
      case 'startExec': {
        const hook = hookOf(run, effect.hook);
        if (hook.kind === 'exec') startExec(hook);
        return;
      }
      case 'readLog':
        logs.read(hookOf(run, effect.hook), (output) => {
          observer.printed?.(effect.hook, output);
          tell({ type: 'logRead', hook: effect.hook });
        });
        return;
      case 'createPod': {
        const { key } = effect;
        creator.create(key, ({ created, ...creation }) =>
          tell({ type: created ? 'podCreated' : 'podNotCreated', key, ...creation } as Fact),
        );
        return;
      }
      case 'dropExec':
        streams.get(effect.hook)?.();
        streams.delete(effect.hook);
        return;
      case 'setTimer': {
        const { key, at } = effect;
        const last = timers.get(key);
        if (last?.at === at) return;
        last?.cancel();
        const fire = () => {
          timers.delete(key);
          tell({ type: 'timerFired', key });
        };
        timers.set(key, { at, cancel: clock.setTimer(at - clock.now(), fire) });
        return;
      }
      case 'clearTimer':
        timers.get(effect.key)?.cancel();
        timers.delete(effect.key);
        return;
    }
  }

  function startExec({ id, namespace, pod, container, command }: PlannedExecHook): void {
    let ended = false;
    const drop = exec.start(
      { namespace, pod, podUID: podOf(run, id).uid, container, command },
      {
        started: () => tell({ type: 'execStarted', hook: id }),
        commandEnded: () => tell({ type: 'commandEnded', hook: id }),
        ended: (outcome, output) => {
          ended = true;
          streams.delete(id);
          observer.printed?.(id, output);
          tell({ type: 'execEnded', hook: id, outcome });
        },
      },
    );
    if (!ended) streams.set(id, drop);
  }

  return {
    tell,
    stop() {
      stopped = true;
      for (const { cancel } of timers.values()) cancel();
      for (const drop of streams.values()) drop();
      timers.clear();
      streams.clear();
    },
  };
}

function podOf(run: RunState, id: HookId): PodRun {
  const pod = run.pods[run.places.get(id)?.pod ?? -1];
  if (pod === undefined) throw new Error(`no hook ${id} in this run`);
  return pod;
}

function hookOf(run: RunState, id: HookId): PlannedHook {
  const hook = podOf(run, id).hooks[run.places.get(id)?.at ?? -1];
  if (hook === undefined) throw new Error(`no hook ${id} in this run`);
  return hook;
}
