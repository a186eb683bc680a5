import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { MUTANTS } from './mutants.ts';

test('each mutant has its own name and its own place in the core as it is, and is a program', () => {
  assert.ok(MUTANTS.length >= 25);
  assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  for (const { name, file, from, to } of MUTANTS) {
    const source = readFileSync(join(import.meta.dirname, '..', '..', file), 'utf8');
    assert.equal(source.split(from).length, 2, `${name}: stands more or less than once in ${file}: ${from}`);
    assert.notEqual(from, to, name);
    const mutated = source.replace(from, () => to);
    assert.doesNotThrow(() => stripTypeScriptTypes(mutated), name);
  }
});
