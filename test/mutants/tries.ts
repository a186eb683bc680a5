import type { Mutant } from './mutant.ts';
import { mutantsOf } from './mutant.ts';

const tries = mutantsOf('shared/core/execute/tries.ts');
const change = mutantsOf('shared/core/execute/change.ts');
const open = mutantsOf('shared/core/execute/open-hooks.ts');
const deadlines = mutantsOf('shared/core/execute/deadlines.ts');
const effects = mutantsOf('shared/core/execute/effects.ts');
const replay = mutantsOf('shared/core/journal/replay.ts');

/** Hooks that are started again. */
export const TRIES: readonly Mutant[] = [
  tries(
    'R3.51',
    'a hook is started once more than it has attempts',
    'starts < retry.attempts',
    'starts <= retry.attempts',
  ),
  tries(
    'R3.52',
    'what may still run is started again',
    "outcome.state === 'Failed' ||",
    "outcome.state === 'Failed' || outcome.state === 'Unknown' ||",
  ),
  tries('R3.53', 'the pauses between starts stay the same', 'delayMs * 2 ** starts', 'delayMs'),
  effects(
    'R3.54',
    'the end of a start is not recorded',
    'if (isTried) effects.push',
    'if (isTried && was.phase === is.phase) effects.push',
  ),
  replay('R3.54', 'the next runner makes all starts again', 'this.#countStart(hook);\n        return;', 'return;'),
  open('R3.55', 'another container begins in the pause of a hook', 'stretch.begun ||= isTried;', ''),
  deadlines(
    'R3.55',
    'the wait for a further start begins with that for the first',
    'waitDeadline(pod, hookAt(pod, at), stateOf(pod, at).last) ?? FOREVER',
    'waitDeadline(pod, hookAt(pod, at)) ?? FOREVER',
  ),
  deadlines(
    'R3.55',
    'a hook waits for its next start for ever',
    'return later(nextTryAt(hook, last), hook.waitTimeoutMs);',
    'return undefined;',
  ),
  change(
    'R3.56',
    'a hook that has failed is not executed if its run stops in the pause',
    'if (isUnexecuted && state.last !== undefined)',
    'if (!isUnexecuted && state.last !== undefined)',
  ),
];
