import type { LogLevel } from '../../syslog/level.ts';
import type { LogRecord } from '../../syslog/record.ts';
import type { LinePieces, LineTemplate } from './line-template.ts';

/** Lines as documents of the Elastic Common Schema, each behind what is given as its head. */
export function ecsTemplate(app: string): LineTemplate {
  return {
    time: 'text',
    isJson: true,
    isNumbered: true,
    messageFirst: true,
    pieces: (line, level) => ecsPieces(line, level, app),
  };
}

function ecsPieces(line: LogRecord, level: LogLevel, app: string): LinePieces {
  const { priority, hostname, source, dyno, msgid, structuredData } = line;
  const syslog = JSON.stringify({
    priority,
    facility: { code: priority >> 3 },
    severity: { code: priority & 7 },
    appname: source,
    procid: dyno,
    ...(msgid === '-' ? {} : { msgid }),
  });
  const others = JSON.stringify({
    service: { name: app, node: { name: dyno } },
    host: { hostname },
    event: { dataset: source },
  });
  const c1 = '","message":"';
  const fields = `","log":{"level":${JSON.stringify(level)},"syslog":${syslog.slice(0, -1)}`;
  const rest = `}},${others.slice(1)}`;
  return structuredData === '-'
    ? { c1, c2: fields + rest }
    : { c1, c2: `${fields},"structured_data":"`, c3: `"${rest}` };
}
