import type { Context, HrTime } from '@opentelemetry/api';
import { defaultTextMapGetter, ROOT_CONTEXT } from '@opentelemetry/api';
import { ExportResultCode, hrTimeToMilliseconds, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
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
/** The exporter refuses to have more than 30 requests open, and at the end all that wait are sent at once. */
const MOST_SPANS_A_REQUEST = 2_000;

const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT';
const TRACES_ENDPOINT = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';

/**
 * Spans as OpenTelemetry's own variables ask for them (R8.74). Nothing about them fails a run or delays its hooks: what is
 * wrong is a warning.
 */
export function startTraces(env: Env, warn: (message: string) => void): Traces {
  const exporter = exporterOf(env, warn);
  if (exporter === undefined) return { of: () => [], end: async () => undefined };
  const sending = new Sending(exporter);
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'restorehooks', 'service.version': VERSION }))
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [
      sending.counted(
        new BatchSpanProcessor({
          exporter: sending,
          maxQueueSize: MOST_WAITING_SPANS,
          maxExportBatchSize: MOST_SPANS_A_REQUEST,
        }),
      ),
    ],
  });
  const tracer = provider.getTracer('kubectl-restorehooks', VERSION);
  return {
    of: (about) => [new RunSpans(tracer, parentOf(env), about)],
    async end() {
      const late = new Promise<void>((resolve) => setTimeout(resolve, FLUSH_MS).unref());
      // One request that fails must not end the wait for the others.
      const flushed = provider.forceFlush({ timeoutMillis: FLUSH_MS }).catch(() => sending.answered());
      await Promise.race([flushed, late]);
      if (!sending.isComplete) {
        const endpoint = env[TRACES_ENDPOINT] ? TRACES_ENDPOINT : ENDPOINT;
        warn(`the collector of ${endpoint} has not taken all spans of this run`);
      }
    },
  };
}

/** Counts what has ended and what a collector has taken; the rest was refused, is late, or found no room. */
class Sending implements SpanExporter {
  readonly #exporter: SpanExporter;
  #ended = 0;
  #taken = 0;
  #open = 0;
  #onAnswered = (): void => undefined;

  constructor(exporter: SpanExporter) {
    this.#exporter = exporter;
  }

  get isComplete(): boolean {
    return this.#taken === this.#ended;
  }

  /** Resolves once no request is open. */
  answered(): Promise<void> {
    return new Promise((resolve) => {
      this.#onAnswered = resolve;
      if (this.#open === 0) resolve();
    });
  }

  counted(processor: SpanProcessor): SpanProcessor {
    return {
      onStart: (span, context) => processor.onStart(span, context),
      onEnd: (span) => {
        this.#ended += 1;
        processor.onEnd(span);
      },
      forceFlush: () => processor.forceFlush(),
      shutdown: () => processor.shutdown(),
    };
  }

  export: SpanExporter['export'] = (spans, done) => {
    this.#open += 1;
    this.#exporter.export(spans, (result) => {
      this.#open -= 1;
      if (result.code === ExportResultCode.SUCCESS) this.#taken += spans.length;
      done(result);
      if (this.#open === 0) this.#onAnswered();
    });
  };

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
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
  // The exporter would send to its default instead. The text isn't told: it may hold a password.
  const wrong = [TRACES_ENDPOINT, ENDPOINT].find((variable) => !isHttp(env[variable]));
  if (wrong === undefined) return new OTLPTraceExporter();
  warn(`${wrong}: expected an http or https URL; no spans are sent`);
  return undefined;
}

const isHttp = (text: string | undefined): boolean =>
  text === undefined || text === '' || ['http:', 'https:'].includes(URL.parse(text.trim())?.protocol ?? '');

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
