import type { Hold, Journal } from '../../shared/ports/ports.ts';

/** Where the journal is another suite's matter: each intent is as good as durable. */
export const forgetfulJournal: Journal = {
  intent: (_hook, _intent, recorded) => recorded(),
  notStarted: () => undefined,
  started: () => undefined,
  tried: () => undefined,
  result: () => undefined,
  seen: () => undefined,
};

/** A hold that nobody contests. */
export const firmHold: Hold = { onLost: () => undefined, whenDurable: (durable) => durable(true) };
