import { canonicalJson } from '../shared/core/digest.ts';
import { RestoreHooksError } from '../shared/core/errors.ts';
import type { PlanDocument } from '../shared/core/report/plan-document.ts';
import type { Context } from './context.ts';
import type { PlanFlags } from './plan-input.ts';
import { fileInput } from './plan-input.ts';
import { namespaceOf, usage } from './session.ts';

/** The plan of `apply -f plan.json`; undefined without `-f`. */
export async function savedPlan(
  given: string | undefined,
  args: PlanFlags & { readonly filename: readonly string[]; readonly namespace: string | undefined },
  context: Context,
): Promise<PlanDocument | undefined> {
  if (args.filename.length === 0) return undefined;
  const input = await fileInput(args.filename, args, namespaceOf(args, context), context);
  if (input.kind !== 'plan') {
    throw usage(
      'apply -f takes a saved plan (kind RestoreHookPlan)',
      'make one: kubectl restorehooks plan RESTORE -o json > plan.json',
    );
  }
  const { name } = input.plan.restore;
  if (given === undefined || given === name) return input.plan;
  throw usage(
    `the plan is of Restore ${name}, not of ${given}`,
    'leave RESTORE out, or give the plan that belongs to it',
  );
}

/** A saved plan selects its pods as it did when it was made. */
export function selectorFlags({ labelSelector, namespaces }: PlanDocument['selector']) {
  return { selector: labelSelector, allNamespaces: namespaces === undefined, podNamespace: namespaces ?? [] };
}

/** Refuse a saved plan that isn't the plan of now, naming the difference. */
export function requireSame(saved: PlanDocument, now: PlanDocument): void {
  if (saved.digest === now.digest) return;
  const text = (hook: PlanDocument['hooks'][number]) => canonicalJson(hook);
  const was = new Map(saved.hooks.map((hook) => [hook.id, text(hook)]));
  const is = new Map(now.hooks.map((hook) => [hook.id, text(hook)]));
  const lines = [
    ...[...is].filter(([id]) => !was.has(id)).map(([id]) => `+ ${id}`),
    ...[...was].filter(([id]) => !is.has(id)).map(([id]) => `- ${id}`),
    ...[...is].filter(([id, hook]) => was.has(id) && was.get(id) !== hook).map(([id]) => `~ ${id}`),
  ];
  const difference =
    lines.length > 0 ? lines.slice(0, 20).join('\n') : '~ the Restore itself, or the order of its hooks';
  throw new RestoreHooksError(
    'INVALID_INPUT',
    `the saved plan no longer fits; now (+), only in the plan (-), changed (~):\n${difference}`,
    {
      hint: 'give apply the same --hooks, --only and --rerun that plan had, or review a fresh plan',
    },
  );
}
