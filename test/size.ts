import process from 'node:process';

/** `npm run test:full`, which CI calls, plays all of what takes long; `npm test` plays a part of it. */
export const isFull = process.env['RESTOREHOOKS_TEST_FULL'] === '1';

export interface Size {
  readonly count: number;
  /** For a test's title: `500 of 10000`. */
  readonly title: string;
}

/** How many of `full` are played. A number in the environment's `variable` comes first. */
export function size(part: number, full: number, variable = ''): Size {
  const count = Number(process.env[variable] || (isFull ? full : part));
  return { count, title: `${count} of ${full}` };
}
