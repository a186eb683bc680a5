import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { without } from '../needs.ts';

const run = promisify(execFile);

/** Why tests of a terminal are skipped; false if tmux is there. */
export const noTmux = without('tmux', spawnSync('tmux', ['-V']).error === undefined);

/** A real terminal (tmux) in which a program runs, seen as its user sees it. */
export interface Terminal {
  /** Type text as it is, without Enter. */
  type(text: string): Promise<void>;
  /** Press keys by tmux's names: `Enter`, `Tab`, `C-c`. */
  press(...keys: string[]): Promise<void>;
  resize(columns: number, rows: number): Promise<void>;
  /** The lines of the screen, without spaces at their ends. `colors`: with the escape sequences for colours. */
  screen(options?: { readonly colors?: boolean }): Promise<string[]>;
  /** All lines, also those that have been scrolled away. Those that the terminal has wrapped are several lines. */
  everything(): Promise<string[]>;
  /** Wait until the screen fits, and answer it. The error after 60 s shows the last screen. */
  until(what: string, fits: (lines: readonly string[]) => boolean): Promise<string[]>;
  /** Whether the cursor is shown, and in which line and column (from 0). */
  cursor(): Promise<{ readonly isShown: boolean; readonly row: number; readonly column: number }>;
  close(): Promise<void>;
}

export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
  /** The program and its arguments (default: `sh`). The terminal stays open when it ends. */
  readonly command?: readonly string[];
  readonly cwd?: string;
  /** All of the program's environment but `TERM` and the locale. A value is set also if it is empty. */
  readonly env?: Readonly<Record<string, string>>;
}

const PATIENCE_MS = 60_000;

/** Open a terminal of a tmux server of its own. */
export async function openTerminal({
  columns,
  rows,
  command = ['sh'],
  cwd = '/',
  env = {},
}: TerminalOptions): Promise<Terminal> {
  const folder = await mkdtemp(join(tmpdir(), 'restorehooks-terminal-'));
  const server = ['-u', '-f', '/dev/null', '-S', join(folder, 'tmux')];
  const locale = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' };
  // No daemon: it ends with the process group of the test, whatever becomes of that.
  const child = spawn('tmux', ['-D', ...server], { env: locale, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const tmux = async (...args: readonly string[]): Promise<string> =>
    (await run('tmux', [...server, ...args], { env: locale })).stdout;
  for (let tries = 1; !existsSync(join(folder, 'tmux')); tries += 1) {
    if (tries > 500) throw new Error('the tmux server has made no socket');
    await delay(20);
  }
  const program = ['env', '-i', 'TERM=screen-256color', 'LC_ALL=C.UTF-8', `PATH=${process.env['PATH']}`];
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const size = ['-x', String(columns), '-y', String(rows)];
  const options = ['status off', 'remain-on-exit on', 'history-limit 50000'].map((option) => option.split(' '));
  await tmux(...options.flatMap((option) => ['set-option', '-g', ...option, ';']).slice(0, -1));
  await tmux('new-session', '-d', ...size, '-c', cwd, '--', ...program, ...variables, ...command);
  // As a global option this ends the server of tmux 3.3a.
  await tmux('set-option', 'window-size', 'manual');
  const lines = (text: string): string[] => text.replace(/\n$/, '').split('\n');
  const terminal: Terminal = {
    type: async (text) => void (await tmux('send-keys', '-l', '--', text)),
    press: async (...keys) => void (await tmux('send-keys', ...keys)),
    resize: async (x, y) => void (await tmux('resize-window', '-x', String(x), '-y', String(y))),
    screen: async ({ colors = false } = {}) => lines(await tmux('capture-pane', '-p', ...(colors ? ['-e'] : []))),
    everything: async () => lines(await tmux('capture-pane', '-p', '-S', '-')),
    async until(what, fits) {
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const screen = await terminal.screen();
        if (fits(screen)) return screen;
        if (Date.now() > deadline) throw new Error(`waited for ${what}; the screen:\n${screen.join('\n')}`);
        await delay(50);
      }
    },
    async cursor() {
      const text = await tmux('display-message', '-p', '#{cursor_flag} #{cursor_y} #{cursor_x}');
      const [flag, row = 0, column = 0] = text.trim().split(' ').map(Number);
      return { isShown: flag === 1, row, column };
    },
    async close() {
      child.kill();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
  return terminal;
}
