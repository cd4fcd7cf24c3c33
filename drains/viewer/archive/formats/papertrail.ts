/**
 * Papertrail's archives, in and out: a line of ten columns with tabs between them (id, generated_at, received_at, source_id, source_name,
 * source_ip, facility, severity, program, message), tabs and line feeds within the message escaped, as Papertrail's help describes them.
 */

import { createHash } from 'node:crypto';
import { ownValue } from '../../../../src/common/own-value.ts';
import { capitalize } from '../../../../src/common/text/capitalize.ts';
import { parseTime } from '../../../../src/common/time-expression.ts';
import { facilityName, facilityNumber, severityNumber } from '../../../../src/logs/query/query-syntax.ts';
import type { LogRecord } from '../../../../src/logs/syslog/record.ts';
import type { FileLine } from './record-writer.ts';

const COLUMNS = 10;
/** Nobody's name: what lines of drains have (Heroku's, Tailrace's), whose sender is the app. */
const NO_HOSTS: readonly string[] = ['-', 'host'];

/** RFC 5424 section 6.2.1, table 2, as Papertrail writes it. */
const SEVERITIES = ['Emergency', 'Alert', 'Critical', 'Error', 'Warning', 'Notice', 'Info', 'Debug'];
/** Names of facilities that aren't syslog's own. */
const FACILITY_NAMES: Readonly<Record<string, number>> = {
  kernel: 0,
  system: 3,
  security: 4,
  printer: 6,
  clock: 9,
  'security/auth': 10,
  alert: 14,
};
const USER = 1;
const INFO = 6;
const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', '\\': '\\' };
const HAS_ZONE = /(?:Z|UTC|GMT|[+-]\d\d:?\d\d)$/i;

/** Reads a line of an archive; undefined when it isn't one. `timestamp` is as the file has it. */
export function readPapertrailLine(text: string): FileLine | undefined {
  const columns = text.split('\t');
  if (columns.length < COLUMNS) return undefined;
  const [id, generated, received, , sourceName, sourceIp, facility, severity, program] = columns;
  const generatedMs = papertrailTime(generated);
  if (!/^\d{1,20}$/.test(id) || generatedMs === undefined) return undefined;
  const slash = program.indexOf('/');
  const facilityKey = facility.trim().toLowerCase();
  return {
    record: {
      timestamp: generated.trim().replace(' ', 'T'),
      priority:
        (facilityNumber(facilityKey) ?? ownValue(FACILITY_NAMES, facilityKey) ?? USER) * 8 +
        (severityNumber(severity.trim()) ?? INFO),
      hostname: sourceName || sourceIp || '-',
      source: slash > 0 ? program.slice(0, slash) : program,
      dyno: slash > 0 ? program.slice(slash + 1) : '-',
      msgid: '-',
      structuredData: '-',
      message: unescapeText(columns.slice(COLUMNS - 1).join('\t')),
    },
    receivedAtMs: papertrailTime(received),
  };
}

/** What a line is besides its fields. */
export interface PapertrailOrigin {
  readonly stream: string;
  readonly streamName: string;
  readonly position: number;
  readonly receivedAtMs: number;
}

/** The line of an archive, with its line feed. */
export function papertrailLine(record: LogRecord, origin: PapertrailOrigin): string {
  const { priority, source, dyno } = record;
  const facility = facilityName(priority >> 3);
  return `${[
    lineId(origin),
    record.timestamp,
    new Date(origin.receivedAtMs).toISOString(),
    sourceId(origin.stream),
    column(NO_HOSTS.includes(record.hostname) ? origin.streamName : record.hostname),
    '',
    capitalize(facility),
    SEVERITIES[priority & 7],
    column(dyno === '-' ? source : `${source}/${dyno}`),
    column(record.message),
  ].join('\t')}\n`;
}

/** One number a line, in the order in which lines were received; the same line has the same in every export. */
function lineId({ stream, position, receivedAtMs }: PapertrailOrigin): string {
  const digest = createHash('sha1').update(`${stream} ${position}`).digest();
  return ((BigInt(receivedAtMs) << 22n) | BigInt(digest.readUInt32BE(0) >>> 10)).toString();
}

function sourceId(stream: string): string {
  return String(Number.parseInt(stream.replace(/[^\da-f]/gi, '').slice(0, 8), 16) || 0);
}

function column(text: string): string {
  return text.replace(/[\\\t\n\r]/g, (found) =>
    found === '\\' ? '\\\\' : found === '\t' ? '\\t' : found === '\n' ? '\\n' : '\\r',
  );
}

function unescapeText(text: string): string {
  return text.includes('\\')
    ? text.replace(/\\([tnr\\])/g, (_all, character: string) => ESCAPES[character])
    : text;
}

/** `2011-02-10 00:19:36 -0800`, `2016-10-31T00:00:06Z`; without a zone it is UTC. */
function papertrailTime(text: string): number | undefined {
  const trimmed = text.trim();
  if (!/^\d{4}-\d\d-\d\d/.test(trimmed)) return undefined;
  return parseTime(HAS_ZONE.test(trimmed) ? trimmed : `${trimmed}Z`, 0);
}
