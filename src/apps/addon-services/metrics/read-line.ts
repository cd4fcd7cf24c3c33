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
  const method = fieldOf(message, 'method');
  const path = fieldOf(message, 'path');
  const status = Number(fieldOf(message, 'status'));
  if (method === undefined || path === undefined || !Number.isInteger(status)) return undefined;
  const connect = millisecondsOf(message, 'connect');
  const service = millisecondsOf(message, 'service');
  return {
    method,
    path,
    status,
    code: fieldOf(message, 'code') || undefined,
    durationMs: service === undefined ? undefined : service + (connect ?? 0),
    bytes: Number(fieldOf(message, 'bytes')) || 0,
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

/** The value of `name=value` or `name="value"`; quotes inside are never there: the router escapes them. */
function fieldOf(message: string, name: string): string | undefined {
  const at = message.startsWith(`${name}=`) ? 0 : message.indexOf(` ${name}=`) + 1;
  if (at === 0 && !message.startsWith(`${name}=`)) return undefined;
  const from = at + name.length + 1;
  if (message[from] === '"') return message.slice(from + 1, endOf(message, '"', from + 1));
  return message.slice(from, endOf(message, ' ', from));
}

function endOf(message: string, mark: string, from: number): number {
  const end = message.indexOf(mark, from);
  return end === -1 ? message.length : end;
}

function millisecondsOf(message: string, name: string): number | undefined {
  const ms = Number.parseInt(fieldOf(message, name) ?? '', 10);
  return Number.isNaN(ms) ? undefined : ms;
}
