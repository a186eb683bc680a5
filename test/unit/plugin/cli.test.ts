import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { allCommands } from '../../../plugin/cli.ts';
import { runnerArgs } from '../../../plugin/command-line/apply-args.ts';
import { outputArg } from '../../../plugin/command-line/args.ts';
import type { Command, CommandList, CommandResult } from '../../../plugin/command-line/command.ts';
import { defineCommand } from '../../../plugin/command-line/command.ts';
import { CommandStop } from '../../../plugin/process/stop.ts';
import { ExitCode, RestoreHooksError, SUSPENDED_EXIT_CODE } from '../../../shared/core/errors.ts';
import { run } from './harness.ts';

const greet = defineCommand({
  args: { ...outputArg(['json', 'yaml', 'wide', 'name']), loud: { type: 'boolean', description: 'Say it loudly' } },
  positionals: { name: { description: 'Whom to greet' }, title: { description: 'What they are', optional: true } },
  examples: [['greet Ada', 'say hello']],
  details: 'It says hello.',
  async run({ name, title, loud }) {
    const hello = `hello ${name}${title === undefined ? '' : `, ${title}`}${loud ? '!' : ''}`;
    return {
      view: {
        kind: 'document',
        document: { kind: 'Greeting', hello },
        human: [
          'Greetings:',
          { columns: [{ title: 'TEXT' }, { title: 'LENGTH', wide: true }], rows: [[hello, hello.length]] },
        ],
        names: [`greeting/${name}`],
      },
    };
  },
});

const failing = (problem: unknown): CommandList => one(async () => Promise.reject(problem));
const one = (act: () => Promise<CommandResult>): CommandList => ({
  act: { summary: 'Act', load: async () => defineCommand({ args: {}, positionals: {}, examples: [], run: act }) },
});
const BAD = '\x1b[31mred\x1b[0m\x9b1m \x1b]0;title\x07\u202etxt\x07\r\n日本';

describe('what is printed', () => {
  // R5.18
  it('is cleaned where it is printed, whoever wrote it and from where', async () => {
    const printing: CommandList = {
      act: {
        summary: 'Act',
        load: async () =>
          defineCommand({
            args: {},
            positionals: {},
            examples: [],
            async run(_, { stdout, stderr }) {
              stdout.write(BAD);
              stderr.write(BAD);
              throw new RestoreHooksError('RUN_FAILED', BAD, { hint: BAD });
            },
          }),
      },
    };
    const { stdout, stderr } = await run(['act'], { commands: printing, terminal: { isTTY: true, columns: 80 } });
    const clean = 'red txt\n日本';
    assert.deepEqual([stdout, stderr], [clean, `${clean}error: ${clean}\nhint: ${clean}\n`]);
    const bug = await run(['act'], { commands: failing(new Error(BAD)) });
    assert.doesNotMatch(bug.stderr, /[\x1b\x9b\x07\u202e\r]/);
  });

  it('has its colours and its live line, and a filter its bytes', async () => {
    const colored = await run(['table'], {
      commands: {
        table: { summary: 'Show', load: async () => viewing({ kind: 'document', document: {}, human: [RED] }) },
      },
      terminal: { isTTY: true, columns: 80 },
    });
    assert.equal(colored.stdout, 'STATE\n\x1b[31mred txt\\n日本\x1b[0m\n');
    const filtered: CommandList = {
      pass: { summary: 'Pass', load: async () => viewing({ kind: 'filtered', text: BAD }) },
    };
    assert.equal((await run(['pass'], { commands: filtered })).stdout, BAD);
    assert.equal((await run(['pass'], { commands: filtered, terminal: { isTTY: true } })).stdout, 'red txt\n日本\n');
  });
});

const RED = { columns: [{ title: 'STATE', color: () => 'red' as const }], rows: [[BAD]] };
const viewing = (view: NonNullable<CommandResult['view']>) =>
  defineCommand({ args: {}, positionals: {}, examples: [], run: async () => ({ view }) });

const commands: CommandList = {
  greet: { summary: 'Say hello', load: async () => greet },
  broken: { summary: 'Never loaded here', load: (): Promise<Command> => assert.fail('loaded') },
};

describe('main', () => {
  // R7.15, R7.28
  it('prints a view in the format that was asked for, to stdout alone', async () => {
    const outputs = {
      '': 'Greetings:\nTEXT\nhello Ada\n',
      '-owide': 'Greetings:\nTEXT        LENGTH\nhello Ada   9\n',
      '-ojson': '{\n  "kind": "Greeting",\n  "hello": "hello Ada"\n}\n',
      '-oyaml': 'kind: Greeting\nhello: hello Ada\n',
      '-oname': 'greeting/Ada\n',
    };
    for (const [format, stdout] of Object.entries(outputs)) {
      const argv = ['greet', 'Ada', format].filter((word) => word !== '');
      assert.deepEqual(await run(argv, { commands }), { code: 0, stdout, stderr: '' });
    }
  });

  it('finds the command behind flags', async () => {
    const { code, stdout } = await run(['-o', 'name', 'greet', '--loud', 'Ada', 'countess'], { commands });
    assert.deepEqual([code, stdout], [0, 'greeting/Ada\n']);
  });

  it('shows all commands and exit codes without a word, with help and with --help, and loads no command', async () => {
    const [, documented = ''] = readFileSync('docs/results.md', 'utf8').split('## Exit codes');
    for (const argv of [[], ['--help'], ['-h'], ['help']]) {
      const { code, stdout, stderr } = await run(argv, { commands });
      assert.deepEqual([code, stderr], [0, ''], argv.join(' '));
      assert.match(stdout, /\n\nUsage: kubectl restorehooks COMMAND \[flags\]\n\nCommands:\n {2}greet {3}Say hello\n/);
      for (const [, exitCode] of documented.matchAll(/^\| (\d+) \|/gm))
        assert.match(stdout, new RegExp(`^ {2}${exitCode} +\\S`, 'm'));
    }
  });

  it("shows a command's help on stdout, no wider than the terminal", async () => {
    for (const argv of [
      ['greet', '-h'],
      ['help', 'greet'],
      ['greet', '--help', '--loud'],
    ]) {
      const { code, stdout, stderr } = await run(argv, { commands, terminal: { isTTY: true, columns: 72 } });
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(
        stdout,
        /^Say hello\.\n\nIt says hello\.\n\nUsage: kubectl restorehooks greet NAME \[TITLE\] \[flags\]\n\nExamples:\n {2}# say hello\n {2}kubectl restorehooks greet Ada\n\nArguments:\n {2}NAME {3}Whom to greet\n/,
      );
      assert.match(
        stdout,
        /\n\nFlags:\n {2}-o, --output json\|yaml\|wide\|name {2}Output format\n {6}--loud {24}Say it loudly\n {6}--color auto\|always\|never {5}Colours: /,
      );
      assert.match(stdout, /\n\nGlobal flags \(as kubectl's\):\n {2}-h, --help {5}Show this help\n/);
      assert.match(
        stdout,
        /\n\nExit codes:\n {2}0 {4}done\n {2}2 {4}a mistake on the command line, or invalid input\n/,
      );
      for (const line of stdout.split('\n')) assert.ok(line.length <= 72, line);
    }
  });

  it('names no document in help, because an installation has none', async () => {
    for (const argv of [[], ...Object.keys(allCommands).map((name) => [name])]) {
      const { stdout } = await run([...argv, '--help']);
      assert.doesNotMatch(stdout, /docs\/|\.md\b/, argv.join(' '));
    }
  });

  // R7.30
  it('gives retry the flags of apply that say how a run is carried out', async () => {
    const [{ args: retry }, { args: apply }] = (await Promise.all(
      [allCommands['retry'], allCommands['apply']].map((each) => each?.load()),
    )) as [Command, Command];
    for (const name of Object.keys(runnerArgs)) assert.deepEqual(retry[name], apply[name], name);
  });

  it("keeps every command's own flags apart from kubectl's, and names each value", async () => {
    assert.equal(Object.keys(allCommands).length, 16);
    for (const [name, { load }] of Object.entries(allCommands)) {
      const { stdout } = await run([name, '--help']);
      assert.ok(stdout.indexOf('\nFlags:\n') < stdout.indexOf('\nGlobal flags '), name);
      const [before = '', kubectls = ''] = stdout.split(/^Global flags \(as kubectl's\):$/m);
      const [, own = ''] = before.split(/^Flags:$/m);
      assert.match(kubectls, /^ +-h, --help +Show this help$/m, name);
      assert.doesNotMatch(own, /--(?:help|context|kubeconfig|v)\b/, name);
      for (const [flag, { type, hidden }] of Object.entries((await load()).args)) {
        if (hidden) continue;
        const [, value] =
          new RegExp(`^ +(?:-\\w, )?--${flag}(?![\\w-])(?:\\[=| )?(\\S*?)\\]?(?: {2}|$)`, 'm').exec(stdout) ?? [];
        assert.match(value ?? 'not shown', type === 'boolean' ? /^$/ : /^[A-Z]|\|/, `${name} --${flag}`);
        assert.doesNotMatch(value ?? '', /STRING|LIST|INTEGER/, `${name} --${flag}`);
      }
    }
  });

  it('answers a mistake on the command line with one line, a hint and exit code 2', async () => {
    const cases: Record<string, string> = {
      gret: 'error: unknown command "gret" for "kubectl restorehooks"\nhint: did you mean "greet"?\n',
      xyzzy:
        'error: unknown command "xyzzy" for "kubectl restorehooks"\nhint: list the commands: kubectl restorehooks --help\n',
      constructor:
        'error: unknown command "constructor" for "kubectl restorehooks"\nhint: list the commands: kubectl restorehooks --help\n',
      greet: 'error: NAME is missing\nhint: usage: kubectl restorehooks greet NAME [TITLE] [flags]\n',
      'greet a b c': 'error: unexpected argument "c"\nhint: usage: kubectl restorehooks greet NAME [TITLE] [flags]\n',
      'greet a --lod': 'error: unknown flag: --lod\nhint: did you mean --loud?\n',
      'greet a -o':
        "error: flag needs an argument: 'o' in -o\nhint: see the flags: kubectl restorehooks greet --help\n",
      'greet a --xyzzy': 'error: unknown flag: --xyzzy\nhint: see the flags: kubectl restorehooks greet --help\n',
    };
    for (const [line, stderr] of Object.entries(cases)) {
      assert.deepEqual(await run(line.split(' '), { commands }), { code: 2, stdout: '', stderr });
    }
  });

  // R7.20
  it('reports what a user can act on with its message, its hint and its exit code', async () => {
    const problem = new RestoreHooksError('RESTORE_NOT_FOUND', 'no Restore \x1b[31m"x"', { hint: 'list them' });
    assert.deepEqual(await run(['act'], { commands: failing(problem) }), {
      code: ExitCode.NotFound,
      stdout: '',
      stderr: 'error: no Restore "x"\nhint: list them\n',
    });
    for (const verbose of [['-v=1'], ['-v', '6'], ['--v=2']]) {
      const { stderr } = await run(['act', ...verbose], { commands: failing(problem) });
      assert.match(stderr, /\ncode: RESTORE_NOT_FOUND \(exit code 4\), see docs\/errors\.md\n$/);
    }
  });

  it('shows what there is to show before it reports an error', async () => {
    const error = new RestoreHooksError('CLUSTER_UNREACHABLE', 'nobody answers');
    const act = one(async () => ({ view: { kind: 'text', text: 'half of it' }, error }));
    assert.deepEqual(await run(['act'], { commands: act }), {
      code: ExitCode.Unreachable,
      stdout: 'half of it\n',
      stderr: 'error: nobody answers\n',
    });
  });

  it('calls anything else a bug, with its stack, and exits 1', async () => {
    const { code, stdout, stderr } = await run(['act'], { commands: failing(new TypeError('oops')) });
    assert.deepEqual([code, stdout], [ExitCode.Bug, '']);
    assert.match(stderr, /^error: TypeError: oops\n {4}at /);
    assert.match(stderr, /\nhint: this is a bug in kubectl restorehooks; please report it/);
  });

  it('exits 130 when Ctrl-C ended the command, and only then', async () => {
    const aborted = AbortSignal.abort();
    const abort = failing(aborted.reason);
    assert.deepEqual(await run(['act'], { commands: abort, signal: aborted }), {
      code: ExitCode.Interrupted,
      stdout: '',
      stderr: 'error: interrupted\n',
    });
    assert.equal((await run(['act'], { commands: abort })).code, ExitCode.Bug);
  });
});

it('refuses what can be no image', async () => {
  for (const command of [
    ['version', '--client'],
    ['apply', 'nightly'],
    ['check', 'nightly'],
  ]) {
    for (const image of ['', ':v1', 'a b']) {
      const { code, stdout, stderr } = await run([...command, '--image', image]);
      assert.deepEqual([code, stdout], [2, '']);
      const expected = `error: invalid argument ${JSON.stringify(image)} for --image: expected the runner's image\n`;
      assert.equal(stderr.slice(0, expected.length), expected);
    }
  }
});

describe('kubectl restorehooks version', () => {
  // R7.13
  it('tells the versions of this side', async () => {
    const { code, stdout, stderr } = await run(['version', '--client', '-ojson']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(Object.keys(JSON.parse(stdout)), [
      'version',
      'image',
      'runnerVersion',
      'nodeVersion',
      'platform',
      'skew',
    ]);
  });

  it("tells the server's version too", async (t) => {
    const server = createServer((_, response) => response.end('{"gitVersion": "v1.35.4"}')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const directory = await mkdtemp(path.join(tmpdir(), 'restorehooks-version-'));
    t.after(async () => {
      server.close();
      await rm(directory, { recursive: true });
    });
    const kubeconfig = path.join(directory, 'config');
    const clusters = [{ name: 'c', cluster: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } }];
    await writeFile(kubeconfig, JSON.stringify({ apiVersion: 'v1', kind: 'Config', clusters }));
    const { code, stdout, stderr } = await run(['version', '--kubeconfig', kubeconfig, '--cluster=c']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /\nServer version: v1\.35\.4\nVersion skew: none\n$/);
    assert.match(stdout, /\nRunner image: \S+ \(unless ConfigMap restorehooks-defaults names another: see check\)\n/);
  });

  it("doesn't know the runner's version by a tag that is none", async () => {
    const { stdout } = await run(['version', '--client', '--image=registry.example.com/runner:latest']);
    assert.match(stdout, /\nVersion skew: unknown for the runner: the image's tag is no version\n$/);
  });

  it('tells them also where no cluster can be asked, and says so', async () => {
    const { code, stdout, stderr } = await run(['version', '--kubeconfig=/nowhere/config']);
    assert.equal(code, ExitCode.Usage);
    assert.match(stdout, /^Plugin version: /);
    assert.match(stderr, /^error: .*\/nowhere\/config/);
  });
});

describe('a command that is asked to end', () => {
  const silent = async function* (): AsyncGenerator<string> {
    await new Promise(() => undefined);
  };
  for (const command of ['lint', 'inject']) {
    for (const [name, code] of [
      ['SIGINT', ExitCode.Interrupted],
      ['SIGTERM', SUSPENDED_EXIT_CODE],
    ] as const) {
      it(`ends on ${name} while ${command} waits for stdin`, async () => {
        const asked = new AbortController();
        const running = run([command, '-f', '-'], { stdin: silent(), signal: asked.signal });
        asked.abort(new DOMException(`received ${name}`, 'AbortError'));
        const ran = await running;
        assert.equal(ran.code, code);
        assert.match(ran.stderr, /^error: .*nothing has been changed\n$/);
      });
    }
  }

  // R6.28
  it('is not begun where that was asked for before, and ends by itself where it holds', async () => {
    const asked = new AbortController();
    const stop = new CommandStop(asked.signal, new AbortController().signal);
    const ended = await stop.race(() =>
      stop.hold(async () => {
        asked.abort(new DOMException('received SIGINT', 'AbortError'));
        return stop.hold(async () => 'its own way');
      }),
    );
    assert.equal(ended, 'its own way');
    await assert.rejects(
      stop.hold(async () => 'begun'),
      { code: 'INTERRUPTED' },
    );
  });
});
