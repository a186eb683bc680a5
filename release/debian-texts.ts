import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Notice } from './packages.ts';

/** A package of Debian, unpacked in a folder. */
export interface DebianFiles {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly folder: string;
}

/** What Debian says about licences: a file, or a link to another one, at the path that it has in Debian. */
export type DebianText = { readonly title: string; readonly path: string } & (
  | { readonly text: string }
  | { readonly link: string }
);

/**
 * The copyright of each package, which can be a link to that of another one, and the common licences that these name.
 * Debian keeps those in base-files, with links for names that have no version.
 */
export function debianTexts(packages: readonly DebianFiles[]): readonly DebianText[] {
  const copyrights = packages.map(({ name, version, licence, folder }) =>
    textAt(folder, `usr/share/doc/${name}`, `${name} ${version} (${licence})`, 'copyright'),
  );
  const names = new Set(copyrights.flatMap((copyright) => ('text' in copyright ? licencesIn(copyright.text) : [])));
  const base = packages.find(({ name }) => name === 'base-files')?.folder ?? '';
  const licences: DebianText[] = [];
  // The loop comes to the names that it adds, too.
  for (const name of names) {
    const licence = textAt(base, `usr/share/common-licenses/${name}`, `/usr/share/common-licenses/${name}`);
    if ('link' in licence) names.add(licence.link);
    licences.push(licence);
  }
  return [...copyrights, ...licences.sort((one, other) => (one.path < other.path ? -1 : 1))];
}

function textAt(folder: string, path: string, title: string, inside = ''): DebianText {
  const whole = join(folder, path);
  if (lstatSync(whole).isSymbolicLink()) return { title, path, link: readlinkSync(whole) };
  return { title, path: join(path, inside), text: readFileSync(join(whole, inside), 'utf8') };
}

const licencesIn = (text: string): string[] =>
  [...text.matchAll(/\/usr\/share\/common-licenses\/([\w.-]*\w)/g)].map(([, name = '']) => name);

/** The same for THIRD-PARTY-NOTICES.txt. */
export const debianNotices = (texts: readonly DebianText[]): readonly Notice[] =>
  texts.map((each) => ({ title: each.title, text: 'text' in each ? each.text : `See ${each.link}.` }));
