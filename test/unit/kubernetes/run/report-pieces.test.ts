import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { instant } from '../../../../shared/core/model/instant.ts';
import { rowDocument } from '../../../../shared/core/report/hook-row.ts';
import type { ReportPart, RunHook } from '../../../../shared/core/report/run-document.ts';
import { joinReport, ReportPart as Part } from '../../../../shared/core/report/run-document.ts';
import { decompress } from '../../../../shared/kubernetes/run/compressed-parts.ts';
import { compressReport } from '../../../../shared/kubernetes/run/report-pieces.ts';
import { execHook } from '../../runtime/hooks.ts';

const MIB = 1024 * 1024;
const row = (pod: string, more: Partial<RunHook> = {}): RunHook =>
  ({
    ...rowDocument({
      hook: execHook(pod),
      run: 1,
      attempt: 1,
      state: 'Succeeded',
      exitCode: 0,
      finishedAt: instant(1),
    }),
    ...more,
  }) as RunHook;

function partsOf(rows: readonly RunHook[]): ReportPart[] {
  return compressReport(rows, (some) => ({ version: 1, runID: 'r', part: 0, runner: 1, ...some })).map((bytes) => {
    assert.ok(bytes.length <= 900 * 1024, `${bytes.length} bytes fit a Secret`);
    return Part.parse(decompress(bytes, 'a part'));
  });
}

// R5.13
describe('a report with long outputs', () => {
  /** Can't be compressed below three quarters. */
  const noise = (bytes: number): string => randomBytes((bytes * 3) / 4).toString('base64');
  const rows = [
    row('a', { stdout: noise(3 * MIB), stderr: noise(MIB) }),
    row('b', { stdout: 'short' }),
    row('c', { stderr: `${'€'.repeat(700_000)}😀`, stderrBytes: 9 * MIB }),
  ];

  it('is cut into parts that each fit a Secret, and joined to the same rows', () => {
    const parts = partsOf(rows);
    assert.ok(parts.length > 3);
    const joined = joinReport(parts);
    assert.deepEqual(
      joined.map(({ stdoutBytes, stderrBytes, ...rest }) => rest),
      rows.map(({ stderrBytes: _, ...rest }) => rest),
    );
    assert.deepEqual(
      joined.map(({ stdoutBytes, stderrBytes }) => [stdoutBytes, stderrBytes]),
      [
        [3 * MIB, MIB],
        [undefined, undefined],
        [undefined, 9 * MIB],
      ],
    );
  });

  it('has the end of each output, and says that it is an end, where later parts are missing', () => {
    const [first] = partsOf(rows);
    const [a] = joinReport([first as ReportPart]);
    assert.ok(a?.stdout !== undefined && a.stdout !== '' && rows[0]?.stdout?.endsWith(a.stdout));
    assert.equal(a.stdoutBytes, 3 * MIB);
  });

  it('is the same if its runner had to write it again', () => {
    const parts = partsOf(rows);
    assert.equal(joinReport([...parts.slice(0, 2), ...parts])[0]?.stdout, rows[0]?.stdout);
  });

  it('of a runner that was taken over is not added to', () => {
    const [first, ...later] = partsOf(rows);
    const taken = { ...(first as ReportPart), runner: 2, before: [], hooks: [row('a', { stdout: 'new' })] };
    assert.equal(joinReport([first as ReportPart, taken, ...later])[0]?.stdout, 'new');
  });
});
