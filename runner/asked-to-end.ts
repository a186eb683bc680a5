import process from 'node:process';

/*
 * Must be imported first. The kernel drops a SIGTERM for a container's first process while nothing listens for it; the
 * runner would then start hooks in a pod that is being deleted (R6.27).
 */
const controller = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => controller.abort());

/** Aborted when this process is asked to end. */
export const askedToEnd: AbortSignal = controller.signal;
