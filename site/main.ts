import { cpSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Eleventy } from '@11ty/eleventy';
import * as pagefind from 'pagefind';
import { forTheSite, linksIn, navigationOf, pageFor, titleOf } from './markdown.ts';

/**
 * `npm run docs [-- --out FOLDER]`: the documents as a site, in dist/site. Its files stand as the repository's do, so that
 * links between them are the same, and the site works at any path of any file server.
 */
const ROOT = path.join(import.meta.dirname, '..');
const { values } = parseArgs({ options: { out: { type: 'string', default: path.join(ROOT, 'dist/site') } } });
const out = path.resolve(values.out);

process.chdir(ROOT);
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const pages = globSync(['*.md', '{deploy,docs,examples,findings}/**/*.md']).filter((file) => file !== 'AGENTS.md');
/** Files and folders that pages lead to, and that are no pages. */
const linked = [...new Set(pages.flatMap((page) => linksIn(page, read(page))))].filter((file) => !pages.includes(file));
const isFolder = (file: string): boolean => statSync(file).isDirectory();
/** With the folders in them; the README of a folder is its page, and else a list of what stands there. */
const folders = linked.filter(isFolder).flatMap((folder) => [folder, ...globSync(`${folder}/**`).filter(isFolder)]);
const unlisted = [...new Set(folders)].filter((folder) => !pages.includes(`${folder}/README.md`));

rmSync(out, { recursive: true, force: true });
await render();
copy();
await index();
process.stdout.write(`${pages.length} pages in ${path.relative('', out)}\n`);

async function render(): Promise<void> {
  const eleventy = new Eleventy('site', out, {
    quietMode: true,
    config(site) {
      site.setLayoutsDirectory('layouts');
      site.setTemplateFormats(['md']);
      site.setQuietMode(true);
      site.addGlobalData('layout', 'page.njk');
      site.addGlobalData('navigation', navigationOf('docs/README.md', read('docs/README.md')));
      site.amendLibrary('md', (library) => forTheSite(library, pages));
      const add = (file: string, text: string): void => {
        const url = pageFor(file);
        const root = '../'.repeat(url.split('/').length - 1);
        site.addTemplate(file, text, {
          permalink: url,
          title: titleOf(text),
          file,
          root,
          templateEngineOverride: 'md',
        });
      };
      for (const page of pages) add(page, read(page));
      for (const folder of unlisted) add(`${folder}/README.md`, listOf(folder));
    },
  });
  await eleventy.write();
}

/** What stands in a folder that has no page of its own. */
function listOf(folder: string): string {
  const names = readdirSync(folder).sort();
  return [`# ${folder}`, '', ...names.map((name) => `- [${name}](${name})`), ''].join('\n');
}

function copy(): void {
  const files = [...linked, ...folders.flatMap((folder) => globSync(`${folder}/*`))].filter((file) => !isFolder(file));
  for (const file of files.filter((each) => !each.endsWith('.md'))) {
    mkdirSync(path.dirname(path.join(out, file)), { recursive: true });
    cpSync(file, path.join(out, file));
  }
  for (const file of ['style.css', 'search.js']) cpSync(path.join('site', file), path.join(out, file));
}

/** The index that search reads in the browser. */
async function index(): Promise<void> {
  const { index: made, errors } = await pagefind.createIndex();
  if (made === undefined) throw new Error(errors.join('\n'));
  await made.addDirectory({ path: out });
  await made.writeFiles({ outputPath: path.join(out, 'pagefind') });
  await pagefind.close();
}
