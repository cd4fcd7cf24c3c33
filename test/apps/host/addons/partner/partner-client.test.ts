/** Requests to a partner over real sockets: how long, how much, and where to. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePartnerManifest } from '../../../../../src/apps/host/addons/partner/manifest.ts';
import { PartnerClient } from '../../../../../src/apps/host/addons/partner/partner-client.ts';
import { TargetPolicy } from '../../../../../src/logs/drains/options/target-policy.ts';
import { until } from '../../../../support/until.ts';

let server: Server;
let respond: RequestListener;
let connections = 0;

beforeAll(async () => {
  server = createServer((request, response) => respond(request, response));
  server.on('connection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const manifestAt = (host: string) =>
  parsePartnerManifest(
    {
      id: 'errorbucket',
      api: {
        config_vars: ['ERRORBUCKET_URL'],
        password: 'päss:word',
        sso_salt: 'salt',
        regions: ['us'],
        production: { base_url: 'https://errorbucket.com/x', sso_url: 'https://errorbucket.com/sso' },
        test: {
          base_url: `http://${host}:${(server.address() as AddressInfo).port}/x?v=1`,
          sso_url: 'http://a.test/',
        },
      },
    },
    'test',
  );
const client = (allowPrivate = true, timeoutMs = 10_000) =>
  new PartnerClient({
    policy: new TargetPolicy(allowPrivate, 'partners may not be at'),
    version: 'test',
    timeoutMs,
  });
const post = (from = client()) => from.request(manifestAt('127.0.0.1'), 'POST', undefined, { a: 1 });

describe('a request to a partner', () => {
  it('goes to its address, with its password', async () => {
    respond = ({ method, url, headers }, response) =>
      void response.writeHead(201).end(JSON.stringify({ method, url, authorization: headers.authorization }));
    const authorization = `Basic ${Buffer.from('errorbucket:päss:word').toString('base64')}`;
    expect(await post()).toEqual({ status: 201, json: { method: 'POST', url: '/x?v=1', authorization } });
    const answer = await client().request(manifestAt('localhost'), 'DELETE', 'abc');
    expect(answer.json).toEqual({ method: 'DELETE', url: '/x/abc?v=1', authorization });
  });

  it('is given up when it isn’t answered whole in time', async () => {
    respond = () => {};
    await expect(post(client(true, 200))).rejects.toThrow('did not answer within 0.2 seconds');
    // The head alone is no answer, nor is a byte now and then.
    let timer: NodeJS.Timeout | undefined;
    respond = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    };
    await expect(post(client(true, 300))).rejects.toThrow('did not answer within 0.3 seconds');
    clearInterval(timer);
  });

  it('ends when the server stops', async () => {
    let isThere = false;
    respond = () => {
      isThere = true;
    };
    const closing = client();
    const request = post(closing).catch((error: Error) => error.message);
    await until('the request', () => isThere);
    closing.close();
    expect(await request).toBe('was not waited for, since this server stops');
  });

  it('reads no more than it needs', async () => {
    let sent = 0;
    respond = (_, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(65_536, 0x20);
      const more = (): void => {
        for (; !response.destroyed && sent < 100_000_000; sent += chunk.length)
          if (!response.write(chunk)) return void response.once('drain', more);
      };
      more();
    };
    await expect(post()).rejects.toThrow('answered with more than 256 KB');
    expect(sent).toBeLessThan(50_000_000);
    respond = (_, response) => void response.writeHead(200).end('['.repeat(50) + ']'.repeat(50));
    expect((await post()).fault).toMatch(/is no JSON/);
    respond = (_, response) => void response.writeHead(204).end();
    expect(await post()).toEqual({ status: 204, json: undefined });
  });

  it('shows where it is redirected as one line that hides nothing, without what is secret in it', async () => {
    const location = 'https://me:secret@errorbucket.com/\u009b2J\u0085\u00adabc?token=secret';
    respond = (_, response) => void response.writeHead(302, { location }).end();
    const { fault } = await post();
    expect(fault).toMatch(
      /^redirected to https:\/\/me:\*{4}@errorbucket\.com\/ 2J abc\?token=\*{4}, which isn't/,
    );
  });

  it('goes nowhere where drains may not, by address or by name', async () => {
    const before = connections;
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706433'])
      await expect(client(false).request(manifestAt(host), 'POST', undefined, {})).rejects.toThrow(
        /can't be reached \(partners may not be at .*TAILRACE_ALLOW_PRIVATE_DRAINS/,
      );
    expect(connections).toBe(before);
  });
});
