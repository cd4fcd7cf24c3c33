import type { Log } from '../../common/log.ts';
import { Throttle } from '../../common/throttle.ts';
import { FRAME_BYTES_MAX } from '../syslog/frame-boundary.ts';
import type { ListenerCounters } from './listener-counters.ts';

/** How often a listener warns of rejected lines. */
const WARN_INTERVAL_MS = 60_000;
const KINDS = ['malformed', 'unknownToken', 'lost', 'miscounted', 'oversized'] as const;
type RejectionKind = (typeof KINDS)[number];
const EXPLANATION: Record<RejectionKind, string> = {
  malformed:
    'lines were malformed: expected syslog, `<PRI>1 TIME HOST TOKEN DYNO MSGID SD MESSAGE` or `<PRI>TIME HOST TOKEN: MESSAGE`',
  unknownToken:
    'lines had an unknown token, or none and no rule for their sender: see `tailrace tokens:add` and `tailrace sources:add`',
  lost: 'lines were turned away because too much waited to be stored',
  miscounted:
    "frames had an octet count that can't be right: what was found was taken, but their sender has to count bytes (RFC 6587)",
  oversized: `frames were longer than ${FRAME_BYTES_MAX} bytes: the first so many of each were taken`,
};

/** Why connections are of no use, or not what they seem: told once a minute each. */
const CONNECTION_HINTS = {
  tlsToPlain:
    'a sender speaks TLS to the port for plain syslog: give it the TLS port (TAILRACE_SYSLOG_TLS_PORT)',
  handshakeFailed:
    "a sender's TLS handshake failed: its TLS is older than 1.2, it doesn't trust this server's certificate, or it speaks plain syslog to the TLS port",
  noProxyHeader:
    'a connection has no PROXY header in front, which TAILRACE_PROXY_PROTOCOL=yes asks for: have the load balancer send one (HAProxy: `send-proxy-v2`), or unset it',
  proxyHeader:
    'a connection begins with a PROXY header, which is not asked for: set TAILRACE_PROXY_PROTOCOL=yes, or have the load balancer send none',
} as const;
export type ConnectionHint = keyof typeof CONNECTION_HINTS;

/** Of HTTP: the sender of each knows why. */
const MALFORMED_BODIES = 'requests were malformed: each got a response that says why';

/** Warns of lines that a listener rejected, and of frames whose count is wrong: at once the first time, then once a minute. */
export class RejectionWarnings {
  private readonly counters: ListenerCounters;
  private readonly log: Log;
  private readonly reported: Record<RejectionKind, number> = {
    malformed: 0,
    unknownToken: 0,
    lost: 0,
    miscounted: 0,
    oversized: 0,
  };
  private readonly warnings = new Throttle(WARN_INTERVAL_MS);
  private readonly hints = new Map<ConnectionHint, Throttle>();

  constructor(counters: ListenerCounters, log: Log) {
    this.counters = counters;
    this.log = log;
  }

  /**
   * A connection was refused: it counts as malformed, and the log says why.
   *
   * @param reason of the system or of OpenSSL, if there is one
   */
  refuseConnection(hint: ConnectionHint, address: string, reason?: string): void {
    this.counters.malformed++;
    this.reported.malformed++;
    this.explainConnection(hint, address, reason);
  }

  /** Says in the log what is odd about a connection, whose lines are counted as they are taken. */
  explainConnection(hint: ConnectionHint, address: string, reason?: string): void {
    const { counters, log } = this;
    let throttle = this.hints.get(hint);
    if (!throttle) {
      throttle = new Throttle(WARN_INTERVAL_MS);
      this.hints.set(hint, throttle);
    }
    if (throttle.allow()) log.warn({ protocol: counters.protocol, address, reason }, CONNECTION_HINTS[hint]);
  }

  /** Compares the counters: cheap enough for every chunk. */
  check(): void {
    const { counters, reported } = this;
    if (
      counters.malformed === reported.malformed &&
      counters.unknownToken === reported.unknownToken &&
      counters.lost === reported.lost &&
      counters.miscounted === reported.miscounted &&
      counters.oversized === reported.oversized
    )
      return;
    if (!this.warnings.allow()) return;
    for (const kind of KINDS) {
      const count = counters[kind] - reported[kind];
      reported[kind] = counters[kind];
      if (count > 0) this.log.warn({ protocol: counters.protocol, count }, `${count} ${this.explain(kind)}`);
    }
  }

  private explain(kind: RejectionKind): string {
    const { protocol } = this.counters;
    return kind === 'malformed' && (protocol === 'http' || protocol === 'otlp')
      ? MALFORMED_BODIES
      : EXPLANATION[kind];
  }
}
