import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { playDurable } from '../sim/durable-world.ts';
import { size } from '../size.ts';
import type { History } from './history.ts';
import { HistoryError, parseHistories, replay } from './history.ts';

/** Each history was recorded on a real cluster (`record.ts`), and must contain what its name says. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  canceled: ['Canceled 1 notExecuted, 1 unknown'],
  completed: ['Completed 6 succeeded'],
  'fail-stops-pods': ['PartiallyFailed 1 succeeded, 1 failed, 1 notExecuted'],
  'init-hook': ['CompletedWithFailures 1 failed, 1 notExecuted'],
  'killed-and-rerun': ['InProgress 1 running', 'Completed 1 succeeded'],
  'killed-and-resumed': [
    'InProgress 1 succeeded, 1 waiting, 1 running',
    'CompletedWithFailures 2 succeeded, 1 unknown',
  ],
  'killed-between-waves': [
    'InProgress 1 failed, 1 waiting, 1 running',
    'CompletedWithFailures 1 succeeded, 1 failed, 1 unknown',
  ],
  'no-such-command': ['CompletedWithFailures 1 succeeded, 1 failed, 1 notExecuted'],
  'pod-recreated': ['Completed 2 succeeded'],
  'pod-replaced': ['CompletedWithFailures 2 notExecuted, 1 unknown'],
  'stream-lost': ['CompletedWithFailures 1 succeeded, 1 unknown'],
  'suspended-and-gone-on': ['InProgress 1 succeeded, 1 waiting', 'Completed 2 succeeded'],
  timeouts: ['CompletedWithFailures 1 succeeded, 2 timedOut'],
};

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.jsonl'));
const textOf = (file: string): string => readFileSync(join(import.meta.dirname, file), 'utf8');

const endOf = (history: History): string => {
  const { phase, counts, differs } = replay(history);
  assert.equal(differs, undefined, JSON.stringify(differs));
  const { planned: _, ...results } = counts;
  const told = Object.entries(results).flatMap(([name, count]) => (count === 0 ? [] : [`${count} ${name}`]));
  return `${phase} ${told.join(', ')}`;
};

const worlds = size(40, 200);

describe('a recorded history', () => {
  for (const file of files) {
    it(`is made by today's code as it was made then: ${file}`, () => {
      assert.deepEqual(parseHistories(textOf(file)).map(endOf), EXPECTED[file.replace(/\.jsonl$/, '')]);
    });
  }

  it('of each kind is there', () => {
    assert.deepEqual(
      files.sort(),
      Object.keys(EXPECTED)
        .map((name) => `${name}.jsonl`)
        .sort(),
    );
  });

  it(`of any simulated run can be played again, ${worlds.title} worlds`, async () => {
    let count = 0;
    for (let seed = 1; seed <= worlds.count; seed += 1) {
      const { world } = await playDurable(seed, { recorded: true });
      for (const [runner, lines] of world.histories ?? []) {
        const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
        const [history] = parseHistories(text) as [History];
        assert.equal(replay(history).differs, undefined, `seed ${seed}, ${runner}`);
        count += 1;
      }
    }
    assert.ok(count > worlds.count, `${count} histories`);
  });

  it('holds no command, no output and no text of an error', () => {
    for (const file of files) {
      const text = textOf(file);
      assert.doesNotMatch(text, /"(?:command|image|stdout|stderr)"|"(?:message|why)":"[^"]|marks|\/no\/such/, file);
    }
  });
});

describe('a step that is made otherwise than it was', () => {
  it('is found, with what it was and is', () => {
    const [history] = parseHistories(textOf('completed.jsonl')) as [History];
    const at = history.steps.findIndex(({ effects }) => effects?.some((effect) => 'result' in effect));
    const steps = history.steps.with(at, { ...(history.steps[at] as History['steps'][number]), effects: [] });
    const { differs } = replay({ ...history, steps });
    assert.deepEqual([differs?.step, differs?.then], [at + 1, []]);
    assert.ok(differs?.now.some((effect) => 'result' in effect));
  });
});

describe('a file that is no history', () => {
  const text = textOf('completed.jsonl');
  const lines = text.split('\n');
  const refused = (wrong: string, why: RegExp): void =>
    assert.throws(
      () => parseHistories(wrong),
      (error: unknown) => error instanceof HistoryError && why.test(error.message) && !error.message.includes('\n'),
      `${why}`,
    );

  it('is refused with one line: what, and where', () => {
    refused('', /^there is no history in it: was the run recorded/);
    refused('{"level":"info","msg":"run claimed"}\n', /^there is no history in it/);
    refused(`hello\n${text}`, /^line 1: expected JSON/);
    refused(text.replace('"history":1', '"history":2'), /^line \d+: a history of version 2; this reads version 1$/);
    refused(text.replace('"podsListed"', '"podsLost"'), /^line \d+: it is none of version 1: /);
    refused(lines.slice(1).join('\n'), /^line 1: expected the head of a history \(its beginning may have been cut\)/);
    refused(lines.slice(0, 2).join('\n'), /^line 2: it ends before its 6 hooks$/);
  });

  it('is told from one that was cut at its end, as by a runner that died', () => {
    const whole = parseHistories(text).flatMap(({ steps }) => steps);
    for (let length = text.indexOf('"step"'); length < text.length; length += 97) {
      const cut = parseHistories(text.slice(0, length)).flatMap(({ steps }) => steps);
      assert.ok(cut.length <= whole.length);
      for (const [at, { facts }] of cut.entries()) assert.deepEqual(facts, whole[at]?.facts);
    }
  });

  it('is told by a line that is missing, doubled or out of its place', () => {
    const from = lines.findIndex((line) => line.includes('"step":2'));
    for (let at = from; at < lines.length - 2; at += 1) {
      const steps = () => parseHistories(lines.toSpliced(at, 1).join('\n'));
      // Without a later step, the rest is a history that ends there.
      if (lines.slice(at + 1).some((line) => line.includes('"step"')))
        assert.throws(steps, HistoryError, `line ${at + 1}`);
    }
  });
});
