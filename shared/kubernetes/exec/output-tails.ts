import type { Output, Printed } from '../../ports/ports.ts';
import type { OutputTail } from './output-tail.ts';
import { outputTail } from './output-tail.ts';

/** What is kept of a command's two streams: the last `limit` bytes of each, and nothing with 0 (R5.16). */
export class OutputTails {
  readonly #tails: { readonly stdout: OutputTail; readonly stderr: OutputTail } | undefined;

  /** `printed` is called with each piece of text as it comes; never with a limit of 0. */
  constructor(limit: number, printed?: (piece: Printed) => void) {
    const tail = (stream: 'stdout' | 'stderr') =>
      outputTail(limit, printed && ((from, text) => printed({ stream, from, text })));
    this.#tails = limit === 0 ? undefined : { stdout: tail('stdout'), stderr: tail('stderr') };
  }

  add(stream: 'stdout' | 'stderr', bytes: Uint8Array): void {
    this.#tails?.[stream].add(bytes);
  }

  /** When all has been added. */
  output(): Output {
    if (this.#tails === undefined) return {};
    const { stdout, stderr } = this.#tails;
    return { ...kept('stdout', stdout), ...kept('stderr', stderr) };
  }
}

function kept<Stream extends 'stdout' | 'stderr'>(stream: Stream, tail: OutputTail): Output {
  const text = tail.text();
  if (text === undefined) return {};
  const isWhole = Buffer.byteLength(text) === tail.bytes;
  return { [stream]: text, ...(!isWhole && { [`${stream}Bytes`]: tail.bytes }) };
}
