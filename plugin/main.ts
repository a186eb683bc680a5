import { fstatSync, writeSync } from 'node:fs';
import { ExitCode } from '../shared/core/errors.ts';
import { systemClock } from '../shared/system/clock.ts';
import { main } from './cli.ts';
import type { Context, TextSink } from './process/context.ts';
import { Stop } from './process/stop.ts';

const first = new AbortController();
const second = new AbortController();
const outputClosed = new AbortController();

// A signal asks, twice at most; from the third on it ends the process as if nobody listened.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  const ask = (): void => {
    const controller = first.signal.aborted ? second : first;
    controller.abort(new DOMException(`received ${signal}`, 'AbortError'));
    if (controller === second) for (const each of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(each);
  };
  process.on(signal, ask);
}

/** The streams that were opened: what was written to them may still be on its way. */
const opened = new Set<'stdout' | 'stderr'>();

/** Nobody reads any more (`| head`, a terminal that is gone): that is no failure of what was asked for. */
function onWriteError(name: 'stdout' | 'stderr', { code, message }: NodeJS.ErrnoException): void {
  if (code !== 'EPIPE' && code !== 'EIO') {
    process.exitCode = ExitCode.Bug;
    if (name !== 'stderr') process.stderr.write(`error: can't write the output: ${message}\n`);
    opened.add('stderr');
  }
  if (name === 'stdout') outputClosed.abort();
}

/** Opens the stream when it is needed: that takes as long as a small command's own work. */
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
  };
}

/** Linux's number of /dev/null, which is no terminal. */
const DEV_NULL = 0x103;

/** What goes to stdout comes last and at once, so it may wait for its reader: without a terminal no stream is opened. */
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
        // A pipe that is full, and that someone has set not to wait: the stream can.
        state = (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 'stream' : 'closed';
        if (state === 'closed') onWriteError('stdout', error as NodeJS.ErrnoException);
      }
    }
    if (state === 'stream') stream.write(rest);
  };
  return { write, isTTY: false, columns: undefined };
}

const context: Context = {
  env: process.env,
  cwd: process.cwd(),
  // Opening stdin keeps a terminal busy: only when it is read.
  get stdin() {
    return process.stdin;
  },
  stdout: stdoutSink(),
  stderr: streamSink('stderr'),
  clock: systemClock,
  signal: first.signal,
  secondSignal: second.signal,
  stop: new Stop(first.signal, second.signal),
  outputClosed: outputClosed.signal,
};

const written = (name: 'stdout' | 'stderr') => new Promise<void>((resolve) => process[name].write('', () => resolve()));

void main(process.argv.slice(2), context).then(async (code) => {
  process.exitCode ??= code;
  await Promise.all([...opened].map(written));
  // Not left to Node: a request without its answer would keep the process, Node would first collect garbage, and after
  // many cut connections Node 24's own clean-up may never end.
  process.exit();
});
