import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { filenameArg, kubeArgs, outputArg, selectorArg } from '../../../plugin/command-line/args.ts';
import { RestoreHooksError } from '../../../shared/core/errors.ts';
import { indexOfCommand, parseArgv } from '../../../shared/input/argv.ts';
import type { Flags } from '../../../shared/input/flags.ts';

const flags = {
  ...kubeArgs,
  ...filenameArg,
  ...selectorArg,
  ...outputArg(['json', 'yaml', 'wide', 'name']),
  only: { type: 'strings', description: '' },
  'dry-run': { type: 'string', choices: ['client', 'server'], bare: 'client', description: '' },
  'max-concurrent': { type: 'integer', min: 1, default: 64, description: '' },
  timeout: { type: 'duration', description: '' },
  wait: { type: 'boolean', default: true, description: '' },
} as const satisfies Flags;

const parse = (...argv: string[]) => parseArgv(argv, flags);
const valuesOf = (...argv: string[]) => parse(...argv).values;
const problem = (...argv: string[]): string => {
  try {
    parse(...argv);
  } catch (error) {
    if (error instanceof RestoreHooksError) return [error.message, error.hint].filter(Boolean).join(' | ');
    throw error;
  }
  return 'none';
};

describe('parseArgv', () => {
  it('reads every spelling of a flag that pflag reads', () => {
    for (const argv of [['-nfoo'], ['-n=foo'], ['-n', 'foo'], ['--namespace=foo'], ['--namespace', 'foo']]) {
      assert.equal(valuesOf(...argv)['namespace'], 'foo', argv.join(' '));
    }
  });

  it('reads clusters of short flags, the last of which may take a value', () => {
    for (const argv of [['-Aojson'], ['-Ao', 'json'], ['-Ao=json']]) {
      const values = valuesOf(...argv);
      assert.deepEqual([values['allNamespaces'], values['output']], [true, 'json'], argv.join(' '));
    }
    assert.equal(valuesOf('-A=false')['allNamespaces'], false);
  });

  it('keeps values as they are, quotes, dashes and equals signs with them', () => {
    assert.deepEqual(valuesOf('-f', '-', '-fa', '--filename=-')['filename'], ['-', 'a', '-']);
    assert.deepEqual(valuesOf('--only="a b"', '--only', '--x', '--only=')['only'], ['"a b"', '--x', '']);
    assert.equal(valuesOf('-l', 'a=b,c!=d')['selector'], 'a=b,c!=d');
    assert.equal(valuesOf('-n', '-x')['namespace'], '-x');
  });

  it('splits --filename at commas, as kubectl does', () => {
    assert.deepEqual(valuesOf('-f', 'a,b', '-f', 'c')['filename'], ['a', 'b', 'c']);
    assert.deepEqual(valuesOf('-f', '"a,b",c,"d""e"')['filename'], ['a,b', 'c', 'd"e']);
    for (const bad of ['"a', 'a"b', '"a"b']) assert.match(problem('-f', bad), /expected a list: values between commas/);
  });

  it('takes no empty value in a list: it would be the directory that we are in', () => {
    for (const bad of ['', 'a,', ',a', 'a,,b', '""'])
      assert.match(problem('-f', bad), /for -f, --filename: expected no empty value/);
  });

  it('lets the last of a repeated flag win, and keeps all of a list', () => {
    assert.equal(valuesOf('-n', 'a', '--namespace=b')['namespace'], 'b');
    assert.deepEqual(valuesOf('--as-group', 'a', '--as-group=b')['asGroup'], ['a', 'b']);
  });

  it('takes a value of a boolean, or of a flag with a bare form, only behind an equals sign', () => {
    assert.deepEqual(parse('-A', 'false').positionals, ['false']);
    assert.equal(valuesOf('--wait=false')['wait'], false);
    assert.equal(valuesOf('--wait=T')['wait'], true);
    const { values, positionals } = parse('--dry-run', 'server');
    assert.deepEqual([values['dryRun'], positionals], ['client', ['server']]);
    assert.equal(valuesOf('--dry-run=server')['dryRun'], 'server');
  });

  it('mixes flags and words, and ends the flags at --', () => {
    const { values, positionals } = parse('a', '-n', 'x', '-', 'b', '--', '-A', '--');
    assert.deepEqual([values['namespace'], positionals], ['x', ['a', '-', 'b', '-A', '--']]);
    assert.equal(values['allNamespaces'], false);
  });

  it('takes an underscore for a dash in the name of a flag', () => {
    assert.equal(valuesOf('--request_timeout=5s')['requestTimeout'], 5000);
  });

  it('gives every flag that is left out its default', () => {
    const values = valuesOf();
    assert.deepEqual(
      [
        values['namespace'],
        values['filename'],
        values['allNamespaces'],
        values['maxConcurrent'],
        values['wait'],
        values['requestTimeout'],
      ],
      [undefined, [], false, 64, true, 0],
    );
  });

  it('reads Go durations, and seconds only where kubectl does', () => {
    assert.equal(valuesOf('--timeout=1m30s')['timeout'], 90_000);
    for (const [text, ms] of [
      ['5', 5000],
      ['0', 0],
      ['1500ms', 1500],
      ['2m', 120_000],
    ] as const) {
      assert.equal(valuesOf('--request-timeout', text)['requestTimeout'], ms);
    }
    assert.match(problem('--timeout=5'), /^invalid argument "5" for --timeout: expected a duration such as/);
    assert.match(problem('--request-timeout=-1s'), /or seconds$/);
  });

  it('names the mistake, and what was probably meant', () => {
    assert.equal(problem('--foo'), 'unknown flag: --foo');
    assert.equal(problem('--namespce=x'), 'unknown flag: --namespce | did you mean --namespace?');
    assert.equal(problem('-Az'), "unknown shorthand flag: 'z' in -Az");
    assert.equal(problem('-namespace'), 'none', '-n takes the rest, as pflag has it');
    assert.equal(problem('-n'), "flag needs an argument: 'n' in -n");
    assert.equal(problem('a', '--namespace'), 'flag needs an argument: --namespace');
    assert.equal(problem('---x'), 'bad flag syntax: ---x');
    assert.equal(problem('--=x'), 'bad flag syntax: --=x');
    assert.equal(problem('-A=zz'), 'invalid argument "zz" for -A, --all-namespaces: expected true or false');
    assert.equal(
      problem('-o', 'jsn'),
      'invalid argument "jsn" for -o, --output: expected json, yaml, wide or name | did you mean json?',
    );
    assert.equal(
      problem('--max-concurrent=0'),
      'invalid argument "0" for --max-concurrent: expected a whole number from 1',
    );
    assert.equal(problem('--constructor=1'), 'unknown flag: --constructor');
    assert.equal(problem('-o', 'x', '-o', 'json').startsWith('invalid argument "x"'), true);
  });

  it('reads back whatever is written in any spelling', () => {
    const text = fc.string({ minLength: 1 });
    const written = fc.oneof(
      fc.tuple(fc.constant('namespace'), text, fc.constantFrom('-n V', '-nV', '--namespace=V', '--namespace V')),
      fc.tuple(fc.constant('only'), text, fc.constantFrom('--only=V', '--only V')),
      fc.tuple(fc.constant('selector'), text, fc.constantFrom('-l V', '-Al V', '-AlV', '--selector=V')),
      fc.tuple(
        fc.constant('word'),
        text.filter((word) => !word.startsWith('-')),
        fc.constant('V'),
      ),
    );
    fc.assert(
      fc.property(fc.array(written), (all) => {
        const argv = all.flatMap(([, value, form]) => {
          // `-n=x` means x, so a value that begins with = can't be attached to a short flag.
          const spelled = value.startsWith('=') && /^-[^- ]+V$/.test(form) ? form.replace('V', ' V') : form;
          return spelled.split(' ').map((part) => part.replace('V', () => value));
        });
        const { values, positionals } = parseArgv(argv, flags);
        const last = (name: string) => all.filter(([of]) => of === name).at(-1)?.[1];
        const each = (name: string) => all.filter(([of]) => of === name).map(([, value]) => value);
        assert.equal(values['namespace'], last('namespace'));
        assert.equal(values['selector'], last('selector'));
        assert.deepEqual(values['only'], each('only'));
        assert.deepEqual(positionals, each('word'));
      }),
    );
  });
});

describe('indexOfCommand', () => {
  it('passes over flags and their values', () => {
    assert.equal(indexOfCommand(['-n', 'plan', '-A', '--context=x', 'apply', 'r'], flags), 4);
    assert.equal(indexOfCommand(['-A'], flags), -1);
  });
});
