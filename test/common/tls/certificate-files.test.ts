/** Certificates whose time isn't now: which is used, and which is shown for a name that several are for. */
import { X509Certificate } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { checkCertificate } from '../../../src/cli/doctor/certificate.ts';
import type { Log } from '../../../src/common/log.ts';
import { CertificateFiles, CertificatePair } from '../../../src/common/tls/certificate-files.ts';
import { TlsIdentity } from '../../../src/common/tls/tls-identity.ts';
import { missing } from '../../support/program.ts';
import { type CertificateAndKey, CertificateAuthority } from '../../support/senders/certificate-authority.ts';
import { temporaryFolder } from '../../support/server.ts';

const DAY_MS = 86_400_000;
const SETTINGS = { certificate: 'TAILRACE_TLS_CERT', key: 'TAILRACE_TLS_KEY' };

let folder: string;
let authority: CertificateAuthority;
beforeAll(() => {
  folder = temporaryFolder();
  authority = new CertificateAuthority(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.useRealTimers());

/** The clock of this machine is set. */
function setClock(daysFromNow: number): void {
  vi.setSystemTime(Date.now() + daysFromNow * DAY_MS);
}

const filesOf = ({ certFile, keyFile }: CertificateAndKey) => ({
  certificate: certFile,
  key: keyFile,
  settings: SETTINGS,
});

describe.skipIf(missing('openssl'))('certificates', () => {
  it('of an authority that signs by another certificate, which isn’t there: said at the start, and by doctor', () => {
    // As public authorities' certificates say where their issuer's is.
    const own = authority.issue(
      'DNS:a.example.com\nauthorityInfoAccess=caIssuers;URI:http://ca.example.com/ca.crt',
    );
    const place = { certificate: join(folder, 'chain.pem'), key: own.keyFile, settings: SETTINGS };
    const said: unknown[] = [];
    const log = { info: () => {}, warn: (_fields: object, message: string) => void said.push(message) };
    const open = (...certificates: string[]): void => {
      writeFileSync(place.certificate, certificates.join(''));
      const files = new CertificateFiles(log as unknown as Log);
      files.open(place);
      files.close();
    };
    open(own.cert);
    expect(said).toEqual([
      expect.stringMatching(/has no certificate of what signed it \(CN=authority\).*fullchain\.pem\.$/),
    ]);
    expect(checkCertificate(place.certificate, place.key)).toMatchObject([
      { text: expect.stringContaining('expires in') },
      { level: 'concern', text: said[0] },
    ]);
    open(own.cert, authority.cert);
    // One of a company's own authority, which clients are given.
    const plain = authority.issue('DNS:a.example.com');
    new CertificateFiles(log as unknown as Log).open(filesOf(plain));
    expect(said).toHaveLength(1);
    expect(() => open(authority.cert, own.cert)).toThrow(
      /begins with another certificate than that of its key: put the server's own first/,
    );
    expect(checkCertificate(place.certificate, place.key)).toMatchObject([
      { level: 'trouble', text: expect.stringContaining('begins with another certificate') },
    ]);
  });

  it('that aren’t valid yet wait for their time; then they are used without being written again', () => {
    const place = { certFile: join(folder, 'c.pem'), keyFile: join(folder, 'k.pem') };
    const install = ({ certFile, keyFile }: CertificateAndKey): string => {
      copyFileSync(certFile, place.certFile);
      copyFileSync(keyFile, place.keyFile);
      return new X509Certificate(readFileSync(certFile)).validTo;
    };
    vi.useFakeTimers({ toFake: ['Date'] });
    const first = install(authority.issue('DNS:a.example.com', 5));
    const pair = new CertificatePair(filesOf({ ...place, cert: '', key: '' }));
    const shown = (): string => new Date(pair.state.notAfter).toISOString();
    const now = shown();
    const next = install(authority.issue('DNS:a.example.com', 9, 1));
    expect(next).not.toBe(first);
    expect(pair.refresh(true)).toBe('refused');
    expect(pair.trouble).toMatch(/is not valid before \S+: it is used from then on.*stays in use/);
    expect(pair.refresh(false)).toBe('same');
    expect(shown()).toBe(now);
    setClock(2);
    expect(pair.refresh(false)).toBe('loaded');
    expect(pair.trouble).toBeUndefined();
    expect(shown()).toBe(new Date(next).toISOString());
    // The clock is set back, before that one's time: one is as good as the other, and it stays.
    setClock(-2);
    expect(pair.refresh(false)).toBe('same');
    // One that is valid now is used at once.
    const third = install(authority.issue('DNS:a.example.com', 4));
    expect(pair.refresh(true)).toBe('loaded');
    expect(shown()).toBe(new Date(third).toISOString());
    // One whose time comes is used at once where the one before has no time any more.
    setClock(4.5);
    install(authority.issue('DNS:a.example.com', 20, 10));
    expect(pair.refresh(true)).toBe('loaded');
  });

  it('of the same name are shown as long as they are valid', () => {
    const certificates = new CertificateFiles({ info() {}, warn() {} } as never);
    const [expired, good, other] = [
      authority.issue('DNS:*.example.com', -1),
      authority.issue('DNS:a.example.com', 2),
      authority.issue('DNS:other.example', -1),
    ];
    const identity = new TlsIdentity(certificates, [filesOf(expired), filesOf(good), filesOf(other)]);
    const pairs = Object.fromEntries(
      [expired, good, other].map((one) => [one.certFile, new CertificatePair(filesOf(one))]),
    );
    expect([expired, good, other].map(({ certFile }) => pairs[certFile].isCurrent)).toEqual([
      false,
      true,
      false,
    ]);
    const contexts = new Map<unknown, string>();
    const shownFor = (name: string): unknown => {
      let shown: unknown;
      identity.serverOptions.SNICallback?.(name, (_error, context) => {
        shown = context;
      });
      return shown;
    };
    const [a, b, c, d] = ['a.example.com', 'b.example.com', 'other.example', 'unknown.example'].map(shownFor);
    for (const [context, name] of [
      [a, 'good'],
      [b, 'expired'],
      [c, 'other'],
    ] as const)
      contexts.set(context, name);
    // Three of them: the one that is valid, and those that are all there is for a name.
    expect(contexts.size).toBe(3);
    expect(d).toBeUndefined();
    vi.useFakeTimers({ toFake: ['Date'] });
    setClock(5);
    expect(shownFor('a.example.com')).toBe(b);
    certificates.close();
  });
});
