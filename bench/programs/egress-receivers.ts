/** Receivers of an app's lines: a WebSocket tail, a drain over syslog, a drain over HTTP. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { WebSocket } from 'ws';
import { DIGITS } from '../rig/lines.ts';

export type Egress = 'tail' | 'syslog' | 'http';

export interface EgressTarget {
  readonly url: string;
  readonly key: string;
  readonly app: string;
}

/** Gets the number in each line that arrives. */
export type OnNumber = (number: number) => void;

/** The number of a line follows this word. */
const MARK = Buffer.from('line ');

/** Receives lines until the returned function is called. */
export async function startReceiver(
  egress: Egress,
  where: EgressTarget,
  take: OnNumber,
): Promise<() => void> {
  if (egress === 'tail') return receiveFromTail(where, take);
  const [url, close] = egress === 'syslog' ? await syslogReceiver(take) : await httpReceiver(take);
  const response = await fetch(`${where.url}/apps/${where.app}/log-drains`, {
    method: 'POST',
    headers: { authorization: `Bearer ${where.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url }),
  });
  if (!response.ok) throw new Error(`the drain was refused: ${response.status} ${await response.text()}`);
  return close;
}

async function receiveFromTail({ url, key, app }: EgressTarget, take: OnNumber): Promise<() => void> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/apps/${app}/tail?lines=0`, {
    headers: { authorization: `Bearer ${key}` },
    perMessageDeflate: false,
  });
  socket.on('message', (data: Buffer) => {
    const { lines } = JSON.parse(data.toString('utf8')) as { lines: string[] };
    for (const line of lines) {
      const at = line.indexOf('line ') + MARK.length;
      take(Number(line.slice(at, at + DIGITS)));
    }
  });
  await once(socket, 'open');
  return () => socket.close();
}

async function syslogReceiver(take: OnNumber): Promise<[url: string, close: () => void]> {
  const server = createTcpServer((socket) => {
    let rest: Buffer = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      rest = takeNumbers(rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk, take);
    });
  });
  return [`syslog://127.0.0.1:${await portOf(server)}`, () => server.close()];
}

async function httpReceiver(take: OnNumber): Promise<[url: string, close: () => void]> {
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      takeNumbers(Buffer.concat(chunks), take);
      response.writeHead(204).end();
    });
  });
  return [`http://127.0.0.1:${await portOf(server)}/`, () => server.close()];
}

async function portOf(server: ReturnType<typeof createTcpServer>): Promise<number> {
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Takes the numbers of all whole lines; returns what may be the beginning of one. */
function takeNumbers(bytes: Buffer, take: OnNumber): Buffer {
  let at = 0;
  for (;;) {
    const found = bytes.indexOf(MARK, at);
    if (found === -1) return bytes.subarray(Math.max(at, bytes.length - MARK.length + 1));
    const end = found + MARK.length + DIGITS;
    if (end > bytes.length) return bytes.subarray(found);
    take(Number(bytes.toString('latin1', found + MARK.length, end)));
    at = end;
  }
}
