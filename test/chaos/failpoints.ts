import { execFileSync } from 'node:child_process';
import process from 'node:process';

/*
 * The places at which a runner can be told to die: each of its writes, and the start and end of each command. Only the
 * runner of the chaos tests has them (`build.mjs`). It asks the tests' server once, when it starts.
 */
export const FAILPOINTS = [
  'lease-take',
  'lease-renewal',
  'lease-release',
  'journal-begin',
  'journal-claim',
  'journal-intent',
  'journal-started',
  'journal-taken-back',
  'journal-result',
  'journal-part',
  'journal-seal',
  'shard-told',
  'status-claim',
  'status-progress',
  'status-end',
  'phase-of-restore',
  'report-part',
  'pod-trial',
  'pod-manifest',
  'pod-deletion',
  'pod-creation',
  'command-start',
  'command-started',
  'command-end',
] as const;
export type FailpointName = (typeof FAILPOINTS)[number];

/**
 * `before`: the request isn't sent. `during`: it is sent, and may arrive. `after`: it was answered, but the product
 * doesn't get the answer.
 */
export const MOMENTS = ['before', 'during', 'after'] as const;
export type Moment = (typeof MOMENTS)[number];

export interface Failpoint {
  readonly name: FailpointName;
  readonly moment: Moment;
  /** The runner dies when it gets there this many times; 1 is the first time. */
  readonly nth: number;
  /** With `during`: how long after the request was sent. */
  readonly afterMs: number;
}

/** The address of the bed's host as pods see it. */
export const SERVER = 'http://10.88.0.1:7788';
const server = process.env['RESTOREHOOKS_CHAOS'] ?? SERVER;

let armed: Failpoint | undefined;
let passed = 0;

const query = (more: Readonly<Record<string, string>> = {}) =>
  new URLSearchParams({ restore: process.argv[2] ?? '', pod: process.env['POD_NAME'] ?? '', ...more });

/** Ask where to die. */
export async function arm(): Promise<void> {
  const answer = await fetch(`${server}/armed?${query()}`);
  armed = ((await answer.json()) as { failpoint?: Failpoint }).failpoint;
}

/**
 * Blocks the event loop until the tests send SIGKILL. They send it from outside, because a container's first process
 * can't kill itself.
 */
function die({ name, moment }: Failpoint): never {
  const url = `${server}/reached?${query({ name, moment })}`;
  execFileSync(process.execPath, ['-e', 'fetch(process.argv[1])', url], { stdio: 'ignore' });
  throw new Error(`nobody has killed this runner at ${name}`);
}

/** Whether this is the place and the time. */
function isDue(name: FailpointName | undefined): boolean {
  if (name === undefined || name !== armed?.name) return false;
  passed += 1;
  return passed === armed.nth;
}

/** Makes a request, and dies before, during or after it if told so. */
export function aroundRequest<T>(name: FailpointName | undefined, send: () => Promise<T>): Promise<T> {
  const failpoint = isDue(name) ? armed : undefined;
  if (failpoint === undefined) return send();
  if (failpoint.moment === 'before') die(failpoint);
  const answer = send();
  if (failpoint.moment === 'after') {
    return answer.then(
      () => die(failpoint),
      () => die(failpoint),
    );
  }
  setTimeout(() => die(failpoint), failpoint.afterMs);
  return answer;
}

/** Calls back, and dies before or after that if told so. */
export function aroundCall(name: FailpointName, call: () => void): void {
  const failpoint = isDue(name) ? armed : undefined;
  if (failpoint?.moment === 'before') die(failpoint);
  call();
  if (failpoint === undefined) return;
  if (failpoint.moment === 'after') die(failpoint);
  setTimeout(() => die(failpoint), failpoint.afterMs);
}
