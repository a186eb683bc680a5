import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Token } from 'marked';
import { lexer } from 'marked';
import { markdown } from '../../../../plugin/report/markdown.ts';
import { filledWith, HOSTILE, planFilledWith, UNSAFE, withoutTimes } from './hostile.ts';
import { at, bigRun, mixedRun, row, runOf } from './runs.ts';

/** What GitHub takes in one comment. */
const COMMENT = 65_536;

/** Every token, with those inside of it. */
function tokensOf(text: string): Token[] {
  const all: Token[] = [];
  const walk = (tokens: readonly Token[]): void => {
    for (const token of tokens) {
      all.push(token);
      if (token.type === 'table') {
        for (const cell of [token['header'], ...token['rows']].flat()) walk(cell.tokens);
      } else if (token.type === 'list') walk(token['items']);
      else walk(('tokens' in token && token.tokens) || []);
    }
  };
  walk(lexer(text));
  return all;
}

const OURS = ['heading', 'paragraph', 'text', 'codespan', 'code', 'table', 'list', 'list_item', 'space'];

/** Text from outside stands in code: what is not code is plain words of ours. */
function assertHarmless(text: string): void {
  assert.doesNotMatch(text, UNSAFE);
  assert.ok(text.length < COMMENT, `${text.length} characters`);
  const tokens = tokensOf(text);
  const count = (depth: number): number =>
    tokens.filter((token) => token.type === 'heading' && token['depth'] === depth).length;
  assert.ok(count(2) === 1 && count(3) <= 2 && count(4) <= 8 && count(1) + count(5) + count(6) === 0);
  assert.ok(tokens.filter(({ type }) => type === 'table').length <= 3);
  for (const token of tokens) {
    if (token.type === 'html') assert.match(token.raw, /^<\/?code>$/);
    else assert.ok(OURS.includes(token.type), `${token.type}: ${token.raw.slice(0, 200)}`);
    if (token.type === 'text' && !('tokens' in token && token.tokens)) {
      // Also the references of a <code> that stands in a table.
      assert.match(token.raw, /^(?:&#\d+;|[\w :;,.()/+-])*$/);
      assert.doesNotMatch(token.raw, /www\.|:\/\//);
    }
    if (token.type === 'table') {
      for (const cells of token['rows']) assert.equal(cells.length, token['header'].length);
    }
  }
}

describe('the Markdown report', () => {
  it('takes hostile text for text wherever it stands (R7.26)', () => {
    for (const text of HOSTILE) {
      const run = filledWith(text);
      const plan = planFilledWith(text);
      assertHarmless(markdown({ run, plan }));
      assertHarmless(markdown({ run: withoutTimes(run, text) }));
    }
  });

  it('takes any text for text', () => {
    const unit = fc.oneof(
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      fc.constantFrom(...'`|\\<>&*_[]()!#@\n~-'),
    );
    fc.assert(
      fc.property(fc.string({ unit }), (text) => assertHarmless(markdown({ run: filledWith(text) }))),
      { numRuns: 200 },
    );
  });

  it('is short, and says what happened, what failed and what to do', () => {
    const run = runOf(
      [
        row('db-0', {
          name: 'load',
          onError: 'Fail',
          state: 'Failed',
          reason: 'exit',
          exitCode: 3,
          startedAt: at(2),
          finishedAt: at(31),
          stderr: 'psql: ``` error\n',
        }),
        row('web-0'),
      ],
      { phase: 'PartiallyFailed' },
    );
    assert.equal(
      markdown({ run }),
      `## Restore hooks of \`velero/nightly\`: PartiallyFailed

A hook with onError: Fail did not succeed: 2/2 done, 1 failed.

run \`k7f3q\`, attempt 1, job \`restorehooks-nightly-k7f3q\`, started \`2026-03-01T02:00:00.000Z\`, took 1m00s

| Planned | Succeeded | Failed |
| --: | --: | --: |
| 2 | 1 | 1 |

### What did not succeed

| Hook | Container | Outcome | Pods | Message |
| --- | --- | --- | --- | --- |
| \`load (0)\` | \`main\` | Failed (exit 3) | \`shop/db-0\` |  |

#### \`shop/db-0\`, \`load (0)\`

stderr:

\`\`\`\`text
psql: \`\`\` error
\`\`\`\`

Run what did not succeed once more:

\`\`\`sh
kubectl restorehooks retry nightly -n velero
\`\`\`
`,
    );
  });

  it('names the same failure of many pods once, and cuts outputs to their last lines', () => {
    const text = markdown({ run: bigRun(10_000, 1, 1) });
    assert.match(
      text,
      /\| `warm-up \(0\)` \| `main` \| Failed \(exit 1\) \| `shop\/web-0`, `shop\/web-3`, `shop\/web-6` and 3331 more \|/,
    );
    assert.match(text, /^stdout, the last 15 of 200 lines:$/m);
    assert.match(text, /^The output of 9997 more hooks that did not succeed is left out: see the HTML report\.$/m);
    assert.ok(text.length < 4_000, `${text.length}`);
  });

  it('fits into a comment, whatever a run of many different failures has printed', () => {
    for (const text of ['|'.repeat(400), '`'.repeat(4_096), `${'`'.repeat(200)}\n`.repeat(20), 'x '.repeat(2_000)]) {
      const { hooks, ...run } = filledWith(text);
      const many = Array.from({ length: 300 }, (_, index) => hooks.map((hook) => ({ ...hook, index }))).flat();
      const plan = planFilledWith(text);
      assertHarmless(markdown({ run: { ...run, hooks: many, notices: many.map(() => text) }, plan }));
    }
  });

  it('gives no command to paste for a name that no Restore can have', () => {
    const run = { ...mixedRun(), restore: { namespace: 'velero', name: '$(reboot)' } };
    assert.doesNotMatch(markdown({ run }), /kubectl/);
  });
});
