/**
 * Every setting in one table: its name in `Settings`, environment variable, kind, default, meaning. The type `Settings`, what reads
 * it (settings.ts) and the README's table follow from it. Names end with their unit where it isn't bytes or a number of things.
 */
import type { SettingKind } from './setting-readers.ts';

export interface SettingRow {
  readonly variable: string;
  /** How its text is read, and so its type. */
  readonly kind: SettingKind;
  /** Of the kind `choice`: what it may be. */
  readonly choices?: readonly string[];
  /** The default, as it would be written; '' for none, or for one that depends on how tailrace is started. */
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
    kind: 'host',
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
    meaning: "lines that an app's stream holds at the most",
  },
  streamBytes: {
    variable: 'TAILRACE_STREAM_BYTES',
    kind: 'bytes',
    fallback: '256MB',
    meaning: "bytes that an app's stream holds at the most",
  },
  streamAgeMs: {
    variable: 'TAILRACE_STREAM_AGE',
    kind: 'duration',
    fallback: '7d',
    meaning: "how long an app's stream holds a line",
  },
  durability: {
    variable: 'TAILRACE_DURABILITY',
    kind: 'choice',
    choices: ['process', 'disk'],
    fallback: 'process',
    meaning:
      '`process`: what was acknowledged survives `kill -9`, a power cut costs at most the last five seconds; `disk`: a power cut costs nothing (slower: it is synced first)',
  },
  pendingBytes: {
    variable: 'TAILRACE_PENDING_BYTES',
    kind: 'bytes',
    fallback: '32MB',
    meaning: 'bytes that may wait to be stored before senders are slowed down',
  },
  tlsCert: {
    variable: 'TAILRACE_TLS_CERT',
    kind: 'paths',
    fallback: '',
    meaning:
      'certificate for TLS at the API, the HTTP router and syslog: a file in PEM form, with its chain; several with colons between them, of which the name that a client asks for decides. Read anew when the file changes',
  },
  tlsKey: {
    variable: 'TAILRACE_TLS_KEY',
    kind: 'paths',
    fallback: '',
    meaning: "the certificates' private keys, in the same order",
  },
  httpTlsPort: {
    variable: 'TAILRACE_HTTP_TLS_PORT',
    kind: 'port',
    fallback: '8643',
    meaning: 'HTTPS: what is at `TAILRACE_HTTP_PORT`, when a certificate is set (0: any free one)',
  },
  routerTlsPort: {
    variable: 'TAILRACE_ROUTER_TLS_PORT',
    kind: 'port',
    fallback: '8443',
    meaning:
      'HTTPS: the HTTP router, when a certificate is set (0: any free one). The same port as above: the name in `TAILRACE_PUBLIC_URL` leads to the API, all others to apps',
  },
  plainHttpHost: {
    variable: 'TAILRACE_PLAIN_HTTP_HOST',
    kind: 'host',
    fallback: '',
    meaning:
      'address to listen on for HTTP without TLS; unset: `TAILRACE_HOST`, and `127.0.0.1` once `TAILRACE_TLS_CERT` is set',
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
    meaning:
      'certificate for syslog over TLS, if not `TAILRACE_TLS_CERT`: a file in PEM form, with its chain',
  },
  syslogTlsKey: {
    variable: 'TAILRACE_SYSLOG_TLS_KEY',
    kind: 'text',
    fallback: '',
    meaning: "the certificate's private key: a file in PEM form",
  },
  syslogTlsClientCa: {
    variable: 'TAILRACE_SYSLOG_TLS_CLIENT_CA',
    kind: 'text',
    fallback: '',
    meaning: "who signs senders' certificates: a file in PEM form; unset: they aren't asked for",
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
    meaning: 'open connections at the most, of syslog and of HTTP each',
  },
  routerConnections: {
    variable: 'TAILRACE_ROUTER_CONNECTIONS',
    kind: 'count',
    fallback: '10000',
    meaning: 'open connections to the HTTP router at the most; each may need one to a dyno',
  },
  routerConnectionsPerPeer: {
    variable: 'TAILRACE_ROUTER_CONNECTIONS_PER_PEER',
    kind: 'count-or-unset',
    fallback: '',
    meaning: 'of these, from one address (IPv6: one /64 network) at the most; unset: half of them',
  },
  idleTimeoutMs: {
    variable: 'TAILRACE_IDLE_TIMEOUT',
    kind: 'duration',
    fallback: '1d',
    meaning: 'a syslog connection that is silent for so long is closed',
  },
  frameTimeoutMs: {
    variable: 'TAILRACE_FRAME_TIMEOUT',
    kind: 'duration',
    fallback: '60s',
    meaning: 'how long a syslog frame may take from its first byte to its last, and an HTTP request',
  },
  holdMs: {
    variable: 'TAILRACE_HOLD_TIMEOUT',
    kind: 'duration',
    fallback: '5s',
    meaning: 'how long an HTTP request waits for a store that takes nothing, before it gets 503',
  },
  partialBytes: {
    variable: 'TAILRACE_PARTIAL_BYTES',
    kind: 'bytes',
    fallback: '64MB',
    meaning: 'bytes of unfinished syslog frames that are held at the most, of all connections together',
  },
  tokenLines: {
    variable: 'TAILRACE_TOKEN_LINES_PER_S',
    kind: 'line-rate',
    fallback: '',
    meaning: 'lines a second that a token may send (unset: any number)',
  },
  tokenBytes: {
    variable: 'TAILRACE_TOKEN_BYTES_PER_S',
    kind: 'byte-rate',
    fallback: '',
    meaning: 'bytes a second that a token may send, such as 1MB (unset: any number)',
  },
  appLines: {
    variable: 'TAILRACE_APP_LINES_PER_S',
    kind: 'line-rate',
    fallback: '',
    meaning: "lines a second that an app's sources may send together (unset: any number)",
  },
  appBytes: {
    variable: 'TAILRACE_APP_BYTES_PER_S',
    kind: 'byte-rate',
    fallback: '',
    meaning: "bytes a second that an app's sources may send together (unset: any number)",
  },
  allowPrivateDrains: {
    variable: 'TAILRACE_ALLOW_PRIVATE_DRAINS',
    kind: 'flag',
    fallback: '',
    meaning:
      'may drains, and partners of add-ons, be at loopback and in private networks? `serve`: no, `start`: yes',
  },
  publicUrl: {
    variable: 'TAILRACE_PUBLIC_URL',
    kind: 'url',
    fallback: '',
    meaning:
      'where browsers and partners of add-ons reach this server, such as `https://logs.example.com`; unset: where a request was sent to, and for partners where it listens',
  },
  appsUrl: {
    variable: 'TAILRACE_APPS_DOMAIN',
    kind: 'apps-domain',
    fallback: '',
    meaning:
      'domain whose names lead to the HTTP router: app `shop` is at `https://shop.apps.example.com` for `apps.example.com`; with another scheme or port: `http://apps.example.com:8080`; unset: `<app>.localhost`',
  },
  trustedProxies: {
    variable: 'TAILRACE_TRUST_PROXY',
    kind: 'networks',
    fallback: '',
    meaning:
      'proxies in front that are believed in `X-Forwarded-For`, `-Proto`, `-Port` and `-Host`: addresses and networks with commas between them, `loopback`, `private`, or `none`; unset: `loopback` when one of the two above is set',
  },
  corsOrigins: {
    variable: 'TAILRACE_CORS_ORIGINS',
    kind: 'origins',
    fallback: '',
    meaning:
      'pages of other sites that may post lines and read tails: their origins with commas between them (`https://shop.example.com`), or `*`; unset: none',
  },
  oidcIssuer: {
    variable: 'TAILRACE_OIDC_ISSUER',
    kind: 'text',
    fallback: '',
    meaning:
      'identity provider (OpenID Connect) that people may sign in with, such as `https://login.example.com/realms/team`',
  },
  oidcClientId: {
    variable: 'TAILRACE_OIDC_CLIENT_ID',
    kind: 'text',
    fallback: '',
    meaning:
      'what this server is called there; its redirect URI is `/session/oidc/callback` of the public URL',
  },
  oidcClientSecret: {
    variable: 'TAILRACE_OIDC_CLIENT_SECRET',
    kind: 'text',
    fallback: '',
    meaning: 'the secret that belongs to it; unset: a public client',
  },
  oidcName: {
    variable: 'TAILRACE_OIDC_NAME',
    kind: 'text',
    fallback: '',
    meaning: "what the button of the page says: `Sign in with …`; unset: the provider's host name",
  },
  oidcDomains: {
    variable: 'TAILRACE_OIDC_DOMAINS',
    kind: 'domains',
    fallback: '',
    meaning: 'domains of addresses that need no invitation, with commas: `example.com,example.org`',
  },
  oidcRole: {
    variable: 'TAILRACE_OIDC_ROLE',
    kind: 'choice',
    choices: ['viewer', 'member', 'admin'],
    fallback: 'viewer',
    meaning: 'what those may do at first',
  },
  oidcTrustsAddresses: {
    variable: 'TAILRACE_OIDC_UNVERIFIED_EMAIL',
    kind: 'flag',
    fallback: 'no',
    meaning:
      "take addresses of which the provider doesn't say that they are verified (`email_verified`)? Only where its users can't choose them",
  },
  addonProvisionMs: {
    variable: 'TAILRACE_ADDON_PROVISION_TIMEOUT',
    kind: 'interval',
    fallback: '12h',
    meaning: 'how long a partner may take to make an add-on that it has accepted',
  },
  sourceBytes: {
    variable: 'TAILRACE_SOURCE_BYTES',
    kind: 'bytes',
    fallback: '512MB',
    meaning: 'what a push may hold, packed',
  },
  isolation: {
    variable: 'TAILRACE_ISOLATION',
    kind: 'choice',
    choices: ['none', 'bubblewrap'],
    fallback: 'none',
    meaning: 'keeps deployed dynos apart: `none`, or `bubblewrap` (the program `bwrap`)',
  },
  isolationReadable: {
    variable: 'TAILRACE_ISOLATION_READABLE',
    kind: 'paths',
    fallback: '',
    meaning: 'folders in hidden ones (homes, `/tmp`) that isolated dynos may read, with colons between them',
  },
  dynoMemory: {
    variable: 'TAILRACE_DYNO_MEMORY',
    kind: 'quota',
    fallback: '',
    meaning:
      'memory that a dyno of the default size may use (R14; twice as much: R15), or `none`; `serve`: 512MB, `start`: none',
  },
  dynoHandoverMs: {
    variable: 'TAILRACE_DYNO_HANDOVER',
    kind: 'interval-or-none',
    fallback: 'none',
    meaning:
      'how long deployed dynos go on without a server when it is restarted or killed, or `none`; `serve`: 60s, `start`: none',
  },
  dynoSampleMs: {
    variable: 'TAILRACE_DYNO_SAMPLE',
    kind: 'interval',
    fallback: '20s',
    meaning: 'how often the memory of dynos is measured',
  },
  /** Unset: the embedded store. Holds a password: never printed. */
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
    meaning: "PEM file of the CA that signed Redis's certificate, when the system doesn't know it",
  },
  redisWait: {
    variable: 'REDIS_WAIT',
    kind: 'count-or-zero',
    fallback: '0',
    meaning: 'replicas of Redis that must have a line before it is acknowledged (`WAIT`)',
  },
  redisWaitTimeoutMs: {
    variable: 'REDIS_WAIT_TIMEOUT',
    kind: 'interval',
    fallback: '1s',
    meaning: 'how long they may take; then senders are asked to wait',
  },
  metricsApps: {
    variable: 'TAILRACE_METRICS_APPS',
    kind: 'count-or-zero',
    fallback: '100',
    meaning:
      'apps, and drains, with series of their own in `/metrics` at the most; the others are together as `_other`',
  },
  logLevel: {
    variable: 'TAILRACE_LOG_LEVEL',
    kind: 'choice',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    fallback: 'warn',
    meaning:
      "tailrace's own log on stderr, by area: `debug` (connections, requests, tails), `info` (start, releases, drains), `warn`, `error`, `silent`; text in a terminal and under `start`, else JSON",
  },
} as const satisfies Record<string, SettingRow>;
