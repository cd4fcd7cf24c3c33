import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SourceNames } from '../../src/api/apps/builds.ts';
import { type Server, startServer } from '../support/server.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

async function ask(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
  const answer = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json', ...headers },
    body,
  });
  const text = await answer.text();
  return { status: answer.status, json: JSON.parse(text), headers: answer.headers };
}

describe('apps', () => {
  it('are created, found by name and id, listed and destroyed', async () => {
    const made = await ask('POST', '/apps', JSON.stringify({ name: 'mill-race' }));
    expect(made).toMatchObject({
      status: 201,
      json: { name: 'mill-race', web_url: expect.stringContaining('mill-race.localhost') },
    });
    expect((await ask('GET', '/apps/mill-race')).json).toEqual(made.json);
    expect((await ask('GET', `/apps/${made.json.id}`)).json).toEqual(made.json);
    expect((await ask('GET', '/apps')).json).toContainEqual(made.json);
    expect((await ask('DELETE', '/apps/mill-race')).status).toBe(200);
    expect(await ask('GET', '/apps/mill-race')).toMatchObject({ status: 404, json: { id: 'not_found' } });
  });

  it('get a generated name when none is given', async () => {
    expect((await ask('POST', '/apps', '{}')).json.name).toMatch(/^[a-z]+-[a-z]+-\d{5}$/);
  });

  it('with a name that is taken: 422, as Heroku has it', async () => {
    await ask('POST', '/apps', '{"name":"taken"}');
    expect(await ask('POST', '/apps', '{"name":"taken"}')).toMatchObject({
      status: 422,
      json: { id: 'invalid_params', message: 'Name taken is already taken.' },
    });
  });

  it('created concurrently with one name: one succeeds', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => ask('POST', '/apps', '{"name":"race"}')),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(422)]);
  });

  it.each([
    '"ab"',
    '"1abc"',
    '"Abc"',
    '"a--"',
    '"a b c"',
    '"../../etc"',
    `"${'a'.repeat(31)}"`,
    '["abc"]',
    '{"a":1}',
  ])('with the name %s: 422', async (name) => {
    expect(await ask('POST', '/apps', `{"name":${name}}`)).toMatchObject({
      status: 422,
      json: { id: 'invalid_params' },
    });
  });
});

describe('responses', () => {
  it('have a Request-Id: the client’s own when it is valid', async () => {
    expect((await ask('GET', '/apps')).headers.get('request-id')).toMatch(/^[0-9a-f-]{36}$/);
    const own = 'abcdefghij-0123456789';
    expect((await ask('GET', '/apps', undefined, { 'request-id': own })).headers.get('request-id')).toBe(own);
    expect((await ask('GET', '/apps', undefined, { 'request-id': 'x' })).headers.get('request-id')).not.toBe(
      'x',
    );
  });

  it.each([
    ['no such endpoint', 'GET', '/nothing', undefined, 404],
    ['a body that is no JSON', 'POST', '/apps', '{', 400],
    ['a body that is too large', 'POST', '/apps', `"${'x'.repeat(1_100_000)}"`, 413],
    ['a drain without a URL', 'POST', '/apps/APP/log-drains', '{}', 422],
    ['a source without a name', 'POST', '/apps/APP/tokens', '{}', 422],
    ['a source that can’t be one', 'POST', '/apps/APP/tokens', '{"source":"a b"}', 422],
    ['a token that there isn’t', 'DELETE', '/apps/APP/tokens/t.x', '{}', 404],
    ['a drain that there isn’t', 'DELETE', '/apps/APP/log-drains/d.x', '{}', 404],
    ['a dyno that there isn’t', 'DELETE', '/apps/APP/dynos/web.1', '{}', 404],
  ])('%s: an error with an id and a message', async (_name, method, path, body, status) => {
    const app = await server.createApp();
    const answer = await ask(method, path.replace('APP', app.name), body);
    expect(answer.status).toBe(status);
    expect(answer.json).toEqual({
      id: expect.stringMatching(/^[a-z_]+$/),
      message: expect.stringMatching(/.{10,}/),
    });
  });

  it('tokens and drains of another app: 404', async () => {
    const mine = await server.createApp();
    const theirs = await server.createApp();
    const drain = await server.createDrain(theirs, 'http://127.0.0.1:9/');
    expect((await ask('DELETE', `/apps/${mine.name}/tokens/${theirs.token}`, '{}')).status).toBe(404);
    expect((await ask('DELETE', `/apps/${mine.name}/log-drains/${drain.id}`, '{}')).status).toBe(404);
    expect(await server.listDrains(theirs)).toHaveLength(1);
  });
});

describe('drains', () => {
  it('are addressed by id, token, or URL, encoded or with its slashes', async () => {
    const app = await server.createApp();
    const url = 'http://127.0.0.1:9/a/b?c=d';
    for (const name of ['id', 'token', 'encoded', 'plain'] as const) {
      const drain = await server.createDrain(app, url);
      const which = {
        id: drain.id,
        token: drain.token,
        encoded: encodeURIComponent(url),
        plain: url.replace('?', '%3F'),
      };
      expect((await ask('GET', `/apps/${app.name}/log-drains/${which[name]}`)).json.id).toBe(drain.id);
      expect((await ask('DELETE', `/apps/${app.name}/log-drains/${which[name]}`, '{}')).status).toBe(200);
    }
    expect(await server.listDrains(app)).toEqual([]);
  });

  it('are limited to twenty an app', async () => {
    const app = await server.createApp();
    for (let i = 0; i < 20; i++) await server.createDrain(app, `http://127.0.0.1:9/${i}`);
    await expect(server.createDrain(app, 'http://127.0.0.1:9/more')).rejects.toThrow(
      'maximum number of drains',
    );
  });
});

describe('PUT /sources/<name>', () => {
  const put = (url: string, body = 'an archive') => fetch(url, { method: 'PUT', body });

  it('takes an archive without a key, again too, under a name that POST /sources has issued', async () => {
    const { json } = await ask('POST', '/sources');
    expect(await put(json.source_blob.put_url).then(({ status }) => status)).toBe(200);
    expect(await put(json.source_blob.put_url).then(({ status }) => status)).toBe(200);
  });

  it.each(['a'.repeat(32), 'short', '..%2f..%2fetc%2fpasswd', `${'a'.repeat(29)}%00%0a`])(
    'under a name that was not issued (%s): 404, and nothing is kept',
    async (name) => {
      const uploads = join(server.data, 'uploads');
      const before = existsSync(uploads) ? readdirSync(uploads) : [];
      const response = await put(`${server.url}/sources/${name}`);
      expect(response.status).toBe(404);
      expect(existsSync(uploads) ? readdirSync(uploads) : []).toEqual(before);
    },
  );

  it('names are issued to keys that may write only, for an hour', async () => {
    expect((await ask('POST', '/sources', undefined, { authorization: 'Bearer nobody' })).status).toBe(401);
    const names = new SourceNames();
    const name = names.issue(0);
    expect([names.isIssued(name, 0), names.isIssued(name, 3_599_999)]).toEqual([true, true]);
    expect([names.isIssued(name, 3_600_000), names.isIssued('other', 0)]).toEqual([false, false]);
  });
});
