import process from 'node:process';

/*
 * Imported first (R6.27): until somebody listens, the kernel drops a SIGTERM for a container's first process, and the runner
 * would start hooks in a pod that is going.
 */
const controller = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => controller.abort());

/** Aborted as soon as this process is asked to end. */
export const askedToEnd: AbortSignal = controller.signal;
