/** JSON as libraries, agents and clouds write it: what becomes the line's own fields, and what stays data. */
import { expect, it } from 'vitest';
import { type JsonFields, readFields } from '../../../../src/logs/sources/formats/json-fields.ts';

const T = '2026-11-21T08:00:00';
const SECONDS = Date.parse(`${T}Z`) / 1_000;

const CASES: [string, Record<string, unknown>, Partial<JsonFields>][] = [
  [
    'fluent-bit',
    { date: SECONDS + 0.25, log: 'hello', stream: 'stdout' },
    { message: 'hello', time: `${T}.250000+00:00`, data: { stream: 'stdout' } },
  ],
  [
    'fluent-bit, Kubernetes',
    { date: SECONDS, log: 'hi\n', kubernetes: { pod_name: 'web-1' } },
    { message: 'hi\n', data: { kubernetes: { pod_name: 'web-1' } } },
  ],
  [
    'Rust’s tracing',
    { timestamp: `${T}.5Z`, level: 'ERROR', fields: { message: 'lost', user: 7 }, target: 'shop::pay' },
    { message: 'lost', severity: 3, time: `${T}.5Z`, data: { user: 7, target: 'shop::pay' } },
  ],
  [
    'fields without a message',
    { fields: { user: 7 }, text: 'hi' },
    { message: 'hi', data: { fields: { user: 7 } } },
  ],
  [
    'HashiCorp',
    { '@level': 'error', '@message': 'no leader', '@module': 'consul', '@timestamp': `${T}Z` },
    { message: 'no leader', severity: 3, time: `${T}Z`, data: { '@module': 'consul' } },
  ],
  [
    'MongoDB',
    { t: { $date: `${T}.123+00:00` }, s: 'E', c: 'NETWORK', msg: 'lost' },
    { message: 'lost', severity: 3, time: `${T}.123+00:00`, data: { c: 'NETWORK' } },
  ],
  ['an s of nobody’s', { s: 'E', msg: 'm' }, { severity: 6, data: { s: 'E' } }],
  ['an initial', { level: 'W', msg: 'm' }, { severity: 4, data: {} }],
  ['a level that is none', { level: 'tier1', msg: 'm' }, { severity: 6, data: { level: 'tier1' } }],
  ['a level as an object', { level: { id: 1 }, msg: 'm' }, { severity: 6, data: { level: { id: 1 } } }],
  [
    'a severity that is none beside a level',
    { level: 'error', severity: 'high', msg: 'm' },
    { severity: 3, data: { severity: 'high' } },
  ],
  [
    'Log4j',
    { instant: { epochSecond: SECONDS, nanoOfSecond: 123_000_000 }, level: 'WARN', message: 'm' },
    { severity: 4, time: `${T}.123000+00:00`, data: {} },
  ],
  [
    'Protocol Buffers',
    { timestamp: { seconds: SECONDS, nanos: 5_000 }, message: 'm' },
    { time: `${T}.000005+00:00`, data: {} },
  ],
  [
    'PHP’s date',
    { datetime: { date: '2026-11-21 08:00:00.25', timezone_type: 3, timezone: 'UTC' }, message: 'm' },
    { time: `${T}.25Z`, data: {} },
  ],
  [
    'a time of an object that is none',
    { instant: { seconds: 'x' }, message: 'm' },
    { time: undefined, data: { instant: { seconds: 'x' } } },
  ],
  [
    'Splunk’s collector',
    { time: SECONDS, host: 'h1', event: { message: 'm', level: 'error' }, sourcetype: 's' },
    { message: 'm', severity: 3, hostname: 'h1', data: { sourcetype: 's' } },
  ],
  ['Python’s asctime', { asctime: '2026-11-21T08:00:00,5Z', message: 'm' }, { time: `${T}.5Z`, data: {} }],
  [
    'a date that is none',
    { date: 'someday', msg: 'm' },
    { message: 'm', time: undefined, data: { date: 'someday' } },
  ],
  [
    'a log that is an object',
    { log: { level: 'error', logger: 'a' }, message: 'm' },
    { message: 'm', severity: 3, data: { log: { level: 'error', logger: 'a' } } },
  ],
  [
    'GELF',
    {
      version: '1.1',
      host: 'web1',
      short_message: 'no',
      timestamp: SECONDS,
      level: 3,
      _user_id: 42,
      _some: 'x',
    },
    {
      message: 'no',
      hostname: 'web1',
      severity: 3,
      time: `${T}.000000+00:00`,
      data: { user_id: 42, some: 'x' },
    },
  ],
  [
    'GELF with a long message',
    { version: '1.1', host: 'h', short_message: 'no', full_message: 'no\n\tat a', level: 4 },
    { message: 'no\n\tat a', severity: 4, data: {} },
  ],
  [
    'GELF with another long message',
    { short_message: 'no', full_message: 'trace', level: 7 },
    { message: 'no', severity: 7, data: { full_message: 'trace' } },
  ],
  [
    'structlog',
    { event: 'paid', level: 'warning', timestamp: `${T}Z`, logger: 'shop', order: 7 },
    { message: 'paid', severity: 4, time: `${T}Z`, data: { logger: 'shop', order: 7 } },
  ],
  [
    'an event that is an object',
    { event: { kind: 'x' } },
    { message: undefined, data: { event: { kind: 'x' } } },
  ],
  [
    'journald',
    {
      MESSAGE: 'Started',
      PRIORITY: '3',
      SYSLOG_IDENTIFIER: 'systemd',
      _PID: '1',
      _HOSTNAME: 'box1',
      __REALTIME_TIMESTAMP: String(SECONDS * 1e6),
    },
    {
      message: 'Started',
      severity: 3,
      dyno: 'systemd.1',
      hostname: 'box1',
      time: `${T}.000000+00:00`,
      data: {},
    },
  ],
  [
    'Docker through fluent-bit, Vector',
    { log: 'm', container_name: '/web-1', stream: 'stderr' },
    { message: 'm', dyno: 'web-1', data: { stream: 'stderr' } },
  ],
  [
    'a dyno beside a container',
    { log: 'm', container_name: 'web-1', dyno: 'web.1' },
    { dyno: 'web.1', data: { container_name: 'web-1' } },
  ],
  [
    'a container without a name',
    { log: 'm', container_name: 7 },
    { dyno: undefined, data: { container_name: 7 } },
  ],
  [
    'a pod',
    { log: 'm', kubernetes: { pod_name: 'web-x2x1z', container_name: 'web' } },
    { dyno: 'web-x2x1z', data: { kubernetes: { pod_name: 'web-x2x1z', container_name: 'web' } } },
  ],
  [
    'journald, bytes',
    { MESSAGE: [...Buffer.from('grüße')], PRIORITY: '6' },
    { message: 'grüße', severity: 6 },
  ],
  [
    'Logstash',
    { '@timestamp': `${T}.1Z`, '@version': '1', message: 'm', level: 'ERROR' },
    { message: 'm', severity: 3, time: `${T}.1Z`, data: { '@version': '1' } },
  ],
  [
    'ECS, dotted',
    { '@timestamp': `${T}Z`, 'log.level': 'warn', message: 'm', 'host.name': 'h' },
    { message: 'm', severity: 4, hostname: 'h', data: {} },
  ],
  [
    'ECS, nested',
    { '@timestamp': `${T}Z`, log: { level: 'fatal' }, message: 'm', host: { name: 'h', os: 'x' } },
    {
      message: 'm',
      severity: 2,
      hostname: 'h',
      data: { log: { level: 'fatal' }, host: { name: 'h', os: 'x' } },
    },
  ],
  [
    'OpenTelemetry',
    { timeUnixNano: `${SECONDS}000000000`, severityText: 'WARN', severityNumber: 13, body: 'm' },
    { message: 'm', severity: 4, time: `${T}.000000+00:00` },
  ],
  ['OpenTelemetry, a number only', { severityNumber: 17, body: 'm' }, { message: 'm', severity: 3 }],
  ['severity_text', { severity_text: 'ERROR', message: 'm' }, { severity: 3, data: {} }],
  [
    'Google Cloud, text',
    { severity: 'CRITICAL', textPayload: 'no', timestamp: `${T}Z`, logName: 'l' },
    { message: 'no', severity: 2, data: { logName: 'l' } },
  ],
  [
    'Google Cloud, JSON',
    { severity: 'NOTICE', jsonPayload: { message: 'm', user: 'ada' }, timestamp: `${T}Z` },
    { message: 'm', severity: 5, data: { user: 'ada' } },
  ],
  ['Google Cloud, default', { severity: 'DEFAULT', message: 'm' }, { severity: 6 }],
  [
    'Winston',
    { level: 'error', message: 'm', timestamp: `${T}Z`, service: 's' },
    { message: 'm', severity: 3, data: { service: 's' } },
  ],
  ['Winston, http and silly', { level: 'silly', message: 'm' }, { severity: 7 }],
  [
    'Serilog, compact',
    { '@t': `${T}Z`, '@m': 'ada paid', '@l': 'Warning', '@x': 'System.Exception: no', User: 'ada' },
    { message: 'ada paid\nSystem.Exception: no', severity: 4, time: `${T}Z`, data: { User: 'ada' } },
  ],
  [
    'Serilog, a template',
    { '@t': `${T}Z`, '@mt': '{User} paid {Sum:000} {Gone}', User: 'ada', Sum: 7 },
    { message: 'ada paid 7 {Gone}', severity: 6 },
  ],
  [
    'Serilog, JSON',
    {
      Timestamp: `${T}Z`,
      Level: 'Error',
      MessageTemplate: 'x {A}',
      RenderedMessage: 'x 1',
      Properties: { A: 1 },
    },
    { message: 'x 1', severity: 3, time: `${T}Z` },
  ],
  [
    '.NET console',
    { Timestamp: `${T}Z`, EventId: 1, LogLevel: 'Critical', Category: 'A', Message: 'm' },
    { message: 'm', severity: 2, data: { EventId: 1, Category: 'A' } },
  ],
  [
    'Monolog',
    { message: 'm', level: 400, level_name: 'ERROR', channel: 'app', datetime: `${T}+01:00` },
    { message: 'm', severity: 3, time: `${T}+01:00` },
  ],
  [
    'zap',
    { level: 'dpanic', ts: SECONDS, msg: 'm', caller: 'a.go:1' },
    { message: 'm', severity: 2, data: { caller: 'a.go:1' } },
  ],
  [
    'pino',
    { level: 50, time: SECONDS * 1e3, pid: 1, hostname: 'h', msg: 'm' },
    { message: 'm', severity: 3, hostname: 'h', data: { pid: 1 } },
  ],
  [
    'bunyan',
    { v: 0, level: 40, name: 'n', time: `${T}Z`, hostname: 'h', msg: 'm' },
    { message: 'm', severity: 4, data: { v: 0, name: 'n' } },
  ],
  ['a dyno that is no name', { dyno: 7, msg: 'm' }, { dyno: undefined, data: { dyno: 7 } }],
  [
    'a dyno that is no name beside a container',
    { dyno: { id: 1 }, container_name: 'web-1', msg: 'm' },
    { dyno: 'web-1', data: { dyno: { id: 1 } } },
  ],
  [
    'Rust’s tracing, a field with the name of another one',
    { level: 'INFO', fields: { message: 'm', level: 'high', target: 7, user: 1 }, target: 'shop' },
    { message: 'm', data: { user: 1, target: 'shop', fields: { level: 'high', target: 7 } } },
  ],
  [
    'a level that isn’t known, under another name',
    { lvl: 'odd', msg: 'm' },
    { severity: 6, data: { lvl: 'odd' } },
  ],
  [
    'a message beside an event',
    { message: 'm', event: 'e', log: 'l', body: 'b' },
    { message: 'm', data: { event: 'e', log: 'l', body: 'b' } },
  ],
  ['nothing that is known', { a: 1 }, { message: undefined, severity: 6, data: { a: 1 } }],
];

it.each(CASES)('%s', (_name, value, expected) => {
  const before = structuredClone(value);
  expect(readFields(value)).toMatchObject(expected);
  if (expected.data) expect(readFields(value).data).toEqual(expected.data);
  expect(value).toEqual(before);
});

it.each([
  ['in a payload', '{"fields":{"message":"m","__proto__":{"hostname":"h"}}}'],
  ['with the underscore of GELF', '{"version":"1.1","short_message":"m","___proto__":{"hostname":"h"}}'],
])('a field that is called __proto__ is one, %s', (_where, record) => {
  const { message, hostname, data } = readFields(JSON.parse(record));
  expect({ message, hostname }).toEqual({ message: 'm', hostname: undefined });
  expect(JSON.stringify(data)).toBe('{"__proto__":{"hostname":"h"}}');
});
