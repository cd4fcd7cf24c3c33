import type { FastifyRequest } from 'fastify';

/** Is the client on the other side of TLS that a proxy has ended? It says so of its own connection alone, so that nothing is gained by lying. */
export function isBehindTls(request: FastifyRequest): boolean {
  const [first = ''] = [request.headers['x-forwarded-proto'] ?? []].flat();
  return request.protocol === 'https' || first.split(',')[0].trim().toLowerCase() === 'https';
}

/** The address to which a request was sent, as its `Host` has it; undefined where that is none. */
export function addressFor(request: FastifyRequest): string | undefined {
  const address = `${isBehindTls(request) ? 'https' : 'http'}://${request.host}`;
  return URL.canParse(address) && new URL(address).host !== '' ? new URL(address).origin : undefined;
}
