import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readInput, readTexts } from '../../../shared/input/files.ts';
import { stdinOf } from '../plugin/harness.ts';

describe('readInput', () => {
  let cwd = '';
  before(async () => {
    cwd = await mkdtemp(path.join(tmpdir(), 'restorehooks-input-'));
    await mkdir(path.join(cwd, 'd/e'), { recursive: true });
    await mkdir(path.join(cwd, 'empty'));
    await writeFile(path.join(cwd, 'd/b.yml'), 'name: b\n');
    await writeFile(path.join(cwd, 'd/a.json'), '{"name": "a"}');
    await writeFile(path.join(cwd, 'd/c.txt'), 'name: c\n');
    await writeFile(path.join(cwd, 'd/e/deep.yaml'), 'name: deep\n');
    await writeFile(path.join(cwd, 'big.yaml'), `a: ${'x'.repeat(8 * 1024 * 1024)}`);
    await writeFile(path.join(cwd, 'latin1.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
  });
  after(() => rm(cwd, { recursive: true }));
  const read = (filenames: string[], ...stdin: (string | Uint8Array)[]) =>
    readInput(filenames, { cwd, stdin: stdinOf(...stdin) });

  // R1.3
  it('reads files, directories and stdin in the order given, and says where each object is', async () => {
    const euro = Buffer.from('# €\nname: in\n---\nname: in2\n');
    const found = await read(['-', 'd', 'd/c.txt'], euro.subarray(0, 3), euro.subarray(3));
    assert.deepEqual(
      found.objects.map(({ object, source }) => `${object['name']} ${source.file}:${source.line}`),
      ['in stdin:2', 'in2 stdin:4', 'a d/a.json:1', 'b d/b.yml:1', 'c d/c.txt:1'],
    );
  });

  it('says in one line why it can not read', async () => {
    const problems: Record<string, string> = {
      nofile: 'nofile: no such file or directory',
      empty: 'empty: no .json, .yaml or .yml file in this directory',
      'big.yaml': 'big.yaml: longer than 8 MiB',
      'latin1.yaml': 'latin1.yaml: not UTF-8 text',
      'https://x/y.yaml': 'https://x/y.yaml: only files are read, not URLs',
    };
    for (const [name, message] of Object.entries(problems)) {
      await assert.rejects(read([name]), { code: 'INVALID_INPUT', exitCode: 2, message });
    }
    await assert.rejects(read(['-', '-'], 'a: 1'), { message: 'stdin (-f -) can be read only once' });
    // R1.31
    await assert.rejects(read(['']), { code: 'INVALID_ARGUMENT', message: 'the name of a file is empty' });
  });

  it('walks directories as kubectl does: by name, past directories, through links to files alone', async () => {
    await mkdir(path.join(cwd, 'w/dir.yaml'), { recursive: true });
    await writeFile(path.join(cwd, 'w/dir.yaml/in.yaml'), 'name: in\n');
    await writeFile(path.join(cwd, 'w/a.yaml'), 'name: a\n');
    await symlink('../d', path.join(cwd, 'w/linked'));
    await symlink('../d/b.yml', path.join(cwd, 'w/link.yml'));
    const read = async (recursive: boolean) =>
      (await readTexts(['w'], { cwd, stdin: stdinOf() }, recursive)).map(({ file }) => file);
    assert.deepEqual(await read(false), ['w/a.yaml', 'w/link.yml']);
    assert.deepEqual(await read(true), ['w/a.yaml', 'w/dir.yaml/in.yaml', 'w/link.yml']);
  });

  // R1.3
  it('looks at all files, and tells all that it can not read', async () => {
    await mkdir(path.join(cwd, 'bad'));
    await writeFile(path.join(cwd, 'bad/a.yaml'), 'a: [\n');
    await writeFile(path.join(cwd, 'bad/b.yaml'), 'name: good\n');
    await symlink('nowhere', path.join(cwd, 'bad/c.yaml'));
    await symlink('../d', path.join(cwd, 'bad/d.yaml'));
    await symlink('e.yaml', path.join(cwd, 'bad/e.yaml'));
    const all = await read(['bad', 'nofile']).catch(({ code, message }) => [code, ...message.split('\n').sort()]);
    assert.deepEqual(all, [
      'INVALID_INPUT',
      'bad/a.yaml:2:1: deficient indentation',
      'bad/c.yaml: no such file or directory',
      'bad/d.yaml: is a directory',
      'bad/e.yaml: its links lead in a circle',
      'nofile: no such file or directory',
    ]);
  });
});
