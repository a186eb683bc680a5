import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refusedByServer } from '../../../../shared/kubernetes/api/api-error.ts';
import type { Query } from '../../../../shared/kubernetes/api/client.ts';
import type { KubeObject } from '../../../../shared/kubernetes/api/kube-object.ts';
import type { WatchEnd, WatchEvent } from '../../../../shared/kubernetes/api/watch-stream.ts';
import { RestoreWatch } from '../../../../shared/kubernetes/velero/restore-watch.ts';
import { manualClock } from '../../plugin/harness.ts';

function watched() {
  const asked: { query: Query; event: (event: WatchEvent) => void; end: (end: WatchEnd) => void }[] = [];
  const told: (KubeObject | undefined)[] = [];
  let stopped = 0;
  const clock = manualClock();
  const client = {
    watch(_: string, query: Query, event: (event: WatchEvent) => void, end: (end: WatchEnd) => void) {
      asked.push({ query, event, end });
      return () => {
        stopped += 1;
      };
    },
  };
  const watch = new RestoreWatch(client, clock, { namespace: 'velero', name: 'nightly' }, (object) =>
    told.push(object),
  );
  return { watch, clock, asked, told, stopped: () => stopped };
}
const restore = (resourceVersion: string) => ({ metadata: { name: 'nightly', resourceVersion } }) as KubeObject;
const refused = (status: number) =>
  refusedByServer({ status, body: '{}', server: new URL('https://example.com'), request: 'watch' });

// R7.39
describe('the watch of a Restore', () => {
  it('begins where the Restore was read first, and tells each change', () => {
    const { watch, asked, told } = watched();
    watch.seen('10');
    watch.seen('11');
    assert.equal(asked.length, 1);
    assert.deepEqual(asked[0]?.query, {
      fieldSelector: 'metadata.name=nightly',
      resourceVersion: '10',
      allowWatchBookmarks: 'true',
    });
    assert.equal(watch.isOn, false, 'nothing has come through it yet');
    asked[0]?.event({ type: 'BOOKMARK', object: restore('12') });
    assert.deepEqual([watch.isOn, told.length], [true, 0]);
    asked[0]?.event({ type: 'MODIFIED', object: restore('13') });
    asked[0]?.event({ type: 'DELETED', object: restore('14') });
    assert.deepEqual(told, [restore('13'), undefined]);
  });

  it('begins again after a moment, where the Restore was read last', () => {
    const { watch, asked, clock } = watched();
    watch.seen('10');
    for (const error of [undefined, refused(410), refused(500), refused(401)]) {
      asked.at(-1)?.event({ type: 'MODIFIED', object: restore('11') });
      asked.at(-1)?.end(error === undefined ? {} : { error });
      assert.equal(watch.isOn, false);
      const before = asked.length;
      watch.seen('20');
      assert.equal(asked.length, before, 'not at once');
      clock.pass(1_000);
      watch.seen('21');
      assert.equal(asked.length, before + 1);
      assert.equal(asked.at(-1)?.query['resourceVersion'], '21');
    }
  });

  it('is given up where it is refused: polling does as well', () => {
    for (const status of [403, 404, 405]) {
      const { watch, asked, clock } = watched();
      watch.seen('10');
      asked[0]?.end({ error: refused(status) });
      clock.pass(60_000);
      watch.seen('11');
      assert.deepEqual([asked.length, watch.isOn], [1, false]);
    }
  });

  it('asks nothing after its stop', () => {
    const { watch, asked, stopped } = watched();
    watch.seen('10');
    watch.stop();
    watch.seen('11');
    assert.deepEqual([asked.length, stopped()], [1, 1]);
  });
});
