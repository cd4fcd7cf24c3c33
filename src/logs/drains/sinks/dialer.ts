/** Makes connections to destinations: the name is resolved under the target policy, certificates are checked. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { TargetPolicy } from '../options/target-policy.ts';
import { OutletError } from '../outlet.ts';

/** From the first packet to the end of the TLS handshake. */
const CONNECT_TIMEOUT_MS = 5_000;

/** How TLS is spoken with a destination. */
export interface TlsOptions {
  /** Certificates aren't checked (`#insecure`). */
  readonly insecure?: boolean;
  /** PEM; instead of the usual authorities. */
  readonly ca?: string;
  /** PEM; shown when the destination asks who we are. */
  readonly cert?: string;
  readonly key?: string;
  /** Asked for and expected in the certificate instead of the URL's host (SNI). */
  readonly serverName?: string;
}

export interface DialTarget {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsOptions;
}

/** What takes time on the way to an answer. */
export type DeliveryPhase = 'resolve' | 'connect' | 'tls' | 'send' | 'answer';
/** Told when a phase is over; `ms` is how long it took. */
export type OnPhase = (phase: DeliveryPhase, ms: number) => void;

/** OpenSSL's names for certificates that aren't accepted, ours or theirs. */
const CERTIFICATE_ERROR =
  /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER|DECODE_ISSUER)|ALERT_(BAD|UNSUPPORTED|UNKNOWN_CA)|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE)/;

export class Dialer {
  private readonly policy: TargetPolicy;

  constructor(policy: TargetPolicy) {
    this.policy = policy;
  }

  /**
   * Connects, and shakes hands when the target speaks TLS.
   * @throws OutletError which says whether a certificate was the reason.
   */
  dial(target: DialTarget, onPhase: OnPhase = () => {}): Promise<Socket> {
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
      } catch (error) {
        return reject(toOutletError(error));
      }
      const socket = connect({ host, port, noDelay: true, keepAlive: true, lookup: this.policy.lookup });
      let current: Socket = socket;
      const fail = (error: unknown): void => {
        clearTimeout(timer);
        socket.destroy();
        current.destroy();
        reject(toOutletError(error));
      };
      const timer = setTimeout(
        () => fail(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1_000} s`)),
        CONNECT_TIMEOUT_MS,
      );
      const done = (): void => {
        clearTimeout(timer);
        current.off('error', fail);
        current.off('close', onClose);
        current.on('error', () => {}); // whoever gets it adds their own listener
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
            // An address is no name that could be asked for (RFC 6066 section 3).
            servername: tls.serverName ?? (isHostName(host) ? host : undefined),
            rejectUnauthorized: !tls.insecure,
            ca: tls.ca,
            cert: tls.cert,
            key: tls.key,
          });
        } catch (error) {
          return fail(error); // the user's own certificates can't be read
        }
        current.on('error', fail);
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

/** An error of the network as one of the drain's. */
export function toOutletError(error: unknown): OutletError {
  if (error instanceof OutletError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = errorText(error);
  // Node's own code for a mistake in a certificate that the user gave is not about the destination, but has to be told alike.
  const isCertificateError = CERTIFICATE_ERROR.test(code) || /alert (bad|unknown|certificate)/.test(message);
  return new OutletError(message, { isCertificateError, cause: error });
}

function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Several addresses were tried.
  const tried = error instanceof AggregateError ? error.errors.map(errorText).join('; ') : '';
  return error.message || tried || error.name;
}
