import { fstatSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { ExitCode } from '../shared/core/errors.ts';
import { systemClock } from '../shared/system/clock.ts';
import { allCommands, main } from './cli.ts';
import type { Context, TextSink } from './process/context.ts';
import { CommandStop } from './process/stop.ts';

const first = new AbortController();
const second = new AbortController();
const outputClosed = new AbortController();

/** The first signal asks the command to end, the second to end faster. From then on a signal ends the process at once. */
function heedSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const ask = (): void => {
      const controller = first.signal.aborted ? second : first;
      controller.abort(new DOMException(`received ${signal}`, 'AbortError'));
      if (controller === second) for (const each of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(each);
    };
    process.on(signal, ask);
  }
}

/** The streams that were opened. Before the process exits it waits until they have written everything. */
const opened = new Set<'stdout' | 'stderr'>();

/** EPIPE and EIO: the reader is gone (`| head`, a closed terminal). That is no failure of the command. */
function onWriteError(name: 'stdout' | 'stderr', { code, message }: NodeJS.ErrnoException): void {
  if (code !== 'EPIPE' && code !== 'EIO') {
    process.exitCode = ExitCode.Bug;
    if (name !== 'stderr') process.stderr.write(`error: can't write the output: ${message}\n`);
    opened.add('stderr');
  }
  if (name === 'stdout') outputClosed.abort();
}

/** A sink that opens the stream when it is first used: opening takes as long as a small command's own work. */
function streamSink(name: 'stdout' | 'stderr') {
  const stream = (): NodeJS.WriteStream => {
    if (!opened.has(name)) process[name].on('error', (error) => onWriteError(name, error));
    opened.add(name);
    return process[name];
  };
  return {
    write: (text: string | Uint8Array) => void (stream().destroyed || stream().write(text)),
    get isTTY() {
      return stream().isTTY === true;
    },
    get columns() {
      return stream().isTTY ? stream().columns : undefined;
    },
    get rows() {
      return stream().isTTY ? stream().rows : undefined;
    },
    onResize(listener: () => void) {
      stream().on('resize', listener);
      return () => void stream().off('resize', listener);
    },
  };
}

/** The device number of /dev/null on Linux. It is a character device, but no terminal. */
const DEV_NULL = 0x103;

/**
 * Without a terminal stdout is written synchronously, which saves opening a stream. It may wait for its reader: a
 * command writes to stdout at its end and at once.
 */
function stdoutSink(): TextSink {
  const stream = streamSink('stdout');
  const device = fstatSync(1);
  if (device.isCharacterDevice() && device.rdev !== DEV_NULL) return stream;
  let state: 'direct' | 'stream' | 'closed' = 'direct';
  const write = (text: string): void => {
    let rest: Uint8Array = Buffer.from(text);
    while (state === 'direct' && rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(1, rest));
      } catch (error) {
        // EAGAIN: the pipe is full and non-blocking. The stream can wait for it.
        state = (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 'stream' : 'closed';
        if (state === 'closed') onWriteError('stdout', error as NodeJS.ErrnoException);
      }
    }
    if (state === 'stream') stream.write(rest);
  };
  return { write, isTTY: false, columns: undefined };
}

/** What a command uses of this process. */
const contextOfProcess = (): Context => ({
  env: process.env,
  cwd: process.cwd(),
  // A getter: stdin is opened only by a command that reads it, because opening it takes hold of the terminal.
  get stdin() {
    return process.stdin;
  },
  stdout: stdoutSink(),
  stderr: streamSink('stderr'),
  clock: systemClock,
  signal: first.signal,
  secondSignal: second.signal,
  stop: new CommandStop(first.signal, second.signal),
  outputClosed: outputClosed.signal,
});

const written = (name: 'stdout' | 'stderr') => new Promise<void>((resolve) => process[name].write('', () => resolve()));

async function runCommand(): Promise<void> {
  heedSignals();
  const code = await main(process.argv.slice(2), contextOfProcess());
  process.exitCode ??= code;
  await Promise.all([...opened].map(written));
  // Exit here, because Node would wait for requests without an answer, and would collect garbage first. And after many
  // cut connections the clean-up of Node 24 may never end.
  process.exit();
}

/**
 * What has been typed behind `kubectl restorehooks`, if kubectl asks how it could go on. It asks the file under its second
 * name, or a script that passes the question on as `__complete`, as cobra's plugins do (R7.60, R9.11).
 */
function questionOfKubectl([, program = '', ...words]: readonly string[]): readonly string[] | undefined {
  if (basename(program).startsWith('kubectl_complete-')) return words;
  return words[0] === '__complete' ? words.slice(1) : undefined;
}

const question = questionOfKubectl(process.argv);
if (question !== undefined) {
  void import('./completion/main.ts').then(({ complete }) => complete(question, allCommands));
} else {
  void runCommand();
}
