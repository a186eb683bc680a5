import type { ExecHook, ExecOutcome } from '../../shared/core/model/hook.ts';
import type { Detached, ExecAnswer, ExecRequest } from '../../shared/ports/ports.ts';
import type { Random } from './random.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** How a hook's container stands, and what comes to it next. */
export interface Standing {
  readonly uid: string;
  readonly id: string;
  readonly running: boolean;
  readonly endsAt: number;
  readonly endsAs: 'containerRestarted' | 'podGone';
}

interface Command {
  readonly hook: ExecHook;
  endsAt: number;
  outcome: ExecOutcome;
  isOver: boolean;
  cancelTimer: () => void;
  /** The streams that are attached to it. */
  readonly attached: Set<() => void>;
}

type Asked = ExecRequest & { readonly detached: Detached };

interface Around {
  readonly clock: VirtualClock;
  containerOf(hook: ExecHook): Standing | undefined;
  say(what: string): void;
}

/**
 * Commands that live in their containers, whatever becomes of connections and runners: they end by themselves, when they
 * are ended, or with their container. Connections to them never tell a loss, as the adapter attaches again.
 */
export class DetachedCommands {
  readonly #world: Around;
  readonly #random: Random;
  readonly #commands = new Map<string, Command>();
  /** Hears of each command that is started, and of its end. */
  began: (hook: ExecHook, key: string) => void = () => undefined;
  over: (hook: ExecHook, outcome: ExecOutcome) => void = () => undefined;

  constructor(world: Around, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  start(hook: ExecHook, { detached, podUID }: Asked, answer: ExecAnswer): () => void {
    const { clock } = this.#world;
    const { key, isBegun } = detached;
    let open = true;
    this.#world.say(`${isBegun ? 'attach' : 'exec'} ${hook.id}`);
    const end = (outcome: ExecOutcome): void => {
      if (!open) return;
      open = false;
      this.#world.say(`answer ${hook.id} ${JSON.stringify(outcome)}`);
      answer.ended(outcome, {});
    };
    clock.setTimer(this.#random.pick([0, 10, 300]), () => {
      const known = this.#commands.get(key);
      const refused = known === undefined ? this.#refusal(hook, detached, podUID) : undefined;
      if (refused !== undefined) return end(refused);
      const command = known ?? this.#begin(hook, key);
      if (open) answer.started();
      const told = (): void => void clock.setTimer(this.#random.pick([0, 100, 1_000]), () => end(command.outcome));
      if (command.isOver) told();
      else command.attached.add(told);
    });
    return () => {
      open = false;
      this.#world.say(`drop ${hook.id}`);
    };
  }

  end({ detached }: ExecRequest): void {
    const command = this.#commands.get(detached?.key ?? '');
    if (command === undefined || command.isOver) return;
    const endsAt = this.#world.clock.now() + this.#random.pick([0, 100, 5_000]);
    this.#world.say(`end ${command.hook.id}`);
    if (endsAt >= command.endsAt) return;
    Object.assign(command, { endsAt, outcome: { kind: 'exited', exitCode: 143, wasEnded: true } });
    this.#await(command);
  }

  /** Why nothing is started for a key that is new. */
  #refusal(hook: ExecHook, { isBegun, containerID }: Detached, podUID: string | undefined): ExecOutcome | undefined {
    const standing = this.#world.containerOf(hook);
    if (standing === undefined) return { kind: isBegun ? 'podGone' : 'podDeleted' };
    if (podUID !== undefined && standing.uid !== podUID) return { kind: isBegun ? 'podGone' : 'podReplaced' };
    const isOther = !standing.running || (containerID !== undefined && standing.id !== containerID);
    if (isOther) return isBegun ? { kind: 'containerRestarted' } : { kind: 'notStarted', why: 'of the world' };
    const isRefused = !isBegun && this.#random.chance(0.1);
    return isRefused ? { kind: 'notStarted', why: 'of the world' } : undefined;
  }

  #begin(hook: ExecHook, key: string): Command {
    const { clock } = this.#world;
    const random = this.#random;
    const standing = this.#world.containerOf(hook);
    const ownEnd = clock.now() + random.pick([0, random.time(1_000), random.time(10_000), random.time(60_000)]);
    const own: ExecOutcome = { kind: 'exited', exitCode: random.chance(0.7) ? 0 : 3 };
    const isCut = standing !== undefined && standing.endsAt < ownEnd;
    const command: Command = {
      hook,
      endsAt: isCut ? standing.endsAt : ownEnd,
      outcome: isCut ? { kind: standing.endsAs } : own,
      isOver: false,
      cancelTimer: () => undefined,
      attached: new Set(),
    };
    this.#commands.set(key, command);
    this.#world.say(`begins ${hook.id} until ${command.endsAt}`);
    this.began(hook, key);
    this.#await(command);
    return command;
  }

  #await(command: Command): void {
    const { clock } = this.#world;
    command.cancelTimer();
    command.cancelTimer = clock.setTimer(command.endsAt - clock.now(), () => {
      command.isOver = true;
      this.#world.say(`over ${command.hook.id} ${JSON.stringify(command.outcome)}`);
      this.over(command.hook, command.outcome);
      for (const told of command.attached) told();
    });
  }
}
