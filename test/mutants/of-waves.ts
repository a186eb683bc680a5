import type { Mutant } from './mutant.ts';
import { mutantsOf } from './mutant.ts';

const step = mutantsOf('shared/core/execute/step.ts');
const state = mutantsOf('shared/core/execute/state.ts');
const open = mutantsOf('shared/core/execute/open-hooks.ts');
const deadlines = mutantsOf('shared/core/execute/deadlines.ts');
const waves = mutantsOf('shared/core/execute/waves.ts');

export const OF_WAVES: readonly Mutant[] = [
  waves(
    'R3.41',
    'a wave opens beside the last hook of the one before',
    'wave?.left.size === 0;',
    '(wave?.left.size ?? 2) < 2;',
  ),
  step('R3.41', 'the pods of a wave that opens are not looked at', 'change.touch(index); // R3.41', 'void index;'),
  state(
    'R3.41',
    'hooks that an earlier runner has ended hold their wave',
    'new Waves(parts, options',
    'new Waves(parts.map((part) => ({ ...part, states: [] })), options',
  ),
  open(
    'R3.42',
    'a container goes on in the next wave before another one has begun',
    ' || this.#wave(next(at)) !== this.#wave(at)',
    '',
  ),
  waves('R3.43', 'an init hook is of a wave, and holds it', ': undefined);', ': 0);'),
  deadlines('R3.44', 'the wait of a later wave begins with its pod', 'latest(waitingSince, opened)', 'waitingSince'),
  deadlines('R3.44', 'the wait of a later wave runs before that opens', ' || !waves.isOpen(hook)', ''),
  waves('R3.44', 'the wait of a later wave begins anew with each runner', 'ended.get(hook.id)?.endedAt', 'undefined'),
  open('R3.44', 'only the shortest wait timeout of all waves is looked at', 'this.#wave(a) - this.#wave(b) || ', ''),
];
