import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';

export const ROOT = path.join(import.meta.dirname, '..');

/** A fenced block of a document. */
export interface Snippet {
  /** What stands behind the fence: `sh`, `yaml job-patch`. */
  readonly info: string;
  readonly text: string;
  /** The heading of level 2 above it. */
  readonly section: string;
  readonly line: number;
}

export function snippetsIn(text: string): Snippet[] {
  const found: Snippet[] = [];
  let section = '';
  let open: { info: string; line: number; lines: string[] } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (open === undefined) {
      if (line.startsWith('## ')) section = line.slice(3);
      if (line.startsWith('```')) open = { info: line.slice(3).trim(), line: index + 1, lines: [] };
    } else if (line === '```') {
      found.push({ info: open.info, text: `${open.lines.join('\n')}\n`, section, line: open.line });
      open = undefined;
    } else open.lines.push(line);
  }
  return found;
}

/** The fenced blocks of a document of this repository. */
export const snippetsOf = (document: string): Snippet[] => snippetsIn(readFileSync(path.join(ROOT, document), 'utf8'));

/** Each `$ command`, and the lines that follow it. */
export function printedIn(transcript: string): [command: string, output: string][] {
  return transcript
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end + 1)];
    });
}

/** What is printed where `shown` stands: `…` is any text, on a line of its own any lines; run IDs and times differ. */
export function patternOf(shown: string): RegExp {
  const lines = shown.trimEnd().split('\n');
  const parts = lines.map((line) => {
    if (line === '…') return '(?:.*\\n)*';
    const escaped = line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    return `${escaped
      .replaceAll('…', '.*')
      .replaceAll('44c9vd', '\\w+')
      .replace(/\d\\\.\ds/, '\\d+\\.\\ds')}\n`;
  });
  return new RegExp(`^${parts.join('')}`);
}

/** Programs that a test puts before those of this machine, as scripts of bash. */
export async function makePrograms(folder: string, scripts: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, script] of Object.entries(scripts)) {
    const file = path.join(folder, name);
    await writeFile(file, `#!/bin/bash\nset -euo pipefail\n${script}\n`);
    await chmod(file, 0o755);
  }
}

export interface Typed {
  readonly code: number | null;
  /** What it has printed, on stdout and stderr. */
  readonly output: string;
}

/** Type commands into a shell that ends with the first one that fails. `programs`: folders before the PATH. */
export function typed(
  script: string,
  { cwd, programs, env = {} }: { cwd: string; programs: readonly string[]; env?: Readonly<Record<string, string>> },
): Promise<Typed> {
  const PATH = [...programs, process.env['PATH']].join(':');
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], { cwd, env: { ...process.env, ...env, PATH } });
  let output = '';
  const keep = (text: string): void => {
    output += text;
  };
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', keep);
  child.stdin.end();
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
