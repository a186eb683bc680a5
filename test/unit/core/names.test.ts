import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOST_SHARDS } from '../../../shared/core/model/shard.ts';
import { backupName, leaseName, nameOfA, restoreName, runName, SERVICE_ACCOUNT } from '../../../shared/core/names.ts';

// R5.1
test("a run's name never is over 60 characters, so that the pods of 64 shards have host names", () => {
  assert.equal(runName('r1', 'abcdef'), 'restorehooks-r1-abcdef');
  assert.equal(`${runName('r'.repeat(253), 'abcdef')}-${MOST_SHARDS - 1}`.length, 63);
});

// R5.22
test('the Lease and the ServiceAccount have names that others can rely on', () => {
  assert.equal(SERVICE_ACCOUNT, 'restorehooks');
  assert.equal(leaseName('nightly'), 'restorehooks-nightly');
  assert.equal(leaseName('n'.repeat(253)).length, 63);
});

// R8.42
test("a shard's Lease has a name that no Restore's Lease has", () => {
  assert.equal(leaseName('nightly', { index: 0 }), leaseName('nightly'));
  assert.equal(leaseName('nightly', { index: 2 }), 'restorehooks.shard-2.nightly');
});

// R1.2
test("a Restore's name is also read from what kubectl get -o name prints, and is never empty or another kind's", () => {
  for (const given of ['r', 'restore/r', 'restores/r', 'Restore/r', 'restore.velero.io/r', 'restores.v1.velero.io/r']) {
    assert.equal(restoreName(given), 'r', given);
  }
  for (const given of ['', 'restore/', 'backup/r', 'restore.k8up.io/r', 'restore/a/b', '/r']) {
    assert.throws(() => restoreName(given), { code: 'INVALID_ARGUMENT' }, given);
  }
});

// R1.2
test("a Backup's name is read in the same way, and a flag takes a name alone", () => {
  for (const given of ['b', 'backup/b', 'backups/b', 'backup.velero.io/b', 'backups.v1.velero.io/b']) {
    assert.equal(backupName(given), 'b', given);
  }
  for (const given of ['', '..', 'backup/', 'restore/b', 'backup/a/b', 'a/b', 'B']) {
    assert.throws(() => backupName(given), { code: 'INVALID_ARGUMENT' }, given);
    assert.equal(nameOfA('Backup').is(given), false, given);
  }
  assert.equal(nameOfA('Backup').is('nightly-1.a'), true);
});
