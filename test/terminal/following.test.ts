import assert from 'node:assert/strict';
import { join } from 'node:path';
import process from 'node:process';
import { after, describe, it } from 'node:test';
import type { Scene } from '../e2e/harness.ts';
import { exec, gated, hooksOf, mark, sh, startSuite } from '../e2e/harness.ts';
import type { Terminal } from './tmux.ts';
import { noTmux, openTerminal } from './tmux.ts';

const PLUGIN = join(import.meta.dirname, '../../dist/kubectl-restorehooks');
const e2e = await startSuite();
after(() => e2e.close());

async function inTerminal(
  args: readonly string[],
  { columns = 80, rows = 24, env = {} as Readonly<Record<string, string>> },
  look: (terminal: Terminal) => Promise<void>,
): Promise<void> {
  // The shell goes on, as the user's does: a terminal whose program has ended shows no cursor.
  const script = 'trap : INT; "$0" "$@"; echo "exit code $?"; sleep 1000';
  const command = ['sh', '-c', script, process.execPath, PLUGIN, ...args, '-n', e2e.velero];
  const variables = { KUBECONFIG: e2e.cluster.kubeconfig, HOME: e2e.cluster.folder, ...env };
  const terminal = await openTerminal({ columns, rows, command, cwd: e2e.cluster.folder, env: variables });
  try {
    await look(terminal);
  } finally {
    await terminal.close();
  }
}

/** A hook that runs until its gate is opened and one that waits for it; in another pod, one that fails at once. */
async function held(title: string): Promise<Scene> {
  const scene = await e2e.scene(title);
  for (const pod of ['db-0', 'web-0']) await scene.pod(pod);
  const fails = sh('echo loading; echo no space left >&2; exit 7');
  await scene.restore({
    hooks: [
      hooksOf('db', exec(gated(), { execTimeout: '5m' }), exec(mark('next'))),
      hooksOf('web', exec(fails, { onError: 'Continue' })),
    ],
    status: { phase: 'Completed' },
  });
  return scene;
}

const isOpen = (lines: readonly string[]): boolean =>
  lines.some((line) => /^RUNNING 1/.test(line)) && lines.some((line) => line.includes('| no space left'));
const textOf = (lines: readonly string[]): string => lines.join('\n').trimEnd();

// R7.36
describe('a run on a terminal', { skip: noTmux }, () => {
  it('is one screen that fits, also after a change of size; Ctrl-C leaves the terminal as it was', async () => {
    const scene = await held('screen');
    await inTerminal(['apply', scene.name], {}, async (terminal) => {
      const screen = await terminal.until('the screen', isOpen);
      assert.match(screen[0] ?? '', /^InProgress: 1 not succeeded so far/);
      assert.match(screen[1] ?? '', /^\[[=x>.]+\] 33% {2}1\/3 done, 1 failed, 1 running, 1 waiting$/);
      assert.ok(screen.includes(`  Failed (exit 7) web (0) in ${scene.namespace}/web-0`), textOf(screen));
      assert.ok(
        screen.some((line) => line.includes('for an earlier hook of the same pod')),
        textOf(screen),
      );
      assert.equal((await terminal.cursor()).isShown, false);
      for (const [columns, rows] of [
        [200, 50],
        [30, 8],
        [80, 24],
      ] as const) {
        await terminal.resize(columns, rows);
        await terminal.until(`${columns}x${rows}`, (lines) => {
          const ofSections = lines.filter((line) => /^(RUNNING|NOT SUCCEEDED|WAITING) /.test(line));
          return lines.length === rows && /^InProgress/.test(lines[0] ?? '') && ofSections.length >= 1;
        });
      }
      await terminal.until('the whole screen again', isOpen);
      await terminal.press('C-c');
      const left = await terminal.until('the end', (lines) => lines.some((line) => line.startsWith('exit code ')));
      const all = textOf(left);
      assert.match(all, /^exit code 130$/m);
      assert.match(all, /error: stopped following; the run goes on/);
      for (const verb of ['status', 'cancel', 'logs'])
        assert.match(all, new RegExp(`restorehooks ${verb} ${scene.name}`));
      assert.doesNotMatch(textOf(await terminal.everything()), /RUNNING|33%/);
      assert.equal((await terminal.cursor()).isShown, true);
    });
    await scene.open('db-0');
    await scene.runStatus(({ phase }) => phase === 'CompletedWithFailures');
  });

  it('ends with what failed, the verdict and the next command', async () => {
    for (const runner of ['job', 'local']) {
      const scene = await held(`end-${runner}`);
      await inTerminal(['apply', scene.name, `--runner=${runner}`], { columns: 200 }, async (terminal) => {
        await terminal.until('the failure', (lines) => lines.some((line) => /Failed \(exit 7\) web \(0\)/.test(line)));
        await scene.open('db-0');
        await terminal.until('the end', (lines) => lines.some((line) => line.startsWith('exit code ')));
        const all = textOf(await terminal.everything());
        const [, end = ''] = all.split('\n\nFailed (exit 7) web (0) in ');
        assert.match(end, /^\S+\n {4}\| no space left\n\nCompletedWithFailures: 3\/3 done, 1 failed\n/);
        assert.match(end, new RegExp(`\\nrun what did not succeed: kubectl restorehooks retry ${scene.name}`));
        assert.equal(all.match(/^CompletedWithFailures: /gm)?.length, 1, all);
        assert.equal((await terminal.cursor()).isShown, true);
      });
    }
  });

  it('has colours, but not with NO_COLOR', async () => {
    const scene = await held('colours');
    assert.equal((await scene.apply('--no-wait')).code, 0);
    for (const [env, args, isColored] of [
      [{}, [], true],
      [{ NO_COLOR: '1' }, [], false],
      [{}, ['--color=never'], false],
      [{ NO_COLOR: '1' }, ['--color=always'], true],
    ] as const) {
      await inTerminal(['status', scene.name, '-w', ...args], { env }, async (terminal) => {
        await terminal.until('the screen', isOpen);
        const drawn = textOf(await terminal.screen({ colors: true }));
        assert.equal(/\x1b\[31m/.test(drawn), isColored, drawn);
      });
    }
    await scene.open('db-0');
  });

  // R7.15
  it('is plain lines for a terminal that can not draw, and for whoever asks for them', async () => {
    const scene = await held('plain');
    assert.equal((await scene.apply('--no-wait')).code, 0);
    for (const env of [{ TERM: 'dumb' }, { ACCESSIBLE: '1' }]) {
      await inTerminal(['status', scene.name, '-w'], { env, columns: 200 }, async (terminal) => {
        const id = `${scene.namespace}/web-0/main/web/0`;
        const event = new RegExp(`^\\d{4}-\\d\\d-\\d\\dT\\S+Z Failed ${id} \\(exit 7\\)`);
        await terminal.until('the event', (lines) => lines.some((line) => event.test(line)));
        assert.equal((await terminal.cursor()).isShown, true);
      });
    }
    await scene.open('db-0');
  });
});
