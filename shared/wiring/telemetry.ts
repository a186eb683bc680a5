import { ANNOTATION, boardName } from '../core/names.ts';
import type { Meter, RunMetrics } from '../core/report/run-metrics.ts';
import { meters, metricsOf, Tally } from '../core/report/run-metrics.ts';
import { VERSION } from '../core/version.ts';
import type { KubeClient } from '../kubernetes/api/client.ts';
import { verbOf } from '../kubernetes/api/request-right.ts';
import { RunMeter } from '../runtime/run-meter.ts';
import type { StepObserver } from '../runtime/steps.ts';
import { takenFrom } from './shards.ts';
import type { TakenRun } from './take-run.ts';

/** What is told of a run besides its report. */
export interface Telemetry {
  /** Of a run that has been taken. */
  of(run: TakenRun): { readonly steps: readonly StepObserver[]; readonly metrics: () => RunMetrics };
  /** Something went wrong beside the hooks. */
  warned(): void;
  /** The run is over in this process. Resolves within a few seconds, whether or not a collector answers. */
  end(): Promise<void>;
}

/** Where metrics and spans go to, besides the run's document. */
export interface Telling {
  readonly server?: { readonly meter: Meter; close(): void } | undefined;
  readonly traces?:
    | {
        of(run: { namespace: string; restore: string; runID: string; runner: number }): readonly StepObserver[];
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
      const info = { restore_namespace: namespace, restore: name, run: runID, runner: `${runner}`, version: VERSION };
      meter.set('restorehooks_run_info', 1, info);
      const spans = traces?.of({ namespace, restore: name, runID, runner }) ?? [];
      return { steps: [new RunMeter(meter), ...spans], metrics: () => tally.metrics };
    },
    warned: () => meter.count('restorehooks_warnings_total'),
    async end() {
      await traces?.end();
      server?.close();
    },
  };
}

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
    // The only other ConfigMap that a runner writes is what shards tell each other.
    if (resource === 'configmaps' && method !== 'GET' && !path.endsWith(boardName(''))) {
      meter.observe('restorehooks_journal_write_duration_seconds', ms / 1000);
    }
  });
}
