/** Every setting in one table: name, environment variable, default, meaning. The README's table is made from it. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { TailraceError } from './errors.ts';
import { bytes, choice, count, duration, flag, port, rate, type SettingRow } from './setting-values.ts';

export type { SettingRow } from './setting-values.ts';

/** The table. */
export const SETTINGS = {
  data: {
    variable: 'TAILRACE_DATA',
    kind: 'folder',
    fallback: '',
    meaning:
      'data folder: `.tailrace/` beside the Procfile for `start`, `$XDG_DATA_HOME/tailrace` for `serve`',
  },
  host: {
    variable: 'TAILRACE_HOST',
    kind: 'text',
    fallback: '127.0.0.1',
    meaning: 'address to listen on; `0.0.0.0` for all',
  },
  httpPort: {
    variable: 'TAILRACE_HTTP_PORT',
    kind: 'port',
    fallback: '8601',
    meaning: 'HTTP: API, `/logs`, tails, page, `/health` (0: any free one)',
  },
  syslogPort: {
    variable: 'TAILRACE_SYSLOG_PORT',
    kind: 'port',
    fallback: '6001',
    meaning: 'syslog over TCP and UDP (0: any free one)',
  },
  routerPort: {
    variable: 'TAILRACE_ROUTER_PORT',
    kind: 'port',
    fallback: '8080',
    meaning: 'HTTP router in front of web dynos (0: any free one)',
  },
  streamLines: {
    variable: 'TAILRACE_STREAM_LINES',
    kind: 'count',
    fallback: '5000000',
    meaning: 'lines that an app’s stream holds at the most',
  },
  streamBytes: {
    variable: 'TAILRACE_STREAM_BYTES',
    kind: 'bytes',
    fallback: '256MB',
    meaning: 'bytes that an app’s stream holds at the most',
  },
  streamAge: {
    variable: 'TAILRACE_STREAM_AGE',
    kind: 'duration',
    fallback: '7d',
    meaning: 'how long an app’s stream holds a line',
  },
  durability: {
    variable: 'TAILRACE_DURABILITY',
    kind: 'durability',
    fallback: 'process',
    meaning:
      '`process`: what was acknowledged survives `kill -9`; `disk`: a power cut too (slower: one sync a commit)',
  },
  pendingBytes: {
    variable: 'TAILRACE_PENDING_BYTES',
    kind: 'bytes',
    fallback: '32MB',
    meaning: 'bytes that may wait to be stored before senders are slowed down',
  },
  syslogTlsPort: {
    variable: 'TAILRACE_SYSLOG_TLS_PORT',
    kind: 'port',
    fallback: '6514',
    meaning: 'syslog over TLS, when a certificate is set (0: any free one)',
  },
  syslogTlsCert: {
    variable: 'TAILRACE_SYSLOG_TLS_CERT',
    kind: 'text',
    fallback: '',
    meaning: 'certificate for syslog over TLS: a file in PEM form, with its chain',
  },
  syslogTlsKey: {
    variable: 'TAILRACE_SYSLOG_TLS_KEY',
    kind: 'text',
    fallback: '',
    meaning: 'the certificate’s private key: a file in PEM form',
  },
  syslogTlsClientCa: {
    variable: 'TAILRACE_SYSLOG_TLS_CLIENT_CA',
    kind: 'text',
    fallback: '',
    meaning: 'who signs senders’ certificates: a file in PEM form; unset: they aren’t asked for',
  },
  proxyProtocol: {
    variable: 'TAILRACE_PROXY_PROTOCOL',
    kind: 'flag',
    fallback: 'no',
    meaning: 'do syslog connections begin with a PROXY protocol header (a load balancer in front)?',
  },
  connections: {
    variable: 'TAILRACE_CONNECTIONS',
    kind: 'count',
    fallback: '10000',
    meaning: 'open syslog connections at the most',
  },
  idleTimeout: {
    variable: 'TAILRACE_IDLE_TIMEOUT',
    kind: 'duration',
    fallback: '1d',
    meaning: 'a syslog connection that is silent for so long is closed',
  },
  frameTimeout: {
    variable: 'TAILRACE_FRAME_TIMEOUT',
    kind: 'duration',
    fallback: '60s',
    meaning: 'how long a syslog frame may take from its first byte to its last, and an HTTP request',
  },
  partialBytes: {
    variable: 'TAILRACE_PARTIAL_BYTES',
    kind: 'bytes',
    fallback: '64MB',
    meaning: 'bytes of unfinished syslog frames that are held at the most, of all connections together',
  },
  tokenLines: {
    variable: 'TAILRACE_TOKEN_LINES_PER_S',
    kind: 'rate',
    fallback: '',
    meaning: 'lines a second that a token may send (unset: any number)',
  },
  tokenBytes: {
    variable: 'TAILRACE_TOKEN_BYTES_PER_S',
    kind: 'rate',
    fallback: '',
    meaning: 'bytes a second that a token may send, such as 1MB (unset: any number)',
  },
  appLines: {
    variable: 'TAILRACE_APP_LINES_PER_S',
    kind: 'rate',
    fallback: '',
    meaning: 'lines a second that an app’s sources may send together (unset: any number)',
  },
  appBytes: {
    variable: 'TAILRACE_APP_BYTES_PER_S',
    kind: 'rate',
    fallback: '',
    meaning: 'bytes a second that an app’s sources may send together (unset: any number)',
  },
  allowPrivateDrains: {
    variable: 'TAILRACE_ALLOW_PRIVATE_DRAINS',
    kind: 'flag',
    fallback: '',
    meaning: 'may drains point at loopback and private networks? `serve`: no, `start`: yes',
  },
  redisUrl: {
    variable: 'REDIS_URL',
    kind: 'text',
    fallback: '',
    meaning:
      'many routers on one Redis or Valkey instead of the embedded store: `redis://`, `rediss://` (TLS), `redis+cluster://host:port,host:port`, `redis+sentinel://host:port,host:port/master`',
  },
  redisCa: {
    variable: 'REDIS_CA',
    kind: 'text',
    fallback: '',
    meaning: 'PEM file of the CA that signed Redis’s certificate, when the system doesn’t know it',
  },
  logLevel: {
    variable: 'TAILRACE_LOG_LEVEL',
    kind: 'level',
    fallback: 'info',
    meaning: 'tailrace’s own log: `debug`, `info`, `warn`, `error`, `silent`',
  },
} as const satisfies Record<string, SettingRow>;

/** Variables that clients read. */
const CLIENT_VARIABLES = ['TAILRACE_URL', 'TAILRACE_API_KEY', 'TAILRACE_APP', 'TAILRACE_TOKEN'];

export interface Settings {
  readonly data: string;
  readonly host: string;
  readonly httpPort: number;
  readonly syslogPort: number;
  readonly routerPort: number;
  readonly streamLines: number;
  readonly streamBytes: number;
  readonly streamAgeMs: number;
  readonly durability: 'process' | 'disk';
  readonly pendingBytes: number;
  readonly syslogTlsPort: number;
  readonly syslogTlsCert: string;
  readonly syslogTlsKey: string;
  readonly syslogTlsClientCa: string;
  readonly proxyProtocol: boolean;
  readonly connections: number;
  readonly idleTimeoutMs: number;
  readonly frameTimeoutMs: number;
  readonly partialBytes: number;
  readonly tokenLines: number | undefined;
  readonly tokenBytes: number | undefined;
  readonly appLines: number | undefined;
  readonly appBytes: number | undefined;
  readonly allowPrivateDrains: boolean;
  /** Empty: the embedded store. Holds a password: never printed. */
  readonly redisUrl: string;
  readonly redisCa: string;
  readonly logLevel: string;
}

/** What depends on how tailrace is started. */
export interface SettingDefaults {
  readonly data: string;
  readonly allowPrivateDrains: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings.
 * @throws TailraceError `settings` for a value that can't be read, or a `TAILRACE_…` name that doesn't exist.
 */
export function readSettings(environment: Environment, defaults: SettingDefaults): Settings {
  refuseUnknown(environment);
  const text = (row: SettingRow): string => environment[row.variable] || row.fallback;
  return {
    data: resolve(text(SETTINGS.data) || defaults.data),
    host: text(SETTINGS.host),
    httpPort: port(SETTINGS.httpPort, text),
    syslogPort: port(SETTINGS.syslogPort, text),
    routerPort: port(SETTINGS.routerPort, text),
    streamLines: count(SETTINGS.streamLines, text),
    streamBytes: bytes(SETTINGS.streamBytes, text),
    streamAgeMs: duration(SETTINGS.streamAge, text),
    durability: choice(SETTINGS.durability, text, ['process', 'disk']),
    pendingBytes: bytes(SETTINGS.pendingBytes, text),
    syslogTlsPort: port(SETTINGS.syslogTlsPort, text),
    syslogTlsCert: text(SETTINGS.syslogTlsCert),
    syslogTlsKey: text(SETTINGS.syslogTlsKey),
    syslogTlsClientCa: text(SETTINGS.syslogTlsClientCa),
    proxyProtocol: flag(SETTINGS.proxyProtocol, text) ?? false,
    connections: count(SETTINGS.connections, text),
    idleTimeoutMs: duration(SETTINGS.idleTimeout, text),
    frameTimeoutMs: duration(SETTINGS.frameTimeout, text),
    partialBytes: bytes(SETTINGS.partialBytes, text),
    tokenLines: rate(SETTINGS.tokenLines, text),
    tokenBytes: rate(SETTINGS.tokenBytes, text),
    appLines: rate(SETTINGS.appLines, text),
    appBytes: rate(SETTINGS.appBytes, text),
    allowPrivateDrains: flag(SETTINGS.allowPrivateDrains, text) ?? defaults.allowPrivateDrains,
    redisUrl: text(SETTINGS.redisUrl),
    redisCa: text(SETTINGS.redisCa),
    logLevel: choice(SETTINGS.logLevel, text, ['debug', 'info', 'warn', 'error', 'silent']),
  };
}

/** Where `serve` keeps its data, and clients look for it (XDG Base Directory Specification). */
export function defaultDataFolder(environment: Environment): string {
  const base = environment.XDG_DATA_HOME || join(homedir(), '.local', 'share');
  return join(base, 'tailrace');
}

function refuseUnknown(environment: Environment): void {
  const known = [...Object.values(SETTINGS).map((row) => row.variable), ...CLIENT_VARIABLES];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('TAILRACE_') || known.includes(name)) continue;
    const nearest = known.reduce((best, one) => (distance(name, one) < distance(name, best) ? one : best));
    throw new TailraceError('settings', `There is no setting ${name}: did you mean ${nearest}?`);
  }
}

/** How many characters have to be changed, added or taken away (Levenshtein). */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}
