import { copyFileSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { noticesOf, noticesText, packagesOf, readJson } from './packages.ts';
import { ROOT, run, write } from './tools.ts';

/** The repository that releases are published from. `--repository` names another one. */
export const REPOSITORY = 'https://github.com/restorehooks/kubectl-restorehooks';

/**
 * The package for `npm install -g` and npx: what package.json names, the man page, and no dependencies, because the
 * files contain them (R9.18).
 */
export function npmPackage(repository: string, manPage: string, work: string, out: string): string {
  const folder = join(work, 'npm');
  const {
    scripts: _,
    devDependencies: __,
    dependencies: ___,
    allowScripts: ____,
    ...manifest
  } = readJson(join(ROOT, 'package.json'));
  for (const name of manifest.files) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  const added = ['CHANGELOG.md', 'THIRD-PARTY-NOTICES.txt', 'man'];
  copyFileSync(join(ROOT, 'CHANGELOG.md'), join(folder, 'CHANGELOG.md'));
  const packages = packagesOf('kubectl-restorehooks', 'runner.cjs', 'lambda.cjs');
  write(join(folder, 'THIRD-PARTY-NOTICES.txt'), noticesText(noticesOf(packages)));
  write(join(folder, 'man/kubectl-restorehooks.1'), readFileSync(manPage));
  const published = {
    ...manifest,
    files: [...manifest.files, ...added],
    man: ['man/kubectl-restorehooks.1'],
    repository: { type: 'git', url: `git+${repository}.git` },
  };
  write(join(folder, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
  // A checkout has the modes that its umask has left.
  run('chmod', ['-R', 'u=rwX,go=rX', folder]);
  return run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', out], { cwd: folder }).trim();
}
