/** The web server that goes into the slugs of static sites, as a program. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { Program } from '../../support/program.ts';
import { dataFolderForTest } from '../../support/server.ts';

const SERVER = join(
  import.meta.dirname,
  '..',
  '..',
  '..',
  'dist',
  'bundle',
  'static-server',
  'static-server.mjs',
);

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

/** Serves an app's folder; ended when the test has finished. */
async function serve(files: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  const folder = dataFolderForTest();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const port = await freePort();
  const program = new Program(process.execPath, [SERVER], {
    cwd: folder,
    env: { PORT: String(port), ...env },
  });
  onTestFinished(async () => void (await program.stop()));
  await program.waitForOutput(/serves/);
  const get = async (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> => {
    const answer = await request(`http://127.0.0.1:${port}${path}`, { method: method as 'GET', headers });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: Buffer.from(await answer.body.arrayBuffer()),
    };
  };
  return { folder, port, program, get };
}

/** The status line of a request that is sent as it is. */
function rawStatus(port: number, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    );
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('end', () => resolve(text.split('\r\n')[0]));
    socket.on('error', reject);
  });
}

const SITE = {
  'static.json': JSON.stringify({
    root: 'dist',
    clean_urls: true,
    error_page: 'errors/404.html',
    routes: { '/app/**': 'app.html' },
    redirects: { '/old/': { url: '/new/', status: 302 } },
    headers: { '/**': { 'X-All': 'yes' }, '/assets/*.js': { 'Cache-Control': 'public, max-age=600' } },
  }),
  'dist/index.html': '<h1>index</h1>',
  'dist/about.html': 'about',
  'dist/app.html': 'app',
  'dist/docs/index.html': 'docs',
  'dist/errors/404.html': 'lost',
  'dist/assets/main.js': `// ${'x'.repeat(5_000)}`,
  'dist/empty.txt': '',
  'dist/.env': 'SECRET=1',
  'outside.txt': 'outside',
};

describe('a static site', () => {
  it('has clean URLs, routes, redirects, headers and an error page', async () => {
    const { get } = await serve(SITE);
    const text = async (path: string) => {
      const { status, headers, body } = await get(path);
      return [status, headers.location ?? body.toString()];
    };
    expect(await text('/')).toEqual([200, '<h1>index</h1>']);
    expect(await text('/about')).toEqual([200, 'about']);
    expect(await text('/about.html?a=b')).toEqual([301, '/about?a=b']);
    expect(await text('/index.html')).toEqual([301, '/']);
    expect(await text('/docs')).toEqual([301, '/docs/']);
    expect(await text('/docs/')).toEqual([200, 'docs']);
    expect(await text('/app/any/where')).toEqual([200, 'app']);
    expect(await text('/old')).toEqual([302, '/new/']);
    expect(await text('/nowhere')).toEqual([404, 'lost']);
    expect(await text('/empty.txt')).toEqual([200, '']);
    const script = await get('/assets/main.js');
    expect(script.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=600',
      'x-all': 'yes',
      'x-content-type-options': 'nosniff',
    });
    expect((await get('/', {}, 'POST')).status).toBe(405);
    expect((await get('/about', {}, 'HEAD')).headers['content-length']).toBe('5');
  });

  it('sends parts, what is compressed, and nothing that is known already', async () => {
    const { get } = await serve(SITE);
    const whole = await get('/assets/main.js');
    const { etag, 'last-modified': modified } = whole.headers;
    expect((await get('/assets/main.js', { 'if-none-match': String(etag) })).status).toBe(304);
    expect((await get('/assets/main.js', { 'if-modified-since': String(modified) })).status).toBe(304);
    const zipped = await get('/assets/main.js', { 'accept-encoding': 'br, gzip' });
    expect(zipped.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    expect(gunzipSync(zipped.body).equals(whole.body)).toBe(true);
    expect(zipped.headers.etag).not.toBe(etag);
    expect((await get('/assets/main.js', { 'accept-encoding': 'gzip;q=0' })).headers).not.toHaveProperty(
      'content-encoding',
    );
    const part = await get('/assets/main.js', { range: 'bytes=0-1' });
    expect([part.status, part.body.toString(), part.headers['content-range']]).toEqual([
      206,
      '//',
      `bytes 0-1/${whole.body.length}`,
    ]);
    expect((await get('/assets/main.js', { range: 'bytes=99999-' })).status).toBe(416);
    expect((await get('/assets/main.js', { range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200);
  });

  it('gives out nothing but its own files: no dot files, nothing above it, nothing that links lead to', async () => {
    const { folder, port, get } = await serve(SITE);
    symlinkSync('/etc/passwd', join(folder, 'dist', 'passwd.txt'));
    symlinkSync('../outside.txt', join(folder, 'dist', 'outside.txt'));
    symlinkSync('..', join(folder, 'dist', 'up'));
    symlinkSync('.env', join(folder, 'dist', 'env.txt'));
    symlinkSync('about.html', join(folder, 'dist', 'inside.txt'));
    symlinkSync('loop', join(folder, 'dist', 'loop'));
    for (const path of [
      '/passwd.txt',
      '/outside.txt',
      '/up/outside.txt',
      '/env.txt',
      '/loop',
      '/.env',
      '/%2eenv',
    ])
      expect((await get(path)).status, path).toBe(404);
    expect((await get('/inside.txt')).body.toString()).toBe('about');
    for (const target of [
      '/../outside.txt',
      '/%2e%2e/outside.txt',
      '/..%2foutside.txt',
      '//outside.txt',
      '/docs/../../outside.txt',
    ])
      expect(await rawStatus(port, target), target).toMatch(/ 404 /);
    for (const target of ['/%00', '/%', '/..%5coutside.txt', 'outside.txt', '*'])
      expect(await rawStatus(port, target), target).toMatch(/ 400 /);
  });

  it('may ask for a password, and for https', async () => {
    const { get } = await serve(
      {
        'static.json': '{"root":".","basic_auth":true,"https_only":true}',
        'index.html': 'x',
        Procfile: 'x',
        'app.json': '{}',
      },
      { BASIC_AUTH_USERNAME: 'me', BASIC_AUTH_PASSWORD: 'secret' },
    );
    expect((await get('/')).headers.location).toMatch(/^https:\/\/127\.0\.0\.1\/$/);
    const https = { 'x-forwarded-proto': 'https' };
    expect((await get('/', https)).headers['www-authenticate']).toMatch(/^Basic/);
    const authorization = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    expect((await get('/', { ...https, authorization })).body.toString()).toBe('x');
    expect(
      (await get('/', { ...https, authorization: `Basic ${Buffer.from('me:other!').toString('base64')}` }))
        .status,
    ).toBe(401);
    for (const path of ['/static.json', '/Procfile', '/app.json'])
      expect((await get(path, { ...https, authorization })).status).toBe(404);
  });

  it('ends when it is told to, with requests in flight answered', async () => {
    const { program, get } = await serve(SITE);
    await get('/');
    expect((await program.stop('SIGTERM')).status).toBe(0);
  });
});
