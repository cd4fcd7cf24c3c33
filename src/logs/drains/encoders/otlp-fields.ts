/** What both encodings of OTLP's logs say of a line. */
import type { LogLevel } from '../../syslog/level.ts';
import type { LogRecord } from '../../syslog/record.ts';

/** SeverityNumber for each severity of RFC 5424, from emergency to debug (logs data model, appendix B). */
const SEVERITY_NUMBERS = [21, 19, 18, 17, 13, 10, 9, 5];
/** For lines whose level is in the message. */
const SEVERITY_NUMBER_BY_LEVEL = { error: 17, warn: 13, info: 9, debug: 5 };

/** OpenTelemetry's SeverityNumber, 1 to 24. @param priority syslog's PRI @param level left out: the severity alone says it */
export function otlpSeverityNumber(priority: number, level: LogLevel | undefined): number {
  const severity = priority & 7;
  return level !== undefined && (severity === 5 || severity === 6)
    ? SEVERITY_NUMBER_BY_LEVEL[level]
    : SEVERITY_NUMBERS[severity];
}

/** Of the resource that a line is of. */
export function resourceAttributes({ source, dyno, hostname }: LogRecord, app: string): [string, string][] {
  return [
    ['service.name', app],
    ['service.instance.id', dyno],
    ['host.name', hostname],
    ['tailrace.source', source],
  ];
}

/** Lines of one resource stay together. */
export function resourceKey({ source, dyno, hostname }: LogRecord): string {
  return `${source} ${dyno} ${hostname}`;
}
