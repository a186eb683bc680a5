import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

/*
 * docs/contract.md says what the product does, rule by rule. These tests check that every rule is cited by code and by a
 * test, and that every citation is of a rule: a rule that no code keeps, or that no test checks, is a mistake in one of them.
 */

const ROOT = path.join(import.meta.dirname, '..');
const CONTRACT = 'docs/contract.md';
const LEAST_RULES = 150;

const RULE = /<a id="([^"]*)"><\/a>\*\*(R\d+(?:\.\d+)+)\*\*/g;
const CITATION = /\bR\d+(?:\.\d+)+\b/g;
const HEADING = /^#{2,3} (\d+(?:\.\d+)*)\.? /;
/** How rules were cited while the contract was a text outside of the repository. */
const OUTSIDE = /\bcontract \u00a7|\(contract:/;

interface Rule {
  readonly id: string;
  readonly anchor: string;
  /** The number of the heading above it. */
  readonly heading: string;
}

function rulesOf(contract: string): Rule[] {
  let heading = '';
  return contract.split('\n').flatMap((line) => {
    heading = HEADING.exec(line)?.[1] ?? heading;
    return [...line.matchAll(RULE)].map(([, anchor = '', id = '']): Rule => ({ id, anchor, heading }));
  });
}

const citedIn = (text: string): string[] => [...text.matchAll(CITATION)].map(([id]) => id);

/** The section of a rule, and its place in it: of R6.1.4 the section is 6.1, the place 4. */
function placeOf(id: string): { readonly section: readonly number[]; readonly place: number } {
  const numbers = id.slice(1).split('.').map(Number);
  return { section: numbers.slice(0, -1), place: numbers.at(-1) ?? 0 };
}

function isBefore(one: string, other: string): boolean {
  const [a, b] = [placeOf(one), placeOf(other)];
  for (let at = 0; at < Math.max(a.section.length, b.section.length); at += 1) {
    const difference = (a.section[at] ?? -1) - (b.section[at] ?? -1);
    if (difference !== 0) return difference < 0;
  }
  return a.place < b.place;
}

/** What is wrong with the rules themselves, a line each. */
function mistakesIn(contract: string): string[] {
  const rules = rulesOf(contract);
  const ids = rules.map(({ id }) => id);
  const anchors = new Set(rules.map(({ anchor }) => anchor));
  const links = [...contract.matchAll(/\]\(#(r[\d.]+)\)/g)].map(([, anchor = '']) => anchor);
  return [
    ...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `${id} stands twice`),
    ...ids.flatMap((id, at) => {
      const previous = ids[at - 1];
      return previous === undefined || previous === id || isBefore(previous, id) ? [] : [`${id} is behind ${previous}`];
    }),
    ...rules
      .filter(({ id, heading }) => placeOf(id).section.join('.') !== heading)
      .map(({ id, heading }) => `${id} is in section ${heading}`),
    ...rules
      .filter(({ id, anchor }) => anchor !== id.toLowerCase())
      .map(({ id, anchor }) => `${id} has the anchor ${anchor}`),
    ...links.filter((anchor) => !anchors.has(anchor)).map((anchor) => `a link leads to #${anchor}`),
  ];
}

interface Texts {
  readonly contract: string;
  readonly code: readonly string[];
  readonly tests: readonly string[];
  readonly others?: readonly string[];
}

/** What is wrong between the rules and their citations, a line each. */
function citationMistakes({ contract, code, tests, others = [] }: Texts): string[] {
  const rules = new Set(rulesOf(contract).map(({ id }) => id));
  const [byCode, byTests] = [code, tests].map((texts) => new Set(texts.flatMap(citedIn))) as [Set<string>, Set<string>];
  const cited = new Set([contract, ...code, ...tests, ...others].flatMap(citedIn));
  return [
    ...[...cited].filter((id) => !rules.has(id)).map((id) => `${id} is cited, and is no rule`),
    ...[...rules].filter((id) => !byCode.has(id)).map((id) => `${id} is cited by no code`),
    ...[...rules].filter((id) => !byTests.has(id)).map((id) => `${id} is cited by no test`),
  ];
}

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

/** What is tracked, or new and not ignored: a file is judged before it is committed. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  .toString()
  .split('\n')
  .filter((file) => file !== '' && existsSync(path.join(ROOT, file)));
const own = path.relative(ROOT, import.meta.filename);
const isSource = (file: string): boolean => /\.(?:ts|mjs|sh|yaml|json)$/.test(file);
const code = files.filter((file) => /^(?:plugin|runner|shared|deploy|release)\//.test(file) && isSource(file));
const tests = files.filter(
  (file) => /^test\/(?!data\/|conformance\/vectors\/)/.test(file) && isSource(file) && file !== own,
);
const others = files.filter((file) => file.endsWith('.md') && file !== CONTRACT);

describe('the contract', () => {
  it('has rules that are unique, in order, in their section and found by their anchor', () => {
    const rules = rulesOf(read(CONTRACT));
    assert.ok(rules.length >= LEAST_RULES, `saw ${rules.length} rules`);
    assert.deepEqual(mistakesIn(read(CONTRACT)), []);
  });

  it('is kept by code and checked by tests, rule by rule', () => {
    for (const [what, some] of Object.entries({ code, tests })) {
      const citations = some.flatMap((file) => citedIn(read(file)));
      assert.ok(citations.length >= LEAST_RULES, `saw ${citations.length} citations in ${what}`);
    }
    const texts = { code: code.map(read), tests: tests.map(read), others: others.map(read) };
    assert.deepEqual(citationMistakes({ contract: read(CONTRACT), ...texts }), []);
  });

  it('is the one in this repository: nothing cites a text outside', () => {
    const looked = files.filter((file) => (isSource(file) || file.endsWith('.md')) && file !== own);
    assert.ok(looked.length >= 300, `looked at ${looked.length} files`);
    assert.deepEqual(
      looked.filter((file) => OUTSIDE.test(read(file))),
      [],
    );
  });
});

describe('a mistake', () => {
  const rule = (id: string, anchor = id.toLowerCase()) => `- <a id="${anchor}"></a>**${id}** Says something.`;
  const contract = ['## 1. One', rule('R1.1'), rule('R1.2'), '### 1.1 More', rule('R1.1.1'), '## 2. Two', rule('R2.1')];
  const all = 'R1.1 R1.2 R1.1.1 R2.1';

  it('in the rules is found', () => {
    assert.deepEqual(mistakesIn(contract.join('\n')), []);
    const made: readonly [line: string, mistake: string][] = [
      [rule('R2.1'), 'R2.1 stands twice'],
      [`${rule('R2.3')}\n${rule('R2.2')}`, 'R2.2 is behind R2.3'],
      [rule('R3.1'), 'R3.1 is in section 2'],
      [rule('R2.2', 'r22'), 'R2.2 has the anchor r22'],
      ['see [R2.9](#r2.9)', 'a link leads to #r2.9'],
    ];
    for (const [line, mistake] of made) assert.deepEqual(mistakesIn([...contract, line].join('\n')), [mistake]);
  });

  it('between rules and citations is found', () => {
    const texts = { contract: contract.join('\n'), code: [`// ${all}`], tests: [`// ${all}`] };
    assert.deepEqual(citationMistakes(texts), []);
    assert.deepEqual(citationMistakes({ ...texts, code: [`// ${all}, R1.9`] }), ['R1.9 is cited, and is no rule']);
    assert.deepEqual(citationMistakes({ ...texts, others: ['R2.1.1'] }), ['R2.1.1 is cited, and is no rule']);
    assert.deepEqual(citationMistakes({ ...texts, code: ['(R1.1, R1.1.1; R2.1)'] }), ['R1.2 is cited by no code']);
    assert.deepEqual(citationMistakes({ ...texts, tests: ['R1.1, R1.2, R2.1'] }), ['R1.1.1 is cited by no test']);
  });

  it('that was made while the contract stood outside is found', () => {
    for (const text of ['(contract \u00a75)', 'contract \u00a71, in order', '(contract: 4 KiB)'])
      assert.match(text, OUTSIDE);
    for (const text of ['docs/contract.md, section 5', "the contract's rules"]) assert.doesNotMatch(text, OUTSIDE);
  });
});
