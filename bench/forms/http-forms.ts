/**
 * Lines in every form of HTTP: lines a processor second of the server, which reads, stores and answers, beside what has to be done with the
 * same bytes in any case: `JSON.parse` or protobufjs alone, the logplex-1 form, or a bare Fastify server that reads and discards them (for gzip also one
 * that unpacks them before).
 *
 *   node dist/bench/forms/http-forms.js [--lines 500000] [--runs 5] [--only OTLP]
 */
import { gzipSync } from 'node:zlib';
import { Client } from 'undici';
import { decodeOtlp, encodeOtlpLogs } from '../../src/logs/sources/formats/otlp-schema.ts';
import { type BenchServer, startServer } from '../rig/bench-server.ts';
import { threadSeconds } from '../rig/proc.ts';
import { startBenchProgram, stop, waitForMessage } from '../rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  median,
  parseFlags,
  runIfMain,
  type Table,
} from '../rig/report.ts';

const REQUEST_LINES = 500;
/** Before each form. */
const WARM_UP_LINES = 1_500_000;
/** Before the first one besides: until V8 has compiled what all of them have in common, a request costs a third more. */
const FIRST_WARM_UP_LINES = 4_000_000;
/** Lines of one run are fewer where a request has few. */
const REQUESTS_MAX = 20_000;
/** They are more over many connections: each of them is new, and opening one isn't what is measured. */
const CONNECTION_REQUESTS = 20;
const CONNECTIONS = 10;
const TIME = '2026-01-01T00:00:00.000000+00:00';
const MESSAGE = 'at=info method=GET path="/" host=example.com fwd="10.0.0.1" dyno=web.1 status=200';

/** A request, and what is done with the same lines for comparison. */
interface Form {
  readonly name: string;
  /** Undefined where the baseline is only there for comparison. */
  readonly goal: number | undefined;
  readonly baseline: string;
  readonly lines: number;
  readonly connections?: number;
  readonly path?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Works on the lines of one request, in this process; or posts another request. */
  readonly compare: (() => unknown) | 'bare' | 'unpacking' | Post;
}

type Post = Pick<Form, 'headers' | 'body' | 'path'>;

const each = (line: (i: number) => string, lines = REQUEST_LINES): string[] =>
  Array.from({ length: lines }, (_, i) => line(i));
const counted = (line: string): string => `${Buffer.byteLength(line)} ${line}`;

const pino = (i: number): string =>
  JSON.stringify({
    level: 30,
    time: 1_767_225_600_000 + i,
    pid: 7,
    hostname: 'box',
    status: 200,
    msg: `${MESSAGE} ${i}`,
  });
const bunyan = (i: number): string =>
  JSON.stringify({
    name: 'web',
    hostname: 'box',
    pid: 7,
    level: 30,
    component: 'http',
    msg: `${MESSAGE} ${i}`,
    time: new Date(1_767_225_600_000 + i).toISOString(),
    v: 0,
  });
const plain = (i: number): string =>
  JSON.stringify({
    timestamp: new Date(1_767_225_600_000 + i).toISOString(),
    level: 'info',
    message: `${MESSAGE} ${i}`,
  });
const nested = (i: number): string =>
  JSON.stringify({
    level: 30,
    time: 1_767_225_600_000 + i,
    pid: 7,
    hostname: 'box',
    req: {
      id: i,
      method: 'GET',
      url: `/orders/${i}`,
      headers: { host: 'example.com', 'user-agent': 'curl/8.5.0', accept: '*/*' },
      remoteAddress: '10.0.0.1',
    },
    res: { statusCode: 200, headers: { 'content-type': 'application/json; charset=utf-8' } },
    responseTime: 12.5,
    msg: 'request completed',
  });
const rfc5424 = (i: number): string => `<190>1 ${TIME} host app web.1 - - ${MESSAGE} ${i}`;
const drainForm = (i: number): string => `<190>1 ${TIME} host app web.1 - ${MESSAGE} ${i}\n`;

function ndjson(name: string, line: (i: number) => string): Form {
  const lines = each(line);
  return {
    name: `NDJSON, ${name}`,
    goal: 1,
    baseline: 'JSON.parse',
    lines: REQUEST_LINES,
    headers: { 'content-type': 'application/x-ndjson' },
    body: Buffer.from(`${lines.join('\n')}\n`),
    compare: () => lines.map((one) => JSON.parse(one) as unknown),
  };
}

function json(name: string, text: string): Form {
  return {
    name,
    goal: 1,
    baseline: 'JSON.parse',
    lines: REQUEST_LINES,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(text),
    compare: () => JSON.parse(text) as unknown,
  };
}

function otlpRequest(): Record<string, unknown> {
  const record = (i: number): object => ({
    timeUnixNano: String(1_767_225_600_000_000_000n + BigInt(i)),
    severityNumber: 9,
    severityText: 'INFO',
    body: { stringValue: `${MESSAGE} ${i}` },
    attributes: [
      { key: 'http.status', value: { intValue: '200' } },
      { key: 'http.route', value: { stringValue: `/orders/${i}` } },
    ],
  });
  const attributes = [
    { key: 'service.name', value: { stringValue: 'checkout' } },
    { key: 'service.instance.id', value: { stringValue: 'i-1' } },
  ];
  const logRecords = Array.from({ length: REQUEST_LINES }, (_, i) => record(i));
  return { resourceLogs: [{ resource: { attributes }, scopeLogs: [{ scope: { name: 's' }, logRecords }] }] };
}

function logplex(lines: number, isGzip: boolean, connections: number): Form {
  const text = Buffer.from(each((i) => counted(rfc5424(i)), lines).join(''));
  return {
    name: `logplex-1, ${lines} ${lines === 1 ? 'line' : 'lines'}, ${connections} connections${isGzip ? ', gzip' : ''}`,
    goal: lines > 100 ? 0.85 : 1,
    baseline: 'bare Fastify',
    lines,
    connections,
    headers: {
      'content-type': 'application/logplex-1',
      'logplex-msg-count': String(lines),
      ...(isGzip ? { 'content-encoding': 'gzip' } : {}),
    },
    body: isGzip ? gzipSync(text) : text,
    compare: 'bare',
  };
}

/** Beside a server that unpacks the same bodies: the other one reads a hundredth of the bytes. */
function unpacking(form: Form): Form {
  const baseline = 'Fastify that unpacks';
  return { ...form, name: `${form.name}, unpacked`, goal: undefined, baseline, compare: 'unpacking' };
}

function forms(): Form[] {
  const otlp = otlpRequest();
  const otlpText = JSON.stringify(otlp);
  const otlpBytes = Buffer.from(encodeOtlpLogs(otlp));
  const logplexPost = {
    headers: { 'content-type': 'application/logplex-1' },
    body: Buffer.from(each((i) => counted(rfc5424(i))).join('')),
  };
  const text = (name: string, headers: Record<string, string>, body: string): Form => ({
    name,
    goal: 0.8,
    baseline: 'logplex-1',
    lines: REQUEST_LINES,
    headers,
    body: Buffer.from(body),
    compare: logplexPost,
  });
  return [
    ndjson('pino', pino),
    ndjson('bunyan', bunyan),
    ndjson('level and message', plain),
    ndjson('pino-http', nested),
    json('JSON array, pino', `[${each(pino).join(',')}]`),
    json('JSON, {"logs":[…]}, pino', `{"logs":[${each(pino).join(',')}]}`),
    { ...json('OTLP, JSON', otlpText), path: '/v1/logs' },
    {
      name: 'OTLP, protobuf',
      goal: 1,
      baseline: 'protobufjs',
      lines: REQUEST_LINES,
      path: '/v1/logs',
      headers: { 'content-type': 'application/x-protobuf' },
      body: otlpBytes,
      compare: () => decodeOtlp(otlpBytes),
    },
    text(
      'Heroku’s drain form',
      {
        'content-type': 'application/logplex-1',
        'logplex-drain-token': 'd.1',
        'logplex-msg-count': String(REQUEST_LINES),
      },
      each((i) => counted(drainForm(i))).join(''),
    ),
    text('text/plain', { 'content-type': 'text/plain' }, each((i) => `${MESSAGE} ${i}\n`).join('')),
    ...[10, 100].flatMap((connections) =>
      [1, 10, 100, 500].flatMap((lines) => [
        logplex(lines, false, connections),
        logplex(lines, true, connections),
        unpacking(logplex(lines, true, connections)),
      ]),
    ),
  ];
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { lines, runs, only } = parseFlags(args, { lines: 500_000, runs: 5 }, ['only']);
  const chosen = forms().filter(({ name }) => !only || name.toLowerCase().includes(only.toLowerCase()));
  const server = await startServer();
  const bare = startBenchProgram('baseline-http-server');
  const rows: string[][] = [];
  try {
    const bareUrl = await waitForMessage(bare, (message) => (message as { url?: string }).url, 10_000);
    const token = await server.createApp('bench');
    for (const form of chosen) {
      const ours: number[] = [];
      const theirs: number[] = [];
      const requestsMin = CONNECTION_REQUESTS * (form.connections ?? CONNECTIONS);
      const requests = Math.min(REQUESTS_MAX, Math.max(requestsMin, Math.ceil(lines / form.lines)));
      const compare = (count: number): Promise<number> =>
        form.compare === 'bare' || form.compare === 'unpacking'
          ? postRequests(
              { url: bareUrl, pid: bare.pid! },
              { ...form, path: form.compare === 'bare' ? '/logs' : '/unpacked' },
              token,
              count,
            )
          : typeof form.compare === 'function'
            ? Promise.resolve(repeat(form.compare, count))
            : postRequests(server, { ...form, path: '/logs', ...form.compare }, token, count);
      const warmUp = Math.min(REQUESTS_MAX, Math.ceil(WARM_UP_LINES / form.lines));
      if (form === chosen[0])
        await postRequests(server, form, token, Math.min(REQUESTS_MAX, FIRST_WARM_UP_LINES / form.lines));
      await postRequests(server, form, token, warmUp);
      await compare(warmUp);
      for (let run = 0; run < runs; run++) {
        ours.push((requests * form.lines) / (await postRequests(server, form, token, requests)));
        theirs.push((requests * form.lines) / (await compare(requests)));
      }
      const ratio = median(ours.map((rate, run) => rate / theirs[run]));
      logProgress(
        `${form.name}: ${formatInteger(median(ours))} lines a CPU second, ${formatDecimal(ratio)} × ${form.baseline}`,
      );
      rows.push([
        form.name,
        formatInteger(median(ours)),
        formatDecimal(1e6 / median(ours)),
        form.baseline,
        formatInteger(median(theirs)),
        formatDecimal(ratio),
        form.goal === undefined ? '–' : formatDecimal(form.goal),
      ]);
    }
  } finally {
    await stop(bare);
    await server.stop();
  }
  return {
    title: 'Lines in every form of HTTP',
    note: `${formatInteger(lines)} lines a run, at least ${CONNECTION_REQUESTS} requests a connection, in requests of ${REQUEST_LINES} over ${CONNECTIONS} connections where nothing else is said, stored in the embedded store; ${runs} runs, alternating with the baseline on the same lines, medians. All figures are of processor time.`,
    columns: ['', 'lines a CPU second', 'µs a line', 'baseline', 'lines a CPU second', '× baseline', 'goal'],
    rows,
  };
}

/** Posts so many requests; returns the processor time of the server, in seconds. */
export async function postRequests(
  { url, pid }: Pick<BenchServer, 'url' | 'pid'>,
  form: Post & Partial<Pick<Form, 'connections'>>,
  token: string,
  requests: number,
): Promise<number> {
  const clients = Array.from({ length: form.connections ?? CONNECTIONS }, () => new Client(url));
  const headers = { authorization: `Bearer ${token}`, ...form.headers };
  const before = threadSeconds(pid);
  let left = requests;
  await Promise.all(
    clients.map(async (client) => {
      while (left-- > 0) {
        const { statusCode, body } = await client.request({
          method: 'POST',
          path: form.path ?? '/logs',
          headers,
          body: form.body,
        });
        await body.dump();
        if (statusCode >= 300) throw new Error(`${form.headers['content-type']}: ${statusCode}`);
      }
    }),
  );
  const spent = threadSeconds(pid) - before;
  await Promise.all(clients.map((client) => client.close()));
  return spent;
}

/** Works so many times; returns the processor time that took, in seconds. */
function repeat(work: () => unknown, times: number): number {
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

await runIfMain(import.meta.url, measure);
