import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { runTailrace } from '../support/program.ts';

it.each([[['ps', '-a', 'x']], [['logs', '-a', 'x', '--tail']]])(
  '%j: what a proxy writes instead of the API is one sentence',
  async (args) => {
    const proxy = createServer((_request, response) => response.writeHead(502).end('<h1>Bad Gateway</h1>'));
    proxy.on('upgrade', (_request, socket) =>
      socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\nConnection: close\r\n\r\n<p>'),
    );
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void proxy.close());
    const { port } = proxy.address() as AddressInfo;
    const env = { TAILRACE_URL: `http://127.0.0.1:${port}`, TAILRACE_API_KEY: 'k.x' };
    expect(await runTailrace(args, { env })).toMatchObject({
      status: 1,
      stderr: ' ›   Error: The server answered 502.\n',
    });
  },
);
