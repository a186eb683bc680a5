import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChosenHooks } from '../../../../plugin/logs/chosen-hooks.ts';
import { LiveLines } from '../../../../plugin/logs/live-lines.ts';
import { LiveLog } from '../../../../plugin/logs/live-log.ts';
import type { LogChunk } from '../../../../plugin/logs/log-chunk.ts';
import { LogPrinter } from '../../../../plugin/logs/log-printer.ts';
import { RunOutput } from '../../../../plugin/logs/run-output.ts';
import { ShownOutput } from '../../../../plugin/logs/shown-output.ts';
import { sizeText } from '../../../../plugin/logs/told-output.ts';
import type { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { RestoreHooksError as Failure } from '../../../../shared/core/errors.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import { rowDocument } from '../../../../shared/core/report/hook-row.ts';
import type { RunHook } from '../../../../shared/core/report/run-document.ts';
import type { LineHandlers } from '../../../../shared/kubernetes/api/line-stream.ts';
import type { LiveBatch } from '../../../../shared/kubernetes/run/live-output.ts';
import { newLiveKey, sealBatch } from '../../../../shared/kubernetes/run/live-output.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';
import { execHook } from '../../runtime/hooks.ts';

const hook = execHook('p');
const running = rowDocument({ hook, run: 1, attempt: 1, state: 'Running', startedAt: instant(0) });
const ended = (more: Partial<RunHook> = {}): RunHook =>
  ({
    ...rowDocument({
      hook,
      run: 1,
      attempt: 1,
      state: 'Failed',
      reason: 'exit',
      exitCode: 3,
      finishedAt: instant(5_000),
    }),
    ...more,
  }) as RunHook;

/** What is shown of a run whose first runner is told of here; gaps are in brackets. */
function bench(more: { failed?: boolean; since?: number } = {}) {
  const shown: string[] = [];
  const { failed = false, since } = more;
  const chosen = new ChosenHooks({ hook: [], pod: [], failed });
  const options = { chosen, failed, since: since === undefined ? undefined : instant(since) };
  const output = new RunOutput(options, ({ stream, text, missing }: LogChunk) => {
    shown.push(`${missing > 0 ? `[${missing}]` : ''}${stream === 'stderr' ? '!' : ''}${text}`);
  });
  const part = (number: number, runner: number, rows: RunHook[]) =>
    output.add({ version: 1, runID: 'r', part: number, runner, hooks: rows });
  part(0, 1, [running]);
  const live = (from: number, text: string, runner = 1, at = 1_000) =>
    output.piece({ hook: hook.id, stream: 'stdout', from, text, at }, { runID: 'r', runner });
  return { shown, output, part, live };
}

// R7.33
describe('live output and the report', () => {
  it('are one text: what came live is not printed again, and what did not is', () => {
    const { shown, output, part, live } = bench();
    live(0, 'one\n');
    live(4, 'two\n');
    part(1, 1, [ended({ stdout: 'one\ntwo\nthree\n', stderr: 'bad\n' })]);
    output.settle(ended({ stdout: 'one\ntwo\nthree\n', stderr: 'bad\n' }));
    assert.deepEqual(shown, ['one\n', 'two\n', 'three\n', '!bad\n']);
    live(4, 'two\nthree\n');
    assert.equal(shown.length, 4, 'it comes late, or once more');
  });

  it('tell what is missing between them, and in what came live', () => {
    const { shown, output, part, live } = bench();
    live(0, 'é\n');
    live(10, 'b\n');
    const row = ended({ stdout: 'y\nz\n', stdoutBytes: 104 });
    part(1, 1, [row]);
    output.settle(row);
    assert.deepEqual(shown, ['é\n', '[7]b\n', '[88]y\nz\n']);
  });

  it('of a text that repeats itself are joined by their places, not by their words', () => {
    const { shown, output, part, live } = bench();
    live(0, 'tick\ntick\n');
    const row = ended({ stdout: 'tick\ntick\ntick\n', stdoutBytes: 25 });
    part(1, 1, [row]);
    output.settle(row);
    assert.deepEqual(shown, ['tick\ntick\n', 'tick\ntick\ntick\n']);
  });

  it('begin anew for a hook that a later runner runs again', () => {
    const { shown, output, part, live } = bench();
    live(0, 'first try\n');
    part(1, 2, [running]);
    live(0, 'again\n', 2);
    live(10, 'late\n', 1);
    const row = ended({ stdout: 'again\ndone\n' });
    part(2, 2, [row]);
    output.settle(row);
    assert.deepEqual(shown, ['first try\n', 'again\n', 'done\n']);
  });

  it('with --failed come from the report, with --since by their times', () => {
    const failed = bench({ failed: true });
    failed.live(0, 'live\n');
    failed.output.settle(ended({ stdout: 'live\nend\n' }));
    assert.deepEqual(failed.shown, ['live\nend\n']);
    const since = bench({ since: 2_000 });
    since.live(0, 'old\n', 1, 1_999);
    since.live(4, 'new\n', 1, 2_000);
    since.output.settle(ended({ stdout: 'old\nnew\n', stderr: 'with its end\n' }));
    assert.deepEqual(since.shown, ['new\n', '!with its end\n']);
  });
});

it('what was shown of a stream is known by hook, stream, runner and start (R3.59)', () => {
  const shown = new ShownOutput();
  const next = (text: string, from = 0, runner = 1, stream = 'stdout', attempt = 1) =>
    shown.next('h', stream, { runner, attempt, from, text });
  assert.deepEqual(next('😀a'), { text: '😀a', missing: 0 });
  assert.deepEqual(next('ab', 4), { text: 'b', missing: 0 });
  assert.deepEqual(next('x', 0, 1, 'stderr'), { text: 'x', missing: 0 });
  assert.deepEqual(next('c', 9), { text: 'c', missing: 3 });
  assert.deepEqual(next('second', 0, 1, 'stdout', 2), { text: 'second', missing: 0 });
  assert.deepEqual(next('late', 10, 1, 'stdout', 1), { text: '', missing: 0 });
});

// R7.32
describe('a log', () => {
  function printed(format: Partial<ConstructorParameters<typeof LogPrinter>[1]>) {
    let text = '';
    const write = (more: string): void => {
      text += more;
    };
    const stdout = { write, isTTY: false, columns: undefined };
    const all = { prefix: false, timestamps: false, json: false, ...format };
    const printer = new LogPrinter(stdout, all, ({ missing }) => write(`[${missing}]\n`));
    const print = (more: string, at = 0, stream: LogChunk['stream'] = 'stdout', missing = 0) =>
      printer.print({ row: running, stream, at: instant(at), text: more, missing }, at);
    return { printer, print, text: () => text };
  }

  it('has whole lines, however they come; the beginning of one is printed when nothing more comes', () => {
    const { printer, print, text } = printed({ prefix: true, timestamps: true });
    print('on', 1_000);
    assert.equal(text(), '');
    print('e\ntwo\nthr', 2_000);
    print('x', 2_000, 'stderr');
    print('ee', 3_000);
    printer.flushOlder(2_500);
    printer.end(running);
    assert.equal(
      text(),
      `[${hook.id}] 1970-01-01T00:00:01.000Z one
[${hook.id}] 1970-01-01T00:00:02.000Z two
[${hook.id} stderr] 1970-01-01T00:00:02.000Z x
[${hook.id}] 1970-01-01T00:00:02.000Z three
`,
    );
  });

  it('says where output is missing, behind what was printed before', () => {
    const { print, text } = printed({});
    print('a\nb');
    print('c\n', 0, 'stdout', 7);
    assert.equal(text(), `==> ${hook.id} stdout <==\na\nb\n[7]\nc\n`);
  });

  it('has a header where the hook or the stream changes', () => {
    const { print, text } = printed({});
    print('a\n');
    print('b\n');
    print('c\n', 0, 'stderr');
    print('d\n');
    const header = (stream: string) => `==> ${hook.id} ${stream} <==\n`;
    assert.equal(text(), `${header('stdout')}a\nb\n\n${header('stderr')}c\n\n${header('stdout')}d\n`);
  });
});

it('sizes are told in the unit that fits', () => {
  assert.deepEqual([1, 1023, 1536, 3 * 1024 * 1024].map(sizeText), ['1 byte', '1023 bytes', '1.5 KiB', '3.0 MiB']);
});

describe("the lines of a runner's log", () => {
  const key = newLiveKey('runner-x');
  const source = { runID: 'r', runner: 1 };
  const piece = (text: string) => ({ hook: hook.id, stream: 'stdout' as const, at: 1, from: 0, text });
  const line = (sequence: number, batch: LiveBatch, more: object = {}) =>
    JSON.stringify({
      level: 'info',
      time: `2026-01-01T00:00:0${sequence}.000Z`,
      msg: 'output',
      live: sealBatch(key, source, sequence, batch),
      ...more,
    });
  const textsOf = (lines: LiveLines, text: string) => lines.read(text).map((each) => each.text);

  it('are read once, in their order, and only those of this runner', () => {
    const lines = new LiveLines(key, source);
    const first = line(0, { pieces: [piece('a')] });
    assert.deepEqual(textsOf(lines, first), ['a']);
    assert.deepEqual(textsOf(lines, first), [], 'a line that is repeated');
    assert.deepEqual(textsOf(lines, line(2, { pieces: [piece('c')] })), ['c']);
    assert.deepEqual(textsOf(lines, line(1, { pieces: [piece('b')] })), [], 'a line that is out of its place');
    for (const other of ['', 'no JSON "live":"x"', '{"msg":"hook ended"}', '{"msg":"else","live":"x"}']) {
      assert.deepEqual(textsOf(lines, other), []);
    }
    assert.equal(lines.unreadable, 0);
    assert.deepEqual(
      textsOf(lines, line(3, { pieces: [piece('d')] }, { live: 'bm90IGEgbGluZSBvZiB0aGlzIHJ1bm5lcg==' })),
      [],
    );
    assert.equal(lines.unreadable, 1);
  });

  /** A log whose requests are answered by the test. */
  function followed(mayGoOn = true) {
    const clock = new VirtualClock();
    const asked: { query: Readonly<Record<string, unknown>>; handlers: LineHandlers }[] = [];
    const texts: string[] = [];
    const overs: (string | undefined)[] = [];
    const client = {
      followText: (_: string, query: Readonly<Record<string, unknown>>, handlers: LineHandlers) => {
        asked.push({ query, handlers });
        return () => undefined;
      },
    };
    const log = new LiveLog({ client, namespace: 'velero' }, clock, key, source, {
      piece: ({ text }) => void texts.push(text),
      mayGoOn: () => mayGoOn,
      over: (error: RestoreHooksError | undefined) => void overs.push(error?.code),
    });
    const pass = (ms: number) => {
      clock.setTimer(ms, () => undefined);
      clock.runUntil(clock.now() + ms);
    };
    return { log, asked, texts, overs, pass };
  }

  it('are asked for again from the last one on, if the request ends and the runner goes on', () => {
    const { asked, texts, overs, pass, log } = followed();
    asked[0]?.handlers.line(line(5, { pieces: [piece('a')] }));
    asked[0]?.handlers.end({});
    assert.ok(log.isIdle);
    pass(1_000);
    assert.deepEqual(
      asked.map(({ query }) => query['sinceTime']),
      [undefined, '2026-01-01T00:00:03.000Z'],
    );
    asked[1]?.handlers.line(line(5, { pieces: [piece('a')] }));
    asked[1]?.handlers.line(line(6, { pieces: [piece('b')] }));
    asked[1]?.handlers.end({ error: new Failure('CLUSTER_UNREACHABLE', 'cut') });
    pass(60_000);
    assert.deepEqual([texts, overs, asked.length], [['a', 'b'], [], 3]);
  });

  it('are over if the container has ended, the log is full, or it may not be read', () => {
    for (const [end, why, goesOn] of [
      [(to: LineHandlers) => to.end({}), undefined, false],
      [(to: LineHandlers) => to.line(line(7, { pieces: [], isLast: true })), undefined, true],
      [(to: LineHandlers) => to.end({ error: new Failure('FORBIDDEN', 'no') }), 'FORBIDDEN', true],
      [(to: LineHandlers) => to.end({ error: new Failure('NOT_FOUND', 'gone') }), 'NOT_FOUND', true],
    ] as const) {
      const { asked, overs, pass } = followed(goesOn);
      const [first] = asked;
      assert.ok(first !== undefined);
      end(first.handlers);
      pass(60_000);
      assert.deepEqual([overs, asked.length], [[why], 1]);
    }
  });
});
