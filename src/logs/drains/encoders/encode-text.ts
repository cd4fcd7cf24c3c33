/** Lines as text for destinations that take neither of Heroku's forms: strict RFC 5424, and JSON lines. */
import {
  APP_NAME_BYTES_MAX,
  HOSTNAME_BYTES_MAX,
  MSGID_BYTES_MAX,
  PROCID_BYTES_MAX,
} from '../../syslog/fields/header-field.ts';
import { type LogRecord, recordLevel, toRecordJson } from '../../syslog/record.ts';
import type { LossNotice } from '../outlet.ts';
import type { Shipment } from '../shipment.ts';
import { readRecords } from './shipment-records.ts';

/** Writes a shipment's lines, the notice of a loss in front. */
export type ShipmentEncoder = (shipment: Shipment, notice: LossNotice | undefined) => Buffer;
export type SyslogFraming = 'octet' | 'newline';

/**
 * Strict RFC 5424: the sender's own HOSTNAME, or the given one; no field longer than section 6 allows, nothing after the
 * message.
 */
export function rfc5424Encoder(framing: SyslogFraming, hostname?: string): ShipmentEncoder {
  return (shipment, notice) => {
    const lines = readRecords(shipment, notice);
    return encodeRfc5424(hostname ? lines.map((line) => ({ ...line, hostname })) : lines, framing);
  };
}

/** Strict RFC 5424 lines in frames. */
export function encodeRfc5424(lines: readonly LogRecord[], framing: SyslogFraming): Buffer {
  return frameAll(lines.map(formatRfc5424), framing);
}

/** One JSON object a line. */
export function jsonLinesEncoder(app: string, framing: SyslogFraming = 'newline'): ShipmentEncoder {
  return (shipment, notice) =>
    frameAll(
      readRecords(shipment, notice).map((line) => JSON.stringify(toRecordJson(line, recordLevel(line), app))),
      framing,
    );
}

function formatRfc5424(line: LogRecord): string {
  const { priority, structuredData, message } = line;
  // TIME-SECFRAC has six digits at the most.
  const timestamp = line.timestamp.replace(/(\.\d{6})\d+/, '$1');
  const host = printable(line.hostname, HOSTNAME_BYTES_MAX);
  const source = printable(line.source, APP_NAME_BYTES_MAX);
  const dyno = printable(line.dyno, PROCID_BYTES_MAX);
  const msgid = printable(line.msgid, MSGID_BYTES_MAX);
  const text = message === '' ? '' : ` ${message}`;
  return `<${priority}>1 ${timestamp} ${host} ${source} ${dyno} ${msgid} ${structuredData}${text}`;
}

/** PRINTUSASCII of RFC 5424 section 6, truncated; a NILVALUE when nothing is left. */
function printable(text: string, length: number): string {
  return text.replace(/[^\x21-\x7e]/g, '?').slice(0, length) || '-';
}

function frameAll(lines: readonly string[], framing: SyslogFraming): Buffer {
  if (framing === 'octet')
    return Buffer.from(lines.map((line) => `${Buffer.byteLength(line)} ${line}`).join(''));
  // A newline within a message would end it: escaped as rsyslog does (RFC 6587 section 3.4.2 leaves it open).
  return Buffer.from(lines.map((line) => `${line.replace(/\n/g, '#012')}\n`).join(''));
}
