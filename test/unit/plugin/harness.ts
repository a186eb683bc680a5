import { main } from '../../../plugin/cli.ts';
import type { CommandList } from '../../../plugin/command-line/command.ts';
import type { Context } from '../../../plugin/process/context.ts';
import { CommandStop } from '../../../plugin/process/stop.ts';
import { instant } from '../../../shared/core/model/instant.ts';
import { systemClock } from '../../../shared/system/clock.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** A sink that keeps what was written. */
export function keeper({ isTTY = false, columns }: Terminal = {}) {
  const written: string[] = [];
  return { written, isTTY, columns, write: (text: string) => void written.push(text), text: () => written.join('') };
}

/** A clock whose time passes only by `pass`, which fires the timers that are due. */
export function manualClock() {
  let now = 0;
  let timers: { readonly at: number; readonly fire: () => void }[] = [];
  return {
    now: () => instant(now),
    soon: queueMicrotask,
    setTimer(ms: number, fire: () => void) {
      const timer = { at: now + ms, fire };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
    pass(ms: number) {
      const end = now + ms;
      for (;;) {
        const due = timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
        if (due === undefined) break;
        timers = timers.filter((each) => each !== due);
        now = due.at;
        due.fire();
      }
      now = end;
    },
    waiting: () => timers.length,
  };
}

/** Run one command line as the plugin does, with everything of the process replaced. */
export async function run(
  argv: readonly string[],
  { commands, terminal, ...context }: Partial<Context> & { commands?: CommandList; terminal?: Terminal } = {},
): Promise<Ran> {
  const [stdout, stderr] = [keeper(terminal), keeper(terminal)];
  const never = new AbortController().signal;
  const code = await main(
    argv,
    {
      env: {},
      cwd: '/',
      stdin: stdinOf(),
      clock: systemClock,
      signal: never,
      secondSignal: never,
      stop: new CommandStop(context.signal ?? never, context.secondSignal ?? never),
      outputClosed: never,
      ...context,
      stdout,
      stderr,
    },
    commands,
  );
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

export async function* stdinOf(...chunks: (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  yield* chunks;
}
