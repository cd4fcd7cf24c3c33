/** Archives in ClickHouse: loaded as they are, and searched with the same queries, which find the same lines. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ArchiveLineWriter } from '../../../../drains/viewer/archive/formats/archive-line.ts';
import { RecordWriter } from '../../../../drains/viewer/archive/formats/record-writer.ts';
import { sqlOf } from '../../../../drains/viewer/cli/sql.ts';
import { withKnownSender } from '../../../../src/logs/query/known-sender.ts';
import { prepareQuery, QueryMatcher } from '../../../../src/logs/query/query-matcher.ts';
import type { AppId } from '../../../../src/logs/store/contract.ts';
import { RecordCursor } from '../../../../src/logs/syslog/batch.ts';
import { freePort } from '../../../support/free-port.ts';
import { missing, Program } from '../../../support/program.ts';
import { until } from '../../../support/until.ts';

const LINES: readonly Partial<{ [field in 'message' | 'source' | 'dyno' | 'host' | 'data']: string }>[] = [
  {
    message: 'at=info method=GET path="/api/v1/users" status=200 service=12ms bytes=1500',
    source: 'heroku',
    dyno: 'router',
  },
  {
    message: 'at=error code=H12 desc="Request timeout" method=POST path="/pay" status=503 service=30000ms',
    source: 'heroku',
    dyno: 'router',
  },
  {
    message: '{"level":"warn","msg":"slow query","duration":1.5,"user":{"id":7,"name":"Ann"},"tags":"blue"}',
  },
  { message: '{"level":"info","msg":"was refused","user.id":71}' },
  { message: 'user.id=7 took=1500ms "quoted words" it\'s 100% \\ back' },
  {
    message: 'Error: could not connect to localhost:3000\n    at connect (/app/db.js:7:11)',
    dyno: 'worker.2',
  },
  { message: '\u001b[31mred\u001b[0m alert from web1.example', host: 'db-1' },
  { message: 'sample#memory_total=512.00MB sample#load=0.5', source: 'heroku', dyno: 'web.1' },
  { message: 'Größe ÜBER alles 日本', source: 'nginx', dyno: '-' },
  { message: 'from otlp', data: '[otel@1 http.status="500" user.id="7" note="two words"]' },
  { message: 'statuses 5000 and status=5000' },
  { message: 'debug: nothing' },
];
const QUERIES = [
  'STATUS:200',
  'code:h12',
  'USER.ID:7',
  'MSG:REFUSED',
  'path:*PI/V1*',
  'status:200',
  'status:>=500',
  'status:(200 503)',
  '-status:200',
  'status:*',
  'code:=H12',
  'code:h*',
  'path:/api/*',
  'path:/^.api.v\\d/',
  'user.id:7',
  'user.id:>=7',
  'user.id:*',
  'msg:refused',
  'msg:"was refused"',
  'msg:slow',
  'msg:refus*',
  'service:>1s',
  'service:<=12ms',
  'bytes:<10kb',
  'took:1500ms',
  'took:>1s',
  'memory_total:>400MB',
  'timeout',
  '"could not connect"',
  '"it\'s"',
  '"100%"',
  '"\\\\ back"',
  'localhost:3000',
  'größe',
  'über',
  '日本',
  'red',
  '"red alert"',
  '/at connect/',
  '/AT CONNECT/i',
  '/^Error.*js/',
  'error OR red',
  '(timeout OR refused) -red',
  'source:heroku',
  'source:router',
  'dyno:web',
  'dyno:worker.2',
  'dyno:worker',
  'program:heroku/router',
  'program:web*',
  'program:(nginx worker)',
  'sender:db',
  'sender:shop status:200',
  '-sender:shop',
  'host:shop',
  'host:db-1',
  'severity:error',
  'level:warn',
  'severity:=warn',
  'severity:<warn',
  'level:debug',
  'facility:local7',
  'message:red',
  'app[worker',
  'two',
  '"two words"',
  'http.status:500',
  'note:two',
  'load:<1',
  'tags:blue',
];

let folder: string;
let server: Program;
let url: string;

async function ask(query: string, body = ''): Promise<string> {
  const response = await fetch(
    `${url}/?${new URLSearchParams({ query, date_time_input_format: 'best_effort' })}`,
    { method: 'POST', body },
  );
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

describe.skipIf(missing('clickhouse-server'))('ClickHouse', () => {
  const records: Buffer[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'clickhouse-'));
    const [httpPort, tcpPort] = [await freePort(), await freePort()];
    url = `http://127.0.0.1:${httpPort}`;
    writeFileSync(
      join(folder, 'config.xml'),
      `<yandex><logger><level>warning</level><console>1</console></logger>
<http_port>${httpPort}</http_port><tcp_port>${tcpPort}</tcp_port><listen_host>127.0.0.1</listen_host>
<path>${folder}/data/</path><tmp_path>${folder}/tmp/</tmp_path><format_schema_path>${folder}/schemas/</format_schema_path>
<mark_cache_size>1048576</mark_cache_size><users_config>${folder}/users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database></yandex>`,
    );
    writeFileSync(
      join(folder, 'users.xml'),
      `<yandex><profiles><default></default></profiles><quotas><default></default></quotas><users><default><password></password>
<networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users></yandex>`,
    );
    server = new Program('clickhouse-server', [`--config-file=${folder}/config.xml`], { cwd: folder });
    // It loads half a gigabyte of program, beside others.
    await until('ClickHouse answers', () => ask('SELECT 1').catch(() => undefined), 90_000);
    await ask(sqlOf('', { create: true, table: 'logs', lines: '1' }, 0));
    const writer = new ArchiveLineWriter();
    const lines = new RecordWriter();
    LINES.forEach(({ message = '', source = 'app', dyno = 'web.1', host = 'host', data = '-' }, i) => {
      const timeMs = Date.parse('2023-11-28T20:00:00Z') + i * 60_000;
      const record = {
        timestamp: new Date(timeMs).toISOString(),
        priority: 190,
        hostname: host,
        source,
        dyno,
        msgid: '-',
        structuredData: data,
        message,
      };
      const [line] = lines.write({ record, receivedAtMs: timeMs }, timeMs);
      records.push(Buffer.from(line.record));
      writer.add({ ...line, record: Buffer.from(line.record), stream: 's' as AppId, sequence: i }, 'shop');
    });
    await ask('INSERT INTO logs FORMAT JSONEachRow', writer.take().toString());
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('takes an archive’s file as it is', async () => {
    expect(Number(await ask(sqlOf('', { count: true, table: 'logs', lines: '1' }, 0)))).toBe(LINES.length);
    const [row] = (
      await ask("SELECT timestamp, app, dyno, position FROM logs WHERE text LIKE 'debug%' FORMAT TSV")
    ).split('\n');
    expect(row.split('\t').slice(1)).toEqual(['shop', 'web.1', '11']);
  });

  it.each(QUERIES)('finds the same lines: %s', async (q) => {
    const { expression } = prepareQuery(q);
    const own = expression && withKnownSender(expression, 'shop');
    const matcher = own && new QueryMatcher(own, '');
    const expected = records.flatMap((record, i) => {
      const cursor = new RecordCursor(record, 0);
      cursor.advance();
      return matcher?.matches(cursor, record) === false ? [] : [i];
    });
    const sql = sqlOf(q, { table: 'logs', lines: '1000' }, 0)
      .replace('SELECT *', 'SELECT position')
      .replace(';', ' FORMAT TSV');
    const found = (await ask(sql)).trim().split('\n').filter(Boolean).map(Number);
    expect(found.sort((a, b) => a - b)).toEqual(expected);
  });

  it('asks for a range of time, and refuses what can’t be asked', () => {
    const nowMs = 1_700_000_000_000;
    const options = { table: 'logs', lines: '5' };
    expect(sqlOf('since:1h', options, nowMs)).toBe(
      'SELECT * FROM logs WHERE timestamp >= toDateTime(1699996400) ORDER BY timestamp DESC LIMIT 5;',
    );
    expect(() => sqlOf('items.0.id:7', options, nowMs)).toThrow('is a place in a list');
    expect(() => sqlOf('x', { ...options, table: 'a; DROP' }, nowMs)).toThrow('--table takes a name');
  });
});
