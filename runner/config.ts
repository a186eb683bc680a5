import { parseArgs } from 'node:util';
import * as z from 'zod';
import { RestoreHooksError } from '../shared/core/errors.ts';

const number = (least: number) =>
  z
    .string()
    .regex(/^\d+$/, 'expected a whole number')
    .transform(Number)
    .pipe(z.number().min(least, `expected at least ${least}`));

/** The runner's command line: `args` of a Job, by hand or by `apply`. */
const Config = z.object({
  restore: z.string('expected the name of a Restore'),
  namespace: z.string().min(1),
  'run-id': z.string().optional(),
  plan: z.string().optional(),
  after: z.string().optional(),
  hooks: z.array(z.string()).default([]),
  only: z.array(z.string()).default([]),
  selector: z.string().optional(),
  'pod-namespace': z.array(z.string()).optional(),
  rerun: z.boolean().default(false),
  'include-existing': z.boolean().default(false),
  'recreate-pods': z.boolean().default(false),
  again: z.boolean().default(false),
  force: z.boolean().default(false),
  'allow-no-match': z.boolean().default(false),
  'keep-restore-phase': z.boolean().default(false),
  'max-concurrent': number(1).default(64),
  capture: z.enum(['none', 'tail']).default('tail'),
  'fail-on': z.enum(['fail', 'any']).default('fail'),
  'on-unknown': z.enum(['fail', 'rerun']).default('fail'),
  record: z.boolean().default(false),
});
export type RunnerConfig = z.infer<typeof Config>;

/** All that is wrong with the command line, in one `INVALID_ARGUMENT`. */
export function runnerConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): RunnerConfig {
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        namespace: { type: 'string', short: 'n' },
        'run-id': { type: 'string' },
        plan: { type: 'string' },
        after: { type: 'string' },
        hooks: { type: 'string', multiple: true },
        only: { type: 'string', multiple: true },
        selector: { type: 'string', short: 'l' },
        'pod-namespace': { type: 'string', multiple: true },
        rerun: { type: 'boolean' },
        'include-existing': { type: 'boolean' },
        'recreate-pods': { type: 'boolean' },
        again: { type: 'boolean' },
        force: { type: 'boolean' },
        'allow-no-match': { type: 'boolean' },
        'keep-restore-phase': { type: 'boolean' },
        'max-concurrent': { type: 'string' },
        capture: { type: 'string' },
        'fail-on': { type: 'string' },
        'on-unknown': { type: 'string' },
        record: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new RestoreHooksError('INVALID_ARGUMENT', error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1) throw new RestoreHooksError('INVALID_ARGUMENT', 'expected one Restore, not several');
  const namespace = env['VELERO_NAMESPACE'] || 'velero';
  const config = Config.safeParse({ namespace, ...values, restore: positionals[0] });
  if (config.success) return config.data;
  const problems = config.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new RestoreHooksError('INVALID_ARGUMENT', problems.join('; '));
}
