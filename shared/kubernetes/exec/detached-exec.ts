import { TAIL_BYTES } from '../../core/model/capture.ts';
import type { ExecOutcome } from '../../core/model/hook.ts';
import type { Detached, ExecAnswer, ExecRequest, HookExec, Output } from '../../ports/ports.ts';
import type { ContainerState } from '../pods/container-state.ts';
import type { Spoken, SpokenOutput, Verb } from './detached-answer.ts';
import { hasBegun, hasExited, heard, MOST_SPOKEN_BYTES, SPOKEN, spokenTo } from './detached-answer.ts';
import type { PlainExec } from './exec.ts';
import { NO_SUCH_COMMAND, NOT_EXECUTABLE } from './exec-outcome.ts';
import { OutputTails } from './output-tails.ts';

export interface DetachedTiming {
  /** Before the first request after one that failed; it doubles up to `longestPauseMs`. */
  readonly pauseMs: number;
  readonly longestPauseMs: number;
  /** How long the kubelet may take to tell that it has started a container anew. */
  readonly statusMs: number;
}

export interface DetachedOptions {
  readonly containerState: (request: ExecRequest, id: string | undefined) => Promise<ContainerState>;
  /** How many bytes of each stream are kept; default: the last 4 KiB (R5.16). */
  readonly capturedBytes?: number;
  readonly timing?: Partial<DetachedTiming>;
}

const usualTiming: DetachedTiming = { pauseMs: 500, longestPauseMs: 15_000, statusMs: 3_000 };

/** How often an exec may fail in a way that another one is not likely to mend. */
const FAILURES_AT_MOST = 10;

type DetachedRequest = ExecRequest & { readonly detached: Detached };

/**
 * Runs commands so that they outlive the exec that started them (R3.70), by a script in the container; what isn't
 * detached is passed on. A request whose answer is lost is made again: the script starts a command once for each key, and
 * attaches to it from then on (R3.71).
 */
export function detachingHookExec(plain: PlainExec, options: DetachedOptions): HookExec {
  const timing = { ...usualTiming, ...options.timing };
  const running = new Map<string, DetachedExec>();

  function endCommand(exec: DetachedExec | undefined, request: DetachedRequest): void {
    const ended = exec?.willBeEnded();
    insist({ plain, options, timing, request }, 'end', (kind) => kind === 'ended' || kind === 'absent', ended);
  }

  return {
    start(request, answer) {
      if (!isDetached(request)) return plain.start(request, answer);
      const { key } = request.detached;
      const isOver = (): void => {
        if (running.get(key) === exec) running.delete(key);
      };
      const exec = new DetachedExec({ plain, options, timing, request }, answer, isOver, () =>
        endCommand(exec, request),
      );
      running.set(key, exec);
      exec.start();
      return () => exec.drop();
    },
    end(request) {
      if (!isDetached(request)) return;
      endCommand(running.get(request.detached.key), request);
    },
    forget(request) {
      if (isDetached(request)) insist({ plain, options, timing, request }, 'forget', (kind) => kind === 'absent');
    },
  };
}

const isDetached = (request: ExecRequest): request is DetachedRequest => request.detached !== undefined;

interface Asker {
  readonly plain: PlainExec;
  readonly options: DetachedOptions;
  readonly timing: DetachedTiming;
  readonly request: DetachedRequest;
}

/** What one exec of the script came to. */
type Heard = Spoken | { readonly kind: 'silent'; readonly outcome: ExecOutcome; readonly output: Output };

interface Listener {
  begun?(): void;
  /** The script has told that the command has ended; in which pod is not yet known. */
  exited?(): void;
  heard(what: Heard): void;
}

/** More than the script's own lines are long, before the command's output. */
const MOST_WORDS = 1024;

/** Runs the script once. Only a start is bound to the pod's UID: the key of the others is in no other pod. */
function ask({ plain, request }: Asker, verb: Verb, listener: Listener): () => void {
  const { detached, podUID, ...rest } = request;
  let begun = false;
  let stdout = '';
  const sent = spokenTo(verb, detached.key, verb === 'start' ? request.command : []);
  return plain.start(
    { ...rest, ...(verb === 'start' && { podUID }), sent, capturedBytes: MOST_SPOKEN_BYTES },
    {
      started() {},
      printed(piece) {
        if (piece.stream !== 'stdout' || stdout.length > MOST_WORDS) return;
        stdout += piece.text;
        if (begun) return;
        begun = hasBegun(stdout);
        if (begun) listener.begun?.();
      },
      commandEnded() {
        if (hasExited(stdout)) listener.exited?.();
      },
      ended(outcome, output) {
        const said = outcome.kind === 'exited' && outcome.exitCode === SPOKEN ? heard(output) : undefined;
        listener.heard(said ?? { kind: 'silent', outcome, output });
      },
    },
  );
}

/** Says the same until the script has heard it; `done` is called then, or when there is no more sense in it. */
function insist(asker: Asker, verb: Verb, isDone: (kind: Heard['kind']) => boolean, done = (): void => {}): void {
  const { pauseMs, longestPauseMs } = asker.timing;
  const tryOnce = (failures: number): void => {
    ask(asker, verb, {
      heard(what) {
        const isOver = what.kind === 'silent' && isPodOver(what.outcome);
        if (isDone(what.kind) || isOver || failures >= FAILURES_AT_MOST) return done();
        setTimeout(() => tryOnce(failures + 1), Math.min(pauseMs * 2 ** failures, longestPauseMs));
      },
    });
  };
  tryOnce(0);
}

const isPodOver = ({ kind }: ExecOutcome): boolean => kind === 'podDeleted' || kind === 'noSuchContainer';

/** One detached command, from its start, or from being found again, to its end. */
class DetachedExec {
  readonly #asker: Asker;
  readonly #answer: ExecAnswer;
  readonly #tails: OutputTails;
  readonly #isOver: () => void;
  readonly #endAgain: () => void;
  #over = false;
  /** It may be running: a request to start it was sent, by this runner or by another. */
  #mayRun: boolean;
  /** It was found in the container, by this runner or by another. */
  #found = false;
  /** A request that may have started it was not answered. */
  #isUnsure: boolean;
  #toldStart = false;
  /** Somebody asked for its end; `held` is what is told when that is done. */
  #ending = false;
  /** Somebody has asked for its end: it is not started from then on. */
  #isUnwanted = false;
  #held: (() => void) | undefined;
  #failures = 0;
  #stop = (): void => {};

  constructor(asker: Asker, answer: ExecAnswer, isOver: () => void, endAgain: () => void) {
    this.#asker = asker;
    this.#answer = answer;
    this.#isOver = isOver;
    this.#endAgain = endAgain;
    const { isBegun, wasStarted = false } = asker.request.detached;
    this.#mayRun = isBegun;
    this.#isUnsure = isBegun;
    this.#found = wasStarted; // R3.78
    this.#tails = new OutputTails(asker.options.capturedBytes ?? TAIL_BYTES, (piece) => answer.printed?.(piece));
  }

  start(): void {
    this.#ask(this.#mayRun ? 'attach' : 'start');
  }

  drop(): void {
    if (this.#over) return;
    this.#close();
    this.#stop();
    this.#answer.dropped?.({});
  }

  /** From now on its end is told only after the returned function was called: until then others of its group may run (R3.75). */
  willBeEnded(): () => void {
    this.#ending = true;
    this.#isUnwanted = true;
    return () => {
      this.#ending = false;
      this.#held?.();
    };
  }

  #ask(verb: 'start' | 'attach'): void {
    this.#stop = ask(this.#asker, verb, {
      begun: () => {
        this.#found = true;
        this.#failures = 0;
        this.#tellStart();
        // The request to start it has overtaken, or outlived, the one to end it, which has found nothing.
        if (this.#isUnwanted && !this.#ending && !this.#over) this.#endAgain();
      },
      exited: () => {
        if (this.#found) this.#answer.commandEnded?.();
      },
      heard: (what) => this.#heard(what, verb),
    });
  }

  #heard(what: Heard, verb: 'start' | 'attach'): void {
    const { statusMs } = this.#asker.timing;
    if (what.kind === 'exited')
      this.#end({ kind: 'exited', exitCode: what.exitCode, ...(what.wasEnded && { wasEnded: true }) }, what.output);
    else if (what.kind === 'notRun') this.#end({ kind: 'error', message: what.message });
    else if (what.kind === 'running') this.#ask('attach');
    else if (what.kind === 'silent') this.#silent(what.outcome, what.output);
    else if (what.kind === 'dead') {
      const why = 'the process that waited for the command was killed, and its exit code is lost';
      this.#look(statusMs, () => this.#end({ ...lost(why), isOver: true }, what.output));
    } else if (verb === 'attach') this.#look(statusMs, (state) => this.#isAbsent(state));
    else this.#end(lost('the script in the container has not said how the command ended'));
  }

  /** Nothing is kept in the container in which the command was, or was to be, started. */
  #isAbsent(state: ContainerState): void {
    this.#failures += 1;
    if (this.#found)
      this.#end(lost('what is kept of the command was removed from its container, and its exit code is lost'));
    else if (this.#isUnwanted) this.#end({ kind: 'notStarted', why: 'it was ended before its start' });
    else if (state !== 'runs' && this.#failures > FAILURES_AT_MOST)
      this.#end(lost('it is not known in which container the command may have been started'));
    else if (state !== 'runs') this.#look(this.#pauseMs(), (then) => this.#isAbsent(then));
    else {
      this.#mayRun = false;
      this.#ask('start');
    }
  }

  /** The exec ended without the script's own word. */
  #silent(outcome: ExecOutcome, output: Output): void {
    const { kind } = outcome;
    const mayHaveBegun = this.#mayRun || this.#found || kind === 'connectionLost' || kind === 'exited';
    if (kind === 'forbidden' || kind === 'noWebSocket' || kind === 'podChanged') this.#end(outcome);
    else if (!mayHaveBegun && !(kind === 'notStarted' && this.#toldStart)) this.#end(withoutShell(outcome));
    else {
      this.#mayRun = true;
      if (!hasGivenUp(outcome)) this.#isUnsure = true;
      this.#tellStart();
      this.#failures += 1;
      if (isPodOver(outcome) || kind === 'podReplaced') this.#end({ kind: 'podGone' });
      else if (this.#failures <= FAILURES_AT_MOST) this.#look(this.#pauseMs(), () => this.#ask('attach'));
      else this.#giveUp(outcome, output);
    }
  }

  /** Most that can be wrong will be mended, by whoever runs the cluster; some can't. */
  #giveUp(outcome: ExecOutcome, { stdout = '', stderr = '' }: Output): void {
    if (outcome.kind === 'error') this.#end(lost(outcome.message));
    else if (outcome.kind === 'exited' && !this.#found && !this.#isUnsure) {
      const message = `sh in the container ended with exit code ${outcome.exitCode} before it could start the command`;
      this.#end({ kind: 'error', message }, { stdout, stderr, lost: { stdout: 0, stderr: 0 } });
    } else this.#look(this.#pauseMs(), () => this.#ask('attach'));
  }

  #pauseMs(): number {
    const { pauseMs, longestPauseMs } = this.#asker.timing;
    return Math.min(pauseMs * 2 ** Math.min(this.#failures - 1, 16), longestPauseMs);
  }

  /** After a pause, see whether the container still runs; only then `goOn` (R3.78). */
  #look(afterMs: number, goOn: (state: ContainerState) => void): void {
    const { options, request } = this.#asker;
    const timer = setTimeout(async () => {
      const state = await options.containerState(request, request.detached.containerID);
      if (this.#over) return;
      if (state === 'over') this.#end({ kind: 'containerRestarted' });
      else if (state === 'podGone') this.#end({ kind: 'podGone' });
      else goOn(state);
    }, afterMs);
    this.#stop = () => clearTimeout(timer);
  }

  #tellStart(): void {
    if (this.#over || this.#toldStart) return;
    this.#toldStart = true;
    this.#answer.started();
  }

  #end(outcome: ExecOutcome, output?: SpokenOutput): void {
    const tell = (): void => {
      if (this.#over) return;
      this.#close();
      if (output !== undefined) {
        this.#tails.add('stdout', Buffer.from(output.stdout));
        this.#tails.add('stderr', Buffer.from(output.stderr));
      }
      this.#answer.ended(outcome, withLost(this.#tails.output(), output));
    };
    if (this.#ending) this.#held = tell;
    else tell();
  }

  #close(): void {
    this.#over = true;
    this.#isOver();
  }
}

/** A shell that was killed may have started the command before, and a dead kubelet is taken for a success. */
const hasGivenUp = (outcome: ExecOutcome): boolean =>
  outcome.kind === 'exited' && outcome.exitCode > 0 && outcome.exitCode < 128;

const lost = (message: string) => ({ kind: 'connectionLost', message }) as const;

/** The runtime's error is about the shell here. */
function withoutShell(outcome: ExecOutcome): ExecOutcome {
  if (outcome.kind !== 'error' || (outcome.message !== NO_SUCH_COMMAND && outcome.message !== NOT_EXECUTABLE)) {
    return outcome;
  }
  return { kind: 'error', message: 'detach needs sh in the container, and there is none; nothing was started' };
}

/** The bytes that were not kept in the container count, too. */
function withLost(output: Output, spoken: SpokenOutput | undefined): Output {
  const total = (stream: 'stdout' | 'stderr', told: number | undefined): Output => {
    const lostBytes = spoken?.lost[stream] ?? 0;
    if (lostBytes === 0 || output[stream] === undefined) return {};
    return { [`${stream}Bytes`]: lostBytes + (told ?? Buffer.byteLength(output[stream] ?? '')) };
  };
  return { ...output, ...total('stdout', output.stdoutBytes), ...total('stderr', output.stderrBytes) };
}
