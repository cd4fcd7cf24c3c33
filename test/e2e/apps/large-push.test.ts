/** Pushes that are too large, and those that only take long. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GitRepository } from '../../support/git-repository.ts';
import { type Server, startServer } from '../../support/server.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer({ env: { TAILRACE_SOURCE_BYTES: '2MB', TAILRACE_FRAME_TIMEOUT: '1s' } });
});
afterAll(() => server?.close());

it('one that is too large is refused in words, whichever way it comes', async () => {
  const repository = new GitRepository(server, {
    Procfile: 'worker: sleep 1000\n',
    'big.bin': randomBytes(6_000_000).toString('base64'),
  });
  await repository.tailrace('create', 'large');
  const pushed = await repository.push();
  expect(pushed.stderr).toMatch(/remote: {2}! {5}The source is larger than 2 MB packed: leave out/);
  expect(pushed.stderr).not.toMatch(/reset|hung up|RPC failed/);
  expect(pushed.status).not.toBe(0);
  const sent = await repository.tailrace('push');
  expect(sent.stderr).toMatch(/This folder has \d MB packed, and may have 2: leave out .* \.slugignore/);
  expect(sent.status).toBe(1);
  expect(readdirSync(server.data).includes('uploads') ? readdirSync(`${server.data}/uploads`) : []).toEqual(
    [],
  );
  // Nothing has become of it, and the next one works.
  repository.git('rm', '-q', '--cached', 'big.bin');
  repository.git('commit', '-q', '--amend', '-m', 'small');
  const small = await repository.push();
  expect(small.stderr).toMatch(/Released v2/);
  expect(small.status).toBe(0);
});

it('an upload may take longer than a request, while something comes', async () => {
  const { source_blob: source } = await server.request<{ source_blob: { put_url: string } }>(
    'POST',
    '/sources',
  );
  const slow = Readable.from(
    (async function* () {
      for (let i = 0; i < 8; i++) {
        await new Promise((resolve) => setTimeout(resolve, 400));
        yield randomBytes(1_000);
      }
    })(),
  );
  const { request } = await import('undici');
  const { statusCode } = await request(source.put_url, { method: 'PUT', body: slow });
  expect(statusCode).toBe(200);
  // Anything else may not.
  const other = request(`${server.url}/apps`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${server.key}`,
      'content-type': 'application/json',
      'content-length': '100',
    },
    body: Readable.from(
      (async function* () {
        yield '{"name":';
        await new Promise((resolve) => setTimeout(resolve, 5_000));
      })(),
    ),
  });
  const answer = await other.then(
    (response) => response.statusCode,
    () => 'cut off',
  );
  expect([408, 'cut off']).toContain(answer);
});
