import * as z from 'zod';
import { jsonArrayProblem } from '../../core/mistakes/json-array.ts';
import type { ExecOutcome } from '../../core/model/hook.ts';
import { cutText, sanitizeLine } from '../../core/sanitize.ts';
import type { ExecRequest } from '../../ports/ports.ts';

/**
 * What the answers of pods/exec mean (R4.8, R4.16). Two rules:
 *
 * - A command counts as not started only if the API server or the kubelet, one of which would have had to start it, says
 *   so. Anything else between the request and the command's end is a lost connection.
 * - Once the command may run, the text of a Status is only matched and never copied, because it quotes the command line.
 */

/** With `v5` the status comes from the API server, which reports a success when the kubelet has died. */
export type ExecProtocol = 'v4' | 'v5';

/** An HTTP answer other than 101. */
export interface Refusal {
  readonly status: number;
  readonly body: string;
  /** The body is incomplete. */
  readonly isCut?: boolean;
  readonly retryAfterMs?: number;
}

const Status = z
  .object({
    kind: z.literal('Status').nullish(),
    status: z.enum(['Success', 'Failure']).nullish(),
    reason: z.string().nullish(),
    message: z.string().nullish(),
    details: z
      .object({
        kind: z.string().nullish(),
        name: z.string().nullish(),
        causes: z.array(z.object({ reason: z.string().nullish(), message: z.string().nullish() })).nullish(),
        retryAfterSeconds: z.number().nullish(),
      })
      .nullish(),
  })
  .refine(({ kind, status }) => kind != null || status != null);
type Status = z.infer<typeof Status>;

function statusOf(body: string): Status | undefined {
  try {
    return Status.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}

/** Streaming servers refuse an unknown subprotocol with a 403 without a body (Go's x/net) or with a 400. */
export function isProtocolRefused({ status, body, isCut }: Refusal): boolean {
  return !isCut && (status === 400 || status === 403) && statusOf(body) === undefined && /^\s*$|protocol/i.test(body);
}

/** A longer path may be refused for its length, also by proxies. */
const SHORT_PATH = 4000;

/**
 * Whether WebSocket upgrades don't get through (R4.14): the API server says that the Upgrade header is missing, which a
 * proxy removed, or something that is no API server answers, and no stream was ever opened.
 */
export function isUpgradeRefused(
  { status, body, isCut }: Refusal,
  { hasUpgraded, path }: { readonly hasUpgraded: boolean; readonly path: string },
): boolean {
  const said = statusOf(body);
  if (status === 426) return true;
  if (status === 400 && /^upgrade request required/i.test(said?.message ?? body)) return true;
  if (isCut || hasUpgraded || said !== undefined || path.length > SHORT_PATH) return false;
  return (
    status < 400 ||
    ((status === 403 || status === 400) && !kubeletDenied.test(body)) ||
    status === 405 ||
    status === 501
  );
}

/** The kubelet's text when it refuses the API server's credentials. */
const kubeletDenied = /^Forbidden \(user=/;

/** The outcome of an exec that an admission policy denies although the caller has the right (R4.13). */
export function deniedByPolicy(refusal: Refusal, request: ExecRequest): ExecOutcome {
  const words = refusedWith(refusal, statusOf(refusal.body), request);
  return { kind: 'error', message: `denied by an admission policy: ${words ?? `HTTP ${refusal.status}`}` };
}

/** The text of a Status that refused a request for good; a policy may also refuse with 400 and 422. */
function refusedWith({ status }: Refusal, said: Status | undefined, request: ExecRequest): string | undefined {
  const shown = withoutCommand((said?.message ?? '').trim(), request);
  return shown === '' ? undefined : `${shown} (HTTP ${status})`;
}

/** The outcome of an exec that got an HTTP answer instead of a stream. */
export function outcomeOfRefusal(refusal: Refusal, request: ExecRequest): ExecOutcome {
  const { status, body } = refusal;
  const said = statusOf(body);
  const message = described(refusal, said, request);
  if (status === 401 || status === 403) return { kind: 'forbidden', message }; // R4.12
  // The command was not started, and the reason is lost with the rest of the body: another try will tell it.
  if (refusal.isCut && (status === 400 || status === 404)) return notStarted(message, refusal, said);
  if (status === 404) return isGone(said, request) ? { kind: 'podDeleted' } : notStarted(message, refusal, said); // R4.9, R4.10
  if (status === 429) return notStarted(message, refusal, said); // R4.8
  if (status === 400 && /\bis not valid for pod\b/.test(said?.message ?? body)) return { kind: 'noSuchContainer' }; // R4.11
  if (status >= 400 && status < 500) return { kind: 'error', message: refusedWith(refusal, said, request) ?? message }; // R4.15
  if ((status === 500 || status === 503) && isBeforeStart(said, body)) return notStarted(message, refusal, said); // R4.8
  return { kind: 'connectionLost', message: `${message}; whether the command was started is not known` }; // R4.17
}

/** A Retry-After from a wrong clock, or by mistake, must not delay a hook for hours. */
const longestRetryAfterMs = 60_000;

function notStarted(why: string, { retryAfterMs }: Refusal, said: Status | undefined): ExecOutcome {
  const wait = Math.min(retryAfterMs ?? (said?.details?.retryAfterSeconds ?? 0) * 1000, longestRetryAfterMs);
  return { kind: 'notStarted', why, ...(wait > 0 && { retryAfterMs: wait }) };
}

/**
 * Whether a 404 says that this pod is gone: only if its Status names the pod. Proxies and aggregators also answer 404,
 * a kubelet that has just started doesn't know its pods yet, and a pod's node may be gone before the pod.
 */
const isGone = (said: Status | undefined, { pod }: ExecRequest): boolean =>
  said?.details?.name === pod && (said.details.kind ?? 'pods') === 'pods';

/** The API server's errors, from Go's net/http, when the kubelet received the request and then gave no answer. */
const upstreamBroke =
  /^(unexpected )?EOF$|^read |^tls: |^(remote|local) error: tls|^malformed |^invalid upgrade response|hijack/;
/** The kubelet's plain text when it could not pass the request on to the runtime. */
const kubeletRefused =
  /^(unable to upgrade connection: )?container not found \(|^(unable to upgrade connection: )?rpc error: code = |^error (dialing backend|sending request): /;

/**
 * Whether the refusal came before the command could start. A Status with a reason was made before the kubelet was
 * asked.
 */
function isBeforeStart(said: Status | undefined, body: string): boolean {
  if (said === undefined) return kubeletRefused.test(body);
  return Boolean(said.reason) || !upstreamBroke.test(said.message ?? '');
}

/** The server's own text, unless it repeats the command, which may contain a password (R5.19). */
function described({ status, body }: Refusal, said: Status | undefined, request: ExecRequest): string {
  const words = (said?.message ?? (kubeletRefused.test(body) ? body : '')).trim();
  if (words === '' || quotesCommand(words, request)) return `HTTP ${status} in answer to the exec request`;
  return shortened(words);
}

const shortened = (words: string): string => sanitizeLine(words.length > 500 ? `${cutText(words, 500)}…` : words);

/** A policy's text, with `…` in place of the parts of the command that it quotes. */
function withoutCommand(words: string, { command }: ExecRequest): string {
  if (words.includes('command=')) return '';
  const parts = [command.join(' '), ...command, ...command.flatMap(wordsOf)];
  const secret = parts.flatMap((part) => [part, JSON.stringify(part).slice(1, -1)]).filter(({ length }) => length >= 4);
  const shown = secret.sort((a, b) => b.length - a.length).reduce((rest, part) => rest.replaceAll(part, '…'), words);
  return shortened(shown);
}

const wordsOf = (argument: string): string[] => argument.split(/[\s"'`\\;&|<>()]+/);

function quotesCommand(words: string, { namespace, pod, container, command }: ExecRequest): boolean {
  if (words.includes('command=')) return true;
  const others = [namespace, pod, container].reduce((rest, name) => rest.replaceAll(`"${name}"`, ''), words);
  return command.flatMap(wordsOf).some((word) => word.length >= 6 && others.includes(word));
}

/** The outcome of an exec by the frame on its status channel. */
export function outcomeOfStatus(frame: Buffer, protocol: ExecProtocol, command: readonly string[]): ExecOutcome {
  const said = statusOf(frame.toString('utf8'));
  if (said === undefined) return lost('the status could not be read');
  const unproven = protocol === 'v5' ? ({ unproven: true } as const) : {}; // R4.2
  if (said.status === 'Success') return { kind: 'exited', exitCode: 0, ...unproven };
  const exitCode = Number(said.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message ?? Number.NaN);
  if (Number.isInteger(exitCode) && exitCode !== 0) return { kind: 'exited', exitCode, ...unproven };
  const why = said.reason === 'InternalError' ? whyNotRun(said.message ?? '', command) : undefined;
  return why === undefined
    ? lost('the container runtime reported an internal error, not how the command ended')
    : { kind: 'error', message: why };
}

const lost = (message: string): ExecOutcome => ({ kind: 'connectionLost', message });

/** A runtime reports InternalError also when it loses a running command, for example when its shim dies. */
const lostSight = /waiting for exec|ttrpc: closed|transport is closing|context (canceled|deadline exceeded)/;
const notRun: readonly (readonly [RegExp, (command: readonly string[]) => string])[] = [
  [/executable file not found|no such file or directory/, noSuchCommand],
  [/permission denied|exec format error/, () => NOT_EXECUTABLE],
  [
    /failed to (start|create) exec|OCI runtime exec failed|unable to start container process|not running|CONTAINER_EXITED|container .*not found|failed to load task/,
    () => 'the container runtime could not start the command (no such file, not executable, or the container is gone)',
  ],
];

export const NO_SUCH_COMMAND = 'no such command in the container';
export const NOT_EXECUTABLE = 'the command is not executable in the container';

/** R4.19. The command itself isn't quoted. */
function noSuchCommand(command: readonly string[]): string {
  const [program = ''] = command;
  const what = NO_SUCH_COMMAND;
  if (command.length === 1 && /^\s*\[/.test(program)) {
    const wrong = jsonArrayProblem(program);
    const why = wrong === undefined ? 'a space is before the [' : `at character ${wrong.at} ${wrong.what}`;
    return `${what}: it begins with [ but is no JSON array of strings, so it is taken as one program's name (${why})`;
  }
  if (!/\s/.test(program.trim())) return what;
  return `${what}: its first string has spaces in it and is taken as one program's name; give each argument a string of its own, or use a shell: ["sh", "-c", "…"]`;
}

/** Why a command did not run, if that is certain, in our own words (R4.16). */
function whyNotRun(message: string, command: readonly string[]): string | undefined {
  return lostSight.test(message) ? undefined : notRun.find(([words]) => words.test(message))?.[1](command);
}
