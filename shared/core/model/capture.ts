/**
 * What a run keeps of each stream of each hook's output: nothing, the last 4 KiB, or all of it up to a size in bytes,
 * which is a quantity of Kubernetes (`full:3Mi`; default 1Mi) (R5.16).
 */
export type Capture = 'none' | 'tail' | 'full' | `full:${string}`;

export const TAIL_BYTES = 4096;
const FULL_BYTES = 1024 * 1024;
/** All the output that the report of a run holds (R5.17): no stream can have more. */
export const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024;

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** How many bytes of a stream are kept; undefined: the text is no `Capture`. */
export function capturedBytes(text: string): number | undefined {
  if (text === 'none') return 0;
  if (text === 'tail') return TAIL_BYTES;
  if (text === 'full') return FULL_BYTES;
  const [, number, unit = ''] = /^full:(\d+(?:\.\d+)?)(k|M|G|Ki|Mi|Gi|)$/.exec(text) ?? [];
  const bytes = Math.ceil(Number(number) * (UNITS[unit] ?? Number.NaN));
  return bytes >= 1 && bytes <= OUTPUT_LIMIT_BYTES ? bytes : undefined;
}

export const isCapture = (text: string): text is Capture => capturedBytes(text) !== undefined;

export const CAPTURE_EXPECTED = 'none, tail, full or full:SIZE, with a SIZE such as 3Mi of at most 16Mi';
