import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jsonLogger } from '../../../shared/system/log.ts';

describe('jsonLogger', () => {
  it('writes one JSON object a line, from its level on', () => {
    const lines: string[] = [];
    const log = jsonLogger({ write: (line) => void lines.push(line) });
    log.debug('not shown');
    log.info('hook ended', { pod: 'web\n1', hookPhase: 'Succeeded' });
    log.error('lost');
    const [first, second, ...rest] = lines.map((line) => JSON.parse(line));
    assert.deepEqual(rest, []);
    assert.match(first.time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.deepEqual(
      { ...first, time: '' },
      { level: 'info', time: '', pod: 'web\n1', hookPhase: 'Succeeded', msg: 'hook ended' },
    );
    assert.equal(second.level, 'error');
  });
});
