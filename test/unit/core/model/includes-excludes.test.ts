import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { admitsPods, compileIncludesExcludes } from '../../../../shared/core/model/includes-excludes.ts';
import { parseRestore, parseRestoreHooks } from '../../../../shared/core/model/restore.ts';

describe('includes and excludes', () => {
  // R3.5
  test('no includes are all, an exclude wins over an include', () => {
    const admits = (includes: string[], excludes: string[], name: string) =>
      compileIncludesExcludes(includes, excludes).admits(name);
    assert.equal(admits([], [], 'a'), true);
    assert.equal(admits(['a'], [], 'b'), false);
    assert.equal(admits(['*'], ['kube-*'], 'kube-system'), false);
    assert.equal(admits(['a'], ['a'], 'a'), false);
  });

  test('a pattern that cannot be compiled hides the names that sort after it, as in Velero', () => {
    const { admits, badPatterns } = compileIncludesExcludes(['a', '[', 'A'], []);
    assert.deepEqual(badPatterns, ['[']);
    assert.deepEqual([admits('A'), admits('a'), admits('[')], [true, false, false]);
  });

  // R1.12
  test('it is an error with its path, in a Restore as in a file', () => {
    const resources = [{ excludedNamespaces: ['ok', 'team-[a-z0-9]'], includedResources: ['po['] }];
    const paths = (parsed: ReturnType<typeof parseRestore | typeof parseRestoreHooks>) =>
      parsed.ok ? [] : parsed.problems.map(({ path }) => path);
    const metadata = { name: 'r' };
    assert.deepEqual(paths(parseRestore({ metadata, spec: { includedNamespaces: ['[!]'], hooks: { resources } } })), [
      'spec.includedNamespaces[0]',
      'spec.hooks.resources[0].excludedNamespaces[1]',
      'spec.hooks.resources[0].includedResources[0]',
    ]);
    assert.deepEqual(
      paths(parseRestoreHooks({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks', spec: { resources } })),
      ['spec.resources[0].excludedNamespaces[1]', 'spec.resources[0].includedResources[0]'],
    );
  });

  test('pods go by po, pod and Pods', () => {
    for (const name of ['po', 'pod', 'pods', 'Pods', 'POD', '*']) assert.equal(admitsPods([name], []), true, name);
    assert.equal(admitsPods(['deployments'], []), false);
    assert.equal(admitsPods([], ['pods']), false);
    assert.equal(admitsPods([], ['*']), true);
  });
});
