/** Bodies in other encodings, bodies without a type, and what Winston's HTTP transport makes of the answer. */
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basicAuth, postLogs } from '../../../support/senders/send-lines.ts';
import { type App, type Server, startServer } from '../../../support/server.ts';

let server: Server;
let app: App;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();
const MARK = '\ufeff';
const WORDS = 'grüße ✓ 日本';
const JSON_LINES = `{"msg":"${WORDS}"}\n{"msg":"two"}`;

async function post(body: string | Buffer, type?: string): Promise<{ status: number; text: string }> {
  app = await server.createApp();
  if (type !== undefined) return postLogs(server, app.token, body, { 'content-type': type });
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      `${server.url}/logs`,
      { method: 'POST', headers: { authorization: basicAuth(app.token) } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('a body', () => {
  it.each<[string, Buffer | string, string]>([
    ['UTF-16 with a mark, little endian', Buffer.from(MARK + WORDS, 'utf16le'), 'text/plain'],
    ['UTF-16 with a mark, big endian', utf16be(MARK + WORDS), 'text/plain'],
    ['UTF-16, declared', Buffer.from(WORDS, 'utf16le'), 'text/plain; charset=utf-16le'],
    ['UTF-16, declared, with a mark', Buffer.from(MARK + WORDS, 'utf16le'), 'text/plain; charset="UTF-16"'],
    ['UTF-8, declared', WORDS, 'text/plain; charset=UTF-8'],
  ])('of text in %s', async (_name, body, type) => {
    expect((await post(body, type)).status).toBe(204);
    expect(await server.readMessages(app)).toEqual([WORDS]);
  });

  it('of text in Latin-1 and Windows’ encoding', async () => {
    expect((await post(Buffer.from('grüße', 'latin1'), 'text/plain; charset=iso-8859-1')).status).toBe(204);
    expect(await server.readMessages(app)).toEqual(['grüße']);
    expect((await post(Buffer.from([0x80, 0x20, 0x37]), 'text/plain;charset=windows-1252')).status).toBe(204);
    expect(await server.readMessages(app)).toEqual(['€ 7']);
  });

  it.each<[string, Buffer | string, string | undefined, number]>([
    [
      'NDJSON in UTF-16, declared',
      Buffer.from(JSON_LINES, 'utf16le'),
      'application/x-ndjson; charset=utf-16le',
      204,
    ],
    ['NDJSON in UTF-16 with a mark', Buffer.from(MARK + JSON_LINES, 'utf16le'), 'application/x-ndjson', 204],
    ['JSON in UTF-16 with a mark', utf16be(MARK + JSON_LINES), 'application/json', 200],
    ['JSON in UTF-8', JSON_LINES, 'application/json; charset=utf-8', 200],
    ['NDJSON without a type', JSON_LINES, undefined, 200],
    ['an array without a type', `\n [${JSON_LINES.replace('\n', ',')}]`, undefined, 200],
    ['NDJSON in UTF-16 without a type', Buffer.from(MARK + JSON_LINES, 'utf16le'), undefined, 200],
  ])('of %s', async (_name, body, type, status) => {
    expect((await post(body, type)).status).toBe(status);
    expect(await server.readMessages(app)).toEqual([WORDS, 'two']);
  });

  it('in an encoding that isn’t known, or of no type and no JSON, is refused', async () => {
    for (const type of ['text/plain', 'application/json', 'application/x-ndjson']) {
      const { status, text } = await post('{}', `${type}; charset=klingon`);
      expect([status, text]).toEqual([
        415,
        expect.stringContaining('The charset klingon isn’t known'.replace('’', "'")),
      ]);
      expect(await server.readMessages(app)).toEqual([]);
    }
    expect((await post('hello')).status).toBe(415);
    expect((await post('7')).status).toBe(415);
    expect((await post('{"a":')).status).toBe(400);
  });

  it('that is too large only in UTF-8 is refused', async () => {
    const body = Buffer.alloc(7_999_998, '\u8000', 'utf16le');
    expect((await post(body, 'text/plain; charset=utf-16le')).status).toBe(413);
    expect((await post('still there', 'text/plain')).status).toBe(204);
  });
});

it('JSON is answered with 200 and an object: anything else is a failure to Winston’s HTTP transport', async () => {
  expect(await post('{"level":"error","message":"no"}', 'application/json')).toMatchObject({
    status: 200,
    text: '{}',
  });
  expect(await server.readMessages(app)).toEqual(['no']);
});
