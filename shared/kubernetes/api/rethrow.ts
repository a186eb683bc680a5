import process from 'node:process';

/** A bug must end the process: in a promise nobody would hear of it. */
export function rethrow(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
