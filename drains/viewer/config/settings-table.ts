/**
 * Every setting of the viewer: its flag is made from its variable (`VIEWER_HTTP_PORT` is `--http-port`). What the log router has too is the
 * router's row under another name.
 */
import { settingFlag } from '../../../src/common/config/settings.ts';
import { SETTINGS, type SettingRow } from '../../../src/common/config/settings-table.ts';

/** Rows of the log router that the viewer has too, under the same names. */
type SharedName = {
  [name in keyof typeof SETTINGS]: (typeof SETTINGS)[name]['variable'] extends `TAILRACE_${string}`
    ? name
    : never;
}[keyof typeof SETTINGS];

type SettingText = 'variable' | 'fallback' | 'meaning';

function shared<Name extends SharedName>(
  name: Name,
  change: Partial<Pick<SettingRow, 'fallback' | 'meaning'>> = {},
): Omit<(typeof SETTINGS)[Name], SettingText> & Pick<SettingRow, SettingText> {
  const row = SETTINGS[name];
  return { ...row, variable: row.variable.replace('TAILRACE_', 'VIEWER_'), ...change };
}

export const VIEWER_SETTINGS = {
  data: shared('data', { meaning: 'data folder; unset: `$XDG_DATA_HOME/tailrace-viewer`' }),
  host: shared('host'),
  httpPort: shared('httpPort', {
    fallback: '8620',
    meaning: 'HTTP: drains (`/logs`, `/v1/logs`), page, API (0: any free one)',
  }),
  syslog: {
    variable: 'VIEWER_SYSLOG',
    kind: 'flag',
    fallback: 'yes',
    meaning: 'is syslog listened for? `no`: only on ports that rules of streams name',
  },
  syslogPort: shared('syslogPort', { fallback: '6620' }),
  syslogTlsPort: shared('syslogTlsPort', { fallback: '6621' }),
  tlsCert: {
    variable: 'VIEWER_TLS_CERT',
    kind: 'text',
    fallback: '',
    meaning:
      'certificate: a file in PEM form, with its chain; makes HTTP https, and syslog over TLS is listened for',
  },
  tlsKey: {
    variable: 'VIEWER_TLS_KEY',
    kind: 'text',
    fallback: '',
    meaning: 'the certificate’s private key: a file in PEM form',
  },
  syslogTlsClientCa: shared('syslogTlsClientCa'),
  proxyProtocol: shared('proxyProtocol'),
  publicUrl: {
    variable: 'VIEWER_PUBLIC_URL',
    kind: 'url',
    fallback: '',
    meaning:
      'where browsers and senders reach it, such as `https://logs.example.com`; unset: where it listens',
  },
  /** `yes`, `no`, or networks. */
  trustProxy: {
    variable: 'VIEWER_TRUST_PROXY',
    kind: 'text',
    fallback: 'no',
    meaning:
      'proxies in front that are believed in `X-Forwarded-For` and `-Proto`: addresses and networks with commas between them, `loopback`, `private`; `yes`: whoever connects, of which there is one in front',
  },
  apiKey: {
    variable: 'VIEWER_API_KEY',
    kind: 'text',
    fallback: '',
    meaning: 'an API key that may do everything, from the start; environment only',
  },
  groupToken: {
    variable: 'VIEWER_TOKEN',
    kind: 'text',
    fallback: '',
    meaning: 'token (`t.…`) of a first group, which is made when there is none; environment only',
  },
  smtpUrl: {
    variable: 'VIEWER_SMTP_URL',
    kind: 'text',
    fallback: '',
    meaning:
      'server that takes alerts’ mails: `smtps://user:password@host:465`, or `smtp://` with STARTTLS; environment only',
  },
  smtpFrom: {
    variable: 'VIEWER_SMTP_FROM',
    kind: 'text',
    fallback: '',
    meaning: 'sender of alerts’ mails, such as `Logs <logs@example.com>`; unset: `viewer@` the SMTP server',
  },
  allowPrivateWebhooks: {
    variable: 'VIEWER_ALLOW_PRIVATE_WEBHOOKS',
    kind: 'flag',
    fallback: 'no',
    meaning: 'may alerts be posted to this machine and its network?',
  },
  streamBytes: shared('streamBytes', {
    fallback: '64MB',
    meaning:
      'bytes of a stream that are kept as they came, though they are packed; four times as many may wait for that',
  }),
  durability: shared('durability'),
  pendingBytes: shared('pendingBytes'),
  connections: shared('connections'),
  idleTimeoutMs: shared('idleTimeoutMs'),
  frameTimeoutMs: shared('frameTimeoutMs'),
  holdMs: shared('holdMs'),
  tokenLines: shared('tokenLines'),
  tokenBytes: shared('tokenBytes'),
  appLines: {
    ...shared('appLines'),
    variable: 'VIEWER_STREAM_LINES_PER_S',
    meaning: 'lines a second that a stream may get (unset: any number)',
  },
  appBytes: {
    ...shared('appBytes'),
    variable: 'VIEWER_STREAM_BYTES_PER_S',
    meaning: 'bytes a second that a stream may get (unset: any number)',
  },
  searchMs: {
    variable: 'VIEWER_SEARCH_TIME',
    kind: 'duration',
    fallback: '10s',
    meaning:
      'how long a search or a count may take: a search goes on from there, and of a count it is said that not all lines were counted',
  },
  archive: {
    variable: 'VIEWER_ARCHIVE',
    kind: 'text',
    fallback: '',
    meaning:
      'where archives go: a folder, or `s3://bucket/folder` with AWS’ own variables (`AWS_ACCESS_KEY_ID` …); unset: nowhere',
  },
  keepMs: {
    variable: 'VIEWER_KEEP',
    kind: 'duration',
    fallback: '90d',
    meaning: 'how long lines are kept, unless their group says otherwise',
  },
  keepBytes: {
    variable: 'VIEWER_KEEP_BYTES',
    kind: 'quota',
    fallback: 'none',
    meaning: 'bytes that a group may take on disk, unless it says otherwise: the oldest lines go first',
  },
  keepTotalBytes: {
    variable: 'VIEWER_KEEP_TOTAL_BYTES',
    kind: 'quota',
    fallback: 'none',
    meaning: 'bytes that all groups may take on disk together',
  },
  logLevel: shared('logLevel', {
    fallback: 'info',
    meaning:
      'its own log on stderr: `debug`, `info`, `warn`, `error`, `silent`; text in a terminal, else JSON',
  }),
} as const satisfies Record<string, SettingRow>;

/** They have no flags: every user of a machine can read a process's arguments. */
export const SECRET_SETTINGS: readonly string[] = ['VIEWER_SMTP_URL', 'VIEWER_API_KEY', 'VIEWER_TOKEN'];

/** The flag of a variable: `--http-port`. */
export function flagOf(variable: string): string {
  return settingFlag(variable, 'VIEWER_');
}
