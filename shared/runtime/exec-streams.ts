import type { Fact } from '../core/execute/protocol.ts';
import type { ExecHook, HookId } from '../core/model/hook.ts';
import type { Detached, ExecRequest, HookExec, Output, Printed } from '../ports/ports.ts';

/** The commands that are running, each in a stream of its own. */
export class ExecStreams {
  readonly #exec: HookExec;
  readonly #tell: (fact: Fact) => void;
  readonly #printed: (hook: HookId, output: Output) => void;
  readonly #printing: (hook: HookId, piece: Printed) => void;
  readonly #drops = new Map<HookId, () => void>();
  /** Of commands that are detached. */
  readonly #requests = new Map<HookId, ExecRequest>();

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

  start({ id, namespace, pod, container, command }: ExecHook, podUID: string | undefined, detached?: Detached): void {
    let ended = false;
    const request = { namespace, pod, podUID, container, command };
    if (detached !== undefined) this.#requests.set(id, { ...request, detached });
    const drop = this.#exec.start(this.#requests.get(id) ?? request, {
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
    });
    if (!ended) this.#drops.set(id, drop);
  }

  /** End the hook's detached command: the answer of its stream tells what came of that. */
  end(hook: HookId): void {
    const request = this.#requests.get(hook);
    if (request !== undefined) this.#exec.end?.(request);
  }

  /** The hook's detached command has ended. Returns what its container is to be told once that is durable. */
  over(hook: HookId): () => void {
    const request = this.#requests.get(hook);
    this.#requests.delete(hook);
    return () => request !== undefined && this.#exec.forget?.(request);
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
