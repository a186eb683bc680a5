import type { Flags } from '../../shared/input/flags.ts';
import { SORTS, STATES } from '../output/run-rows.ts';

/** The flags of `status` that choose among a run's hooks, and order them. */
export const rowArgs = {
  failed: { type: 'boolean', description: 'Only hooks that have ended and did not succeed' },
  state: {
    type: 'list',
    value: 'STATE',
    choices: STATES,
    description: `Only hooks in this state (${STATES.join(', ')}); can be repeated`,
  },
  pod: { type: 'strings', value: 'POD', description: 'Only hooks of this pod (NAMESPACE/POD or POD); can be repeated' },
  'sort-by': {
    type: 'string',
    value: 'COLUMN',
    choices: SORTS,
    description: `Order the hooks by a column (${SORTS.join(', ')}) instead of by the plan: failures, and what took longest, first`,
  },
  wide: { type: 'boolean', description: 'Show all columns, as -o wide does' },
  'no-headers': { type: 'boolean', description: 'Print the rows alone, for scripts' },
} as const satisfies Flags;
