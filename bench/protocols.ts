/**
 * What a line costs by each ingress protocol: lines per CPU second of the server, stored, beside octet-counted TCP.
 *
 *   node dist/bench/protocols.js [--lines 200000] [--runs 1] [--only otlp]
 */
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { Client } from 'undici';
import { encodeOtlpLogs } from '../src/logs/sources/formats/otlp-schema.ts';
import { type BenchServer, startServer } from './rig/bench-server.ts';
import { cpuSeconds } from './rig/proc.ts';
import { makeFolder, removeFolder } from './rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  median,
  parseFlags,
  runIfMain,
  type Table,
} from './rig/report.ts';

const BATCH_LINES = 500;
const WARM_UP_LINES = 20_000;
const WAIT_MS = 120_000;
const TIME = '2012-12-10T03:00:48.123456+00:00';
const MESSAGE = 'at=info method=GET path="/" host=example.com fwd="10.0.0.1" dyno=web.1 status=200';

/** Sends so many lines; resolves when the server has the last byte. */
type Send = (lines: number) => Promise<void>;

interface IngressProtocol {
  readonly name: string;
  /** Of the listener that counts. */
  readonly protocol: string;
  readonly prepare: (server: BenchServer, token: string) => Promise<Send>;
}

const octetCounted = (line: string): string => `${Buffer.byteLength(line)} ${line}`;
const rfc5424Line = (token: string): string => `<190>1 ${TIME} host ${token} web.1 - - ${MESSAGE}`;

const INGRESS_PROTOCOLS: readonly IngressProtocol[] = [
  tcp('syslog TCP, octet counted', (token) => octetCounted(rfc5424Line(token))),
  tcp('syslog TCP, newlines', (token) => `${rfc5424Line(token)}\n`),
  tcp('syslog TCP, NULs', (token) => `${rfc5424Line(token)}\0`),
  tcp('syslog TCP, token in structured data', (token) =>
    octetCounted(`<190>1 ${TIME} host web 1 - [tailrace@32473 token="${token}"] ${MESSAGE}`),
  ),
  tcp('syslog TCP, RFC 3164, token as tag', (token) => `<190>Nov 21 08:00:00 host ${token}[1]: ${MESSAGE}\n`),
  tcp(
    'syslog TCP, RFC 3164, a rule by tag',
    () => `<190>Nov 21 08:00:00 host benchtag[1]: ${MESSAGE}\n`,
    'benchtag',
  ),
  { name: 'syslog TLS, octet counted', protocol: 'tls', prepare: prepareTls },
  { name: 'syslog UDP', protocol: 'udp', prepare: prepareUdp },
  http('HTTP, logplex-1', 'application/logplex-1', {}, () =>
    octetCounted(rfc5424Line('token')).repeat(BATCH_LINES),
  ),
  http('HTTP, Heroku’s drain form', 'application/logplex-1', { 'logplex-drain-token': 'd.1' }, () =>
    octetCounted(`<190>1 ${TIME} host app web.1 - ${MESSAGE}\n`).repeat(BATCH_LINES),
  ),
  http('HTTP, text', 'text/plain', {}, () => `${MESSAGE}\n`.repeat(BATCH_LINES)),
  http('HTTP, NDJSON (pino)', 'application/x-ndjson', {}, () =>
    `${JSON.stringify({ level: 30, time: 1355108448123, pid: 7, hostname: 'box', status: 200, msg: MESSAGE })}\n`.repeat(
      BATCH_LINES,
    ),
  ),
  http('OTLP, JSON', 'application/json', {}, () => JSON.stringify(otlpRequest()), '/v1/logs', 'otlp'),
  http(
    'OTLP, protobuf',
    'application/x-protobuf',
    {},
    () => Buffer.from(encodeOtlpLogs(otlpRequest())),
    '/v1/logs',
    'otlp',
  ),
];

export async function measure(args: readonly string[]): Promise<Table> {
  const { lines, runs, only } = parseFlags(args, { lines: 200_000, runs: 1 }, ['only']);
  const ways = INGRESS_PROTOCOLS.filter(
    ({ name }, i) => i === 0 || !only || name.toLowerCase().includes(only.toLowerCase()),
  );
  const rates = new Map<string, number>();
  for (const way of ways) {
    const measured: number[] = [];
    for (let run = 0; run < runs; run++) measured.push(await runOnce(way, lines));
    rates.set(way.name, median(measured));
    logProgress(`${way.name}: ${formatInteger(median(measured))} lines a CPU second`);
  }
  const base = rates.get(INGRESS_PROTOCOLS[0].name) ?? Number.NaN;
  return {
    title: 'What a line costs, by the way it comes in',
    note: `${formatInteger(lines)} lines with a message of ${MESSAGE.length} bytes, over one connection, in requests of ${BATCH_LINES}; stored in the embedded store. Median of ${runs} runs.`,
    columns: ['', 'lines a CPU second', '× octet-counted TCP'],
    rows: [...rates].map(([name, rate]) => [name, formatInteger(rate), formatDecimal(rate / base)]),
  };
}

async function runOnce({ protocol, prepare }: IngressProtocol, lines: number): Promise<number> {
  const folder = makeFolder('certificates');
  const server = await startServer(protocol === 'tls' ? tlsSettings(folder) : {});
  try {
    const token = await server.createApp('bench');
    const send = await prepare(server, token);
    await send(WARM_UP_LINES);
    await waitForLines(server, protocol, WARM_UP_LINES);
    const before = cpuSeconds(server.pid);
    await send(lines);
    const taken = await waitForLines(server, protocol, WARM_UP_LINES + lines);
    return (taken - WARM_UP_LINES) / (cpuSeconds(server.pid) - before);
  } finally {
    await server.stop();
    removeFolder(folder);
  }
}

/** Waits until the lines are counted; over UDP, until no more come. */
async function waitForLines(server: BenchServer, protocol: string, lines: number): Promise<number> {
  const deadlineMs = performance.now() + WAIT_MS;
  for (let before = -1; ; ) {
    const { sources } = await server.request<{ sources: { protocol: string; lines: number }[] }>(
      'GET',
      '/status',
    );
    const taken = sources.find((source) => source.protocol === protocol)?.lines ?? 0;
    if (taken >= lines || (protocol === 'udp' && taken === before)) return taken;
    if (performance.now() > deadlineMs) throw new Error(`${protocol}: ${taken} of ${lines} lines came`);
    before = taken;
    await sleep(protocol === 'udp' ? 300 : 20);
  }
}

async function prepareTls(server: BenchServer, token: string): Promise<Send> {
  const chunk = Buffer.from(octetCounted(rfc5424Line(token)).repeat(BATCH_LINES));
  return (lines) =>
    new Promise((resolve, reject) => {
      const socket = connectTls(
        { port: tlsPort(server), host: '127.0.0.1', rejectUnauthorized: false },
        async () => {
          for (let sent = 0; sent < lines; sent += BATCH_LINES)
            if (!socket.write(chunk)) await new Promise((drained) => socket.once('drain', drained));
          socket.end(() => resolve());
        },
      );
      socket.on('error', reject);
    });
}

function tlsPort({ syslogTlsPort }: BenchServer): number {
  if (syslogTlsPort === undefined) throw new Error('the server has no port for TLS: is openssl installed?');
  return syslogTlsPort;
}

/** A certificate made by openssl; the other protocols are no slower for it. */
function tlsSettings(folder: string): Record<string, string> {
  const [key, cert] = [join(folder, 'server.key'), join(folder, 'server.pem')];
  const made = spawnSync(
    'openssl',
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout ${key} -out ${cert}`.split(
      ' ',
    ),
    { stdio: 'ignore' },
  );
  if (made.status !== 0) return {};
  return { TAILRACE_SYSLOG_TLS_CERT: cert, TAILRACE_SYSLOG_TLS_KEY: key, TAILRACE_SYSLOG_TLS_PORT: '0' };
}

function tcp(name: string, frame: (token: string) => string, tag?: string): IngressProtocol {
  return {
    name,
    protocol: 'tcp',
    async prepare(server, token) {
      if (tag) await server.request('POST', '/apps/bench/source-rules', { source: 'ruled', tag });
      const chunk = Buffer.from(frame(token).repeat(BATCH_LINES));
      return (lines) =>
        new Promise((resolve, reject) => {
          const socket = connect(server.syslogPort, '127.0.0.1', async () => {
            for (let sent = 0; sent < lines; sent += BATCH_LINES)
              if (!socket.write(chunk)) await new Promise((drained) => socket.once('drain', drained));
            socket.end(() => resolve());
          });
          socket.on('error', reject);
        });
    },
  };
}

async function prepareUdp(server: BenchServer, token: string): Promise<Send> {
  const datagram = Buffer.from(rfc5424Line(token));
  return async (lines) => {
    const socket = createSocket('udp4');
    for (let sent = 0; sent < lines; sent++) {
      if (sent % 50 === 0)
        await new Promise((resolve) => socket.send(datagram, server.syslogPort, '127.0.0.1', resolve));
      else socket.send(datagram, server.syslogPort, '127.0.0.1');
    }
    socket.close();
  };
}

function http(
  name: string,
  type: string,
  headers: Record<string, string>,
  body: () => string | Buffer,
  path = '/logs',
  protocol = 'http',
): IngressProtocol {
  return {
    name,
    protocol,
    async prepare(server, token) {
      const bytes = Buffer.from(body());
      return async (lines) => {
        const client = new Client(server.url);
        for (let sent = 0; sent < lines; sent += BATCH_LINES) {
          const response = await client.request({
            method: 'POST',
            path,
            headers: { 'content-type': type, authorization: `Bearer ${token}`, ...headers },
            body: bytes,
          });
          await response.body.dump();
          if (response.statusCode >= 300) throw new Error(`${name}: ${response.statusCode}`);
        }
        await client.close();
      };
    },
  };
}

function otlpRequest(): Record<string, unknown> {
  const record = {
    timeUnixNano: '1355108448123456789',
    severityNumber: 9,
    body: { stringValue: MESSAGE },
    attributes: [{ key: 'status', value: { intValue: '200' } }],
  };
  const attributes = [
    { key: 'service.name', value: { stringValue: 'checkout' } },
    { key: 'service.instance.id', value: { stringValue: 'i-1' } },
  ];
  const logRecords = Array.from({ length: BATCH_LINES }, () => record);
  return { resourceLogs: [{ resource: { attributes }, scopeLogs: [{ logRecords }] }] };
}

await runIfMain(import.meta.url, measure);
