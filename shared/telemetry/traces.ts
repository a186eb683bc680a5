import type { Context, HrTime } from '@opentelemetry/api';
import { defaultTextMapGetter, ROOT_CONTEXT } from '@opentelemetry/api';
import { ExportResultCode, hrTimeToMilliseconds, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { AlwaysOnSampler, BatchSpanProcessor, ParentBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import { VERSION } from '../core/version.ts';
import type { StepObserver } from '../runtime/steps.ts';
import type { AboutRun } from './run-spans.ts';
import { RunSpans } from './run-spans.ts';

export interface Traces {
  of(about: AboutRun): readonly StepObserver[];
  end(): Promise<void>;
}

type Env = Readonly<Record<string, string | undefined>>;

/** How long the end of a run waits for a collector. */
const FLUSH_MS = 2_000;
/** A run of 10,000 hooks ends 20,000 spans, many of them at once. What finds no room is dropped. */
const MOST_WAITING_SPANS = 20_000;

/**
 * Spans as OpenTelemetry's own variables ask for them (R8.74). Nothing about them fails a run or delays its hooks: what is
 * wrong is a warning.
 */
export function startTraces(env: Env, warn: (message: string) => void): Traces {
  const exporter = exporterOf(env, warn);
  if (exporter === undefined) return { of: () => [], end: async () => undefined };
  let lost = 0;
  const counting: SpanExporter = {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.code !== ExportResultCode.SUCCESS) lost += spans.length;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'restorehooks', 'service.version': VERSION }))
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [new BatchSpanProcessor({ exporter: counting, maxQueueSize: MOST_WAITING_SPANS })],
  });
  const tracer = provider.getTracer('kubectl-restorehooks', VERSION);
  return {
    of: (about) => [new RunSpans(tracer, parentOf(env), about)],
    async end() {
      const late = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), FLUSH_MS).unref());
      const flushed = provider.forceFlush({ timeoutMillis: FLUSH_MS }).catch(() => 'late' as const);
      const isLate = (await Promise.race([flushed, late])) === 'late';
      if (isLate || lost > 0) warn('the collector of OTEL_EXPORTER_OTLP_ENDPOINT has not taken all spans of this run');
    },
  };
}

/** The span of `TRACEPARENT`, which a CI gives to what it runs. One that can't be read counts as none. */
function parentOf({ TRACEPARENT: traceparent, TRACESTATE: tracestate }: Env): Context {
  const carrier = { ...(traceparent && { traceparent }), ...(tracestate && { tracestate }) };
  return new W3CTraceContextPropagator().extract(ROOT_CONTEXT, carrier, defaultTextMapGetter);
}

function exporterOf(env: Env, warn: (message: string) => void): SpanExporter | undefined {
  const name = env['OTEL_TRACES_EXPORTER'] || 'otlp';
  if (name === 'console') return onStderr;
  if (name !== 'otlp') {
    warn(`OTEL_TRACES_EXPORTER: expected otlp, console or none, not ${JSON.stringify(name)}; no spans are sent`);
    return undefined;
  }
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'] || 'http/json';
  if (protocol !== 'http/json') {
    warn(`OTEL_EXPORTER_OTLP_PROTOCOL: ${JSON.stringify(protocol)} is not spoken here; spans are sent by http/json`);
  }
  try {
    return new OTLPTraceExporter();
  } catch {
    // Its message quotes the variable, which may hold a password.
    warn('OTEL_EXPORTER_OTLP_ENDPOINT: expected an http or https URL; no spans are sent');
    return undefined;
  }
}

/** One JSON object a line. The SDK's own exporter prints to stdout, where results and the runner's log go. */
const onStderr: SpanExporter = {
  export(spans, done) {
    process.stderr.write(spans.map((span) => `${JSON.stringify(lineOf(span))}\n`).join(''));
    done({ code: ExportResultCode.SUCCESS });
  },
  shutdown: async () => undefined,
};

const lineOf = (span: ReadableSpan) => ({
  span: span.name,
  ...span.spanContext(),
  parentSpanId: span.parentSpanContext?.spanId,
  startTime: textOf(span.startTime),
  endTime: textOf(span.endTime),
  attributes: span.attributes,
});

const textOf = (time: HrTime): string => new Date(hrTimeToMilliseconds(time)).toISOString();
