import type { Server, TlsOptions } from 'node:tls';
import type { CertificateFiles, CertificatePair, PemFiles } from './certificate-files.ts';

/**
 * What a server with TLS shows of itself: by the name that a client asks for (SNI, RFC 6066 section 3), of several one that is valid now, else
 * the first certificate.
 */
export class TlsIdentity {
  private readonly certificates: CertificateFiles;
  private readonly pairs: readonly [CertificatePair, ...CertificatePair[]];

  /** @throws TailraceError `settings` for files that can't be used */
  constructor(certificates: CertificateFiles, [first, ...more]: readonly [PemFiles, ...PemFiles[]]) {
    this.certificates = certificates;
    this.pairs = [certificates.open(first), ...more.map((files) => certificates.open(files))];
  }

  /** Of `createServer`. */
  get serverOptions(): TlsOptions {
    return {
      ...this.pairs[0].secureOptions,
      SNICallback: (name, done) => {
        const named = this.pairs.filter((pair) => pair.isFor(name));
        done(null, (named.find((pair) => pair.isCurrent) ?? named[0])?.context);
      },
    };
  }

  /** Calls back with who signs clients' certificates from now on, in PEM form, when that has changed. */
  watchClientAuthority(onChanged: (authority: Buffer) => void): void {
    const read = (): Buffer => Buffer.from(String(this.pairs[0].secureOptions.ca ?? ''));
    let known = read();
    this.certificates.watch(() => {
      const now = read();
      if (now.equals(known)) return;
      known = now;
      onChanged(now);
    });
  }

  /** Keeps a server's first certificate up to date; connections that are open stay as they are. */
  follow(server: Server): void {
    this.certificates.watch(() => server.setSecureContext(this.pairs[0].secureOptions));
  }
}
