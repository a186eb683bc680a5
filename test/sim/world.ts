import type { ExecHook, ExecOutcome, HookId, PodKey, PodObservation } from '../../shared/core/model/hook.ts';
import { podKey } from '../../shared/core/model/hook.ts';
import type {
  Clock,
  ExecAnswer,
  ExecRequest,
  HookExec,
  Journal,
  PodEvent,
  PodSource,
} from '../../shared/ports/ports.ts';
import type { Standing } from './detached-commands.ts';
import { DetachedCommands } from './detached-commands.ts';
import { Random } from './random.ts';
import { VirtualClock } from './virtual-clock.ts';

/** Hears of everything that the world does and is asked for, as it happens. */
export interface Witness {
  told(event: PodEvent): void;
  intended(hook: HookId): void;
  recorded(hook: HookId): void;
  startRecorded(hook: HookId, at: number): void;
  tried(hook: HookId): void;
  result(hook: HookId): void;
  asked(hook: HookId): void;
  started(hook: HookId): void;
  answered(hook: HookId, outcome: ExecOutcome): void;
  dropped(hook: HookId): void;
}

/** From here on nothing is refused any more, so that every run comes to rest. */
export const CALM_AFTER_MS = 120_000;
const BUSY_MS = 30_000;

/**
 * A simulated cluster: one seed, one world. It makes up a plan, and pods that come up, flap, become ready, crash,
 * finish, vanish, are replaced under the same name or never come; commands that succeed, fail, are refused, lose their
 * connection or never answer; and a journal that takes its time.
 */
export class World {
  readonly random: Random;
  readonly clock: VirtualClock;
  readonly hooks: readonly ExecHook[];
  readonly maxConcurrent: number;
  /** How late a timer of the run may fire; some fire a little early, as where the wall clock was set back. */
  readonly latestTimerMs: number;
  readonly log: string[] | undefined;
  witness: Witness | undefined;
  onAsked: (() => void) | undefined;
  readonly commands: DetachedCommands;
  readonly #byCommand: ReadonlyMap<string, ExecHook>;
  readonly #scripts: readonly PodScript[];
  readonly #journalDelayMs: number;
  readonly #forbids: boolean;
  /** Its commands end over a protocol that calls a dead kubelet a success. */
  readonly #isUnproven: boolean;
  /** A command may start seconds after it was asked for, also when the runner that asked is dead by then. */
  readonly #startsLate: boolean;
  /** The deletion of an earlier pod of its name is told while the planned one stands. */
  readonly #tellsStrays: boolean;

  constructor(seed: number, { logged = false, detaching = false } = {}) {
    const random = new Random(seed);
    this.random = random;
    this.log = logged ? [] : undefined;
    this.clock = new VirtualClock({ tieBreak: () => random.next(), together: random.chance(0.6) });
    this.latestTimerMs = random.pick([0, 0, 20]);
    this.maxConcurrent = random.pick([1, 1, 2, 3, 64]);
    this.#journalDelayMs = random.pick([0, 0, 100, 2_000]);
    this.#forbids = random.chance(0.05);
    this.#scripts = Array.from({ length: random.int(1, 5) }, (_, index) => podScript(random, index));
    // Not drawn, so that other seeds keep their worlds.
    this.#isUnproven = seed % 10 === 4;
    this.#tellsStrays = seed % 10 === 9;
    this.#startsLate = seed % 10 === 2;
    const hooks = this.#scripts.flatMap((script) => hooksOf(random, script));
    // Not drawn from the same numbers, so that other seeds keep their worlds.
    const ordered = seed % 4 === 1 ? inWaves(new Random(seed + 1e9), hooks) : hooks;
    const tries = seed % 10 === 1 ? new Random(seed) : undefined;
    const detach = (hook: ExecHook): ExecHook => (hook.index % 3 === 2 ? hook : { ...hook, detach: true });
    this.hooks = ordered.map((hook) => withTries(detaching ? detach(hook) : hook, tries));
    this.commands = new DetachedCommands(this, new Random(seed));
    this.#byCommand = new Map(this.hooks.map((hook) => [hook.command.join(' '), hook]));
  }

  say(what: string): void {
    this.log?.push(`${String(this.clock.now()).padStart(8)}  ${what}`);
  }

  /** The clock as the run sees it: its timers are not exact. */
  get runClock(): Clock {
    const { clock, random, latestTimerMs } = this;
    if (latestTimerMs === 0) return clock;
    return {
      now: () => clock.now(),
      setTimer: (afterMs, fire) => clock.setTimer(afterMs + random.int(-1, latestTimerMs), fire),
      soon: (run) => clock.soon(run),
    };
  }

  readonly pods: PodSource = {
    start: (tell) => {
      let stopped = false;
      const say = (event: PodEvent): void => {
        if (stopped) return;
        this.say(describe(event));
        this.witness?.told(event);
        tell(event);
      };
      const listedAt = this.clock.now() + this.random.time(2_000);
      for (const { key, plannedUid, events } of this.#scripts) {
        if (this.#tellsStrays && plannedUid === `${key}#0`) {
          this.#at(listedAt + 1_000, () => say({ type: 'podDeleted', key, uid: `${key}#old` }));
        }
        // What came before the listing is seen as it stands then.
        const listed = events.findLast(({ at }) => at <= listedAt);
        if (listed?.event.type === 'podObserved') this.#at(listedAt, () => say(listed.event));
        for (const { at, event } of events) if (at > listedAt) this.#at(at, () => say(event));
      }
      this.#at(listedAt + 0.5, () => say({ type: 'podsListed' }));
      return () => {
        stopped = true;
      };
    },
  };

  #at(time: number, happen: () => void): void {
    this.clock.setTimer(time - this.clock.now(), happen);
  }

  readonly journal: Journal = {
    intent: (hook, _intent, recorded) => {
      this.say(`intent ${hook}`);
      this.witness?.intended(hook);
      const land = (): void => {
        this.witness?.recorded(hook);
        this.say(`recorded ${hook}`);
        recorded();
      };
      if (this.#journalDelayMs === 0) land();
      else this.clock.setTimer(this.random.time(this.#journalDelayMs), land);
    },
    notStarted: (hook) => this.say(`not started ${hook}`),
    started: (hook, at) => this.witness?.startRecorded(hook, at),
    seen: () => undefined,
    tried: (hook, { outcome }) => {
      this.say(`tried ${hook} ${JSON.stringify(outcome)}`);
      this.witness?.tried(hook);
    },
    result: (hook, { outcome }) => {
      this.say(`result ${hook} ${JSON.stringify(outcome)}`);
      this.witness?.result(hook);
    },
  };

  readonly exec: HookExec = {
    end: (request) => this.commands.end(request),
    start: (request, answer) => this.#exec(request, answer),
  };

  readonly #plain: HookExec = {
    start: ({ namespace, pod, container, command }, { started, ended }) => {
      const hook = this.#byCommand.get(command.join(' '));
      if (hook === undefined) throw new Error(`no hook has the command ${command.join(' ')}`);
      if (hook.namespace !== namespace || hook.pod !== pod || hook.container !== container) {
        throw new Error(`${hook.id} is started in ${namespace}/${pod}/${container}`);
      }
      const { id } = hook;
      this.say(`exec ${id}`);
      this.witness?.asked(id);
      this.onAsked?.();
      let open = true;
      const later = (afterMs: number, happen: () => void): void => {
        const answer = (): void => void (open && happen());
        if (afterMs === 0 && this.random.chance(0.5)) answer();
        else this.clock.setTimer(afterMs, answer);
      };
      const start = (): void => {
        this.say(`started ${id}`);
        this.witness?.started(id);
        started();
      };
      const end = (outcome: ExecOutcome): void => {
        open = false;
        this.say(`answer ${id} ${JSON.stringify(outcome)}`);
        this.witness?.answered(id, outcome);
        ended(outcome, this.random.chance(0.3) ? { stdout: `output of ${id}` } : {});
      };
      const { refusal, runsMs, outcome } = this.#fate();
      later(this.random.pick([0, 0, 10, 300]) * (this.#startsLate ? 20 : 1), () => {
        if (refusal !== undefined) return end(refusal);
        start();
        if (runsMs !== undefined) later(runsMs, () => end(outcome));
      });
      return () => {
        open = false;
        this.say(`drop ${id}`);
        this.witness?.dropped(id);
      };
    },
  };

  #exec(request: ExecRequest, answer: ExecAnswer): () => void {
    if (request.detached === undefined) return this.#plain.start(request, answer);
    const hook = this.#byCommand.get(request.command.join(' '));
    if (hook === undefined) throw new Error(`no hook has the command ${request.command.join(' ')}`);
    return this.commands.start(hook, { ...request, detached: request.detached }, answer);
  }

  /** How the container of a hook stands now, and what comes to it next; undefined: its pod isn't there. */
  containerOf({ namespace, pod, container }: ExecHook): Standing | undefined {
    const events = this.#scripts.find(({ key }) => key === `${namespace}/${pod}`)?.events ?? [];
    const now = this.clock.now();
    const last = events.findLast(({ at }) => at <= now)?.event;
    if (last?.type !== 'podObserved') return undefined;
    const standing = last.pod.containers[container];
    const next = events.find(({ at, event }) => {
      const then = event.type === 'podObserved' ? event.pod : undefined;
      return (
        at > now &&
        (then?.uid !== last.pod.uid ||
          then.containers[container]?.id !== standing?.id ||
          !then.containers[container]?.running)
      );
    });
    const isGone = next?.event.type !== 'podObserved' || next.event.pod.uid !== last.pod.uid;
    return {
      uid: last.pod.uid,
      id: standing?.id ?? '',
      running: standing?.running ?? false,
      endsAt: next?.at ?? Number.POSITIVE_INFINITY,
      endsAs: isGone ? 'podGone' : 'containerRestarted',
    };
  }

  /** What becomes of one exec request; without `runsMs` the command never ends. */
  #fate(): { refusal?: ExecOutcome; runsMs?: number; outcome: ExecOutcome } {
    const { random } = this;
    const outcome: ExecOutcome = { kind: 'exited', exitCode: 0, ...(this.#isUnproven && { unproven: true }) };
    const message = 'of the world';
    const runsMs = random.pick([0, random.time(500), random.time(5_000), random.time(20_000)]);
    if (random.chance(0.55)) return { runsMs, outcome };
    if (random.chance(0.25)) return { runsMs, outcome: { kind: 'exited', exitCode: random.pick([1, 3, 137]) } };
    if (random.chance(0.15)) return { runsMs, outcome: { kind: 'connectionLost', message } };
    if (random.chance(0.25)) return { outcome };
    if (random.chance(0.1)) return { refusal: { kind: 'error', message }, outcome };
    if (random.chance(0.1)) return { refusal: { kind: 'podDeleted' }, outcome };
    if (random.chance(0.1)) return { refusal: { kind: 'noSuchContainer' }, outcome };
    if (random.chance(0.1)) return { refusal: { kind: 'connectionLost', message }, outcome };
    if (this.#forbids && random.chance(0.2)) return { refusal: { kind: 'forbidden', message }, outcome };
    if (this.clock.now() > CALM_AFTER_MS) return { runsMs, outcome };
    const retryAfter = random.chance(0.2) ? { retryAfterMs: random.time(3_000) } : {};
    const refusal = { kind: 'notStarted', why: message, ...retryAfter } as const;
    // A stream may also say so after it had said that the command may be running.
    return random.chance(0.1) ? { runsMs, outcome: refusal } : { refusal, outcome };
  }
}

interface PodScript {
  readonly key: PodKey;
  readonly plannedUid: string | undefined;
  readonly containers: readonly string[];
  readonly events: readonly { readonly at: number; readonly event: PodEvent }[];
}

function podScript(random: Random, index: number): PodScript {
  const key = podKey('ns', `p${index}`);
  const containers = ['a', 'b', 'c'].slice(0, random.int(1, 3));
  const plannedUid = random.chance(0.5) ? `${key}#${random.chance(0.9) ? 0 : 'old'}` : undefined;
  const events: { at: number; event: PodEvent }[] = [];
  let at = random.chance(0.6) ? 0 : random.time(5_000);
  const lives = random.chance(0.07) ? 0 : random.chance(0.15) ? 2 : 1;
  for (let life = 0; life < lives; life += 1) at = live(random, { key, uid: `${key}#${life}`, containers, at, events });
  return { key, plannedUid, containers, events };
}

interface Life {
  readonly key: PodKey;
  readonly uid: string;
  readonly containers: readonly string[];
  readonly at: number;
  readonly events: { at: number; event: PodEvent }[];
}

/** One pod from its first sight on; returns when the next of its name may come. */
function live(random: Random, { key, uid, containers, at: bornAt, events }: Life): number {
  let at = bornAt;
  const state = new Map(containers.map((name) => [name, { id: `${uid}/${name}/0`, running: false, ready: false }]));
  let restarts = 0;
  const tell = (phase: PodObservation['phase']): void => {
    events.push({
      at,
      event: { type: 'podObserved', pod: { key, uid, phase, containers: Object.fromEntries(state) } },
    });
  };
  tell('Pending');
  for (let change = random.int(1, 12); change > 0; change -= 1) {
    at += 1 + random.time(random.pick([100, 1_000, BUSY_MS / 4]));
    const name = containers[random.int(0, containers.length - 1)] ?? '';
    const { id, running, ready } = state.get(name) ?? { id: '', running: false, ready: false };
    // Kubernetes never calls a container ready that doesn't run; most stay up once they are.
    if (!running) {
      restarts += 1;
      state.set(name, { id: `${uid}/${name}/${restarts}`, running: true, ready: random.chance(0.4) });
    } else if (random.chance(0.2)) state.set(name, { id, running: false, ready: false });
    else state.set(name, { id, running: true, ready: !ready || random.chance(0.7) });
    tell('Running');
    if (random.chance(0.3)) tell('Running'); // the same once more, as after a listing
  }
  if (random.chance(0.75)) return at;
  at += 1 + random.time(5_000);
  if (random.chance(0.5)) {
    for (const [name, { id }] of state) state.set(name, { id, running: false, ready: false });
    tell(random.pick(['Succeeded', 'Failed']));
    at += 1 + random.time(5_000);
  }
  // A deletion that was missed shows only as another pod under the name.
  if (random.chance(0.8)) events.push({ at, event: { type: 'podDeleted', key, uid } });
  return at + 1 + random.time(3_000);
}

function hooksOf(random: Random, { key, plannedUid, containers }: PodScript): ExecHook[] {
  const [namespace = '', pod = ''] = key.split('/');
  const hooks: ExecHook[] = [];
  const failing = random.chance(0.3);
  for (const container of [...containers].sort(() => random.next() - 0.5)) {
    for (let count = random.int(hooks.length === 0 ? 1 : 0, 3); count > 0; count -= 1) {
      const index = hooks.length;
      const never = random.chance(0.04) ? random.pick(['no-such-container', 'empty-command'] as const) : undefined;
      const name = never === 'no-such-container' ? 'absent' : container;
      hooks.push({
        id: `${key}/${name}/h/${index}` as HookId,
        kind: 'exec',
        namespace,
        pod,
        ...(plannedUid === undefined ? {} : { podUID: plannedUid }),
        container: name,
        source: 'spec',
        origin: 'velero',
        name: 'h',
        index,
        command: [`${key}/${index}`],
        onError: failing && random.chance(0.4) ? 'Fail' : 'Continue',
        execTimeoutMs: random.chance(0.15) ? null : 100 * random.int(1, 60),
        execTimeoutFrom: 'spec',
        waitTimeoutMs: random.chance(0.4) ? null : 100 * random.int(1, 200),
        waitTimeoutFrom: 'spec',
        waitForReady: random.chance(0.3),
        ...(never === undefined ? {} : { never }),
      });
    }
  }
  return [...Map.groupBy(hooks, ({ container }) => container).values()].flat();
}

/** Drawn apart, so that other seeds keep their worlds. */
function withTries(hook: ExecHook, random: Random | undefined): ExecHook {
  if (random === undefined || random.chance(0.3)) return hook;
  const retry = {
    attempts: random.int(2, 5),
    delayMs: random.pick([0, 100, 2_000]),
    maxDelayMs: random.pick([100, 3_000, 60_000]),
  };
  return { ...hook, retry };
}

/** Each hook in a wave of its own choice, and in each container those of lower waves first. */
function inWaves(random: Random, hooks: readonly ExecHook[]): ExecHook[] {
  const waves = random.pick<readonly [number, ...number[]]>([
    [0, 1],
    [-1, 0, 7],
    [0, 1, 2, 3, 4],
  ]);
  const chosen = hooks.map((hook): ExecHook => {
    const wave: number = random.pick(waves);
    return wave === 0 && random.chance(0.5) ? hook : { ...hook, wave };
  });
  const containers = Map.groupBy(chosen, ({ namespace, pod, container }) => `${namespace}/${pod}/${container}`);
  return [...containers.values()].flatMap((own) => own.sort((one, other) => (one.wave ?? 0) - (other.wave ?? 0)));
}

function describe(event: PodEvent): string {
  if (event.type === 'podsListed') return 'listed';
  if (event.type === 'podsLost') return `pods lost: ${event.error.message}`;
  if (event.type === 'podDeleted') return `deleted ${event.uid}`;
  const states = Object.entries(event.pod.containers).map(
    ([name, { running, ready }]) => `${name}=${ready ? 'ready' : running ? 'up' : 'down'}`,
  );
  return `pod ${event.pod.uid} ${event.pod.phase} ${states.join(' ')}`;
}
