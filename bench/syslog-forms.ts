/**
 * Lines in every form of syslog through the router, and out by a syslog drain; beside rsyslog, which relays the same bytes and stores
 * nothing. And what a line costs when many tokens and rules are in use, beside one of each.
 *
 *   node dist/bench/syslog-forms.js [--lines 1000000] [--runs 5] [--only "RFC 3164"]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SyslogLoadJob, SyslogLoadResult } from './programs/syslog-load.ts';
import { type BenchServer, startServer } from './rig/bench-server.ts';
import { DIGITS } from './rig/lines.ts';
import { cpuSeconds } from './rig/proc.ts';
import { makeFolder, removeFolder, runJob, startSyslogLoad, stop } from './rig/processes.ts';
import {
  formatDecimal,
  formatInteger,
  logProgress,
  median,
  parseFlags,
  runIfMain,
  type Table,
} from './rig/report.ts';
import { type RsyslogForm, rsyslogVersion, startRsyslogRelay } from './rig/rsyslog.ts';
import { makeCertificate } from './rig/tls/certificate.ts';

/** Of a process that has just started: until here V8 compiles what each line goes through. */
const FIRST_LINES = 400_000;
const FIRST_DATAGRAMS = 100_000;
/** V8 is done with what is called once a chunk or a batch only after some millions of lines; rsyslog is at once. */
const WARM_UP_LINES = 6_000_000;
const WARM_UP_DATAGRAMS = 1_200_000;
const WARM_UP_PART = 2_000_000;
/** What a relay still does for the lines when the last has come out counts too. */
const AFTERMATH_MS = 500;
const RUN_MS = 120_000;
const DATAGRAMS = 200_000;
const TOKENS = 10_000;
const RULES = 1_000;
const MESSAGE = `line ${'0'.repeat(DIGITS)} GET /orders/42 took 12 ms and answered with status 200`;
const TIME = '2026-01-01T00:00:00.000000+00:00';
/** What rsyslog gets in the place of a token. */
const SOME_TOKEN = 't.0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d';

/** A way for lines to come and go. */
interface Form extends RsyslogForm {
  readonly name: string;
  /** Whole frames, for these tokens. */
  readonly frames: (tokens: readonly string[]) => string[];
  /** Conditions of a rule that says whose the lines are: {@link RULES} of them are made, of which this one is the last. */
  readonly rule?: object;
  /** Rules that don't apply are made, too. */
  readonly hasRules?: boolean;
  /** So many tokens are in use. */
  readonly tokens?: number;
  /** What it is compared with: another form, instead of rsyslog. */
  readonly baseline?: string;
}

const counted = (line: string): string => `${line.length} ${line}`;
const rfc5424 = (token: string): string => `<190>1 ${TIME} host ${token} web.1 - - ${MESSAGE}`;
const rfc3164 = (tag: string): string => `<190>Jan  1 08:00:00 host ${tag}[1]: ${MESSAGE}`;
const each =
  (frame: (token: string) => string) =>
  (tokens: readonly string[]): string[] =>
    tokens.map(frame);

const RFC5424 = { parser: 'rsyslog.rfc5424', input: 'tcp', output: 'tcp' } as const;
const RFC3164 = { parser: 'rsyslog.rfc3164', input: 'tcp', output: 'tcp' } as const;
const ONE_TOKEN = 'RFC 5424, newlines';

const FORMS: readonly Form[] = [
  { name: 'RFC 5424, octet counted', ...RFC5424, frames: each((token) => counted(`${rfc5424(token)}\n`)) },
  { name: ONE_TOKEN, ...RFC5424, frames: each((token) => `${rfc5424(token)}\n`) },
  { name: 'RFC 5424, NULs', ...RFC5424, nul: true, frames: each((token) => `${rfc5424(token)}\0`) },
  {
    name: 'RFC 5424, token in structured data',
    ...RFC5424,
    frames: each((token) => `<190>1 ${TIME} host web 1 - [tailrace@32473 token="${token}"] ${MESSAGE}\n`),
  },
  { name: 'RFC 3164, newlines, token as tag', ...RFC3164, frames: each((token) => `${rfc3164(token)}\n`) },
  {
    name: 'RFC 3164, octet counted, token as tag',
    ...RFC3164,
    frames: each((token) => counted(rfc3164(token))),
  },
  ...[{ tag: 'nginx' }, { hostname: 'host' }, { network: '127.0.0.0/8' }].map((rule) => ({
    name: `RFC 3164, newlines, a rule by ${Object.keys(rule)[0]}`,
    ...RFC3164,
    rule,
    frames: () => [`${rfc3164('nginx')}\n`],
  })),
  {
    name: 'TLS in, RFC 5424',
    ...RFC5424,
    input: 'tls',
    frames: each((token) => counted(`${rfc5424(token)}\n`)),
  },
  {
    name: 'TLS out, RFC 5424',
    ...RFC5424,
    output: 'tls',
    frames: each((token) => counted(`${rfc5424(token)}\n`)),
  },
  { name: 'UDP, RFC 5424', ...RFC5424, input: 'udp', frames: each(rfc5424) },
  { name: 'UDP, RFC 3164', ...RFC3164, input: 'udp', frames: each(rfc3164) },
  {
    name: `${formatInteger(TOKENS)} tokens that alternate, ${formatInteger(RULES)} rules`,
    ...RFC5424,
    tokens: TOKENS,
    hasRules: true,
    baseline: ONE_TOKEN,
    frames: each((token) => `${rfc5424(token)}\n`),
  },
  {
    name: `RFC 3164, a rule by tag of ${formatInteger(RULES)} rules`,
    ...RFC3164,
    rule: { tag: 'nginx' },
    hasRules: true,
    baseline: 'RFC 3164, newlines, a rule by tag',
    frames: () => [`${rfc3164('nginx')}\n`],
  },
];

interface Run {
  readonly linesPerS: number;
  readonly linesPerCpuS: number;
  readonly kept: number;
  /** Of the process's first lines. */
  readonly firstPerCpuS: number;
}

/** Something that relays lines. */
interface Relay {
  readonly pid: number;
  readonly port: number;
  readonly tokens: readonly string[];
  stop(): Promise<void>;
}

export async function measure(args: readonly string[]): Promise<Table> {
  const { lines, runs, only } = parseFlags(args, { lines: 1_000_000, runs: 5 }, ['only']);
  const version = rsyslogVersion();
  const forms = FORMS.filter(({ name }) => !only || name.toLowerCase().includes(only.toLowerCase()));
  const results = new Map<string, Run[]>();
  const folder = makeFolder('certificates');
  const files = makeCertificate(folder);
  for (let round = 1; round <= runs; round++)
    for (const form of forms)
      for (const name of ['tailrace', ...(version && !form.baseline ? ['rsyslog'] : [])]) {
        if ((form.input === 'tls' || form.output === 'tls') && !files) continue;
        const key = `${form.name} ${name}`;
        const run = await runOnce({ ...form, ...files }, name === 'tailrace' ? tailrace : rsyslog, lines);
        results.set(key, [...(results.get(key) ?? []), run]);
        logProgress(
          `${form.name}, ${name}, run ${round}: ${formatInteger(run.linesPerS)} lines/s, ${formatInteger(run.linesPerCpuS)} lines a CPU second, ${formatInteger(run.kept)} kept`,
        );
      }
  removeFolder(folder);
  return table(forms, results, lines, runs, version);
}

async function runOnce(
  form: Form,
  startRelay: (form: Form, sinkPort: number) => Promise<Relay>,
  lines: number,
): Promise<Run> {
  const { load, sinkPort } = await startSyslogLoad(
    form.output === 'tls' ? [form.key!, form.certificate!] : [],
  );
  const relay = await startRelay(form, sinkPort);
  try {
    const isUdp = form.input === 'udp';
    const measureLines = async (count: number): Promise<Omit<Run, 'firstPerCpuS'>> => {
      const job: SyslogLoadJob = {
        port: relay.port,
        token: relay.tokens[0],
        lines: count,
        frames: form.frames(relay.tokens),
        transport: form.input,
      };
      const cpuBefore = cpuSeconds(relay.pid);
      const { seconds, kept } = await runJob<SyslogLoadResult>(load, job, RUN_MS);
      await sleep(AFTERMATH_MS);
      const cpu = cpuSeconds(relay.pid) - cpuBefore;
      return { linesPerS: kept / seconds, linesPerCpuS: kept / cpu, kept };
    };
    const first = await measureLines(isUdp ? FIRST_DATAGRAMS : FIRST_LINES);
    if (startRelay === tailrace)
      for (let left = isUdp ? WARM_UP_DATAGRAMS : WARM_UP_LINES; left > 0; left -= WARM_UP_PART)
        await measureLines(Math.min(left, WARM_UP_PART));
    const run = await measureLines(isUdp ? DATAGRAMS : lines);
    return { ...run, firstPerCpuS: first.linesPerCpuS };
  } finally {
    await relay.stop();
    await stop(load);
  }
}

async function tailrace(form: Form, sinkPort: number): Promise<Relay> {
  const { key, certificate, input, output, rule, hasRules } = form;
  const server = await startServer({
    ...(input === 'tls' && key && certificate
      ? {
          TAILRACE_SYSLOG_TLS_KEY: key,
          TAILRACE_SYSLOG_TLS_CERT: certificate,
          TAILRACE_SYSLOG_TLS_PORT: '0',
        }
      : {}),
    ...(output === 'tls' && certificate ? { NODE_EXTRA_CA_CERTS: certificate } : {}),
  });
  const tokens = [await server.createApp('bench')];
  while (tokens.length < (form.tokens ?? 1)) tokens.push(await createToken(server));
  if (hasRules)
    for (let number = 1; number < RULES; number++)
      await server.request('POST', '/apps/bench/source-rules', { source: 'app', tag: `other-${number}` });
  if (rule) await server.request('POST', '/apps/bench/source-rules', { source: 'nginx', ...rule });
  await server.addDrain('bench', `syslog${output === 'tls' ? '+tls' : ''}://localhost:${sinkPort}`);
  const port = input === 'tls' ? server.syslogTlsPort! : server.syslogPort;
  return { pid: server.pid, port, tokens, stop: () => server.stop() };
}

async function createToken(server: BenchServer): Promise<string> {
  const { token } = await server.request<{ token: string }>('POST', '/apps/bench/tokens', { source: 'app' });
  return token;
}

async function rsyslog(form: Form, sinkPort: number): Promise<Relay> {
  const { pid, syslogPort, stop } = await startRsyslogRelay(sinkPort, form);
  return { pid, port: syslogPort, tokens: [SOME_TOKEN], stop };
}

function table(
  forms: readonly Form[],
  results: ReadonlyMap<string, readonly Run[]>,
  lines: number,
  runs: number,
  version: string | undefined,
): Table {
  const middle = (key: string, of: (run: Run) => number): number => median((results.get(key) ?? []).map(of));
  const byRate = (run: Run): number => run.linesPerS;
  const byCpu = (run: Run): number => run.linesPerCpuS;
  const firstByCpu = (run: Run): number => run.firstPerCpuS;
  const spread = (key: string): string => {
    const all = (results.get(key) ?? []).map(byCpu);
    return `${formatInteger(Math.min(...all))} to ${formatInteger(Math.max(...all))}`;
  };
  return {
    title: 'Every form of syslog → store → syslog TCP drain',
    note: [
      `Lines with a message of ${MESSAGE.length} bytes over one connection, ${formatInteger(lines)} a run, over UDP ${formatInteger(DATAGRAMS)}, as fast as one`,
      `sender can; medians of ${runs} runs, alternating. The baseline, rsyslog ${version ?? '(not installed)'}, relays the same bytes through a queue in memory`,
      `and stores nothing; of the last rows it is one token, or one rule. Before that the router took ${formatInteger(WARM_UP_LINES)} lines (${formatInteger(WARM_UP_DATAGRAMS)}`,
      `datagrams): what V8 compiles in them is paid once a process. The last column is of its first ${formatInteger(FIRST_LINES)} lines (${formatInteger(FIRST_DATAGRAMS)} datagrams).`,
    ].join('\n'),
    columns: [
      '',
      'lines/s',
      '× baseline',
      'lines a CPU second',
      'of all runs',
      '× baseline',
      'kept',
      'by rsyslog',
      'the first lines, × baseline',
    ],
    rows: forms
      .filter(({ name }) => results.has(`${name} tailrace`))
      .map(({ name, input, baseline }) => {
        const own = `${name} tailrace`;
        const other = baseline ? `${baseline} tailrace` : `${name} rsyslog`;
        const ratio = (of: (run: Run) => number): string =>
          formatDecimal(middle(own, of) / middle(other, of));
        const kept = (key: string): string =>
          input === 'udp' ? formatInteger(middle(key, (run) => run.kept)) : '';
        return [
          name,
          // Over UDP it is the sender's.
          input === 'udp' ? '' : formatInteger(middle(own, byRate)),
          input === 'udp' ? '' : ratio(byRate),
          formatInteger(middle(own, byCpu)),
          spread(own),
          ratio(byCpu),
          kept(own),
          kept(other),
          ratio(firstByCpu),
        ];
      }),
  };
}

await runIfMain(import.meta.url, measure);
