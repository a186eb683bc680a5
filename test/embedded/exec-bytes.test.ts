import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { ExecOutcome } from '../../shared/core/model/hook.ts';
import type { ExecTiming } from '../../shared/kubernetes/exec/exec.ts';
import type { ExecServer, Told } from '../exec-rule.ts';
import { breach, faultsAt, inParallel, ProxiedExec } from '../exec-rule.ts';
import type { Fault } from '../proxy.ts';
import { isFull } from '../size.ts';
import type { ExecScript } from './server.ts';
import { startEmbeddedCluster } from './server.ts';

/** Disturbs execs, and answers that refuse one, at every byte: a started hook must never be reported as not started. */

/** `npm test` disturbs every 19th byte and those beside a border between an exec's parts; `npm run test:full` all. */
const STRIDE = isFull ? 1 : 19;
const BYTES = isFull ? 'every byte' : `every ${STRIDE}th byte`;
const played = (faults: readonly Fault[], ...borders: number[]): Fault[] =>
  faults.filter(({ at }) => at % STRIDE === 0 || borders.some((border) => Math.abs(at - border) <= 1));

/** Short waits, for cases in which only silence shows the fault. The result is the same on a slow machine. */
const AWAITING_ANSWER: Partial<ExecTiming> = { answerMs: 150 };
const AWAITING_END: Partial<ExecTiming> = { pingMs: 50 };
const WIDTH = 128;

interface Bed {
  readonly server: ExecServer;
  /** Starts of commands, by the tag in the command. */
  readonly starts: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/** A server that counts commands. A command's first word selects the script by which it ends. */
async function bed(scripts: Readonly<Record<string, ExecScript>>, tls = false): Promise<Bed> {
  const starts = new Map<string, number>();
  const cluster = await startEmbeddedCluster({ tls });
  cluster.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'db-0', namespace: 'default' },
    spec: { containers: [{ name: 'c', image: 'busybox' }] },
  });
  cluster.onExec(({ command: [word = '', tag = ''] }) => {
    const script = scripts[word];
    if (script?.refusal === undefined) starts.set(tag, (starts.get(tag) ?? 0) + 1);
    return script;
  });
  const [entry] = JSON.parse(cluster.kubeconfig()).clusters;
  const ca = Buffer.from(entry.cluster['certificate-authority-data'] ?? '', 'base64');
  const server = {
    port: Number(new URL(cluster.url).port),
    headers: { authorization: 'Bearer admin' },
    ...(tls && { tls: { ca } }),
  };
  return { server, starts, close: () => cluster.close() };
}

const request = (word: string, tag: string) => ({
  namespace: 'default',
  pod: 'db-0',
  container: 'c',
  command: [word, tag],
});
let tags = 0;
/** All tags have the same length, so that requests have it, too. */
const newTag = (): string => {
  tags += 1;
  return `t${String(tags).padStart(6, '0')}`;
};
const said = (fault: Fault | undefined, what: string): string => `${JSON.stringify(fault)}: ${what}`;

describe(`an exec, at ${BYTES}`, async () => {
  const { server, starts, close } = await bed({
    succeeds: { output: [{ stream: 'stdout', data: 'out' }], end: { kind: 'exit', code: 0 } },
    fails: {
      output: [
        { stream: 'stdout', data: 'out' },
        { stream: 'stderr', data: 'err' },
      ],
      end: { kind: 'exit', code: 3 },
    },
  });
  after(close);

  /** The lengths of the parts of an exec, which are the same every time. */
  async function lengths(word: string) {
    const { outcome, passed } = await new ProxiedExec(server).run(request(word, newTag()), undefined, true);
    assert.ok(passed && outcome.kind === 'exited');
    const { up, down } = passed;
    assert.ok(up.toString().endsWith('\r\n\r\n') && up.includes('v4.channel.k8s.io'));
    const answer = down.indexOf('\r\n\r\n') + 4;
    const status = down.lastIndexOf('}') + 1;
    assert.ok(answer > 100 && status > answer && down.length >= status, down.toString());
    // The close frame isn't measured: the client may hang up before it arrives.
    return { request: up.length, answer, status, end: status + 4 };
  }

  for (const [word, exitCode, ...does] of [
    ['succeeds', 0, 'reset', 'finish', 'stall', 'dead', 'delay'],
    ['fails', 3, 'reset', 'finish'],
  ] as const) {
    it(`that ${word} is told as it is where its status came whole, and else as lost`, async () => {
      const of = await lengths(word);
      /** The true end must be reported if the server gets the whole request and the client the whole status. */
      const isToBeKnown = ({ way, at, does }: Fault): boolean => {
        if (does === 'delay') return true;
        if (way === 'down') return at >= of.status;
        // After the request the way up isn't needed: silence there does no harm, but closing it closes the connection.
        return does === 'stall' && at >= of.request;
      };
      const faults = [
        ...played(faultsAt('up', of.request, does), of.request),
        ...played(faultsAt('down', of.end, does), of.answer, of.status, of.end),
      ];
      const patient = new ProxiedExec(server);
      const awaitingAnswer = new ProxiedExec(server, AWAITING_ANSWER);
      const awaitingEnd = new ProxiedExec(server, AWAITING_END);
      const execFor = ({ way, at, does }: Fault, isKnown: boolean): ProxiedExec => {
        if (isKnown || does === 'reset' || does === 'finish') return patient;
        return way === 'up' || at < of.answer ? awaitingAnswer : awaitingEnd;
      };
      const breaches: string[] = [];
      const told: (readonly [string, Told])[] = [];
      await inParallel(faults, WIDTH, async (fault) => {
        const tag = newTag();
        const isKnown = isToBeKnown(fault);
        const one = await execFor(fault, isKnown).run(request(word, tag), fault);
        told.push([tag, one]);
        const expected: ExecOutcome['kind'][] = isKnown ? ['exited'] : ['connectionLost'];
        // Closed before we knew that it was open: not a byte was written to it.
        if (fault.at === 0 && !isKnown) expected.push('notStarted');
        // Closed after the request's last byte: the answer may still arrive.
        if (fault.way === 'up' && fault.at === of.request && fault.does === 'finish') expected.push('exited');
        if (!expected.includes(one.outcome.kind)) breaches.push(said(fault, JSON.stringify(one.outcome)));
        const mayStart = fault.way === 'down' || fault.at >= of.request || fault.does === 'delay';
        if (!mayStart && (one.isStarted || starts.has(tag))) breaches.push(said(fault, 'started without its request'));
        const isAnswered = fault.way === 'down' && fault.at >= of.answer;
        if (isAnswered && fault.does !== 'delay' && !one.isStarted) breaches.push(said(fault, 'its 101 was not told'));
      });
      for (const [tag, one] of told) {
        const broken = breach(one, starts.get(tag) ?? 0, exitCode);
        if (broken !== undefined) breaches.push(said(one.fault, broken));
      }
      assert.deepEqual(breaches, []);
      assert.ok(faults.length > (500 / STRIDE) * does.length, `${faults.length} faults`);
    });
  }
});

describe('an exec through TLS', async () => {
  const { server, starts, close } = await bed({ fails: { end: { kind: 'exit', code: 3 } } }, true);
  after(close);

  it('that is cut or falls silent is never before the start where it was started, and the other way round', async () => {
    const patient = new ProxiedExec(server);
    const impatient = new ProxiedExec(server, { connectMs: 400, answerMs: 400, pingMs: 100 });
    const { outcome, passed } = await patient.run(request('fails', newTag()), undefined, true);
    assert.ok(passed);
    assert.deepEqual(outcome, { kind: 'exited', exitCode: 3 });
    const { up, down } = passed;
    // The length of a TLS handshake varies by a few bytes. Faults after the end have no effect.
    const faults = [
      ...faultsAt('up', up.length, ['reset', 'finish'], 13),
      ...faultsAt('down', down.length, ['reset', 'finish'], 13),
      ...faultsAt('up', up.length, ['dead'], 47),
      ...faultsAt('down', down.length, ['dead'], 47),
    ];
    const told: (readonly [string, Told])[] = [];
    await inParallel(faults, 32, async (fault) => {
      const tag = newTag();
      told.push([tag, await (fault.does === 'dead' ? impatient : patient).run(request('fails', tag), fault)]);
    });
    const breaches = told.flatMap(([tag, one]) => {
      const broken = breach(one, starts.get(tag) ?? 0, 3);
      return broken === undefined ? [] : [said(one.fault, broken)];
    });
    assert.deepEqual(breaches, []);
    const kinds = new Set(told.map(([, { outcome }]) => outcome.kind));
    assert.deepEqual([...kinds].sort(), ['connectionLost', 'exited', 'notStarted']);
  });
});

describe(`an answer in place of the stream, at ${BYTES}`, { concurrency: true }, async () => {
  const status = (code: number, reason: string, message: string, more: object = {}) => ({
    status: code,
    body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code, ...more },
  });
  const refusals: Readonly<Record<string, NonNullable<ExecScript['refusal']>>> = {
    tooMany: { ...status(429, 'TooManyRequests', 'try later'), headers: { 'Retry-After': '1' } },
    notUp: { status: 500, body: 'container not found ("c")' },
    unreachable: status(500, 'InternalError', 'error dialing backend: connection refused'),
    broke: status(500, '', 'EOF'),
    unavailable: { status: 503, body: 'upstream connect error' },
    badGateway: { status: 502, body: '<html>' },
    timedOut: { status: 504, body: '' },
    gone: status(404, 'NotFound', 'pods "db-0" not found', { details: { name: 'db-0', kind: 'pods' } }),
    nodeGone: status(404, 'NotFound', 'nodes "n" not found', { details: { name: 'n', kind: 'nodes' } }),
    podUnknown: { status: 404, body: 'pod does not exist\n' },
    noContainer: status(400, 'BadRequest', 'container zz is not valid for pod db-0'),
    denied: status(403, 'Forbidden', 'pods "db-0" is forbidden: User "x" cannot create resource "pods/exec"'),
    tooLong: status(414, 'RequestURITooLong', 'the URI is too long'),
  };
  const { server, starts, close } = await bed(
    Object.fromEntries(Object.entries(refusals).map(([word, refusal]) => [word, { refusal }])),
  );
  after(close);

  for (const [word, whole] of [
    ['tooMany', 'notStarted'],
    ['notUp', 'notStarted'],
    ['unreachable', 'notStarted'],
    ['broke', 'connectionLost'],
    ['unavailable', 'connectionLost'],
    ['badGateway', 'connectionLost'],
    ['timedOut', 'connectionLost'],
    ['gone', 'podDeleted'],
    ['nodeGone', 'notStarted'],
    ['podUnknown', 'notStarted'],
    ['noContainer', 'noSuchContainer'],
    ['denied', 'forbidden'],
    ['tooLong', 'error'],
  ] as const) {
    it(`${word} is ${whole} where it came whole; cut, it is lost or asked for again, and by v4`, async () => {
      // Each client makes many execs: if it learned something wrong about the server, the later ones would show it.
      const patient = new ProxiedExec(server, { deniedMs: 0 });
      const impatient = new ProxiedExec(server, { deniedMs: 0, answerMs: 300 });
      const { outcome, passed } = await patient.run(request(word, newTag()), undefined, true);
      assert.ok(passed);
      assert.equal(outcome.kind, whole);
      const { length } = passed.down;
      const cut: ExecOutcome['kind'][] = whole === 'connectionLost' ? [whole] : [whole, 'connectionLost', 'notStarted'];
      const faults = played(
        [
          ...faultsAt('down', length, ['finish']),
          ...faultsAt('down', length, ['reset'], 3),
          ...faultsAt('down', length, ['stall'], 5),
        ],
        length,
      );
      const breaches: string[] = [];
      await inParallel(faults, WIDTH / 4, async (fault) => {
        const isWaited = fault.does === 'stall';
        const { outcome, isStarted } = await (isWaited ? impatient : patient).run(request(word, newTag()), fault);
        // Closed before we knew that it was open: not a byte was written to it.
        const unsent: ExecOutcome['kind'][] = fault.at === 0 ? ['notStarted'] : [];
        const mayBe = fault.at === length && !isWaited ? [whole] : [...unsent, ...cut];
        if (isStarted || !mayBe.includes(outcome.kind)) breaches.push(said(fault, outcome.kind));
      });
      assert.deepEqual(breaches, []);
      for (const exec of [patient, impatient]) {
        const { passed } = await exec.run(request(word, newTag()), undefined, true);
        assert.match(passed?.up.toString() ?? '', /v4\.channel\.k8s\.io/);
      }
      assert.equal(starts.size, 0);
    });
  }
});
