import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { resume } from '../../../../shared/core/journal/resume.ts';
import type { HookId } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import type { PlanPosition } from '../../../../shared/core/model/position.ts';
import type { JournalClient } from '../../../../shared/kubernetes/run/journal.ts';
import { KubernetesJournal } from '../../../../shared/kubernetes/run/journal.ts';
import type { JournalPlace } from '../../../../shared/kubernetes/run/journal-reader.ts';
import { readJournal } from '../../../../shared/kubernetes/run/journal-reader.ts';
import { FakeApi, refusal } from '../../../sim/fake-api.ts';
import { Random } from '../../../sim/random.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';

interface Part {
  readonly data: Record<string, string>;
  readonly immutable?: boolean;
  readonly metadata: { readonly name: string };
}

/** A server that answers after `latencyMs`, and can lose requests or answers. */
function bench(count: number, latencyMs = 10) {
  const clock = new VirtualClock();
  const api = new FakeApi(clock, new Random(1));
  const hooks = Array.from({ length: count }, (_, index) => ({ id: `ns/p${index}/a/h/0` as HookId }));
  const place: JournalPlace = {
    restore: { namespace: 'velero', name: 'nightly', uid: 'u' },
    head: { runID: 'abcdef', planDigest: 'sha256:1', hooks: count },
  };
  const parts = new Map<string, Part>();
  api.written = (path, object) => parts.set(path, object as never);
  /** `before`: the request is lost; `after`: its answer is lost. */
  const losses: ('before' | 'after' | undefined)[] = [];
  /** How many reads are denied, as by an API server that has just started. */
  const self = { denials: 0, refusals: 0 };
  const slow = <T>(work: () => Promise<T>): Promise<T> => {
    const loss = losses.shift();
    const broken = new RestoreHooksError('CLUSTER_UNREACHABLE', 'the connection was closed in the middle');
    return new Promise((resolve, reject) => {
      clock.setTimer(latencyMs, () => {
        if (loss === 'before') reject(broken);
        else work().then((answer) => (loss === 'after' ? reject(broken) : resolve(answer)), reject);
      });
    });
  };
  const client: JournalClient = {
    get(path) {
      if (self.denials === 0) return api.calm.get(path);
      self.denials -= 1;
      return Promise.reject(new RestoreHooksError('FORBIDDEN', 'not yet'));
    },
    create: (path, object) => slow(() => api.calm.create(path, object)),
    patch: (path, body, type) =>
      slow(() => {
        if (self.refusals === 0) return api.calm.patch(path, body, type);
        self.refusals -= 1;
        return Promise.reject(refusal(422, 'Invalid', 'denied by policy'));
      }),
  };
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    let isOver = false;
    const noted = promise.finally(() => {
      isOver = true;
    });
    noted.catch(() => undefined);
    for (let until: number = clock.now(); !isOver; until += 1_000) await clock.runUntilWithPromises(until);
    return noted;
  };
  const take = async () =>
    settled(readJournal(client, place).then((read) => KubernetesJournal.take(client, clock, place, hooks, read)));
  return { clock, api, client, hooks, place, parts, losses, self, settled, take };
}

const id = (index: number): HookId => `ns/p${index}/a/h/0` as HookId;
const intent = { attempt: 1, podUID: undefined };
const ended = (at: number) =>
  ({
    phase: 'Ended',
    outcome: { state: 'Succeeded', exitCode: 0 },
    startedAt: instant(at),
    endedAt: instant(at + 1),
  }) as const;

describe('a journal in ConfigMaps', () => {
  // R6.10
  test('is written at most once in ten hooks where they end faster than writes return', async () => {
    const { clock, hooks, take, place, client, settled } = bench(1_000);
    const journal = await take();
    let next = 0;
    let running = 0;
    const admit = (): void => {
      while (running < 64 && next < hooks.length) {
        const hook = id(next);
        next += 1;
        running += 1;
        journal.intent(hook, intent, () => {
          journal.started(hook, clock.now());
          clock.setTimer(1 + (next % 8), () => {
            journal.result(hook, ended(clock.now()));
            running -= 1;
            admit();
          });
        });
      }
    };
    admit();
    await clock.runUntilWithPromises(600_000);
    const read = await settled(readJournal(client, place));
    assert.equal(read?.replay.hooks.size, 1_000);
    assert.ok([...(read?.replay.hooks.values() ?? [])].every(({ phase }) => phase === 'ended'));
    assert.ok(journal.writes / 1_000 <= 0.1, `${journal.writes} writes`);
  });

  test('holds up a start only while many hooks run, for half a second at the most, and not where many wait', async () => {
    for (const [running, starting, waitsMs] of [
      [0, 1, 0],
      [6, 1, 0],
      [18, 1, 100],
      [63, 1, 325],
      [63, 20, 0],
      [1_000, 1, 500],
    ] as const) {
      const { clock, take } = bench(2_000);
      const journal = await take();
      for (let index = 0; index < running; index += 1) journal.intent(id(index), intent, () => undefined);
      // The clock is at the time of the last event.
      clock.setTimer(5_000, () => undefined);
      await clock.runUntilWithPromises(clock.now() + 5_000);
      const wroteAt = clock.now();
      journal.intent(id(1_000), intent, () => undefined);
      await clock.runUntilWithPromises(wroteAt + 10);
      let recordedAt = Number.NaN;
      for (let index = 1; index <= starting; index += 1) {
        journal.intent(id(1_000 + index), intent, () => {
          recordedAt = clock.now();
        });
      }
      await clock.runUntilWithPromises(wroteAt + 5_000);
      const what = `${running} run, ${starting} more: durable after ${recordedAt - wroteAt} ms`;
      assert.ok(Math.abs(recordedAt - wroteAt - Math.max(waitsMs, 10) - 10) <= 10, what);
    }
  });

  // R8.46, R3.86
  test('tells that something is durable as soon as it is, although other hooks go on beginning and ending', async () => {
    const { clock, take } = bench(2_000, 600);
    const journal = await take();
    const from = clock.now();
    let next = 0;
    const begin = (): void => {
      const hook = id(next);
      next += 1;
      journal.intent(hook, intent, () => {
        clock.setTimer(500 + ((next * 997) % 9_000), () => {
          journal.result(hook, ended(clock.now()));
          if (clock.now() < from + 60_000) begin();
        });
      });
    };
    for (let slot = 0; slot < 64; slot += 1) clock.setTimer(slot * 78, begin);
    let durableAt = Number.POSITIVE_INFINITY;
    clock.setTimer(20_000, () =>
      journal.whenDurable(() => {
        durableAt = clock.now();
      }),
    );
    await clock.runUntilWithPromises(from + 120_000);
    assert.ok(durableAt <= from + 22_000, `durable after ${durableAt - from - 20_000} ms`);
  });

  test('goes on in another object long before one is too large, and is read again within 3 s for 10,000 hooks', async () => {
    const { clock, hooks, take, place, client, parts, settled } = bench(10_000);
    const journal = await take();
    for (const [index, { id: hook }] of hooks.entries()) {
      journal.intent(hook, intent, () => undefined);
      journal.result(hook, ended(index));
      if (index % 50 === 49) await clock.runUntilWithPromises(clock.now() + 10);
    }
    await clock.runUntilWithPromises(clock.now() + 60_000);
    const sizes = [...parts.values()].map(({ data }) => JSON.stringify(data).length);
    assert.ok(sizes.length > 5 && Math.max(...sizes) < 128 * 1024, `${sizes}`);
    assert.deepEqual(
      [...parts.values()].map(({ immutable = false }) => immutable).filter((sealed) => !sealed).length,
      1,
    );
    const from = performance.now();
    const read = await settled(readJournal(client, place));
    assert.ok(read);
    const { resumed } = resume(read.replay, hooks, 'fail', instant(0));
    assert.equal(resumed.ended.size, 10_000);
    const ms = performance.now() - from;
    assert.ok(ms < 3_000, `${ms} ms`);
  });

  // R6.1
  test('holds an intent until it is durable, also where answers and requests are lost', async () => {
    const { clock, take, place, client, losses, settled } = bench(3);
    const journal = await take();
    losses.push('after', 'before', 'before');
    let isRecorded = false;
    const at = clock.now();
    journal.intent(id(0), intent, () => {
      isRecorded = true;
    });
    await clock.runUntilWithPromises(clock.now() + 5);
    assert.equal(isRecorded, false);
    await clock.runUntilWithPromises(clock.now() + 60_000);
    assert.equal(isRecorded, true);
    const read = await settled(readJournal(client, place));
    assert.deepEqual(read?.replay.hooks.get(0 as PlanPosition), { phase: 'begun', tries: 1, at });
    assert.equal(read?.end.batches, 2);
  });

  test('believes a denial only when it lasts, also where it looks after a write that was lost', async () => {
    for (const [denials, isBelieved] of [
      [2, false],
      [50, true],
    ] as const) {
      const { clock, take, losses, self } = bench(1);
      const journal = await take();
      losses.push('after');
      self.denials = denials;
      const told: string[] = [];
      journal.onLost(({ code }) => told.push(code));
      let isRecorded = false;
      journal.intent(id(0), intent, () => {
        isRecorded = true;
      });
      await clock.runUntilWithPromises(clock.now() + 60_000);
      assert.deepEqual([isRecorded, told], [!isBelieved, isBelieved ? ['FORBIDDEN'] : []]);
    }
  });

  test('whose write is refused for good is lost, with the verb and the object; one refused a few times is written', async () => {
    for (const [refusals, isBelieved] of [
      [3, false],
      [50, true],
    ] as const) {
      const { clock, take, self } = bench(1);
      const journal = await take();
      self.refusals = refusals;
      const told: string[] = [];
      journal.onLost(({ code, message }) => told.push(`${code}: ${message}`));
      let isRecorded = false;
      journal.intent(id(0), intent, () => {
        isRecorded = true;
      });
      await clock.runUntilWithPromises(clock.now() + 60_000);
      const why =
        'RUN_FAILED: patch configmaps velero/restorehooks-nightly-abcdef-journal-0: denied by policy (HTTP 422)';
      assert.deepEqual([isRecorded, told], [!isBelieved, isBelieved ? [why] : []]);
    }
  });

  // R6.7
  test('that another runner has taken is written no more, and says so once', async () => {
    const { clock, take } = bench(3);
    const first = await take();
    const told: string[] = [];
    first.onLost(({ code }) => told.push(code));
    const second = await take();
    first.intent(id(0), intent, () => assert.fail('it was taken'));
    await clock.runUntilWithPromises(clock.now() + 60_000);
    first.result(id(1), ended(1));
    await clock.runUntilWithPromises(clock.now() + 60_000);
    assert.deepEqual(told, ['RUN_BY_ANOTHER']);
    let isRecorded = false;
    second.intent(id(0), intent, () => {
      isRecorded = true;
    });
    await clock.runUntilWithPromises(clock.now() + 60_000);
    assert.equal(isRecorded, true);
  });

  test("is one runner's where two begin it at once", async () => {
    const { take } = bench(3);
    const [one, other] = await Promise.allSettled([take(), take()]);
    const codes = [one, other].map((each) =>
      each.status === 'fulfilled' ? 'taken' : (each.reason as RestoreHooksError).code,
    );
    assert.deepEqual(codes.sort(), ['RUN_BY_ANOTHER', 'taken']);
  });

  test('that somebody cut, changed or mixed up is refused', async () => {
    const { clock, take, place, client, api, parts, settled } = bench(2_000);
    const journal = await take();
    for (let index = 0; index < 2_000; index += 1) {
      journal.intent(id(index), intent, () => undefined);
      journal.result(id(index), ended(index));
      if (index % 20 === 19) await clock.runUntilWithPromises(clock.now() + 10);
    }
    await clock.runUntilWithPromises(clock.now() + 60_000);
    const whole = new Map(parts);
    const paths = [...whole.keys()];
    assert.ok(paths.length >= 2);
    const known = async () => JSON.stringify([...((await settled(readJournal(client, place)))?.replay.hooks ?? [])]);
    const right = await known();
    const change = fc.record({
      path: fc.constantFrom(...paths),
      key: fc.nat(),
      how: fc.constantFrom('drop', 'cut', 'swap', 'digit', 'double'),
      at: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ path, key, how, at }) => {
        const part = whole.get(path) as Part;
        const names = Object.keys(part.data);
        const name = names[key % names.length] ?? '';
        const text = part.data[name] ?? '';
        const data = { ...part.data };
        const other = names[at % names.length] ?? '';
        if (how === 'drop') delete data[name];
        else if (how === 'cut') data[name] = text.slice(0, at % text.length);
        else if (how === 'swap') [data[name], data[other]] = [part.data[other] ?? '', text];
        else if (how === 'double') data[`${name}0`] = text;
        else data[name] = text.replace(/\d/, (digit) => String((Number(digit) + 1) % 10));
        api.put(path, { ...part, data } as never);
        try {
          assert.equal(await known(), right);
        } catch (error) {
          if (!(error instanceof RestoreHooksError) || error.code !== 'RUN_FAILED') throw error;
        } finally {
          api.put(path, part as never);
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});
