import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allCommands } from '../../../../plugin/cli.ts';
import { commonArgs } from '../../../../plugin/command-line/args.ts';
import { answers } from '../../../../plugin/completion/main.ts';
import type { Request } from '../../../../plugin/completion/request.ts';
import { readRequest } from '../../../../plugin/completion/request.ts';
import type { Flag, Flags } from '../../../../shared/input/flags.ts';

/* Words, and what is completed in place of the last one (R7.60). */

const asked = (...words: string[]): Promise<Request> => readRequest(words, allCommands);
const names = async (...words: string[]) => {
  const { wanted } = await asked(...words);
  return wanted.kind === 'names' ? wanted.of : wanted.kind === 'files' ? 'files' : undefined;
};
/** The words that are answered without a cluster. */
async function offered(...words: string[]): Promise<string[]> {
  let values: string[] = [];
  await answers(words, allCommands, new AbortController().signal, ({ candidates }) => {
    values = candidates.map(({ value }) => value);
  });
  return values;
}
async function* allFlags(): AsyncGenerator<readonly [command: string, flag: string, definition: Flag, all: Flags]> {
  for (const [command, { load }] of Object.entries(allCommands)) {
    const flags: Flags = { ...(await load()).args, ...commonArgs };
    for (const [flag, definition] of Object.entries(flags)) yield [command, flag, definition, flags];
  }
}
const written = (flag: string): string => (flag.length === 1 ? `-${flag}` : `--${flag}`);

/** Flags whose values nobody can know: their kinds, by the names that the help gives them. */
const FREE = [
  ...['URL', 'TOKEN', 'USER', 'GROUP', 'UID', 'KEY=VALUE', 'IMAGE', 'SELECTOR', 'LEVEL', 'N', 'DURATION'],
  ...['SCHEDULE', 'RESOURCE', 'WORD'],
  ...['tls-server-name'],
];

describe('what is completed', () => {
  it('is the commands, and help', async () => {
    assert.deepEqual(await offered(''), [...Object.keys(allCommands), 'help']);
    assert.deepEqual(await offered('-n', 'velero', '--context=x', 're'), ['retry', 'report', 'rehearse']);
    assert.deepEqual(await offered('help', ''), Object.keys(allCommands));
    assert.deepEqual(await offered('help', 'plan', ''), []);
    assert.deepEqual(await offered('plan', 'x', 'y'), []);
    assert.deepEqual(await offered('--contex'), ['--context']);
  });

  it('is each flag of the command, and no other', async () => {
    for (const [name, { load }] of Object.entries(allCommands)) {
      const flags: Flags = { ...(await load()).args, ...commonArgs };
      const long = Object.keys(flags).filter((flag) => flag.length > 1);
      const short = Object.values(flags).flatMap((flag) => flag.short ?? []);
      const all = (await offered(name, '-')).map((flag) => flag.split('=')[0] ?? '');
      assert.deepEqual(new Set(all), new Set([...long.map(written), ...short.map(written)]), name);
      assert.deepEqual(
        new Set((await offered(name, '--')).map((flag) => flag.split('=')[0])),
        new Set(long.map(written)),
      );
    }
  });

  it('is the choices of each flag that has some, however its value is written', async () => {
    let seen = 0;
    for await (const [command, name, flag] of allFlags()) {
      if (flag.type !== 'string' || flag.choices === undefined) continue;
      seen += 1;
      assert.deepEqual(await offered(command, `${written(name)}=`), flag.choices, `${command} --${name}`);
      if (flag.bare !== undefined) {
        const whole = [written(name), ...flag.choices.map((choice) => `${written(name)}=${choice}`)];
        assert.deepEqual(await offered(command, written(name)), whole);
        continue;
      }
      assert.deepEqual(await offered(command, written(name), ''), flag.choices);
      const { short } = flag;
      if (short === undefined) continue;
      assert.deepEqual(await offered(command, `-${short}`, ''), flag.choices);
      assert.deepEqual(await offered(command, `-${short}=`), flag.choices);
      const [choice = ''] = flag.choices;
      assert.deepEqual(await offered(command, `-${short}${choice}`), [`-${short}${choice}`]);
    }
    assert.ok(seen > 10, `saw ${seen} flags with choices`);
  });

  it('is decided for the value of every flag', async () => {
    for await (const [command, name, flag] of allFlags()) {
      const { wanted } = await asked(command, `${written(name)}=`);
      const isFree = [flag.value ?? '', name].some((each) => FREE.includes(each)) || flag.type === 'integer';
      const isKnown = wanted.kind !== 'words' || wanted.candidates.length > 0;
      assert.equal(isKnown, !isFree, `${command} --${name} ${flag.value}`);
    }
  });

  it('is a name of the right kind', async () => {
    for (const [words, of] of [
      ['apply|', 'restores'],
      ['lint|', 'restores'],
      ['setup|', 'restores'],
      ['setup|x|', undefined],
      ['apply|--run-namespace|', 'namespaces'],
      ['apply|x|', undefined],
      ['apply|x|--only|', 'hooks and pods'],
      ['apply|x|--only=shop/web-0/ma', 'hooks and pods'],
      ['plan|x|--explain|', 'pods'],
      ['status|-n|', 'namespaces'],
      ['status|-nvel', 'namespaces'],
      ['setup|--namespaces|a,b', 'namespaces'],
      ['apply|--context|', 'contexts'],
      ['apply|--cluster|', 'clusters'],
      ['apply|--user|', 'users'],
      ['apply|--service-account|', 'ServiceAccounts'],
      ['apply|--image-pull-secret|', 'pull secrets'],
      ['apply|x|--from-backup|', 'backups'],
      ['rehearse|', 'backups'],
      ['rehearse|--cleanup|', 'rehearsals'],
      ['plan|-f|', 'files'],
      ['plan|-f|a.yaml|--backup-archive|', 'files'],
      ['inject|--restore|', 'files'],
      ['status|--|', 'restores'],
      ['status|--|-', 'restores'],
      ['-n|x|status|-w|', 'restores'],
      ['status|-wo|json|', 'restores'],
    ] as const) {
      assert.equal(await names(...words.split('|')), of, words);
    }
  });

  it('leaves out what has been given', async () => {
    assert.deepEqual(await offered('status', 'x', '--context', 'y', '--conte'), []);
    assert.deepEqual(await offered('apply', '--on'), ['--only', '--on-unknown']);
    assert.deepEqual(await offered('apply', '--only', 'y', '--on'), ['--only', '--on-unknown']);
    assert.deepEqual((await asked('apply', 'x', '--only=a', '--only', 'b', '--only', '')).taken, ['a', 'b']);
    assert.deepEqual((await asked('setup', '--namespaces', 'a,b', '--namespaces', 'c,')).taken, ['a', 'b', 'c', '']);
  });

  it('keeps what stands before the value in the same word, but for --flag=, which the shell writes', async () => {
    const parts = async (...words: string[]) => {
      const { lead, text } = await asked(...words);
      return [lead, text];
    };
    assert.deepEqual(await parts('status', '-nvel'), ['-n', 'vel']);
    assert.deepEqual(await parts('status', '-wnvel'), ['-wn', 'vel']);
    assert.deepEqual(await parts('status', '-n=vel'), ['', 'vel']);
    assert.deepEqual(await parts('status', '-n='), ['', '']);
    assert.deepEqual(await parts('status', '--namespace=vel'), ['', 'vel']);
    assert.deepEqual(await parts('setup', '--namespaces', 'a,b'), ['a,', 'b']);
    assert.deepEqual(await parts('setup', '--namespaces=a,b'), ['a,', 'b']);
    assert.deepEqual(await parts('status', 'restores.velero.io/ni'), ['restores.velero.io/', 'ni']);
    assert.deepEqual(await parts('rehearse', 'backup.velero.io/ni'), ['backup.velero.io/', 'ni']);
    assert.deepEqual(await parts('status', 'pod/ni'), ['', 'pod/ni']);
  });

  it('knows the Restore and the flags that were typed, as the command will', async () => {
    const { restore, values } = await asked('-n', 'x', 'retry', '--context=c', 'nightly', '--only', '');
    assert.equal(restore, 'nightly');
    assert.deepEqual([values()['namespace'], values()['context'], values()['only']], ['x', 'c', []]);
    const unfinished = await asked('status', 'a', '--request-timeout', '3', '-n', '');
    assert.deepEqual([unfinished.values()['requestTimeout'], unfinished.values()['namespace']], [3000, undefined]);
  });

  it('is nothing behind a mistake', async () => {
    for (const words of [
      ['no-such', ''],
      ['status', '--no-such', ''],
      ['status', '-Q', '-'],
      ['constructor', ''],
    ]) {
      await assert.rejects(asked(...words), words.join(' '));
    }
  });
});
