import process from 'node:process';

/** `skip` of tests that need a program of this machine. In CI nothing is skipped for that: the tests fail without it. */
export const without = (program: string, isThere: boolean): string | false =>
  !isThere && !process.env['CI'] && `needs ${program}`;
