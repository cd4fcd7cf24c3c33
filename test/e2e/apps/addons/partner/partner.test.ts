/** A partner's service from its registration to the end of its add-ons, with a partner that checks every request. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PartnerService } from '../../../../support/partner-service.ts';
import { HttpReceiver } from '../../../../support/receivers/receivers.ts';
import { type App, type Drain, type Server, startServer } from '../../../../support/server.ts';
import { until } from '../../../../support/until.ts';

interface Addon {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly config_vars: readonly string[];
  readonly plan: { readonly name: string };
  readonly provision_message: string | null;
  readonly web_url: string | null;
}
interface Release {
  readonly description: string;
}

let server: Server;
let partner: PartnerService;
let app: App;

beforeAll(async () => {
  server = await startServer();
  partner = await new PartnerService('errorbucket').listen();
  const { client_secret } = await register(partner);
  partner.clientSecret = client_secret;
  app = await server.createApp();
});
afterAll(async () => {
  await server?.close();
  await partner?.close();
});

const register = (
  service: PartnerService,
  more: object = {},
): Promise<{ client_secret: string; replaces: string | null }> =>
  server.request('POST', '/addon-manifests', { manifest: service.manifest, ...more });
const create = (more: object = {}, plan = 'errorbucket'): Promise<Addon> =>
  server.request('POST', `/apps/${app.name}/addons`, { plan, ...more });
const config = (): Promise<Record<string, string>> => server.request('GET', `/apps/${app.name}/config-vars`);
const descriptions = async () =>
  (await server.request<Release[]>('GET', `/apps/${app.name}/releases`)).map((one) => one.description);
const destroy = (name: string) => server.request<Addon>('DELETE', `/apps/${app.name}/addons/${name}`);

describe('a partner’s service', () => {
  it('is listed, with its plans', async () => {
    expect(await server.request('GET', '/addon-services/errorbucket')).toMatchObject({
      human_name: 'The errorbucket',
      available: true,
      supports_sharing: true,
    });
    expect(await server.request('GET', '/addon-services/errorbucket/plans')).toMatchObject([
      { name: 'errorbucket:test', default: true },
    ]);
    const listed = await server.request<object[]>('GET', '/addon-manifests');
    expect(listed).toMatchObject([{ id: 'errorbucket', environment: 'production' }]);
    expect(JSON.stringify(listed)).not.toMatch(/super-secret|the-salt|client_secret/);
    // The secret stays when the manifest is registered again.
    expect((await register(partner)).client_secret).toBe(partner.clientSecret);
  });

  it('makes add-ons, changes their plans, and ends them', async () => {
    const made = await create({
      plan: 'errorbucket:basic',
      name: 'shop-errors',
      config: { foo: 'bar', deep: true },
    });
    expect(made).toMatchObject({
      name: 'shop-errors',
      state: 'provisioned',
      config_vars: ['ERRORBUCKET_URL'],
      plan: { name: 'errorbucket:basic' },
      provision_message: 'Your errorbucket is there.',
    });
    expect(partner.resource(made.id)).toMatchObject({
      plan: 'basic',
      name: 'shop-errors',
      options: { foo: 'bar', deep: 'true' },
    });
    expect(await config()).toEqual({ ERRORBUCKET_URL: `https://errorbucket.example.com/${made.id}` });

    const second = await create({ attachment: { name: 'OTHER' } });
    expect((await config()).OTHER_URL).toBe(`https://errorbucket.example.com/${second.id}`);

    const changed = await server.request<Addon>('PATCH', `/addons/${made.id}`, {
      plan: 'errorbucket:premium',
    });
    expect(changed.plan.name).toBe('errorbucket:premium');
    expect(partner.resource(made.id).plan).toBe('premium');

    expect(await destroy('shop-errors')).toMatchObject({ state: 'deprovisioned' });
    expect(partner.resources.has(made.id)).toBe(false);
    await destroy(second.name);
    expect(await config()).toEqual({});
    expect(await descriptions()).toEqual([
      'Initial release',
      'Attach ERRORBUCKET (@ref:shop-errors)',
      `Attach OTHER (@ref:${second.name})`,
      'Detach ERRORBUCKET (@ref:shop-errors)',
      `Detach OTHER (@ref:${second.name})`,
    ]);
    expect(partner.faults).toEqual([]);
  });

  it('may take its time: the app changes once, when it is there', async () => {
    partner.answer = ({ method }) => (method === 'POST' ? 'pending' : 'provide');
    const before = (await descriptions()).length;
    const made = await create({ name: 'slow-one' });
    expect(made).toMatchObject({
      state: 'provisioning',
      provision_message: 'Your errorbucket is being made.',
    });
    expect(await server.request('GET', `/addons/${made.id}/details`)).toEqual([
      { name: 'Partner', values: [expect.stringMatching(/^The errorbucket \(127\.0\.0\.1:\d+\)$/)] },
      {
        name: 'Waiting for',
        values: [expect.stringMatching(/^The errorbucket to say that it is there, until 20/)],
      },
    ]);
    await expect(server.request('PATCH', `/addons/${made.id}`, { plan: 'basic' })).rejects.toThrow(
      /409 .*slow-one is provisioning: wait/,
    );
    expect((await descriptions()).length).toBe(before);
    const answer = await partner.call(made.id, 'PATCH', 'config', {
      config: [
        { name: 'ERRORBUCKET_URL', value: 'https://first' },
        { name: 'ERRORBUCKET_TOKEN', value: 'abc' },
      ],
    });
    expect(await answer.json()).toEqual([
      { name: 'ERRORBUCKET_URL', value: 'https://first' },
      { name: 'ERRORBUCKET_TOKEN', value: 'abc' },
    ]);
    expect((await descriptions()).length).toBe(before);
    // What is said twice is done once.
    for (let i = 0; i < 2; i++) {
      const said = await partner.call(made.id, 'POST', 'actions/provision');
      expect([said.status, ((await said.json()) as Addon).state]).toEqual([200, 'provisioned']);
    }
    expect(await config()).toEqual({ ERRORBUCKET_URL: 'https://first', ERRORBUCKET_TOKEN: 'abc' });
    expect((await descriptions()).slice(before)).toEqual(['Attach ERRORBUCKET (@ref:slow-one)']);

    // Later it changes one value, and takes the other away.
    await partner.call(made.id, 'PATCH', 'config', {
      config: { ERRORBUCKET_URL: 'https://second', ERRORBUCKET_TOKEN: null },
    });
    expect(await config()).toEqual({ ERRORBUCKET_URL: 'https://second' });
    expect((await descriptions()).at(-1)).toBe('Update ERRORBUCKET by errorbucket');
    await destroy('slow-one');
    partner.answer = () => 'provide';
  });

  it('says that it can’t after all', async () => {
    partner.answer = ({ method }) => (method === 'POST' ? 'pending' : 'provide');
    const made = await create({ name: 'never-one' });
    const said = await partner.call(made.id, 'POST', 'actions/deprovision');
    expect(said.status).toBe(200);
    expect(await server.request('GET', `/apps/${app.name}/addons`)).toEqual([]);
    await until('a line about it', async () =>
      (await server.readLines(app)).some((line) =>
        line.includes('Add-on never-one could not be created: errorbucket says'),
      ),
    );
    partner.answer = () => 'provide';
    const there = await create();
    const late = await partner.call(there.id, 'POST', 'actions/deprovision');
    expect([late.status, await late.text()]).toEqual([
      409,
      expect.stringContaining('whoever owns it destroys it'),
    ]);
    await destroy(there.name);
  });

  it('has reported before its own answer arrived', async () => {
    partner.answer = async (request) => {
      if (request.method !== 'POST') return 'provide';
      const uuid = String(request.body?.uuid);
      partner.make(request, uuid);
      await partner.finish(uuid);
      return 'pending';
    };
    const made = await create({ name: 'quick-one' });
    expect(made).toMatchObject({ state: 'provisioned', config_vars: ['ERRORBUCKET_URL'] });
    expect(await config()).toEqual(partner.config(made.id));
    await destroy('quick-one');
    partner.answer = () => 'provide';
    expect(partner.faults).toEqual([]);
  });

  it('has a token for one add-on alone, which ends with it', async () => {
    const [one, two] = [await create(), await create()];
    const wrong = await partner.exchange(one.id, 'authorization_code', 'not-it');
    expect([wrong.status, await wrong.text()]).toEqual([
      401,
      expect.stringContaining('client_secret is wrong'),
    ]);
    const tokens = await partner.exchange(one.id);
    expect(await tokens.json()).toEqual({
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      expires_in: 28_800,
      token_type: 'Bearer',
    });
    // A grant is good once; the refresh token more than once.
    expect((await partner.exchange(one.id)).status).toBe(401);
    expect((await partner.exchange(one.id, 'refresh_token')).status).toBe(200);
    expect((await partner.exchange(one.id, 'refresh_token')).status).toBe(200);

    const own = await partner.call(one.id, 'GET', '');
    expect(await own.json()).toMatchObject({ id: one.id, app: { name: app.name }, web_url: null });
    expect(await (await partner.call(one.id, 'GET', 'config')).json()).toEqual([
      { name: 'ERRORBUCKET_URL', value: partner.config(one.id).ERRORBUCKET_URL },
    ]);
    const refused = async (method: string, path: string, body?: unknown) =>
      (await partner.call(one.id, method, path, body)).status;
    expect(await refused('GET', `/addons/${two.id}`)).toBe(403);
    expect(await refused('PATCH', `/addons/${two.id}/config`, { config: {} })).toBe(403);
    expect(await refused('POST', `/addons/${two.id}/actions/provision`)).toBe(403);
    expect(await refused('DELETE', `/addons/${one.id}`)).toBe(403);
    expect(await refused('PATCH', `/addons/${one.id}`, { name: 'mine' })).toBe(403);
    for (const path of [
      '/apps',
      `/apps/${app.name}/config-vars`,
      '/addons',
      '/oauth/authorizations',
      `/apps/${app.name}/logs`,
    ])
      expect(await refused('GET', path)).toBeGreaterThanOrEqual(401);
    // And what partners do isn't done with a key.
    await expect(server.request('PATCH', `/addons/${one.id}/config`, { config: {} })).rejects.toThrow(/403 /);

    const { refresh_token } = partner.resource(one.id).tokens!;
    const callback = partner.resource(one.id).callbackUrl;
    const access = partner.resource(one.id).tokens!.access_token;
    await destroy(one.name);
    const after = await fetch(callback, { headers: { authorization: `Bearer ${access}` } });
    expect(after.status).toBe(401);
    const query = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token,
      client_secret: partner.clientSecret,
    });
    expect((await fetch(`${server.url}/oauth/token?${query}`, { method: 'POST' })).status).toBe(401);
    expect((await fetch(`${server.url}/oauth/token`, { method: 'POST' })).status).toBe(400);
    await destroy(two.name);
  });

  it('changes no config var that its manifest doesn’t have', async () => {
    const made = await create();
    const patch = async (value: unknown) => {
      const answer = await partner.call(made.id, 'PATCH', 'config', { config: value });
      return `${answer.status} ${await answer.text()}`;
    };
    expect(await patch({ DATABASE_URL: 'x' })).toMatch(
      /422 .*config var DATABASE_URL, which its manifest doesn't have: it has ERRORBUCKET_URL, ERRORBUCKET_TOKEN/,
    );
    expect(await patch([{ name: 'ERRORBUCKET_URL', value: 3 }])).toMatch(
      /422 .*a value of ERRORBUCKET_URL that is no text/,
    );
    expect(await patch('nonsense')).toMatch(/422 .*neither an object nor a list/);
    expect(await patch({ ERRORBUCKET_URL: 'x'.repeat(70_000) })).toMatch(/422 .*more than 64 KB/);
    // Too much together with what the app has: nothing of it stays.
    await server.request('PATCH', `/apps/${app.name}/config-vars`, { BIG: 'x'.repeat(40_000) });
    expect(await patch({ ERRORBUCKET_URL: 'x'.repeat(40_000) })).toMatch(/422 .*64 KB in all/);
    await server.request('PATCH', `/apps/${app.name}/config-vars`, { BIG: null });
    expect(await config()).toEqual(partner.config(made.id));
    await destroy(made.name);
  });

  it('writes into the app’s log, and gets a copy of it, as long as its add-on is there', async () => {
    const receiver = await new HttpReceiver().listen();
    partner.extra = () => ({ log_drain_url: `http://127.0.0.1:${receiver.port}/drain` });
    const made = await create();
    partner.extra = () => ({});
    const { logInputUrl = '', logDrainToken } = partner.resource(made.id);
    const [drain] = await server.request<Drain[]>('GET', `/addons/${made.id}/log-drains`);
    expect(drain).toMatchObject({ token: logDrainToken, url: `http://127.0.0.1:${receiver.port}/drain` });
    const target = new URL(logInputUrl);
    const credentials = Buffer.from(`${target.username}:${target.password}`).toString('base64');
    target.username = '';
    target.password = '';
    const push = () => {
      const line = `<190>1 2026-01-01T00:00:00Z host app errorbucket - - three errors today`;
      return fetch(target, {
        method: 'POST',
        headers: {
          authorization: `Basic ${credentials}`,
          'content-type': 'application/logplex-1',
          'logplex-msg-count': '1',
        },
        body: `${line.length} ${line}`,
      });
    };
    expect((await push()).status).toBe(204);
    await until('the line', async () =>
      (await server.readLines(app)).some((line) =>
        / errorbucket\[errorbucket\]: three errors today$/.test(line),
      ),
    );
    await until('its copy', () =>
      receiver.requests.some(
        ({ body, headers }) =>
          body.includes('three errors today') && headers['logplex-drain-token'] === logDrainToken,
      ),
    );
    await destroy(made.name);
    expect(await server.listDrains(app)).toEqual([]);
    expect((await push()).status).toBe(401);
    await receiver.close();
  });

  it('signs a user on, once a link', async () => {
    const made = await create({ name: 'opened-one' });
    const { web_url: link } = await server.request<Addon>('GET', `/addons/${made.id}`);
    const page = await fetch(String(link));
    const html = await page.text();
    expect(page.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'sha256-[\w+/=]+'; form-action /,
    );
    expect(page.headers.get('cache-control')).toBe('no-store');
    const fields = [...html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)].map(
      ([, name, value]): [string, string] => [name, value],
    );
    const [, action] = /action="([^"]+)"/.exec(html) ?? [];
    const answer = await fetch(action, { method: 'POST', body: new URLSearchParams(fields) });
    expect(await answer.text()).toBe('welcome');
    expect(partner.signOns.at(-1)).toMatchObject({
      resource_id: made.id,
      app: app.name,
      email: 'owner@tailrace.localhost',
    });
    const again = await fetch(String(link));
    expect([again.status, await again.text()]).toEqual([
      404,
      expect.stringContaining('get another one with addons:open'),
    ]);
    await destroy('opened-one');
  });
});

describe('registering a partner', () => {
  it('is refused with all that is wrong with its manifest', async () => {
    const wrong = { ...partner.manifest, id: 'Wrong', api: { config_vars: [] } };
    await expect(server.request('POST', '/addon-manifests', { manifest: wrong })).rejects.toThrow(
      /422 .*id is .*api\.production is missing.*api\.password is missing.*api\.sso_salt is missing.*api\.config_vars is .*api\.regions/,
    );
    await expect(server.request('POST', '/addon-manifests', {})).rejects.toThrow(/422/);
    expect(await server.request('GET', '/addon-manifests')).toHaveLength(1);
  });

  it('ends when it has no add-ons any more, or with force', async () => {
    const other = await new PartnerService('other-one', { requires: [] }).listen();
    await register(other);
    const made = await create({}, 'other-one');
    await expect(create({}, 'other-one')).rejects.toThrow(
      /409 .*has other-one-\S+ already, and can have one/,
    );
    const guest = await server.createApp();
    await expect(
      server.request('POST', '/addon-attachments', { addon: made.name, app: guest.name }),
    ).rejects.toThrow(/422 .*can't be attached to another app/);
    await expect(server.request('DELETE', '/addon-manifests/other-one')).rejects.toThrow(
      /409 .*There are add-ons of other-one/,
    );
    await expect(
      register(new PartnerService('other-one', { config_vars_prefix: 'NEW', config_vars: ['NEW_URL'] })),
    ).rejects.toThrow(/prefix of other-one was OTHER_ONE/);
    await server.request('DELETE', '/addon-manifests/other-one', { force: true });
    await expect(create({}, 'other-one')).rejects.toThrow(/404 .*Couldn't find that add-on service/);
    const removal = await destroy(made.name);
    expect(removal.state).toBe('deprovisioning');
    expect(await server.request('GET', `/addons/${made.id}`)).toMatchObject({
      state: 'deprovisioning',
      config_vars: [],
    });
    await server.request('DELETE', `/addons/${made.id}`, { force: true });
    await expect(server.request('GET', `/addons/${made.id}`)).rejects.toThrow(/404/);
    await expect(server.request('DELETE', '/addon-manifests/other-one')).rejects.toThrow(
      /404 .*No partner is registered as other-one: there are errorbucket/,
    );
    await other.close();
  });

  it('takes a name that a service of this machine has, unless that has add-ons', async () => {
    const mail = await new PartnerService('sendgrid', { config_vars: ['SENDGRID_USERNAME'] }).listen();
    expect((await register(mail)).replaces).toBe('mailgun');
    mail.answer = () => ({ status: 201, text: '{"config":{"SENDGRID_USERNAME":"me"}}', makes: true });
    const made = await create({}, 'sendgrid');
    expect(made.config_vars).toEqual(['SENDGRID_USERNAME']);
    mail.answer = () => 'provide';
    await destroy(made.name);
    const papertrail = await create({ config: { url: 'https://p.example.com', token: 'abc' } }, 'papertrail');
    await expect(register(new PartnerService('papertrail'))).rejects.toThrow(
      /409 .*papertrail is a service of this server, of which there are add-ons/,
    );
    await destroy(papertrail.name);
    await server.request('DELETE', '/addon-manifests/sendgrid');
    await mail.close();
  });
});
