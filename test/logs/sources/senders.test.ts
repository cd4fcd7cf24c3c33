/** Programs that people run, with the configurations that docs/sources.md gives; their lines are checked field by field. */

import { execFileSync, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { appendFileSync, chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { missing, Program, runProgram, TAILRACE } from '../../support/program.ts';
import {
  type ClientCertificates,
  makeClientCertificates,
} from '../../support/senders/client-certificates.ts';
import {
  missingSyslogNg,
  postgresFolder,
  senderFolder,
  startRsyslog,
  startSender,
  startSyslogNg,
  writeSenderConfig,
} from '../../support/senders/log-senders.ts';
import { postLogs } from '../../support/senders/send-lines.ts';
import { type App, type Server, startServer, temporaryFolder } from '../../support/server.ts';
import { until } from '../../support/until.ts';

interface Fields {
  readonly timestamp: string;
  readonly facility: number;
  readonly severity: number;
  readonly hostname: string;
  readonly source: string;
  readonly dyno: string;
  readonly msgid?: string;
  readonly structured_data?: string;
  readonly message: string;
}

const ROOT = join(import.meta.dirname, '..', '..', '..');
const FIXTURES = join(ROOT, 'test', 'fixtures', 'senders');
let server: Server;
let files: ClientCertificates | undefined;
beforeAll(async () => {
  if (!missing('openssl')) files = makeClientCertificates(temporaryFolder());
  server = await startServer({
    env: files
      ? {
          TAILRACE_SYSLOG_TLS_CERT: files.serverCert,
          TAILRACE_SYSLOG_TLS_KEY: files.serverKey,
          TAILRACE_SYSLOG_TLS_CLIENT_CA: files.authority,
        }
      : {},
  });
});
afterAll(() => server.close());

/** The first line whose message matches, with all its fields. */
async function line(app: App, message: string | RegExp): Promise<Fields> {
  const isIt = (text: string): boolean =>
    typeof message === 'string' ? text === message : message.test(text);
  const found = await until(`the line ${message}`, async () => {
    const all = (await server.readLines(app, 'format=json&lines=1000')).map(
      (text): Fields => JSON.parse(text),
    );
    return all.find((one) => isIt(one.message));
  });
  const agoMs = Date.now() - Date.parse(found.timestamp);
  expect(agoMs).toBeGreaterThan(-5_000);
  expect(agoMs).toBeLessThan(60_000);
  return found;
}

const addRule = (app: App, body: object): Promise<unknown> =>
  server.request('POST', `/apps/${app.name}/source-rules`, body);
const host = hostname().split('.')[0];

describe.skipIf(missing('logger'))('logger', () => {
  it.each([
    ['the old form over TCP', ['--tcp', '--rfc3164']],
    ['the old form over UDP', ['--udp', '--rfc3164']],
    [
      'the new form over TCP',
      ['--tcp', '--rfc5424', '--msgid', 'ID47', '--sd-id', 'a@1', '--sd-param', 'k="v"'],
    ],
  ])('%s', async (_name, how) => {
    const app = await server.createApp();
    const text = 'grüße from logger';
    await runProgram('logger', [
      ...how,
      '-n',
      '127.0.0.1',
      '-P',
      String(server.syslogPort),
      '-p',
      'local3.warning',
      '-t',
      app.token,
      '--id=4711',
      text,
    ]);
    const fields = await line(app, text);
    expect(fields).toMatchObject({ facility: 19, severity: 4, source: 'app', dyno: '4711' });
    expect(fields.hostname).toBe(host);
    if (how.includes('--rfc5424')) {
      expect(fields.msgid).toBe('ID47');
      expect(fields.structured_data).toContain('[a@1 k="v"]');
    }
  });
});

describe.skipIf(missing('rsyslogd', 'logger'))('rsyslog', () => {
  const logger = async (folder: string, text: string): Promise<void> => {
    await until('the socket', () => existsSync(join(folder, 'log')));
    await runProgram('logger', [
      '-u',
      join(folder, 'log'),
      '-p',
      'daemon.err',
      '-t',
      'cron',
      '--id=99',
      text,
    ]);
  };

  it('omfwd over TCP, the token in structured data', async () => {
    const app = await server.createApp();
    const folder = senderFolder();
    startRsyslog(
      folder,
      writeSenderConfig(folder, 'rsyslog-tcp.conf', { port: server.syslogPort, token: app.token }),
    );
    await logger(folder, 'over tcp');
    const fields = await line(app, 'over tcp');
    expect(fields).toMatchObject({
      facility: 3,
      severity: 3,
      source: 'app',
      dyno: 'cron.99',
      hostname: host,
    });
    expect(fields.structured_data).toBeUndefined();
  });

  it('omfwd over UDP, RFC 3164, identified by a rule', async () => {
    const app = await server.createApp();
    const port = await freePort();
    await addRule(app, { source: 'box', port });
    const folder = senderFolder();
    startRsyslog(folder, writeSenderConfig(folder, 'rsyslog-udp.conf', { port }));
    await logger(folder, 'over udp');
    expect(await line(app, 'over udp')).toMatchObject({
      facility: 3,
      severity: 3,
      source: 'box',
      dyno: 'cron.99',
      hostname: host,
    });
  });

  it.skipIf(missing('systemd-cat', 'unshare', 'curl') || !mayUnshare())(
    'systemd-journald through imjournal, the token in structured data; and through journalctl, as JSON',
    async () => {
      const app = await server.createApp();
      const folder = senderFolder();
      const config = writeSenderConfig(folder, 'rsyslog-journal.conf', {
        port: server.syslogPort,
        token: app.token,
      });
      const script = writeSenderConfig(folder, 'journal.sh', {});
      const program = startSender('unshare', [
        ...OWN_NAMESPACES,
        'sh',
        script,
        config,
        folder,
        server.url,
        await server.addToken(app, 'journal'),
      ]);
      const fields = await line(app, 'from the journal');
      expect(fields).toMatchObject({ severity: 4, source: 'app', hostname: host });
      expect(fields.dyno).toMatch(/^backup\.\d+$/);
      // Both ways bring this one: the journal as JSON, too.
      const both = await until('the line from journalctl', async () => {
        const found = await server.readLines(app, 'source=journal');
        return found.find((text) => text.endsWith('from journalctl'));
      });
      expect(both).toMatch(/ journal\[nightly\.\d+\]: from journalctl$/);
      program.child.stdin.end();
      await program.exited;
    },
  );

  it('imfile with the logs of pods on a node, each line of the pod that its file names', async () => {
    const app = await server.createApp();
    const folder = senderFolder();
    const file = (pod: string, namespace: string): string =>
      join(folder, `${pod}_${namespace}_web-0123456789ab.log`);
    const [ours, others] = [file('web-7d4b9c-x2x1z', 'shop'), file('web-1', 'other')];
    for (const name of [ours, others]) writeFileSync(name, '');
    const values = { port: server.syslogPort, token: app.token, logs: folder, namespace: 'shop' };
    startRsyslog(folder, writeSenderConfig(folder, 'rsyslog-kubernetes.conf', values));
    const now = new Date().toISOString().replace('Z', '');
    appendFileSync(others, `${now}000000Z stdout F of another namespace\n`);
    appendFileSync(ours, `${now}123456Z stdout F GET /a  200\n${now}123456Z stderr F oops\n`);
    expect(await line(app, 'GET /a  200')).toMatchObject({
      severity: 6,
      dyno: 'web-7d4b9c-x2x1z',
      hostname: host,
    });
    expect(await line(app, 'oops')).toMatchObject({ severity: 3, dyno: 'web-7d4b9c-x2x1z' });
    expect(await server.readMessages(app)).toHaveLength(2);
  });

  it.skipIf(!existsSync('/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_ossl.so'))(
    'omfwd over TLS, the token in structured data',
    async () => {
      const app = await server.createApp();
      const folder = senderFolder();
      const { authority } = files!;
      const values = { host: 'localhost', port: server.tlsPort, authority, token: app.token };
      startRsyslog(folder, writeSenderConfig(folder, 'rsyslog-tls-token.conf', values));
      await logger(folder, 'over tls with a token');
      expect(await line(app, 'over tls with a token')).toMatchObject({ source: 'app', dyno: 'cron.99' });
    },
  );

  it.skipIf(!existsSync('/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_ossl.so'))(
    'omfwd over TLS, known by its certificate',
    async () => {
      const app = await server.createApp();
      await addRule(app, { source: 'edge', certificate: 'CN=web-1', tag: 'cron' });
      const folder = senderFolder();
      const { authority, clientCert: cert, clientKey: key } = files!;
      startRsyslog(
        folder,
        writeSenderConfig(folder, 'rsyslog-tls.conf', { port: server.tlsPort, authority, cert, key }),
      );
      await logger(folder, 'over tls');
      expect(await line(app, 'over tls')).toMatchObject({
        facility: 3,
        severity: 3,
        source: 'edge',
        dyno: 'cron.99',
        hostname: host,
      });
    },
  );
});

/** What Docker, Kamal, Dokku, Coolify and Kubernetes send: where no engine runs, the bytes that they write. */
describe('container platforms', () => {
  interface PlatformCase {
    readonly name: string;
    readonly protocol: 'tcp' | 'udp' | 'http';
    readonly body: string;
    readonly lines: readonly Partial<Fields>[];
  }
  const cases: PlatformCase[] = JSON.parse(readFileSync(join(FIXTURES, 'container-platforms.json'), 'utf8'));

  it.each(cases)('$name', async ({ protocol, body: template, lines }) => {
    const app = await server.createApp();
    const body = template.replaceAll('{{token}}', app.token);
    if (protocol === 'http') {
      const type = { 'content-type': 'application/json' };
      expect((await postLogs(server, app.token, body, type)).status).toBe(200);
    } else if (protocol === 'tcp') connect(server.syslogPort, '127.0.0.1').end(body);
    else {
      const socket = createSocket('udp4');
      socket.send(body, server.syslogPort, '127.0.0.1', () => socket.close());
    }
    const found = await until('the lines', async () => {
      const all = await server.readLines(app, 'format=json');
      return all.length >= lines.length && all.map((text): Fields => JSON.parse(text));
    });
    expect(found).toMatchObject(lines.map((one) => ({ ...one, source: 'app' })));
    expect(JSON.stringify(found)).not.toContain(app.token);
  });
});

const OWN_NAMESPACES = ['-mp', '--fork', '--kill-child', '--mount-proc'];

/** Containers often may not. */
function mayUnshare(): boolean {
  return spawnSync('unshare', [...OWN_NAMESPACES, 'true']).status === 0;
}

describe.skipIf(missingSyslogNg())('syslog-ng', () => {
  it('syslog() over TCP, the token in structured data', async () => {
    const app = await server.createApp();
    const folder = senderFolder();
    const file = join(folder, 'in.log');
    writeFileSync(file, '');
    startSyslogNg(
      folder,
      writeSenderConfig(folder, 'syslog-ng.conf', { port: server.syslogPort, token: app.token, file }),
    );
    await until('the line, written again and again until syslog-ng follows', async () => {
      appendFileSync(file, 'from syslog-ng\n');
      return (await server.readMessages(app)).length > 0;
    });
    expect(await line(app, 'from syslog-ng')).toMatchObject({
      severity: 5,
      source: 'app',
      dyno: 'batch',
      hostname: 'box-1',
    });
  });
});

describe.skipIf(missing('nginx'))('nginx', () => {
  it('access_log and error_log over UDP, identified by their tags', async () => {
    const app = await server.createApp();
    await addRule(app, { source: 'nginx', tag: 'nginx' });
    await addRule(app, { source: 'nginx', tag: 'nginx_error' });
    const folder = senderFolder();
    const http = await freePort();
    const program = startSender('/usr/sbin/nginx', [
      '-c',
      writeSenderConfig(folder, 'nginx.conf', { port: server.syslogPort, http }),
      '-p',
      folder,
    ]);
    await until(
      'nginx',
      async () => (await fetch(`http://127.0.0.1:${http}/a?b=c`).catch(() => undefined))?.ok,
    );
    const access = await line(app, /"GET \/a\?b=c HTTP\/1.1" 200 6/);
    expect(access).toMatchObject({
      facility: 23,
      severity: 6,
      source: 'nginx',
      dyno: '-',
      hostname: '127.0.0.1',
    });
    expect(await line(app, /^\d{4}\/.* \[notice\] /)).toMatchObject({
      severity: 5,
      source: 'nginx',
      dyno: 'nginx_error',
    });
    await program.stop('SIGQUIT');
  });
});

describe.skipIf(missing('haproxy'))('HAProxy', () => {
  it('over TCP from a ring, the token as its log-tag', async () => {
    const app = await server.createApp();
    const folder = senderFolder();
    const http = await freePort();
    startSender('haproxy', [
      '-db',
      '-f',
      writeSenderConfig(folder, 'haproxy.cfg', { port: server.syslogPort, http, token: app.token }),
    ]);
    await until(
      'haproxy',
      async () => (await fetch(`http://127.0.0.1:${http}/a`).catch(() => undefined))?.ok,
    );
    const fields = await line(app, /"GET \/a HTTP\/1.1"$/);
    expect(fields).toMatchObject({ facility: 16, severity: 6, source: 'app' });
    expect(fields.dyno).toMatch(/^\d+$/);
  });
});

const postgres = postgresFolder();
describe.skipIf(!postgres || missing('rsyslogd', 'setpriv'))('PostgreSQL', () => {
  it('its log file through rsyslog: statements with quotes and several lines', async () => {
    const app = await server.createApp();
    const token = await server.addToken(app, 'postgres');
    const folder = senderFolder();
    chmodSync(folder, 0o777);
    const as = (...args: string[]) => ['--reuid=postgres', '--regid=postgres', '--clear-groups', ...args];
    const data = join(folder, 'db');
    execFileSync('setpriv', as(join(postgres!, 'initdb'), '-D', data, '-A', 'trust', '--no-sync'), {
      cwd: '/',
      stdio: 'ignore',
    });
    const port = await freePort();
    const program = startSender(
      'setpriv',
      as(
        join(postgres!, 'postgres'),
        '-D',
        data,
        '-p',
        String(port),
        '-k',
        folder,
        '-h',
        '',
        '-c',
        'log_statement=all',
        '-c',
        'logging_collector=on',
        '-c',
        'log_directory=..',
        '-c',
        'log_filename=postgres.log',
        '-c',
        'log_file_mode=0644',
        '-c',
        'fsync=off',
      ),
    );
    const file = join(folder, 'postgres.log');
    await until('its log file', () => existsSync(file));
    startRsyslog(
      folder,
      writeSenderConfig(folder, 'rsyslog-file.conf', { port: server.syslogPort, token, file }),
    );
    await until(
      'psql',
      async () =>
        (
          await runProgram(
            'setpriv',
            as(
              join(postgres!, 'psql'),
              '-h',
              folder,
              '-p',
              String(port),
              '-d',
              'postgres',
              '-c',
              "select 'it''s'",
            ),
          )
        ).status === 0,
      30_000,
    );
    expect(await line(app, /LOG: {2}statement: select 'it''s'$/)).toMatchObject({
      facility: 16,
      severity: 5,
      source: 'postgres',
      dyno: '-',
      hostname: host,
    });
    expect(await line(app, /database system is ready to accept connections$/)).toMatchObject({
      source: 'postgres',
    });
    await program.stop('SIGINT');
  });
});

describe.skipIf(missing('redis-server'))('Redis', () => {
  it('through the shipper', async () => {
    const app = await server.createApp();
    const port = await freePort();
    const program = new Program(
      process.execPath,
      [
        TAILRACE,
        'ship',
        '-a',
        app.name,
        '-s',
        'redis',
        '-d',
        'cache.1',
        '--',
        'redis-server',
        '--port',
        String(port),
        '--save',
        '',
        '--bind',
        '127.0.0.1',
      ],
      { env: server.env },
    );
    expect(await line(app, /Ready to accept connections/)).toMatchObject({
      facility: 23,
      severity: 6,
      source: 'redis',
      dyno: 'cache.1',
    });
    await program.stop('SIGTERM');
    await line(app, /Redis is now ready to exit, bye bye/);
  });
});

describe('OpenTelemetry', () => {
  it('its own SDK and exporters, protobuf and JSON, set by the environment', async () => {
    const app = await server.createApp();
    const { status, stderr } = await runProgram(process.execPath, [join(FIXTURES, 'otel.mjs')], {
      env: {
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${server.url}/v1/logs`,
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${app.token}`,
      },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const all = (await server.readLines(app, 'format=json&lines=1000')).map(
      (text): Fields => JSON.parse(text),
    );
    expect(all).toHaveLength(202);
    for (const [form, from] of [['protobuf', 0] as const, ['json', 101] as const]) {
      for (let i = 0; i < 100; i++)
        expect(all[from + i]).toEqual({
          ...all[from],
          position: expect.anything(),
          timestamp: `2012-12-10T03:00:48.${123 + i}000+00:00`,
          severity: 3,
          hostname: 'box-7',
          source: 'app',
          dyno: 'checkout.i-1',
          message: `${form} ${i}`,
          structured_data: `[otlp@32473 otel.scope.name="shop" otel.scope.version="1.0" n="${i}" tags="[\\"a\\",\\"b\\"\\]" ok="false"]`,
        });
      expect(all[from + 100]).toMatchObject({
        severity: 6,
        msgid: 'order.placed',
        message: `{"${form}":{"nested":[1,2.5]}}`,
      });
    }
  });
});

describe.each(['pino', 'bunyan'])('%s', (name) => {
  it('what it writes, pushed as it is', async () => {
    const app = await server.createApp();
    const made =
      name === 'pino'
        ? 'import pino from "pino"; const log = pino({ name: "shop" }, pino.destination({ sync: true }));'
        : 'import bunyan from "bunyan"; const log = bunyan.createLogger({ name: "shop", serializers: bunyan.stdSerializers });';
    const program = `${made}
      log.info({ user: "ada", n: 7 }, "signed in"); log.warn("low"); log.error({ err: new Error("no") }, "failed");
      log.fatal("gone"); log.child({ part: "db" }).info("ünï"); log.debug("unseen")`;
    const { stdout } = await runProgram(process.execPath, ['--input-type=module', '-e', program], {
      cwd: ROOT,
    });
    const type = { 'content-type': 'application/x-ndjson' };
    expect((await postLogs(server, app.token, stdout, type)).status).toBe(204);
    const all = (await server.readLines(app, 'format=json')).map((text): Fields => JSON.parse(text));
    expect(all.map(({ severity, message }) => [severity, message])).toEqual([
      [6, 'signed in'],
      [4, 'low'],
      [3, 'failed'],
      [2, 'gone'],
      [6, 'ünï'],
    ]);
    for (const fields of all) {
      expect(fields).toMatchObject({ source: 'app', hostname: hostname() });
      expect(Math.abs(Date.now() - Date.parse(fields.timestamp))).toBeLessThan(60_000);
      expect(fields.structured_data).toContain('name="shop"');
    }
    expect(all[0].structured_data).toContain('user="ada" n="7"');
    expect(all[2].structured_data).toMatch(/err="\{.*message\\":\\"no\\"/);
    expect(all[4].structured_data).toContain('part="db"');
  });
});
