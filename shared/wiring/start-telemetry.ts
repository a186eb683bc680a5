import type { KubeClient } from '../kubernetes/api/client.ts';
import { wantsTraces } from '../telemetry/wants-traces.ts';
import type { Telemetry } from './telemetry.ts';
import { telemetryOf } from './telemetry.ts';

interface TelemetryOptions {
  /** Serve the metrics there; absent: only the run's document has them. */
  readonly metricsPort?: number | undefined;
  /** On which address to serve them; absent: on all. */
  readonly host?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly warn: (message: string) => void;
}

/**
 * Metrics and spans as they are asked for. The libraries for both are loaded only then (R8.75). Rejects with
 * `INVALID_ARGUMENT` if the metrics can't be served (R8.73).
 */
export async function startTelemetry(
  client: KubeClient,
  { metricsPort, host, env, warn }: TelemetryOptions,
): Promise<Telemetry> {
  const server =
    metricsPort === undefined
      ? undefined
      : await (await import('../telemetry/metrics-server.ts')).serveMetrics(metricsPort, host);
  const traces = wantsTraces(env) ? (await import('../telemetry/traces.ts')).startTraces(env, warn) : undefined;
  return telemetryOf(client, { server, traces });
}
