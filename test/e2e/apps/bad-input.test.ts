/** What nobody should type, push or run: each gets the answer that a Heroku user would expect. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GitRepository } from '../../support/git-repository.ts';
import { runProgram, runTailrace } from '../../support/program.ts';
import { type Server, startServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const APP = 'strange';
let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

const t = async (...args: string[]) => (await runTailrace(args, { env: server.env })).stderr;
async function refused(method: string, path: string, body: unknown): Promise<[number, string]> {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return [answer.status, ((await answer.json()) as { message: string }).message];
}

describe('pushes', () => {
  it('of a Procfile that is a folder', async () => {
    const repository = new GitRepository(server, { 'Procfile/x': 'web: sleep 1000\n' });
    await repository.tailrace('create', `folder-${process.pid}`);
    expect((await repository.push()).stderr).toMatch(/Procfile must be a file\./);
  });

  it('of nothing, of no app at all, and of a Procfile in UTF-16', async () => {
    const repository = new GitRepository(server, { 'README.md': 'no Procfile\n' });
    await repository.tailrace('create', APP);
    const none = await repository.push();
    expect(none.stderr).toMatch(/No language is recognized, and there is no Procfile: add a Procfile/);
    expect(none.status).not.toBe(0);
    const utf16 = await (async () => {
      repository.commit({ Procfile: '\uFEFFw\0e\0b\0:\0' });
      return repository.push();
    })();
    expect(utf16.stderr).toMatch(/save the file as UTF-8/);
    repository.git('update-ref', '-d', 'refs/heads/main');
    expect((await repository.push()).stderr).toMatch(/src refspec main does not match any/);
    const deleted = await repository.push(':main');
    expect(deleted.status).not.toBe(0);
    expect(await server.request<unknown[]>('GET', `/apps/${APP}/releases`)).toHaveLength(1);
  });

  it('to an app that isn’t there, and with a key that isn’t one: git says why', async () => {
    const repository = new GitRepository(server, { Procfile: 'web: sleep 1000\n' });
    const at = (key: string, app: string) => `${server.url.replace('://', `://key:${key}@`)}/${app}.git`;
    const push = (url: string) =>
      runProgram('git', ['push', url, 'main'], {
        cwd: repository.folder,
        env: { PATH: process.env.PATH, GIT_TERMINAL_PROMPT: '0' },
      });
    expect((await push(at(server.key, 'nobody-has-this'))).stderr).toMatch(
      /^remote: Couldn't find that app\.\s*\nfatal: repository .* not found$/m,
    );
    expect((await push(at('k.wrong', 'nobody-has-this'))).stderr).toMatch(
      /^remote: Invalid credentials provided: the password is an API key/m,
    );
  });

  it('a dyno that forks, detaches and ends has ended, with all that it left', async () => {
    const repository = new GitRepository(server, {
      Procfile: 'daemon: (setsid sh -c "echo in the background; exec sleep 1000" &) ; sleep 0.3\n',
    });
    await repository.tailrace('push', '-a', APP);
    await repository.tailrace('scale', 'daemon=1', '-a', APP);
    const own = await until('its crash', async () => {
      const all = (await server.readLines({ id: '', name: APP, token: '' })).filter((line) =>
        /\[daemon\.1\]/.test(line),
      );
      return all.some((line) => /State changed from up to crashed/.test(line)) && all;
    });
    const messages = own.map((line) => line.slice(line.indexOf(']: ') + 3));
    const at = messages.indexOf('in the background');
    expect(messages.slice(at, at + 4)).toEqual([
      'in the background',
      'Stopping remaining processes with SIGKILL',
      'Process exited with status 0',
      'State changed from up to crashed',
    ]);
    await repository.tailrace('scale', 'daemon=0', '-a', APP);
  });
});

describe('scaling', () => {
  it('to what can’t be', async () => {
    const path = `/apps/${APP}/formation`;
    const updates = (type: string, quantity: unknown) => ({ updates: [{ type, quantity }] });
    expect(await refused('PATCH', path, updates('rockets', 1))).toEqual([
      404,
      expect.stringMatching(/Couldn't find that process type \(rockets\); there are: daemon/),
    ]);
    for (const quantity of [-1, '-1', 10_000, '10000'])
      expect(await refused('PATCH', path, updates('daemon', quantity))).toEqual([
        422,
        expect.stringMatching(/^Cannot scale daemon to (-1|10000): from 0 to 100 dynos of a type can run\.$/),
      ]);
    for (const quantity of ['many', '', '1e3', 1.5, null])
      expect((await refused('PATCH', path, updates('daemon', quantity)))[0]).toBe(422);
    // All of a change or nothing of it.
    const mixed = {
      updates: [
        { type: 'daemon', quantity: 2 },
        { type: 'rockets', quantity: 1 },
      ],
    };
    expect((await refused('PATCH', path, mixed))[0]).toBe(404);
    expect((await server.request<{ quantity: number }[]>('GET', path))[0].quantity).toBe(0);
    expect(await t('scale', 'daemon=-1', '-a', APP)).toMatch(/daemon=-1/);
    // Before the first deploy nobody knows which types there will be.
    await server.request('POST', '/apps', { name: 'not-deployed' });
    const start = '/apps/not-deployed/formation';
    expect((await refused('PUT', start, updates('__proto__', 1)))[0]).toBe(422);
    await server.request('PUT', start, updates('constructor', '+1'));
    const many = (letter: string) => ({
      updates: Array.from({ length: 60 }, (_, i) => ({ type: `${letter}${i}`, quantity: 1 })),
    });
    await server.request('PUT', start, many('a'));
    expect(await refused('PUT', start, many('b'))).toEqual([422, expect.stringMatching(/100 process types/)]);
  });
});

describe('names and config vars', () => {
  it('that can’t be', async () => {
    expect(await t('ps', '-a', 'nobody-has-this')).toMatch(/Couldn't find that app: nobody-has-this\./);
    for (const name of ['ab', 'Abc', '1abc', 'abc-', 'a_b', 'a'.repeat(31), '../../etc'])
      expect(await refused('POST', '/apps', { name })).toEqual([
        422,
        expect.stringMatching(/^Name must start with/),
      ]);
    const path = `/apps/${APP}/config-vars`;
    for (const name of ['1A', 'A-B', 'A B', 'A=B', ''])
      expect(await refused('PATCH', path, { GOOD: '1', [name]: '2' })).toEqual([
        422,
        expect.stringMatching(/can't be a config var's name/),
      ]);
    expect(await refused('PATCH', path, { A: 'x'.repeat(70_000) })).toEqual([
      422,
      'Config vars may be 64 KB in all; these would be 69 KB.',
    ]);
    expect((await refused('PATCH', path, { A: 1 }))[0]).toBe(422);
    expect(await server.request('GET', path)).toEqual({});
  });
});
