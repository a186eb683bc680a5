import { setTimeout as delay } from 'node:timers/promises';
import { RestoreHooksError } from '../../core/errors.ts';
import { TAIL_BYTES } from '../../core/model/capture.ts';
import type { LogReader, Output } from '../../ports/ports.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';
import { rethrow } from '../api/rethrow.ts';
import { OutputTails } from './output-tails.ts';

/** More lines than the usual 4 KiB have. */
const MOST_LINES = 100;
const MOST_AT_ONCE = 16;
/** A container that has just ended may have no log for a moment. */
const TRIES = 3;
const PAUSE_MS = 1_000;

async function insistently(ask: () => Promise<string>): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      const isWorthIt = error instanceof RestoreHooksError && error.code !== 'FORBIDDEN' && tries < TRIES;
      if (!isWorthIt) throw error;
    }
    await delay(PAUSE_MS);
  }
}

/** Reads the last lines of init containers' logs, as much as a report keeps of a hook's output (R2.21). */
export function kubernetesLogReader(
  client: Pick<KubeClient, 'getText'>,
  { capturedBytes }: { readonly capturedBytes: number },
): LogReader {
  const waiting: (() => void)[] = [];
  let reading = 0;

  async function read(namespace: string, pod: string, container: string): Promise<Output> {
    if (reading >= MOST_AT_ONCE) await new Promise<void>((next) => waiting.push(next));
    reading += 1;
    try {
      const text = await insistently(() =>
        client.getText(paths.podLog(namespace, pod), {
          container,
          ...(capturedBytes <= TAIL_BYTES && { tailLines: MOST_LINES }),
        }),
      );
      const tails = new OutputTails(capturedBytes);
      tails.add('stdout', Buffer.from(text));
      return tails.output();
    } catch (error) {
      // The hook's result holds without its log, which the runner may not be allowed to read.
      if (error instanceof RestoreHooksError) return {};
      throw error;
    } finally {
      reading -= 1;
      waiting.shift()?.();
    }
  }

  return {
    read({ namespace, pod, container }, done) {
      if (capturedBytes === 0) return done({});
      read(namespace, pod, container).then(done, rethrow);
    },
  };
}
