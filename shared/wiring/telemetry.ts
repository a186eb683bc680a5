import { ANNOTATION, boardName } from '../core/names.ts';
import type { Meter, RunMetrics } from '../core/report/run-metrics.ts';
import { meters, metricsOf, Tally } from '../core/report/run-metrics.ts';
import { VERSION } from '../core/version.ts';
import type { KubeClient } from '../kubernetes/api/client.ts';
import { verbOf } from '../kubernetes/api/request-right.ts';
import type { RequestOutcome } from '../kubernetes/exec/exec.ts';
import { RunMeter } from '../runtime/run-meter.ts';
import type { StepObserver } from '../runtime/steps.ts';
import type { AboutRun } from '../telemetry/run-spans.ts';
import { takenFrom } from './shards.ts';
import type { TakenRun } from './take-run.ts';

/** What is told of a run besides its report. */
export interface Telemetry {
  /** Of a run that has been taken. */
  of(run: TakenRun): TelemetryOfRun;
  /** Something went wrong beside the hooks. */
  warned(): void;
  /** The run is over in this process. Resolves within a few seconds, whether or not a collector answers. */
  end(): Promise<void>;
}

export interface TelemetryOfRun {
  readonly steps: readonly StepObserver[];
  readonly metrics: () => RunMetrics;
  /** An exec request is over. */
  execOver(outcome: RequestOutcome): void;
}

/** Where metrics and spans go to, besides the run's document. */
export interface Telling {
  readonly server?: { readonly meter: Meter; close(): void } | undefined;
  readonly traces?:
    | {
        of(about: AboutRun): readonly StepObserver[];
        end(): Promise<void>;
      }
    | undefined;
}

export function telemetryOf(client: Pick<KubeClient, 'onAnswer'>, { server, traces }: Telling = {}): Telemetry {
  const tally = new Tally();
  const meter = server === undefined ? tally : meters(tally, server.meter);
  countRequests(client, meter);
  return {
    of({ restore, status: { runID }, input, runner, shard }) {
      const { namespace, name } = input.plan.restore;
      const before = shard
        ? takenFrom(shard)?.metrics
        : metricsOf(restore.metadata.annotations[ANNOTATION.metrics], runID);
      tally.add(before ?? {}); // R8.72
      const info = {
        restore_namespace: namespace,
        restore: name,
        run: runID,
        runner: `${runner}`,
        shard: `${shard?.index ?? ''}`,
        version: VERSION,
      };
      meter.set('restorehooks_run_info', 1, info);
      const spans = traces?.of({ namespace, restore: name, runID, runner, shard: shard?.shard }) ?? [];
      return {
        steps: [new RunMeter(meter), ...spans],
        metrics: () => tally.metrics,
        execOver: (outcome) => meter.count('restorehooks_exec_requests_total', { outcome: labelOf(outcome) }),
      };
    },
    warned: () => meter.count('restorehooks_warnings_total'),
    async end() {
      await traces?.end();
      server?.close();
    },
  };
}

/** `connectionLost` as reasons are written: `connection-lost`. */
const labelOf = (outcome: RequestOutcome): string => outcome.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function countRequests(client: Pick<KubeClient, 'onAnswer'>, meter: Meter): void {
  const watched = new Set<string>();
  client.onAnswer((method, path, status, ms) => {
    const { verb, resource } = verbOf(method, path);
    meter.count('restorehooks_api_requests_total', { verb, resource, code: `${status ?? 'none'}` });
    if (method === 'WATCH') {
      if (watched.has(path)) meter.count('restorehooks_watch_restarts_total');
      watched.add(path);
      return;
    }
    meter.observe('restorehooks_api_request_duration_seconds', ms / 1000, { verb });
    // The only other ConfigMap that a runner writes to is what shards tell each other.
    if (resource === 'configmaps' && method === 'PATCH' && !path.endsWith(boardName(''))) {
      meter.observe('restorehooks_journal_write_duration_seconds', ms / 1000);
    }
  });
}
