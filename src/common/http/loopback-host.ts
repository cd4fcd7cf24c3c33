/** Is this host, as a URL has it, this machine itself (RFC 6761 section 6.3, RFC 1122 section 3.2.1.3)? */
export function isLoopbackHost(host: string): boolean {
  return (
    host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d+){3}$/.test(host)
  );
}
