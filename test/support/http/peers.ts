/**
 * What the HTTP readers are compared with: Node's HTTP server and client, and nginx and HAProxy as reverse proxies. Behind the proxies is
 * a server that tells in each response what it was asked.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { Program } from '../program.ts';
import { until } from '../until.ts';

export interface HttpPeer {
  readonly name: string;
  readonly port: number;
  close(): Promise<void>;
}

/** A request as the server behind a proxy read it. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** Names and values of the trailers in turn. */
  readonly rawTrailers: readonly string[];
  /** latin-1. */
  readonly body: string;
}

/** How long the peers, and the router, wait for the rest of what has begun. Long enough for a busy machine. */
export const PEER_WAIT_MS = 2_000;
const WAIT_S = PEER_WAIT_MS / 1_000;

async function answerWithWhatCame(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of incoming) pieces.push(piece);
  } catch {
    return; // it ended in the middle: nobody waits for a response
  }
  const seen: SeenRequest = {
    method: incoming.method ?? '',
    target: incoming.url ?? '',
    rawHeaders: incoming.rawHeaders,
    rawTrailers: incoming.rawTrailers,
    body: Buffer.concat(pieces).toString('latin1'),
  };
  // The names of thousands of headers would not fit into a response.
  const short = {
    ...seen,
    rawHeaders: seen.rawHeaders.slice(0, 40),
    rawTrailers: seen.rawTrailers.slice(0, 20),
  };
  response.writeHead(200, { 'X-Seen': Buffer.from(JSON.stringify(short)).toString('base64url') });
  response.end('ok');
}

/** What the responses tell, in their order. */
export function seenRequests(received: string): SeenRequest[] {
  return [...received.matchAll(/^X-Seen: ([\w-]+)\r$/gim)].map(([, text]) =>
    JSON.parse(Buffer.from(text, 'base64url').toString()),
  );
}

/** Of all responses: one may begin right behind the body of the one before. */
export function statusesOf(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) => Number(status));
}

/** Node's HTTP server: alone, or behind a proxy. */
export async function startNodePeer(): Promise<HttpPeer & { readonly server: Server }> {
  const server = createServer(
    {
      headersTimeout: PEER_WAIT_MS,
      requestTimeout: PEER_WAIT_MS,
      connectionsCheckingInterval: 100,
      keepAliveTimeout: 60_000,
    },
    (incoming, response) => void answerWithWhatCame(incoming, response),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    name: 'Node',
    server,
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function startNginxPeer(upstreamPort: number): Promise<HttpPeer> {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-nginx-'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  const config = (port: number): string => `
daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
events { worker_connections 2048; }
http {
  access_log off; ${temporary}
  upstream app { server 127.0.0.1:${upstreamPort} max_fails=0; keepalive 64; }
  server {
    listen 127.0.0.1:${port}; server_name myapp.localhost;
    client_header_timeout ${WAIT_S}s; client_body_timeout ${WAIT_S}s; keepalive_timeout ${WAIT_S}s;
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_request_buffering off; proxy_next_upstream off;
      proxy_read_timeout ${WAIT_S}s; proxy_set_header Connection ""; proxy_set_header Host $host;
    }
  }
}
`;
  return startProxy('nginx', '/usr/sbin/nginx', folder, config, (file) => ['-c', file, '-p', folder]);
}

export async function startHaproxyPeer(upstreamPort: number): Promise<HttpPeer> {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-haproxy-'));
  const config = (port: number): string => `
global
  nbthread 1
  maxconn 2048
defaults
  mode http
  timeout connect 5s
  timeout client ${WAIT_S}s
  timeout http-request ${WAIT_S}s
  timeout http-keep-alive ${WAIT_S}s
  timeout server ${WAIT_S}s
  retries 0
frontend all
  bind 127.0.0.1:${port}
  default_backend app
backend app
  http-reuse always
  server app 127.0.0.1:${upstreamPort}
`;
  return startProxy('HAProxy', '/usr/sbin/haproxy', folder, config, (file) => ['-db', '-f', file]);
}

async function startProxy(
  name: string,
  program: string,
  folder: string,
  config: (port: number) => string,
  args: (file: string) => readonly string[],
): Promise<HttpPeer> {
  const port = await freePort();
  const file = join(folder, 'proxy.conf');
  writeFileSync(file, config(port));
  const running = new Program(program, args(file));
  await until(`${name} listens`, async () => {
    if (running.hasExited) throw new Error(`${name} ended: ${running.stderr}`);
    return isListening(port);
  });
  return {
    name,
    port,
    async close() {
      await running.stop('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
