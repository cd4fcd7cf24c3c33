/** A host as a URL has it: an address of IPv6 in brackets (RFC 3986 section 3.2.2). */
export function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Where programs of this machine reach what listens on `host`, as a URL has it: on all addresses, it is at loopback. */
export function localUrlHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : urlHost(host);
}
