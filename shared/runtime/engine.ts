import type { Effect, Fact } from '../core/executor/protocol.ts';
import type { RunState } from '../core/executor/state.ts';
import { step } from '../core/executor/step.ts';
import type { HookId, PlannedExecHook, PlannedHook, PodKey } from '../core/hook.ts';
import type { Clock, HookExec, Journal, LogReader, Output, PodCreator } from '../ports/ports.ts';

export interface EnginePorts {
  readonly clock: Clock;
  readonly exec: HookExec;
  readonly journal: Journal;
  readonly logs: LogReader;
  readonly creator: PodCreator;
}

/** Told after each step; can't influence the run. */
export interface Observer {
  /** `touched`: indexes of the pods that may have changed. */
  stepped?(touched: readonly number[]): void;
  /** What a command printed, told before its end is. */
  printed?(hook: HookId, output: Output): void;
}

/**
 * Carries facts to the core and its effects to the ports: one step at a time, facts that arrive together in one.
 * Returns how to tell it a fact.
 */
export function startEngine(run: RunState, ports: EnginePorts, observer: Observer): (fact: Fact) => void {
  const { clock, exec, journal, logs, creator } = ports;
  const timers = new Map<PodKey, { readonly at: number; readonly cancel: () => void }>();
  const streams = new Map<HookId, () => void>();
  let facts: Fact[] = [];

  const tell = (fact: Fact): void => {
    if (facts.push(fact) === 1) clock.soon(drain);
  };

  function drain(): void {
    const batch = facts;
    facts = [];
    const { effects, touched } = step(run, batch, clock.now());
    for (const effect of effects) perform(effect);
    observer.stepped?.(touched);
  }

  function perform(effect: Effect): void {
    switch (effect.type) {
      case 'recordIntent':
        journal.intent(effect.hook, () => tell({ type: 'intentRecorded', hook: effect.hook }));
        return;
      case 'recordResult':
        journal.result(effect.hook, effect.outcome);
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
      { namespace, pod, container, command },
      {
        started: () => tell({ type: 'execStarted', hook: id }),
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

  return tell;
}

function hookOf(run: RunState, id: HookId): PlannedHook {
  const place = run.places.get(id);
  const hook = place && run.pods[place.pod]?.hooks[place.at];
  if (hook === undefined) throw new Error(`no hook ${id} in this run`);
  return hook;
}
