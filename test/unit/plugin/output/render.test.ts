import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { load } from 'js-yaml';
import { createProgress } from '../../../../plugin/output/progress.ts';
import { renderView } from '../../../../plugin/output/render.ts';
import { formatTable } from '../../../../plugin/output/table.ts';
import { displayWidth, truncate } from '../../../../plugin/output/width.ts';
import { formatYaml } from '../../../../plugin/output/yaml.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import { cutText, sanitizeLine, sanitizeText } from '../../../../shared/core/sanitize.ts';
import { keeper } from '.././harness.ts';

const BAD = '\x1b[31mred\x1b[0m \x9b1mbold \x1b]0;title\x07\u202etxt\x07\x00';

describe('formatTable', () => {
  const table = {
    columns: [
      { title: 'POD' },
      { title: 'STATE', color: () => 'red' as const },
      { title: 'NODE', wide: true as const },
    ],
    rows: [
      ['web-1', 'Succeeded', 'n1'],
      ['語', '', undefined],
      [BAD, 'a\nb\tc', 7],
    ],
  };

  it('pads columns by their width on a terminal and leaves nothing at the ends', () => {
    assert.equal(
      formatTable(table, { wide: false, color: false }),
      'POD            STATE\nweb-1          Succeeded\n語             <none>\nred bold txt   a\\nb\\tc\n',
    );
    assert.match(
      formatTable(table, { wide: true, color: false }),
      /^POD {12}STATE {7}NODE\nweb-1 {10}Succeeded {3}n1\n/,
    );
  });

  it('colours a cell without moving the next one', () => {
    const plain = formatTable(table, { wide: true, color: false });
    const colorful = formatTable(table, { wide: true, color: true });
    assert.match(colorful, /\x1b\[31mSucceeded\x1b\[0m {3}n1/);
    assert.equal(sanitizeText(colorful), plain);
  });
});

describe('renderView', () => {
  it('keeps the value of text in JSON and YAML, and nothing that a terminal would act on', async () => {
    const document = { text: BAD, [BAD]: ['\u2028', '\x7f\x85\ufeff'] };
    const view = { kind: 'document', document, human: [] } as const;
    const json = await renderView(view, 'json', false);
    const yaml = await renderView(view, 'yaml', false);
    assert.deepEqual(JSON.parse(json), document);
    assert.deepEqual(load(yaml), document);
    for (const text of [json, yaml]) assert.equal(sanitizeText(text), text);
  });

  it('prints manifests as YAML documents, and as one List in JSON', async () => {
    const view = { kind: 'manifests', manifests: [{ a: 1 }, { b: 2 }] } as const;
    assert.equal(await renderView(view, 'table', false), 'a: 1\n---\nb: 2\n');
    assert.deepEqual(JSON.parse(await renderView(view, 'json', false)), {
      apiVersion: 'v1',
      kind: 'List',
      items: [{ a: 1 }, { b: 2 }],
    });
  });
});

describe('formatYaml', () => {
  it('quotes what YAML 1.1 would misread', () => {
    const strings = [
      'yes',
      'n',
      'On',
      '010',
      '0o10',
      '1_000',
      '1:30',
      '2020-01-01',
      '~',
      'null',
      '1e3',
      '.5',
      '',
      '=',
      '<<',
    ];
    for (const text of strings) assert.equal(formatYaml([text]), `- '${text}'\n`);
  });

  it('writes shared objects out, and leaves out what is undefined', () => {
    const shared = { a: 1 };
    assert.equal(formatYaml({ x: [shared, shared], y: undefined }), 'x:\n- a: 1\n- a: 1\n');
  });

  it('is read back as the same value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        const same: unknown = JSON.parse(JSON.stringify({ value }));
        assert.deepEqual(load(formatYaml(same)), same);
      }),
    );
  });
});

describe('sanitizeText and sanitizeLine', () => {
  it('take away escape sequences, control characters and marks that reorder text', () => {
    assert.equal(sanitizeText(BAD), 'red bold txt');
    assert.equal(sanitizeText('a\tb\r\nc\rd\n'), 'a\tb\nc\nd\n');
    assert.equal(sanitizeLine('a\tb\r\nc'), 'a\\tb\\nc');
  });

  it('leave nothing behind that a terminal would act on, and text as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const clean = sanitizeText(text);
        assert.doesNotMatch(clean, /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
        assert.equal(sanitizeText(clean), clean);
      }),
    );
    assert.equal(sanitizeText('naïve 語 👩‍👩‍👧'), 'naïve 語 👩‍👩‍👧');
  });

  it('are quick on text made to be slow', () => {
    const started = performance.now();
    for (const piece of ['\x1b]', '\x1b[', '\x1b[0;', '\x9d', '\x1b']) sanitizeText(piece.repeat(200_000));
    assert.ok(performance.now() - started < 2000);
  });
});

describe('truncate', () => {
  it('cuts to cells of a terminal, not to characters', () => {
    assert.equal(truncate('abcdef', 4), 'abc…');
    assert.equal(truncate('語語語', 4), '語…');
    assert.equal(displayWidth('e\u0301語'), 3);
    assert.equal(truncate('abc', 3), 'abc');
    assert.equal(truncate('abc', 0), '');
  });
});

describe('createProgress', () => {
  const manualClock = () => {
    let timers: (() => void)[] = [];
    return {
      now: () => instant(0),
      soon: queueMicrotask,
      setTimer: (_: number, fire: () => void) => {
        timers.push(fire);
        return () => {
          timers = timers.filter((each) => each !== fire);
        };
      },
      tick: () => {
        for (const fire of timers.splice(0)) fire();
      },
      waiting: () => timers.length,
    };
  };

  // R7.15
  it('prints one plain line an event where there is no terminal', () => {
    const sink = keeper();
    const progress = createProgress(sink, manualClock(), {});
    progress.status('1/2');
    progress.event('web-1 started\x1b[2J');
    progress.event('web-1\nended');
    progress.end();
    assert.equal(sink.text(), 'web-1 started\nweb-1\\nended\n');
  });

  it('keeps one live line below the events of a terminal, in single writes, and takes it away', () => {
    const sink = keeper({ isTTY: true, columns: 10 });
    const clock = manualClock();
    const progress = createProgress(sink, clock, {});
    progress.status('1/2 done, one is running');
    progress.event('started');
    progress.status('2/2');
    progress.status('2/3');
    clock.tick();
    progress.end();
    progress.status('late');
    assert.deepEqual(sink.written, [
      '\r1/2 done…\x1b[K',
      '\rstarted\x1b[K\n1/2 done…\x1b[K',
      '\r2/3\x1b[K',
      '\r\x1b[K',
    ]);
  });

  it('leaves no timer behind', () => {
    const clock = manualClock();
    const progress = createProgress(keeper({ isTTY: true, columns: 80 }), clock, {});
    progress.status('1/2');
    progress.end();
    assert.equal(clock.waiting(), 0);
  });
});

describe('cutText', () => {
  it('leaves a character whole, or out', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(8), (text, most) => {
        const cut = cutText(text, most);
        assert.ok(cut.isWellFormed() && text.startsWith(cut) && cut.length <= most);
        assert.ok(cut.length >= Math.min(text.length, most) - 1);
      }),
    );
  });
});
