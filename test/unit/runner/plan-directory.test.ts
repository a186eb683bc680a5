import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readPlanDirectory } from '../../../runner/plan-directory.ts';
import { RestoreHooksError } from '../../../shared/core/errors.ts';
import { planDocument } from '../../../shared/core/plan/make-plan-document.ts';
import { payloadOf } from '../../../shared/core/report/run-input.ts';
import { execHook } from '../runtime/hooks.ts';

const hooks = [execHook('p')];
const plan = planDocument({
  restore: { namespace: 'velero', name: 'nightly' },
  selector: { labelSelector: 'a=b' },
  hooks,
  skipped: [],
  notices: [],
});
const payload = payloadOf({ plan, hooks, kept: [], pods: [] });

function read(object: object) {
  const directory = mkdtempSync(path.join(tmpdir(), 'restorehooks-plan-'));
  try {
    writeFileSync(path.join(directory, 'plan-000'), gzipSync(JSON.stringify(object)));
    return readPlanDirectory(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

// R9.21
describe('a runner with a plan', () => {
  it('of the same version reads it', () => assert.equal(read(payload).plan.digest, plan.digest));

  for (const [pluginVersion, stands] of [
    ['99.0.0', /older than the plugin that made the plan \(99\.0\.0\)/],
    ['0.0.1', /newer than the plugin that made the plan \(0\.0\.1\)/],
  ] as const) {
    it(`of plugin ${pluginVersion} says so in one line, also where it can't read the rest`, () => {
      for (const given of [
        { ...payload, pluginVersion },
        { version: 7, pluginVersion, unknown: {} },
      ]) {
        assert.throws(
          () => read(given),
          (error) =>
            error instanceof RestoreHooksError &&
            stands.test(error.message) &&
            !error.message.includes('\n') &&
            error.hint?.includes(`runner:v${pluginVersion}`) === true,
        );
      }
    });
  }
});
