/** Wire formats, and sending them. */
import { connect, type Socket } from 'node:net';
import { request } from 'undici';
import type { Server } from '../server.ts';

export const TIME = '2012-12-10T03:00:48.123456+00:00';

/** `<length> <line>` (RFC 6587). */
export function octetCounted(line: string | Buffer): Buffer {
  const bytes = Buffer.from(line);
  return Buffer.concat([Buffer.from(`${bytes.length} `), bytes]);
}

/** A line as log-shuttle and syslog senders write it. */
export function logplexLine(message: string, token = 'token', dyno = 'web.1'): string {
  return `<190>1 ${TIME} shuttle ${token} ${dyno} - - ${message}`;
}

/** A body of `application/logplex-1`. */
export function logplexBody(messages: readonly string[], token?: string): Buffer {
  return Buffer.concat(messages.map((message) => octetCounted(logplexLine(message, token))));
}

export function basicAuth(token: string): string {
  return `Basic ${Buffer.from(`token:${token}`).toString('base64')}`;
}

export interface HttpResponse {
  readonly status: number;
  readonly text: string;
  readonly headers: Record<string, string | string[] | undefined>;
}

/** `POST /logs`, as a source with this token unless the headers say otherwise. */
export async function postLogs(
  server: Pick<Server, 'url'>,
  token: string,
  bytes: Buffer | string,
  headers: Record<string, string> = {},
): Promise<HttpResponse> {
  const {
    statusCode,
    body,
    headers: answered,
  } = await request(`${server.url}/logs`, {
    method: 'POST',
    headers: { authorization: basicAuth(token), 'content-type': 'application/logplex-1', ...headers },
    body: bytes,
  });
  return { status: statusCode, text: await body.text(), headers: answered };
}

/** Posts lines in one request, which has to be accepted. */
export async function pushLines(
  server: Pick<Server, 'url'>,
  token: string,
  messages: readonly string[],
): Promise<void> {
  const { status, text } = await postLogs(server, token, logplexBody(messages));
  if (status !== 204) throw new Error(`${status} ${text}`);
}

export function numberedMessages(count: number, name = 'line', from = 0): string[] {
  return Array.from({ length: count }, (_, i) => `${name} ${from + i}`);
}

/** A syslog connection that stays open. */
export async function connectTcp(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Sends bytes over one syslog connection, closes it, and resolves when the other end has closed too. */
export async function sendOverTcp(port: number, ...chunks: (string | Buffer)[]): Promise<void> {
  const socket = await connectTcp(port);
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.resume();
    for (const chunk of chunks) socket.write(chunk);
    socket.end();
  });
}
