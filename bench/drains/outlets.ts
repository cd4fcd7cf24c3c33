/**
 * The ways out: one app's lines, from the store to one drain of each form; beside a process that posts bodies of the same bytes, which
 * are ready-made, with undici. Syslog drains are beside as many bytes in bodies over HTTP or HTTPS, and beside a socket that the same
 * number of bytes is written to. Then what filters and redaction cost.
 *
 *   node dist/bench/drains/outlets.js [--lines 1000000] [--runs 3] [--only "json|loki"]
 */
import type { ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import type { BaselineOutletJob, BaselineOutletResult } from '../programs/baseline-outlet.ts';
import type { OutletProtocol, OutletSinkJob, OutletSinkResult } from '../programs/outlet-sinks.ts';
import { type BenchServer, startServer } from '../rig/bench-server.ts';
import { threadSeconds } from '../rig/proc.ts';
import {
  makeFolder,
  removeFolder,
  runJob,
  startBenchProgram,
  stop,
  waitForMessage,
} from '../rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  median,
  parseFlags,
  runIfMain,
  type Table,
} from '../rig/report.ts';
import { makeCertificate } from '../rig/tls/certificate.ts';

const RUN_MS = 120_000;
/** What is still done for the lines when the last has come out counts too. */
const AFTERMATH_MS = 300;
/** Bytes of a request's records (`shipmentBytesMax` of HTTP drains), and of a body of syslog's baseline; a syslog drain writes up to twice as much at once. */
const SHIPMENT_BYTES = 262_144;
const BODIES = 16;
/** In the last line, which every filter lets through. */
const MARK = 'the-last-line-of-this-run';
const LAST_LINE = `WARN ${MARK} status 200`;
const LINES_A_WRITE = 2_000;
/**
 * Code is compiled anew for some thousand requests, and each form has its own in the server, while the baseline has one for all: before the
 * first run that counts, each form has sent so many, and so has its baseline.
 */
const WARM_UP_REQUESTS = 1_000;

interface Form {
  readonly name: string;
  readonly protocol: OutletProtocol;
  /** Options of the drain, as its URL has them. */
  readonly options?: Readonly<Record<string, string>>;
  /** Compared with another form, instead of ready-made bodies. */
  readonly baseline?: string;
}

const JSON_LINES = 'HTTPS, JSON lines';

const FILTERS = [
  'level=debug',
  'level=warn',
  'sources=app',
  'dynos=web',
  'match=status',
  'exclude=zebra',
  'match=stat(us)? [0-9]+',
  'redact=email',
  'redact=bearer,url-password,card,email',
];

const FORMS: readonly Form[] = [
  { name: "HTTPS, Heroku's form", protocol: 'https' },
  { name: "HTTPS, Heroku's form, gzip", protocol: 'https', options: { compression: 'gzip' } },
  { name: "HTTP, Heroku's form", protocol: 'http' },
  { name: 'syslog', protocol: 'tcp' },
  { name: 'syslog+tls', protocol: 'tls' },
  { name: 'syslog, RFC 5424', protocol: 'tcp', options: { format: 'rfc5424' } },
  { name: 'syslog, newlines', protocol: 'tcp', options: { framing: 'newline' } },
  { name: 'syslog, JSON', protocol: 'tcp', options: { format: 'json' } },
  { name: 'syslog+tls, JSON', protocol: 'tls', options: { format: 'json' } },
  { name: 'HTTPS, RFC 5424', protocol: 'https', options: { format: 'rfc5424' } },
  { name: JSON_LINES, protocol: 'https', options: { format: 'json' } },
  { name: 'HTTPS, webhook', protocol: 'https', options: { format: 'webhook' } },
  { name: 'HTTPS, OTLP protobuf', protocol: 'https', options: { format: 'otlp-protobuf' } },
  { name: 'HTTPS, OTLP JSON', protocol: 'https', options: { format: 'otlp' } },
  { name: 'HTTPS, Loki', protocol: 'https', options: { format: 'loki' } },
  { name: 'HTTPS, Elasticsearch', protocol: 'https', options: { format: 'elasticsearch' } },
  { name: 'HTTP, JSON lines', protocol: 'http', options: { format: 'json' } },
  { name: 'HTTP, OTLP protobuf', protocol: 'http', options: { format: 'otlp-protobuf' } },
  { name: 'HTTP, Loki', protocol: 'http', options: { format: 'loki' } },
  ...FILTERS.map((filter) => ({
    name: `JSON lines, ${filter}`,
    protocol: 'https' as const,
    options: {
      format: 'json',
      [filter.slice(0, filter.indexOf('='))]: filter.slice(filter.indexOf('=') + 1),
    },
    baseline: JSON_LINES,
  })),
];

interface Run {
  readonly linesPerCpuS: number;
  readonly requests: number;
  readonly bytes: number;
  /** The first ones over HTTP, in base64. */
  readonly bodies: readonly string[];
}

interface FormResults {
  readonly form: Form;
  readonly own: Run[];
  /** Lines a CPU second of ready-made bodies. */
  readonly ready: number[];
  readonly sockets: number[];
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { lines, runs, only } = parseFlags(args, { lines: 1_000_000, runs: 3 }, ['only']);
  const forms = selectForms(only);
  const folder = makeFolder('certificates');
  const { sinks, ports } = await startOutletSinks(folder);
  const baseline = startBenchProgram('baseline-outlet');
  const server = await startServer();
  const results = forms.map((form): FormResults => ({ form, own: [], ready: [], sockets: [] }));
  try {
    await fillApp(server, lines, sinks, ports.tcp);
    const rig: Rig = { server, sinks, ports, baseline, lines };
    for (let requests = 0; requests < WARM_UP_REQUESTS; ) {
      let fewest = Number.POSITIVE_INFINITY;
      for (const form of forms) {
        const sent = await measureDrain(rig, form);
        if (form.baseline) continue;
        await measureReadyMade(rig, form, sent);
        fewest = Math.min(fewest, sent.requests);
      }
      requests += fewest;
    }
    for (let run = 1; run <= runs; run++)
      for (const { form, own, ready, sockets } of results) {
        const sent = await measureDrain(rig, form);
        own.push(sent);
        logProgress(`${form.name}, run ${run}: ${formatInteger(sent.linesPerCpuS)} lines a CPU second`);
        if (form.baseline) continue;
        const { posted, written } = await measureReadyMade(rig, form, sent);
        ready.push(posted);
        if (written !== undefined) sockets.push(written);
        logProgress(`${form.name}, ready-made, run ${run}: ${formatInteger(posted)} lines a CPU second`);
      }
  } finally {
    await server.stop();
    await stop(sinks);
    await stop(baseline);
    removeFolder(folder);
  }
  return table(results, lines, runs);
}

/** The processes of a measurement. */
interface Rig {
  readonly server: BenchServer;
  readonly sinks: ChildProcess;
  readonly ports: Readonly<Record<OutletProtocol, number>>;
  readonly baseline: ChildProcess;
  /** Of the app. */
  readonly lines: number;
}

const isHttp = ({ protocol }: Form): boolean => protocol === 'http' || protocol === 'https';

/** Runs `work` until the receiver has all lines. */
async function untilReceived(
  { sinks }: Rig,
  job: OutletSinkJob,
  work: () => Promise<unknown>,
): Promise<OutletSinkResult> {
  const received = runJob<OutletSinkResult>(sinks, job, RUN_MS);
  await work();
  return received;
}

/** All of the app's lines to a drain of this form. */
async function measureDrain(rig: Rig, form: Form): Promise<Run> {
  const { server, ports, lines } = rig;
  // Of filtered lines it isn't known how many there are.
  const isCounted = isHttp(form) && !form.baseline;
  const job = { lines: isCounted ? lines : Number.MAX_SAFE_INTEGER, mark: MARK, bodies: BODIES };
  const id = await addDrain(server, url(form, ports[form.protocol]));
  const cpuBefore = threadSeconds(server.pid);
  const { requests, bytes, bodies } = await untilReceived(rig, job, () =>
    server.request('POST', `/apps/bench/log-drains/${id}/actions/replay`, { since: '1h' }),
  );
  await sleep(AFTERMATH_MS);
  const linesPerCpuS = lines / (threadSeconds(server.pid) - cpuBefore);
  await server.request('DELETE', `/apps/bench/log-drains/${id}`);
  return { linesPerCpuS, requests: requests || Math.ceil(bytes / SHIPMENT_BYTES), bytes, bodies };
}

/**
 * The same bodies, posted by the baseline; of syslog, bodies of the same size, which a socket takes, too.
 * @returns lines a CPU second
 */
async function measureReadyMade(
  rig: Rig,
  form: Form,
  { requests, bytes, bodies }: Run,
): Promise<{ readonly posted: number; readonly written?: number }> {
  const { baseline, ports, lines } = rig;
  const compress = form.options?.compression === 'gzip';
  const ready = isHttp(form)
    ? bodies
    : Array<string>(BODIES).fill(Buffer.alloc(Math.ceil(bytes / requests), 'x').toString('base64'));
  const send = async (protocol: OutletProtocol): Promise<number> => {
    const job: BaselineOutletJob = {
      protocol,
      port: ports[protocol],
      bodies: compress
        ? ready.map((body) => gunzipSync(Buffer.from(body, 'base64')).toString('base64'))
        : ready,
      requests,
      lines,
      compress,
      mark: MARK,
    };
    const isCounted = protocol === 'http' || protocol === 'https';
    const ends = { lines: isCounted ? lines : Number.MAX_SAFE_INTEGER, mark: MARK, bodies: 0 };
    let cpu = 0;
    await untilReceived(rig, ends, async () => {
      cpu = (await runJob<BaselineOutletResult>(baseline, job, RUN_MS)).cpuSeconds;
    });
    return lines / cpu;
  };
  const { protocol } = form;
  if (isHttp(form)) return { posted: await send(protocol) };
  return { posted: await send(protocol === 'tls' ? 'https' : 'http'), written: await send(protocol) };
}

/** Starts the receivers of drains. @param folder for their certificate */
export async function startOutletSinks(
  folder: string,
): Promise<{ readonly sinks: ChildProcess; readonly ports: Readonly<Record<OutletProtocol, number>> }> {
  const files = makeCertificate(folder);
  if (!files) throw new Error('openssl is missing: it makes the certificate of the receivers');
  const sinks = startBenchProgram('outlet-sinks', [files.key, files.certificate]);
  const ports = await waitForMessage(
    sinks,
    (message) => (message as { ports?: Record<OutletProtocol, number> }).ports,
    10_000,
  );
  return { sinks, ports };
}

/** The forms whose names have one of these texts in them, separated by `|`, and what they are compared with. */
function selectForms(only: string | undefined): readonly Form[] {
  if (only === undefined) return FORMS;
  const texts = only.toLowerCase().split('|');
  const wanted = FORMS.filter(({ name }) => texts.some((text) => name.toLowerCase().includes(text)));
  if (wanted.length === 0)
    throw new Error(`--only ${only} names none of these: ${FORMS.map(({ name }) => name).join('; ')}`);
  return FORMS.filter(
    (form) => wanted.includes(form) || wanted.some(({ baseline }) => baseline === form.name),
  );
}

function url({ protocol, options = {} }: Form, port: number): string {
  const scheme = { http: 'http', https: 'https', tcp: 'syslog', tls: 'syslog+tls' }[protocol];
  const secure = protocol === 'https' || protocol === 'tls' ? { insecure: 'yes' } : {};
  const query = Object.entries({ ...options, ...secure })
    .map(([name, value]) => `tailrace-${name}=${encodeURIComponent(value)}`)
    .join('&');
  return `${scheme}://127.0.0.1:${port}/?${query}`;
}

/** @returns the drain's id */
export async function addDrain(server: BenchServer, drainUrl: string): Promise<string> {
  const { id } = await server.request<{ id: string }>('POST', '/apps/bench/log-drains', { url: drainUrl });
  return id;
}

/** Lines as apps and Heroku's router write them: of four dynos, with quotes and characters beyond ASCII in some. */
function messages(i: number): string {
  const id = String(i).padStart(9, '0');
  switch (i % 8) {
    case 0:
      return `at=info method=GET path="/orders/${id}" host=shop.example.com request_id=${id}-4e5f-4a6b fwd="203.0.113.7" dyno=web.1 connect=0ms service=12ms status=200 bytes=1548 protocol=https`;
    case 1:
      return `{"level":30,"time":1767225600000,"pid":4,"hostname":"host","req":{"id":"${id}","method":"GET","url":"/orders/42"},"responseTime":12,"msg":"request completed"}`;
    case 2:
      return `Completed 200 OK in 12ms (Views: 3.1ms | ActiveRecord: 4.2ms) id ${id}`;
    case 3:
      return `203.0.113.7 - - [01/Jan/2026:00:00:00 +0000] "GET /orders/${id} HTTP/1.1" 200 1548 "-" "Mozilla/5.0 (X11; Linux x86_64)"`;
    case 4:
      return `order ${id} was paid by card and status 200 was answered to jane@example.com`;
    case 5:
      return `WARN ${id} cache miss for Zürich, taking the slow path through the database`;
    case 6:
      return `  SELECT "orders".* FROM "orders" WHERE "orders"."id" = ${id} LIMIT 1`;
    default:
      return `Processing job ${id} of the queue mailers with status 0 after 12 ms`;
  }
}

/** A receiver's job until it has so many lines, or the last one that {@link fillApp} sends. */
export function lastLineJob(lines: number): OutletSinkJob {
  return { lines, mark: MARK, bodies: 0 };
}

/** Makes the app, and gives it lines. */
export async function fillApp(
  server: BenchServer,
  lines: number,
  sinks: ChildProcess,
  port: number,
): Promise<void> {
  const token = await server.createApp('bench');
  const id = await addDrain(server, `syslog://127.0.0.1:${port}`);
  const job = lastLineJob(Number.MAX_SAFE_INTEGER);
  const stored = runJob<OutletSinkResult>(sinks, job, RUN_MS);
  const socket = connect(server.syslogPort, '127.0.0.1');
  for (let sent = 0; sent < lines; ) {
    const frames: string[] = [];
    for (const end = Math.min(lines, sent + LINES_A_WRITE); sent < end; sent++) {
      const text = sent === lines - 1 ? LAST_LINE : messages(sent);
      const micros = String(sent % 1_000_000).padStart(6, '0');
      const second = String(Math.floor(sent / 10_000) % 60).padStart(2, '0');
      const line = `<190>1 2026-01-01T00:00:${second}.${micros}+00:00 host ${token} web.${1 + (sent % 4)} - - ${text}`;
      frames.push(`${Buffer.byteLength(line)} ${line}`);
    }
    await new Promise<void>((resolve, reject) => {
      socket.write(frames.join(''), (error) => (error ? reject(error) : resolve()));
    });
  }
  socket.end();
  await stored;
  await server.request('DELETE', `/apps/bench/log-drains/${id}`);
}

function table(results: readonly FormResults[], lines: number, runs: number): Table {
  const rates = ({ own }: FormResults): number[] => own.map(({ linesPerCpuS }) => linesPerCpuS);
  const byName = new Map(results.map((result) => [result.form.name, result]));
  return {
    title: 'The ways out',
    note: [
      `${formatInteger(lines)} lines of one app, 70 to 190 bytes, from the embedded store to one drain; medians of ${runs} runs, alternating, of`,
      `processes that have sent ${formatInteger(WARM_UP_REQUESTS)} requests of each form before. The baseline posts the same bodies, ready-made, with undici, one request at`,
      'a time, to the same receiver; with gzip it compresses them. Of syslog it posts bodies of 256 KiB over HTTP or HTTPS, as many bytes as',
      'the drain has written (up to 512 KiB at once), and the last column is beside a socket that a buffer is written to again and again. What the baseline never does, and no sender of stored lines can do',
      'without: it reads nothing from the store, checks no checksums, encodes nothing, and remembers nothing of what was accepted; the same',
      'header fields go with each of the same 16 bodies. In the time of a drain is also its start, 4 to 7 ms: the request to replay, the lease,',
      'the cursor. Of filters and redaction it is the drain without them.',
    ].join('\n'),
    columns: [
      '',
      'lines a CPU second',
      'of all runs',
      'lines a request',
      'of the baseline',
      '× baseline',
      '× bare socket',
    ],
    rows: results.map((result) => {
      const all = rates(result);
      const { form, own, ready, sockets } = result;
      const other = form.baseline ? byName.get(form.baseline) : undefined;
      const beside = median(other ? rates(other) : ready);
      return [
        form.name,
        formatInteger(median(all)),
        `${formatInteger(Math.min(...all))} to ${formatInteger(Math.max(...all))}`,
        formatInteger(lines / median(own.map(({ requests }) => requests))),
        formatInteger(beside),
        formatDecimal(median(all) / beside),
        sockets.length > 0 ? formatDecimal(median(all) / median(sockets)) : '–',
      ];
    }),
  };
}

await runIfMain(import.meta.url, measure);
