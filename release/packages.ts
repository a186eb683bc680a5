import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ReleaseError, ROOT } from './tools.ts';

/** A package of npm that has something in a file that we publish. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly licenceText: string;
  /** SHA-512 of its archive, in hex, as package-lock.json has it. */
  readonly sha512: string;
}

type Bundle = 'kubectl-restorehooks' | 'runner.cjs' | 'lambda.cjs';

/** The packages in these files of dist, as esbuild has told build.mjs, in the order of their names. */
export function packagesOf(...bundles: readonly Bundle[]): readonly BundledPackage[] {
  const bundled: Readonly<Record<string, readonly string[]>> = readJson(join(ROOT, 'dist/bundled.json'));
  const { packages: locked } = readJson(join(ROOT, 'package-lock.json'));
  const folders = new Set(bundles.flatMap((bundle) => bundled[bundle] ?? []));
  // A package may be there in two versions, and one version in two folders.
  const byName = new Map<string, BundledPackage>();
  for (const folder of folders) {
    const { name, version, license } = readJson(join(ROOT, folder, 'package.json'));
    const [, base64 = ''] = /^sha512-(.+)$/.exec(locked[folder]?.integrity ?? '') ?? [];
    if (typeof license !== 'string') throw new ReleaseError(`${folder} names no licence`);
    if (base64 === '') throw new ReleaseError(`package-lock.json has no SHA-512 of ${folder}`);
    const sha512 = Buffer.from(base64, 'base64').toString('hex');
    byName.set(`${name}@${version}`, { name, version, licence: license, licenceText: licenceText(folder), sha512 });
  }
  return [...byName.entries()].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, found]) => found);
}

function licenceText(folder: string): string {
  const files = readdirSync(join(ROOT, folder))
    .filter((name) => /^(licen[cs]e|copying|notice)\b/i.test(name))
    .sort();
  if (files.length === 0) throw new ReleaseError(`${folder} has no file with its licence`);
  return files.map((name) => readFileSync(join(ROOT, folder, name), 'utf8').trim()).join('\n\n');
}

/** One text of somebody else: its title, and the licence in its own words. */
export interface Notice {
  readonly title: string;
  readonly text: string;
}

const LINE = '-'.repeat(80);

export const noticesOf = (packages: readonly BundledPackage[]): readonly Notice[] =>
  packages.map(({ name, version, licence, licenceText: text }) => ({ title: `${name} ${version} (${licence})`, text }));

/** THIRD-PARTY-NOTICES.txt: whose work is in an artefact, and under which terms. */
export function noticesText(notices: readonly Notice[]): string {
  const head = 'kubectl restorehooks contains the work of others. Each is named here with its licence.';
  const parts = notices.map(({ title, text }) => `${LINE}\n${title}\n${LINE}\n\n${text.trim()}\n`);
  return [`${head}\n\n${notices.map(({ title }) => `- ${title}\n`).join('')}`, ...parts].join('\n');
}

// biome-ignore lint/suspicious/noExplicitAny: files of npm, whose fields are checked where they are used
export const readJson = (file: string): any => JSON.parse(readFileSync(file, 'utf8'));
