/** A partner that answers wrongly, late, twice or never, and servers that die meanwhile: no half-made add-on, and what to do is said. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type PartnerRequest,
  PartnerService,
  type PlannedAnswer,
} from '../../../../support/partner-service.ts';
import { runTailrace } from '../../../../support/program.ts';
import {
  type App,
  dataFolderForTest,
  type Server,
  startServer,
  startServerForTest,
} from '../../../../support/server.ts';
import { until } from '../../../../support/until.ts';

interface Addon {
  readonly id: string;
  readonly name: string;
  readonly state: string;
}

/** How long pending add-ons may take on servers of these tests that aren't told another time. */
const PROVISION_TIMEOUT = '1s';

let server: Server;
let partner: PartnerService;
let app: App;

beforeAll(async () => {
  partner = await new PartnerService('flaky').listen();
  server = await startServer({ env: { TAILRACE_ADDON_PROVISION_TIMEOUT: PROVISION_TIMEOUT } });
  await register(server);
  app = await server.createApp();
});
afterAll(async () => {
  await server?.close();
  await partner?.close();
});
beforeEach(() => {
  partner.answer = () => 'provide';
});

const register = async (on: Server): Promise<void> => {
  const { client_secret } = await on.request<{ client_secret: string }>('POST', '/addon-manifests', {
    manifest: partner.manifest,
  });
  partner.clientSecret = client_secret;
};
const create = (on: Server, to: App, name?: string): Promise<Addon> =>
  on.request('POST', `/apps/${to.name}/addons`, { plan: 'flaky', name });
const refusal = (name?: string): Promise<string> =>
  create(server, app, name).then(
    () => 'was made',
    (error: Error) => error.message,
  );
const addonsOf = (on: Server, of: App): Promise<Addon[]> => on.request('GET', `/apps/${of.name}/addons`);
const configOf = (on: Server, of: App): Promise<object> => on.request('GET', `/apps/${of.name}/config-vars`);
const descriptions = async (on: Server, of: App): Promise<string[]> =>
  (await on.request<{ description: string }[]>('GET', `/apps/${of.name}/releases`)).map(
    (one) => one.description,
  );
/** To requests that ask for an add-on. */
const answerPost = (answer: PlannedAnswer) => (request: PartnerRequest) =>
  request.method === 'POST' ? answer : 'provide';
const json = (status: number, value: unknown, makes = true): PlannedAnswer => ({
  status,
  text: JSON.stringify(value),
  makes,
});

describe('an add-on that a partner doesn’t make', () => {
  it.each<[string, PlannedAnswer, RegExp]>([
    ['refuses, with words to the user', json(422, { message: 'No more \u001b[31mbuckets\u001b[0m\n today.' }, false), /422 .*"No more \[31mbuckets\[0m today\."/],
    ['refuses without a word', json(422, {}, false), /422 .*The flaky refused to create it, without saying why \(422\)/],
    ['doesn’t know the password', json(401, {}, false), /503 .*doesn't accept the password of its manifest \(401\): ask its partner/],
    ['has trouble', json(500, { message: 'database down' }), /503 .*answered 500: database down\. Try again later/],
    ['answers with a page', { status: 200, text: '<html>Welcome</html>', makes: true }, /503 .*answered with something that is no JSON \(200\)/],
    ['answers with half of it', { status: 201, text: '{"config":{"FLAKY_URL":"htt', makes: true }, /no JSON/],
    ['answers with a list', json(201, []), /answered with JSON that is no object/],
    ['gives a config var of somebody else', json(201, { config: { FLAKY_URL: 'x', DATABASE_URL: 'y' } }), /answered with the config var DATABASE_URL, which its manifest doesn't have: it has FLAKY_URL, FLAKY_TOKEN/],
    ['gives a config var without a value', json(201, { config: { FLAKY_URL: { a: 1 } } }), /a value of FLAKY_URL that is no text/],
    ['gives a bad drain', json(201, { log_drain_url: 'ftp://a.example' }), /can't get the app's log as it asked for: Drains to ftp:\/\/ aren't supported/],
    ['answers with too much', json(201, { config: { FLAKY_URL: 'x'.repeat(300_000) } }), /answered with more than 256 KB/],
    ['gives more than an app can have', json(201, { config: { FLAKY_URL: 'x'.repeat(65_600) } }), /more than 64 KB/],
    ['redirects', { status: 302, text: '', headers: { location: 'http://127.0.0.1:1/?token=abc' } }, /redirected to http:\/\/127\.0\.0\.1:1\/\?token=\*\*\*\*, which isn't followed/],
    ['closes the connection', 'reset', /can't be reached \(/],
  ])('since it %s', async (_, answer, sentence) => {
    partner.answer = answerPost(answer);
    const before = await descriptions(server, app);
    const requests = partner.requests.length;
    expect(await refusal('never-made')).toMatch(sentence);
    expect(await addonsOf(server, app)).toEqual([]);
    expect(await configOf(server, app)).toEqual({});
    expect(await descriptions(server, app)).toEqual(before);
    expect(await server.listDrains(app)).toEqual([]);
    // What it may have made after all is taken back there, and what it clearly refused isn't asked for again.
    const [posted, removal] = partner.requests.slice(requests);
    const isRefused = typeof answer === 'object' && [401, 422].includes(answer.status);
    expect(removal?.uuid).toBe(isRefused ? undefined : posted.body?.uuid);
    expect(partner.resources.size).toBe(0);
    const sources = await server.request<{ source: string }[]>('GET', `/apps/${app.name}/tokens`);
    expect(sources.map(({ source }) => source).sort()).toEqual(['app', 'heroku']);
    // Its name is free.
    partner.answer = () => 'provide';
    await create(server, app, 'never-made');
    await server.request('DELETE', '/addons/never-made');
  }); // biome-ignore format: a table

  it('since it never says that it is there', async () => {
    partner.answer = answerPost('pending');
    const args = ['addons:create', 'flaky', '--name', 'endless-one', '--wait', '--app', app.name];
    const waited = await runTailrace(args, { env: server.env });
    expect([waited.status, waited.stderr]).toEqual([
      1,
      expect.stringMatching(/endless-one was not created: the app's log says why/),
    ]);
    const uuid = String(partner.requests.findLast(({ method }) => method === 'POST')?.body?.uuid);
    const lines = await server.readLines(app);
    expect(lines.find((line) => line.includes('endless-one'))).toMatch(
      /app\[api\]: Add-on endless-one could not be created: The flaky did not say within 1 seconds? that it is there\. It was removed: create it again/,
    );
    await until('its removal there', () => partner.count('DELETE', uuid) === 1);
    await until('its removal here', async () => (await addonsOf(server, app)).length === 0);
    // What it says now is too late, and does no harm.
    expect(partner.faults).toEqual([]);
  });

  it('can be destroyed while it is being made', async () => {
    partner.answer = answerPost('pending');
    const made = await create(server, app);
    expect(await server.request('DELETE', `/addons/${made.id}`)).toMatchObject({ state: 'deprovisioned' });
    expect(partner.resources.size).toBe(0);

    let answered: (answer: PlannedAnswer) => void = () => {};
    partner.answer = (request) =>
      request.method === 'POST'
        ? new Promise((resolve) => {
            answered = resolve;
          })
        : 'provide';
    const posts = partner.count('POST');
    const late = refusal('late-one');
    await until('the request', () => partner.count('POST') === posts + 1);
    const uuid = String(partner.requests.at(-1)?.body?.uuid);
    // What becomes of the request is known first.
    const destroyed = await server.request('DELETE', '/addons/late-one');
    expect([destroyed, partner.count('DELETE', uuid)]).toMatchObject([{ state: 'deprovisioning' }, 0]);
    answered('provide');
    expect(await late).toMatch(/409 .*late-one was taken back while it was created/);
    expect(partner.count('DELETE', uuid)).toBe(1);
    await until('its removal there', () => partner.resources.size === 0);
    expect(await addonsOf(server, app)).toEqual([]);
  });
});

describe('a change of plan', () => {
  it('that fails leaves the plan as it was, and can be asked for again', async () => {
    const made = await create(server, app);
    const change = () =>
      server.request<{ plan: { name: string } }>('PATCH', `/addons/${made.id}`, { plan: 'flaky:big' });
    partner.answer = () => json(422, { message: 'Too big for you.' }, false);
    await expect(change()).rejects.toThrow(/422 .*Too big for you\./);
    partner.answer = () => json(503, {}, false);
    await expect(change()).rejects.toThrow(/503 .*could not be asked to change its plan: it answered 503/);
    partner.answer = () => json(200, { config: { OTHER: 'x' } });
    await expect(change()).rejects.toThrow(/config var OTHER/);
    expect(await server.request('GET', `/addons/${made.id}`)).toMatchObject({ plan: { name: 'flaky:test' } });
    partner.answer = () => json(200, { config: { FLAKY_TOKEN: 'new' }, message: 'Bigger.' });
    expect((await change()).plan.name).toBe('flaky:big');
    expect(await configOf(server, app)).toEqual({ ...partner.config(made.id), FLAKY_TOKEN: 'new' });
    partner.answer = () => 'provide';
    await server.request('DELETE', `/addons/${made.id}`);
  });
});

describe('a removal', () => {
  it('that the partner can’t do now is done later; the app is without it at once', async () => {
    const made = await create(server, app, 'stays-a-while');
    const { logInputUrl = '' } = partner.resource(made.id);
    partner.answer = () => json(500, {}, false);
    const destroyed = await runTailrace(
      ['addons:destroy', 'stays-a-while', '--app', app.name, '--confirm', app.name],
      { env: server.env },
    );
    expect(destroyed.stdout).toMatch(
      /Destroying stays-a-while on \S+\.\.\. pending\nstays-a-while is off the app/,
    );
    expect(await configOf(server, app)).toEqual({});
    expect((await descriptions(server, app)).at(-1)).toBe('Detach FLAKY (@ref:stays-a-while)');
    expect(await addonsOf(server, app)).toMatchObject([{ name: 'stays-a-while', state: 'deprovisioning' }]);
    const rows = await server.request<{ name: string; values: string[] }[]>(
      'GET',
      `/addons/${made.id}/details`,
    );
    expect(rows.at(-1)).toEqual({
      name: 'Not removed yet',
      values: [expect.stringMatching(/it answered 500/)],
    });
    expect(logInputUrl).not.toBe('');
    await until('another try', () => partner.count('DELETE', made.id) >= 2);
    // And while nobody listens there.
    await partner.close();
    const reason = async () =>
      (await server.request<{ values: string[] }[]>('GET', `/addons/${made.id}/details`)).at(-1)?.values[0];
    await until('another try', async () => (await reason())?.includes('ECONNREFUSED'));
    partner.answer = () => 'provide';
    await partner.listen();
    await until('its end', async () => (await addonsOf(server, app)).length === 0);
    expect(partner.resources.size).toBe(0);
  });

  it('of what is gone there already is done', async () => {
    const made = await create(server, app);
    partner.resources.delete(made.id);
    expect(await server.request('DELETE', `/addons/${made.id}`)).toMatchObject({ state: 'deprovisioned' });
    const other = await create(server, app);
    partner.answer = () => json(404, {});
    expect(await server.request('DELETE', `/addons/${other.id}`)).toMatchObject({ state: 'deprovisioned' });
  });

  it('of a partner that is no more is done with force; and an app goes with its add-on', async () => {
    const [made, other] = [
      await create(server, app),
      await create(server, await server.createApp('to-be-gone')),
    ];
    partner.answer = () => json(503, {}, false);
    await server.request('DELETE', `/addons/${made.id}`);
    expect(await server.request('DELETE', `/addons/${made.id}`, { force: true })).toMatchObject({
      state: 'deprovisioned',
    });
    expect(await addonsOf(server, app)).toEqual([]);
    await server.request('DELETE', '/apps/to-be-gone');
    expect(await server.request('GET', '/addons')).toMatchObject([{ id: other.id, state: 'deprovisioning' }]);
    partner.answer = () => 'provide';
    await until('its end', async () => (await server.request<Addon[]>('GET', '/addons')).length === 0);
    partner.resources.clear();
  });
});

describe('a server that dies', () => {
  it('between the request and its answer asks for the same again, and for a removal, too', async () => {
    const data = dataFolderForTest();
    const before = await startServerForTest({ data });
    await register(before);
    const shop = await before.createApp();
    // It has made it, and its answer is lost.
    partner.answer = (request) => {
      partner.make(request, String(request.body?.uuid));
      return 'never';
    };
    const posts = partner.count('POST');
    const lost = create(before, shop, 'lost-answer').catch(() => undefined);
    await until('the request', () => partner.count('POST') === posts + 1);
    await before.kill();
    await lost;
    const uuid = String(partner.requests.at(-1)?.body?.uuid);
    expect(partner.resources.has(uuid)).toBe(true);

    partner.answer = () => 'provide';
    const second = await startServerForTest({ data });
    await until('its config', async () => 'FLAKY_URL' in (await configOf(second, shop)));
    expect(await addonsOf(second, shop)).toMatchObject([
      { id: uuid, name: 'lost-answer', state: 'provisioned' },
    ]);
    expect(await configOf(second, shop)).toEqual(partner.config(uuid));
    expect(partner.requests.filter(({ body }) => body?.uuid === uuid)).toHaveLength(2);
    expect((await descriptions(second, shop)).at(-1)).toBe('Attach FLAKY (@ref:lost-answer)');
    // The grant of the second request is good.
    expect((await partner.call(uuid, 'GET', '')).status).toBe(200);

    partner.answer = () => 'never';
    const removal = second.request('DELETE', `/addons/${uuid}`).catch(() => undefined);
    await until('the request', () => partner.count('DELETE', uuid) === 1);
    await second.kill();
    await removal;
    partner.answer = () => 'provide';
    const third = await startServerForTest({ data });
    await until('its end', async () => (await addonsOf(third, shop)).length === 0);
    expect(partner.resources.size).toBe(0);
    expect(await configOf(third, shop)).toEqual({});
  });

  it('or stops while it waits does so at once; what comes later is refused or taken', async () => {
    const data = dataFolderForTest();
    const before = await startServerForTest({ data });
    await register(before);
    const shop = await before.createApp();
    partner.answer = () => 'pending';
    const pending = await create(before, shop, 'pending-one');
    partner.answer = () => 'never';
    const posts = partner.count('POST');
    const lost = create(before, shop, 'stopped-one').catch((error: Error) => error.message);
    await until('the request', () => partner.count('POST') === posts + 1);
    await before.close();
    expect(await lost).toMatch(
      /503 .*This server stops while stopped-one is being created: it goes on with that/,
    );
    // At the next start the partner refuses what it was asked for; the other one is still waited for.
    partner.answer = (request) =>
      request.method === 'POST' ? json(422, { message: 'Sold out.' }, false) : 'provide';
    const after = await startServerForTest({ data });
    await until('the end of the one', async () => (await addonsOf(after, shop)).length === 1);
    expect(await addonsOf(after, shop)).toMatchObject([{ id: pending.id, state: 'provisioning' }]);
    await until('a line about it', async () =>
      (await after.readLines(shop)).some((line) =>
        line.includes('Add-on stopped-one could not be created: Sold out.'),
      ),
    );
    const now = partner.resource(pending.id);
    Object.assign(now, { callbackUrl: now.callbackUrl.replace(before.url, after.url) });
    await partner.finish(pending.id);
    expect(await configOf(after, shop)).toEqual(partner.config(pending.id));
    await after.request('DELETE', `/addons/${pending.id}`);
    expect(partner.faults).toEqual([]);
  });
});

describe('a pending add-on', () => {
  it('whose time ran out while the server was down is taken back at its start', async () => {
    const data = dataFolderForTest();
    const before = await startServerForTest({
      data,
      env: { TAILRACE_PUBLIC_URL: 'https://logs.example.com' },
    });
    await register(before);
    const shop = await before.createApp();
    partner.answer = answerPost('pending');
    const made = await create(before, shop);
    // The server is behind something, and elsewhere for its partners.
    expect(partner.resource(made.id)).toMatchObject({
      callbackUrl: `https://logs.example.com/addons/${made.id}`,
      logInputUrl: expect.stringMatching(/^https:\/\/token:t\.[0-9a-f-]{36}@logs\.example\.com\/logs$/),
    });
    await before.kill();
    const after = await startServerForTest({ data, env: { TAILRACE_ADDON_PROVISION_TIMEOUT: '1ms' } });
    await until('its removal', async () => (await addonsOf(after, shop)).length === 0);
    expect(partner.count('DELETE', made.id)).toBe(1);
    expect(partner.resources.size).toBe(0);
  });
});

describe('where drains may not go', () => {
  it('partners may not be, whatever their manifest says', async () => {
    const strict = await startServerForTest({ env: { TAILRACE_ALLOW_PRIVATE_DRAINS: 'no' } });
    const at = (base: string) => ({
      manifest: {
        ...partner.manifest,
        api: {
          ...(partner.manifest.api as object),
          production: { base_url: base, sso_url: 'https://a.example/sso' },
        },
      },
    });
    for (const base of [
      `http://127.0.0.1:${partner.port}/`,
      'https://[::1]/',
      'https://169.254.169.254/',
      'https://10.0.0.1/x',
      'https://[::ffff:127.0.0.1]/',
      'https://0x7f.1/',
    ])
      await expect(strict.request('POST', '/addon-manifests', at(base))).rejects.toThrow(
        /422 .*Partners of add-ons may not be at .*TAILRACE_ALLOW_PRIVATE_DRAINS/,
      );
    expect(await strict.request('GET', '/addon-manifests')).toEqual([]);
  });
});
