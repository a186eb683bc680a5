import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { heldOpen, sleeps } from '../../../../../shared/core/lint/shell/scripts.ts';

const script = (text: string): string[] => ['sh', '-c', text];

describe('a script', () => {
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
