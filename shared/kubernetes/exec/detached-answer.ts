import { createHash } from 'node:crypto';
import type { Output } from '../../ports/ports.ts';
import { detachedScript } from './detached-script.ts';

export type Verb = 'start' | 'attach' | 'end' | 'forget';

/** What a verb needs of the script, without comments and indentation: it is a part of the request's URL. */
const scriptFor = (verb: Verb): string => {
  const [head = '', ...parts] = detachedScript.split(/^#: /m);
  const needed = parts.map((part) => part.split('\n')).filter(([verbs = '']) => verbs.split(' ').includes(verb));
  return [head, ...needed.map(([, ...lines]) => lines.join('\n'))]
    .join('')
    .replace(/^\s*(#.*)?\n/gm, '')
    .replace(/^ +/gm, '');
};

/** The exit code of a script that has spoken to its end. A runtime or a server that fails tells others. */
export const SPOKEN = 77;

/** More than the script prints: 64 KiB a stream, each byte of which may become a character of three. */
export const MOST_SPOKEN_BYTES = 256 * 1024;

/** What to run in the container. Nothing of the hook or its command stands in the name (R3.72, R3.77). */
export function spokenTo(verb: Verb, key: string, command: readonly string[] = []): readonly string[] {
  const name = `restorehooks-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
  return ['sh', '-c', scriptFor(verb), 'sh', verb, name, ...command];
}

/** Why nothing was started, by the word that the script says (R3.76). */
const NOT_RUN: Readonly<Record<string, (what: string) => string>> = {
  nowhere: () => 'detach needs a folder to write in: none of $TMPDIR, /tmp, /dev/shm and /var/tmp can be written',
  lacks: (tool) => `detach needs the program ${tool} in the container, and there is none`,
  missing: () => 'no such command in the container',
  forbidden: () => 'the command is not executable in the container',
};

export type Spoken =
  /** `wasEnded`: somebody had asked for its end before. */
  | { readonly kind: 'exited'; readonly exitCode: number; readonly wasEnded: boolean; readonly output: SpokenOutput }
  /** The process that waited for the command is gone, and so is the command. */
  | { readonly kind: 'dead'; readonly output: SpokenOutput }
  | { readonly kind: 'running' | 'absent' | 'ended' }
  | { readonly kind: 'notRun'; readonly message: string };

/** What the script printed of the command's output (R3.73). */
export interface SpokenOutput {
  readonly stdout: string;
  readonly stderr: string;
  /** How many bytes of each are not in it. */
  readonly lost: { readonly stdout: number; readonly stderr: number };
}

const LINE = /^restorehooks ([a-z]+)(?: ([^\n]*))?\n/;

/** Whether the script has told that the command may be running. */
export const hasBegun = (stdout: string): boolean => stdout.startsWith('restorehooks begun\n');

/** Whether the script has told that the command has ended: an exec of it also ends while the command goes on. */
export const hasExited = (stdout: string): boolean => /^(restorehooks begun\n)?restorehooks exited /.test(stdout);

/** What a script has said that has spoken to its end; undefined if it is not in its words. */
export function heard({ stdout = '', stderr = '' }: Output): Spoken | undefined {
  const rest = hasBegun(stdout) ? stdout.replace(LINE, '') : stdout;
  const [line, word = '', more = ''] = LINE.exec(rest) ?? [];
  if (line === undefined) return undefined;
  const numbers = more.split(' ').map(Number);
  const output = (lost: readonly number[]): SpokenOutput => {
    const [out = 0, err = 0] = lost;
    return { stdout: rest.slice(line.length), stderr, lost: { stdout: out, stderr: err } };
  };
  switch (word) {
    case 'exited':
      return {
        kind: 'exited',
        exitCode: numbers[0] ?? 0,
        wasEnded: numbers[3] === 1,
        output: output(numbers.slice(1)),
      };
    case 'dead':
      return { kind: 'dead', output: output(numbers) };
    case 'running':
    case 'absent':
    case 'ended':
      return { kind: word };
    default: {
      const why = NOT_RUN[word];
      return why && { kind: 'notRun', message: `${why(more)}; nothing was started` };
    }
  }
}
