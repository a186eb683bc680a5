import { sanitizeText } from '../../shared/core/sanitize.ts';
import type { Context, TextSink } from '../process/context.ts';

/**
 * The context with a stdout and stderr that clean what is written to them (R5.18). Texts come from events, kubelets, registries,
 * webhooks, manifests and API warnings, and no caller has to know which of them are anybody's.
 */
export const withCleanOutput = (context: Context): Context =>
  // Not a copy: stdin and the signals are made when they are asked for.
  Object.create(context, {
    stdout: { value: cleaned(context.stdout) },
    stderr: { value: cleaned(context.stderr) },
  }) as Context;

function cleaned(sink: TextSink): TextSink {
  return {
    write: (text) => sink.write(sanitizeText(text)),
    raw: (text) => sink.write(text),
    get isTTY() {
      return sink.isTTY;
    },
    get columns() {
      return sink.columns;
    },
  };
}

export function writeRaw(sink: TextSink, text: string): void {
  if (sink.raw === undefined) sink.write(text);
  else sink.raw(text);
}
