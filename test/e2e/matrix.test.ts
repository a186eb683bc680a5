import assert from 'node:assert/strict';
import process from 'node:process';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_IMAGE } from '../../shared/core/version.ts';
import type { Loose, PodOptions, Scene, Started } from './harness.ts';
import {
  entry,
  exec,
  gated,
  hookAnnotations,
  hooksDocument,
  IMAGE,
  isReal,
  mark,
  OWN,
  readyWhenOpen,
  sh,
  startSuite,
  VELERO,
} from './harness.ts';

/**
 * Combines where a hook comes from, how it ends, what another hook does meanwhile, and who runs it. The run must end and
 * report the truth in all places. Executed commands are counted from outside. By default each source and outcome is played
 * once with each runner and once with each state of the other hook; MATRIX=all plays all combinations.
 */
const SOURCES = ['velero', 'own', 'spec', 'file'] as const;
const OTHERS = ['running', 'waiting', 'ended'] as const;
const RUNNERS = ['job', 'local', 'image'] as const;
type Source = (typeof SOURCES)[number];
type Others = (typeof OTHERS)[number];
type Runner = (typeof RUNNERS)[number];

interface Outcome {
  readonly ends: string;
  readonly exitCode?: number;
  readonly command?: readonly string[];
  /** The hook's other fields as a spec has them. */
  readonly more?: Readonly<Record<string, unknown>>;
  /** An init container that its pod doesn't have. */
  readonly isInit?: boolean;
  /** When its container is up: at once, or never; by default when the test opens its gate. */
  readonly up?: 'at-once' | 'never';
  /** The lines that the command writes. */
  readonly marks?: readonly string[];
  /** The hook ends as soon as its pod is seen, before any other hook has ended. */
  readonly isFirst?: boolean;
  /** What ends the hook from outside. */
  readonly by?: 'fail' | 'cancel' | 'drop' | 'deletion' | 'death';
  readonly pod?: PodOptions;
  readonly sources?: readonly Source[];
}

const LONG = sh('echo ran >> marks; sleep 100000');
const OUTCOMES: Readonly<Record<string, Outcome>> = {
  succeeded: { ends: 'Succeeded', exitCode: 0, command: mark('ran'), marks: ['ran'] },
  exit: { ends: 'Failed exit', exitCode: 7, command: sh('echo ran >> marks; exit 7'), marks: ['ran'] },
  error: { ends: 'Failed error', command: ['/no/such/command'] },
  'timed-out-waiting': { ends: 'TimedOut waiting', more: { waitTimeout: '2s' }, up: 'never' },
  'timed-out-executing': { ends: 'TimedOut executing', command: LONG, more: { execTimeout: '1s' }, marks: ['ran'] },
  aborted: { ends: 'NotExecuted aborted', up: 'never', by: 'fail' },
  canceled: { ends: 'NotExecuted canceled', up: 'never', by: 'cancel' },
  'no-such-container': {
    ends: 'NotExecuted no-such-container',
    more: { container: 'nobody' },
    up: 'at-once',
    isFirst: true,
  },
  'empty-command': {
    ends: 'NotExecuted empty-command',
    command: [],
    up: 'at-once',
    isFirst: true,
    sources: ['spec', 'file'],
  },
  'pod-deleted': { ends: 'NotExecuted pod-deleted', up: 'never', by: 'deletion' },
  'pod-finished': {
    ends: 'NotExecuted pod-finished',
    up: 'at-once',
    isFirst: true,
    pod: { containers: [{ name: 'main', command: ['true'] }], spec: { restartPolicy: 'Never' } },
  },
  'not-injected': { ends: 'NotExecuted not-injected', isInit: true, up: 'at-once', isFirst: true },
  dropped: { ends: 'Unknown canceled', command: LONG, marks: ['ran'], by: 'drop' },
  'runner-died': { ends: 'Unknown runner-died', command: LONG, marks: ['ran'], by: 'death' },
};

interface Cell {
  readonly source: Source;
  readonly name: string;
  readonly outcome: Outcome;
  readonly others: Others;
  readonly runner: Runner;
}

function* cells(): Generator<Cell> {
  const isWhole = process.env['MATRIX'] === 'all';
  for (const [row, [name, outcome]] of Object.entries(OUTCOMES).entries()) {
    for (const [column, source] of SOURCES.entries()) {
      if (!(outcome.sources ?? SOURCES).includes(source)) continue;
      const possible = outcome.isFirst ? OTHERS.filter((others) => others !== 'ended') : OTHERS;
      for (const [nth, runner] of RUNNERS.entries()) {
        // Without a cluster, one runner for each outcome and source.
        if (!(isReal || isWhole) && nth !== (row + column) % RUNNERS.length) continue;
        const one = possible[(row + column + nth) % possible.length];
        for (const others of possible) if (isWhole || others === one) yield { source, name, outcome, others, runner };
      }
    }
  }
}

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;
const namespace = await cluster.namespace('matrix');
const suffix = namespace.slice(-5);

const isAnnotation = (source: Source): boolean => source === 'velero' || source === 'own';
const KEYS = {
  onError: 'on-error',
  execTimeout: 'exec-timeout',
  waitTimeout: 'wait-timeout',
  waitForReady: 'wait-for-ready',
};

/** One hook of a combination; written as annotations of its pod, or as an entry of a spec or file. */
interface Hook {
  readonly command: readonly string[];
  readonly more: Readonly<Record<string, unknown>>;
  readonly isInit?: boolean;
}

function annotations(source: Source, { command, more, isInit }: Hook): Record<string, string> {
  const prefix = source === 'own' ? OWN : VELERO;
  if (isInit) {
    const init = prefix.replace('post.', 'init.');
    return { [`${init}/container-image`]: IMAGE, [`${init}/container-name`]: 'load', [`${init}/command`]: '["true"]' };
  }
  const keys = Object.entries(more).map(([key, value]) => [KEYS[key as keyof typeof KEYS] ?? key, value]);
  return hookAnnotations(prefix, command, Object.fromEntries(keys));
}

function resource(app: string, { command, more, isInit }: Hook): object {
  const init = { init: { initContainers: [{ name: 'load', image: IMAGE, command: ['true'] }] } };
  return entry(isInit ? init : exec(command, more), { name: app, labelSelector: { matchLabels: { app } } });
}

/** Plays one combination. */
class Play {
  readonly cell: Cell;
  readonly scene: Scene;
  readonly pods: { readonly target: string; readonly other: string; readonly fails: string };
  #plugin: Started | undefined;
  #file = '';

  constructor(cell: Cell, scene: Scene) {
    this.cell = cell;
    this.scene = scene;
    const of = (role: string) => `${scene.name}-${role}-0`;
    this.pods = { target: of('target'), other: of('other'), fails: of('fails') };
  }

  /** `Continue` if a failure of this hook would keep the other hook from reaching its state. */
  get onError(): 'Fail' | 'Continue' {
    const { outcome, others } = this.cell;
    const isCanceled = outcome.by === 'cancel' || outcome.by === 'drop';
    return others === 'waiting' || outcome.isFirst || isCanceled ? 'Continue' : 'Fail';
  }

  get hooks(): Record<'target' | 'other' | 'fails', Hook> {
    const { outcome, others } = this.cell;
    const waits = outcome.up === 'at-once' ? {} : { waitForReady: true };
    return {
      target: {
        command: outcome.command ?? mark('ran'),
        more: {
          execTimeout: '10m',
          ...waits,
          ...outcome.more,
          onError: outcome.by === 'fail' ? 'Continue' : this.onError,
        },
        ...(outcome.isInit && { isInit: true }),
      },
      other: {
        command: others === 'running' ? gated() : mark('ended'),
        more: others === 'waiting' ? { waitForReady: true } : { execTimeout: '10m' },
      },
      // Its pod is ready when the test says so.
      fails: { command: sh('echo ran >> marks; exit 9'), more: { waitForReady: true, onError: 'Fail' } },
    };
  }

  /** In the order of the pods' names, which is the plan's order. */
  get roles(): ('fails' | 'other' | 'target')[] {
    return this.cell.outcome.by === 'fail' ? ['fails', 'other', 'target'] : ['other', 'target'];
  }

  async prepare(): Promise<void> {
    const { cell, scene, hooks, pods } = this;
    const { source, outcome, others } = cell;
    const resources: object[] = [];
    for (const role of this.roles) {
      const hook = hooks[role];
      const given = role === 'target' ? outcome.pod : undefined;
      const isReady = role === 'target' ? outcome.up === 'at-once' : role === 'other' && others !== 'waiting';
      const options: PodOptions = {
        ...(isReady ? {} : { containers: [readyWhenOpen] }),
        ...(isAnnotation(source) && { annotations: annotations(source, hook) }),
        ...given,
      };
      await scene.pod(pods[role], { ...options, wait: false });
      if (!isAnnotation(source)) resources.push(resource(pods[role].replace(/-0$/, ''), hook));
    }
    for (const role of this.roles) {
      const wanted = role === 'target' && outcome.pod !== undefined ? 'Succeeded' : 'Running';
      await eventually(`${pods[role]} to be ${wanted}`, async () => {
        const { status } = await cluster.get('pods', namespace, pods[role]);
        return status.phase === wanted;
      });
    }
    await scene.restore({ ...(source === 'spec' && { hooks: resources }), status: { phase: 'Completed' } });
    if (source === 'file') this.#file = await scene.hooksFile(resources);
    if (source === 'file' && cell.runner === 'image') {
      await cluster.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `${scene.name}-hooks`, namespace: velero },
        data: { 'hooks.json': hooksDocument(resources) },
      });
    }
  }

  async start(): Promise<void> {
    const { runner, source } = this.cell;
    if (runner === 'image') await cluster.create(imageJob(this.scene.name, source === 'file'));
    else {
      const file = source === 'file' ? ['--hooks', this.#file] : [];
      const local = runner === 'local' ? ['--runner=local'] : [];
      this.#plugin = e2e.plugin.start('apply', this.scene.name, '-n', velero, '-o', 'json', ...file, ...local);
    }
  }

  /** Bring the other hook into its state, end the tested hook, then let the other one end, too. */
  async play(): Promise<void> {
    const { scene, pods, cell } = this;
    const { outcome, others } = cell;
    if (others === 'running') await this.#counts(({ running }) => running > 0);
    if (others === 'ended') await this.#counts(({ succeeded }) => succeeded === 1);
    if (others === 'waiting') await this.#counts(({ waiting }) => waiting > 0);
    if (outcome.up === undefined) await scene.open(pods.target);
    await this.#intervene();
    const left = others === 'ended' || this.otherEnds !== 'Succeeded' ? 0 : 1;
    await this.#counts(({ waiting, running }) => waiting + running === left);
    if (left === 1) await scene.open(pods.other);
  }

  async #intervene(): Promise<void> {
    const { scene, pods } = this;
    const { by, command } = this.cell.outcome;
    if (by === 'fail') await scene.open(pods.fails);
    if (by === 'deletion') await cluster.remove('pods', namespace, pods.target);
    if (command === LONG && by !== undefined) {
      await eventually(`${pods.target} to run`, async () => (await scene.marks(pods.target)).length > 0);
    }
    if (by === 'cancel' || by === 'drop') {
      // Wait for the runner: `cancel` would end an unclaimed run at once.
      await scene.runStatus(({ runner }) => runner.claimedBy !== undefined);
      const grace = by === 'drop' ? ['--grace=0s'] : [];
      const canceled = await e2e.plugin('cancel', scene.name, '-n', velero, ...grace);
      assert.equal(canceled.code, 0, canceled.stderr);
    }
    if (by === 'death') await this.#killRunner();
  }

  async #killRunner(): Promise<void> {
    if (this.cell.runner === 'local') {
      this.#plugin?.kill('SIGKILL');
      await this.#plugin?.done;
      return this.start();
    }
    // A Job by hand has no label of ours.
    const { status = '' } = await this.scene.annotations();
    const [pod] = await cluster.list('pods', velero, `batch.kubernetes.io/job-name=${JSON.parse(status).runner.name}`);
    await this.scene.killRunner(pod);
  }

  #counts(fits: (counts: Loose) => boolean): Promise<unknown> {
    return eventually(`the counts of ${this.scene.name}`, async () => {
      const { status } = await this.scene.annotations();
      return status !== undefined && fits(JSON.parse(status).counts);
    });
  }

  get otherEnds(): string {
    const { outcome, others } = this.cell;
    if (others === 'ended') return 'Succeeded';
    if (outcome.by === 'drop') return others === 'running' ? 'Unknown canceled' : 'NotExecuted canceled';
    if (outcome.by === 'death' && others === 'running') return 'Unknown runner-died';
    if (others === 'running') return 'Succeeded';
    if (outcome.by === 'cancel') return 'NotExecuted canceled';
    return outcome.by === 'fail' || (this.onError === 'Fail' && !outcome.isInit && outcome.ends !== 'Succeeded')
      ? 'NotExecuted aborted'
      : 'Succeeded';
  }

  /** No hook is left for another runner, so the next `apply` only records that the run died. */
  get isSettled(): boolean {
    const { outcome, others, runner } = this.cell;
    return outcome.by === 'death' && runner === 'local' && others !== 'waiting';
  }

  get phase(): { phase: string; code: number } {
    const { by, ends, isInit } = this.cell.outcome;
    if (this.isSettled) return { phase: 'Failed', code: 10 };
    const isFail = by === 'fail' || (this.onError === 'Fail' && !isInit && ends !== 'Succeeded');
    if (isFail) return { phase: 'PartiallyFailed', code: 3 };
    if (by === 'cancel' || by === 'drop') return { phase: 'Canceled', code: 11 };
    return { phase: ends === 'Succeeded' ? 'Completed' : 'CompletedWithFailures', code: 0 };
  }

  async check(): Promise<void> {
    const { scene, pods, cell } = this;
    const { outcome, others, runner } = cell;
    const { phase, code } = this.phase;
    const ran = await this.#plugin?.done;
    const exitCode = runner === 'image' ? await lastExitCode(scene.name) : ran?.code;
    const told = (await scene.status()).json();
    const row = ({ pod, state, reason, exitCode: exit }: Loose) => [
      pod,
      [state, reason].filter(Boolean).join(' '),
      exit,
    ];
    const other = this.otherEnds;
    const expected = {
      fails: [pods.fails, 'Failed exit', 9],
      other: [pods.other, other, other === 'Succeeded' ? 0 : undefined],
      target: [pods.target, outcome.ends, outcome.exitCode],
    };
    assert.deepEqual([exitCode, told.phase], [code, phase], `${ran?.stderr}\n${JSON.stringify(told, undefined, 1)}`);
    assert.deepEqual(
      told.hooks.map(row),
      this.roles.map((role) => expected[role]),
    );
    if (ran !== undefined && !this.isSettled) assert.deepEqual(ran.json(), told, 'apply and status say the same');

    const { planned, waiting, running, ...results } = told.counts;
    assert.deepEqual([planned, waiting, running], [this.roles.length, 0, 0]);
    assert.equal(
      Object.values(results as Record<string, number>).reduce((sum, count) => sum + count, 0),
      planned,
    );
    const restore = await scene.current();
    const isMarked = phase === 'PartiallyFailed';
    assert.equal(restore.status.phase, isMarked ? 'PartiallyFailed' : 'Completed');
    const { status = '', 'former-phase': former, ...annotated } = await scene.annotations();
    assert.equal(former, isMarked ? 'Completed' : undefined);
    assert.equal(annotated['phase'], phase);
    assert.match(annotated['progress'] ?? '', new RegExp(`^${planned}/${planned} done`));
    assert.deepEqual(JSON.parse(status).counts, told.counts);
    assert.ok(told.finishedAt >= told.startedAt);
    const rows = this.isSettled ? [] : told.hooks;
    for (const hook of rows) assert.ok(hook.finishedAt <= told.finishedAt, `${hook.id} ended after the run`);

    const otherMarks = {
      running: other === 'Succeeded' ? ['begun', 'ended'] : ['begun'],
      waiting: ['ended'],
      ended: ['ended'],
    };
    const isNever = others === 'waiting' && other !== 'Succeeded';
    assert.deepEqual(await scene.marks(pods.other), isNever ? [] : otherMarks[others]);
    const isThere = outcome.by !== 'deletion' && outcome.pod === undefined;
    if (isThere) assert.deepEqual(await scene.marks(pods.target), outcome.marks ?? []);
    if (outcome.by === 'fail') assert.deepEqual(await scene.marks(pods.fails), ['ran']);
  }

  async clean(): Promise<void> {
    for (const role of this.roles) await cluster.remove('pods', namespace, this.pods[role]);
  }
}

/** Polls seldom and for long, because many combinations poll at once. */
async function eventually<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  for (let polls = 0; polls < 600; polls += 1) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    await delay(300);
  }
  throw new Error(`waited in vain for ${what}`);
}

/** A Job that plans for itself (examples/job.yaml). */
const imageJob = (restore: string, hasFile: boolean): object => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: restore, namespace: velero },
  spec: {
    backoffLimit: 2,
    template: {
      spec: {
        restartPolicy: 'Never',
        serviceAccountName: 'restorehooks',
        securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
        ...(hasFile && { volumes: [{ name: 'hooks', configMap: { name: `${restore}-hooks` } }] }),
        containers: [
          {
            name: 'runner',
            image: DEFAULT_IMAGE,
            imagePullPolicy: 'IfNotPresent',
            args: [restore, '-n', velero, ...(hasFile ? ['--hooks', '/hooks/hooks.json'] : [])],
            env: [
              { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
              { name: 'POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
              { name: 'JOB_NAME', value: restore },
            ],
            ...(hasFile && { volumeMounts: [{ name: 'hooks', mountPath: '/hooks' }] }),
            securityContext: {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ['ALL'] },
            },
          },
        ],
      },
    },
  },
});

/** The exit code of the Job's last pod. */
const lastExitCode = (job: string): Promise<number> =>
  eventually(`Job ${job} to end`, async () => {
    const pods = await cluster.list('pods', velero, `batch.kubernetes.io/job-name=${job}`);
    const last = pods.sort((one, other) =>
      one.metadata.creationTimestamp < other.metadata.creationTimestamp ? -1 : 1,
    );
    const code = last.at(-1)?.status?.containerStatuses?.[0]?.state.terminated?.exitCode;
    return code === undefined ? undefined : { code: code as number };
  }).then(({ code }) => code);

// R4.1
describe('every way in which a hook ends', { concurrency: Number(process.env['MATRIX_AT_ONCE'] ?? 8) }, () => {
  for (const [index, cell] of [...cells()].entries()) {
    const { source, name, others, runner } = cell;
    it(`${name}, from ${source}, while another is ${others}, run by ${runner}`, async () => {
      const play = new Play(cell, await e2e.scene('matrix', `m${index}-${suffix}`, namespace));
      await play.prepare();
      await play.start();
      await play.play();
      await play.check();
      await play.clean();
    });
  }
});
