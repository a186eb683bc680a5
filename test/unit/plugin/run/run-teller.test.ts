import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RunTeller } from '../../../../plugin/run/run-teller.ts';
import { ExitCode } from '../../../../shared/core/errors.ts';
import type { Starting } from '../../../../shared/core/ledger/decision.ts';
import type { JobPatch } from '../../../../shared/core/manifests/job-patch.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import { parseRestore } from '../../../../shared/core/model/restore.ts';
import { planDocument } from '../../../../shared/core/plan/make-plan-document.ts';
import type { RunStatus } from '../../../../shared/core/report/run-status.ts';
import { DEFAULT_IMAGE } from '../../../../shared/core/version.ts';
import { newStatus } from '../../../../shared/kubernetes/run/claim.ts';
import { execHook } from '../../runtime/hooks.ts';
import { keeper } from '../harness.ts';

const hook = execHook('p');
const planned = {
  restore: { namespace: 'velero', name: 'nightly' },
  selector: { labelSelector: 'a=b' },
  skipped: [],
  notices: [],
};
const plan = planDocument({ ...planned, hooks: [hook] });
const parsed = parseRestore({
  apiVersion: 'velero.io/v1',
  kind: 'Restore',
  metadata: { namespace: 'velero', name: 'nightly' },
  spec: { backupName: 'daily' },
  status: { phase: 'Completed' },
});
assert.ok(parsed.ok);
const restore = parsed.value;
const starting: Starting = {
  action: 'start',
  kept: [],
  difference: [],
  lost: [],
  begun: [],
  starts: {},
  quiet: [],
  takesOver: undefined,
};

const statusOf = (more: Partial<RunStatus>): RunStatus => ({
  ...newStatus(restore, {
    runID: 'abcdef',
    planned: { document: plan },
    runner: { kind: 'job', name: 'j' },
    options: { failOn: 'fail' },
    now: instant(0),
  }),
  ...more,
});

function teller(
  runner: 'job' | 'local' = 'job',
  more: { image?: string; imageFrom?: string; patches?: JobPatch[] } = {},
) {
  const stderr = keeper();
  const told = new RunTeller(
    { namespace: 'velero', cluster: 'kind (https://example.com)' },
    'nightly',
    {
      imageFrom: undefined,
      patches: [],
      image: 'example.com/runner:1',
      serviceAccount: 'restorehooks',
      runner,
      ...more,
    },
    { stderr },
  );
  return { told, lines: () => stderr.text().split('\n').slice(0, -1) };
}

describe('RunTeller', () => {
  // R8.25
  it('says where the image is named, and what changes the Job', () => {
    const patches = ['ConfigMap restorehooks-defaults', 'node.yaml'].map((from) => ({ from, patch: {} }));
    const { told, lines } = teller('job', { imageFrom: 'ConfigMap restorehooks-defaults', patches });
    told.announce(restore, plan, starting, []);
    assert.deepEqual(lines().slice(2, 4), [
      'runner    Job as ServiceAccount restorehooks, image example.com/runner:1 (ConfigMap restorehooks-defaults)',
      'patch     the Job is changed by ConfigMap restorehooks-defaults, then node.yaml',
    ]);
  });

  // R7.3
  it('announces where, with which runner and which plan, once for each plan', () => {
    const { told, lines } = teller();
    told.announce(restore, plan, starting, ['unchecked']);
    told.announce(restore, plan, starting, ['unchecked']);
    assert.deepEqual(lines(), [
      'context   kind (https://example.com)',
      'restore   velero/nightly, backup daily',
      'runner    Job as ServiceAccount restorehooks, image example.com/runner:1',
      `plan      1 hook in 1 pod of 1 namespace, ${plan.digest}`,
      'rights    unchecked',
    ]);
  });

  // R6.1.4
  it('warns of a Fail hook that is kept as failed beside hooks that it would have stopped', () => {
    const warned = (kept: Starting['kept'], wave = 1, dropped: Starting['kept'] = []): string[] => {
      const { told, lines } = teller();
      const gate = execHook('gate', { onError: 'Fail' });
      const hooks = [gate, execHook('web', { wave })];
      told.announce(restore, planDocument({ ...planned, hooks }), { ...starting, kept, dropped }, []);
      return lines().filter((line) => /^(warning: ns|hint)/.test(line));
    };
    const row = { run: 1, attempt: 1 } as const;
    const failed = {
      ...row,
      hook: execHook('gate', { onError: 'Fail' }),
      state: 'Failed',
      reason: 'exit',
      exitCode: 1,
    } as const;
    assert.deepEqual(warned([failed]), [
      'warning: ns/gate/main/h/0 (onError: Fail) is kept as Failed, and holds up nothing: 1 hook of this wave or later run now',
      'hint: retry runs what did not succeed, in order, and stops at it: kubectl restorehooks retry nightly -n velero',
    ]);
    assert.deepEqual(warned([{ ...failed, hook: execHook('gate') }]), []);
    assert.deepEqual(warned([{ ...row, hook: failed.hook, state: 'Succeeded' }]), []);
    assert.match(
      warned([], 1, [{ ...failed, hook: execHook('old', { onError: 'Fail' }) }])[0] ?? '',
      /^warning: ns\/old\/main\/h\/0 \(onError: Fail\) is Failed and not in this plan, and holds up nothing: 2 hooks of /,
    );
    assert.deepEqual(warned([failed], -1), [], 'a lower wave is not held by it');
    assert.deepEqual(warned([failed, { ...row, hook: execHook('web', { wave: 1 }), state: 'Succeeded' }]), []);
  });

  it('announces what earlier runs leave: kept results, lost commands, pods that stay quiet', () => {
    const { told, lines } = teller('local');
    told.announce(
      restore,
      plan,
      {
        ...starting,
        kept: [{ hook, run: 1, attempt: 1, state: 'Succeeded' }],
        lost: [{ id: hook.id, since: '' }],
        quiet: [{ namespace: 'ns', pod: 'p' }],
        difference: ['+ a'],
      },
      [],
    );
    assert.deepEqual(lines().slice(2), [
      'runner    this process',
      `plan      1 hook in 1 pod of 1 namespace, ${plan.digest}`,
      'kept      1 hook of earlier runs: not run again',
      'again     1 hook that may have been run',
      'quiet     ns/p: a command of an earlier run may be running there until ever',
      '          + a',
    ]);
  });

  // R5.4
  it('tells how a run has ended, and gives its exit code', () => {
    const { told, lines } = teller();
    const failure = { code: 'job', message: 'the runner died' } as const;
    const { exit, view } = told.ended(restore, statusOf({ phase: 'Failed', failure }), []);
    assert.equal(exit, ExitCode.RunFailed);
    assert.equal(view?.kind, 'document');
    assert.match(lines().join('\n'), /^Failed: .*: the runner died$/);
  });

  it('shows a run that has not ended with exit code 0', () => {
    assert.equal(teller().told.shown(restore, statusOf({ phase: 'InProgress' }), []).exit, ExitCode.Ok);
  });

  it('refuses with the command that follows the other run', () => {
    const { code, message, hint } = teller().told.refused('run abcdef is still going');
    assert.deepEqual(
      [code, message, hint],
      ['RUN_BY_ANOTHER', 'run abcdef is still going', 'follow it: kubectl restorehooks status nightly -n velero -w'],
    );
  });
});

// R9.20
describe('what apply says before it starts anything', () => {
  const announced = (image: string, runner: 'job' | 'local' = 'job'): string => {
    const { told, lines } = teller(runner, { image });
    told.announce(restore, plan, starting, []);
    return lines().join('\n');
  };

  it('warns of a runner that is older or newer than the plugin, as far as the tag tells it', () => {
    assert.match(announced('r.example.com/runner:v0.0.1'), /^warning: by its tag .* is version 0\.0\.1, older than /m);
    assert.match(
      announced('r.example.com/runner:v99.1.0'),
      /^warning: by its tag .* is version 99\.1\.0, newer than /m,
    );
  });

  it('warns of no image that fits or says nothing, and of none where this process is the runner', () => {
    for (const image of [DEFAULT_IMAGE, 'runner:latest', `runner@sha256:${'0'.repeat(64)}`]) {
      assert.doesNotMatch(announced(image), /warning/, image);
    }
    assert.doesNotMatch(announced('runner:v0.0.1', 'local'), /warning/);
  });
});
