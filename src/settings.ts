/** Every setting in one table: name, environment variable, default, meaning. The README's table is made from it. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { TailraceError } from './errors.ts';

/** How a setting's text is read. */
type Kind = 'port' | 'text' | 'folder' | 'flag' | 'bytes' | 'count' | 'duration' | 'durability' | 'level';

export interface SettingRow {
  readonly variable: string;
  readonly kind: Kind;
  /** As it would be written; '' for none. */
  readonly fallback: string;
  readonly meaning: string;
}

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
  rendezvousPort: {
    variable: 'TAILRACE_RENDEZVOUS_PORT',
    kind: 'port',
    fallback: '0',
    meaning: 'TLS: terminals of attached one-off dynos (0: any free one; clients are told)',
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
  allowPrivateDrains: {
    variable: 'TAILRACE_ALLOW_PRIVATE_DRAINS',
    kind: 'flag',
    fallback: '',
    meaning: 'may drains point at loopback and private networks? `serve`: no, `start`: yes',
  },
  logLevel: {
    variable: 'TAILRACE_LOG_LEVEL',
    kind: 'level',
    fallback: 'info',
    meaning: 'tailrace’s own log: `debug`, `info`, `warn`, `error`, `silent`',
  },
} as const satisfies Record<string, SettingRow>;

/** Variables that clients read. */
const CLIENT_VARIABLES = ['TAILRACE_URL', 'TAILRACE_API_KEY', 'TAILRACE_APP'];

export interface Settings {
  readonly data: string;
  readonly host: string;
  readonly httpPort: number;
  readonly syslogPort: number;
  readonly routerPort: number;
  readonly rendezvousPort: number;
  readonly streamLines: number;
  readonly streamBytes: number;
  readonly streamAgeMs: number;
  readonly durability: 'process' | 'disk';
  readonly pendingBytes: number;
  readonly allowPrivateDrains: boolean;
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
    rendezvousPort: port(SETTINGS.rendezvousPort, text),
    streamLines: count(SETTINGS.streamLines, text),
    streamBytes: bytes(SETTINGS.streamBytes, text),
    streamAgeMs: duration(SETTINGS.streamAge, text),
    durability: choice(SETTINGS.durability, text, ['process', 'disk']),
    pendingBytes: bytes(SETTINGS.pendingBytes, text),
    allowPrivateDrains: flag(SETTINGS.allowPrivateDrains, text) ?? defaults.allowPrivateDrains,
    logLevel: choice(SETTINGS.logLevel, text, ['debug', 'info', 'warn', 'error', 'silent']),
  };
}

/** Where `serve` keeps its data, and clients look for it (XDG Base Directory Specification). */
export function defaultDataFolder(environment: Environment): string {
  const base = environment.XDG_DATA_HOME || join(homedir(), '.local', 'share');
  return join(base, 'tailrace');
}

type Text = (row: SettingRow) => string;

function refuse(row: SettingRow, text: string, expected: string): never {
  throw new TailraceError('settings', `${row.variable} is "${text}": it must be ${expected}.`);
}

function port(row: SettingRow, text: Text): number {
  const value = text(row);
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 65_535) refuse(row, value, 'a port from 0 to 65535');
  return number;
}

function count(row: SettingRow, text: Text): number {
  const value = text(row);
  if (!/^[1-9]\d{0,14}$/.test(value)) refuse(row, value, 'a number above 0');
  return Number(value);
}

const BYTE_UNITS: Record<string, number> = { '': 1, B: 1, KB: 1_024, MB: 1_048_576, GB: 1_073_741_824 };

function bytes(row: SettingRow, text: Text): number {
  const value = text(row);
  const match = /^(\d{1,12})\s*(B|KB|MB|GB)?$/i.exec(value);
  const number = match ? Number(match[1]) * BYTE_UNITS[(match[2] ?? '').toUpperCase()] : 0;
  if (number <= 0) refuse(row, value, 'a number of bytes, such as 512MB');
  return number;
}

const DURATION_UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function duration(row: SettingRow, text: Text): number {
  const value = text(row);
  const match = /^(\d{1,9})(s|m|h|d)$/.exec(value);
  const number = match ? Number(match[1]) * DURATION_UNITS[match[2]] : 0;
  if (number <= 0) refuse(row, value, 'a time, such as 90s, 30m, 12h or 7d');
  return number;
}

function flag(row: SettingRow, text: Text): boolean | undefined {
  const value = text(row);
  if (value === '') return undefined;
  if (['1', 'true', 'yes', 'on'].includes(value.toLowerCase())) return true;
  if (['0', 'false', 'no', 'off'].includes(value.toLowerCase())) return false;
  return refuse(row, value, 'yes or no');
}

function choice<const T extends string>(row: SettingRow, text: Text, choices: readonly T[]): T {
  const value = text(row);
  return choices.find((one) => one === value) ?? refuse(row, value, `one of ${choices.join(', ')}`);
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
