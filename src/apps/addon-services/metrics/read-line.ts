/** Reads what the lines of a drain say in numbers. */
import { type L2metValue, parseL2metText } from '../../../logs/metrics/l2met.ts';
import { parseDrainHeader } from '../../../logs/syslog/drain-frames/drain-header.ts';

/** A line of the stream, in Heroku's form. */
export interface DrainLine {
  readonly timeMs: number;
  /** `heroku`, `app`, an add-on's source. */
  readonly source: string;
  /** `router`, `web.1`, `postgres.1`. */
  readonly dyno: string;
  readonly message: string;
}

/** A request that the HTTP router has answered. */
export interface RouterRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** `H12`; undefined when there was no error of the router. */
  readonly code?: string;
  /** Waiting for the dyno and its answer; undefined when no dyno had it. */
  readonly durationMs?: number;
  readonly bytes: number;
}

/** @returns undefined for a line whose header can't be read */
export function readDrainLine(frame: Buffer, nowMs: number): DrainLine | undefined {
  const header = parseDrainHeader(frame, 'heroku');
  if (!header) return undefined;
  const { time, source, dyno, messageFrom } = header;
  const sentMs = Date.parse(frame.toString('latin1', time.from, time.to));
  return {
    timeMs: Number.isNaN(sentMs) ? nowMs : sentMs,
    source: frame.toString('utf8', source.from, source.to),
    dyno: frame.toString('utf8', dyno.from, dyno.to),
    message: frame.toString('utf8', messageFrom).trimEnd(),
  };
}

/** @returns undefined when it is no line of the HTTP router */
export function readRouterRequest({ source, dyno, message }: DrainLine): RouterRequest | undefined {
  if (source !== 'heroku' || dyno !== 'router') return undefined;
  const fields = readFields(message);
  const method = fields.get('method');
  const path = fields.get('path');
  const status = Number(fields.get('status'));
  if (method === undefined || path === undefined || !Number.isInteger(status) || status < 100)
    return undefined;
  const connect = milliseconds(fields.get('connect'));
  const service = milliseconds(fields.get('service'));
  return {
    method,
    path,
    status,
    code: fields.get('code') || undefined,
    durationMs: service === undefined ? undefined : service + (connect ?? 0),
    bytes: Number(fields.get('bytes')) || 0,
  };
}

/** `R14`, `H12`, `L10` of a line of the platform: `Error R14 (Memory quota exceeded)`. */
export function platformErrorCode({ source, message }: DrainLine): string | undefined {
  return source === 'heroku' ? /^(?:Error|at=error code=)\s?([HRL]\d{2})\b/.exec(message)?.[1] : undefined;
}

/** What `measure#`, `count#` and `sample#` say. */
export function readValues({ dyno, message }: DrainLine): L2metValue[] {
  return message.includes('#') ? parseL2metText(message, dyno) : [];
}

/** `name=value` and `name="value"`, one after the other: what is inside of quotes is no name. */
const FIELD = /([a-z_]{1,30})=(?:"([^"]*)"|(\S*))/g;

function readFields(message: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const [, name, quoted, plain] of message.matchAll(FIELD))
    if (!fields.has(name)) fields.set(name, quoted ?? plain);
  return fields;
}

function milliseconds(text: string | undefined): number | undefined {
  const ms = Number.parseInt(text ?? '', 10);
  return Number.isNaN(ms) ? undefined : ms;
}
