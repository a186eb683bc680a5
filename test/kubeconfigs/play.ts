import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import type { Seen, Servers } from './servers.ts';
import { startServers } from './servers.ts';
import type { Case } from './table.ts';
import { CASES } from './table.ts';

/** The result of a case: what the server saw of the client, or the client's error. */
export type Outcome = Seen | { readonly refused: string };

const LANES = 4;

/** Play cases, all of them by default, with a command that asks `/version` once, some side by side, each lane with servers of its own. */
export async function playAll(
  command: readonly string[],
  names: readonly string[] = Object.keys(CASES),
): Promise<Record<string, Outcome>> {
  const waiting = names.map((name) => [name, CASES[name] as Case] as const);
  const outcomes: Record<string, Outcome> = {};
  const lane = async (): Promise<void> => {
    const servers = await startServers();
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      outcomes[next[0]] = await play(next[1], servers, command);
    }
    servers.close();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return Object.fromEntries(names.map((name) => [name, outcomes[name] as Outcome]));
}

async function play(given: Case, servers: Servers, command: readonly string[]): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-case-'));
  const fill = (text: string): string =>
    text.replace(/\{\{(\w+)\}\}/g, (whole, name) => (name === 'DIR' ? folder : (servers.values[name] ?? whole)));
  try {
    const files = { ...given.files, ...(given.config !== undefined && { config: textOf(given.config) }) };
    for (const [name, content] of Object.entries(files)) {
      const file = join(folder, name.replace(/\*$/, ''));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, fill(content), { mode: name.endsWith('*') ? 0o700 : 0o600 });
    }
    const env = Object.entries({ KUBECONFIG: '{{DIR}}/config', ...given.env }).map(([name, value]) => [
      name,
      fill(value),
    ]);
    const said = await run([...command, ...(given.args ?? []).map(fill)], {
      PATH: process.env['PATH'],
      HOME: folder,
      ...Object.fromEntries(env),
    });
    const [seen, ...more] = servers.take();
    if (said.code !== 0 || seen === undefined) return { refused: said.stderr.replaceAll(folder, '{{DIR}}').trim() };
    if (more.length > 0) throw new Error(`asked ${more.length + 1} times`);
    return seen;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const textOf = (config: object | string): string => (typeof config === 'string' ? config : JSON.stringify(config));

function run(command: readonly string[], env: NodeJS.ProcessEnv): Promise<{ code: number | null; stderr: string }> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
  let stderr = '';
  child.stdout.resume();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stderr }));
  });
}

/** The part of a result in which two clients must agree; the words of an error may differ. */
export const withoutWords = (outcome: Outcome): Outcome => ('refused' in outcome ? { refused: '' } : outcome);
