import { execFileSync } from 'node:child_process';
import process from 'node:process';

/*
 * Where a runner can be told to die: at each of its writes, and around each command. Only the runner of the chaos tests
 * knows of this (`build.mjs`): it is told once, when it starts, by the tests' own server.
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
 * `before`: nothing is sent, or told to the product; `during`: what is sent may get through; `after`: it has been
 * answered, and the product doesn't hear of it any more.
 */
export const MOMENTS = ['before', 'during', 'after'] as const;
export type Moment = (typeof MOMENTS)[number];

export interface Failpoint {
  readonly name: FailpointName;
  readonly moment: Moment;
  /** The how manieth time that this runner comes there, from 1. */
  readonly nth: number;
  /** How long after the request `during` is. */
  readonly afterMs: number;
}

/** The bed's own address, as its pods see it. */
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
 * Nothing more happens here: the event loop stands still until the tests have sent SIGKILL, from outside, as a
 * container's first process can't kill itself.
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

/** A request, with death before, during or after it. */
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

/** Something that is told in one go, with death before or after it. */
export function aroundCall(name: FailpointName, call: () => void): void {
  const failpoint = isDue(name) ? armed : undefined;
  if (failpoint?.moment === 'before') die(failpoint);
  call();
  if (failpoint === undefined) return;
  if (failpoint.moment === 'after') die(failpoint);
  setTimeout(() => die(failpoint), failpoint.afterMs);
}
