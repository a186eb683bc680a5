import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as z from 'zod';
import { FindingsDocument } from '../../../shared/core/lint/findings-document.ts';
import { Defaults } from '../../../shared/core/manifests/defaults.ts';
import { parseRestore } from '../../../shared/core/model/restore.ts';
import { ExplanationDocument } from '../../../shared/core/plan/explanation-document.ts';
import { PlanDocument } from '../../../shared/core/plan/plan-document.ts';
import { planRun } from '../../../shared/core/plan/plan-run.ts';
import { CheckDocument } from '../../../shared/core/report/check-document.ts';
import { PlanDifference } from '../../../shared/core/report/plan-difference.ts';
import { RunDocument } from '../../../shared/core/report/run-document.ts';
import { RunList } from '../../../shared/core/report/run-list.ts';
import { RunStatus } from '../../../shared/core/report/run-status.ts';

const folder = join(import.meta.dirname, '../../../docs/schemas');
const published = {
  'RestoreHookDefaults.json': ['What runs have in common: `setup --defaults`', Defaults],
  'RestoreHookExplanation.json': ['Why pods have their hooks: `plan --explain -o json`', ExplanationDocument],
  'RestoreHookCheck.json': ['What a run would need: `check -o json`', CheckDocument],
  'RestoreHookFindings.json': ['What lint has found: `lint -o json`', FindingsDocument],
  'RestoreHookPlan.json': ['A plan: `plan -o json`', PlanDocument],
  'RestoreHookPlanDifference.json': ['What has changed in a plan: `plan --diff -o json`', PlanDifference],
  'RestoreHookRun.json': ['A run: `status -o json`, `apply -o json`', RunDocument],
  'RestoreHookRunList.json': ['Restores with their last runs: `list -o json`', RunList],
  'status-annotation.json': ["The Restore's annotation restorehooks.io/status", RunStatus],
} as const;

describe('published JSON Schemas', () => {
  for (const [file, [title, model]] of Object.entries(published)) {
    // R7.22, R9.1
    it(`${file} is what the code writes (UPDATE=1 writes the file)`, () => {
      const schema = `${JSON.stringify({ title, ...z.toJSONSchema(model) }, undefined, 2)}\n`;
      if (process.env['UPDATE'] === '1') writeFileSync(join(folder, file), schema);
      assert.equal(readFileSync(join(folder, file), 'utf8'), schema);
    });
  }

  // R7.22
  it('a real plan is valid by the published schema, and one with an unknown field is not', () => {
    const validate = new Ajv2020().compile(JSON.parse(readFileSync(join(folder, 'RestoreHookPlan.json'), 'utf8')));
    const restore = parseRestore({
      metadata: { name: 'r1', namespace: 'velero', uid: 'u' },
      spec: { hooks: { resources: [{ name: 'h', postHooks: [{ exec: { command: ['c'], waitTimeout: '90s' } }] }] } },
    });
    assert.ok(restore.ok);
    const { document } = planRun({
      restore: restore.value,
      namespace: 'velero',
      pods: [
        {
          metadata: { name: 'p', namespace: 'n', uid: 'v', labels: {}, annotations: {}, ownerReferences: [] },
          spec: { containers: [{ name: 'c' }], initContainers: [] },
          status: undefined,
        },
      ],
      selector: { labelSelector: 'a=b' },
      rerun: false,
      only: [],
    });
    assert.equal(document.hooks[0]?.waitTimeout, '1m30s');
    assert.equal(validate(JSON.parse(JSON.stringify(document))), true, JSON.stringify(validate.errors));
    assert.equal(validate({ ...document, surprise: 1 }), false);
  });
});
