/** Files that take longest, most of it waiting, the longest first: they start first, so that the others run beside them. */
export const FIRST: readonly string[] = [
  'durable',
  'starting',
  'detached',
  'waves',
  'faults',
  'twice',
  'job-fit',
  'ledger',
  'job-start',
  'deadline',
  'matrix',
].map((name) => `test/e2e/${name}.test.ts`);

/** Files whose tests count requests or rely on answers within seconds: `npm run test:full` runs them one at a time, last. */
export const ALONE: readonly string[] = ['lambda', 'scale', 'twice', 'whose-pod'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

/**
 * Tests that `npm run test:full` and `npm run test:cluster` run and `npm test` does not, by words of their titles. `npm test`
 * runs at least one test of the same kind: another signal, another refusal, another source of the same hook.
 */
export const ONLY_FULL: Readonly<Record<string, RegExp | 'all'>> = {
  'test/e2e/beside-velero.test.ts':
    /by a runner that plans for itself, too|selected by hand are all meant|have no hooks leave nothing|Restores that have no hooks|too old to write hookStatus|failed to restore/,
  'test/e2e/durable.test.ts': /with --on-unknown=rerun|leaves a Fail that|told from a living one|that is not whole/,
  'test/e2e/failures.test.ts': /with --capture=none|in the report alone|with --runner=local/,
  'test/e2e/faults.test.ts': /fails \(500, 503\)|to configmaps: the run/,
  'test/e2e/following.test.ts': /SIGTERM: exit|SIGHUP: exit|a terminal that is closed|nobody reads is no failure/,
  'test/e2e/hooks.test.ts': /says so where no pod matches|creates nothing where|runs nothing twice|--max-concurrent 1/,
  'test/e2e/hostile-input.test.ts': /a command of 200 KiB|a --hooks file that is none/,
  'test/e2e/init-hooks.test.ts':
    /from this process, too|at a later try|hang end at the timeout|that wait for their image|may be those of a backup|tries again, until/,
  'test/e2e/job-start.test.ts':
    /with a pull secret|can not be configured|a second apply, which|hooks that succeeded before/,
  'test/e2e/lambda.test.ts':
    /answers before its deadline|beside another one|whose plan is another|where its Job is gone|once more after the run/,
  'test/e2e/launching.test.ts': /settles nothing of a run|where somebody changed it/,
  'test/e2e/ledger.test.ts':
    /beyond the last ten|of a runner that was killed may|of its copy, or of|is mended, also|were just taken away|reports were cleaned away/,
  'test/e2e/logs.test.ts': /where the first one was killed|where nothing comes live/,
  'test/e2e/matrix.test.ts': /, from (velero|own|file), /,
  'test/e2e/restores-of-velero.test.ts': /^(b1|c1-continue|v1-init-nocmd|n1-notready): |k1 lost when/,
  'test/e2e/scale.test.ts': 'all',
  'test/e2e/starting.test.ts':
    /policy refuses its secrets|webhook refuses its jobs|answered (401|403|a 404)|owner can not be changed|the plan's creation|first write got no answer|SIGTERM, at|SIGHUP, at|apply --again gives it up|may not list Events/,
  'test/e2e/twice.test.ts': /--again runs all of it|leaves a hook that failed/,
  'test/e2e/waiting.test.ts': /crashes again and again|plans a pod that has finished/,
  'test/e2e/whose-pod.test.ts': /keeps its end although|answers 426|takes the Upgrade away/,
  'test/e2e/writes.test.ts': /of the plugin's own whose last word/,
};
