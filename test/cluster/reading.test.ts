import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import { readTexts } from '../../shared/input/files.ts';
import { objectsOf, parseTexts } from '../../shared/input/manifests.ts';
import { isReal } from '../e2e/harness.ts';

/*
 * Compares what the real kubectl reads of a text with what this tool reads: the same objects, or a notice of a gap that
 * kubectl doesn't read, or both refuse. It needs no server, only the kubectl of the cluster tests.
 */

const skip = !isReal && 'needs kubectl';
const pod = (name: string) => `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\n`;
const json = (name: string) => JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name } });

const folder = await mkdtemp(join(tmpdir(), 'restorehooks-reading-'));
after(() => rm(folder, { recursive: true }));

/** The names that kubectl read, and whether it succeeded. */
function kubectl(...args: string[]): Promise<{ names: string[]; isRefused: boolean }> {
  return new Promise((resolve) => {
    execFile('kubectl', ['annotate', '--local', 'a=b', '-o', 'name', ...args], { cwd: folder }, (error, stdout) => {
      const names = stdout.split('\n').filter((line) => line !== '');
      resolve({ names: names.map((line) => line.replace('pod/', '')), isRefused: error !== null });
    });
  });
}

const nameOf = ({ object }: { object: Readonly<Record<string, unknown>> }) =>
  (object['metadata'] as { name: string }).name;

function ours(text: string) {
  try {
    const texts = parseTexts(text, 'f');
    const gaps = texts.flatMap((part) => part.gaps);
    return { names: objectsOf(texts, 'f').map(nameOf), gaps, isRefused: false };
  } catch (error) {
    assert.ok(error instanceof RestoreHooksError, String(error));
    return { names: [], gaps: [], isRefused: true };
  }
}

/** `gap`: this tool reads it, with a notice that kubectl doesn't read all of it. */
const texts: Readonly<Record<string, 'same' | 'gap'>> = {
  [`${pod('a')}---\n${pod('b')}`]: 'same',
  [`---\n---\n${pod('a')}---\n\n# none\n---\n${pod('b')}`]: 'same',
  [`---\nnull\n---\n${pod('b')}`]: 'same',
  ['apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: {\n    b: c\n  }\n']: 'same',
  ['apiVersion: v1\nkind: Pod\nmetadata: {\nname: a, labels: {b: "c\nd"}}\n']: 'same',
  [`${pod('a')}--- # c\n${pod('b')}---   \n${pod('c')}---\t\n${pod('d')}`]: 'same',
  [`${pod('a').replaceAll('\n', '\r\n')}...\r\n---\r\n${pod('b')}`]: 'same',
  [`${pod('a')}...\n# none\n...\n`]: 'same',
  [`${pod('a')}...\n%YAML 1.1\n---\n${pod('b')}`]: 'same',
  [`${pod('a')}  annotations:\n`]: 'same',
  [`${json('a')}\n${json('b')}`]: 'same',
  [`${json('a')}\n---\n${pod('b')}`]: 'same',
  [`# c\n${json('a')}\n---\n${json('b')}\n`]: 'same',
  [`{kind: List, apiVersion: v1, items: [${json('a')}, ${json('b')}]}\n`]: 'same',
  [`${pod('a')}...\n---\n${pod('b')}...\n`]: 'same',
  [`---${pod('a')}`]: 'same',
  [`---- \n${pod('a')}`]: 'same',
  [`${pod('a')}----\n${pod('b')}`]: 'same',
  [` ---\n${pod('a')}`]: 'same',
  [`${pod('a')}...x\n`]: 'same',
  [`[${json('a')}]\n`]: 'same',
  'text\n': 'same',
  [`--- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n`]: 'gap',
  [`${pod('a')}--- {apiVersion: v1, kind: Pod, metadata: {name: b}}\n`]: 'gap',
  [`--- !!map\n${pod('a')}`]: 'gap',
  [`%YAML 1.1\n---\n${pod('a')}`]: 'gap',
  [`# c\n%TAG ! tag:x,2000:\n---\n${pod('a')}`]: 'gap',
  [`${pod('a')}...\n${pod('b')}`]: 'gap',
  [`${pod('a')}...\n# c\n${pod('b')}---\n${pod('c')}`]: 'gap',
};

describe('what kubectl reads', { skip, concurrency: 8 }, () => {
  for (const [index, [text, expected]] of Object.entries(texts).entries()) {
    it(`of ${JSON.stringify(text).slice(0, 90)} is read here, ${expected === 'gap' ? 'and what it does not is told' : 'and nothing else'}`, async () => {
      await writeFile(join(folder, `${index}.yaml`), text);
      const theirs = await kubectl('-f', `${index}.yaml`);
      const { names, gaps, isRefused } = ours(text);
      assert.equal(gaps.length > 0, expected === 'gap', JSON.stringify({ theirs, names, gaps }));
      if (expected === 'same') {
        assert.equal(isRefused, theirs.isRefused);
        if (!isRefused) assert.deepEqual(names, theirs.names);
      } else {
        assert.ok(theirs.isRefused || theirs.names.length < names.length, 'kubectl reads all of it');
      }
    });
  }

  it('of directories, links and lists of files is what is read here', async () => {
    await mkdir(join(folder, 'd/dir.yaml'), { recursive: true });
    await mkdir(join(folder, 'd/sub'));
    await mkdir(join(folder, 'other'));
    for (const name of ['d/a.yaml', 'd/dir.yaml/in.yaml', 'd/sub/b.yml', 'other/o.json', 'd/a-b.yaml', 'd/no.txt']) {
      await writeFile(join(folder, name), json(name.replace(/[^a-z]/g, '-')));
    }
    await symlink('../other', join(folder, 'd/linked'));
    await symlink('../other/o.json', join(folder, 'd/link.json'));
    const context = { cwd: folder, stdin: (async function* () {})() };
    const read = async (recursive: boolean) =>
      (await readTexts(['d'], context, recursive)).flatMap(({ text }) => ours(text).names);
    assert.deepEqual(await read(false), (await kubectl('-f', 'd')).names);
    assert.deepEqual(await read(true), (await kubectl('-R', '-f', 'd')).names);
    await symlink('nowhere', join(folder, 'd/dangling.yaml'));
    assert.ok((await kubectl('-f', 'd')).isRefused);
    await assert.rejects(readTexts(['d'], context), { message: 'd/dangling.yaml: no such file or directory' });
  });
});
