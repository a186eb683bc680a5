import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noTmux, openTerminal } from './tmux.ts';

describe('the terminal of the tests', { skip: noTmux }, () => {
  it('shows what a program draws, takes keys, and has the size that is asked for', async () => {
    const terminal = await openTerminal({ columns: 40, rows: 10, env: { GREETING: 'hello' } });
    try {
      await terminal.type('stty size; printf "\\033[?25l$GREETING \\033[31mred\\033[0m\\n"');
      await terminal.press('Enter');
      const screen = await terminal.until('the text', (lines) => lines.includes('hello red'));
      assert.ok(screen.includes('10 40'), screen.join('\n'));
      assert.equal(screen.length, 10);
      assert.match((await terminal.screen({ colors: true })).join('\n'), /hello \x1b\[31mred/);
      assert.equal((await terminal.cursor()).isShown, false);
      await terminal.resize(60, 5);
      await terminal.type('printf "\\033[?25h"; clear; stty size; seq 20');
      await terminal.press('Enter');
      const resized = await terminal.until('the numbers', (lines) => lines.includes('20'));
      assert.equal(resized.length, 5);
      assert.ok((await terminal.everything()).includes('5 60'));
      assert.equal((await terminal.cursor()).isShown, true);
    } finally {
      await terminal.close();
    }
  });
});
