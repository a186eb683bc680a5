import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { olderOrNewer, runnerSkew, serverSkew, versionOfImage } from '../../../shared/core/skew.ts';
import { DEFAULT_IMAGE, VERSION } from '../../../shared/core/version.ts';

// R9.20
describe('versions that differ', () => {
  it('are told by an image only where its tag is a version', () => {
    assert.equal(versionOfImage(DEFAULT_IMAGE), VERSION);
    assert.equal(versionOfImage('registry.example.com:5000/a/runner:1.2.3-rc.1@sha256:0000'), '1.2.3-rc.1');
    for (const image of ['runner', 'runner:latest', 'r.example.com:5000/runner', `runner@sha256:${'0'.repeat(64)}`]) {
      assert.equal(versionOfImage(image), undefined, image);
      assert.equal(runnerSkew(image), undefined, image);
    }
  });

  it('are told as older or newer, number by number', () => {
    assert.equal(olderOrNewer('0.9.0', '0.10.0'), 'older');
    assert.equal(olderOrNewer('1.0.0', '0.99.99'), 'newer');
    assert.equal(olderOrNewer('1.0.0-rc.1', '1.0.0'), 'other');
    assert.match(runnerSkew('runner:v0.0.1') ?? '', /is version 0\.0\.1, older than this plugin's /);
    assert.match(runnerSkew('runner:v99.0.0') ?? '', /is version 99\.0\.0, newer than this plugin's /);
    assert.equal(runnerSkew(DEFAULT_IMAGE), undefined);
  });

  it('of the server matter before Kubernetes 1.29', () => {
    assert.match(serverSkew('v1.28.9+k3s1') ?? '', /^before 1\.29 a Job /);
    for (const version of ['v1.29.0', 'v1.35.4-eks-1', 'something else']) assert.equal(serverSkew(version), undefined);
  });
});
