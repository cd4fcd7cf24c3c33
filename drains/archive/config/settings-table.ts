/** Every setting of the archive: its flag is made from its variable (`ARCHIVE_MAX_BYTES` is `--max-bytes`). `--help` and the README follow it. */
import { settingFlag } from '../../../src/common/config/settings.ts';
import type { SettingRow } from '../../../src/common/config/settings-table.ts';

export const ARCHIVE_SETTINGS = {
  port: {
    variable: 'ARCHIVE_PORT',
    kind: 'port',
    fallback: '8610',
    meaning: 'port; `PORT` is read too; 0 takes any free one',
  },
  host: {
    variable: 'ARCHIVE_HOST',
    kind: 'host',
    fallback: '127.0.0.1',
    meaning: 'address to listen on; `0.0.0.0` for all',
  },
  dir: {
    variable: 'ARCHIVE_DIR',
    kind: 'folder',
    fallback: '',
    meaning: 'where to write; unset: `$XDG_DATA_HOME/tailrace-archive`',
  },
  maxBytes: {
    variable: 'ARCHIVE_MAX_BYTES',
    kind: 'bytes',
    fallback: '100MB',
    meaning: 'rotate before a file grows past this',
  },
  /** A duration, or `day`. */
  maxAge: {
    variable: 'ARCHIVE_MAX_AGE',
    kind: 'text',
    fallback: 'day',
    meaning: 'rotate a file this old (`90s`, `30m`, `12h`, `7d`), or when the UTC `day` ends',
  },
  keep: {
    variable: 'ARCHIVE_KEEP',
    kind: 'count-or-zero',
    fallback: '0',
    meaning: 'rotated files to keep per drain, newest first; 0 keeps all',
  },
  tlsCert: {
    variable: 'ARCHIVE_TLS_CERT',
    kind: 'text',
    fallback: '',
    meaning: 'certificate chain (PEM file); makes it https',
  },
  tlsKey: {
    variable: 'ARCHIVE_TLS_KEY',
    kind: 'text',
    fallback: '',
    meaning: "the certificate's key (PEM file)",
  },
  user: { variable: 'ARCHIVE_USER', kind: 'text', fallback: '', meaning: 'Basic auth: user name' },
  password: {
    variable: 'ARCHIVE_PASSWORD',
    kind: 'text',
    fallback: '',
    meaning: 'Basic auth: password; environment only',
  },
  fsync: {
    variable: 'ARCHIVE_FSYNC',
    kind: 'flag',
    fallback: 'yes',
    meaning: '`no` answers before the disk has the lines: faster, a power cut may lose some',
  },
  raw: {
    variable: 'ARCHIVE_RAW',
    kind: 'flag',
    fallback: 'no',
    meaning: '`yes` writes the frames as they came, one a line',
  },
  form: {
    variable: 'ARCHIVE_FORM',
    kind: 'choice',
    choices: ['heroku', 'rfc5424'],
    fallback: 'heroku',
    meaning: '`heroku` (no structured data) or `rfc5424`',
  },
  bodyBytesMax: {
    variable: 'ARCHIVE_MAX_BODY',
    kind: 'bytes',
    fallback: '8MB',
    meaning: "limit of a request's body, unpacked",
  },
} as const satisfies Record<string, SettingRow>;

/** It has no flag: every user of a machine can read a process's arguments. */
export const SECRET_VARIABLE = ARCHIVE_SETTINGS.password.variable;

/** The flag of a variable: `--max-bytes`. */
export function archiveFlag(variable: string): string {
  return settingFlag(variable, 'ARCHIVE_');
}

/** What `--help` prints. */
export function helpText(): string {
  const lines = Object.values<SettingRow>(ARCHIVE_SETTINGS).map(({ variable, meaning, fallback }) => {
    const flag = variable === SECRET_VARIABLE ? '' : archiveFlag(variable);
    return `  ${flag.padEnd(13)}${variable.padEnd(19)}${meaning}${fallback && ` (${fallback})`}`;
  });
  return `Writes the lines of a Heroku or Tailrace HTTPS drain to files.\n\n${lines.join('\n')}\n`;
}
