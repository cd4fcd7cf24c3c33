/** Reads the settings: environment variables, as `settings-table.ts` lists them. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { TailraceError } from '../errors.ts';
import {
  readByteCount,
  readChoice,
  readCount,
  readCountOrZero,
  readDurationMs,
  readFlag,
  readPort,
  readQuota,
  readRateLimit,
} from './setting-readers.ts';
import { SETTINGS, type SettingRow } from './settings-table.ts';

/** Variables that clients read. */
const CLIENT_VARIABLES = ['TAILRACE_URL', 'TAILRACE_API_KEY', 'TAILRACE_APP', 'TAILRACE_TOKEN'];

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
  readonly sourceBytes: number;
  readonly isolation: 'none' | 'bubblewrap';
  /** Folders that isolated dynos may read. */
  readonly isolationReadable: readonly string[];
  /** Bytes of a usual dyno; undefined: no quota. */
  readonly dynoMemory: number | undefined;
  readonly dynoSampleMs: number;
  /** Empty: the embedded store. Holds a password: never printed. */
  readonly redisUrl: string;
  readonly redisCa: string;
  readonly redisWait: number;
  readonly redisWaitTimeoutMs: number;
  readonly logLevel: string;
}

/** What depends on how tailrace is started. */
export interface SettingDefaults {
  readonly data: string;
  readonly allowPrivateDrains: boolean;
  /** Bytes; unset: no quota. */
  readonly dynoMemory?: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings.
 * @throws TailraceError `settings` for a value that can't be read, or a `TAILRACE_…` name that doesn't exist.
 */
export function readSettings(environment: Environment, defaults: SettingDefaults): Settings {
  rejectUnknownVariables(environment);
  const text = (row: SettingRow): string => environment[row.variable] || row.fallback;
  return {
    data: resolve(text(SETTINGS.data) || defaults.data),
    host: text(SETTINGS.host),
    httpPort: readPort(SETTINGS.httpPort, text),
    syslogPort: readPort(SETTINGS.syslogPort, text),
    routerPort: readPort(SETTINGS.routerPort, text),
    rendezvousPort: readPort(SETTINGS.rendezvousPort, text),
    streamLines: readCount(SETTINGS.streamLines, text),
    streamBytes: readByteCount(SETTINGS.streamBytes, text),
    streamAgeMs: readDurationMs(SETTINGS.streamAge, text),
    durability: readChoice(SETTINGS.durability, text, ['process', 'disk']),
    pendingBytes: readByteCount(SETTINGS.pendingBytes, text),
    syslogTlsPort: readPort(SETTINGS.syslogTlsPort, text),
    syslogTlsCert: text(SETTINGS.syslogTlsCert),
    syslogTlsKey: text(SETTINGS.syslogTlsKey),
    syslogTlsClientCa: text(SETTINGS.syslogTlsClientCa),
    proxyProtocol: readFlag(SETTINGS.proxyProtocol, text) ?? false,
    connections: readCount(SETTINGS.connections, text),
    idleTimeoutMs: readDurationMs(SETTINGS.idleTimeout, text),
    frameTimeoutMs: readDurationMs(SETTINGS.frameTimeout, text),
    partialBytes: readByteCount(SETTINGS.partialBytes, text),
    tokenLines: readRateLimit(SETTINGS.tokenLines, text),
    tokenBytes: readRateLimit(SETTINGS.tokenBytes, text),
    appLines: readRateLimit(SETTINGS.appLines, text),
    appBytes: readRateLimit(SETTINGS.appBytes, text),
    allowPrivateDrains: readFlag(SETTINGS.allowPrivateDrains, text) ?? defaults.allowPrivateDrains,
    sourceBytes: readByteCount(SETTINGS.sourceBytes, text),
    isolation: readChoice(SETTINGS.isolation, text, ['none', 'bubblewrap']),
    isolationReadable: text(SETTINGS.isolationReadable).split(':').filter(Boolean),
    dynoMemory: readQuota(SETTINGS.dynoMemory, text, defaults.dynoMemory),
    dynoSampleMs: readDurationMs(SETTINGS.dynoSample, text),
    redisUrl: text(SETTINGS.redisUrl),
    redisCa: text(SETTINGS.redisCa),
    redisWait: readCountOrZero(SETTINGS.redisWait, text),
    redisWaitTimeoutMs: readDurationMs(SETTINGS.redisWaitTimeout, text),
    logLevel: readChoice(SETTINGS.logLevel, text, ['debug', 'info', 'warn', 'error', 'silent']),
  };
}

/** Where `serve` keeps its data, and clients look for it (XDG Base Directory Specification). */
export function defaultDataFolder(environment: Environment): string {
  const base = environment.XDG_DATA_HOME || join(homedir(), '.local', 'share');
  return join(base, 'tailrace');
}

function rejectUnknownVariables(environment: Environment): void {
  const known = [...Object.values(SETTINGS).map((row) => row.variable), ...CLIENT_VARIABLES];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('TAILRACE_') || known.includes(name)) continue;
    const nearest = known.reduce((best, one) =>
      editDistance(name, one) < editDistance(name, best) ? one : best,
    );
    throw new TailraceError('settings', `There is no setting ${name}: did you mean ${nearest}?`);
  }
}

/** How many characters have to be changed, added or taken away (Levenshtein). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}
