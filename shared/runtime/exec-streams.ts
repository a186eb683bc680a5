import type { Fact } from '../core/execute/protocol.ts';
import type { ExecHook, HookId } from '../core/model/hook.ts';
import type { HookExec, Output, Printed } from '../ports/ports.ts';

/** The commands that are running, each in a stream of its own. */
export class ExecStreams {
  readonly #exec: HookExec;
  readonly #tell: (fact: Fact) => void;
  readonly #printed: (hook: HookId, output: Output) => void;
  readonly #printing: (hook: HookId, piece: Printed) => void;
  readonly #drops = new Map<HookId, () => void>();

  /** `printed` hears what a command printed before `tell` hears that it has ended; `printing` hears it as it comes. */
  constructor(
    exec: HookExec,
    tell: (fact: Fact) => void,
    printed: (hook: HookId, output: Output) => void,
    printing: (hook: HookId, piece: Printed) => void,
  ) {
    this.#exec = exec;
    this.#tell = tell;
    this.#printed = printed;
    this.#printing = printing;
  }

  start({ id, namespace, pod, container, command }: ExecHook, podUID: string | undefined): void {
    let ended = false;
    const drop = this.#exec.start(
      { namespace, pod, podUID, container, command },
      {
        started: () => this.#tell({ type: 'execStarted', hook: id }),
        commandEnded: () => this.#tell({ type: 'commandEnded', hook: id }),
        printed: (piece) => this.#printing(id, piece),
        dropped: (output) => this.#printed(id, output),
        ended: (outcome, output) => {
          ended = true;
          this.#drops.delete(id);
          this.#printed(id, output);
          this.#tell({ type: 'execEnded', hook: id, outcome });
        },
      },
    );
    if (!ended) this.#drops.set(id, drop);
  }

  /** Close the hook's stream, if it is open: its command goes on in the container, and nothing is told of it. */
  drop(hook: HookId): void {
    this.#drops.get(hook)?.();
    this.#drops.delete(hook);
  }

  dropAll(): void {
    for (const drop of this.#drops.values()) drop();
    this.#drops.clear();
  }
}
