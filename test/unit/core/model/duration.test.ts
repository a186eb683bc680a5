import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDurationMs, parseGoDuration } from '../../../../shared/core/model/duration.ts';

/** As Go 1.26's `time.ParseDuration` reads them: nanoseconds, or undefined for an error. */
const READ: readonly (readonly [text: string, nanoseconds: bigint | undefined])[] = [
  ['0', 0n],
  ['+0', 0n],
  ['-0', 0n],
  ['0s', 0n],
  ['5s', 5_000_000_000n],
  ['30s', 30_000_000_000n],
  ['1478s', 1_478_000_000_000n],
  ['-5s', -5_000_000_000n],
  ['+5s', 5_000_000_000n],
  ['5.0s', 5_000_000_000n],
  ['5.6s', 5_600_000_000n],
  ['5.s', 5_000_000_000n],
  ['.5s', 500_000_000n],
  ['-.5s', -500_000_000n],
  ['1.004s', 1_004_000_000n],
  ['1.0040s', 1_004_000_000n],
  ['100.00100s', 100_001_000_000n],
  ['10ns', 10n],
  ['0.9ns', 0n],
  ['11us', 11_000n],
  ['12\u00b5s', 12_000n],
  ['12\u03bcs', 12_000n],
  ['13ms', 13_000_000n],
  ['15m', 900_000_000_000n],
  ['16h', 57_600_000_000_000n],
  ['3h30m', 12_600_000_000_000n],
  ['10.5s4m', 250_500_000_000n],
  ['-2m3.4s', -123_400_000_000n],
  ['1h2m3.5s', 3_723_500_000_000n],
  ['1h2m3s4ms5us6ns', 3_723_004_005_006n],
  ['39h9m14.425s', 140_954_425_000_000n],
  ['52763797000ns', 52_763_797_000n],
  ['0.3333333333333333333h', 1_200_000_000_000n],
  ['0.100000000000000000000h', 360_000_000_000n],
  ['0.830103483285477580700h', 2_988_372_539_827n],
  ['9007199254740993ns', 9_007_199_254_740_993n],
  ['9223372036854775807ns', 9_223_372_036_854_775_807n],
  ['9223372036854775.807us', 9_223_372_036_854_775_807n],
  ['9223372036s854ms775us807ns', 9_223_372_036_854_775_807n],
  ['-9223372036854775808ns', -9_223_372_036_854_775_808n],
  ['-9223372036854775.808us', -9_223_372_036_854_775_808n],
  ['', undefined],
  ['3', undefined],
  ['45', undefined],
  ['-', undefined],
  ['+', undefined],
  ['s', undefined],
  ['.', undefined],
  ['-.', undefined],
  ['.s', undefined],
  ['+.s', undefined],
  ['1d', undefined],
  ['1w', undefined],
  ['1S', undefined],
  ['1M', undefined],
  ['\u0661s', undefined],
  [' 1s', undefined],
  ['1s ', undefined],
  ['1 s', undefined],
  ['1m 30s', undefined],
  ['1m-30s', undefined],
  ['--1s', undefined],
  ['+-1s', undefined],
  ['1.2.3s', undefined],
  ['1..5s', undefined],
  ['1e3s', undefined],
  ['0x10s', undefined],
  ['1_000s', undefined],
  ['00', undefined],
  ['0.', undefined],
  ['1s0', undefined],
  ['9223372036854775808ns', undefined],
  ['9223372036854775.808us', undefined],
  ['9223372036854ms775us808ns', undefined],
  ['-9223372036854775809ns', undefined],
  ['9223372036854775810ns', undefined],
  ['3000000h', undefined],
  ['99999999999999999999s', undefined],
];

for (const [text, nanoseconds] of READ) {
  // R3.3
  test(`${JSON.stringify(text)} is ${nanoseconds === undefined ? 'no duration' : `${nanoseconds} ns`}`, () => {
    assert.equal(parseGoDuration(text), nanoseconds);
  });
}

test('milliseconds keep fractions', () => {
  assert.equal(parseDurationMs('1500us'), 1.5);
  assert.equal(parseDurationMs('1h2m3.5s'), 3_723_500);
  assert.equal(parseDurationMs('-1ns'), -1e-6);
  assert.equal(parseDurationMs('1d'), undefined);
});

// R7.23
test('durations are printed as Go prints them', () => {
  const printed: readonly (readonly [ms: number, text: string])[] = [
    [0, '0s'],
    [-0, '0s'],
    [1e-6, '1ns'],
    [0.0011, '1.1µs'],
    [2.2, '2.2ms'],
    [500, '500ms'],
    [1_000, '1s'],
    [1_500, '1.5s'],
    [3_300, '3.3s'],
    [60_000, '1m0s'],
    [90_000, '1m30s'],
    [245_000, '4m5s'],
    [245_001, '4m5.001s'],
    [3_600_000, '1h0m0s'],
    [18_367_001, '5h6m7.001s'],
    [-1_500, '-1.5s'],
    [-90_000, '-1m30s'],
    [360_000_000, '100h0m0s'],
  ];
  for (const [ms, text] of printed) assert.equal(formatDuration(ms), text);
});

test('what is printed is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), (ms) => {
      assert.equal(parseDurationMs(formatDuration(ms)), ms === 0 ? 0 : ms);
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), (us) => {
      assert.equal(formatDuration(parseDurationMs(formatDuration(us / 1000)) ?? Number.NaN), formatDuration(us / 1000));
    }),
  );
});

test('any text is read or refused, without an exception', () => {
  const parts = fc.constantFrom('0', '1', '9', '.', '-', '+', 'h', 'm', 's', 'ms', 'µs', 'ns', ' ', '999999999999');
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 12 }), (text) => {
      const nanoseconds = parseGoDuration(text.join(''));
      assert.ok(nanoseconds === undefined || (nanoseconds < 1n << 63n && nanoseconds >= -(1n << 63n)));
    }),
  );
});
