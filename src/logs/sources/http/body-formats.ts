/** Formats of bodies, by their content types. */

export type BodyFormat = 'logplex' | 'text' | 'ndjson' | 'json';
export type OtlpFormat = 'otlp-json' | 'otlp-protobuf';

/** Of `POST /logs`. */
export const BODY_FORMATS: ReadonlyMap<string, BodyFormat> = new Map([
  ['application/logplex-1', 'logplex'],
  ['application/x-logplex-1', 'logplex'],
  ['text/plain', 'text'],
  // What `curl --data-binary @file` sends by default.
  ['application/x-www-form-urlencoded', 'text'],
  ['application/x-ndjson', 'ndjson'],
  ['application/ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
  ['application/x-jsonlines', 'ndjson'],
  ['application/json', 'json'],
]);

/** Of OpenTelemetry's `POST /v1/logs`. */
export const OTLP_FORMATS: ReadonlyMap<string, OtlpFormat> = new Map([
  ['application/json', 'otlp-json'],
  ['application/x-protobuf', 'otlp-protobuf'],
  ['application/protobuf', 'otlp-protobuf'],
]);

/** What a refusal is written in: Logplex's are text, those of OTLP are as the request is. */
export type RefusalForm = 'text' | 'json' | 'protobuf';

/** @param acceptsJson as `Accept` says */
export function refusalForm(format: BodyFormat | OtlpFormat, acceptsJson: boolean): RefusalForm {
  if (acceptsJson || format === 'otlp-json') return 'json';
  return format === 'otlp-protobuf' ? 'protobuf' : 'text';
}

/** Heroku's drains in other formats send `Logplex-Drain-Token`, too. */
export function isHerokuDrainForm(type: string, drainToken: unknown): boolean {
  return drainToken !== undefined && type === 'application/logplex-1';
}
