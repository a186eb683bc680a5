import assert from 'node:assert/strict';
import { it } from 'node:test';
import { capturedBytes } from '../../../shared/core/model/capture.ts';

// R5.16
it('what is captured is nothing, the usual 4 KiB, or a quantity of at most 16Mi', () => {
  const sizes = {
    none: 0,
    tail: 4096,
    full: 1024 * 1024,
    'full:3Mi': 3 * 1024 * 1024,
    'full:16Mi': 16 * 1024 * 1024,
    'full:500k': 500_000,
    'full:1.5Ki': 1536,
    'full:1': 1,
  };
  for (const [text, bytes] of Object.entries(sizes)) assert.equal(capturedBytes(text), bytes, text);
  for (const text of [
    '',
    'all',
    'full:',
    'full:0',
    'full:17Mi',
    'full:1G',
    'full:-1',
    'full:1mi',
    'full:1 Mi',
    'tail:1',
  ]) {
    assert.equal(capturedBytes(text), undefined, text);
  }
});
