import type { Flags } from './flags.ts';

/** The flags that say what is planned: `plan`, `apply`, the image and Lambda take the same. */
export const planFlags = {
  hooks: {
    type: 'list',
    value: 'FILE',
    description: "Hooks of your own (kind RestoreHooks), instead of the Restore's; can be repeated",
  },
  only: { type: 'strings', value: 'HOOK|POD', description: 'Only this hook, or this pod; can be repeated' }, // R1.23
  rerun: { type: 'boolean', description: 'Plan also the hooks that Velero has run, perhaps in part' },
  force: { type: 'boolean', description: "Go on although Velero isn't done with the Restore" },
  'include-existing': {
    type: 'boolean',
    description: "Take in pods with the Restore's label that were there before it (existingResourcePolicy: update)",
  },
  'recreate-pods': {
    type: 'boolean',
    description: 'Delete pods that lack their init containers and have no controller, and create them anew with them',
  },
  selector: {
    type: 'string',
    short: 'l',
    value: 'SELECTOR',
    description: "Select the pods by hand, not by Velero's label",
  },
  'all-namespaces': { type: 'boolean', short: 'A', description: 'With --selector: pods of all namespaces' },
  'pod-namespace': { type: 'list', value: 'NAMESPACE', description: 'With --selector: pods of these namespaces' },
} as const satisfies Flags;

/** Whether a run is made at all: `apply`, the image and Lambda. */
export const startFlags = {
  again: { type: 'boolean', description: 'Start over with all hooks, also those that succeeded' },
  'allow-no-match': { type: 'boolean', description: 'Exit 0 where the Restore has hooks but none matches a pod' },
} as const satisfies Flags;

/** How a run is carried out, whoever starts it. */
export const executionFlags = {
  'max-concurrent': {
    type: 'integer',
    min: 1,
    default: 64,
    description: 'How many pods may have a hook running at the same time',
  },
  capture: {
    type: 'string',
    choices: ['none', 'tail'],
    default: 'tail',
    description: "How much of the hooks' output the report keeps",
  },
  'fail-on': {
    type: 'string',
    choices: ['fail', 'any'],
    default: 'fail',
    description: 'Which failures make the exit code 3: those of onError: Fail hooks, or any',
  },
  'keep-restore-phase': { type: 'boolean', description: "Leave the Restore's own phase alone" },
  'on-unknown': {
    type: 'string',
    choices: ['fail', 'rerun'],
    default: 'fail',
    description: 'What becomes of hooks that were running when a runner died: left Unknown, or run again',
  },
} as const satisfies Flags;
