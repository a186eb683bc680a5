import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { load } from 'js-yaml';
import { defaultsOf, jobSettings } from '../../../../shared/core/manifests/defaults.ts';
import { DEFAULT_IMAGE } from '../../../../shared/core/version.ts';

const HEAD = { apiVersion: 'restorehooks.io/v1', kind: 'RestoreHookDefaults' };
const read = (more: object) => defaultsOf({ ...HEAD, ...more }, 'd.yaml');
const example = readFileSync(join(import.meta.dirname, '../../../../examples/defaults.yaml'), 'utf8');

// R8.24
describe('defaults', () => {
  it('of the example are some, and empty ones say nothing', () => {
    assert.equal(defaultsOf(load(example), 'd.yaml').serviceAccount, 'restorehooks');
    assert.deepEqual(read({}), HEAD);
  });

  const refused: readonly [title: string, document: unknown, told: RegExp][] = [
    ['that are no object', 'x', /^d\.yaml: expected an object$/],
    ['that are nothing', null, /^d\.yaml: expected an object$/],
    ['of another kind', { ...HEAD, kind: 'RestoreHooks' }, /^d\.yaml: kind: expected RestoreHookDefaults$/],
    ['with a mistyped field', { ...HEAD, imag: 'x' }, /^d\.yaml: imag: unknown field; did you mean image\?$/],
    ['with an empty image', { ...HEAD, image: '' }, /^d\.yaml: image: expected the runner's image$/],
    ['with one pull Secret that is no list', { ...HEAD, imagePullSecrets: 'x' }, /imagePullSecrets: expected a list/],
    ['with a name that is none', { ...HEAD, serviceAccount: 'A b' }, /serviceAccount: expected the name/],
    [
      'with a namespace of runs that is none',
      { ...HEAD, runNamespace: 'a.b' },
      /runNamespace: expected the name of a namespace$/,
    ],
    ['with a patch that is text', { ...HEAD, jobPatch: 'x' }, /jobPatch: expected an object/],
    [
      'with a patch that changes what it may not',
      { ...HEAD, jobPatch: { spec: { completions: 2 } } },
      /^d\.yaml: jobPatch: spec\.completions: a patch can't change this/,
    ],
  ];
  for (const [title, document, message] of refused) {
    it(`${title} are refused in one line`, () => {
      assert.throws(() => defaultsOf(document, 'd.yaml'), { code: 'INVALID_INPUT', message });
    });
  }
});

// R8.23
describe("a Job's settings", () => {
  const no = { image: undefined, imagePullSecret: [], serviceAccount: undefined };
  const jobPatch = { spec: { suspend: true } };
  const defaults = read({
    image: 'mirror/runner:1',
    imagePullSecrets: ['a'],
    serviceAccount: 'sa',
    runNamespace: 'runs',
    jobPatch,
  });
  const own = { from: 'p.yaml', patch: {} };

  it('are what is built in, without flags and defaults', () => {
    assert.deepEqual(jobSettings(no, [], undefined), {
      image: DEFAULT_IMAGE,
      imageFrom: undefined,
      imagePullSecret: [],
      serviceAccount: 'restorehooks',
      defaultRunNamespace: undefined,
      patches: [],
    });
  });

  it('are those of the defaults, with a patch of a flag over theirs', () => {
    assert.deepEqual(jobSettings(no, [own], defaults), {
      image: 'mirror/runner:1',
      imageFrom: 'ConfigMap restorehooks-defaults',
      imagePullSecret: ['a'],
      serviceAccount: 'sa',
      defaultRunNamespace: 'runs',
      patches: [{ from: 'ConfigMap restorehooks-defaults', patch: jobPatch }, own],
    });
  });

  it('are those of the flags, where there are any', () => {
    const { patches: _, ...rest } = jobSettings(
      { image: 'i', imagePullSecret: ['b'], serviceAccount: 'me' },
      [],
      defaults,
    );
    assert.deepEqual(rest, {
      image: 'i',
      imageFrom: '--image',
      imagePullSecret: ['b'],
      serviceAccount: 'me',
      defaultRunNamespace: 'runs', // R8.83: the session's flag beats it.
    });
  });
});
