import assert from 'node:assert/strict';
import process from 'node:process';
import { describe, test } from 'node:test';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { resume } from '../../../../shared/core/journal/resume.ts';
import type { HookId, HookResult } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import type { PodIndex } from '../../../../shared/core/model/position.ts';
import { KubernetesJournal } from '../../../../shared/kubernetes/run/journal.ts';
import type { JournalPlace, ReadJournal } from '../../../../shared/kubernetes/run/journal-reader.ts';
import { readJournal } from '../../../../shared/kubernetes/run/journal-reader.ts';
import { FakeApi } from '../../../sim/fake-api.ts';
import { Random } from '../../../sim/random.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';
import { size } from '../../../size.ts';

/*
 * Journals as runners write them, damaged in every way that a store, a backup tool or a person could damage them. The
 * reader must give one clear error, or what the journal truly said.
 */
const JOURNALS = size(150, 10_000, 'FUZZ_SEEDS');
const FROM = Number(process.env['FUZZ_FROM'] || 1);

// biome-ignore lint/suspicious/noExplicitAny: what is damaged has no shape
type Loose = any;
type Objects = Map<string, Loose>;

interface Written {
  readonly place: JournalPlace;
  readonly hooks: readonly { readonly id: HookId }[];
  /** The journal's objects after each write. */
  readonly moments: readonly Objects[];
  /** The state that the reader gets from each of them. */
  readonly states: readonly string[];
}

const RESTORE = { namespace: 'velero', name: 'nightly', uid: 'u' };

/** A client that can only read these objects. */
const readerOf = (objects: Objects) => ({
  get: async (path: string): Promise<Loose> => {
    if (!objects.has(path)) throw new RestoreHooksError('NOT_FOUND', `no ${path}`);
    return objects.get(path);
  },
});

const stateOf = (read: ReadJournal | undefined): string =>
  read === undefined
    ? 'none'
    : JSON.stringify({
        hooks: [...read.replay.hooks].sort(([one], [other]) => one - other),
        seen: [...read.replay.seen],
        lost: [...read.replay.lost],
        closedBy: read.replay.closedBy,
        claims: read.replay.claims,
        end: read.end,
        part: read.part,
      });

/** A run of up to four runners, each of which does a part and is gone; in `large` ones the journal has several parts. */
async function write(seed: number, large: boolean, runID: string): Promise<Written> {
  const random = new Random(seed);
  const clock = new VirtualClock();
  const api = new FakeApi(clock, random);
  const count = random.int(1, 30);
  const hooks = Array.from({ length: count }, (_, index) => ({ id: `ns/p${index}/a/h/0` as HookId }));
  const place: JournalPlace = { restore: RESTORE, head: { runID, planDigest: `sha256:${count}`, hooks: count } };
  const moments: Objects[] = [];
  const objects: Objects = new Map();
  api.written = (path, object) => {
    objects.set(path, object);
    moments.push(new Map(objects));
  };
  const left = new Map(hooks.map(({ id }) => [id, 1]));
  for (let runner = random.int(1, 4); runner > 0; runner -= 1) {
    const read = await readJournal(api.calm, place);
    const { entries, resumed } = read
      ? resume(read.replay, hooks, random.pick(['fail', 'rerun']), clock.now())
      : { entries: [], resumed: undefined };
    for (const id of resumed?.ended.keys() ?? []) left.delete(id);
    const journal = await KubernetesJournal.take(api.calm, clock, place, hooks, read, entries);
    for (const [id, attempt] of left) {
      if (random.chance(0.3)) continue;
      const at = clock.now();
      const podUID = large ? 'u'.repeat(random.int(2_000, 30_000)) : random.pick([undefined, 'uid']);
      if (random.chance(0.2)) journal.seen(random.int(0, count - 1) as PodIndex, at);
      journal.intent(id, { attempt, podUID }, () => undefined);
      left.set(id, attempt + 1);
      if (random.chance(0.3)) await clock.runUntilWithPromises(at + random.int(1, 300));
      if (random.chance(0.2)) journal.notStarted(id);
      else if (random.chance(0.9)) {
        journal.started(id, clock.now());
        if (random.chance(0.3)) await clock.runUntilWithPromises(clock.now() + random.int(1, 300));
        if (random.chance(0.9)) {
          journal.result(id, { phase: 'Ended', outcome: random.pick(OUTCOMES), startedAt: at, endedAt: clock.now() });
          left.delete(id);
        }
      }
    }
    // The runner's last entries may be lost with it.
    if (random.chance(0.7)) await clock.runUntilWithPromises(clock.now() + 2_000);
    journal.abandon(new RestoreHooksError('RUN_BY_ANOTHER', 'it is gone'));
    await clock.runUntilWithPromises(clock.now() + 20_000);
  }
  if (random.chance(0.1)) {
    await KubernetesJournal.close(api.calm, clock, place, await readJournal(api.calm, place), 'another');
  }
  const states = await Promise.all(moments.map(async (moment) => stateOf(await readJournal(readerOf(moment), place))));
  return { place, hooks, moments, states };
}

const OUTCOMES: readonly [HookResult, ...HookResult[]] = [
  { state: 'Succeeded', exitCode: 0 },
  { state: 'Failed', reason: 'exit', exitCode: 3 },
  { state: 'TimedOut', reason: 'executing' },
  { state: 'Unknown', reason: 'connection-lost' },
];

/* ---- damage ---- */

interface Damaged {
  readonly objects: Objects;
  /** The objects are as they were at an earlier time, so what the journal said then is a right answer. */
  isStale: boolean;
}

interface Site extends Damaged {
  readonly random: Random;
  readonly written: Written;
  readonly foreign: Written;
}

const pathsOf = ({ objects }: Site): string[] => [...objects.keys()].sort((one, other) => partOf(one) - partOf(other));
const partOf = (path: string): number => Number(/-(\d+)$/.exec(path)?.[1]);
const anyOf = <T>(random: Random, values: readonly T[]): T | undefined => values[random.int(0, values.length - 1)];

/** Change one text of one object, if there is one. */
function changeText(site: Site, change: (text: string, key: string) => unknown): void {
  const { random, objects } = site;
  const path = anyOf(random, pathsOf(site));
  const object = objects.get(path ?? '');
  const data = object?.data;
  if (path === undefined || data === null || typeof data !== 'object') return;
  const key = anyOf(random, Object.keys(data));
  if (key === undefined || typeof data[key] !== 'string') return;
  objects.set(path, { ...object, data: { ...data, [key]: change(data[key], key) } });
}

function changeObject(site: Site, change: (object: Loose, path: string) => Loose): void {
  const path = anyOf(site.random, pathsOf(site));
  const object = site.objects.get(path ?? '');
  if (path === undefined || object === null || typeof object !== 'object') return;
  site.objects.set(path, change(object, path));
}

const batchKeys = ({ data }: Loose): string[] =>
  Object.keys(data ?? {})
    .filter((key) => /^b\d+$/.test(key))
    .sort();
const without = (data: Loose, keys: readonly string[]): Loose =>
  Object.fromEntries(Object.entries(data ?? {}).filter(([key]) => !keys.includes(key)));

function changeEntries(site: Site, change: (entries: Loose[]) => unknown): void {
  changeText(site, (text) => {
    try {
      const batch = JSON.parse(text);
      return Array.isArray(batch.e) ? JSON.stringify({ ...batch, e: change(batch.e) }) : text;
    } catch {
      return text;
    }
  });
}

const GARBAGE: readonly [unknown, ...unknown[]] = [
  null,
  0,
  -1,
  2 ** 60,
  '',
  'x',
  [],
  {},
  [[]],
  true,
  'x'.repeat(70_000),
  '['.repeat(50_000),
  '{"__proto__":{"n":1}}',
];

const damages: Readonly<Record<string, (site: Site) => void>> = {
  'a text is cut': (site) => changeText(site, (text) => text.slice(0, site.random.int(0, text.length))),
  'a text goes on': (site) => changeText(site, (text) => text + site.random.pick([' ', '}', 'x', text])),
  'a bit is flipped': (site) =>
    changeText(site, (text) => {
      const at = site.random.int(0, text.length - 1);
      const flipped = String.fromCharCode(text.charCodeAt(at) ^ (1 << site.random.int(0, 6)));
      return text.slice(0, at) + flipped + text.slice(at + 1);
    }),
  'a text is of another type': (site) => changeText(site, () => anyOf(site.random, GARBAGE)),
  'a text is JSON of another kind': (site) => changeText(site, () => JSON.stringify(anyOf(site.random, GARBAGE))),
  'a number is another': (site) =>
    changeText(site, (text) => text.replace(/\d+/g, (one) => (site.random.chance(0.1) ? `${Number(one) + 1}` : one))),
  'the version is another': (site) =>
    changeText(site, (text) => text.replace(/"(v|version)":1/, site.random.pick(['"$1":2', '"$1":0', '"$1":"1"']))),
  'an entry is missing': (site) => changeEntries(site, (e) => e.toSpliced(site.random.int(0, e.length - 1), 1)),
  'an entry is doubled': (site) => changeEntries(site, (e) => [...e, anyOf(site.random, e)]),
  'entries are reordered': (site) => changeEntries(site, (e) => e.toReversed()),
  'an entry is garbage': (site) => changeEntries(site, (e) => [...e, anyOf(site.random, GARBAGE)]),
  'a batch is missing': (site) =>
    changeObject(site, (object) => ({
      ...object,
      data: without(object.data, [anyOf(site.random, batchKeys(object)) ?? '']),
    })),
  'the last batches are missing': (site) =>
    changeObject(site, (object) => ({
      ...object,
      data: without(object.data, batchKeys(object).slice(-site.random.int(1, 5))),
    })),
  'all batches are missing': (site) =>
    changeObject(site, (object) => ({ ...object, data: without(object.data, batchKeys(object)) })),
  'batches are exchanged': (site) =>
    changeObject(site, (object) => {
      const keys = batchKeys(object);
      const [one, other] = [anyOf(site.random, keys), anyOf(site.random, keys)];
      if (one === undefined || other === undefined) return object;
      return { ...object, data: { ...object.data, [one]: object.data[other], [other]: object.data[one] } };
    }),
  'a batch is doubled': (site) =>
    changeObject(site, (object) => {
      const last = batchKeys(object).at(-1);
      if (last === undefined) return object;
      const next = `b${String(Number(last.slice(1)) + 1).padStart(8, '0')}`;
      return {
        ...object,
        data: { ...object.data, [next]: object.data[anyOf(site.random, batchKeys(object)) ?? last] },
      };
    }),
  'a key is another': (site) =>
    changeObject(site, (object) => {
      const key = anyOf(site.random, Object.keys(object.data ?? {}));
      if (key === undefined) return object;
      return { ...object, data: { ...without(object.data, [key]), [`${key}0`]: object.data[key] } };
    }),
  'a batch is that of another run': (site) =>
    changeObject(site, (object, path) => {
      const theirs = foreignPart(site, path);
      const key = anyOf(site.random, batchKeys(theirs ?? {}));
      return key === undefined ? object : { ...object, data: { ...object.data, [key]: theirs.data[key] } };
    }),
  'a part is that of another run': (site) => changeObject(site, (object, path) => foreignPart(site, path) ?? object),
  'all batches of a part are those of another run': (site) =>
    changeObject(site, (object, path) => {
      const theirs = foreignPart(site, path);
      return theirs === undefined ? object : { ...object, data: { ...theirs.data, head: object.data?.head } };
    }),
  'a part is missing': (site) => void site.objects.delete(anyOf(site.random, pathsOf(site)) ?? ''),
  'the last part is missing': (site) => void site.objects.delete(pathsOf(site).at(-1) ?? ''),
  'parts are exchanged': (site) => {
    const [one = '', other = ''] = [anyOf(site.random, pathsOf(site)), anyOf(site.random, pathsOf(site))];
    const [left, right] = [site.objects.get(one), site.objects.get(other)];
    site.objects.set(one, right).set(other, left);
  },
  'a part is there twice': (site) => {
    const paths = pathsOf(site);
    const last = paths.at(-1) ?? '';
    site.objects.set(last.replace(/\d+$/, `${partOf(last) + 1}`), site.objects.get(anyOf(site.random, paths) ?? ''));
  },
  'a seal is broken, or made': (site) =>
    changeObject(site, (object) => ({ ...object, immutable: object.immutable ? undefined : true })),
  'an end is that of another time': (site) =>
    changeObject(site, (object, path) => {
      const then = anyOf(site.random, site.written.moments)?.get(path);
      if (then?.data === undefined) return object;
      // If the later batches are missing, too, this is the part as it was at that time.
      site.isStale = true;
      return { ...object, data: { ...object.data, end: then.data.end } };
    }),
  'an object is no object of ours': (site) => {
    const path = anyOf(site.random, pathsOf(site));
    if (path !== undefined) site.objects.set(path, anyOf(site.random, GARBAGE));
  },
  'an object has garbage in it': (site) =>
    changeObject(site, (object) => ({
      ...object,
      [site.random.pick(['data', 'metadata', 'immutable'])]: anyOf(site.random, GARBAGE),
    })),
  'a part is put back as it once was': (site) => {
    const path = anyOf(site.random, pathsOf(site)) ?? '';
    const then = anyOf(site.random, site.written.moments)?.get(path);
    if (then === undefined) return;
    site.objects.set(path, then);
    site.isStale = true;
  },
  'all is put back as it once was': (site) => {
    site.objects.clear();
    for (const [path, object] of anyOf(site.random, site.written.moments) ?? []) site.objects.set(path, object);
    site.isStale = true;
  },
};

function foreignPart({ foreign, random }: Site, path: string): Loose {
  const theirs = [...(foreign.moments.at(-1)?.values() ?? [])];
  return random.chance(0.7) ? theirs[partOf(path)] : anyOf(random, theirs);
}

/* ---- what the reader makes of it ---- */

const CLEAR =
  /^the run's journal can't be read: (?:its (?:part|batch) \d+|the (?:head|end) of its part \d+|entry \d+ of its batch \d+|hook \d+|it names pod \d+|it goes on after it was closed)\b[^\n]{0,200}$/;

const writtenOnes = async (): Promise<Written[]> => {
  const all: Written[] = [];
  for (let seed = 1; seed <= 60; seed += 1) all.push(await write(seed, seed % 6 === 0, `run${seed}`));
  return all;
};

describe('a journal that was damaged', async () => {
  const all = await writtenOnes();

  test('is read where it was not', () => {
    assert.ok(all.some(({ moments }) => (moments.at(-1)?.size ?? 0) >= 4));
    for (const { states } of all) assert.ok(states.every((state) => state !== 'none'));
  });

  test(`is refused with one clear line, or read right (${JOURNALS.title})`, async (t) => {
    const told = { refused: 0, right: 0, stale: 0 };
    for (let seed = FROM; seed < FROM + JOURNALS.count; seed += 1) {
      const random = new Random(seed);
      const written = anyOf(random, all) as Written;
      const foreign = anyOf(
        random,
        all.filter((other) => other !== written),
      ) as Written;
      const site: Site = { objects: new Map(written.moments.at(-1)), isStale: false, random, written, foreign };
      const names: string[] = [];
      for (let times = random.pick([1, 1, 1, 2, 3]); times > 0; times -= 1) {
        const name = anyOf(random, Object.keys(damages)) ?? '';
        damages[name]?.(site);
        names.push(name);
      }
      const what = `FUZZ_FROM=${seed} FUZZ_SEEDS=1: ${names.join(', then ')}`;
      let read: ReadJournal | undefined;
      try {
        read = await readJournal(readerOf(site.objects), written.place);
      } catch (error) {
        const isClear = error instanceof RestoreHooksError && error.code === 'RUN_FAILED' && CLEAR.test(error.message);
        assert.ok(isClear, `${what}\n${error instanceof Error ? error.stack : error}`);
        told.refused += 1;
        continue;
      }
      const state = stateOf(read);
      if (state === written.states.at(-1)) told.right += 1;
      else if (site.isStale && written.states.includes(state)) told.stale += 1;
      else {
        // The reader may report that there is no journal. The runner that takes the run refuses that.
        assert.ok(
          read === undefined && !site.objects.has(pathOfFirst(written)),
          `${what}\nread as ${state.slice(0, 500)}`,
        );
        told.refused += 1;
      }
      if (read !== undefined) resume(read.replay, written.hooks, 'fail', instant(0));
    }
    t.diagnostic(JSON.stringify(told));
    if (JOURNALS.count >= 500)
      assert.ok(told.refused > JOURNALS.count / 2 && told.right > 0 && told.stale > 0, JSON.stringify(told));
  });
});

const pathOfFirst = ({ moments }: Written): string => [...(moments[0]?.keys() ?? [])][0] ?? '';
