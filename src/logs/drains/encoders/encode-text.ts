/** Lines as text for destinations that take neither of Heroku's forms: strict RFC 5424, and JSON lines. */
import {
  APP_NAME_BYTES_MAX,
  HOSTNAME_BYTES_MAX,
  MSGID_BYTES_MAX,
  PROCID_BYTES_MAX,
} from '../../syslog/fields/header-field.ts';
import type { LogLevel } from '../../syslog/level.ts';
import { type LogRecord, toRecordJson } from '../../syslog/record.ts';
import type { RequestBodyPool } from '../http-format.ts';
import type { LossNotice } from '../outlet.ts';
import type { Shipment } from '../shipment.ts';
import { type LineFrame, type LinePieces, type LineTemplate, noticeLines } from './line-template.ts';
import { TemplateEncoder } from './wasm/wasm-lines.ts';

/** Writes a shipment's lines, the notice of a loss in front. */
export type ShipmentEncoder = (
  shipment: Shipment,
  notice: LossNotice | undefined,
  pool: RequestBodyPool,
) => Buffer;
export type SyslogFraming = 'octet' | 'newline';

/**
 * Strict RFC 5424: the sender's own HOSTNAME, or the given one; no field longer than section 6 allows, nothing after the
 * message.
 */
export function rfc5424Encoder(framing: SyslogFraming, hostname?: string): ShipmentEncoder {
  const encoder = new TemplateEncoder(rfc5424Template(framing, { hostname }));
  const frame: LineFrame = framing === 'newline' ? { tail: '\n' } : {};
  return (shipment, notice, pool) => encoder.encode(shipment, frame, {}, pool, noticeLines(notice));
}

/** One JSON object a line. */
export function jsonLinesEncoder(app: string, framing: SyslogFraming = 'newline'): ShipmentEncoder {
  const isCounted = framing === 'octet';
  const encoder = new TemplateEncoder({ ...recordJsonTemplate(app), isCounted });
  const frame = { ...RECORD_JSON_FRAME, tail: isCounted ? '' : '\n' };
  return (shipment, notice, pool) => encoder.encode(shipment, frame, {}, pool, noticeLines(notice));
}

/** Lines as `toRecordJson` has them. */
export function recordJsonTemplate(app: string): LineTemplate {
  return { time: 'text', isJson: true, pieces: (line, level) => recordJsonPieces(line, level, app) };
}

export const RECORD_JSON_FRAME: LineFrame = { head: '{"timestamp":"' };

const MESSAGE = ',"message":';
const DATA = ',"structured_data":';

function recordJsonPieces(line: LogRecord, level: LogLevel, app: string): LinePieces {
  // The time is in front.
  const { timestamp: _, structured_data: data, message: __, ...fields } = toRecordJson(line, level, app);
  const text = `",${JSON.stringify(fields).slice(1, -1)}`;
  return data === undefined
    ? { c1: `${text}${MESSAGE}"`, c2: '"}' }
    : { c1: `${text}${DATA}"`, c2: `"${MESSAGE}"`, c3: '"}' };
}

export interface Rfc5424Options {
  /** In the place of the sender's. */
  readonly hostname?: string;
  /** Each line of a message is a message of its own; called with how many more these are. */
  readonly onSplit?: (more: number) => void;
}

/** Strict RFC 5424 lines in frames. */
export function rfc5424Template(
  framing: SyslogFraming,
  { hostname, onSplit }: Rfc5424Options = {},
): LineTemplate {
  return {
    time: 'six-digits',
    isJson: false,
    isCounted: framing === 'octet',
    keepsNewlines: framing === 'octet' && !onSplit,
    withoutLevel: true,
    pieces: (line) => rfc5424Pieces(hostname === undefined ? line : { ...line, hostname }),
    encode: (line) => {
      const own = hostname === undefined ? line : { ...line, hostname };
      const lines = onSplit ? splitMessage(own) : [own];
      onSplit?.(lines.length - 1);
      return frameAll(lines.map(formatRfc5424), framing);
    },
  };
}

function rfc5424Pieces(line: LogRecord): LinePieces {
  const c0 = `<${line.priority}>1 `;
  const c1 = ` ${rfc5424Fields(line)} `;
  return line.structuredData === '-' ? { c0, c1: `${c1}- `, c2: '' } : { c0, c1, c2: ' ' };
}

function formatRfc5424(line: LogRecord): string {
  const { priority, structuredData, message } = line;
  // TIME-SECFRAC has six digits at the most.
  const timestamp = line.timestamp.replace(/(\.\d{6})\d+/, '$1');
  const text = message === '' ? '' : ` ${message}`;
  return `<${priority}>1 ${timestamp} ${rfc5424Fields(line)} ${structuredData}${text}`;
}

/** HOSTNAME to MSGID. */
function rfc5424Fields(line: LogRecord): string {
  const host = printable(line.hostname, HOSTNAME_BYTES_MAX);
  const source = printable(line.source, APP_NAME_BYTES_MAX);
  const dyno = printable(line.dyno, PROCID_BYTES_MAX);
  return `${host} ${source} ${dyno} ${printable(line.msgid, MSGID_BYTES_MAX)}`;
}

/** PRINTUSASCII of RFC 5424 section 6, truncated; a NILVALUE when nothing is left. */
function printable(text: string, length: number): string {
  return text.replace(/[^\x21-\x7e]/g, '?').slice(0, length) || '-';
}

/** A record for each line of a message; the first has the structured data. */
function splitMessage(record: LogRecord): LogRecord[] {
  return record.message.split('\n').map((message, i) => ({
    ...record,
    structuredData: i === 0 ? record.structuredData : '-',
    message,
  }));
}

function frameAll(lines: readonly string[], framing: SyslogFraming): Buffer {
  if (framing === 'octet')
    return Buffer.from(lines.map((line) => `${Buffer.byteLength(line)} ${line}`).join(''));
  // A newline within a message would end it: escaped as rsyslog does (RFC 6587 section 3.4.2 leaves it open).
  return Buffer.from(lines.map((line) => `${line.replace(/\n/g, '#012')}\n`).join(''));
}
