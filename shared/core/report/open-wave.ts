import type { RunState } from '../execute/state.ts';
import type { OpenWave, RunHook } from './run-document.ts';
import { rowState, waitingText } from './run-hook.ts';

const LONGEST_MESSAGE = 300;

/** Undefined: there is one wave at most, or every hook has ended. */
export function openWaveOf(run: RunState): OpenWave | undefined {
  const { open, count } = run.waves;
  const wave = count < 2 ? undefined : waveHere(run);
  return open && wave && { version: 1, ...wave, place: open.place, of: count };
}

/** What a shard knows of the run's open wave: its own lowest one in which a hook has not ended. */
export type WaveHere = Pick<OpenWave, 'number' | 'left' | 'first' | 'message'>;

/** Undefined: every hook has ended. */
export function waveHere(run: RunState): WaveHere | undefined {
  const { open } = run.waves;
  const [first] = open?.left ?? [];
  const place = first === undefined ? undefined : run.places.get(first);
  const pod = run.pods[place?.pod ?? -1];
  if (open === undefined || first === undefined || place === undefined || pod === undefined) return undefined;
  const { state } = rowState(run, pod, place.at);
  const message = state === 'Waiting' ? waitingText(run, pod, place.at, LONGEST_MESSAGE) : 'running';
  return { number: open.number, left: open.left.size, first, message };
}

const leftText = ({ left }: OpenWave): string => (left === 1 ? '1 hook left' : `${left} hooks left`);

/** `0 (1 of 3): 2 hooks left; the first, shop/db-0/main/load/0, is running` */
export const openWaveText = (wave: OpenWave): string =>
  `${wave.number} (${wave.place} of ${wave.of}): ${leftText(wave)}; the first, ${wave.first}, is ${wave.message}`;

/** What holds a hook whose wave isn't open is told once for the run: here it is said with each such row (R3.47). */
export const withOpenWave = (row: RunHook, wave: OpenWave): RunHook =>
  row.state === 'Waiting' && row.kind === 'exec' && (row.wave ?? 0) > wave.number
    ? {
        ...row,
        message: `waiting for wave ${row.wave ?? 0} to open; wave ${wave.number} is open, with ${leftText(wave)} (first: ${wave.first})`,
      }
    : row;

/** The waves of a run's hooks, the lowest first; empty where there is one at most. */
export function wavesOf(
  hooks: readonly { readonly kind: RunHook['kind']; readonly wave?: number | undefined }[],
): number[] {
  const waves = new Set(hooks.flatMap(({ kind, wave }) => (kind === 'exec' ? [wave ?? 0] : [])));
  return waves.size < 2 ? [] : [...waves].sort((one, other) => one - other);
}
