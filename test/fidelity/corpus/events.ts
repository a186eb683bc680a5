import type { Scene } from '../corpus.ts';
import { core } from '../corpus.ts';

/** As a run writes it on its Restore, of this namespace. */
const runEvent = (namespace: string) => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'restorehooks-r-abcdef.started', labels: { 'restorehooks.io/run-id': 'abcdef' } },
  involvedObject: { apiVersion: 'velero.io/v1', kind: 'Restore', namespace, name: 'r', uid: 'u' },
  type: 'Normal',
  reason: 'RestoreHooksStarted',
  message: 'm',
  firstTimestamp: '2026-01-02T03:04:05.678Z',
  lastTimestamp: '2026-01-02T03:04:05.678Z',
  count: 1,
  source: { component: 'restorehooks' },
  reportingComponent: 'restorehooks',
});
const body = runEvent('$(ns)');
const send = `POST ${core}/events`;

export const eventScenes: readonly Scene[] = [
  {
    name: 'create: Events',
    cases: [
      { name: 'an Event on a Restore, as a run writes it', ask: { send, body } },
      { name: 'an Event on an object of another namespace', ask: { send, body: runEvent('elsewhere') } },
      { name: 'an Event that exists', given: [body], ask: { send, body } },
    ],
  },
];
