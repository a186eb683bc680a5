import { existsSync, writeSync } from 'node:fs';
import process from 'node:process';
import type { CommandList } from '../command-line/command.ts';
import type { Completion } from './candidates.ts';
import { completionOf, completionText, DIRECTIVE, NOTHING } from './candidates.ts';
import { readRequest } from './request.ts';

/** When the answer is printed at the latest, in ms from the start of the process (R7.60). */
const DEADLINE_MS = 220;

/**
 * Answer kubectl's question how a command line could go on, and end the process. `words`: what has been typed behind
 * `kubectl restorehooks`; the last one is unfinished, and may be empty. Nothing is written but the answer.
 */
export function complete(words: readonly string[], commands: CommandList): void {
  const overtime = new AbortController();
  let answer = NOTHING;
  const end = (): never => {
    overtime.abort();
    print(completionText(answer));
    return leave();
  };
  // Node would print its warnings and errors where the user is typing.
  process.removeAllListeners('warning');
  process.on('uncaughtException', end);
  setTimeout(end, Math.max(0, DEADLINE_MS - performance.now()));
  void answers(words, commands, overtime.signal, (better) => {
    answer = better;
  }).then(end, end);
}

/** Calls `known` with the answer that is known so far, each time with a better one. */
export async function answers(
  words: readonly string[],
  commands: CommandList,
  signal: AbortSignal,
  known: (completion: Completion) => void,
): Promise<void> {
  const request = await readRequest(words, commands);
  const { wanted, text, lead, taken } = request;
  if (wanted.kind === 'files') {
    const candidates = (wanted.endings ?? []).map((value) => ({ value }));
    return known({ candidates, directive: candidates.length > 0 ? DIRECTIVE.fileEndings : DIRECTIVE.files });
  }
  // kubectl's script for fish sets this variable, and evaluates words without their quotes: <a>/0 would create a file.
  const losesQuotes = process.env['KUBECTL_ACTIVE_HELP'] === '0'; // R7.61
  const isNew = ({ value }: { readonly value: string }): boolean =>
    !taken.includes(value) && !(losesQuotes && value.includes('<'));
  if (wanted.kind === 'words') return known(completionOf(wanted.candidates.filter(isNew), text, lead));
  // The client is loaded only for this.
  const { namesOf } = await import('./names.ts');
  const names = namesOf(wanted.of, request, process.env, signal);
  known(completionOf(names.known.filter(isNew), text, lead));
  const better = await names.ask?.();
  if (better !== undefined) known(completionOf(better.filter(isNew), text, lead));
}

function print(text: string): void {
  let rest: Uint8Array = Buffer.from(text);
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(1, rest));
  } catch {
    // Nobody reads the answer any more.
  }
}

/**
 * `process.exit` waits for what Node's threads are doing, such as the resolution of the server's name (10 s if no name
 * server answers). To become another program ends them at once, with the exit code 0 that kubectl asks for.
 */
function leave(): never {
  if (typeof process.execve === 'function' && existsSync('/bin/sh')) process.execve('/bin/sh', ['sh', '-c', ':'], {});
  return process.exit(0);
}
