import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';

export type Ending =
  | { readonly kind: 'exit'; readonly code: number }
  /** The command could not be started. The text is runc's. */
  | { readonly kind: 'not-started'; readonly message: string };

export interface LocalProcess {
  readonly ended: Promise<Ending>;
  /** Signal the process and all that it started. */
  kill(signal: NodeJS.Signals): void;
}

export interface Command {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
}

export interface Processes {
  start(command: Command): LocalProcess;
  /** SIGKILL every process that was started here and still runs. */
  killAll(): void;
}

const signalNumbers: Partial<Record<NodeJS.Signals, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
/** A grandchild may keep the pipes open: don't wait for it longer than this. */
const drainMs = 500;

/** Local processes, each the leader of its own group, none of which outlives this process. */
export function createProcesses(): Processes {
  const running = new Set<ChildProcess>();
  const killGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // The whole group has ended.
    }
  };
  const killAll = (): void => {
    for (const child of running) killGroup(child, 'SIGKILL');
    running.clear();
    process.off('exit', killAll);
  };
  process.on('exit', killAll);

  return {
    killAll,
    start({ argv, cwd, env, onOutput }) {
      const [file = '', ...args] = argv;
      if (argv.length === 0) {
        const message = 'OCI runtime exec failed: exec failed: args must not be empty';
        return { ended: Promise.resolve({ kind: 'not-started', message }), kill: () => {} };
      }
      const child = startChild(file, args, cwd, env);
      if (child instanceof Error) {
        return { ended: Promise.resolve({ kind: 'not-started', message: startError(file, child) }), kill: () => {} };
      }
      running.add(child);
      child.stdout?.on('data', (chunk: Buffer) => onOutput('stdout', chunk));
      child.stderr?.on('data', (chunk: Buffer) => onOutput('stderr', chunk));
      const ended = new Promise<Ending>((resolve) => {
        child.once('error', (error) => resolve({ kind: 'not-started', message: startError(file, error) }));
        child.once('exit', (code, signal) => {
          const ending: Ending = { kind: 'exit', code: code ?? 128 + (signalNumbers[signal ?? 'SIGKILL'] ?? 9) };
          const timer = setTimeout(() => resolve(ending), drainMs);
          child.once('close', () => {
            clearTimeout(timer);
            resolve(ending);
          });
        });
      });
      void ended.then(() => running.delete(child));
      return { ended, kill: (signal) => killGroup(child, signal) };
    },
  };
}

function startChild(
  file: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): ChildProcess | Error {
  try {
    return spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    return error as Error;
  }
}

function startError(file: string, error: NodeJS.ErrnoException): string {
  const text = JSON.stringify(file);
  const reason =
    error.code === 'ENOENT'
      ? file.includes('/')
        ? `stat ${file}: no such file or directory`
        : 'executable file not found in $PATH'
      : error.code === 'E2BIG'
        ? 'argument list too long'
        : error.code === 'EACCES'
          ? 'permission denied'
          : error.message;
  return `OCI runtime exec failed: exec failed: unable to start container process: exec: ${text}: ${reason}`;
}
