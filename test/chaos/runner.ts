import { arm } from './failpoints.ts';

/** The runner's entry, in the image of the chaos tests. */
void arm().then(() => import('../../runner/job.ts'));
