import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Spoken, Verb } from '../../../../shared/kubernetes/exec/detached-answer.ts';
import { heard, spokenTo } from '../../../../shared/kubernetes/exec/detached-answer.ts';
import { without } from '../../../needs.ts';

/** Runs the script of detached commands as a container's runtime does, under each shell that this machine has. */

const SHELLS = ['dash', 'bash', 'mksh', 'busybox'] as const;
const TOOLS = ['mkdir', 'mkfifo', 'mv', 'rm', 'dd', 'tee', 'tail', 'wc', 'cat', 'sleep', 'tr', 'env'];

const found = (program: string): string | undefined =>
  ['/bin', '/usr/bin', '/usr/local/bin'].map((dir) => path.join(dir, program)).find((file) => existsSync(file));

interface Said {
  readonly code: number | null;
  readonly spoken: Spoken | undefined;
  readonly stdout: string;
}

/** Where commands are run: a folder of programs, one of them `sh`, and a TMPDIR. */
class Place {
  readonly root = mkdtempSync(path.join(tmpdir(), 'detached-'));
  readonly bin = path.join(this.root, 'bin');
  readonly tmp = path.join(this.root, 'tmp');
  readonly #children = new Set<ChildProcess>();

  /** `own`: only these programs, and the shell, are there. */
  constructor(shell: string, own?: readonly string[]) {
    mkdirSync(this.bin);
    mkdirSync(this.tmp);
    const isBusybox = shell.includes('busybox');
    symlinkSync(shell, path.join(this.bin, 'sh'));
    for (const tool of own ?? [...TOOLS, 'setsid']) {
      const real = isBusybox ? shell : found(tool);
      if (real !== undefined) symlinkSync(real, path.join(this.bin, tool));
    }
  }

  get env(): Record<string, string> {
    return { PATH: `${this.bin}:/usr/bin:/bin`, TMPDIR: this.tmp };
  }

  /** Start the script in a session of its own, as runc does. */
  spawn(verb: Verb, key: string, command: readonly string[] = [], env = this.env, cwd = this.root): ChildProcess {
    const [, ...args] = spokenTo(verb, key, command);
    const child = spawn(path.join(this.bin, 'sh'), args, {
      env,
      cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    return child;
  }

  ask(verb: Verb, key: string, command: readonly string[] = [], env = this.env, cwd = this.root): Promise<Said> {
    return answerOf(this.spawn(verb, key, command, env, cwd));
  }

  async exited(key: string, command: readonly string[], env = this.env, cwd = this.root) {
    const { spoken, stdout, code } = await this.ask('start', key, command, env, cwd);
    assert.equal(spoken?.kind, 'exited', `${code} ${stdout}`);
    return { code: spoken.exitCode, ...spoken.output };
  }

  /** The folder of a command that was started. */
  folder(): string {
    const [name = ''] = readdirSync(this.tmp);
    return path.join(this.tmp, name);
  }

  remove(): void {
    for (const { pid } of this.#children) killGroup(pid);
    rmSync(this.root, { recursive: true, force: true });
  }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

function answerOf(child: ChildProcess): Promise<Said> {
  const printed = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout?.on('data', (chunk: Buffer) => printed.stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => printed.stderr.push(chunk));
  return new Promise((resolve) => {
    child.on('close', (code) => {
      const stdout = Buffer.concat(printed.stdout).toString();
      const stderr = Buffer.concat(printed.stderr).toString();
      resolve({ code, spoken: code === 77 ? heard({ stdout, stderr }) : undefined, stdout });
    });
  });
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 1000; i += 1) {
    if (isTrue()) return;
    await new Promise((next) => setTimeout(next, 20));
  }
  assert.fail(`never: ${what}`);
}

/** The process group that the command's own `echo $$` has told. */
const isGroupAlive = (group: number): boolean =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        const [state, , pgrp] = readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        return Number(pgrp) === group && state !== 'Z';
      } catch {
        return false;
      }
    });

const script = fileURLToPath(new URL('../../../../shared/kubernetes/exec/detached.sh', import.meta.url));
const shellcheck = found('shellcheck');

describe('the script of detached commands', () => {
  it('is clean for shellcheck', { skip: without('shellcheck', shellcheck !== undefined) }, () => {
    assert.equal(execFileSync(shellcheck ?? '', ['-s', 'sh', script], { encoding: 'utf8' }), '');
  });

  it('is sent without comments, and short enough for a request line of 8 KiB', () => {
    for (const verb of ['start', 'attach', 'end', 'forget'] as const) {
      const [, , text = ''] = spokenTo(verb, 'key');
      const { length } = `${new URLSearchParams({ command: text })}`;
      assert.ok(length < 8192 - 512, `${verb}: ${length}`);
      assert.doesNotMatch(text, /^\s*#|^ /m);
    }
  });
});

for (const shell of SHELLS) {
  const file = found(shell);
  describe(`under ${shell}`, { skip: without(shell, file !== undefined), concurrency: false }, () => {
    let place: Place;
    let keys = 0;
    const key = (): string => {
      keys += 1;
      return `key ${keys}`;
    };
    before(() => {
      place = new Place(file ?? '');
    });
    after(() => place.remove());

    // R3.70
    it('tells exit codes from 0 to 255, and the output of each stream', async () => {
      for (const code of [0, 1, 2, 77, 126, 127, 128, 137, 255]) {
        const ran = await place.exited(key(), ['sh', '-c', `echo out; echo err >&2; exit ${code}`]);
        assert.deepEqual([ran.code, ran.stdout, ran.stderr], [code, 'out\n', 'err\n']);
      }
      const killed = await place.exited(key(), ['sh', '-c', 'kill -9 $$']);
      assert.deepEqual([killed.code, killed.stdout, killed.stderr], [137, '', '']);
    });

    // R3.72
    it('passes every argument as it is', async () => {
      const odd = [
        '',
        ' ',
        '-n',
        '--',
        '$HOME',
        '`id`',
        "it's",
        '"',
        '\\',
        '\n',
        'a\nb\n',
        '*',
        'ü',
        '\x01\x1b',
        ';&|<>(){}[]!#~%=?',
      ];
      const print = 'for each in "$@"; do printf "<%s>" "$each"; done';
      const { stdout } = await place.exited(key(), ['sh', '-c', print, 'sh', ...odd]);
      assert.equal(stdout, odd.map((each) => `<${each}>`).join(''));
    });

    it("runs programs, not the shell's own words, under their own names", async () => {
      for (const [name, says] of [
        ['-dash', 'program'],
        ['export', 'program'],
        ['a=b', 'program'],
        ['eval', 'program'],
      ] as const) {
        writeFileSync(path.join(place.bin, name), `#!${place.bin}/sh\necho ${says} "$@"\n`, { mode: 0o755 });
        assert.equal((await place.exited(key(), [name, 'x'])).stdout, `${says} x\n`, name);
      }
    });

    it('leaves environment, folder, mask, stdin and signals as they were', async () => {
      const look =
        'umask; pwd -P; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; grep -E "^Sig(Ign|Blk)" /proc/self/status';
      const cwd = path.join(place.root, 'tmp');
      const env = { ...place.env, name: 'n', dir: 'd', state: ' s ', A: 'a\nPWD=b', _b: '$x', HOME: '/' };
      const sorted = (text: string): string[] => text.split('\0').sort();
      const environ = execFileSync('/usr/bin/env', ['-0'], { env, encoding: 'utf8' });
      const plain = execFileSync('/bin/dash', ['-c', look], {
        env,
        cwd,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      assert.deepEqual(sorted((await place.exited(key(), ['/usr/bin/env', '-0'], env, cwd)).stdout), sorted(environ));
      assert.equal((await place.exited(key(), ['/bin/dash', '-c', look], env, cwd)).stdout, plain);
      const own = { ...env, PWD: cwd, SHLVL: '3' };
      assert.match((await place.exited(key(), ['/usr/bin/env', '-0'], own, cwd)).stdout, /(^|\0)PWD=/);
    });

    // R3.73
    it('keeps the beginning and the end of long output, and counts the rest', async () => {
      const { stdout, stderr, lost } = await place.exited(key(), [
        'sh',
        '-c',
        'echo first; yes 0123456789abcde | head -c 50000000; echo last; echo err >&2',
      ]);
      assert.ok(stdout.startsWith('first\n0123') && stdout.endsWith('abcde\nlast\n'), stdout.slice(0, 50));
      assert.equal(stderr, 'err\n');
      const note = `\n[${lost.stdout} bytes are left out here]\n`;
      assert.ok(stdout.includes(note));
      assert.equal(Buffer.byteLength(stdout) - note.length + lost.stdout, 50_000_011);
      const folder = readdirSync(place.tmp).map((name) => path.join(place.tmp, name));
      for (const kept of folder) {
        const size = (name: string): number => statSync(path.join(kept, name)).size;
        assert.ok(size('out.head') + size('out.tail') <= 65_536);
      }
    });

    it('keeps 60 KiB of small lines whole', async () => {
      const { stdout, lost } = await place.exited(key(), [
        'sh',
        '-c',
        'i=0; while [ $i -lt 6000 ]; do echo 123456789; i=$((i+1)); done',
      ]);
      assert.equal(stdout, '123456789\n'.repeat(6000));
      assert.equal(lost.stdout, 0);
    });

    // R3.71
    it('starts a command once that is asked for ten times at once, and tells all of them its end', async () => {
      const once = key();
      const log = path.join(place.root, 'starts');
      const asked = Array.from({ length: 10 }, () =>
        place.ask('start', once, ['sh', '-c', `echo start >>${log}; sleep 1; echo hi; exit 9`]),
      );
      const said = await Promise.all(asked);
      for (const { spoken } of said) {
        assert.deepEqual(spoken, {
          kind: 'exited',
          exitCode: 9,
          wasEnded: false,
          output: { stdout: 'hi\n', stderr: '', lost: { stdout: 0, stderr: 0 } },
        });
      }
      assert.equal(readFileSync(log, 'utf8'), 'start\n');
      assert.deepEqual((await place.ask('attach', once)).spoken, said[0]?.spoken);
      assert.equal((await place.ask('forget', once)).spoken?.kind, 'absent');
      assert.equal((await place.ask('attach', once)).spoken?.kind, 'absent');
    });

    it('lets a command go on whose exec is killed, and another exec tell its end', async () => {
      const once = key();
      const child = place.spawn('start', once, ['sh', '-c', 'echo hi; sleep 2; echo ho; exit 5']);
      await new Promise((next) => child.stdout?.once('data', next));
      child.kill('SIGKILL');
      const { spoken } = await place.ask('attach', once);
      assert.deepEqual(spoken, {
        kind: 'exited',
        exitCode: 5,
        wasEnded: false,
        output: { stdout: 'hi\nho\n', stderr: '', lost: { stdout: 0, stderr: 0 } },
      });
    });

    // R3.74
    it('ends with the command, not with what it leaves behind, which is not killed by a closed stream', async () => {
      const alive = path.join(place.root, `alive-${keys}`);
      const { code, stdout } = await place.exited(key(), [
        'sh',
        '-c',
        `echo hi; (sleep 4; echo late; echo late; echo yes >${alive}) & exit 4`,
      ]);
      assert.deepEqual([code, stdout], [4, 'hi\n']);
      assert.ok(!existsSync(alive));
      await until('the daemon goes on', () => existsSync(alive));
      const closed = await place.exited(key(), ['sh', '-c', 'exec >&- 2>&-; sleep 1; exit 6']);
      assert.equal(closed.code, 6);
    });

    // R3.75
    for (const [what, command, code] of [
      ['by TERM', 'echo $$; sleep 60', 143],
      [
        'by KILL where it ignores TERM, with all of its group',
        'trap "" TERM; sh -c "sleep 60" & echo $$; sleep 60; sleep 60',
        137,
      ],
      ['by itself on TERM', 'trap "echo bye; exit 3" TERM; echo $$; while :; do sleep 0.1; done', 3],
    ] as const) {
      it(`is ended ${what}`, async () => {
        const once = key();
        const child = place.spawn('start', once, ['sh', '-c', command]);
        const answer = answerOf(child);
        const group = path.join(place.tmp, spokenTo('end', once)[5] ?? '', 'out.head');
        await until('it runs', () => existsSync(group) && /^\d+\n/.test(readFileSync(group, 'utf8')));
        const leader = Number.parseInt(readFileSync(group, 'utf8'), 10);
        assert.ok(isGroupAlive(leader));
        const ended = await Promise.all([place.ask('end', once), place.ask('end', once)]);
        assert.deepEqual(
          ended.map(({ spoken }) => spoken?.kind),
          ['ended', 'ended'],
        );
        assert.ok(!isGroupAlive(leader));
        const { spoken } = await answer;
        assert.deepEqual(spoken?.kind === 'exited' && [spoken.exitCode, spoken.wasEnded], [code, true]);
      });
    }

    it('is not ended any more when it has ended by itself: what it left behind goes on', async () => {
      const once = key();
      const { stdout } = await place.exited(once, ['sh', '-c', 'echo $$; sleep 60 >/dev/null 2>&1 &']);
      assert.equal((await place.ask('end', once)).spoken?.kind, 'ended');
      const group = Number.parseInt(stdout, 10);
      assert.ok(isGroupAlive(group));
      killGroup(group);
    });

    it('tells that nobody knows the end when its own process is killed', async () => {
      const once = key();
      const child = place.spawn('start', once, ['sh', '-c', 'sleep 2']);
      await new Promise((next) => child.stdout?.once('data', next));
      const running = path.join(place.tmp, spokenTo('end', once)[5] ?? '', 'running');
      const command = path.join(path.dirname(running), 'command');
      await until('it runs', () => existsSync(command));
      child.kill('SIGKILL');
      process.kill(Number.parseInt(readFileSync(running, 'utf8'), 10), 'SIGKILL');
      const said = await place.ask('attach', once);
      assert.equal(said.spoken?.kind, 'dead', JSON.stringify(said));
    });

    // R3.76
    it('tells what is missing before anything is started', async () => {
      writeFileSync(path.join(place.bin, 'plain-file'), '');
      const told = async (command: string[]) => {
        const { spoken } = await place.ask('start', key(), command);
        return spoken?.kind === 'notRun' && spoken.message;
      };
      const before = readdirSync(place.tmp).length;
      const missing = 'no such command in the container; nothing was started';
      const forbidden = 'the command is not executable in the container; nothing was started';
      assert.equal(await told(['no-such-command']), missing);
      assert.equal(await told(['']), missing);
      assert.equal(await told(['/no/such']), missing);
      assert.equal(await told(['plain-file']), missing);
      assert.equal(await told([path.join(place.bin, 'plain-file')]), forbidden);
      assert.equal(await told(['/']), forbidden);
      assert.equal(readdirSync(place.tmp).length, before);
    });

    it('needs only the programs that it names', async () => {
      const bare = new Place(
        file ?? '',
        TOOLS.filter((tool) => tool !== 'tee'),
      );
      const env = { PATH: bare.bin, TMPDIR: bare.tmp };
      try {
        // busybox finds its own programs wherever they are.
        if (shell !== 'busybox') {
          const lacking = await bare.ask('start', 'k', ['sh', '-c', 'exit 3'], env);
          const message = 'detach needs the program tee in the container, and there is none; nothing was started';
          assert.deepEqual(lacking.spoken, { kind: 'notRun', message });
        }
        symlinkSync(shell === 'busybox' ? (file ?? '') : (found('tee') ?? ''), path.join(bare.bin, 'tee'));
        // There is no setsid.
        const child = bare.spawn('start', 'k', ['sh', '-c', 'echo hi; trap "" TERM; sleep 60 & wait; sleep 60'], env);
        const answer = answerOf(child);
        const command = path.join(bare.tmp, spokenTo('end', 'k')[5] ?? '', 'out.head');
        await until('it runs', () => existsSync(command) && statSync(command).size > 0);
        assert.equal((await bare.ask('end', 'k', [], env)).spoken?.kind, 'ended');
        await answer;
        const { spoken } = await bare.ask('attach', 'k', [], env);
        assert.equal(spoken?.kind === 'exited' && spoken.exitCode, 137);
      } finally {
        bare.remove();
      }
    });

    // R3.75
    for (const [tool, takes] of [
      ['mkfifo', 1],
      ['setsid', 7],
    ] as const) {
      const isBuiltIn = shell === 'busybox';
      it(`never runs a command after its end, if ${tool} takes ${takes} s`, { skip: isBuiltIn }, async () => {
        const slow = new Place(
          file ?? '',
          [...TOOLS, 'setsid'].filter((each) => each !== tool),
        );
        try {
          const text = `#!/bin/sh\nsleep ${takes}\nexec ${found(tool)} "$@"\n`;
          writeFileSync(path.join(slow.bin, tool), text, { mode: 0o755 });
          const ran = path.join(slow.root, 'ran');
          const answer = slow.ask('start', 'k', ['sh', '-c', `: >${ran}; sleep 3`]);
          await new Promise((next) => setTimeout(next, 400));
          await slow.ask('end', 'k');
          const hadRun = existsSync(ran);
          await answer;
          assert.equal(existsSync(ran), hadRun);
        } finally {
          slow.remove();
        }
      });
    }

    // R3.78
    it('tells the own exit code of a command that removes the folder, and reads all that it prints', async () => {
      for (const lines of [5, 20_000]) {
        const once = key();
        const folder = path.join(place.tmp, spokenTo('end', once)[5] ?? '');
        const print = `i=0; while [ $i -lt ${lines} ]; do echo $i; i=$((i+1)); done`;
        const { code } = await place.exited(once, ['sh', '-c', `sleep 1; rm -rf ${folder}; sleep 1; ${print}; exit 4`]);
        assert.equal(code, 4, `${lines} lines`);
      }
    });

    // R3.78
    it('calls no command ended that was over before anybody asked for its end', async () => {
      const once = key();
      const answer = place.ask('start', once, ['sh', '-c', 'kill -9 $PPID; sleep 1']);
      const command = path.join(place.tmp, spokenTo('end', once)[5] ?? '', 'command');
      await until('it runs', () => existsSync(command) && /^\d+ /.test(readFileSync(command, 'utf8')));
      const [pid = ''] = readFileSync(command, 'utf8').split(' ');
      await until(
        'it is over',
        () => !existsSync(`/proc/${pid}`) || /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')),
      );
      assert.equal((await place.ask('end', once)).spoken?.kind, 'ended');
      const said = await place.ask('attach', once);
      assert.equal(said.spoken?.kind, 'dead', JSON.stringify(said));
      await answer;
    });

    // R3.77
    it("goes to the next folder where one can't be written", async () => {
      const env = { ...place.env, TMPDIR: '/proc/no-such-folder' };
      const once = key();
      assert.equal((await place.exited(once, ['sh', '-c', 'exit 3'], env)).code, 3);
      const name = spokenTo('end', once)[5] ?? '';
      assert.equal(statSync(path.join('/tmp', name)).mode & 0o777, 0o700);
      await place.ask('forget', once, [], env);
      assert.ok(!existsSync(path.join('/tmp', name)));
    });

    it('takes a TMPDIR with spaces, or a relative one, and passes over a link with the name of its folder', async () => {
      const odd = path.join(place.root, 'a [b] *');
      mkdirSync(odd);
      for (const TMPDIR of [odd, 'a [b] *', './tmp']) {
        const once = key();
        const env = { ...place.env, TMPDIR };
        assert.equal((await place.exited(once, ['sh', '-c', 'exit 3'], env)).code, 3);
        const name = spokenTo('end', once)[5] ?? '';
        assert.ok(existsSync(path.resolve(place.root, TMPDIR, name)));
        assert.equal((await place.ask('attach', once, [], env)).spoken?.kind, 'exited');
        await place.ask('forget', once, [], env);
        assert.ok(!existsSync(path.resolve(place.root, TMPDIR, name)));
      }
      const once = key();
      const name = spokenTo('end', once)[5] ?? '';
      symlinkSync(odd, path.join(place.tmp, name));
      assert.equal((await place.exited(once, ['sh', '-c', 'exit 3'])).code, 3);
      assert.deepEqual(readdirSync(odd), []);
      assert.ok(existsSync(path.join('/tmp', name)));
      await place.ask('forget', once);
      assert.ok(!existsSync(path.join('/tmp', name)) && existsSync(path.join(place.tmp, name)));
    });

    it('tells the exit code of a command that removes what is kept of it', async () => {
      const { code } = await place.exited(key(), ['sh', '-c', `rm -rf ${place.tmp}/*; exit 8`]);
      assert.equal(code, 8);
    });
  });
}
