import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

const ROOT = path.join(import.meta.dirname, '..');

/** Of every commit after the one below; older subjects may be longer. */
const LONGEST_SUBJECT = 72;
const LAST_BEFORE_THE_RULE = '9a4908c28c8e26f52bcc17f591971765522fa48e';

const git = (...args: string[]) => spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });

/** The commits to check, as `git log` takes them. A shallow clone may end before the rule's first commit. */
function commitsToCheck(): string | undefined {
  const top = git('rev-parse', '--show-toplevel');
  // An archive has no history, or lies in another repository.
  if (top.status !== 0 || realpathSync(top.stdout.trim()) !== realpathSync(ROOT)) return undefined;
  if (git('merge-base', '--is-ancestor', LAST_BEFORE_THE_RULE, 'HEAD').status === 0) return `${LAST_BEFORE_THE_RULE}..`;
  return git('rev-parse', '--is-shallow-repository').stdout.trim() === 'true' ? 'HEAD' : undefined;
}

const commits = commitsToCheck();
const tooLong = (all: readonly string[]): string[] => all.filter((subject) => [...subject].length > LONGEST_SUBJECT);

describe('the commits', () => {
  it('have short subjects', { skip: commits === undefined && 'the history is not here' }, () => {
    const log = git('log', '--format=%s', commits ?? '');
    assert.equal(log.status, 0, log.stderr);
    assert.deepEqual(tooLong(log.stdout.split('\n')), []);
  });

  it('with a long one would be seen', () => {
    assert.deepEqual(tooLong(['a'.repeat(72), 'ü'.repeat(72), 'a'.repeat(73)]), ['a'.repeat(73)]);
  });
});

describe('the changelog', () => {
  const changelog = readFileSync(path.join(ROOT, 'CHANGELOG.md'), 'utf8');
  const titles = (level: string): string[] =>
    [...changelog.matchAll(new RegExp(`^${level} (.*)$`, 'gm'))].map(([, title]) => title ?? '');

  it('has the form of Keep a Changelog', () => {
    const [first, ...releases] = titles('##');
    assert.equal(first, '[Unreleased]');
    for (const release of releases) assert.match(release, /^\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}$/);
    const kinds = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'];
    assert.ok(titles('###').length > 0);
    assert.deepEqual(
      titles('###').filter((kind) => !kinds.includes(kind)),
      [],
    );
  });
});
