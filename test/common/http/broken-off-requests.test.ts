import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { createHttpServer } from '../../../src/common/http/create-server.ts';
import { SILENT_LOG } from '../../../src/common/log.ts';
import { until } from '../../support/until.ts';

it('requests that their clients break off are no failures: whoever does it again and again fills no log', async () => {
  const warnings: string[] = [];
  const server = createHttpServer({
    ...SILENT_LOG,
    warn: (_fields, message) => void warnings.push(message),
  });
  let failed = 0;
  server.addHook('onError', (_request, _reply, _error, done) => {
    failed++;
    done();
  });
  server.post('/apps', () => ({}));
  // As routes of lines do: they read bodies themselves.
  server.addContentTypeParser('application/logplex-1', (_request, payload, done) => done(null, payload));
  server.post('/lines', async ({ body }) => {
    for await (const _chunk of body as Readable);
    return {};
  });
  server.post('/fails', () => {
    throw new Error('a fault');
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  const { port } = server.server.address() as { port: number };
  const breakOff = (path: string, type: string, framing: string, body: string): void => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Type: ${type}\r\n${framing}\r\n\r\n${body}`,
        () => socket.resetAndDestroy(),
      );
    });
    socket.on('error', () => undefined);
  };
  for (const [path, type] of [
    ['/apps', 'application/json'],
    ['/lines', 'application/logplex-1'],
  ]) {
    breakOff(path, type, 'Content-Length: 1000', '{"name":');
    breakOff(path, type, 'Transfer-Encoding: chunked', '8\r\n{"name":\r\n');
    breakOff(path, type, 'Content-Length: 1000', '');
  }
  await until('all have failed', () => failed === 6);
  const answer = await fetch(`http://127.0.0.1:${port}/fails`, { method: 'POST' });
  expect(answer.status).toBe(500);
  expect(warnings).toEqual(['a request failed unexpectedly']);
});
