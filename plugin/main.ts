import process from 'node:process';
import { ExitCode } from '../shared/core/errors.ts';
import { systemClock } from '../shared/system/clock.ts';
import { main } from './cli.ts';
import type { Context, TextSink } from './context.ts';

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

function sink(stream: NodeJS.WriteStream): TextSink {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Nobody reads any more (`| head`, a terminal that is gone): that is no failure of what was asked for.
    const isClosed = error.code === 'EPIPE' || error.code === 'EIO';
    if (!isClosed) {
      process.exitCode = ExitCode.Bug;
      if (stream !== process.stderr) process.stderr.write(`error: can't write the output: ${error.message}\n`);
    }
    if (stream === process.stdout) outputClosed.abort();
  });
  return {
    write: (text) => void (stream.destroyed || stream.write(text)),
    isTTY: stream.isTTY === true,
    get columns() {
      return stream.isTTY ? stream.columns : undefined;
    },
  };
}

const context: Context = {
  env: process.env,
  cwd: process.cwd(),
  // Opening stdin keeps a terminal busy: only when it is read.
  get stdin() {
    return process.stdin;
  },
  stdout: sink(process.stdout),
  stderr: sink(process.stderr),
  clock: systemClock,
  signal: first.signal,
  secondSignal: second.signal,
  outputClosed: outputClosed.signal,
};

// Only the code is set: what was written to a pipe is still on its way.
void main(process.argv.slice(2), context).then((code) => {
  process.exitCode ??= code;
});
