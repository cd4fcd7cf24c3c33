/** What is said when a server can't be asked, or what answers is none of ours. */
import { TailraceError } from '../common/errors.ts';
import { ProxyError } from '../common/http/client/forward-proxy.ts';
import { type CertificateErrorKind, certificateErrorKind } from '../common/tls/certificate-error.ts';

/** Nothing was sent: the system says so before there is a connection. */
const NOT_CONNECTED = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ETIMEDOUT)$/;

/** What to do about a certificate that isn't accepted; nothing was sent. */
const CERTIFICATE_ADVICE: Record<CertificateErrorKind, string> = {
  untrusted:
    'name the file of the authority that signed it in NODE_EXTRA_CA_CERTS; one of a public authority lacks its chain (fullchain.pem), which whoever runs the server can mend',
  untimely: 'it has to be renewed there, or the clock of this machine is wrong',
  'other name': 'it is for other names than the one in the address',
  other: 'it has to be replaced there',
};

/**
 * What became of a request without an answer.
 * @param url the server's
 * @param reason the system's code, or another word for it
 * @param isChange might it have been done all the same?
 */
export function connectionError(
  url: string,
  reason: string,
  { isChange = false, cause }: { readonly isChange?: boolean; readonly cause?: unknown } = {},
): TailraceError {
  const message =
    cause instanceof ProxyError
      ? `The server at ${url} can't be reached (${cause.message}): look at HTTP_PROXY and HTTPS_PROXY, or name the server in NO_PROXY.`
      : describe(url, reason, isChange);
  return new TailraceError('unavailable', message, { cause });
}

function describe(url: string, reason: string, isChange: boolean): string {
  if (reason.startsWith('HPE_'))
    return `What answers at ${url} doesn't speak HTTP (${reason}): is that the address of tailrace's API?`;
  if (/^EPROTO$|^ERR_SSL_/.test(reason))
    return `What answers at ${url} doesn't speak TLS (${reason}): is its address one with http://?`;
  const certificateError = certificateErrorKind(reason);
  if (certificateError)
    return `The certificate of the server at ${url} isn't accepted (${reason}): ${CERTIFICATE_ADVICE[certificateError]}.`;
  if (reason === 'SILENT')
    return `The server at ${url} takes connections, and has answered none for a minute: it is stopped, or something on the way keeps what is sent.${isChange ? ' It may do it all the same, so look before you try again.' : ''}`;
  if (isChange && !NOT_CONNECTED.test(reason))
    return `The connection to the server at ${url} broke before it answered (${reason}): it may have done it, so look before you try again.`;
  return `The server at ${url} doesn't answer (${reason}): is it running?`;
}

/**
 * What answers is a page, a login of a proxy, another program.
 * @param location where it leads to, if it does
 */
export function foreignAnswer(
  url: string,
  statusCode: number,
  { type, location }: { readonly type?: string; readonly location?: string },
): TailraceError {
  const target = location !== undefined && URL.canParse(location, url) ? new URL(location, url).origin : '';
  const what = [statusCode, ...(target ? [`to ${target}`] : type ? [type.split(';', 1)[0]] : [])];
  return new TailraceError(
    'unavailable',
    `What answers at ${url} isn't tailrace's API (${what.join(', ')}): look at TAILRACE_URL, and at a proxy in front of it.`,
  );
}
