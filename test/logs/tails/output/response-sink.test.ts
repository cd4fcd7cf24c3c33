import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { TextStreamSink } from '../../../../src/logs/tails/output/event-stream-sink.ts';
import { until } from '../../../support/until.ts';

it('lines of a tail are written when they are given to it, not at the end of the turn: so a round of many tails can be cut in slices', async () => {
  let response: ServerResponse | undefined;
  const server = createServer((_request, opened) => {
    response = opened;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  let received = '';
  client.on('data', (bytes) => {
    received += bytes;
  });
  client.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
  await until('the request', () => response !== undefined);
  const socket = response!.socket!;
  const sink = new TextStreamSink(response!, 'text');
  for (const line of ['one\n', 'two\n']) {
    sink.write(Buffer.from(line), 1);
    // The system took it: nothing waits for this process.
    expect([socket.writableLength, socket.writableCorked]).toEqual([0, 0]);
  }
  await until('both lines', () => received.endsWith('4\r\none\n\r\n4\r\ntwo\n\r\n'));
});
