/** Why a server's certificate isn't accepted, by the code of Node.js or OpenSSL (the names of `X509_V_ERR_…`). */
export type CertificateErrorKind =
  /** No chain from it to an authority that is known here. */
  | 'untrusted'
  /** Of its time: it has expired, or isn't valid yet. */
  | 'untimely'
  | 'other name'
  | 'other';

/** @returns undefined when a certificate isn't the reason */
export function certificateErrorKind(code: string): CertificateErrorKind | undefined {
  if (/^(?:UNABLE_TO_(?:VERIFY|GET_ISSUER)|SELF_SIGNED_|DEPTH_ZERO_|CERT_UNTRUSTED)/.test(code))
    return 'untrusted';
  if (/^CERT_(?:HAS_EXPIRED|NOT_YET_VALID)$/.test(code)) return 'untimely';
  if (/^(?:ERR_TLS_CERT_ALTNAME_|HOSTNAME_MISMATCH$)/.test(code)) return 'other name';
  return /^(?:CERT_|UNABLE_TO_DECODE_ISSUER|INVALID_(?:CA|PURPOSE)$)/.test(code) ? 'other' : undefined;
}
