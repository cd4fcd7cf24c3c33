import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { SendQueues } from '../../../../src/logs/drains/sinks/send-queues.ts';
import { until } from '../../../support/until.ts';

/** More than the buffers of both ends hold. */
const BYTES = 32 * 1_048_576;

it.skipIf(process.platform !== 'linux')(
  'what a connection has to send is what Linux says: something while nobody reads, nothing afterwards',
  async () => {
    const accepted: Socket[] = [];
    const server = createServer({ pauseOnConnect: true }, (socket) => accepted.push(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(Buffer.alloc(BYTES));
    const queues = new SendQueues();
    const queued = (): Promise<number | undefined> => queues.queuedBytes(socket, () => {});
    await until('something waits to be read', async () => ((await queued()) ?? 0) > 0);
    for (const one of accepted) one.resume();
    await until('all is written', () => socket.writableLength === 0);
    await until('all is acknowledged', async () => (await queued()) === 0);
    socket.destroy();
    await once(socket, 'close');
    expect(await queued()).toBeUndefined();
    server.close();
  },
);
