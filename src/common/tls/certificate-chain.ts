/** The certificates of a file in PEM form: which of them is the server's, and whether clients can do anything with it alone. */
import { type KeyObject, X509Certificate } from 'node:crypto';

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Says what is wrong with the order of a file whose first certificate isn't of its key; undefined: no other one is either.
 * @param pem all of the file
 */
export function orderFault(file: string, pem: Buffer, key: KeyObject): string | undefined {
  const certificates = readCertificates(pem);
  if (!certificates.some((certificate, i) => i > 0 && certificate.checkPrivateKey(key))) return undefined;
  return `${file} begins with another certificate than that of its key: put the server's own first, and its chain behind it.`;
}

/**
 * Says that a certificate is alone whose authority signs by an intermediate one, as public authorities do (they say where to get it: RFC 5280
 * section 4.2.2.1): most clients don't fetch it, and refuse the certificate. Undefined: nothing is missing that can be told from the file.
 * @param pem all of the file
 */
export function chainFault(file: string, pem: Buffer): string | undefined {
  const [own, ...chain] = readCertificates(pem);
  if (!own?.infoAccess?.includes('CA Issuers') || chain.some((other) => own.checkIssued(other)))
    return undefined;
  const issuer = own.issuer.replaceAll('\n', ', ');
  return `${file} has no certificate of what signed it (${issuer}): many clients refuse it. Use the file with the whole chain, often called fullchain.pem.`;
}

/**
 * Does the chain of a client's certificate lead to one of these authorities?
 * @param certificate with what the client has sent of its chain (`issuerCertificate`)
 * @param authorities all of the file, in PEM form
 */
export function isSignedBy(certificate: X509Certificate, authorities: Buffer): boolean {
  const signers = readCertificates(authorities);
  const seen = new Set<string>();
  let current: X509Certificate | undefined = certificate;
  while (current && !seen.has(current.fingerprint256)) {
    const one: X509Certificate = current;
    if (signers.some((signer) => one.checkIssued(signer) && one.verify(signer.publicKey))) return true;
    seen.add(one.fingerprint256);
    current = one.issuerCertificate;
  }
  return false;
}

/** Whether each can be used is OpenSSL's to say: what can't be read is left out. */
function readCertificates(pem: Buffer): X509Certificate[] {
  return (pem.toString('latin1').match(PEM_CERTIFICATE) ?? []).flatMap((text) => {
    try {
      return [new X509Certificate(text)];
    } catch {
      return [];
    }
  });
}
