import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sendClientRequest } from '../../../../src/common/http/client/client-request.ts';
import { freePort } from '../../../support/free-port.ts';
import { dataFolderForTest } from '../../../support/server.ts';

describe('a request of a command', () => {
  it.each([
    ['GET', undefined],
    ['POST', undefined],
    ['POST', 'ä line'],
    ['DELETE', undefined],
    ['DELETE', '{"confirm":"x"}'],
    ['PUT', Buffer.from([0, 255])],
  ] as const)('%s with %j has its length, and its answer', async (method, body) => {
    const url = await serve(async (request, response) => {
      const { method: asked, headers } = request;
      const got = (await text(request)).length;
      response
        .writeHead(201, { etag: '"1"' })
        .end(JSON.stringify([asked, headers['content-length'], got, headers.a]));
    });
    const answer = await sendClientRequest(url, { method, body, headers: { a: 'b' } });
    expect([answer.statusCode, answer.headers.etag]).toEqual([201, '"1"']);
    const length = body === undefined ? (method === 'POST' ? '0' : null) : String(Buffer.byteLength(body));
    expect(JSON.parse(await answer.body.text())).toEqual([method, length, lengthOf(body), 'b']);
  });

  it('sends a file, and takes an answer that comes before all of it was read', async () => {
    const file = join(dataFolderForTest(), 'file');
    writeFileSync(file, Buffer.alloc(20_000_000));
    const url = await serve(async (request, response) => {
      if (request.url === '/whole') response.end(String((await text(request)).length));
      else response.writeHead(413).end('too large');
    });
    const send = (path: string) =>
      sendClientRequest(`${url}${path}`, {
        method: 'PUT',
        headers: { 'content-length': '20000000' },
        body: { file },
      });
    expect(await (await send('whole')).body.text()).toBe('20000000');
    const refused = await send('refused');
    expect([refused.statusCode, await refused.body.text()]).toEqual([413, 'too large']);
    await expect(
      sendClientRequest(url, { method: 'PUT', headers: { 'content-length': '9' }, body: { file: '/none' } }),
    ).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('says why there is none: nobody listens, it was aborted, it broke off, it pauses', async () => {
    await expect(sendClientRequest(`http://127.0.0.1:${await freePort()}/`)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
    const url = await serve((request, response) => {
      if (request.url === '/never') return;
      response.write('half');
      if (request.url === '/half') setImmediate(() => response.destroy());
    });
    const reason = new Error('enough');
    const controller = new AbortController();
    const never = sendClientRequest(`${url}never`, { signal: controller.signal });
    controller.abort(reason);
    await expect(never).rejects.toBe(reason);
    const half = await sendClientRequest(`${url}half`);
    await expect(half.body.text()).rejects.toMatchObject({ code: 'ECONNRESET' });
    const paused = await sendClientRequest(`${url}paused`, { pauseMs: 20 });
    await expect(paused.body.text()).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  });

  it('many of them, one after the other, share a connection', async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end();
    });
    for (let i = 0; i < 30; i++) await (await sendClientRequest(url)).body.text();
    expect(ports.size).toBe(1);
  });
});

function lengthOf(body: string | Buffer | undefined): number {
  return body === undefined ? 0 : body.toString().length;
}

/** A server of this process; gives its address, with a slash at the end. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<string> {
  const server = createServer(answer);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
