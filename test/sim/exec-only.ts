import assert from 'node:assert/strict';
import type { EventWriter, LogReader, PodCreator } from '../../shared/ports/ports.ts';

/** Takes every event at once. */
export const takesEvents: EventWriter = { write: (_event, written) => written() };

/** The ports that a plan without init hooks never asks. */
export const execOnly: { readonly logs: LogReader; readonly creator: PodCreator; readonly events: EventWriter } = {
  logs: { read: () => assert.fail('no log is read for an exec hook') },
  creator: { create: () => assert.fail('no pod is created for an exec hook') },
  events: takesEvents,
};
