/** `attempt`: which start of the hook printed it. */
interface OutputPiece {
  readonly runner: number;
  readonly attempt: number;
  readonly from: number;
  readonly text: string;
}

/** How far the streams of hooks have been shown, so that live output and the report are one text (R7.33). */
export class ShownOutput {
  readonly #streams = new Map<string, { readonly runner: number; readonly attempt: number; readonly bytes: number }>();

  /**
   * What is new of a piece of a stream that begins behind `from` bytes, and how many bytes between what was shown and it
   * are missing. Afterwards it counts as shown. A hook that is started again, by the same runner or a later
   * one, prints from its beginning.
   */
  next(
    hook: string,
    stream: string,
    { runner, attempt, from, text }: OutputPiece,
  ): { readonly text: string; readonly missing: number } {
    const key = `${stream} ${hook}`;
    const known = this.#streams.get(key);
    if (known !== undefined && (known.runner > runner || known.attempt > attempt)) return { text: '', missing: 0 };
    const shown = known?.runner === runner && known.attempt === attempt ? known.bytes : 0;
    const bytes = Buffer.from(text);
    const end = from + bytes.length;
    if (end <= shown) return { text: '', missing: 0 };
    this.#streams.set(key, { runner, attempt, bytes: end });
    return {
      text: from >= shown ? text : bytes.toString('utf8', shown - from),
      missing: Math.max(0, from - shown),
    };
  }
}
