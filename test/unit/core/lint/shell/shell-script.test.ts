import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { heldOpen, sleeps } from '../../../../../shared/core/lint/shell/scripts.ts';
import { readScript } from '../../../../../shared/core/lint/shell/shell-script.ts';
import { jsonArrayProblem } from '../../../../../shared/core/mistakes/json-array.ts';
import { needsShell, shellCall } from '../../../../../shared/core/mistakes/shell.ts';
import { shellMistake } from '../../../../../shared/core/mistakes/shell-mistake.ts';

const script = (text: string): string[] => ['sh', '-c', text];

describe('a script', () => {
  it('is read as commands, with what ends them', () => {
    const read = (text: string) =>
      readScript(text).commands.map(({ words, end }) => `${words.map((word) => word.text).join(' ')}${end}`);
    assert.deepEqual(read('a "b c" && d | e; f & # g; h'), ['a b c&&', 'd|', 'e;', 'f&']);
    assert.deepEqual(read("if a; then b 'x; y'; fi"), ['a;', 'b x; y;', 'fi']);
    assert.deepEqual(read('case $x in a) c;; esac; d'), ['c;', 'esac;', 'd']);
    assert.deepEqual(read("cat <<EOF >x\nit's & b\nEOF\nd"), ['cat;', 'd']);
    assert.deepEqual(read('a $(b "c)" & d) `e & f` $g'), ['a $(b "c)" & d) `e & f` $g']);
    assert.deepEqual(read('a \\\n  b'), ['a b']);
    assert.equal(readScript("a 'b").open, "'");
  });

  it('says what holds its output open when it has ended', () => {
    const holds = (text: string) => heldOpen(script(text)) !== undefined;
    const held = ['a &', 'nohup a &', '(a &); b', 'a >/x &', 'a 2>&1 >/x &', 'a | b >/x 2>&1 &', 'a && b >/x 2>&1 &'];
    const groups = [
      '{ a; } &',
      'for i in 1 2; do a; done &',
      '(a; b) &',
      'curl http://x/?a=1&b=2',
      'pg_ctl -D /d start',
    ];
    for (const text of [...held, ...groups]) assert.ok(holds(text), text);
    const closed = ['a >/x 2>&1 &', 'a &>/x &', 'a >&/x &', '(a >/x 2>&1 &)', 'a 2>&1 | b >/x 2>&1 &', 'a >/x 2>/y &'];
    const ended = ['a & wait', 'a & p=$!; b; kill $p', 'exec >/x 2>&1; a &', '{ a; } >/x 2>&1 &', 'pg_ctl -l /x start'];
    for (const text of [
      ...closed,
      ...ended,
      'a && b',
      '((i=i&1)); a',
      'trap "kill $!" EXIT; a & b',
      "echo 'a &'",
      'a # &',
      '[ 1 ] && b',
    ]) {
      assert.ok(!holds(text), text);
    }
  });

  it('says how long it sleeps at least', () => {
    const seconds = (text: string) => sleeps(script(text)) / 1000;
    assert.deepEqual(
      ['sleep 60 && a', 'sleep 10; sleep 20', 'sleep 1m 30s', 'while a; do sleep 5; done', 'sleep infinity'].map(
        seconds,
      ),
      [60, 30, 90, 5, Number.POSITIVE_INFINITY],
    );
    for (const text of ['echo sleep 60', 'timeout 5 sleep 60', 'sleep 60 &', 'sleep $X', '{ sleep 60; } >/x 2>&1 &']) {
      assert.equal(seconds(text), 0, text);
    }
    assert.equal(sleeps(['sleep', '45']), 45_000);
    assert.equal(sleeps(['su', '-', 'postgres', '-c', 'sleep 45']), 45_000);
  });
});

describe('an argv', () => {
  it('is a call of a shell, behind options and wrappers', () => {
    for (const argv of [
      ['sh', '-c', 'x'],
      ['/bin/bash', '-euo', 'pipefail', '-c', 'x'],
      ['bash', '--login', '-c', 'x'],
      ['env', 'A=b', 'timeout', '5', 'ash', '-ec', 'x'],
      ['bash', '-c', '-e', 'x'],
    ]) {
      assert.equal(shellCall(argv)?.script, 'x', String(argv));
    }
    assert.equal(shellCall(['sh', '/a.sh', '-c', 'x'])?.script, undefined);
    assert.equal(shellCall(['psql', '-c', 'x']), undefined);
  });

  it('loses what stands behind the script, unless that reads it', () => {
    for (const argv of [
      ['sh', '-c', 'cat', '-u', 'x'],
      ['sh', '-c', 'bash', '/a.sh'],
      ['sh'],
      ['sh', '-c'],
      ['sh', 'a b'],
    ]) {
      assert.ok(shellMistake(argv), String(argv));
    }
    for (const argv of [
      ['sh', '-c', 'echo $1', '--', 'x'],
      ['sh', '-c', 'exec "$@"', 'sh', 'a'],
      ['sh', '-c', 'a; b', 'restore-hook'],
      ['sh', '/my dir/x.sh', 'a'],
      ['psql', '-c', 'a', 'b'],
    ]) {
      assert.equal(shellMistake(argv), undefined, String(argv));
    }
  });

  it('shows no value of a variable, and no more than a word', () => {
    assert.equal(
      needsShell(['PGPASSWORD=secret', 'psql']),
      '"PGPASSWORD=…" is taken as the name of a program: only a shell sets variables',
    );
    assert.match(needsShell(['mysql -psecret']) ?? '', /^all of "mysql …" is/);
  });
});

describe('a JSON array of strings', () => {
  it('is told by JSON.parse alike, and its first mistake by its place', () => {
    const texts = ['["a"]', ' [ "a" , "b\\n\\u00e9" ] ', '[]', '["a\\"]"]'];
    for (const text of texts) assert.equal(jsonArrayProblem(text), undefined, text);
    const places: Record<string, number> = {
      '["a" "b"]': 6,
      '["a",]': 6,
      '["a\\ b"]': 4,
      '["a", 5]': 7,
      '["a"] x': 7,
      '["a': 2,
    };
    for (const [text, at] of Object.entries(places)) assert.equal(jsonArrayProblem(text)?.at, at, text);
    for (const text of [...texts, ...Object.keys(places), '[', '["a"', "['a']", '[null]', '["\u0001"]']) {
      let isArray = false;
      try {
        isArray = (JSON.parse(text) as unknown[]).every((part) => typeof part === 'string');
      } catch {}
      assert.equal(jsonArrayProblem(text) === undefined, isArray, text);
    }
  });
});
