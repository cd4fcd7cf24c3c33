/**
 * What common senders write is read where it stands, none of it by the parser, which takes fifty times as long; and it is the same. That it is
 * the same whatever is sent: test/fuzz/pairs/records.ts.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ParseJob, parseBody } from '../../../../src/logs/sources/bodies/parse-body.ts';
import { OddRecords, packJsonRecords } from '../../../../src/logs/sources/formats/json-records.ts';
import { LinePacker, takePackedLines } from '../../../../src/logs/sources/formats/packed-lines.ts';
import { BatchOfBody, logSource, takeScalar } from '../../../fuzz/pairs/records.ts';

const SENDERS: readonly (readonly [sender: string, line: string])[] = [
  [
    'pino',
    '{"level":30,"time":1767225600123,"pid":7,"hostname":"box","responseTime":12.345678,"msg":"done"}',
  ],
  ['Winston', '{"level":"info","message":"done","metadata":{"n":1},"timestamp":"2026-01-01T00:00:00.000Z"}'],
  ['zap', '{"level":"info","ts":1767225600.1234567,"caller":"a/main.go:42","msg":"done","took":0.00123}'],
  ['zerolog', '{"level":"warn","time":"2026-01-01T02:00:00+02:00","message":"done","took":1.0}'],
  ['logrus', '{"level":"info","msg":"done","size":10,"time":"2026-01-01T00:00:00Z"}'],
  ['slog', '{"time":"2026-01-01T00:00:00.123456789Z","level":"INFO","msg":"done","id":12345678901234567}'],
  ['structlog', '{"user":1,"event":"done","level":"info","timestamp":"2026-01-01T00:00:00.123456Z"}'],
  ['Python', '{"asctime": "2026-01-01 00:00:00,123", "name": "a", "levelname": "INFO", "message": "done"}'],
  ['Python, seconds', '{"time": 1767225600.1234567, "level": "INFO", "message": "done"}'],
  ['Fluent Bit', '{"date":1767225600.100000,"log":"done"}'],
  [
    'Fluent Bit in Kubernetes',
    '{"date":1767225600.123456,"time":"2026-01-01T00:00:00.123456789Z","stream":"stdout","log":"done","kubernetes":{"pod_name":"web-5d7f","labels":{"app":"web"},"container_name":"web"}}',
  ],
  ['Docker', '{"log":"done\\n","stream":"stdout","time":"2026-01-01T00:00:00.123456789Z"}'],
  [
    'Vector, of Docker',
    '{"container_name":"/web","host":"box","label":{"a.b":"c"},"message":"done","timestamp":"2026-01-01T00:00:00.123456789Z"}',
  ],
  [
    'Vector, of journald',
    '{"PRIORITY":"4","SYSLOG_IDENTIFIER":"backup","_PID":"99","__REALTIME_TIMESTAMP":"1767225600123456","_SOURCE_REALTIME_TIMESTAMP":"1767225600123450","host":"box","message":"done"}',
  ],
  [
    'journald',
    '{"MESSAGE":"done","PRIORITY":"6","__REALTIME_TIMESTAMP":"1767225600123456","_HOSTNAME":"box"}',
  ],
  [
    'ECS',
    '{"@timestamp":"2026-01-01T00:00:00.123Z","log.level":"INFO","message":"done","ecs.version":"1.2.0"}',
  ],
  ['Logstash', '{"@timestamp":"2026-01-01T01:00:00.1+01:00","@version":"1","message":"done","level":"WARN"}'],
  [
    'Serilog',
    '{"@t":"2026-01-01T00:00:00.1234567Z","@mt":"{What}","@m":"done","@l":"Warning","What":"done"}',
  ],
  ['HashiCorp', '{"@level":"warn","@message":"done","@timestamp":"2026-01-01T00:00:00.123456Z"}'],
];

describe('lines of common senders', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 2), toFake: ['Date'] });
  });
  afterEach(() => void vi.useRealTimers());

  it.each(SENDERS)('of %s are read where they stand', (_sender, line) => {
    for (const format of ['ndjson', 'json'] as const) {
      const body = Buffer.from(format === 'json' ? `[${line},\n${line}]` : `${line}\n${line}\n`);
      const isRead = packJsonRecords(body, format === 'ndjson', '', new LinePacker(), new OddRecords(0, 0));
      expect(isRead).toBe(true);
      const job: ParseJob = { format, body };
      const target = new BatchOfBody(logSource('app'), '10.0.0.1');
      takePackedLines(parseBody({ ...job, form: target.receiver.recordForm }), target.receiver);
      const { taken } = target;
      expect(taken).toBe(takeScalar(job, logSource('app'), '10.0.0.1'));
      expect(taken).toContain('done');
    }
  });

  it.each([
    // Which of several times is the line's goes by their names, wherever they stand.
    '{"_SOURCE_REALTIME_TIMESTAMP":1700000000.1,"date":1355108448123,"log":"done","__REALTIME_TIMESTAMP":59956.20}',
    '{"_SOURCE_REALTIME_TIMESTAMP":"1767225600123450","__REALTIME_TIMESTAMP":"1767225600123456","@t":"2026-01-01T00:00:00Z","log":"done"}',
    '{"__REALTIME_TIMESTAMP":"1767225600123456","asctime":"2026-01-01 00:00:00,123","_SOURCE_REALTIME_TIMESTAMP":"x","log":"done"}',
    '{"instant":"2026-01-01T00:00:00Z","date":"2026-01-01T00:00:01Z","log":"done"}',
    // So do messages, levels, hosts and dynos.
    '{"log":"no","body":"no","MESSAGE":"done","event":"no"}',
    '{"lvl":"warn","PRIORITY":"6","levelname":"ERROR","message":"done"}',
    '{"_HOSTNAME":"one","host.name":"two","message":"done"}',
    '{"_PID":"1","SYSLOG_PID":"2","SYSLOG_IDENTIFIER":"web","container_name":"x","message":"done"}',
  ])('that name a thing more than once are the same: %s', (line) => {
    const job: ParseJob = { format: 'ndjson', body: Buffer.from(`${line}\n${line}\n`) };
    const target = new BatchOfBody(logSource('app'), '10.0.0.1');
    takePackedLines(parseBody({ ...job, form: target.receiver.recordForm }), target.receiver);
    const { taken } = target;
    expect(taken).toBe(takeScalar(job, logSource('app'), '10.0.0.1'));
    expect(taken).toContain('done');
  });
});
