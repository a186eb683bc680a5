import assert from 'node:assert/strict';
import type { LogReader, PodCreator } from '../../shared/ports/ports.ts';

/** The ports that a plan without init hooks never asks. */
export const execOnly: { readonly logs: LogReader; readonly creator: PodCreator } = {
  logs: { read: () => assert.fail('no log is read for an exec hook') },
  creator: { create: () => assert.fail('no pod is created for an exec hook') },
};
