import { type LogRecord, recordLevel } from '../../syslog/record.ts';

/** A line as a document of the Elastic Common Schema. */
export function toEcsDocument(line: LogRecord, app: string) {
  const { timestamp, priority, hostname, source, dyno, msgid, structuredData, message } = line;
  return {
    '@timestamp': timestamp,
    message,
    log: {
      level: recordLevel(line),
      syslog: {
        priority,
        facility: { code: priority >> 3 },
        severity: { code: priority & 7 },
        appname: source,
        procid: dyno,
        ...(msgid === '-' ? {} : { msgid }),
        ...(structuredData === '-' ? {} : { structured_data: structuredData }),
      },
    },
    service: { name: app, node: { name: dyno } },
    host: { hostname },
    event: { dataset: source },
  };
}
