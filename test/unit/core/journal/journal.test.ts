import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import type { Resumed, RunStart } from '../../../../shared/core/execute/run-start.ts';
import { createRun } from '../../../../shared/core/execute/state.ts';
import { checkHead, decodeBatch, emptyEnd, encodeBatch, headText } from '../../../../shared/core/journal/batch.ts';
import type { JournalEntry } from '../../../../shared/core/journal/entry.ts';
import { Replay } from '../../../../shared/core/journal/replay.ts';
import { resume } from '../../../../shared/core/journal/resume.ts';
import type { HookResult, PodKey } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import { execHook } from '../../runtime/hooks.ts';
import type { Plain } from '../plain.ts';
import { branded } from '../plain.ts';

const head = { runID: 'abcdef', planDigest: 'sha256:1', hooks: 100_000 };
const succeeded: HookResult = { state: 'Succeeded', exitCode: 0 };
const isRefused = (error: unknown): boolean =>
  error instanceof RestoreHooksError &&
  error.code === 'RUN_FAILED' &&
  /^the run's journal can't be read: /.test(error.message);

function written(...batches: (readonly Plain<JournalEntry>[])[]): string[] {
  let end = emptyEnd(head);
  return batches.map((entries) => {
    const batch = encodeBatch(end, 'w', entries.map(branded<JournalEntry>), instant(1_700_000_000_000));
    end = batch.end;
    return batch.text;
  });
}
function read(texts: readonly string[]): Replay {
  const replay = new Replay(head);
  let end = emptyEnd(head);
  for (const text of texts) {
    const batch = decodeBatch(text, end);
    replay.fold(batch.entries);
    end = batch.end;
  }
  return replay;
}

const at = 1_700_000_000_123;
const outcomes: readonly HookResult[] = [
  succeeded,
  { state: 'Succeeded' },
  { state: 'Succeeded', exitCode: 0, unproven: true },
  { state: 'Failed', reason: 'exit', exitCode: 137 },
  { state: 'Failed', reason: 'error' },
  { state: 'TimedOut', reason: 'waiting' },
  { state: 'NotExecuted', reason: 'pod-deleted' },
  { state: 'Unknown', reason: 'runner-died' },
];
const entries: readonly Plain<JournalEntry>[] = [
  { kind: 'claim', at },
  { kind: 'seen', pod: 3, at },
  { kind: 'lost', hook: 9, since: at },
  { kind: 'intent', hook: 1, tries: 2, at, podUID: 'u' },
  { kind: 'not-started', hook: 1 },
  { kind: 'intent', hook: 2, tries: 1, at },
  { kind: 'started', hook: 2, at },
  ...outcomes.map((outcome, index) => ({ kind: 'result' as const, hook: 10 + index, outcome, endedAt: at })),
  { kind: 'result', hook: 20, outcome: succeeded, startedAt: at - 5, endedAt: at },
  { kind: 'result', hook: 21, outcome: succeeded, endedAt: at, podUID: 'u' },
  { kind: 'closed', by: 'other' },
];

describe('a journal', () => {
  test('is read back as it was written, whatever it says', () => {
    const [text = ''] = written(entries);
    assert.deepEqual(decodeBatch(text, emptyEnd(head)).entries, entries);
  });

  test('needs no more than 64 bytes an entry, and 60 a hook', () => {
    const many = Array.from({ length: 10_000 }, (_, index): Plain<JournalEntry>[] => [
      { kind: 'intent', hook: 90_000 + index, tries: 1, at },
      { kind: 'result', hook: 90_000 + index, outcome: succeeded, startedAt: at, endedAt: at + 30_000 },
    ]).flat();
    const [text = ''] = written(many);
    assert.ok(text.length / 10_000 < 60, `${text.length / 10_000} bytes a hook`);
    for (const entry of entries) assert.ok((written([entry])[0] ?? '').length - (written([])[0] ?? '').length <= 64);
  });

  test('of another run, plan or part is refused', () => {
    checkHead(headText(head, 2), head, 2);
    for (const other of [{ runID: 'zzzzzz' }, { planDigest: 'sha256:2' }, { hooks: 1 }]) {
      assert.throws(() => checkHead(headText({ ...head, ...other }, 2), head, 2), isRefused);
    }
    assert.throws(() => checkHead(headText(head, 1), head, 2), isRefused);
  });

  test('of another version, or of none, is refused with what it is', () => {
    const [text = ''] = written([{ kind: 'claim', at }]);
    assert.throws(() => read([text.replace('"v":1', '"v":2')]), /its batch 0 is of version 2; this is version 1/);
    for (const garbage of [
      '',
      '{',
      'null',
      '[]',
      '{}',
      text.slice(0, -3),
      text.replace('"c"', '"q"'),
      `${text} `.replace('"e"', '"f"'),
    ]) {
      assert.throws(() => read([garbage]), isRefused, garbage);
    }
  });

  test('says nothing that no runner could have written', () => {
    const intent: Plain<JournalEntry> = { kind: 'intent', hook: 1, tries: 1, at };
    const result: Plain<JournalEntry> = { kind: 'result', hook: 1, outcome: succeeded, endedAt: at };
    const wrong: readonly (readonly Plain<JournalEntry>[])[] = [
      [intent, intent],
      [result, result],
      [result, intent],
      [{ kind: 'started', hook: 1, at }],
      [{ kind: 'not-started', hook: 1 }],
      [{ ...intent, hook: 100_000 }],
      [{ kind: 'closed', by: 'x' }, intent],
    ];
    for (const each of wrong) assert.throws(() => read(written(each)), isRefused, JSON.stringify(each));
    // Another runner may begin a hook that the runner before has left.
    read(written([intent], [{ kind: 'claim', at }, intent, result]));
  });

  // R6.8
  test('that was cut, reordered, repeated or mixed is refused, or read right as far as it goes', () => {
    const texts = written(
      [{ kind: 'claim', at }],
      [
        { kind: 'intent', hook: 0, tries: 1, at },
        { kind: 'intent', hook: 1, tries: 1, at },
      ],
      [{ kind: 'result', hook: 0, outcome: succeeded, startedAt: at, endedAt: at }],
      [{ kind: 'result', hook: 1, outcome: { state: 'Failed', reason: 'exit', exitCode: 1 }, endedAt: at }],
    );
    const foreign = { ...head, runID: 'zzzzzz' };
    const other = encodeBatch(emptyEnd(foreign), 'w', [{ kind: 'claim', at: instant(at) }], instant(at)).text;
    const prefixes = texts.map((_, length) => JSON.stringify([...read(texts.slice(0, length + 1)).hooks]));
    const piece = fc.oneof(
      fc.nat({ max: texts.length - 1 }).map((index) => texts[index] ?? ''),
      fc.constant(other),
      fc
        .tuple(fc.nat({ max: texts.length - 1 }), fc.nat({ max: 200 }), fc.string({ maxLength: 3 }))
        .map(
          ([index, cut, more]) =>
            (texts[index] ?? '').slice(0, cut) + more + (texts[index] ?? '').slice(cut + more.length),
        ),
    );
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
        try {
          const known = JSON.stringify([...read(pieces).hooks]);
          // A change of the last batch isn't noticed here. The object's `end`, which has that batch's digest, shows it.
          const isPrefix = pieces.every((text, index) => text === texts[index]);
          if (isPrefix) assert.ok(prefixes.includes(known));
          else assert.ok(pieces.slice(0, -1).every((text, index) => text === texts[index]));
        } catch (error) {
          if (!isRefused(error)) throw error;
        }
      }),
      { numRuns: 10_000, seed: 1 },
    );
  });
});

describe('a run goes on from its journal', () => {
  const hooks = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id: id as never }));
  const replay = () =>
    read(
      written([
        { kind: 'intent', hook: 0, tries: 1, at },
        { kind: 'result', hook: 0, outcome: succeeded, startedAt: at, endedAt: at + 1 },
        { kind: 'intent', hook: 1, tries: 1, at },
        { kind: 'started', hook: 1, at: at + 2 },
        { kind: 'intent', hook: 2, tries: 3, at },
        { kind: 'not-started', hook: 2 },
        { kind: 'intent', hook: 3, tries: 1, at },
      ]),
    );

  // R6.2, R6.3
  test('what has ended is kept, what was begun is Unknown, what was taken back or never begun is pending', () => {
    const { resumed, entries: first } = resume(replay(), hooks, 'fail', instant(at + 10));
    assert.deepEqual([...resumed.ended.keys()], ['a', 'b', 'd']);
    assert.deepEqual([...resumed.tries], [['c', 3]]);
    assert.deepEqual(
      first.map(
        (entry) => entry.kind === 'result' && [entry.hook, entry.outcome.state, entry.startedAt, entry.endedAt],
      ),
      [
        [1, 'Unknown', at + 2, at + 10],
        [3, 'Unknown', undefined, at + 10],
      ],
    );
  });

  test('with rerun what was begun is pending, and known to be perhaps running', () => {
    const { resumed, entries: first } = resume(replay(), hooks, 'rerun', instant(at + 10));
    assert.deepEqual([...resumed.ended.keys()], ['a']);
    assert.deepEqual(
      [...resumed.lost],
      [
        ['b', at + 2],
        ['d', at + 10],
      ],
    );
    // R3.48: that start is over; what was taken back was none.
    assert.deepEqual(
      [...(resumed.starts ?? [])],
      [
        ['b', 1],
        ['d', 1],
      ],
    );
    assert.deepEqual(first, []);
  });

  test('what an earlier run may have left running is known to each runner, until it has a result', () => {
    const lost: Plain<JournalEntry> = { kind: 'lost', hook: 4, since: at - 5 };
    for (const onUnknown of ['fail', 'rerun'] as const) {
      const { resumed } = resume(read(written([lost])), hooks, onUnknown, instant(at + 10));
      assert.deepEqual([...resumed.lost], [['e', at - 5]], onUnknown);
    }
    const ended = written([lost], [{ kind: 'result', hook: 4, outcome: succeeded, endedAt: at }]);
    assert.deepEqual([...resume(read(ended), hooks, 'fail', instant(at + 10)).resumed.ended.keys()], ['e']);
  });

  test('a lost command may have started as late as when the next runner came to begin it again', () => {
    const claim = (when: number): Plain<JournalEntry> => ({ kind: 'claim', at: when });
    const intent = (tries: number, when: number): Plain<JournalEntry> => ({
      kind: 'intent',
      hook: 0,
      tries,
      at: when,
    });
    const again = [[claim(at), intent(1, at + 1)], [claim(at + 5_000)]] as const;
    assert.deepEqual([...read(written(...again, [intent(2, at + 6_000)])).lost], [[0, at + 6_000]]);
    const seen: Plain<JournalEntry> = { kind: 'started', hook: 0, at: at + 2 };
    const known = written([...again[0], seen], again[1], [intent(2, at + 6_000)]);
    assert.deepEqual([...read(known).lost], [[0, at + 2]], 'its start was seen');

    const third = resume(
      read(written(...again, [intent(2, instant(at + 6_000))])),
      hooks,
      'rerun',
      instant(at + 9_000),
    ).resumed;
    assert.deepEqual([...third.lost], [['a', at + 9_000]], 'the second may have started until the third came');
    assert.deepEqual([...(third.starts ?? [])], [['a', 2]]);
    const first = written(...again, [intent(2, at + 6_000), { kind: 'not-started', hook: 0 }]);
    assert.deepEqual([...resume(read(first), hooks, 'rerun', instant(at + 9_000)).resumed.lost], [['a', at + 6_000]]);
    // The later of the two starts counts.
    const both = written([{ kind: 'lost', hook: 0, since: at + 7_000 }], [...again[0], seen]);
    assert.deepEqual([...resume(read(both), hooks, 'rerun', instant(at + 9_000)).resumed.lost], [['a', at + 7_000]]);
  });
});

describe('a pod is quiet', () => {
  const hook = execHook('p', { execTimeoutMs: 30_000 });
  const nothing = { ended: new Map(), tries: new Map(), lost: new Map(), waitingSince: new Map(), wasTaken: true };
  const died: HookResult = { state: 'Unknown', reason: 'runner-died' };
  const cut: HookResult = { state: 'Unknown', reason: 'connection-lost' };
  const untilOf = (resumed: Partial<Resumed>, of = hook): number | undefined =>
    createRun([of], { startedAt: instant(0), maxConcurrent: 1, resumed: { ...nothing, ...resumed } }).pods[0]
      ?.quietUntil;
  const endedAs = (outcome: HookResult, startedAt?: number) =>
    new Map([
      [
        hook.id,
        {
          phase: 'Ended',
          outcome,
          endedAt: instant(9_000),
          ...(startedAt === undefined ? {} : { startedAt: instant(startedAt) }),
        } as const,
      ],
    ]);

  test('until a command that was lost has had its time, from its start, or from its end where nobody saw that', () => {
    assert.equal(untilOf({}), undefined);
    assert.equal(untilOf({ lost: new Map([[hook.id, instant(5_000)]]) }), 35_000);
    for (const outcome of [died, cut]) {
      assert.equal(untilOf({ ended: endedAs(outcome, 4_000) }), 34_000);
      assert.equal(untilOf({ ended: endedAs(outcome) }), 39_000);
    }
    assert.equal(untilOf({ lost: new Map([[hook.id, instant(5_000)]]) }, { ...hook, execTimeoutMs: null }), Infinity);
  });

  test('for what a run before the last has left in it, whether or not the plan has that hook', () => {
    const quiet = new Map([['ns/p' as PodKey, instant(50_000)]]);
    const untilWith = (more: Partial<RunStart>) =>
      createRun([hook], { startedAt: instant(0), maxConcurrent: 1, quiet, ...more }).pods[0]?.quietUntil;
    assert.equal(untilWith({}), 50_000);
    assert.equal(untilWith({ resumed: { ...nothing, lost: new Map([[hook.id, instant(5_000)]]) } }), 50_000);
    assert.equal(untilWith({ resumed: { ...nothing, lost: new Map([[hook.id, instant(25_000)]]) } }), 55_000);
  });

  test('for no command whose end was seen', () => {
    const outcomes: HookResult[] = [succeeded, { state: 'Failed', reason: 'exit', exitCode: 1 }];
    for (const outcome of outcomes) assert.equal(untilOf({ ended: endedAs(outcome, 4_000) }), undefined);
  });
});
