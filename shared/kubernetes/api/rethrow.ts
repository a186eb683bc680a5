import process from 'node:process';

/** Throw an error outside of any promise, so that a bug ends the process: a rejection could stay unnoticed. */
export function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
