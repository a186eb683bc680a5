import { once } from 'node:events';
import http from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { RestoreHooksError } from '../core/errors.ts';
import type { Meter, MetricName } from '../core/report/run-metrics.ts';
import { definitionOf, METRICS } from '../core/report/run-metrics.ts';

export interface MetricsServer {
  readonly meter: Meter;
  close(): void;
}

/** Serves the metrics as Prometheus reads them, at `/metrics`, and `/healthz` (R8.70). */
export async function serveMetrics(port: number, host: string | undefined): Promise<MetricsServer> {
  const registry = new Registry();
  const server = http.createServer((request, response) => {
    void answer(registry, request, response);
  });
  server.listen({ port, host });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw notServed(port, error);
  }
  // A port that the run can't use later on must not keep the process.
  server.unref();
  collectDefaultMetrics({ register: registry });
  return {
    meter: prometheusMeter(registry),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(registry: Registry, { method, url = '' }: http.IncomingMessage, response: http.ServerResponse) {
  const [path] = url.split('?');
  const isRead = method === 'GET' || method === 'HEAD';
  if (isRead && path === '/metrics') {
    // prom-client writes the value of nothing measured in a way of its own.
    const text = (await registry.metrics()).replaceAll(/ Nan$/gm, ' NaN');
    response.writeHead(200, { 'content-type': registry.contentType }).end(method === 'HEAD' ? '' : text);
    return;
  }
  const [status, text] = isRead ? (path === '/healthz' ? [200, 'ok'] : [404, 'see /metrics']) : [405, 'only GET'];
  response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`);
}

/** R8.73 */
function notServed(port: number, error: unknown): RestoreHooksError {
  const { code = 'unknown reason' } = (error ?? {}) as { readonly code?: string };
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: 'the port is in use',
    EACCES: 'this user may not listen on it',
  };
  return new RestoreHooksError('INVALID_ARGUMENT', `--metrics-port ${port}: ${why[code] ?? code}; nothing is started`, {
    hint: 'give another port, above 1023',
  });
}

function prometheusMeter(registry: Registry): Meter {
  const registers = [registry];
  const counters = new Map<MetricName, Counter>();
  const gauges = new Map<MetricName, Gauge>();
  const histograms = new Map<MetricName, Histogram>();
  const configurationOf = (name: MetricName) => {
    const { help, labels = [] } = definitionOf(name);
    return { name, help, labelNames: [...labels], registers };
  };
  /** A gauge is made when its value is known: before, it would be served as 0. */
  const gaugeOf = (name: MetricName): Gauge => {
    const gauge = gauges.get(name) ?? new Gauge(configurationOf(name));
    gauges.set(name, gauge);
    return gauge;
  };
  for (const name of Object.keys(METRICS) as MetricName[]) {
    const { type, buckets = [] } = definitionOf(name);
    const configuration = configurationOf(name);
    if (type === 'counter') counters.set(name, new Counter(configuration));
    else if (type === 'histogram') histograms.set(name, new Histogram({ ...configuration, buckets: [...buckets] }));
  }
  return {
    count: (name, labels = {}) => counters.get(name)?.inc(labels),
    set: (name, value, labels = {}) => gaugeOf(name).set(labels, value),
    observe: (name, seconds, labels = {}) => histograms.get(name)?.observe(labels, seconds),
  };
}
