/**
 * Certificates and their keys in files, which are read anew when the files change: certbot and others swap links, Kubernetes a whole folder,
 * and a renewal must need no restart. Files are looked at by time, as no notification comes from each of these, or over a network.
 */

import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { systemCode, TailraceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { errorMessage } from '../text/error-message.ts';
import { chainFault, orderFault } from './certificate-chain.ts';

/** How often files are looked at. */
const CHECK_MS = 5_000;

/**
 * Of every server. A client that negotiates anew gets an alert: Node.js takes as many handshakes of a connection as come, and tells an `error`
 * of it that closes nothing.
 */
export const TLS_SERVER_OPTIONS = {
  minVersion: 'TLSv1.2',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const satisfies SecureContextOptions;

/** Files in PEM form. */
export interface PemFiles {
  /** With its chain. */
  readonly certificate: string;
  readonly key: string;
  /** Who signs client certificates; undefined: they aren't asked for. */
  readonly clientAuthority?: string;
  /** Where these are set, for sentences. */
  readonly settings: {
    readonly certificate: string;
    readonly key: string;
    readonly clientAuthority?: string;
  };
}

/** How a certificate is doing. */
export interface CertificateState {
  /** Its file. */
  readonly file: string;
  /** Host names and addresses that it is for. */
  readonly names: readonly string[];
  readonly notAfter: Date;
  readonly loadedAt: Date;
  /** Why what is in the files now isn't used, and what is instead. */
  readonly trouble: string | undefined;
}

interface Loaded {
  readonly options: SecureContextOptions;
  readonly context: SecureContext;
  readonly certificate: X509Certificate;
  /** Why clients may refuse it, although it can be used. */
  readonly fault: string | undefined;
  readonly loadedAt: Date;
}

/** A certificate with its key, as they were when they last could be used. */
export class CertificatePair {
  readonly files: PemFiles;
  trouble: string | undefined;
  private loaded: Loaded;
  /** What the files were when they were looked at last. */
  private seen: string;
  /** The same, when they couldn't be used. */
  private refused = '';
  /** From when on what is in the files is valid, if that is why it isn't used; milliseconds since 1970. */
  private validFromMs = Number.POSITIVE_INFINITY;

  /** @throws TailraceError `settings` with what is wrong */
  constructor(files: PemFiles) {
    this.files = files;
    this.seen = identityOf(files);
    this.loaded = load(files);
  }

  /** For a TLS server that is made, or gets them by `setSecureContext`. */
  get secureOptions(): SecureContextOptions {
    return this.loaded.options;
  }

  /** For `SNICallback`. */
  get context(): SecureContext {
    return this.loaded.context;
  }

  /** How the certificate is doing that is used now. */
  get state(): CertificateState {
    const { certificate, loadedAt } = this.loaded;
    return {
      file: this.files.certificate,
      names: namesOf(certificate),
      notAfter: new Date(certificate.validTo),
      loadedAt,
      trouble: this.trouble,
    };
  }

  /** Why clients may refuse it, although it can be used; undefined: nothing is known. */
  get fault(): string | undefined {
    return this.loaded.fault;
  }

  /** Is it for this host? */
  isFor(host: string): boolean {
    return this.loaded.certificate.checkHost(host) !== undefined;
  }

  /** May it be shown to clients: is its time now? */
  get isCurrent(): boolean {
    return isValidNow(this.loaded);
  }

  /**
   * Reads the files if they have changed, or become valid.
   * @param isAsked whoever asks wants to know at once. Else a pair that doesn't fit is looked at twice: one file is written before the other
   */
  refresh(isAsked: boolean): 'same' | 'loaded' | 'refused' {
    const now = identityOf(this.files);
    const isDue = this.validFromMs <= Date.now();
    if (now === this.seen && !isDue && !(isAsked && this.trouble !== undefined)) return 'same';
    this.validFromMs = Number.POSITIVE_INFINITY;
    try {
      const next = load(this.files);
      if (!isValidNow(next) && isValidNow(this.loaded)) throw this.untimely(next);
      this.loaded = next;
      this.trouble = undefined;
      this.seen = now;
      return 'loaded';
    } catch (error) {
      if (!isAsked && this.refused !== now) {
        this.refused = now;
        return 'same';
      }
      this.seen = now;
      const reason = errorMessage(error);
      const until = new Date(this.loaded.certificate.validTo).toISOString().slice(0, 10);
      this.trouble = `${reason} The certificate from before stays in use (valid until ${until}).`;
      return 'refused';
    }
  }

  /** Why a certificate isn't used whose time isn't now; one whose time comes is looked at again then. */
  private untimely({ certificate }: Loaded): TailraceError {
    const { certificate: file } = this.files;
    const fromMs = Date.parse(certificate.validFrom);
    if (fromMs <= Date.now()) return new TailraceError('settings', `${file} has expired.`);
    this.validFromMs = fromMs;
    const from = new Date(fromMs).toISOString();
    return new TailraceError(
      'settings',
      `${file} is not valid before ${from}: it is used from then on. If that is over, the clock of this machine is wrong.`,
    );
  }
}

/** All certificates of a process. */
export class CertificateFiles {
  private readonly pairs: CertificatePair[] = [];
  private readonly listeners = new Set<() => void>();
  private readonly log: Log;
  private timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.log = log;
  }

  /**
   * Reads files, and keeps looking at them.
   * @throws TailraceError `settings` with what is wrong
   */
  open(files: PemFiles): CertificatePair {
    const pair = new CertificatePair(files);
    this.pairs.push(pair);
    this.warnOf(pair);
    this.timer ??= setInterval(() => this.refresh(false), CHECK_MS).unref();
    return pair;
  }

  /** Calls back when any has been read anew. */
  watch(onLoaded: () => void): void {
    this.listeners.add(onLoaded);
  }

  /** Reads what has changed; what can't be used is said. */
  refresh(isAsked = true): void {
    let isAnyLoaded = false;
    for (const pair of this.pairs) {
      const { certificate } = pair.files;
      const outcome = pair.refresh(isAsked);
      if (outcome === 'loaded') {
        isAnyLoaded = true;
        this.log.info({ file: certificate, notAfter: pair.state.notAfter }, 'a certificate was read anew');
        this.warnOf(pair);
      } else if (outcome === 'refused')
        this.log.warn({ file: certificate }, `a changed certificate can't be used: ${pair.trouble}`);
    }
    if (isAnyLoaded) for (const listener of this.listeners) listener();
  }

  /** Of each file once. */
  get states(): readonly CertificateState[] {
    const byFile = new Map<string, CertificateState>();
    for (const { state } of this.pairs) {
      const known = byFile.get(state.file);
      if (known?.trouble === undefined) byFile.set(state.file, state);
    }
    return [...byFile.values()];
  }

  close(): void {
    clearInterval(this.timer);
  }

  private warnOf({ fault, files }: CertificatePair): void {
    if (fault !== undefined) this.log.warn({ file: files.certificate }, fault);
  }
}

/** Changes whenever a file, or what a link on the way to it leads to, is another one, or was written to. */
function identityOf({ certificate, key, clientAuthority }: PemFiles): string {
  return [certificate, key, clientAuthority]
    .map((file) => {
      if (file === undefined) return '';
      try {
        const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
        return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
      } catch (error) {
        return systemCode(error);
      }
    })
    .join(' ');
}

function load(files: PemFiles): Loaded {
  const { settings } = files;
  const cert = readPem(files.certificate, settings.certificate);
  const key = readPem(files.key, settings.key);
  const ca =
    files.clientAuthority === undefined
      ? undefined
      : readPem(files.clientAuthority, settings.clientAuthority ?? 'the authority');
  try {
    const certificate = new X509Certificate(cert);
    const privateKey = createPrivateKey(key);
    if (!certificate.checkPrivateKey(privateKey))
      throw new TailraceError(
        'settings',
        orderFault(files.certificate, cert, privateKey) ??
          `${files.key} is not the key of ${files.certificate}: set ${settings.key} to the one that belongs to it.`,
      );
    const options: SecureContextOptions = { cert, key, ca, ...TLS_SERVER_OPTIONS };
    const fault = chainFault(files.certificate, cert);
    return { options, context: createSecureContext(options), certificate, fault, loadedAt: new Date() };
  } catch (error) {
    if (error instanceof TailraceError) throw error;
    throw new TailraceError(
      'settings',
      `${files.certificate} and ${files.key} can't be used (${error instanceof Error ? error.message : error}): set ${settings.certificate} and ${settings.key} to a certificate with its chain and its key, without a passphrase, in PEM form.`,
      { cause: error },
    );
  }
}

function readPem(file: string, setting: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new TailraceError(
      'settings',
      `${setting} is "${file}", which can't be read (${systemCode(error)}): name a file in PEM form.`,
      {
        cause: error,
      },
    );
  }
}

/** By this machine's clock, which may be wrong: another one's isn't known. */
function isValidNow({ certificate }: Loaded): boolean {
  const now = Date.now();
  return Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);
}

/** Its alternative names (RFC 5280 section 4.2.1.6), without their kinds. */
function namesOf({ subjectAltName }: X509Certificate): readonly string[] {
  return [...(subjectAltName ?? '').matchAll(/(?:DNS|IP Address):([^,"\s]+)/g)].map(([, name]) => name);
}
