import { Random } from '../sim/random.ts';
import type { Failpoint, FailpointName, Moment } from './failpoints.ts';
import { FAILPOINTS, MOMENTS } from './failpoints.ts';

export interface ScriptedHook {
  readonly sleep: number;
  readonly exitCode: number;
  readonly onError: 'Continue' | 'Fail';
}

export interface TargetPod {
  readonly name: string;
  /** The pod lacks an init hook, so the run recreates it. */
  readonly recreated: boolean;
  readonly hooks: readonly ScriptedHook[];
}

export const PARTS = ['kubelet', 'containerd', 'apiserver', 'etcd'] as const;
export type Part = (typeof PARTS)[number];

/** Faults during a run, in order. `afterMs` counts from the fault before; the first one's from the start of a runner. */
export type Fault = { readonly afterMs: number } & (
  | { readonly kind: 'runner killed' | 'runner deleted' | 'runner ended' | 'runner evicted' }
  | { readonly kind: 'runner frozen'; readonly forMs: number }
  | { readonly kind: 'second Job' | 'second apply' | 'cancel' }
  | { readonly kind: 'target deleted' | 'target evicted'; readonly pod: string }
  | { readonly kind: 'part killed'; readonly part: Part; readonly forMs: number }
);

export interface Scenario {
  readonly index: number;
  /** The failpoints at which the run's first runners die, one for each runner. */
  readonly failpoints: readonly Failpoint[];
  /** It is a fault of the test if the runner of a run with one shard doesn't reach its failpoint. */
  readonly mustReach: boolean;
  readonly faults: readonly Fault[];
  readonly pods: readonly TargetPod[];
  readonly rerun: boolean;
  /** The plugin follows the run, instead of asking for its status now and then. */
  readonly followed: boolean;
  readonly retried: boolean;
  /** Into how many shards the run is divided. */
  readonly shards: number;
}

export interface Kinds {
  /** True on a real cluster, where parts can be killed and pods evicted. */
  readonly real: boolean;
  /** Each boundary is played `once`, at a moment that the seed picks, or at `all` moments. */
  readonly boundaries: 'once' | 'all' | 'none';
  /** How often each part of the cluster is killed besides. */
  readonly parts: number;
  readonly random: number;
}

const ok = (sleep = 0): ScriptedHook => ({ sleep, exitCode: 0, onError: 'Continue' });
const PLAIN: readonly TargetPod[] = [
  { name: 'a-0', recreated: false, hooks: [ok(4), ok(2), ok()] },
  { name: 'b-0', recreated: false, hooks: [ok(), { ...ok(2), exitCode: 3 }, ok()] },
];
const RECREATED: readonly TargetPod[] = [
  { name: 'a-0', recreated: true, hooks: [ok(2), ok()] },
  { name: 'b-0', recreated: false, hooks: [ok(3)] },
];
const FAILING: readonly TargetPod[] = [
  { name: 'a-0', recreated: false, hooks: [ok(1), { sleep: 0, exitCode: 4, onError: 'Fail' }, ok()] },
  { name: 'b-0', recreated: false, hooks: [ok(3), ok()] },
];
/** For runs in shards, so that none of these is likely to be without pods. */
const MANY: readonly TargetPod[] = [...'abcdef'].map((letter) => ({
  name: `${letter}-0`,
  recreated: false,
  hooks: [ok(2), ok()],
}));

/** Not played: a second part needs thousands of hooks, and intents are taken back only while the kubelet is down. */
const RARE: readonly FailpointName[] = ['journal-part', 'journal-seal', 'journal-taken-back'];
/** Boundaries that a runner reaches more than once even in a small run. */
const OFTEN: readonly FailpointName[] = [
  'journal-intent',
  'journal-result',
  'shard-told',
  'status-progress',
  'command-start',
  'command-started',
  'command-end',
];
const BOUNDARIES = FAILPOINTS.filter((name) => !RARE.includes(name));

/** All runs of one call of `test:chaos`: the systematic ones first, then the random mixtures. */
export function scenarios(seed: number, { real, boundaries, parts, random }: Kinds): Scenario[] {
  const chance = new Random(seed);
  const all: Scenario[] = [];
  const add = (scenario: Omit<Scenario, 'index'>) => all.push({ index: all.length, ...scenario });
  if (boundaries !== 'none') {
    for (const name of BOUNDARIES) {
      const moments = momentsOf(name);
      for (const moment of boundaries === 'all' ? moments : [chance.pick(moments)]) add(boundary(name, moment, chance));
    }
  }
  for (let times = real ? parts : 0; times > 0; times -= 1) {
    for (const part of PARTS) {
      const fault: Fault = { kind: 'part killed', part, afterMs: chance.int(0, 3000), forMs: chance.int(300, 3000) };
      add({ ...quiet(chance), pods: PLAIN, faults: [fault] });
    }
  }
  for (let index = 0; index < random; index += 1) add(mixture(new Random(seed * 100_003 + index), real));
  return all;
}

const momentsOf = (name: FailpointName): [Moment, ...Moment[]] =>
  name.startsWith('command-') ? ['before', 'after'] : [...MOMENTS];

const quiet = (chance: Random) => ({
  failpoints: [],
  mustReach: false,
  faults: [],
  rerun: false,
  followed: chance.chance(0.3),
  retried: chance.chance(0.3),
  shards: 1,
});

function boundary(name: FailpointName, moment: Moment, chance: Random): Omit<Scenario, 'index'> {
  const failpoint: Failpoint = { name, moment, nth: 1, afterMs: chance.int(0, 15) };
  // A journal is claimed only by a runner that goes on with a run.
  const first: Failpoint[] =
    name === 'journal-claim' ? [{ name: 'command-started', moment: 'after', nth: 1, afterMs: 0 }] : [];
  if (name === 'shard-told') return { ...quiet(chance), failpoints: [failpoint], pods: MANY, shards: 2 };
  const pods = name.startsWith('pod-') ? RECREATED : name === 'phase-of-restore' ? FAILING : PLAIN;
  return { ...quiet(chance), failpoints: [...first, failpoint], mustReach: true, pods };
}

function mixture(chance: Random, real: boolean): Omit<Scenario, 'index'> {
  const pods = Array.from({ length: chance.int(1, 3) }, (_, index) => target(index, chance));
  const failpoints = Array.from({ length: chance.int(0, 3) }, (): Failpoint => {
    const name = chance.pick([...BOUNDARIES] as [FailpointName, ...FailpointName[]]);
    const nth = chance.int(1, OFTEN.includes(name) ? 4 : 1);
    return { name, moment: chance.pick(momentsOf(name)), nth, afterMs: chance.int(0, 30) };
  });
  const faults = Array.from({ length: chance.int(failpoints.length === 0 ? 1 : 0, 3) }, () =>
    fault(chance, pods, real),
  );
  return {
    failpoints,
    mustReach: false,
    faults,
    pods,
    rerun: chance.chance(0.25),
    followed: chance.chance(0.3),
    retried: chance.chance(0.4),
    shards: chance.pick([1, 1, 3]),
  };
}

function target(index: number, chance: Random): TargetPod {
  const hooks = Array.from({ length: chance.int(1, 4) }, (): ScriptedHook => {
    const failing = chance.chance(0.15);
    return {
      sleep: chance.chance(0.75) ? chance.int(1, 6) : 0,
      exitCode: failing ? chance.int(1, 99) : 0,
      onError: chance.chance(0.25) ? 'Fail' : 'Continue',
    };
  });
  return { name: `${'abc'[index]}-0`, recreated: chance.chance(0.25), hooks };
}

function fault(chance: Random, pods: readonly TargetPod[], real: boolean): Fault {
  const afterMs = chance.int(0, 3500);
  const pod = chance.pick(pods as [TargetPod, ...TargetPod[]]).name;
  const anywhere: [() => Fault, ...(() => Fault)[]] = [
    () => ({ kind: 'runner killed', afterMs }),
    () => ({ kind: 'runner deleted', afterMs }),
    () => ({ kind: 'runner ended', afterMs }),
    () => ({ kind: 'runner frozen', afterMs, forMs: chance.int(3_000, 25_000) }),
    () => ({ kind: 'second Job', afterMs }),
    () => ({ kind: 'second apply', afterMs }),
    () => ({ kind: 'cancel', afterMs }),
    () => ({ kind: 'target deleted', afterMs, pod }),
  ];
  const forMs = chance.int(100, 8000);
  const onReal: (() => Fault)[] = [
    () => ({ kind: 'runner evicted', afterMs }),
    () => ({ kind: 'target evicted', afterMs, pod }),
    ...PARTS.map((part) => (): Fault => ({ kind: 'part killed', part, afterMs, forMs })),
  ];
  return chance.pick(real ? [...anywhere, ...onReal] : anywhere)();
}

/** A run's faults in one line. */
export const describe = ({ failpoints, faults, rerun, retried, shards }: Scenario): string =>
  [
    ...(shards > 1 ? [`${shards} shards`] : []),
    ...failpoints.map(({ name, moment, nth }) => `${moment} ${name}${nth > 1 ? ` ${nth}` : ''}`),
    ...faults.map((one) => ('part' in one ? `${one.part} killed` : 'pod' in one ? `${one.kind} ${one.pod}` : one.kind)),
    ...(rerun ? ['--on-unknown=rerun'] : []),
    ...(retried ? ['retry'] : []),
  ].join(', ');
