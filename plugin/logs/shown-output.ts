/** How far the streams of hooks have been shown, so that live output and the report are one text (R7.33). */
export class ShownOutput {
  readonly #streams = new Map<string, { readonly runner: number; readonly bytes: number }>();

  /**
   * What is new of a piece of a stream that begins behind `from` bytes, and how many bytes between what was shown and it
   * are missing. Afterwards it counts as shown. A hook that a later runner runs again prints from its beginning.
   */
  next(
    hook: string,
    stream: string,
    { runner, from, text }: { readonly runner: number; readonly from: number; readonly text: string },
  ): { readonly text: string; readonly missing: number } {
    const key = `${stream} ${hook}`;
    const known = this.#streams.get(key);
    if (known !== undefined && known.runner > runner) return { text: '', missing: 0 };
    const shown = known?.runner === runner ? known.bytes : 0;
    const bytes = Buffer.from(text);
    const end = from + bytes.length;
    if (end <= shown) return { text: '', missing: 0 };
    this.#streams.set(key, { runner, bytes: end });
    return {
      text: from >= shown ? text : bytes.toString('utf8', shown - from),
      missing: Math.max(0, from - shown),
    };
  }
}
