import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatTable } from '../../../../plugin/output/table.ts';
import { sanitizeText } from '../../../../shared/core/sanitize.ts';

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
