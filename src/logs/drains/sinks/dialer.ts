/** Connects to destinations: names are resolved under the target policy, certificates are verified. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { systemCode } from '../../../common/errors.ts';
import { Deadline } from '../../../common/limits/deadline.ts';
import { certificateErrorKind } from '../../../common/tls/certificate-error.ts';
import { printableReason } from '../options/drain-record.ts';
import type { TargetPolicy } from '../options/target-policy.ts';
import { OutletError } from '../outlet.ts';

/** From the first packet to the end of the TLS handshake. */
const CONNECT_TIMEOUT_MS = 5_000;
/**
 * Of several addresses the next is tried after this time, and the one before given up: Node.js' own 250 ms are less than the way to another
 * continent and back takes, and the last address of all may be one that is dead.
 */
const ADDRESS_TIMEOUT_MS = 1_000;

/** Options of TLS connections to a destination. */
export interface TlsOptions {
  /** Certificates aren't verified (`#insecure`). */
  readonly insecure?: boolean;
  /** PEM; instead of the system's certificate authorities. */
  readonly ca?: string;
  /** PEM; our client certificate. */
  readonly cert?: string;
  readonly key?: string;
  /** Sent (SNI), and expected in the certificate, instead of the URL's host. */
  readonly serverName?: string;
}

export interface DialTarget {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsOptions;
}

/** Phases of a delivery. */
export type DeliveryPhase = 'resolve' | 'connect' | 'tls' | 'send' | 'answer';
/** Called when a phase is over, with its duration. */
export type OnPhase = (phase: DeliveryPhase, ms: number) => void;

/** What OpenSSL's codes mean here: alerts are the destination's words. */
const TLS_ERRORS: readonly {
  readonly code: RegExp;
  readonly meaning: string;
  readonly isCertificateError?: boolean;
}[] = [
  {
    code: /WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|BAD_RECORD_TYPE/,
    meaning: "the destination doesn't speak TLS at this port",
  },
  {
    code: /ALERT_CERTIFICATE_REQUIRED/,
    meaning: 'the destination wants a client certificate (--cert, --key)',
    isCertificateError: true,
  },
  {
    code: /ALERT_(?:BAD_CERT|UNSUPPORTED_CERT|UNKNOWN_CA|CERTIFICATE|ACCESS_DENIED)/,
    meaning: "the destination doesn't accept the client certificate",
    isCertificateError: true,
  },
  {
    code: /ALERT_HANDSHAKE_FAILURE/,
    meaning:
      'the destination wants a client certificate (--cert, --key), or has no cipher that is known here',
  },
  {
    code: /ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/,
    meaning: 'the destination speaks no TLS from 1.2 on',
  },
];
/** What can be done about a destination's certificate that isn't accepted. */
const UNTRUSTED_ADVICE =
  "the destination doesn't send its whole chain, or its authority isn't known here (--ca)";

/** One for many destinations, for its sessions of TLS (RFC 8446 section 2.2) to be of use. A socket that it gave is the caller's. */
export class Dialer {
  private readonly policy: TargetPolicy;
  /** The last TLS session of a destination, by its options: the next connection costs both ends less. */
  private readonly sessions = new WeakMap<TlsOptions, Buffer>();

  constructor(policy: TargetPolicy) {
    this.policy = policy;
  }

  /**
   * Connects, including the TLS handshake if there is one.
   * @param signal ends the attempt.
   * @throws OutletError with `isCertificateError` set when a certificate was the reason.
   */
  dial(target: DialTarget, onPhase: OnPhase = () => {}, signal?: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const { host, port, tls } = target;
      let beganMs = performance.now();
      const phaseEnded = (phase: DeliveryPhase): void => {
        const now = performance.now();
        onPhase(phase, now - beganMs);
        beganMs = now;
      };
      try {
        this.policy.assertAllowedAddress(host);
        signal?.throwIfAborted();
      } catch (error) {
        return reject(toOutletError(error));
      }
      const socket = connect({
        host,
        port,
        noDelay: true,
        keepAlive: true,
        lookup: this.policy.lookup,
        autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
      });
      let current: Socket = socket;
      const fail = (error: unknown): void => {
        deadline.clear();
        signal?.removeEventListener('abort', onAbort);
        socket.destroy();
        current.destroy();
        reject(toOutletError(error));
      };
      const deadline = new Deadline(CONNECT_TIMEOUT_MS, () =>
        fail(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1_000} s`)),
      );
      const onAbort = (): void => fail(signal?.reason);
      signal?.addEventListener('abort', onAbort);
      const done = (): void => {
        deadline.clear();
        signal?.removeEventListener('abort', onAbort);
        current.off('error', fail);
        current.off('close', onClose);
        current.on('error', () => {}); // the caller adds its own listener
        resolve(current);
      };
      const onClose = (): void => fail(new Error('the destination closed the connection'));
      socket.once('lookup', (error) => {
        if (!error) phaseEnded('resolve');
      });
      socket.on('error', fail);
      socket.once('connect', () => {
        phaseEnded('connect');
        if (!tls) return done();
        try {
          current = connectTls({
            socket,
            host,
            // An address is no server name, and its dot at the end is none's (RFC 6066 section 3).
            servername: tls.serverName ?? (isHostName(host) ? host.replace(/\.$/, '') : undefined),
            rejectUnauthorized: !tls.insecure,
            ca: tls.ca,
            cert: tls.cert,
            key: tls.key,
            session: this.sessions.get(tls),
          });
        } catch (error) {
          return fail(error); // the user's certificates can't be parsed
        }
        current.on('error', fail);
        current.on('session', (session: Buffer) => this.sessions.set(tls, session));
        current.once('close', onClose);
        current.once('secureConnect', () => {
          phaseEnded('tls');
          done();
        });
      });
    });
  }
}

function isHostName(host: string): boolean {
  return !/^[\d.]+$|:/.test(host);
}

/** A network error as an outlet's. */
export function toOutletError(error: unknown): OutletError {
  if (error instanceof OutletError) return error;
  const code = systemCode(error);
  const certificateError = certificateErrorKind(code);
  const tlsError = TLS_ERRORS.find((known) => known.code.test(code));
  const isCertificateError =
    // A mistake in the user's own certificate has a code of Node's; it is reported alike.
    certificateError !== undefined || tlsError?.isCertificateError === true || code.includes('CERT');
  const advice = certificateError === 'untrusted' ? UNTRUSTED_ADVICE : tlsError?.meaning;
  const text = errorText(error);
  return new OutletError(printableReason(advice ? `${text}: ${advice}` : text), {
    isCertificateError,
    cause: error,
  });
}

function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // One error for each address that was tried.
  const tried = error instanceof AggregateError ? error.errors.map(errorText).join('; ') : '';
  // OpenSSL's message has the thread, the function and the line of its source around the reason.
  const reason = 'reason' in error && 'library' in error ? String(error.reason) : '';
  return reason || error.message || tried || error.name;
}
