/** The API itself: schemas, pagination, entity tags, errors, keys, OpenAPI. */
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonSchema } from '../../src/api/schema-builder.ts';
import { API_SCHEMAS, type SchemaName } from '../../src/api/schemas-heroku.ts';
import { runTailrace } from '../support/program.ts';
import { type App, type Server, startServer } from '../support/server.ts';

let server: Server;
let app: App;

beforeAll(async () => {
  server = await startServer();
  app = await server.createApp();
});
afterAll(() => server?.close());

function get(path: string, headers: Record<string, string> = {}, key = server.key): Promise<Response> {
  return fetch(server.url + path, { headers: { authorization: `Bearer ${key}`, ...headers } });
}
function send(method: string, path: string, body: unknown, key = server.key): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  return fetch(server.url + path, { method, headers, body: JSON.stringify(body) });
}
const errorOf = async (answer: Response) => [answer.status, ((await answer.json()) as { id: string }).id];

/** Validation errors of a value, for the keywords of JSON Schema that the schemas use. */
function faults(schema: JsonSchema, value: unknown, at = ''): string[] {
  if (Array.isArray(schema.anyOf))
    return schema.anyOf.some((one: JsonSchema) => faults(one, value, at).length === 0) ? [] : [`${at}: none`];
  const types = schema.type === undefined ? undefined : [schema.type].flat();
  const type =
    value === null
      ? 'null'
      : Array.isArray(value)
        ? 'array'
        : Number.isInteger(value)
          ? 'integer'
          : typeof value;
  const isWanted = types?.some((one: unknown) => one === type || (one === 'number' && type === 'integer'));
  if (isWanted === false) return [`${at}: ${type} instead of ${types}`];
  if (Array.isArray(value))
    return value.flatMap((one, i) => faults(Object.assign({}, schema.items), one, `${at}[${i}]`));
  if (type !== 'object') return [];
  const object = new Map(Object.entries(value as object));
  const missing = (Array.isArray(schema.required) ? schema.required : []).filter((name) => !object.has(name));
  const properties: Record<string, JsonSchema> = Object.assign({}, schema.properties);
  const inside = Object.entries(properties).flatMap(([name, inner]) =>
    object.has(name) ? faults(inner, object.get(name), `${at}.${name}`) : [],
  );
  return [...missing.map((name) => `${at}.${name} is missing`), ...inside];
}

interface Operation {
  readonly summary: string;
  readonly responses: Readonly<Record<string, object>>;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
}

describe('responses', () => {
  it('have every field that Heroku’s have', async () => {
    await send('PATCH', `/apps/${app.name}/config-vars`, { A: '1' });
    await send('POST', `/apps/${app.name}/domains`, { hostname: 'shapes.example.com' });
    await send('PUT', `/apps/${app.name}/buildpack-installations`, { updates: [{ buildpack: 'heroku/go' }] });
    await send('POST', `/apps/${app.name}/log-drains`, { url: 'https://logs.example.com/' });
    const a = `/apps/${app.name}`;
    await send('POST', `${a}/source-rules`, { source: 'nginx', tag: 'nginx' });
    const api = {
      config_vars: ['SHAPES_URL'],
      password: 'secret',
      sso_salt: 'salt',
      regions: ['us'],
      production: { base_url: 'https://shapes.example.com/', sso_url: 'https://shapes.example.com/sso' },
    };
    await send('POST', '/addon-manifests', { manifest: { id: 'shapes', api } });
    const wanted: [string, SchemaName][] = [
      ['/addon-manifests', 'AddonManifest'],
      ['/addon-manifests/shapes', 'AddonManifest'],
      ['/addon-services', 'AddonService'],
      ['/addon-services/shapes/plans', 'Plan'],
      ['/account', 'Account'],
      ['/users/~', 'Account'],
      ['/account/rate-limits', 'RateLimit'],
      ['/dyno-sizes', 'DynoSize'],
      ['/dyno-sizes/standard-2x', 'DynoSize'],
      [`${a}/available-dyno-sizes`, 'DynoSize'],
      ['/regions/localhost', 'Reference'],
      ['/stacks/local', 'Reference'],
      ['/apps', 'App'],
      [a, 'App'],
      [`${a}/releases`, 'Release'],
      [`${a}/releases/2`, 'Release'],
      [`${a}/config-vars`, 'ConfigVars'],
      [`${a}/domains`, 'Domain'],
      [`${a}/buildpack-installations`, 'BuildpackInstallation'],
      [`${a}/log-drains`, 'LogDrain'],
      [`${a}/collaborators`, 'Collaborator'],
      [`${a}/collaborators/owner@tailrace.localhost`, 'Collaborator'],
      ['/oauth/authorizations', 'Authorization'],
      [`${a}/log-counts`, 'LogCounts'],
      [`${a}/log-limits`, 'LogLimits'],
      [`${a}/tokens`, 'Token'],
      [`${a}/source-rules`, 'SourceRule'],
      [`${a}/features`, 'Feature'],
      ['/status', 'Status'],
      ['/openapi.json', 'OpenApi'],
    ];
    for (const [path, name] of wanted) {
      const value: unknown = await (await get(path)).json();
      const all = Array.isArray(value) ? value : [value];
      expect(all.length, path).toBeGreaterThan(0);
      expect(
        all.flatMap((one) => faults(API_SCHEMAS[name], one)),
        path,
      ).toEqual([]);
    }
  });

  it('that aren’t here are empty lists, and making one says what to use', async () => {
    const { name } = app;
    for (const list of [
      'teams',
      'spaces',
      'account/keys',
      'oauth/sessions',
      'oauth/clients',
      `apps/${name}/webhooks`,
    ])
      expect(await server.request('GET', `/${list}`), list).toEqual([]);
    await expect(server.request('GET', '/apps/nobody/webhooks')).rejects.toThrow(/find that app/);
    for (const [method, path, sentence] of [
      ['POST', `/apps/${name}/webhooks`, /drains:add/],
      ['POST', '/account/keys', /authorizations:create/],
      ['PATCH', `/apps/${name}/domains/shop.example`, /nginx/],
      ['PATCH', `/apps/${name}`, /There is one stack/],
    ] as const)
      await expect(server.request(method, path, { build_stack: 'heroku-24' }), path).rejects.toThrow(
        sentence,
      );
    const [stack] = await server.request<{ name: string }[]>('GET', '/stacks');
    const set = await server.request<{ stack: { name: string } }>('PATCH', `/apps/${name}`, {
      build_stack: stack.name,
    });
    expect(set.stack.name).toBe(stack.name);
    expect(await server.request('GET', '/regions')).toMatchObject([{ name: 'localhost' }]);
  });

  it('for what Heroku has and isn’t here say what to use', async () => {
    const a = `/apps/${app.name}`;
    for (const [path, sentence] of [
      ['/schema', /GET \/openapi\.json/],
      ['/teams/mine/apps', /no teams or spaces/],
      ['/spaces/mine/vpn-connections', /no teams or spaces/],
      [`/teams/apps/${app.name}`, /access:add/],
      ['/account/app-transfers/1', /access:add/],
      [`${a}/usage`, /Nothing is billed/],
      ['/teams/mine/invoices', /Nothing is billed/],
      ['/pipelines/mine/pipeline-couplings', /tailrace promote/],
      ['/pipelines/mine/test-runs/1', /No tests and no review apps/],
      ['/review-apps/1', /No tests and no review apps/],
      [`${a}/webhook-deliveries?x=/schema`, /drains:add/],
      ['/pipelines/mine/webhooks', /drains:add/],
      ['/oauth/clients/1', /authorizations:create/],
      [`${a}/oci-images/1`, /Procfile/],
      ['/client/v11/databases/db/upgrade/run', /pg:psql/],
      ['/redis/v0/databases/db/config', /redis:cli/],
      ['/stacks/heroku-24', /this machine/],
      ['/users/nobody@example.com', /find that user/],
      ['/nothing/schema', /^The requested API endpoint was not found\.$/],
    ] as const) {
      const answer = await get(path);
      const { id, message } = (await answer.json()) as { id: string; message: string };
      expect([answer.status, id, message], path).toEqual([404, 'not_found', expect.stringMatching(sentence)]);
    }
    for (const [method, path, body] of [
      ['POST', '/apps', { stack: 'container' }],
      ['PATCH', a, { build_stack: 'container' }],
    ] as const)
      await expect(server.request(method, path, body)).rejects.toThrow(
        /422 .*Docker images are not run here/,
      );
    expect(await server.request('POST', '/apps', { stack: 'heroku-24' })).toMatchObject({
      stack: { name: 'local' },
      acm: false,
      create_status: 'complete',
    });
  });

  it('telemetry drains are led elsewhere, and API keys described anew', async () => {
    const exporter = {
      type: 'otlphttp',
      endpoint: 'https://one.example.com/v1/logs',
      headers: { 'x-key': 'k' },
    };
    const made = await server.request<{ id: string }>('POST', '/telemetry-drains', {
      owner: { id: app.id, type: 'app' },
      exporter,
    });
    const path = `/telemetry-drains/${made.id}`;
    const endpoint = 'https://two.example.com/v1/logs';
    expect(await server.request('PATCH', path, { exporter: { endpoint } })).toMatchObject({
      id: made.id,
      exporter: { endpoint, headers: { 'x-key': 'k' } },
    });
    const changed = await server.request('PATCH', path, { exporter: { headers: {} }, signals: ['logs'] });
    expect(changed).toMatchObject({ exporter: { endpoint, headers: {} } });
    expect(await server.request('GET', path)).toEqual(changed);
    expect(await errorOf(await send('PATCH', path, { signals: ['metrics'] }))).toEqual([
      422,
      'invalid_params',
    ]);
    const other = { owner: { id: app.id, type: 'app' }, exporter };
    await server.request('POST', '/telemetry-drains', other);
    expect(await errorOf(await send('PATCH', path, { exporter }))).toEqual([409, 'conflict']);

    const key = await server.request<{ id: string }>('POST', '/oauth/authorizations', { description: 'one' });
    const described = await send('PATCH', `/oauth/authorizations/${key.id}`, { description: 'two' });
    expect(await described.json()).toMatchObject({ id: key.id, description: 'two' });
    expect(await server.request('GET', `/oauth/authorizations/${key.id}`)).toMatchObject({
      description: 'two',
    });
  });

  it('are described by OpenAPI, all routes of them', async () => {
    const description = (await (await get('/openapi.json')).json()) as {
      paths: Record<string, Record<string, Operation>>;
      components: { schemas: object };
    };
    expect(Object.keys(description.paths)).toEqual(
      expect.arrayContaining(['/apps/{app}', '/apps/{app}/releases/{release}', '/oauth/authorizations']),
    );
    expect(JSON.stringify(description.paths['/apps/{app}/formation'].patch.requestBody)).toContain(
      'quantity',
    );
    for (const [path, operations] of Object.entries(description.paths))
      for (const [method, { summary, requestBody, responses }] of Object.entries(operations)) {
        const at = `${method} ${path}`;
        expect(summary, at).toMatch(/^[A-Z]/);
        if (['post', 'put', 'patch'].includes(method)) expect(requestBody, at).toBeDefined();
        // A named schema, text, or nothing at all.
        const { default: _, ...good } = responses;
        expect(JSON.stringify(Object.values(good)), at).toMatch(
          /#\/components\/schemas\/|"text\/|"maxProperties":0/,
        );
      }
    for (const path of [
      '/logs',
      '/apps/{app}/log-sessions',
      '/apps/{app}/logs',
      '/sources/{name}',
      '/status',
    ])
      expect(Object.keys(description.paths)).toContain(path);
    const names = [...JSON.stringify(description).matchAll(/#\/components\/schemas\/(\w+)/g)].map(
      ([, name]) => name,
    );
    expect(Object.keys(description.components.schemas)).toEqual(expect.arrayContaining(names));
    // The server doesn't look whether its schemas are any.
    const requireOfFastify = createRequire(createRequire(import.meta.url).resolve('@fastify/ajv-compiler'));
    const ajv = new (requireOfFastify('ajv'))();
    expect(ajv.validateSchema({ type: 'strin' })).toBe(false);
    const bodies = Object.values(description.paths)
      .flatMap((operations) => Object.values(operations))
      .flatMap(({ requestBody }) => (requestBody ? Object.values(requestBody.content) : []));
    expect(bodies.length).toBeGreaterThan(50);
    for (const schema of [
      ...bodies.map((body) => body.schema),
      ...Object.values(description.components.schemas),
    ])
      expect([ajv.validateSchema(schema), schema, ajv.errors]).toEqual([true, schema, null]);
  });
});

describe('pagination', () => {
  it('returns the requested range in the requested order, with Next-Range', async () => {
    for (const value of ['2', '3', '4'])
      await send('PATCH', `/apps/${app.name}/config-vars`, { PAGE: value });
    const seen: number[] = [];
    let range: string | null = 'version ..; max=2, order=desc';
    let rounds = 0;
    while (range !== null && rounds++ < 10) {
      const answer: Response = await get(`/apps/${app.name}/releases`, { range });
      const releases = (await answer.json()) as { version: number }[];
      range = answer.headers.get('next-range');
      expect(answer.status).toBe(range === null ? 200 : 206);
      expect(answer.headers.get('content-range')).toBe(
        `version ${releases[0].version}..${releases[releases.length - 1].version}`,
      );
      seen.push(...releases.map(({ version }) => version));
    }
    expect(seen).toEqual([...seen].sort((a, b) => b - a));
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen[seen.length - 1]).toBe(1);
  });

  it('rejects invalid ranges', async () => {
    const path = `/apps/${app.name}/releases`;
    for (const range of ['colour ..', 'version ..; max=0', 'version ..; max=9999', ']['])
      expect(await errorOf(await get(path, { range })), range).toEqual([
        416,
        'requested_range_not_satisfiable',
      ]);
  });
});

describe('entity tags', () => {
  it('give 304 for an unchanged response', async () => {
    const path = `/apps/${app.name}/config-vars`;
    const tag = (await get(path)).headers.get('etag') ?? '';
    const same = await get(path, { 'if-none-match': tag });
    expect([same.status, await same.text()]).toEqual([304, '']);
    await send('PATCH', path, { ETAG: 'changed' });
    expect((await get(path, { 'if-none-match': tag })).status).toBe(200);
  });
});

describe('config vars', () => {
  const path = () => `/apps/${app.name}/config-vars`;
  const version = async () => ((await (await get(`/apps/${app.name}/releases`)).json()) as unknown[]).length;

  it('one invalid name: none is changed', async () => {
    const before = await (await get(path())).text();
    for (const name of ['1A', 'A-B', '', 'A B', 'Ä'])
      expect(await errorOf(await send('PATCH', path(), { GOOD: 'x', [name]: 'y' })), name).toEqual([
        422,
        'invalid_params',
      ]);
    expect(await errorOf(await send('PATCH', path(), { BIG: 'x'.repeat(65_537) }))).toEqual([
      422,
      'invalid_params',
    ]);
    expect(await (await get(path())).text()).toBe(before);
  });

  it('unchanged values make no release', async () => {
    await send('PATCH', path(), { SAME: '1' });
    const before = await version();
    await send('PATCH', path(), { SAME: '1', NOT_THERE: null });
    expect(await version()).toBe(before);
    const run = (...args: string[]) => runTailrace([...args, '-a', app.name], { env: server.env });
    const [unset, several, set] = await Promise.all([
      run('config:unset', 'NOT_THERE'),
      run('config:unset', 'NOT_THERE', 'NOR_THIS'),
      run('config:set', 'SAME=1'),
    ]);
    const same = `nothing changes, ${app.name} stays at v${before}\n`;
    expect(unset).toMatchObject({ status: 0, stdout: `${app.name} has no config var NOT_THERE: ${same}` });
    expect(several.stdout).toBe(`${app.name} has none of NOT_THERE, NOR_THIS: ${same}`);
    expect(set.stdout).toBe(`SAME has this value already: ${same}SAME: 1\n`);
    expect(await version()).toBe(before);
    expect((await run('config:unset', 'SAME', 'NOT_THERE')).stdout).toContain(`done, v${before + 1}\n`);
  });

  it('are restored with the code by a rollback; the first release has none before it', async () => {
    const { name } = await server.createApp();
    const run = (...args: string[]) => runTailrace([...args, '-a', name], { env: server.env });
    expect(await run('rollback')).toEqual({
      status: 1,
      stdout: '',
      stderr: ` ›   Error: ${name} has no earlier release to go back to: v1 is the first (see \`tailrace releases\`).\n`,
    });
    await send('PATCH', `/apps/${name}/config-vars`, { A: '1' });
    expect((await run('rollback')).stdout).toBe(`Rolling back ${name} to v1... done, v3\n`);
  });

  it('can’t be rolled back to the current release', async () => {
    const { name } = await server.createApp();
    const count = async () => ((await (await get(`/apps/${name}/releases`)).json()) as unknown[]).length;
    expect(await runTailrace(['rollback', 'v1', '-a', name], { env: server.env })).toEqual({
      status: 1,
      stdout: '',
      stderr: ' ›   Error: v1 is the current release already: choose an earlier one.\n',
    });
    expect(await errorOf(await send('POST', `/apps/${name}/releases`, { release: '1' }))).toEqual([
      422,
      'invalid_params',
    ]);
    expect(await count()).toBe(1);
    await send('PATCH', `/apps/${name}/config-vars`, { A: '1' });
    expect((await send('POST', `/apps/${name}/releases`, { release: '1' })).status).toBe(201);
    expect(await count()).toBe(3);
  });

  it('concurrent changes are all applied', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `AT_ONCE_${i}`);
    await Promise.all(names.map((name) => send('PATCH', path(), { [name]: 'yes' })));
    expect(Object.keys((await (await get(path())).json()) as object)).toEqual(expect.arrayContaining(names));
  });
});

describe('requests', () => {
  it('that don’t match the schema: 422 with a message', async () => {
    const formation = `/apps/${app.name}/formation`;
    for (const [method, path, body] of [
      ['PATCH', formation, { updates: 'web=1' }],
      ['PATCH', formation, {}],
      ['PATCH', `/apps/${app.name}`, { maintenance: 'perhaps' }],
      ['POST', `/apps/${app.name}/domains`, {}],
      ['PUT', `/apps/${app.name}/buildpack-installations`, { updates: 'heroku/go' }],
      ['POST', '/telemetry-drains', { owner: {} }],
    ] as const)
      expect(await errorOf(await send(method, path, body)), path).toEqual([422, 'invalid_params']);
  });

  it('of another type, or too large: 415, 413, with the id that is theirs, and a sentence', async () => {
    const post = async (type: string, body: string): Promise<unknown[]> => {
      const headers = { authorization: `Bearer ${server.key}`, 'content-type': type };
      const answer = await fetch(`${server.url}/apps`, { method: 'POST', headers, body });
      return [answer.status, await answer.json()];
    };
    expect(await post('text/xml; charset=utf-8', '<app/>')).toEqual([
      415,
      { id: 'unsupported_type', message: "Content-Type text/xml isn't supported: send application/json." },
    ]);
    expect(await post('application/json', `"${'x'.repeat(1_100_000)}"`)).toEqual([
      413,
      { id: 'too_large', message: 'The body is over 1048576 bytes, which is all that is taken here.' },
    ]);
  });

  it('without a body, or with null: no route fails over it', async () => {
    const { paths } = (await (await get('/openapi.json')).json()) as {
      paths: Record<string, Record<string, Operation>>;
    };
    const taking = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { requestBody }]) =>
        requestBody ? [[method.toUpperCase(), path.replace('{app}', app.name)] as const] : [],
      ),
    );
    expect(taking.length).toBeGreaterThan(50);
    const failed: string[] = [];
    for (const [method, path] of taking) {
      const headers = { authorization: `Bearer ${server.key}` };
      for (const answer of [
        await fetch(server.url + path, { method, headers }),
        await send(method, path, null),
      ]) {
        await answer.body?.cancel();
        if (answer.status >= 500) failed.push(`${method} ${path}: ${answer.status}`);
      }
    }
    expect(failed).toEqual([]);
    // What checks bodies writes nothing beside the server's own log.
    expect(server.program.stderr).not.toContain('strict mode');
  });

  it('that aren’t JSON, packed, or have a field that JavaScript has: a sentence that says so', async () => {
    const path = `/apps/${app.name}/config-vars`;
    const patch = async (headers: Record<string, string>, body: string | Uint8Array<ArrayBuffer>) => {
      const authorization = `Bearer ${server.key}`;
      const answer = await fetch(server.url + path, {
        method: 'PATCH',
        headers: { authorization, ...headers },
        body,
      });
      return [answer.status, await answer.json()];
    };
    const json = { 'content-type': 'application/json' };
    expect(
      await patch({ ...json, 'content-encoding': 'gzip' }, new Uint8Array(gzipSync('{"A":"1"}'))),
    ).toEqual([
      415,
      {
        id: 'unsupported_type',
        message: 'Content-Encoding "gzip" isn\'t understood here: send the body as it is.',
      },
    ]);
    expect(await patch({ ...json, 'content-encoding': 'identity' }, '{"IDENTITY":"1"}')).toMatchObject([
      200,
      { IDENTITY: '1' },
    ]);
    expect(await patch(json, '{"__proto__":"1"}')).toEqual([
      400,
      { id: 'bad_request', message: 'Nothing in a body can be called "__proto__".' },
    ]);
    expect(await patch(json, '{"A":')).toEqual([
      400,
      { id: 'bad_request', message: "The body isn't valid JSON, as Content-Type says." },
    ]);
  });

  it('have an id, the client’s when it sends one', async () => {
    expect((await get('/account')).headers.get('request-id')).toMatch(/^[0-9a-f-]{36}$/);
    const id = 'a-client-chose-this-one';
    expect((await get('/account', { 'request-id': id })).headers.get('request-id')).toBe(id);
  });

  it('are authorized by the scopes of their key, until it expires', async () => {
    const make = async (body: object) =>
      (await (await send('POST', '/oauth/authorizations', body)).json()) as {
        access_token: { token: string };
      };
    const { token } = (await make({ scope: ['read'] })).access_token;
    expect((await get('/apps', {}, token)).status).toBe(200);
    expect((await send('PATCH', `/apps/${app.name}/config-vars`, { X: '1' }, token)).status).toBe(401);
    const short = (await make({ scope: ['read'], expires_in: 1 })).access_token.token;
    await expect.poll(async () => (await get('/apps', {}, short)).status).toBe(401);
    expect(await errorOf(await send('POST', '/oauth/authorizations', { scope: ['everything'] }))).toEqual([
      422,
      'invalid_params',
    ]);
    const shown = await (await get('/oauth/authorizations')).text();
    expect(shown).not.toContain(token);
  });
});
