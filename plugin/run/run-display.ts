import { formatInstant } from '../../shared/core/model/instant.ts';
import { openWaveText } from '../../shared/core/report/open-wave.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import { isAskedFor } from '../../shared/core/report/run-hook.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { usesColor } from '../output/color.ts';
import { liveLines } from '../output/live/live-lines.ts';
import { LiveRun } from '../output/live/live-run.ts';
import { openScreen } from '../output/live/screen.ts';
import { hasScreen, say } from '../output/progress.ts';
import { eventLine } from '../output/run-view.ts';
import type { Context } from '../process/context.ts';

/** Shows on stderr how a run goes on, while it is followed. */
export interface RunDisplay {
  heard(status: RunStatus): void;
  changed(rows: readonly RunHook[]): void;
  /** Rows as a report of this process has them: of some only what they wait for has changed. */
  reported(rows: readonly RunHook[]): void;
  /** Say what the hooks wait for, where it can't be seen all the time. */
  remind(rows: readonly RunHook[]): void;
  /** Nothing is shown any more. */
  end(): void;
}

/** One screen on a terminal; anywhere else a line for each event (R7.15). `footer`: what Ctrl-C does. */
export function showRun(
  context: Context,
  restore: { readonly namespace: string; readonly name: string },
  footer: string,
): RunDisplay {
  return hasScreen(context) ? onScreen(context, restore, footer) : asLines(context);
}

function onScreen(
  context: Context,
  restore: { readonly namespace: string; readonly name: string },
  footer: string,
): RunDisplay {
  const { stderr, clock, secondSignal } = context;
  const run = new LiveRun(restore);
  const color = usesColor(stderr, context);
  const screen = openScreen(stderr, clock, (size, notes) =>
    liveLines(run, { ...size, notes, now: clock.now(), color, footer }),
  );
  // From the second signal on, the next one ends the process at once.
  const end = (): void => screen.end();
  const changed = (rows: readonly RunHook[]): void => {
    run.changed(rows);
    if (rows.length > 0) screen.changed();
  };
  secondSignal.addEventListener('abort', end, { once: true });
  return {
    heard(status) {
      run.heard(status);
      screen.changed();
    },
    changed,
    reported: changed,
    remind: () => undefined,
    end() {
      secondSignal.removeEventListener('abort', end);
      end();
    },
  };
}

/** A report tells its rows in no order. */
const timeOf = ({ finishedAt, startedAt = '' }: RunHook): string => finishedAt ?? startedAt;

const MOST_REMINDED = 3;

function asLines({ stderr, clock }: Context): RunDisplay {
  const tell = (row: RunHook): void => say(stderr, eventLine(row, formatInstant(clock.now())));
  let wave: number | undefined;
  const running = new Set<string>();
  /** A hook waits again after a start that has failed (R3.57). */
  const isEvent = (row: RunHook): boolean => {
    const wasRunning = running.delete(row.id);
    if (row.state === 'Waiting') return wasRunning;
    if (isAskedFor(row)) return false;
    if (row.state === 'Running') running.add(row.id);
    return true;
  };
  return {
    heard({ openWave }) {
      if (openWave === undefined || openWave.number === wave) return;
      wave = openWave.number;
      say(stderr, `${formatInstant(clock.now())} wave ${openWaveText(openWave)}`);
    },
    changed(rows) {
      for (const row of rows.filter(isEvent).sort((one, other) => (timeOf(one) < timeOf(other) ? -1 : 1))) tell(row);
    },
    reported: () => undefined,
    remind(rows) {
      const waiting = rows.filter(({ state }) => state === 'Waiting');
      waiting.slice(0, MOST_REMINDED).forEach(tell);
      const more = waiting.length - MOST_REMINDED;
      if (more > 0) say(stderr, `${formatInstant(clock.now())} Waiting: ${more} more hooks`);
    },
    end: () => undefined,
  };
}
