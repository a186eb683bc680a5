const PODS = 10_000;
const ENTRIES = 100;

/** What both plan: 10,000 pods by 100 entries, of which one fits each pod. */
export const pods = Array.from({ length: PODS }, (_, index) => ({
  metadata: {
    name: `pod-${index}`,
    namespace: `ns-${index % 50}`,
    uid: `uid-${index}`,
    labels: { app: `app-${index % 100}`, tier: index % 2 === 0 ? 'web' : 'db' },
  },
  spec: { containers: [{ name: 'main' }, { name: 'second' }] },
}));

export const restore = {
  metadata: { name: 'r', namespace: 'velero' },
  spec: { hooks: { resources: Array.from({ length: ENTRIES }, (_, index) => entry(index)) } },
};

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
