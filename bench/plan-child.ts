import process from 'node:process';
import { Pod } from '../shared/core/model/pod.ts';
import { parseRestore } from '../shared/core/model/restore.ts';
import { planRestoreHooks } from '../shared/core/plan/plan-restore-hooks.ts';

const PODS = 10_000;
const ENTRIES = 100;

const pods = Array.from({ length: PODS }, (_, index) =>
  Pod.parse({
    metadata: {
      name: `pod-${index}`,
      namespace: `ns-${index % 50}`,
      uid: `uid-${index}`,
      labels: { app: `app-${index % 100}`, tier: index % 2 === 0 ? 'web' : 'db' },
    },
    spec: { containers: [{ name: 'main' }, { name: 'second' }] },
  }),
);
const restore = parseRestore({
  metadata: { name: 'r', namespace: 'velero' },
  spec: { hooks: { resources: Array.from({ length: ENTRIES }, (_, index) => entry(index)) } },
});
if (!restore.ok) throw new Error(JSON.stringify(restore.problems));

const from = performance.now();
const { hooks } = planRestoreHooks({ restore: restore.value, pods });
const ms = performance.now() - from;
process.stdout.write(JSON.stringify({ ms, hooks: hooks.length }));

function entry(index: number) {
  return {
    name: `entry-${index}`,
    includedNamespaces: [`ns-${index % 50}`, `ns-${(index + 1) % 50}`, 'team-*'],
    includedResources: ['pods'],
    labelSelector: {
      matchLabels: { app: `app-${index % 100}` },
      matchExpressions: [{ key: 'tier', operator: 'In', values: ['web', 'db'] }],
    },
    postHooks: [{ exec: { container: 'second', command: ['/bin/sh', '-c', 'true'], execTimeout: '30s' } }],
  };
}
