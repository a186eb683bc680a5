import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, it } from 'node:test';
import { loadAll } from 'js-yaml';
import { allCommands } from '../plugin/cli.ts';
import type { CommandList } from '../plugin/command-line/command.ts';
import type { ErrorCode } from '../shared/core/errors.ts';
import { RestoreHooksError } from '../shared/core/errors.ts';
import { PREFIXES } from '../shared/core/mistakes/annotation-keys.ts';
import { REASONS } from '../shared/core/model/hook.ts';
import { HOOK_ENTRY } from '../shared/core/model/known-fields.ts';
import { commandsPage } from '../site/commands.ts';
import { nextAnchor, withoutBlocks } from '../site/markdown.ts';
import { ROOT, snippetsIn } from './snippets.ts';
import { run } from './unit/plugin/harness.ts';

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const find = (pattern: string): string[] =>
  globSync(pattern, { cwd: ROOT, exclude: (name) => name === 'node_modules' || name === 'dist' });

const documents = find('**/*.md').sort();
const blocksOf = (text: string): string[] => snippetsIn(text).map((snippet) => snippet.text);

/** The anchors of a document: those of its headings, and `<a id>`. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set([...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id));
  for (const [, heading = ''] of withoutBlocks(text).matchAll(/^#+ (.*)$/gm)) anchors.add(nextAnchor(heading, anchors));
  return anchors;
}

/** The links of a document. */
const linksOf = (text: string): string[] =>
  [
    ...withoutBlocks(text)
      .replace(/`[^`\n]*`/g, '')
      .matchAll(/\]\(([^)\s]+)\)/g),
  ].map(([, link = '']) => link);

/** Links of a document that lead nowhere in the repository. */
function brokenIn(file: string, text: string): string[] {
  return linksOf(text).filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [target = '', anchor] = link.split('#');
    const to = target === '' ? file : path.posix.join(path.posix.dirname(file), target);
    if (!existsSync(path.join(ROOT, to))) return true;
    return anchor !== undefined && !anchorsOf(to === file ? text : read(to)).has(anchor);
  });
}

describe('the documents', () => {
  it('are found', () => {
    for (const file of ['README.md', 'docs/README.md', 'findings/README.md']) assert.ok(documents.includes(file), file);
  });

  it('have no link that leads nowhere', () => {
    assert.deepEqual(
      documents.flatMap((file) => brokenIn(file, read(file)).map((link) => `${file}: ${link}`)),
      [],
    );
  });

  it('with one that does would be seen', () => {
    const text = '# A heading, twice\n# A heading, twice\n[a](b.md) [c](#a-heading-twice-1) [d](#e) `[f](g)`';
    assert.deepEqual(brokenIn('README.md', text), ['b.md', '#e']);
    assert.deepEqual(brokenIn('docs/x.md', '[a](../README.md) [b](README.md#nothing)'), ['README.md#nothing']);
  });

  /** Rows that no head and no line of dashes make a table of: GitHub shows them as they stand. */
  const strayRows = (text: string): string[] =>
    [...withoutBlocks(text).matchAll(/(?:^ *\|.*\n?)+/gm)]
      .map(([rows]) => rows.trim().split('\n'))
      .filter(([, dashes = '']) => !/^ *\|(?: *:?-+:? *\|)+$/.test(dashes))
      .map(([row = '']) => row);

  it('have no row outside of a table', () => {
    assert.deepEqual(
      documents.flatMap((file) => strayRows(read(file)).map((row) => `${file}: ${row}`)),
      [],
    );
    assert.deepEqual(strayRows('| a | b |\n|---|:-:|\n| c | d |\n\n| e | f |\n\n```text\n| g |\n```\n'), ['| e | f |']);
  });

  it('lead out by addresses that can be opened', () => {
    const outside = documents.flatMap((file) => linksOf(read(file))).filter((link) => /^[a-z]+:/.test(link));
    assert.ok(outside.length > 5);
    assert.deepEqual(
      outside.filter((link) => !URL.canParse(link) || !/^https:\/\/[^/]+\.[a-z]+(\/|$)/.test(link)),
      [],
    );
  });

  it('are there where sources, examples and manifests name them', () => {
    const files = ['plugin', 'runner', 'shared', 'examples', 'deploy', 'test'].flatMap((folder) =>
      find(`${folder}/**/*.{ts,sh,yaml}`),
    );
    assert.ok(files.length > 200);
    const named = [...files, 'build.mjs'].flatMap((file) =>
      [...read(file).matchAll(/(?<![\w./])docs\/[\w./-]+\.md\b/g)].map(([name]) => ({ file, name })),
    );
    assert.ok(named.length > 5);
    assert.deepEqual(
      named.filter(({ file, name }) => file !== 'test/documents.test.ts' && !existsSync(path.join(ROOT, name))),
      [],
    );
  });

  it('are all in the index of docs', () => {
    const index = read('docs/README.md');
    const pages = documents.filter((file) => /^docs\/(?!README)[^/]+$/.test(file));
    assert.ok(pages.length > 10);
    assert.deepEqual(
      pages.filter((file) => !index.includes(`(${path.basename(file)}`)),
      [],
    );
  });
});

/** What a block may be, and who checks it beyond what is checked below. */
const KINDS: Readonly<Record<string, string>> = {
  sh: 'the tests in TYPED',
  console: 'test/unit/examples.test.ts and test/cluster/runbooks.test.ts run the command and compare the output',
  text: 'no input: a drawing, or a part of an output',
  json: 'only below',
  yaml: 'test/unit/gitops.test.ts',
  'yaml argo-cd-health': 'test/unit/gitops.test.ts',
  'yaml argo-cd-application': 'test/unit/gitops.test.ts',
  'yaml flux-kustomization': 'test/unit/gitops.test.ts',
  'yaml job-patch': 'test/e2e/job-fit.test.ts',
  'yaml kustomization': 'test/unit/deploy-base.test.ts',
};

/** The test that types the commands of a page. */
const TYPED: Readonly<Record<string, string>> = {
  'docs/quick-start.md': 'test/cluster/quick-start.test.ts',
  'docs/upgrading-velero.md': 'test/cluster/quick-start.test.ts',
  'docs/install.md': 'test/release/release.test.ts',
  'docs/lambda.md': 'test/unit/runner/lambda-setup.test.ts',
  'docs/hooks.md': 'test/e2e/recipes.test.ts',
  'docs/lint.md': 'test/e2e/documents.test.ts',
  'docs/operations.md': 'test/e2e/documents.test.ts',
  'docs/plan.md': 'test/e2e/documents.test.ts',
  'docs/results.md': 'test/e2e/documents.test.ts',
  'docs/run.md': 'test/e2e/documents.test.ts',
  'docs/setup.md': 'test/e2e/documents.test.ts',
  'docs/troubleshooting.md': 'test/e2e/documents.test.ts',
};
/** Commands that CI itself runs, that other tests run with names of their own, that need a key, or are made of the code. */
const NOT_TYPED = ['commands', 'observing', 'performance', 'rehearsing', 'releasing', 'testing'].map(
  (page) => `docs/${page}.md`,
);

describe('the blocks of documents', () => {
  const blocks = documents.flatMap((file) => snippetsIn(read(file)).map((snippet) => ({ file, ...snippet })));

  it('say what they are, so that a test checks them', () => {
    assert.ok(blocks.length > 50);
    assert.deepEqual(
      blocks.filter(({ info }) => KINDS[info] === undefined).map(({ file, line, info }) => `${file}:${line} ${info}`),
      [],
    );
  });

  it('that are YAML or JSON can be read', () => {
    for (const { file, line, info, text } of blocks) {
      const read = { yaml: () => loadAll(text), json: () => JSON.parse(text) }[info.split(' ')[0] ?? ''];
      if (read !== undefined) assert.doesNotThrow(read, `${file}:${line}`);
    }
  });

  it('with commands are typed by a test, page by page', () => {
    const pages = [...new Set(blocks.filter(({ info }) => info === 'sh').map(({ file }) => file))];
    const typed = pages.filter((file) => file.startsWith('docs/') && !NOT_TYPED.includes(file));
    assert.deepEqual(typed.sort(), Object.keys(TYPED).sort());
    for (const [page, test] of Object.entries(TYPED)) assert.ok(read(test).includes(page), `${test} names ${page}`);
  });

  it('for a shell are understood by a shell', () => {
    for (const { file, line, text } of blocks.filter(({ info }) => info === 'sh')) {
      const { stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
      assert.equal(stderr, '', `${file}:${line}`);
    }
  });

  it('name scripts of this package that there are', () => {
    const { scripts } = JSON.parse(read('package.json'));
    const named = blocks.flatMap(({ file, text }) =>
      [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => ({ file, name })),
    );
    assert.ok(named.length > 15);
    assert.deepEqual(
      named.filter(({ name }) => scripts[name] === undefined),
      [],
    );
  });
});

describe('docs/commands.md', () => {
  it('is made of the code; UPDATE=1 makes it again', async () => {
    const page = await commandsPage();
    if (process.env['UPDATE'] === '1') writeFileSync(path.join(ROOT, 'docs/commands.md'), page);
    assert.equal(read('docs/commands.md'), page);
  });
});

/** The plugin's commands, which read their arguments and do nothing. */
const parsing: CommandList = Object.fromEntries(
  Object.entries(allCommands).map(([name, entry]) => [
    name,
    { ...entry, load: async () => ({ ...(await entry.load()), run: async () => ({}) }) },
  ]),
);

/** The command lines of the plugin in a document, in code blocks and in code between words. */
const commandLinesOf = (text: string): string[] =>
  [...blocksOf(text), ...[...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '')]
    .flatMap((code) => [...code.matchAll(/kubectl[ -]restorehooks ([a-z][^\n]*)/g)].map(([, line]) => line ?? ''))
    .map((line) =>
      line
        .replace(/ (?:#|\|[ |]|>|&&|<).*$/, '')
        .replace(/\\\|/g, '|')
        .replace(/ \[flags\]$/, '')
        .replace('[RESTORE]', 'RESTORE')
        .trim(),
    );

describe('the commands that documents name', () => {
  const lines = documents.flatMap((file) => commandLinesOf(read(file)).map((line) => ({ file, line })));

  it('are found', () => assert.ok(lines.length > 15, `${lines.length}`));

  for (const { file, line } of lines) {
    it(`${file}: ${line}`, async () => {
      const argv = line
        .replace(/\bRESTORE\b/, 'nightly')
        .split(' ')
        .map((word) => word.replaceAll("'", ''));
      const { code, stderr } = await run(argv, { commands: parsing });
      assert.deepEqual([code, stderr], [0, '']);
    });
  }
});

// R9.1
describe('every name that users read is explained', () => {
  /** The strings of a union type. */
  const union = (file: string, type: string): string[] => {
    const [, body = ''] = new RegExp(`export type ${type} =([^;]*);`).exec(read(file)) ?? [];
    return [...body.matchAll(/'([^']+)'/g)].map(([, name = '']) => name);
  };
  const unexplained = (document: string, names: readonly string[]): string[] => {
    const text = read(document);
    return names.filter((name) => !text.includes(`\`${name}\``));
  };

  it('notices in docs/notices.md', () => {
    const codes = union('shared/core/plan/notice.ts', 'NoticeCode');
    assert.ok(codes.length > 30);
    assert.deepEqual(unexplained('docs/notices.md', codes), []);
  });

  /** The keys in the first column of the tables of one section, and the Velero version beside each. */
  const keysIn = (section: string): Map<string, string> => {
    const [, text = ''] = new RegExp(`^## ${section}\n([^]*?)^## `, 'm').exec(`${read('docs/hooks.md')}## `) ?? [];
    const rows = [...text.matchAll(/^\| `([\w.-]+)` \|.*\| ([\d.]*) *\| [\d.]+ \|$/gm)];
    return new Map(rows.map(([, key = '', velero = '']) => [key, velero]));
  };
  /** The fields that are not lists or objects themselves, as `retry.delay`. */
  const leaves = (fields: object, at = ''): string[] =>
    Object.entries(fields).flatMap(([name, value]) =>
      typeof value === 'object' && !Array.isArray(value) && name === 'retry' ? leaves(value, `${name}.`) : [at + name],
    );
  const ofVelero = (keys: ReadonlyMap<string, string>): string[] =>
    [...keys].flatMap(([key, velero]) => (velero === '' ? [] : [key]));

  // R3.40, R3.50, R3.60, R3.64
  it('keys of annotations and fields of documents in docs/hooks.md, and no others', () => {
    for (const [kind, section] of Object.entries({ post: 'an exec hook', init: 'an init hook' })) {
      const keys = keysIn(`Annotations of ${section}`);
      assert.deepEqual([...keys.keys()], PREFIXES[`${kind}.hook.restorehooks.io`]?.names, section);
      assert.deepEqual(ofVelero(keys), PREFIXES[`${kind}.hook.restore.velero.io`]?.names, section);
    }
    const [[ours], [veleros]] = [HOOK_ENTRY.RestoreHooks.postHooks, HOOK_ENTRY.Restore.postHooks];
    for (const [section, own, theirs] of [
      ['an entry', HOOK_ENTRY.RestoreHooks, HOOK_ENTRY.Restore],
      ['an exec hook', ours.exec, veleros.exec],
      ['an init hook', ours.init, veleros.init],
    ] as const) {
      const keys = keysIn(`Fields of ${section}`);
      assert.deepEqual([...keys.keys()].sort(), leaves(own).sort(), section);
      assert.deepEqual(ofVelero(keys).sort(), leaves(theirs).sort(), section);
    }
  });

  it('checks in docs/check.md', () => {
    const ids = union('shared/core/report/check-document.ts', 'CheckId');
    assert.ok(ids.length > 10);
    assert.deepEqual(unexplained('docs/check.md', ids), []);
  });

  // R7.65
  it('errors in docs/errors.md, each in a section of its own with its exit code', () => {
    const codes = [...read('shared/core/errors.ts').matchAll(/^ {2}([A-Z]+(?:_[A-Z]+)*): /gm)].map(
      ([, code = '']) => code,
    );
    assert.ok(codes.length > 10);
    const sections = read('docs/errors.md').split(/^## /m).slice(1);
    assert.deepEqual(sections.map((text) => text.split('\n')[0]).sort(), codes.sort());
    for (const text of sections) {
      const [code = ''] = text.split('\n');
      const { exitCode } = new RestoreHooksError(code as ErrorCode, '');
      assert.ok(text.startsWith(`${code}\n\nExit code ${exitCode}. `), code);
      assert.match(text, /\b[Tt]ype (the same command again|`k)/, code);
    }
  });

  it('reasons in docs/results.md', () => {
    const reasons = [...new Set(Object.values(REASONS).flat())];
    assert.ok(reasons.length > 10);
    assert.deepEqual(unexplained('docs/results.md', reasons), []);
  });
});
