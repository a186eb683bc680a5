import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { instant } from '../../../../shared/core/model/instant.ts';
import { planDocument } from '../../../../shared/core/plan/make-plan-document.ts';
import { parsePayload } from '../../../../shared/core/report/payload.ts';
import type { RunInput } from '../../../../shared/core/report/run-input.ts';
import { parseRunInput, payloadOf } from '../../../../shared/core/report/run-input.ts';
import { execHook, initHook } from '../../runtime/hooks.ts';

const hooks = [execHook('p', { waitTimeoutMs: 1_500 }), initHook('p')];
const plan = planDocument({
  restore: { namespace: 'velero', name: 'nightly' },
  selector: { labelSelector: 'a=b' },
  hooks,
  skipped: [],
  notices: [],
});
const { hooks: _, ...planned } = plan;
const input: RunInput = {
  plan: planned,
  hooks,
  kept: [{ hook: hooks[1] ?? assert.fail(), run: 1, attempt: 1, state: 'Succeeded', finishedAt: instant(2_000) }],
  pods: [],
  attempt: 2,
  narrowed: true,
};

describe('what a runner carries out', () => {
  it('comes back the same from what is stored for a Job', () => {
    const parsed = parsePayload(JSON.parse(JSON.stringify(payloadOf(input))));
    assert.ok(parsed.ok);
    assert.deepEqual(parseRunInput(parsed.value), input);
  });

  it('is stored in the order of fields that runners of this version have always read', () => {
    const stored = payloadOf(input);
    assert.deepEqual(Object.keys(stored), ['version', 'pluginVersion', 'plan', 'kept', 'pods', 'attempt', 'narrowed']);
    assert.deepEqual(stored.plan, plan);
  });
});
