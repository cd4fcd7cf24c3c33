/** Sockets that a server has accepted read into memory of ours. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readIntoBuffer } from '../../../src/common/buffers/read-into-buffer.ts';
import { until } from '../../support/until.ts';

const shared = Buffer.alloc(65_536);
const server = createServer({ allowHalfOpen: true });
const sockets: Socket[] = [];

async function connection(): Promise<{ client: Socket; accepted: Socket }> {
  const { port } = server.address() as AddressInfo;
  const client = connect(port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  sockets.push(client, accepted);
  return { client, accepted };
}

beforeEach(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

it('many into the same one, each until it is at its end', async () => {
  const all = [await connection(), await connection()];
  const ends = all.map(async ({ client, accepted }, number) => {
    let text = '';
    const isRead = readIntoBuffer(accepted, shared, (count) => {
      text += shared.toString('latin1', 0, count);
      return true;
    });
    expect(isRead).toBe(true);
    accepted.resume();
    for (let i = 0; i < 100; i++) client.write(`${number}`);
    client.end();
    await once(accepted, 'end');
    return text;
  });
  expect(await Promise.all(ends)).toEqual(['0'.repeat(100), '1'.repeat(100)]);
});

it('is read no more while it is paused', async () => {
  const { client, accepted } = await connection();
  const reads: string[] = [];
  readIntoBuffer(accepted, shared, (count) => {
    reads.push(shared.toString('latin1', 0, count));
    accepted.pause();
    return true;
  });
  accepted.resume();
  client.write('a');
  await until('the first read', () => reads.length === 1);
  client.write('b');
  // It has arrived before what another connection sends behind it is read.
  const other = await connection();
  other.client.end('c');
  expect((await buffer(other.accepted)).toString()).toBe('c');
  expect(reads).toEqual(['a']);
  accepted.resume();
  await until('the second read', () => reads.length === 2);
  expect(reads).toEqual(['a', 'b']);
});

it('may be a stream again, of what is pushed', async () => {
  const { client, accepted } = await connection();
  readIntoBuffer(accepted, shared, (count) => accepted.push(Buffer.from(shared.subarray(0, count))));
  const long = Buffer.alloc(3_000_000, 'lines ');
  client.end(long);
  expect((await buffer(accepted)).equals(long)).toBe(true);
});

it('not twice, and not what isn’t connected', async () => {
  const { accepted } = await connection();
  expect(readIntoBuffer(accepted, shared, () => true)).toBe(true);
  expect(readIntoBuffer(accepted, shared, () => true)).toBe(false);
  accepted.destroy();
  await once(accepted, 'close');
  expect(readIntoBuffer(accepted, shared, () => true)).toBe(false);
});
