import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readInput, readTexts } from '../../../shared/input/files.ts';
import { parseManifests } from '../../../shared/input/manifests.ts';
import { stdinOf } from '../plugin/harness.ts';

const objectsOf = (text: string) => parseManifests(text, 'f').map(({ object }) => object);

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

describe('parseManifests', () => {
  it('reads scalars as kubectl does', () => {
    // What `kubectl annotate --local -o json` 1.35 makes of them.
    const scalars: Record<string, unknown> = {
      yes: true,
      y: true,
      On: true,
      off: false,
      n: false,
      '"n"': 'n',
      '010': 8,
      '0o10': 8,
      '08': 8,
      '1_000': 1000,
      '0x1F': 31,
      '0b11': 3,
      '-0b11': -3,
      '+1': 1,
      '0_1': 1,
      '1:30': '1:30',
      '2020-01-01': '2020-01-01',
      '~': null,
      Null: null,
      '1e3': 1000,
      '1.0': 1,
      '5.': 5,
      '.5': 0.5,
      '!!binary aGVsbG8=': 'hello',
      '=': '=',
      a_1: 'a_1',
    };
    for (const [text, value] of Object.entries(scalars))
      assert.deepEqual(objectsOf(`v: ${text}`), [{ v: value }], text);
    assert.deepEqual(objectsOf('2: a\ntrue: b\nn: c'), [{ 2: 'a', true: 'b', false: 'c' }]);
  });

  it('reads JSON objects one behind the other, and flow mappings in YAML', () => {
    assert.deepEqual(objectsOf('{"a":"}"}\n{"b":\t"\\"\\u00e9"}'), [{ a: '}' }, { b: '"é' }]);
    assert.deepEqual(objectsOf('{a: 1}\n---\nb: {c: 1}\nd: 2'), [{ a: 1 }, { b: { c: 1 }, d: 2 }]);
    assert.deepEqual(parseManifests('{"a":1}\n\n{"b":2}', 'f')[1]?.source, { file: 'f', line: 3 });
  });

  it('passes over empty documents', () => {
    assert.deepEqual(objectsOf(''), []);
    assert.deepEqual(objectsOf('---\n---\n# nothing\n---\na: 1\n---\n'), [{ a: 1 }]);
  });

  it('takes lists apart, and gives the items of a typed list their kind', () => {
    assert.deepEqual(
      objectsOf('{"kind":"List","apiVersion":"v1","items":[{"kind":"Pod"},{"kind":"List","items":[{"kind":"X"}]}]}'),
      [{ kind: 'Pod' }, { kind: 'X' }],
    );
    assert.deepEqual(objectsOf('kind: PodList\napiVersion: v1\nitems: [{metadata: {name: a}}]'), [
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } },
    ]);
    assert.deepEqual(objectsOf('kind: PodList\napiVersion: v1\nitems: []'), []);
  });

  it('writes aliases and merge keys out', () => {
    assert.deepEqual(objectsOf('b: &b {a: 1}\nm: {<<: *b, c: 2}\nz: *b'), [
      { b: { a: 1 }, m: { a: 1, c: 2 }, z: { a: 1 } },
    ]);
  });

  it('names the place of a mistake', () => {
    const doubled = (count: number) =>
      Array.from({ length: count }, (_, i) => `a${i}: &a${i} [${i > 0 ? `*a${i - 1}, *a${i - 1}` : '1'}]`).join('\n');
    const mistakes: [string, string][] = [
      ['a: 1\na: 2', 'f:2:1: duplicated mapping key'],
      ['{"a": 1, "a": 2}', 'f:1:11: duplicated mapping key'],
      ['a: 1\n---\n- 1', 'f:3:1: expected an object, found a list'],
      ['text', 'f:1:1: expected an object, found a string'],
      ['kind: List\nitems: [1]', 'f:1:1: items[0]: expected an object, found a number'],
      ['a: b: c', 'f:1:5: bad indentation of a mapping entry'],
      ['a: .inf', "f:1:1: the number Infinity can't be written in JSON"],
      ['a: *x', 'f:1:5: unidentified alias "x"'],
      ['a: '.concat('['.repeat(100_000)), 'f:1:503: nested more than 500 deep'],
      ['a: &a [*a]', 'f:1:1: an alias stands within its own anchor'],
      [doubled(40), 'f:1:1: more than 2000000 values, aliases written out'],
    ];
    for (const [text, message] of mistakes) {
      assert.throws(() => objectsOf(text), { code: 'INVALID_INPUT', message }, text.slice(0, 40));
    }
  });
});
