import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { onTestFinished } from 'vitest';

export interface ReverseProxyOptions {
  /** The path that it is below, such as `/logs`; anything else is another site's. */
  readonly path?: string;
  /** What it answers to a WebSocket, before it closes the connection; left out: the upgrade is passed on. */
  readonly refusal?: string;
}

/** Starts a proxy in front of a server, until the test has finished, and gives its address. */
export async function startReverseProxy(
  target: string,
  { path = '', refusal }: ReverseProxyOptions,
): Promise<string> {
  const port = Number(new URL(target).port);
  const proxy = createServer((incoming, outgoing) => {
    const { url = '', method, headers } = incoming;
    if (!url.startsWith(`${path}/`)) {
      outgoing.writeHead(404).end('<h1>Another site</h1>');
      return;
    }
    const passed = request(
      { host: '127.0.0.1', port, path: url.slice(path.length), method, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
        answer.on('error', () => outgoing.destroy());
      },
    );
    passed.on('error', () => outgoing.destroy());
    outgoing.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  proxy.on('upgrade', ({ url = '', rawHeaders }, client) => {
    client.on('error', () => {});
    if (refusal !== undefined || !url.startsWith(`${path}/`)) {
      client.end(refusal ?? 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    const server = connect(port, '127.0.0.1');
    const fields = rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
    server.on('error', () => client.destroy());
    client.on('close', () => server.destroy());
    server.write(`GET ${url.slice(path.length)} HTTP/1.1\r\n${fields}\r\n`);
    server.pipe(client).pipe(server);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${path}`;
}
