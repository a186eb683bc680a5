import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireSame } from '../../../../plugin/input/saved-plan.ts';
import type { PlanDocument } from '../../../../shared/core/plan/plan-document.ts';

const planWith = (digest: string, source: 'file' | 'spec', ...notices: PlanDocument['notices']): PlanDocument =>
  ({ digest, hooks: [{ id: 'shop/p/a/h/0', source }], notices }) as unknown as PlanDocument;

// R7.6
test('a saved plan that does not fit names the flags that it had, and apply has not', () => {
  const hint = (saved: PlanDocument, now: PlanDocument): string => {
    try {
      requireSame(saved, now);
    } catch (error) {
      return (error as { readonly hint: string }).hint;
    }
    return assert.fail('it fits');
  };
  const skips = { code: 'hooks-skipped', message: '--skip leaves out q' };
  const detaches = { code: 'detach-all', message: '--detach: all commands are detached' };
  const busy = { code: 'restore-failed', message: 'another notice' };
  const saved = planWith('1', 'file', skips, detaches, busy);
  assert.match(hint(saved, planWith('2', 'spec')), /\(missing: --hooks, --skip, --detach; perhaps --only, --rerun/);
  const other = { ...skips, message: '--skip leaves out p' };
  assert.match(hint(saved, planWith('2', 'file', other, detaches)), /\(missing: --skip; perhaps --only, /);
  assert.match(hint(saved, planWith('2', 'file', detaches, skips)), /had \(--only, --rerun and others\), or review/);
});
