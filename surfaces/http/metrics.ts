import { collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';

export interface RequestLabels {
  api: string;
  operation: string;
  status: string;
}

export interface Metrics {
  begin(): void;
  end(labels: RequestLabels, seconds: number): void;
  readonly inFlight: number;
  text(): Promise<string>;
  readonly contentType: string;
}

/** Registers what this door measures, and the process itself. A registry serves one door. */
export function httpMetrics(registry: Registry): Metrics {
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: 'airtime_http_request_duration_seconds',
    help: 'Time from the first byte of a request to the end of its answer.',
    labelNames: ['api', 'operation', 'status'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  const gauge = new Gauge({
    name: 'airtime_http_requests_in_flight',
    help: 'Requests that are being answered.',
    registers: [registry],
  });
  let inFlight = 0;
  return {
    begin() {
      inFlight += 1;
      gauge.set(inFlight);
    },
    end(labels, seconds) {
      inFlight -= 1;
      gauge.set(inFlight);
      duration.observe({ ...labels }, seconds);
    },
    get inFlight() {
      return inFlight;
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
