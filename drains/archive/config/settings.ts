/**
 * Reads the settings. A flag takes precedence over its environment variable, that one over the default; what cannot be parsed
 * is a `SettingsError` of one sentence, never a guess.
 */

import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { MaxAge } from '../storage/rotation.ts';
import { parseByteCount, parseDurationMs } from './quantities.ts';
import { ARCHIVE_SETTINGS, type ArchiveSettingRow } from './settings-table.ts';

export interface Settings {
  port: number;
  host: string;
  /** Has one folder per drain token. */
  dir: string;
  /** A `current.log` that would grow past this is rotated first. */
  maxBytes: number;
  maxAge: MaxAge;
  /** How many rotated files stay in a drain's folder; 0 keeps all. */
  keep: number;
  tls: { certFile: string; keyFile: string } | undefined;
  credentials: { user: string; password: string } | undefined;
  /** Is a request answered only after its lines have reached the disk, not just the kernel? */
  fsync: boolean;
  /** Frames as they were received instead of formatted lines. */
  raw: boolean;
  form: 'heroku' | 'rfc5424';
  /** Limit of a request's body, after decompression. */
  bodyBytesMax: number;
}

/** A setting that can't be used. Its message is a sentence for who starts the archive, which ends with it. */
export class SettingsError extends Error {}

type SettingName = (typeof ARCHIVE_SETTINGS)[number]['name'];

/** Reads flags and environment; `undefined` for `--help`. */
export function readSettings(args: string[], env: NodeJS.ProcessEnv): Settings | undefined {
  rejectUnknownVariables(env);
  const flags = readFlags(args);
  if (flags === undefined) return undefined;
  const value = (name: SettingName): string => {
    const row: ArchiveSettingRow = ARCHIVE_SETTINGS.find((each) => each.name === name)!;
    return flags.get(name) ?? (env[row.env] || (name === 'port' && env.PORT) || row.default);
  };
  const read = <T>(name: SettingName, parse: (text: string) => T | undefined, hint: string): T => {
    const parsed = parse(value(name));
    if (parsed === undefined) throw new SettingsError(`--${name} is "${value(name)}"; it must be ${hint}.`);
    return parsed;
  };
  return {
    port: read('port', (text) => wholeNumber(text, 65_535), 'a number from 0 to 65535'),
    host: value('host'),
    dir: resolve(flags.get('dir') ?? (env.ARCHIVE_DIR || defaultFolder(env))),
    maxBytes: read('max-bytes', parseByteCount, 'a size such as 500KB or 100MB, more than 0'),
    maxAge: read(
      'max-age',
      (text) => (text === 'day' ? text : parseDurationMs(text)),
      '"day" or a time such as 30m or 7d',
    ),
    keep: read('keep', (text) => wholeNumber(text, Number.MAX_SAFE_INTEGER), 'a whole number, 0 or more'),
    tls: pair('--tls-cert', value('tls-cert'), '--tls-key', value('tls-key'), (certFile, keyFile) => ({
      certFile,
      keyFile,
    })),
    credentials: pair('--user', value('user'), 'ARCHIVE_PASSWORD', value('password'), (user, password) => ({
      user,
      password,
    })),
    fsync: read('fsync', yesOrNo, '"yes" or "no"'),
    raw: read('raw', yesOrNo, '"yes" or "no"'),
    form: read(
      'form',
      (text) => (text === 'heroku' || text === 'rfc5424' ? text : undefined),
      '"heroku" or "rfc5424"',
    ),
    bodyBytesMax: read('max-body', parseByteCount, 'a size such as 500KB or 8MB, more than 0'),
  };
}

/** A misspelled `ARCHIVE_PASSWORD` would leave the archive open to everybody, without a warning. */
function rejectUnknownVariables(env: NodeJS.ProcessEnv): void {
  const known = new Set<string>(ARCHIVE_SETTINGS.map((row) => row.env));
  const unknown = Object.keys(env).find((name) => name.startsWith('ARCHIVE_') && !known.has(name));
  if (unknown !== undefined) {
    throw new SettingsError(`${unknown} is no setting of the archive; --help lists them.`);
  }
}

function readFlags(args: string[]): Map<string, string> | undefined {
  const names = ARCHIVE_SETTINGS.filter((row) => row.name !== 'password').map((row) => row.name);
  if (args.some((arg) => arg === '--password' || arg.startsWith('--password='))) {
    throw new SettingsError(
      'The password is read from ARCHIVE_PASSWORD only: arguments are visible to every user of the machine.',
    );
  }
  // `--raw` alone means yes, like any boolean flag.
  const normal = args.map((arg) => (arg === '--raw' ? '--raw=yes' : arg));
  try {
    const { values } = parseArgs({
      args: normal,
      options: {
        help: { type: 'boolean', short: 'h' },
        ...Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
      },
    });
    if (values.help === true) return undefined;
    return new Map(
      Object.entries(values).flatMap(([name, text]) => (typeof text === 'string' ? [[name, text]] : [])),
    );
  } catch (error) {
    const sentence = error instanceof Error ? error.message.split(/\.\s/)[0] : String(error);
    throw new SettingsError(`${sentence}; --help lists the settings.`);
  }
}

function defaultFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'tailrace-archive');
}

function pair<T>(
  nameA: string,
  a: string,
  nameB: string,
  b: string,
  make: (a: string, b: string) => T,
): T | undefined {
  if (a === '' && b === '') return undefined;
  if (a === '' || b === '') {
    throw new SettingsError(
      `${a === '' ? nameB : nameA} is set but ${a === '' ? nameA : nameB} is not; they need each other.`,
    );
  }
  return make(a, b);
}

function wholeNumber(text: string, max: number): number | undefined {
  return /^\d{1,16}$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}

function yesOrNo(text: string): boolean | undefined {
  return text === 'yes' ? true : text === 'no' ? false : undefined;
}
