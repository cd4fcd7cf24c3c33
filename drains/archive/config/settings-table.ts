/** Every setting of the archive: its flag, its environment variable, its default. `--help` and the README follow it. */

export interface ArchiveSettingRow {
  name: string;
  env: string;
  default: string;
  meaning: string;
  /** A secret has no flag: every user of a machine can read a process's arguments. */
  secret?: true;
}

export const ARCHIVE_SETTINGS = [
  {
    name: 'port',
    env: 'ARCHIVE_PORT',
    default: '8610',
    meaning: 'port; `PORT` is read too; 0 takes any free one',
  },
  {
    name: 'host',
    env: 'ARCHIVE_HOST',
    default: '127.0.0.1',
    meaning: 'address to listen on; `0.0.0.0` for all',
  },
  { name: 'dir', env: 'ARCHIVE_DIR', default: '~/.local/share/tailrace-archive', meaning: 'where to write' },
  {
    name: 'max-bytes',
    env: 'ARCHIVE_MAX_BYTES',
    default: '100MB',
    meaning: 'rotate before a file grows past this',
  },
  {
    name: 'max-age',
    env: 'ARCHIVE_MAX_AGE',
    default: 'day',
    meaning: 'rotate a file this old (`90s`, `30m`, `12h`, `7d`), or when the UTC `day` ends',
  },
  {
    name: 'keep',
    env: 'ARCHIVE_KEEP',
    default: '0',
    meaning: 'rotated files to keep per drain, newest first; 0 keeps all',
  },
  {
    name: 'tls-cert',
    env: 'ARCHIVE_TLS_CERT',
    default: '',
    meaning: 'certificate chain (PEM file); makes it https',
  },
  { name: 'tls-key', env: 'ARCHIVE_TLS_KEY', default: '', meaning: "the certificate's key (PEM file)" },
  { name: 'user', env: 'ARCHIVE_USER', default: '', meaning: 'Basic auth: user name' },
  {
    name: 'password',
    env: 'ARCHIVE_PASSWORD',
    default: '',
    meaning: 'Basic auth: password; environment only',
    secret: true,
  },
  {
    name: 'fsync',
    env: 'ARCHIVE_FSYNC',
    default: 'yes',
    meaning: '`no` answers before the disk has the lines: faster, a power cut may lose some',
  },
  {
    name: 'raw',
    env: 'ARCHIVE_RAW',
    default: 'no',
    meaning: '`yes` writes the frames as they came, one a line',
  },
  {
    name: 'form',
    env: 'ARCHIVE_FORM',
    default: 'heroku',
    meaning: '`heroku` (no structured data) or `rfc5424`',
  },
  {
    name: 'max-body',
    env: 'ARCHIVE_MAX_BODY',
    default: '8MB',
    meaning: "limit of a request's body, unpacked",
  },
] as const satisfies readonly ArchiveSettingRow[];

/** What `--help` prints. */
export function helpText(): string {
  const rows: ArchiveSettingRow[] = [...ARCHIVE_SETTINGS];
  const left = rows.map((row) => `${row.secret ? '' : `--${row.name}`}`.padEnd(13) + row.env.padEnd(19));
  const lines = rows.map(
    (row, at) => `  ${left[at]}${row.meaning}${row.default === '' ? '' : ` (${row.default})`}`,
  );
  return `Writes the lines of a Heroku or Tailrace HTTPS drain to files.\n\n${lines.join('\n')}\n`;
}
