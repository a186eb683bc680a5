import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { requireBuilt } from '../built.ts';
import type { Loose } from './cluster.ts';
import { waitFor } from './cluster.ts';

const PLUGIN = join(import.meta.dirname, '../../dist/kubectl-restorehooks');

export interface Ran {
  /** Null: ended by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as JSON. */
  json(): Loose;
}

export interface Started {
  readonly child: ChildProcess;
  readonly done: Promise<Ran>;
  /** What it has printed up to now. */
  output(): { stdout: string; stderr: string };
  /** Resolves when stdout or stderr matches; rejects if the process ends without a match. */
  says(pattern: RegExp): Promise<void>;
  kill(signal?: NodeJS.Signals): void;
}

export interface PluginOptions {
  readonly kubeconfig?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
}

export interface Plugin {
  (...args: string[]): Promise<Ran>;
  start(...args: string[]): Started;
  with(options: PluginOptions): Plugin;
}

/** The plugin processes of a suite that are running. */
export type Going = Set<ChildProcess>;

/** The built plugin, run as kubectl runs it: a process of its own. */
export function pluginWith(options: PluginOptions, going: Going): Plugin {
  const start = (...args: string[]): Started => startPlugin(args, options, going);
  const run = (...args: string[]): Promise<Ran> => start(...args).done;
  return Object.assign(run, { start, with: (more: PluginOptions) => pluginWith({ ...options, ...more }, going) });
}

function startPlugin(
  args: readonly string[],
  { kubeconfig, env = {}, cwd, stdin }: PluginOptions,
  going: Going,
): Started {
  requireBuilt(PLUGIN);
  const { VELERO_NAMESPACE: _, RESTOREHOOKS_TEST_CLUSTER: __, NODE_TEST_CONTEXT: ___, ...inherited } = process.env;
  const child = spawn(process.execPath, [PLUGIN, ...args], {
    env: { ...inherited, ...(kubeconfig !== undefined && { KUBECONFIG: kubeconfig }), ...env },
    ...(cwd !== undefined && { cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin ?? '');
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text;
  });
  let ended = false;
  going.add(child);
  const done = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      ended = true;
      going.delete(child);
      resolve({
        code,
        ...said,
        json() {
          try {
            return JSON.parse(said.stdout);
          } catch {
            throw new Error(`no JSON (exit code ${code}): ${said.stdout}\n${said.stderr}`);
          }
        },
      });
    });
  });
  return {
    child,
    done,
    output: () => ({ ...said }),
    kill: (signal = 'SIGINT') => void child.kill(signal),
    says: (pattern) =>
      waitFor(`the plugin to say ${pattern}`, () => {
        if (pattern.test(said.stdout) || pattern.test(said.stderr)) return true;
        if (ended) throw new Error(`the plugin ended without ${pattern}:\n${said.stdout}\n${said.stderr}`);
        return false;
      }).then(() => undefined),
  };
}
