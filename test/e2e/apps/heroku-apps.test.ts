/** The official `heroku` command against a real `tailrace start`: apps, their settings and keys, and what it prints. */
import { describe, expect, it } from 'vitest';
import { HerokuCli } from '../../support/heroku/heroku-cli.ts';
import { HerokuCliApp } from '../../support/heroku/heroku-cli-app.ts';
import { listHerokuCommands } from '../../support/heroku/heroku-manifest.ts';
import { until } from '../../support/until.ts';

const shop = new HerokuCliApp(25_100);
const { run: h } = shop;

/** Asked of the API where a command has been seen to show them: it takes a second of processor time. */
const configVars = () => shop.server.request<Record<string, string>>('GET', '/apps/shop/config-vars');

/** What the app answers through the HTTP router, which waits while it restarts. */
async function answer(accept = '*/*'): Promise<string> {
  const address = shop.server.webUrl.replace('shop.localhost', '127.0.0.1');
  return (await fetch(address, { headers: { accept } })).text();
}

it('has the commands that `tailrace` is held to; a newer one is listed anew with -u', async () => {
  await expect(listHerokuCommands()).toMatchFileSnapshot('../../fixtures/heroku/commands.txt');
});

describe('apps', () => {
  it('are listed, created, shown and destroyed', async () => {
    expect(await shop.heroku.runOk('apps')).toMatch(/=== owner@tailrace.localhost Apps\s+shop \(localhost\)/);
    expect(await shop.heroku.runOk('apps:create blue-lake')).toMatch(
      /Creating blue-lake... done[\s\S]*http:\/\/blue-lake\.localhost:\d+\/ \| \S+\/blue-lake\.git/,
    );
    expect(await shop.heroku.runOk('apps:info -a blue-lake')).toMatch(
      /=== blue-lake[\s\S]*Owner:\s+owner@tailrace\.localhost[\s\S]*Stack:\s+local/,
    );
    expect(await shop.heroku.runOk('apps:destroy -a blue-lake --confirm blue-lake')).toMatch(
      /Destroying blue-lake .*done/,
    );
    const gone = await shop.heroku.run('apps:info -a blue-lake');
    expect(gone.status).not.toBe(0);
    expect(gone.stderr).toMatch(/Couldn't find that app\.[\s\S]*not_found/);
  });

  it('have names by Heroku’s rule', async () => {
    const refused = await shop.heroku.run('apps:create Blue_Lake');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(/Name must start with a letter/);
    await expect(shop.server.request('POST', '/apps', { name: 'shop' })).rejects.toThrow(
      /Name shop is already taken/,
    );
  });

  it('are renamed', async () => {
    expect(await h('apps:rename shoe')).toMatch(/Renaming shop to shoe... done/);
    await shop.server.request('PATCH', '/apps/shoe', { name: 'shop' });
  });

  it('belong to whoever has the key', async () => {
    expect(await shop.heroku.runOk('auth:whoami')).toMatch(/^owner@tailrace\.localhost$/m);
    expect(await h('access')).toMatch(/owner@tailrace\.localhost\s+owner/);
  });

  it('and to people who are known: added, listed, removed', async () => {
    const { server } = shop;
    const body = { email: 'ada@example.com', role: 'viewer', app: 'shop' };
    const invited = await server.request<{ invitation_url: string }>('POST', '/people', body);
    const [, token] = invited.invitation_url.split('=');
    const accepted = await fetch(`${server.url}/invitations/accept`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, email: body.email, password: 'correct horse battery' }),
    });
    expect(accepted.status).toBe(201);
    expect(await h('access:add ada@example.com')).toMatch(/done/);
    expect(await h('access')).toMatch(/ada@example\.com\s+member/);
    expect(await h('access:remove ada@example.com')).toMatch(/done/);
    expect(await h('access')).not.toContain('ada@example.com');
  });
});

describe('buildpacks', () => {
  it('are added by name and URL, listed, replaced and cleared', async () => {
    expect(await h('buildpacks:add heroku/nodejs')).toMatch(/Buildpack added[\s\S]*will use heroku\/nodejs/);
    expect(await h('buildpacks:add https://example.com/pack.git#v2')).toMatch(
      /will use:\s+1\. heroku\/nodejs\s+2\. https:\/\/example\.com\/pack\.git#v2/,
    );
    expect(await h('buildpacks:set heroku/python')).toMatch(/Buildpack set/);
    expect(await h('buildpacks:remove --index 2')).toMatch(/Buildpack removed/);
    expect(await h('buildpacks')).toMatch(/heroku\/python/);
    const path = '/apps/shop/buildpack-installations';
    expect(await shop.server.request('GET', path)).toEqual([
      { ordinal: 0, buildpack: { name: 'heroku/python', url: 'urn:buildpack:heroku/python' } },
    ]);
    expect(await h('buildpacks:clear')).toMatch(/will detect buildpacks normally/);
  });
});

describe('config vars and releases', () => {
  it('config vars are set several at once, reach the dynos, and are taken away', async () => {
    expect(await h('config:set A=one B=two')).toMatch(/Setting A, B and restarting shop... done, v2/);
    expect(await h('config')).toMatch(/A: one\nB: two/);
    expect(await h('config:get A')).toMatch(/^one$/m);
    await until('the new value in the app', async () => (await answer()) === 'A is one');
    expect(await h('config:unset B')).toMatch(/Unsetting B and restarting shop... done, v3/);
    expect(await configVars()).toEqual({ A: 'one' });
  });

  it('their values are in no line of the stream', async () => {
    await h('config:set SECRET=hunter2');
    const lines = await shop.server.readLines({ id: '', name: 'shop', token: '' });
    expect(lines.some((line) => line.includes('Set SECRET config vars by user owner@'))).toBe(true);
    expect(lines.filter((line) => line.includes('hunter2'))).toEqual([]);
  });

  it('releases are listed, shown and rolled back to', async () => {
    expect(await h('releases')).toMatch(
      /v3\s+Remove B config vars[\s\S]*v2\s+Set A, B config vars[\s\S]*v1\s+Initial release/,
    );
    expect(await h('releases:info v2')).toMatch(
      /=== Release v2[\s\S]*Change:\s+Set A, B config vars[\s\S]*A: one\nB: two/,
    );
    const [dyno] = await shop.server.request<{ release: { id: string; version: number } }[]>(
      'GET',
      '/apps/shop/dynos',
    );
    expect(await shop.server.request('GET', `/apps/shop/releases/${dyno.release.version}`)).toMatchObject({
      id: dyno.release.id,
    });
    expect(await h('rollback v2')).toMatch(/Rolling back shop to v2... done, v5/);
    expect(await configVars()).toMatchObject({ A: 'one', B: 'two' });
    await expect(shop.server.request('GET', '/apps/shop/releases/v99')).rejects.toThrow(
      /Couldn't find that release/,
    );
  });
});

describe('domains, maintenance', () => {
  it('domains are added, answer, and are removed', async () => {
    expect(await h('domains:add www.example.com')).toMatch(/Adding www\.example\.com to shop... done/);
    expect(await h('domains')).toMatch(
      /=== shop Heroku Domain\s+shop\.localhost[\s\S]*www\.example\.com\s+CNAME\s+shop\.localhost/,
    );
    expect(await h('domains:remove www.example.com')).toMatch(/Removing www\.example\.com from shop... done/);
    expect((await shop.heroku.run('domains:add http://x/ -a shop')).stderr).toMatch(/is no host name/);
    await shop.server.request('POST', '/apps/shop/domains', { hostname: 'a.example.com' });
    expect(await h('domains:clear')).toMatch(/Removing all domains from shop... done/);
    expect(await shop.server.request('GET', '/apps/shop/domains')).toHaveLength(1);
  });

  it('certificates are none, and adding one says what to use', async () => {
    expect(await h('certs')).toMatch(/shop has no SSL certificates/);
    expect((await shop.heroku.run('certs:auto:enable -a shop')).stderr).toMatch(
      /Apps have no certificates of their own/,
    );
  });

  it('maintenance is switched on and off', async () => {
    expect(await h('maintenance')).toMatch(/^off$/m);
    expect(await h('maintenance:on')).toMatch(/Enabling maintenance mode for shop... done/);
    expect(await shop.server.request('GET', '/apps/shop')).toMatchObject({ maintenance: true });
    expect(await answer()).toMatch(/under maintenance/);
    const page = 'https://example.com/soon.html';
    await shop.server.request('PATCH', '/apps/shop/config-vars', { MAINTENANCE_PAGE_URL: page });
    expect(await answer('text/html')).toContain('<iframe src="https://example.com/soon.html">');
    await shop.server.request('PATCH', '/apps/shop/config-vars', { MAINTENANCE_PAGE_URL: null });
    expect(await h('maintenance:off')).toMatch(/Disabling maintenance mode for shop... done/);
    expect(await answer()).toMatch(/^A is/);
  });
});

describe('API keys', () => {
  it('are made with a scope, work, and are revoked', async () => {
    const made = await shop.heroku.runOk('authorizations:create -d reader -s read-protected -e 600');
    const key = /Token:\s+(\S+)/.exec(made)?.[1] ?? '';
    const id = /ID:\s+(\S+)/.exec(made)?.[1] ?? '';
    const reader = new HerokuCli({ url: shop.server.url, key });
    expect(await reader.runOk('config:get A -a shop')).toMatch(/one/);
    const refused = await reader.run('config:set A=2 -a shop');
    expect(refused.status).not.toBe(0);
    expect(await shop.heroku.runOk(`authorizations:revoke ${id}`)).toMatch(/done/);
    const answer = await fetch(`${shop.server.url}/apps/shop/config-vars`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(answer.status).toBe(401);
    reader.close();
  });
});
