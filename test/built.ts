import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');

const changedAt = (file: string): number => statSync(path.join(ROOT, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;

let newest: { readonly file: string; readonly at: number } | undefined;

/** The source that was changed last, found once a process. */
const newestSource = (): { readonly file: string; readonly at: number } => {
  newest ??= ['plugin', 'runner', 'shared']
    .flatMap((folder) => readdirSync(path.join(ROOT, folder), { recursive: true }).map((name) => `${folder}/${name}`))
    .filter((file) => file.endsWith('.ts'))
    .concat('build.mjs')
    .map((file) => ({ file, at: changedAt(file) }))
    .reduce((one, other) => (other.at > one.at ? other : one));
  return newest;
};

/** Fail if a file of `dist` is missing or older than a source: a test of it would say nothing about the source. */
export function requireBuilt(file: string): void {
  const name = path.relative(ROOT, file);
  const builtAt = changedAt(name);
  if (builtAt === 0) throw new Error(`there is no ${name}: npm run build`);
  const source = newestSource();
  if (builtAt < source.at) throw new Error(`${name} is older than ${source.file}: npm run build`);
}
