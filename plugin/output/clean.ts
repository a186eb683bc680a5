import { sanitizeText } from '../../shared/core/sanitize.ts';
import type { Context, TextSink } from '../process/context.ts';

/**
 * A context whose stdout and stderr remove control characters from what is written. Texts come from events, kubelets,
 * registries, webhooks, manifests and API warnings; no caller has to know which of them can be trusted (R5.18).
 */
export const withCleanOutput = (context: Context): Context =>
  // Not a copy, which would call the getters: stdin is opened when it is first used.
  Object.create(context, {
    stdout: { value: cleaned(context.stdout) },
    stderr: { value: cleaned(context.stderr) },
  }) as Context;

function cleaned(sink: TextSink): TextSink {
  let taker: ((text: string) => void) | undefined;
  return {
    write: (text) => (taker ?? sink.write)(sanitizeText(text)),
    divert(to) {
      taker = to;
    },
    ...(sink.onResize && { onResize: sink.onResize }),
    raw: (text) => sink.write(text),
    get isTTY() {
      return sink.isTTY;
    },
    get columns() {
      return sink.columns;
    },
    get rows() {
      return sink.rows;
    },
  };
}

export function writeRaw(sink: TextSink, text: string): void {
  if (sink.raw === undefined) sink.write(text);
  else sink.raw(text);
}
