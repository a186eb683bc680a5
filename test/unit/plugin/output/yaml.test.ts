import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { load } from 'js-yaml';
import { formatYaml } from '../../../../plugin/output/yaml.ts';

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
