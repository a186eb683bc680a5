import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { debianNotices, debianTexts } from '../../release/debian-texts.ts';
import { temporary } from './made.ts';

// R9.15
it('the notices hold what the copyright of a Debian package names, also by a link, and nothing else', () => {
  const root = temporary();
  const file = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  file(
    'library/usr/share/doc/library/copyright',
    "in `/usr/share/common-licenses/GPL', or /usr/share/common-licenses/B-1.2.",
  );
  file('base-files/usr/share/doc/base-files/copyright', 'in /usr/share/common-licenses.');
  for (const name of ['B-1.2', 'GPL-2', 'GPL-3'])
    file(`base-files/usr/share/common-licenses/${name}`, `text of ${name}`);
  symlinkSync('GPL-3', join(root, 'base-files/usr/share/common-licenses/GPL'));
  mkdirSync(join(root, 'other/usr/share/doc'), { recursive: true });
  symlinkSync('library', join(root, 'other/usr/share/doc/other'));
  const packages = ['base-files', 'library', 'other'].map((name) => ({
    name,
    version: '1',
    licence: 'MIT',
    folder: join(root, name),
  }));
  const texts = debianTexts(packages);
  assert.deepEqual(
    debianNotices(texts).map(({ title, text }) => `${title}: ${text}`),
    [
      'base-files 1 (MIT): in /usr/share/common-licenses.',
      "library 1 (MIT): in `/usr/share/common-licenses/GPL', or /usr/share/common-licenses/B-1.2.",
      'other 1 (MIT): See library.',
      '/usr/share/common-licenses/B-1.2: text of B-1.2',
      '/usr/share/common-licenses/GPL: See GPL-3.',
      '/usr/share/common-licenses/GPL-3: text of GPL-3',
    ],
  );
  assert.equal(texts[1]?.path, 'usr/share/doc/library/copyright');
});
