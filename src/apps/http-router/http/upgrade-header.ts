import { trimOws } from '../../../common/http/fields.ts';

/** A protocol's name, and its version behind a slash (RFC 9110 section 7.8). */
const PROTOCOL = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$/;
/** HTTP in a tunnel would be requests without a line in the log, and without what the router checks. */
const HTTP_OR_TLS = /^(?:h2c?|h3|https?|tls|ssl)(?:$|[/-])/i;

/**
 * The protocols of an Upgrade header that are offered to the dyno, as a list with commas; undefined when none is left. A server may
 * ignore the header (RFC 9110 section 7.8), so HTTP and TLS are left out of it.
 */
export function offeredProtocols(value: string): string | undefined {
  const offered = protocolsOf(value).filter((one) => PROTOCOL.test(one) && !HTTP_OR_TLS.test(one));
  return offered.length === 0 ? undefined : offered.join(', ');
}

/** Did the dyno switch to protocols that it was offered? It must not choose others (RFC 9110 section 15.2.2). */
export function isOffered(chosen: string, offered: string): boolean {
  const names = new Set(protocolsOf(offered.toLowerCase()));
  const taken = protocolsOf(chosen.toLowerCase());
  return taken.length > 0 && taken.every((one) => names.has(one));
}

function protocolsOf(value: string): string[] {
  return value
    .split(',')
    .map((one) => trimOws(one))
    .filter((one) => one !== '');
}
